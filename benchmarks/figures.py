"""What a benchmark has measured: figures with a key, a unit and, where there is one, a target."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Unit = Literal["s", "%", "times", "rows/s", "files/min", "MB", "files", "runs", "jobs", "calls"]


@dataclass(frozen=True)
class Figure:
    """One measured number.

    Args:
        key: Its name in `latest.json`, such as `land_to_queryable_s`.
        value: In its unit.
        unit: `times` is a ratio.
        what: A few words for the table; what was measured, not how.
        target: What it is to be at most; None where nothing is promised.
        at_least: Whether the target is to be reached instead of kept below.
    """

    key: str
    value: float
    unit: Unit
    what: str
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the target is kept; None where there is none."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass(frozen=True)
class Section:
    """What one benchmark has to say.

    Args:
        title: Of its table.
        figures: Its rows.
        notes: How it was measured, what limits it, why a peer is faster: a sentence or two each.
    """

    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = field(default=())
