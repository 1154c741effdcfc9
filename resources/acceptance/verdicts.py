"""The verdict on a landed file: it can be read, and how; or it is refused, and why."""

from dataclasses import dataclass, field
from typing import Literal

from airline_platform.contract.reading import Reading

Shape = Literal["lines", "records", "array"]
"""How a file holds its rows: one a line; as CSV records of several lines, or in another encoding, which one
reader takes as a whole; or as the elements of one JSON array."""


@dataclass(frozen=True)
class Accepted:
    """A file that can be read.

    Args:
        header: Its first line, without line end and byte order mark, as Spark reads it too; empty for JSON.
        columns: The feed's column names in the file's order; in the feed's for JSON. One the feed does not
            have is marked.
        shape: How it holds its rows.
        first: Line of the first row, counted from 1.
        rows: How many rows it has; who reads it has to find as many.
        lines: How many lines.
        ascii: Whether it has no other characters.
        reading: How it is written.
    """

    header: str
    columns: tuple[str, ...]
    shape: Shape = "lines"
    first: int = 1
    rows: int = 0
    lines: int = 0
    ascii: bool = False
    reading: Reading = field(default_factory=Reading)


@dataclass(frozen=True)
class Refused:
    """A file that can't be this feed: what came on which line, what was expected, what to do."""

    line: int
    found: str
    expected: str
    remedy: str

    def __str__(self) -> str:
        """Put the refusal into one sentence for alerts and the ledger."""
        return f"line {self.line}: {self.found}; expected {self.expected}. {self.remedy}"
