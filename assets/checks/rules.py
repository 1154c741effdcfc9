"""What has to hold of the rows a load brings: declared once, judged in its transaction, shown on its asset.

A check has a rule, and measures of days to hold against it (see `measures`). A blocking one that fails keeps
its rows from being committed; any other one is told, and the load goes on.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    MetadataValue,
    TableRecord,
)

from airline_platform.errors import LoadRefused
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

LEAST_OF_FEWEST, MOST_OF_MOST = 0.5, 2
"""Of the rows that the same weekday had before. New York's days of 2013 lie between 0.67 of the fewest (after
Thanksgiving) and 1.15 of the most."""

WEEKS_BEFORE, WEEKS_NEEDED = 4, 2
"""How far back the same weekday is looked at, and how many of these days have to be there."""

UNKNOWN_AIRPORTS_SHARE = 0.02

MISSING_DELAYS_SHARE = 0.15
"""New York's flights of 2013 had 2.5 % of them, at the median 0.7 % of a day; nine days had more than this
share, all in storms: 57 % on 9 February."""

COPIES_SHARE = 0.05
"""The fact has no flight number. Of New York's days of 2013 at most 1.1 % are copies of another flight that
departed; cancelled ones, which have no delays to differ by, would be up to 29 % and are not counted."""

AIRPORTS_KEPT_PERCENT = 80

DAYS_NAMED, DAYS_LISTED = 5, 20
"""Failing days that a result's sentence names, and that its table and an alert list."""

FIGURES_SHOWN = 10
NO_HISTORY = "any number, because there is no history yet"


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
        """For people."""
        return f"{self.day}: {self.told}" if self.day else self.told

    @property
    def told(self) -> str:
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
    """

    name: str
    description: str
    rule: Share | Between | Equal
    remedy: str
    blocking: bool = False

    def spec(self, asset: str) -> AssetCheckSpec:
        """Declare the check on an asset, as Dagster wants it."""
        return AssetCheckSpec(self.name, asset=asset, description=self.description, blocking=self.blocking)

    def judge(self, measured: Mapping[str, Sequence[Any]]) -> "Outcome":
        """Judge days by their measures, in the order of the days."""
        judge: Callable[..., Finding] = self.rule.judge
        return Outcome(self, [judge(day, *measure) for day, measure in sorted(measured.items())])


@dataclass(frozen=True)
class Outcome:
    """What came of a check: a finding for each day, or the one for a table without days."""

    check: Check
    findings: Sequence[Finding]

    @property
    def failed(self) -> list[Finding]:
        """Of the days that are not as expected."""
        return [finding for finding in self.findings if not finding.passed]

    def result(self, asset: str) -> AssetCheckResult:
        """As Dagster shows it on an asset."""
        return AssetCheckResult(
            asset_key=asset,
            check_name=self.check.name,
            passed=not self.failed,
            severity=AssetCheckSeverity.ERROR if self.check.blocking else AssetCheckSeverity.WARN,
            description=self._description(),
            metadata=dict(self._metadata()),
        )

    def _description(self) -> str:
        if len(self.findings) == 1:
            return self.findings[0].told
        if failed := self.failed:
            more = f"; and {len(failed) - DAYS_NAMED} more" if len(failed) > DAYS_NAMED else ""
            days = "; ".join(map(str, failed[:DAYS_NAMED]))
            return f"{len(failed)} of {len(self.findings)} days fail: {days}{more}"
        new = sum(finding.expected == NO_HISTORY for finding in self.findings)
        return f"all {len(self.findings)} days pass" + (f"; {new} of them have no history yet" if new else "")

    def _metadata(self) -> Iterator[tuple[str, Any]]:
        yield "days", len(self.findings)
        yield "failed_days", len(self.failed)
        if len(self.findings) == 1:
            yield self.check.rule.measures, self.findings[0].measured
        elif failed := self.failed[:DAYS_LISTED]:
            rows = [TableRecord({"day": f.day, "found": f.found, "expected": f.expected}) for f in failed]
            yield "failing", MetadataValue.table(rows)


class ChecksFailed(LoadRefused):
    """Blocking checks failed; the transaction must not commit.

    Args:
        asset: Whose checks they are.
        outcomes: Of all its checks that were judged; one at least is blocking and failed.
    """

    def __init__(self, asset: str, outcomes: Sequence[Outcome]) -> None:
        failed = [outcome for outcome in outcomes if outcome.check.blocking and outcome.failed]
        found = [f"{o.check.name}: {'; '.join(map(str, o.failed[:DAYS_LISTED]))}" for o in failed]
        self.found = f"the check {', and '.join(found)}"
        super().__init__(
            f"{asset}: {self.found}. Nothing was loaded, the old rows stand", remedy=failed[0].check.remedy
        )
        self.outcomes = outcomes
        self.results = [outcome.result(asset) for outcome in outcomes]


def judge(asset: str, measured: Mapping[str, Mapping[str, Sequence[Any]]]) -> list[Outcome]:
    """Judge an asset's checks, as far as there are measures for them.

    Args:
        asset: Its name.
        measured: By the check's name, the measures of each day.
    """
    return [check.judge(measured[check.name]) for check in CHECKS[asset] if check.name in measured]


def require(asset: str, outcomes: Sequence[Outcome]) -> None:
    """Let nothing through that a blocking check forbids.

    Raises:
        ChecksFailed: One of them failed.
    """
    if any(outcome.check.blocking and outcome.failed for outcome in outcomes):
        raise ChecksFailed(asset, outcomes)


def merged(outcomes: Iterable[Sequence[Outcome]]) -> list[Outcome]:
    """One outcome for each check, of days that were judged apart."""
    found: dict[str, Outcome] = {}
    for outcome in (it for some in outcomes for it in some):
        known = found.get(outcome.check.name, Outcome(outcome.check, ()))
        days = sorted([*known.findings, *outcome.findings], key=lambda finding: finding.day)
        found[outcome.check.name] = Outcome(outcome.check, days)
    return list(found.values())


def outcomes_of(errors: Iterable[Exception]) -> list[Sequence[Outcome]]:
    """What came of checks where some of the errors are theirs."""
    return [error.outcomes for error in errors if isinstance(error, ChecksFailed)]


def specs_of(asset: str) -> list[AssetCheckSpec]:
    """An asset's checks, as Dagster wants them declared."""
    return [check.spec(asset) for check in CHECKS[asset]]


