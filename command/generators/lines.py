"""Rows of landing files, and the lines they are written as."""

from collections.abc import Iterable

Row = tuple[str, ...]
"""Fields of a landing file, in the order of the feed's columns; a JSON feed's values are JSON already."""

Line = Row | str
"""Fields, or a line as it stands, for what no writer would write."""


def as_object(fields: Iterable[tuple[str, str]]) -> str:
    """Write a JSON object on one line.

    Args:
        fields: Names, and values that are JSON already.
    """
    return "{" + ", ".join([f'"{name}": {value}' for name, value in fields]) + "}"


def joined(row: Row, delimiter: str = ",") -> str:
    """Write a row as a line without quotes."""
    return delimiter.join(row)
