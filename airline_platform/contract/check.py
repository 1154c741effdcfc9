"""What has to hold of the rows a load brings: what a declaration can say of it, and how a day is judged.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airline_platform.contract.declaration import refuse

NO_HISTORY = "any number, because there is no history yet"
FIGURES_SHOWN = 10


@dataclass(frozen=True)
class Finding:
    """What a check has found of a day.

    Args:
        day: ISO; empty where the table has no days.
        passed: Whether it is as expected.
        measured: The number that was judged.
        found: In words.
        expected: In words.
    """

    day: str
    passed: bool
    measured: float
    found: str
    expected: str

    def __str__(self) -> str:
        """Say day, finding and expectation."""
        return f"{self.day}: {self.sentence}" if self.day else self.sentence

    @property
    def sentence(self) -> str:
        """What was found and expected, without the day."""
        return f"found {self.found}, expected {self.expected}"


@dataclass(frozen=True)
class Share:
    """At most a share of the rows is of a kind.

    Args:
        of: The kind, as it follows on a number of rows.
        at_most: Largest share, 0 to 1.
    """

    of: str
    at_most: float
    measures = "share"

    def __post_init__(self) -> None:
        """Refuse a share that is none."""
        if not 0 <= self.at_most <= 1:
            refuse(f"the share of rows that {self.of}", self.at_most, "0 to 1")

    def judge(self, day: str, part: int, rows: int) -> Finding:
        """Judge so many rows of the kind among all rows of a day."""
        share = part / rows if rows else 0.0
        found = f"{part:,} of {rows:,} rows ({share:.1%}) {self.of}"
        return Finding(day, share <= self.at_most, share, found, f"at most {self.at_most:.0%}")


@dataclass(frozen=True)
class Between:
    """A number of rows lies within bounds that earlier rows give.

    Args:
        because: Whence the bounds are.
    """

    because: str
    measures = "rows"

    def judge(self, day: str, rows: int, bounds: tuple[float, float] | None) -> Finding:
        """Judge a number of rows by the least and the most that are expected; none: nothing is known yet."""
        if bounds is None:
            return Finding(day, passed=True, measured=rows, found=f"{rows:,} rows", expected=NO_HISTORY)
        least, most = bounds
        expected = f"at least {math.ceil(least):,}"
        if most != math.inf:
            expected = f"{math.ceil(least):,} to {math.floor(most):,}"
        found = f"{rows:,} rows"
        return Finding(day, least <= rows <= most, rows, found, f"{expected} ({self.because})")


@dataclass(frozen=True)
class Equal:
    """Figures are the ones that another source gives."""

    measures = "differing"

    @staticmethod
    def judge(day: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> Finding:
        """Judge figures by name; one that only one side has is 0 on the other."""
        names = [*expected, *(name for name in found if name not in expected)]
        differing = [name for name in names if found.get(name, 0) != expected.get(name, 0)]
        shown = (differing or names)[:FIGURES_SHOWN]
        said, wanted = (", ".join(f"{n} {of.get(n, 0):,}" for n in shown) for of in (found, expected))
        return Finding(day, not differing, len(differing), said, wanted)


@dataclass(frozen=True)
class Check:
    """What has to hold.

    Args:
        name: As Dagster and alerts have it.
        description: What is measured and expected.
        rule: What judges a day.
        remedy: What to do about a day that fails; a sentence.
        blocking: Whether rows that fail are kept out.
        where: Of a `Share`, which rows of the table are of its kind, in Redshift's SQL.
    """

    name: str
    description: str
    rule: Share | Between | Equal
    remedy: str
    blocking: bool = False
    where: str = ""


@dataclass(frozen=True)
class Limits:
    """How far the rows of a day, or of a dimension, may lie from what is usual before people are told.

    Args:
        least_of_fewest: Of the rows that the same weekday had before, by the day with the fewest.
        most_of_most: Likewise, by the day with the most.
        weeks: How far back the same weekday is looked at.
        weeks_needed: How many of these days have to be there.
        unknown: Largest share of rows whose lookup finds nothing.
        copies: Largest share of rows that are copies of another one of their day.
        kept: Smallest share of a dimension's rows that a load has to leave.
    """

    least_of_fewest: float = 0.5
    most_of_most: float = 2
    weeks: int = 4
    weeks_needed: int = 2
    unknown: float = 0.02
    copies: float = 0.05
    kept: float = 0.8
