"""Checks are judged at their limits, told in words, and declared once for all that shows them."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlglot
from assets.checks.rules import CHECKS, NO_HISTORY, Between, Equal, Finding, Share
from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    DagsterRun,
    TableMetadataValue,
)

from airline_platform.contract.feed import Feed
from airline_platform.definitions import defs
from airline_platform.errors import LoadRefused
from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from assets.alerts.messages import check_failed_alerts
from assets.checks import measures, rules
from assets.marts.sums import SUMS_MATCH
from resources.warehouse.session import Session, to_postgres

DAY, NEXT = "2013-01-29", "2013-01-30"
FACT = FLIGHTS.table.name


@pytest.mark.parametrize(
    ("part", "rows", "passed"), [(0, 0, True), (2, 100, True), (3, 100, False), (201, 10_000, False)]
)
def test_a_share_is_fine_up_to_its_limit(part: int, rows: int, passed: bool) -> None:
    assert Share("x", 0.02).judge(DAY, part, rows).passed is passed


@pytest.mark.parametrize(("rows", "passed"), [(49, False), (50, True), (240, True), (241, False)])
def test_a_number_of_rows_may_be_at_its_bounds(rows: int, passed: bool) -> None:
    finding = Between("for a reason").judge(DAY, rows, (50, 240))

    assert (finding.passed, finding.measured) == (passed, rows)
    assert finding.told == f"found {rows} rows, expected 50 to 240 (for a reason)"


def test_a_bound_between_two_numbers_is_told_as_the_nearest_one_inside() -> None:
    finding = Between("so").judge(DAY, 1, (50.5, 2001.5))

    assert finding.expected == "51 to 2,001 (so)"


def test_what_has_no_history_passes_and_says_so() -> None:
    finding = Between("so").judge(DAY, 7, None)

    assert finding.passed
    assert finding.told == f"found 7 rows, expected {NO_HISTORY}"


@pytest.mark.parametrize(("there", "passed"), [(80, True), (79, False), (200, True)])
def test_airports_may_be_a_fifth_less(there: int, passed: bool) -> None:
    session = Answers({"airports": there, "ids": there})

    unique, count = rules.judge("dim_airport_codes", measures.of_airports(session, 100))
    assert not unique.failed
    assert (not count.failed) is passed


def test_the_first_airports_have_nothing_to_be_compared_with() -> None:
    _, count = rules.judge(
        "dim_airport_codes", measures.of_airports(Answers({"airports": 1, "ids": 1}), before=0)
    )

    assert count.findings[0].expected == NO_HISTORY


def test_an_airport_that_is_there_twice_is_found() -> None:
    unique, _ = rules.judge("dim_airport_codes", measures.of_airports(Answers({"airports": 6, "ids": 5}), 5))

    (finding,) = unique.failed
    assert finding.told == "found different ids 5, expected different ids 6"
    with pytest.raises(LoadRefused, match="dim_airport_codes: the check keys_unique: found different ids 5"):
        rules.require("dim_airport_codes", [unique])


def test_figures_that_differ_are_told_and_no_others() -> None:
    finding = Equal.judge(
        DAY, {"flights": 12, "fares": Decimal("1.5")}, {"flights": 10, "fares": Decimal("1.50")}
    )

    assert (finding.passed, finding.measured) == (False, 1)
    assert finding.told == "found flights 12, expected flights 10"


def test_a_figure_that_one_side_lacks_is_nought_there() -> None:
    assert Equal.judge(DAY, {}, {"fares EUR": 3}).told == "found fares EUR 0, expected fares EUR 3"
    assert Equal.judge(DAY, {"fares EUR": 3}, {}).told == "found fares EUR 3, expected fares EUR 0"
    assert Equal.judge(DAY, {"fares EUR": 0}, {}).passed


class Answers(Session):
    """A session with one answer."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.asked: list[tuple[str, Mapping[str, Any] | None]] = []
        self._rows = list(rows)

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self.asked.append((sql, parameters))
        return self._rows


def in_ledger(day: str, key: str, rows: int | None) -> dict[str, Any]:
    """A row of the ledger, as the warehouse answers it."""
    at = datetime(2013, 2, 1, tzinfo=UTC)
    which = {"feed": "flights", "partition_date": day, "key": key, "etag": "e", "state": "loaded"}
    return {**which, "rows_loaded": rows, "landed_at": at, "loaded_at": at}


def loaded(**rows: int) -> dict[str, dict[str, int]]:
    return {day.replace("_", "-").removeprefix("d"): {"rows_loaded": n} for day, n in rows.items()}


def test_a_weekday_is_compared_with_the_four_before_it_and_what_is_loaded_beside_it() -> None:
    standing = {"2013-01-01": 100, "2013-01-08": 90, "2013-01-15": 120, "2012-12-31": 1, "2013-01-28": 5000}

    found = measures.row_counts(loaded(d2013_01_22=80, d2013_01_29=70), standing)

    assert found == {"2013-01-22": (80, (45, 240)), "2013-01-29": (70, (40, 240))}
    assert measures.weekday_before(DAY) == ["2013-01-22", "2013-01-15", "2013-01-08", "2013-01-01"]


