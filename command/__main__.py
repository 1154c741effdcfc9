"""The front door of `airline`: a feed that is declared wrong is told in one sentence, whatever is asked."""

import sys

from airline_platform.contract.declaration import DeclarationError


def main() -> None:
    """Run the command line; status 2 where a declaration can't be."""
    try:
        from command.cli import main as run  # noqa: PLC0415 - reads every declaration
    except DeclarationError as error:
        sys.stderr.write(f"{error}\nWhat to do: correct the declaration; nothing else was done.\n")
        sys.exit(2)
    run()


if __name__ == "__main__":
    main()
