"""How a deployment says what it is doing."""

from collections.abc import Callable

Progress = Callable[[str], None]
"""Takes one line about what is being done."""


def silent(_line: str) -> None:
    """Show the line to nobody."""