def test_one_day_is_no_history_and_two_are() -> None:
    assert measures.row_counts(loaded(d2013_01_29=7), {"2013-01-22": 100}) == {DAY: (7, None)}
    assert measures.row_counts(loaded(d2013_01_29=7), {"2013-01-22": 100, "2013-01-01": 0}) == {
        DAY: (7, (0, 200))
    }


def test_a_days_own_old_rows_are_no_history() -> None:
    assert measures.row_counts(loaded(d2013_01_29=7), {DAY: 100, "2013-01-22": 100}) == {DAY: (7, None)}


def test_the_ledgers_rows_of_other_files_are_added_up_by_day() -> None:
    session = Answers(
        in_ledger(DAY, "a", 1),
        in_ledger(DAY, "b", 2),
        in_ledger(DAY, "c", 4),
        in_ledger("2013-01-22", "d", None),
    )

    assert measures.standing_rows(session, FLIGHTS, [DAY], {"a"}) == {DAY: 6, "2013-01-22": 0}
    ((_, asked),) = session.asked
    assert asked == {"feed": "flights", "days": ("2013-01-01", "2013-01-08", "2013-01-15", "2013-01-22", DAY)}


@pytest.mark.parametrize(
    ("rows", "there", "standing", "differing"),
    [
        ((10, 8, 2), 8, 0, ""),
        ((10, 8, 1), 8, 0, "found loaded or rejected 9, expected loaded or rejected 10"),
        ((10, 8, 2), 7, 0, "found in the table 7, expected in the table 8"),
        ((10, 8, 2), 16, 0, "found in the table 16, expected in the table 8"),
        # The ledger knows another file of the day, whose rows are about to be lost.
        ((10, 8, 2), 8, 3, "found in the table 8, expected in the table 11"),
    ],
)
def test_every_row_of_a_day_is_accounted_for(
    rows: tuple[int, int, int], there: int, standing: int, differing: str
) -> None:
    read, kept, rejected = rows
    of_day = {DAY: {"rows_read": read, "rows_loaded": kept, "rows_rejected": rejected}}

    outcome = rules.ROWS_ACCOUNTED.judge(measures.accounts(of_day, {DAY: there}, {DAY: standing}))

    assert [finding.told for finding in outcome.failed] == [differing] * bool(differing)


def rows_of(result: AssetCheckResult) -> list[Mapping[str, Any]]:
    table = result.metadata["failing"]
    assert isinstance(table, TableMetadataValue)
    return [record.data for record in table.records]


def shares(**parts: tuple[int, int]) -> rules.Outcome:
    measured = {day.replace("_", "-").removeprefix("d"): it for day, it in parts.items()}
    return rules.UNKNOWN_AIRPORTS.judge(measured)


def test_a_days_result_has_its_number_and_what_was_expected() -> None:
    result = shares(d2013_01_29=(3, 100)).result(FACT)

    assert (result.passed, result.severity) == (False, AssetCheckSeverity.WARN)
    assert (result.asset_key, result.check_name) == (AssetKey(FACT), "unknown_airports")
    assert result.description == "found 3 of 100 rows (3.0%) have an unknown airport, expected at most 2%"
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

    result = rules.UNKNOWN_AIRPORTS.judge(dict.fromkeys(days, (1, 1))).result(FACT)

    text = result.description or ""
    assert text.startswith("31 of 31 days fail: 2013-01-01: ")
    assert [day for day in days if day in text] == days[:5]
    assert text.endswith("; and 26 more")
    assert [row["day"] for row in rows_of(result)] == days[:20]


def test_a_range_says_how_many_days_have_no_history() -> None:
    outcome = rules.ROW_COUNT.judge({DAY: (7, None), NEXT: (7, (1, 9))})

    assert outcome.result(FACT).description == "all 2 days pass; 1 of them have no history yet"


def test_what_blocks_is_an_error_that_names_the_check_the_day_and_what_to_do() -> None:
    bad = SUMS_MATCH.judge({DAY: ({"flights": 1}, {"flights": 2}), NEXT: ({}, {})})

    with pytest.raises(rules.ChecksFailed) as raised:
        rules.require("long_delays", [bad])

    assert str(raised.value) == (
        "long_delays: the check sums_match: 2013-01-29: found flights 1, expected flights 2. "
        f"Nothing was loaded, the old rows stand\nWhat to do: {SUMS_MATCH.remedy}"
    )
    ((passed, severity),) = [(result.passed, result.severity) for result in raised.value.results]
    assert (passed, severity) == (False, AssetCheckSeverity.ERROR)


def test_what_only_warns_lets_the_load_go_on() -> None:
    rules.require(FACT, [shares(d2013_01_29=(100, 100)), rules.ROWS_ACCOUNTED.judge({DAY: ({}, {})})])


