"""Alerts tell a thing once and in one form, however many days and runs it is about."""

import math

from dagster import DagsterRun

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from assets.alerts.messages import check_failed_alerts
from assets.checks.of_feeds import duplicates, row_count, rows_kept, unknown
from assets.checks.outcomes import Outcome, outcome_of
from assets.marts.sums import SUMS_MATCH

DAY, NEXT = "2013-01-29", "2013-01-30"
FACT = FLIGHTS.table.name
UNKNOWN = unknown(FLIGHTS, AIRPORTS)
ROW_COUNT = row_count(FLIGHTS.limits)


def shares(**parts: tuple[int, int]) -> Outcome:
    measured = {day.replace("_", "-").removeprefix("d"): it for day, it in parts.items()}
    return outcome_of(UNKNOWN, measured)


def test_all_that_warns_is_one_alert_and_a_retry_repeats_it() -> None:
    outcomes = [
        shares(d2013_01_29=(3, 100), d2013_01_30=(1, 100)),
        outcome_of(ROW_COUNT, {DAY: (7, (10, 20)), NEXT: (7, (10, 20))}),
        outcome_of(duplicates(FLIGHTS), {DAY: (0, 100), NEXT: (0, 100)}),
        outcome_of(SUMS_MATCH, {DAY: ({"flights": 1}, {})}),
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
    unknown, because = "look up unknown airports", "by the same weekday in the 4 weeks before"
    assert list(alert.lines) == [
        f"unknown_airports: 2013-01-29: found 3 of 100 rows (3.0%) {unknown}, expected at most 2%",
        f"What to do: {UNKNOWN.remedy}",
        "",
        f"row_count: 2013-01-29: found 7 rows, expected 10 to 20 ({because})",
        f"row_count: 2013-01-30: found 7 rows, expected 10 to 20 ({because})",
        f"What to do: {ROW_COUNT.remedy}",
        "",
        f"Run:       {run.run_id}",
    ]
    assert alert.alert_id == again.alert_id
    (other,) = check_failed_alerts(FACT, "flights", outcomes[1:], run)
    assert other.alert_id != alert.alert_id


def test_a_table_without_days_is_told_without_one() -> None:
    outcome = outcome_of(rows_kept(AIRPORTS), {"": (7, (8.0, math.inf))})

    (alert,) = check_failed_alerts("dim_airport_codes", "airports", [outcome], DagsterRun("airports_job"))

    assert alert.subject == "Checks failed on dim_airport_codes: row_count"
    assert alert.lines[0] == "row_count: found 7 rows, expected at least 8 (80% of what was there before)"


def test_of_very_many_days_an_alert_lists_twenty() -> None:
    outcome = outcome_of(UNKNOWN, {f"2013-01-{day:02d}": (1, 1) for day in range(1, 32)})

    (alert,) = check_failed_alerts(FACT, "flights", [outcome], DagsterRun("flights_job"))

    assert alert.lines[20] == "unknown_airports: … and 11 more days."
    assert len(alert.lines) == 24


def test_nothing_that_fails_is_no_alert() -> None:
    assert check_failed_alerts(FACT, "flights", [shares(d2013_01_29=(0, 1))], DagsterRun("flights_job")) == []
