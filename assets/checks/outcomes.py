"""What came of checks: a finding for each day, shown on the asset; blocking ones keep rows out."""

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

from airline_platform.contract.check import NO_HISTORY, Check, Finding
from airline_platform.errors import LoadRefused

Measures = Mapping[str, Mapping[str, Sequence[Any]]]
"""By the check's name and the day, what the check's rule judges."""

DAYS_NAMED, DAYS_LISTED = 5, 20
"""Failing days that a result's sentence names, and that its table and an alert list."""


@dataclass(frozen=True)
class Outcome:
    """What came of a check: a finding for each day, or the one for a table without days."""

    check: Check
    findings: Sequence[Finding]

    @property
    def failed(self) -> list[Finding]:
        """The findings of days that are not as expected."""
        return [finding for finding in self.findings if not finding.passed]

    def result(self, asset: str) -> AssetCheckResult:
        """Return the result that Dagster shows on an asset."""
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
            return self.findings[0].sentence
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


OLD_ROWS_STAND = "Nothing was loaded, the old rows stand"
"""Of what is written in the transaction that a failed check rolls back."""


class ChecksFailed(LoadRefused):
    """Blocking checks failed; the transaction must not commit.

    Args:
        asset: Whose checks they are.
        outcomes: Of all its checks that were judged; one at least is blocking and failed.
        stands: Which rows people see now.
    """

    def __init__(self, asset: str, outcomes: Sequence[Outcome], stands: str = OLD_ROWS_STAND) -> None:
        failed = [outcome for outcome in outcomes if outcome.check.blocking and outcome.failed]
        found = [f"{o.check.name}: {'; '.join(map(str, o.failed[:DAYS_LISTED]))}" for o in failed]
        self.found = f"the check {', and '.join(found)}"
        super().__init__(f"{asset}: {self.found}. {stands}", remedy=failed[0].check.remedy)
        self.outcomes = outcomes
        self.results = [outcome.result(asset) for outcome in outcomes]


def spec_of(check: Check, asset: str) -> AssetCheckSpec:
    """Declare a check on an asset, as Dagster wants it."""
    return AssetCheckSpec(check.name, asset=asset, description=check.description, blocking=check.blocking)


def outcome_of(check: Check, measured: Mapping[str, Sequence[Any]]) -> Outcome:
    """Judge days by their measures, in the order of the days."""
    judge_day: Callable[..., Finding] = check.rule.judge
    return Outcome(check, [judge_day(day, *measure) for day, measure in sorted(measured.items())])


def judge(checks: Iterable[Check], measured: Measures) -> list[Outcome]:
    """Judge those of the checks for which there are measures."""
    return [outcome_of(check, measured[check.name]) for check in checks if check.name in measured]


def require(asset: str, outcomes: Sequence[Outcome], *, stands: str = OLD_ROWS_STAND) -> None:
    """Let nothing through that a blocking check forbids.

    Args:
        asset: Whose checks they are.
        outcomes: What came of them.
        stands: Which rows people see where one failed.

    Raises:
        ChecksFailed: One of them failed.
    """
    if any(outcome.check.blocking and outcome.failed for outcome in outcomes):
        raise ChecksFailed(asset, outcomes, stands)


def merged(outcomes: Iterable[Sequence[Outcome]]) -> list[Outcome]:
    """Return one outcome for each check, of days that were judged apart."""
    by_name: dict[str, Outcome] = {}
    for outcome in (it for some in outcomes for it in some):
        known = by_name.get(outcome.check.name, Outcome(outcome.check, ()))
        days = sorted([*known.findings, *outcome.findings], key=lambda finding: finding.day)
        by_name[outcome.check.name] = Outcome(outcome.check, days)
    return list(by_name.values())


def outcomes_of(errors: Iterable[Exception]) -> list[Sequence[Outcome]]:
    """Return what came of checks, of those errors that are theirs."""
    return [error.outcomes for error in errors if isinstance(error, ChecksFailed)]