def test_all_that_warns_is_one_alert_and_a_retry_repeats_it() -> None:
    outcomes = [
        shares(d2013_01_29=(3, 100), d2013_01_30=(1, 100)),
        rules.ROW_COUNT.judge({DAY: (7, (10, 20)), NEXT: (7, (10, 20))}),
        rules.DUPLICATES.judge({DAY: (0, 100), NEXT: (0, 100)}),
        SUMS_MATCH.judge({DAY: ({"flights": 1}, {})}),
    ]
    run = DagsterRun("flights_job")
    retry = DagsterRun("flights_job", root_run_id=run.run_id, parent_run_id=run.run_id)

    (alert,) = check_failed_alerts(FACT, "flights", outcomes, run)
    (again,) = check_failed_alerts(FACT, "flights", outcomes, retry)

    assert (alert.event, alert.feed, alert.run_id) == ("check_failed", "flights", run.run_id)
    assert alert.subject == (
        "Checks failed on daily_flights_processed 2 days 2013-01-29 to 2013-01-30: "
        "unknown_airports, row_count"
    )
    unknown, because = "have an unknown airport", "by the same weekday in the 4 weeks before"
    assert list(alert.lines) == [
        f"unknown_airports: 2013-01-29: found 3 of 100 rows (3.0%) {unknown}, expected at most 2%",
        f"What to do: {rules.UNKNOWN_AIRPORTS.remedy}",
        "",
        f"row_count: 2013-01-29: found 7 rows, expected 10 to 20 ({because})",
        f"row_count: 2013-01-30: found 7 rows, expected 10 to 20 ({because})",
        f"What to do: {rules.ROW_COUNT.remedy}",
        "",
        f"Run:       {run.run_id}",
    ]
    assert alert.alert_id == again.alert_id
    (other,) = check_failed_alerts(FACT, "flights", outcomes[1:], run)
    assert other.alert_id != alert.alert_id


def test_a_table_without_days_is_told_without_one() -> None:
    outcome = rules.AIRPORT_COUNT.judge({"": (7, (8.0, math.inf))})

    (alert,) = check_failed_alerts("dim_airport_codes", "airports", [outcome], DagsterRun("airports_job"))

    assert alert.subject == "Checks failed on dim_airport_codes: row_count"
    assert alert.lines[0] == "row_count: found 7 rows, expected at least 8 (80 % of what was there before)"


def test_of_very_many_days_an_alert_lists_twenty() -> None:
    outcome = rules.UNKNOWN_AIRPORTS.judge({f"2013-01-{day:02d}": (1, 1) for day in range(1, 32)})

    (alert,) = check_failed_alerts(FACT, "flights", [outcome], DagsterRun("flights_job"))

    assert alert.lines[20] == "unknown_airports: … and 11 more days."
    assert len(alert.lines) == 24


def test_nothing_that_fails_is_no_alert() -> None:
    assert check_failed_alerts(FACT, "flights", [shares(d2013_01_29=(0, 1))], DagsterRun("flights_job")) == []


@pytest.mark.parametrize("asset", CHECKS)
def test_every_check_is_on_its_asset_and_says_what_it_wants(asset: str) -> None:
    specs = {spec.key: spec for spec in rules.specs_of(asset)}

    assert len(specs) == len(CHECKS[asset])
    assert all(spec.description and spec.description.endswith(".") for spec in specs.values())
    every = defs.resolve_implicit_global_asset_job_def().asset_layer.asset_graph
    assert specs.keys() <= every.asset_check_keys


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_a_feeds_job_judges_what_its_steps_load(feed: Feed) -> None:
    of_job = defs.resolve_job_def(f"{feed.name}_job").asset_layer.asset_graph.asset_check_keys
    asset = feed.last_asset if feed.last_asset in CHECKS else feed.table.name

    assert of_job >= {AssetCheckKey(AssetKey(asset), check.name) for check in CHECKS[asset]}


@pytest.mark.parametrize("feed", [FLIGHTS, BOOKINGS], ids=lambda feed: feed.name)
def test_all_measures_of_a_load_are_two_queries_that_redshift_and_postgresql_take(feed: Feed) -> None:
    session = Answers()
    rows = {day: {"rows_read": 0, "rows_loaded": 0, "rows_rejected": 0} for day in (DAY, NEXT)}

    measured = measures.of_loaded(session, feed, rows, {}, set())

    assert len(session.asked) == 2
    for sql, _ in session.asked:
        sqlglot.parse_one(to_postgres(sql), read="postgres", error_level=sqlglot.ErrorLevel.RAISE)
    judged = {check.name for check in CHECKS[feed.table.name]}
    assert measured.keys() == judged


def test_an_airport_is_unknown_where_nothing_of_it_is_known() -> None:
    assert measures.unknown_airports(FLIGHTS) == (
        "(dep_airport IS NULL AND dep_city IS NULL AND dep_state IS NULL) OR "
        "(arr_airport IS NULL AND arr_city IS NULL AND arr_state IS NULL)"
    )


def test_findings_are_told_by_day() -> None:
    assert (
        str(Finding(DAY, passed=True, measured=1, found="a", expected="b")) == f"{DAY}: found a, expected b"
    )
    assert str(Finding("", passed=True, measured=1, found="a", expected="b")) == "found a, expected b"
