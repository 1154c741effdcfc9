"""Alerts say what went wrong, for which days, and what to do."""

import json
import math

import pytest
from dagster import DagsterInstance, DagsterRun, Failure

from airline_platform.contract.feed import Feed
from airline_platform.errors import StackUnavailable, UnusableInput
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings, get_settings
from assets.alerts.messages import (
    check_failed_alerts,
    failure_alert,
    loaded_alert,
    partition_of,
    reason_of_failure,
    run_link,
    stage_of,
    was_alerted,
)
from assets.checks.of_feeds import duplicates, row_count, rows_kept, unknown
from assets.checks.outcomes import Outcome, outcome_of
from assets.failures import permanent_errors_end_the_step
from assets.marts.sums import SUMS_MATCH
from assets.report.location import report_link

DAY = "2013-01-07"
TUESDAY, WEDNESDAY = "2013-01-29", "2013-01-30"
FACT = FLIGHTS.table.name
UNKNOWN = unknown(FLIGHTS, AIRPORTS)
ROW_COUNT = row_count(FLIGHTS.limits)


def test_our_own_errors_say_what_to_do() -> None:
    error = StackUnavailable("the warehouse does not answer", remedy="Start it.")

    assert reason_of_failure(error) == "the warehouse does not answer\nWhat to do: Start it."


def test_a_permanent_error_keeps_its_text_and_its_remedy_through_dagster() -> None:
    with pytest.raises(Failure) as failure, permanent_errors_end_the_step():
        raise UnusableInput("nothing has landed", remedy="Land it.")

    assert reason_of_failure(failure.value) == "nothing has landed\nWhat to do: Land it."


@pytest.mark.parametrize("told", [True, False])
def test_a_step_that_ends_for_what_an_alert_says_already_is_not_told_again(told: bool) -> None:
    with pytest.raises(Failure) as failure, permanent_errors_end_the_step():
        raise UnusableInput("every file is refused", remedy="Land them again.", alerted=told)

    assert was_alerted(failure.value) is told


@pytest.mark.parametrize("error", [None, ZeroDivisionError(), Failure("no")])
def test_what_nobody_expected_is_told(error: BaseException | None) -> None:
    assert was_alerted(error) is False


def test_an_error_nobody_expected_is_named_with_a_way_on() -> None:
    assert reason_of_failure(ZeroDivisionError("division by zero")) == (
        "ZeroDivisionError: division by zero\nWhat to do: mend the cause, then re-run from this step."
    )


def test_a_failure_without_a_description_still_has_a_reason() -> None:
    assert reason_of_failure(Failure()) == "no reason given"


@pytest.mark.parametrize(
    ("tags", "partition"),
    [
        ({"dagster/partition": "2013-01-01"}, "2013-01-01"),
        (
            {
                "dagster/asset_partition_range_start": "2013-01-01",
                "dagster/asset_partition_range_end": "2013-01-31",
            },
            "2013-01-01 to 2013-01-31",
        ),
        ({"airline/feed": "airports"}, ""),
        ({}, ""),
    ],
)
def test_a_runs_tags_tell_its_days(tags: dict[str, str], partition: str) -> None:
    assert partition_of(tags) == partition


def test_a_failure_is_told_with_step_days_reason_and_run(no_stack: Settings) -> None:
    with DagsterInstance.ephemeral() as instance:
        run = DagsterRun("flights_job", tags={"dagster/partition": "2013-01-01"})
        instance.add_run(run)
        alert = failure_alert(instance, run.run_id, "flights_enriched", "it broke", "flights")

    assert no_stack.running_stack() == {}
    assert (alert.event, alert.feed, alert.run_id) == ("failed", "flights", run.run_id)
    assert alert.subject == "FAILED flights_enriched 2013-01-01"
    assert alert.message.splitlines() == [
        "FAILED flights_enriched 2013-01-01",
        "",
        "Stage:     Glue job",
        "Step:      flights_enriched",
        "Partition: 2013-01-01",
        "Reason:    it broke",
        f"Run:       {run.run_id}",
    ]


@pytest.mark.usefixtures("no_stack")
def test_a_failure_of_a_run_nobody_remembers_is_told_too() -> None:
    with DagsterInstance.ephemeral() as instance:
        alert = failure_alert(instance, "gone", "dim_airport_codes", "it broke")

    assert alert.subject == "FAILED dim_airport_codes"
    assert "Partition: not partitioned" in alert.message


def test_a_run_is_linked_where_the_ui_is_known(no_stack: Settings) -> None:
    assert run_link("0d1f") == "0d1f"

    no_stack.home.mkdir()
    no_stack.stack_file.write_text(json.dumps({"ui_url": "http://127.0.0.1:3000/"}))

    assert run_link("0d1f") == "http://127.0.0.1:3000/runs/0d1f"


def report_lines(feed: Feed, *days: str) -> list[str]:
    """Lines of the alert of a load that speak of a report."""
    run = DagsterRun("flights_job")
    with DagsterInstance.ephemeral() as instance:
        rows = {"rows_loaded": 1, "rows_rejected": 0}
        alert = loaded_alert(feed, rows, [], days=days, run=run, instance=instance)
    return [line for line in alert.message.splitlines() if "eport" in line]


@pytest.mark.usefixtures("no_stack")
def test_the_alert_of_loaded_flights_leads_to_the_report_of_the_newest_day() -> None:
    assert report_lines(FLIGHTS, "2013-01-05", DAY, "2013-01-06") == [f"Report:    {report_link(DAY)}"]
    assert report_lines(FLIGHTS) == []
    assert report_lines(BOOKINGS, DAY) == []


@pytest.mark.usefixtures("no_stack")
def test_in_an_account_the_alert_says_how_to_open_the_report(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_STAGE", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    get_settings.cache_clear()

    assert report_lines(FLIGHTS, DAY) == [f"Report:    {report_link(DAY)} (there: Open)"]


@pytest.mark.parametrize(
    ("step", "stage"),
    [
        ("raw_flights", "landed files"),
        ("flights_catalog", "crawler and catalog"),
        ("flights_enriched", "Glue job"),
        ("shipping_totals", "Athena query"),
        ("daily_flights_processed", "load into the warehouse"),
        ("carrier_on_time", "mart"),
        ("delay_report", "report"),
        ("flights_job", "run"),
    ],
)
def test_a_failure_says_which_part_of_the_way_failed(step: str, stage: str) -> None:
    assert stage_of(step) == stage


def shares(**parts: tuple[int, int]) -> Outcome:
    measured = {day.replace("_", "-").removeprefix("d"): it for day, it in parts.items()}
    return outcome_of(UNKNOWN, measured)


def test_all_that_warns_is_one_alert_and_a_retry_repeats_it() -> None:
    outcomes = [
        shares(d2013_01_29=(3, 100), d2013_01_30=(1, 100)),
        outcome_of(ROW_COUNT, {TUESDAY: (7, (10, 20)), WEDNESDAY: (7, (10, 20))}),
        outcome_of(duplicates(FLIGHTS), {TUESDAY: (0, 100), WEDNESDAY: (0, 100)}),
        outcome_of(SUMS_MATCH, {TUESDAY: ({"flights": 1}, {})}),
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