_LOOK_AT_FILES = "Look whether the day's files are complete and there once; land what is missing or mended."

ROWS_ACCOUNTED = Check(
    "rows_accounted",
    "Rows read are rows loaded plus rows rejected, and the day's rows are as many as the ledger says.",
    Equal(),
    "Run the day again from its raw files on (`airline backfill`); if it stays, it is a defect: report it.",
    blocking=True,
)
ROW_COUNT = Check(
    "row_count",
    (
        f"The day's rows are between {LEAST_OF_FEWEST} times the fewest and {MOST_OF_MOST} times the most of "
        f"the same weekday in the {WEEKS_BEFORE} weeks before, of which {WEEKS_NEEDED} have to be there."
    ),
    Between(f"by the same weekday in the {WEEKS_BEFORE} weeks before"),
    _LOOK_AT_FILES,
)
UNKNOWN_AIRPORTS = Check(
    "unknown_airports",
    f"At most {UNKNOWN_AIRPORTS_SHARE:.0%} of the day's rows have an airport that the airport codes lack.",
    Share("have an unknown airport", UNKNOWN_AIRPORTS_SHARE),
    "Land newer airport codes: they fill the names in by themselves. Or mend the ids in the file.",
)
MISSING_DELAYS = Check(
    "missing_delays",
    f"At most {MISSING_DELAYS_SHARE:.0%} of the day's flights have no departure delay: they were cancelled.",
    Share("have no departure delay", MISSING_DELAYS_SHARE),
    "If there was no storm that day, look whether the file's delays are in their column, and land it again.",
)
DUPLICATES = Check(
    "duplicates",
    (
        f"At most {COPIES_SHARE:.0%} of the day's rows are copies of another one; flights that never "
        "departed are alike by nature and are not counted."
    ),
    Share("are copies of another one", COPIES_SHARE),
    "Look whether the same rows landed twice, in one file or under two names, and remove one of the two.",
)
KEYS_UNIQUE = Check(
    "keys_unique",
    "Every airport is there once.",
    Equal(),
    "Materialize raw_airport_codes and what follows again; if it stays, it is a defect: report it.",
    blocking=True,
)
AIRPORT_COUNT = Check(
    "row_count",
    f"At least {AIRPORTS_KEPT_PERCENT} % of the airports that were there before are there.",
    Between(f"{AIRPORTS_KEPT_PERCENT} % of what was there before"),
    "Look whether the newest file of airport codes is complete, and land it again.",
)

CHECKS: Mapping[str, tuple[Check, ...]] = {
    FLIGHTS.table.name: (ROWS_ACCOUNTED, ROW_COUNT, UNKNOWN_AIRPORTS, MISSING_DELAYS, DUPLICATES),
    BOOKINGS.table.name: (ROWS_ACCOUNTED, ROW_COUNT, UNKNOWN_AIRPORTS, DUPLICATES),
    SHIPMENTS.last_asset: (ROWS_ACCOUNTED, ROW_COUNT),
    AIRPORTS.table.name: (KEYS_UNIQUE, AIRPORT_COUNT),
}
"""By the asset that loads; a mart's check stands beside the marts."""
