"""The verdict on a landed file: it can be read, and how; or it is refused, and why."""

from dataclasses import dataclass
from typing import Literal

Shape = Literal["lines", "array"]
"""How a file holds its rows: one a line, or as the elements of one JSON array."""


@dataclass(frozen=True)
class Accepted:
    """A file that can be read.

    Args:
        header: Its first line, without line end and byte order mark, as Spark reads it too; empty for JSON.
        columns: The feed's column names in the file's order; in the feed's for JSON.
        shape: How it holds its rows.
    """

    header: str
    columns: tuple[str, ...]
    shape: Shape = "lines"


@dataclass(frozen=True)
class Refused:
    """A file that can't be this feed: what came on which line, what was expected, what to do."""

    line: int
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        """One sentence for alerts and the ledger."""
        return f"line {self.line}: {self.found}; expected {self.expected}. {self.remedy}"
