"""What came of checks: told by day, as Dagster shows it; what blocks ends the load."""

from collections.abc import Mapping
from typing import Any

import pytest
from dagster import AssetCheckResult, AssetCheckSeverity, AssetKey, TableMetadataValue

from airline_platform.errors import LoadRefused
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from assets.checks.of_feeds import ROWS_ACCOUNTED, checks_of, row_count, unknown
from assets.checks.outcomes import (
    ChecksFailed,
    Outcome,
    judge,
    merged,
    outcome_of,
    outcomes_of,
    require,
    spec_of,
)
from assets.marts.sums import SUMS_MATCH

DAY, NEXT = "2013-01-29", "2013-01-30"
FACT = FLIGHTS.table.name
UNKNOWN = unknown(FLIGHTS, AIRPORTS)
ROW_COUNT = row_count(FLIGHTS.limits)


def rows_of(result: AssetCheckResult) -> list[Mapping[str, Any]]:
    table = result.metadata["failing"]
    assert isinstance(table, TableMetadataValue)
    return [record.data for record in table.records]


def shares(**parts: tuple[int, int]) -> Outcome:
    measured = {day.replace("_", "-").removeprefix("d"): it for day, it in parts.items()}
    return outcome_of(UNKNOWN, measured)


def test_a_days_result_has_its_number_and_what_was_expected() -> None:
    result = shares(d2013_01_29=(3, 100)).result(FACT)

    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    assert (result.asset_key, result.check_name) == (AssetKey(FACT), "unknown_airports")
    assert result.description == "found 3 of 100 rows (3.0%) look up unknown airports, expected at most 2%"
    assert {name: value.value for name, value in result.metadata.items()} == {
        "days": 1,
        "failed_days": 1,
        "share": 0.03,
    }


def test_a_ranges_result_passes_only_when_every_day_does() -> None:
    good = shares(d2013_01_29=(0, 100), d2013_01_30=(2, 100)).result(FACT)
    bad = shares(d2013_01_29=(0, 100), d2013_01_30=(3, 100)).result(FACT)

    assert (good.passed, good.description) == (True, "all 2 days pass")
    assert (bad.passed, (bad.description or "").partition(":")[0]) == (False, "1 of 2 days fail")
    assert "2013-01-30: found 3 of 100 rows" in (bad.description or "")
    (row,) = rows_of(bad)
    assert row["day"] == NEXT


def test_of_many_failing_days_five_are_named_and_twenty_listed() -> None:
    days = [f"2013-01-{day:02d}" for day in range(1, 32)]

    result = outcome_of(UNKNOWN, dict.fromkeys(days, (1, 1))).result(FACT)

    text = result.description or ""
    assert text.startswith("31 of 31 days fail: 2013-01-01: ")
    assert [day for day in days if day in text] == days[:5]
    assert text.endswith("; and 26 more")
    assert [row["day"] for row in rows_of(result)] == days[:20]


def test_a_range_says_how_many_days_have_no_history() -> None:
    outcome = outcome_of(ROW_COUNT, {DAY: (7, None), NEXT: (7, (1, 9))})

    assert outcome.result(FACT).description == "all 2 days pass; 1 of them have no history yet"


def test_what_blocks_is_an_error_that_names_the_check_the_day_and_what_to_do() -> None:
    bad = outcome_of(SUMS_MATCH, {DAY: ({"flights": 1}, {"flights": 2}), NEXT: ({}, {})})

    with pytest.raises(ChecksFailed) as raised:
        require("long_delays", [bad])

    assert str(raised.value) == (
        "long_delays: the check sums_match: 2013-01-29: found flights 1, expected flights 2. "
        f"Nothing was loaded, the old rows stand\nWhat to do: {SUMS_MATCH.remedy}"
    )
    ((passed, severity),) = [(result.passed, result.severity) for result in raised.value.results]
    assert (passed, severity) == (False, AssetCheckSeverity.ERROR)


def test_what_only_warns_lets_the_load_go_on() -> None:
    require(FACT, [shares(d2013_01_29=(100, 100)), outcome_of(ROWS_ACCOUNTED, {DAY: ({}, {})})])


def test_only_what_was_measured_is_judged_and_in_the_checks_order() -> None:
    outcomes = judge(checks_of(FLIGHTS), {"missing_delays": {DAY: (1, 2)}, "rows_accounted": {DAY: ({}, {})}})

    assert [outcome.check.name for outcome in outcomes] == ["rows_accounted", "missing_delays"]


def test_days_are_judged_in_their_order() -> None:
    assert [it.day for it in outcome_of(UNKNOWN, {NEXT: (0, 1), DAY: (0, 1)}).findings] == [DAY, NEXT]


def test_days_that_were_judged_apart_become_one_outcome_for_each_check() -> None:
    apart = [
        [shares(d2013_01_30=(3, 100)), outcome_of(ROW_COUNT, {NEXT: (7, None)})],
        [shares(d2013_01_29=(0, 100))],
    ]

    found = {outcome.check.name: [it.day for it in outcome.findings] for outcome in merged(apart)}

    assert found == {"unknown_airports": [DAY, NEXT], "row_count": [NEXT]}


def test_of_errors_those_of_checks_have_outcomes() -> None:
    bad = outcome_of(SUMS_MATCH, {DAY: ({"a": 1}, {})})

    assert outcomes_of([ValueError(), ChecksFailed("t", [bad]), LoadRefused("x", remedy="y")]) == [[bad]]


@pytest.mark.parametrize("check", [UNKNOWN, SUMS_MATCH], ids=lambda check: check.name)
def test_a_check_is_declared_to_dagster_as_it_stands(check) -> None:
    spec = spec_of(check, FACT)

    assert (spec.name, spec.asset_key, spec.blocking) == (check.name, AssetKey(FACT), check.blocking)
    assert spec.description == check.description
