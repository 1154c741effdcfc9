"""Reads a Glue script's arguments, with Glue's own rules."""

import argparse
from typing import Any, NoReturn

RESERVED = (
    "job-bookmark-option", "job-bookmark-from", "job-bookmark-to", "JOB_ID", "JOB_RUN_ID",
    "SECURITY_CONFIGURATION", "encryption-type",
)  # fmt: skip
"""Glue's own options: always parsed, None where absent, and an error to ask for by name."""

OPTIONAL = ("TempDir", "RedshiftTempDir")
"""Never required, even when asked for."""


class GlueArgumentError(Exception):
    """A required argument is missing."""


class GlueArgumentParser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse would print."""
        raise GlueArgumentError(message)


def getResolvedOptions(args: list[str], options: list[str]) -> dict[str, Any]:  # noqa: N802 - Glue's own name
    """The named options of `args` (usually sys.argv) as `{name: text}`, and Glue's own ones.

    `--name value` and `--name=value` are both understood, an unambiguous beginning of a name counts as the
    name (as on AWS), unknown arguments are ignored, and every name in `options` must be there.

    Raises:
        GlueArgumentError: One is missing.
        RuntimeError: One of `options` is Glue's own and can't be asked for.
    """
    parser = GlueArgumentParser()
    for name in dict.fromkeys((*RESERVED, *OPTIONAL, *options)):
        if name in RESERVED and name in options:
            raise RuntimeError(f"Using reserved arguments --{name}")
        parser.add_argument(f"--{name}", required=name in options and name not in OPTIONAL)
    return vars(parser.parse_known_args(args[1:])[0])
