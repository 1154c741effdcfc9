"""Alerts say what went wrong, for which days, and what to do."""

import json

import pytest
from dagster import DagsterInstance, DagsterRun, Failure

from airline_platform.errors import LoadRefused, PermanentError, StackUnavailable, UnusableInput
from airline_platform.settings import Settings
from assets.alerts.messages import failure_alert, is_told, partition_of, reason, run_link
from assets.failures import permanent_errors_end_the_step
from resources.topic import Alert, describe_days


def test_our_own_errors_say_what_to_do() -> None:
    error = StackUnavailable("the warehouse does not answer", remedy="Start it.")

    assert reason(error) == "the warehouse does not answer\nWhat to do: Start it."


def test_a_permanent_error_keeps_its_text_and_its_remedy_through_dagster() -> None:
    with pytest.raises(Failure) as failure, permanent_errors_end_the_step():
        raise UnusableInput("nothing has landed", remedy="Land it.")

    assert reason(failure.value) == "nothing has landed\nWhat to do: Land it."


@pytest.mark.parametrize("told", [True, False])
def test_a_step_that_ends_for_what_an_alert_says_already_is_not_told_again(told: bool) -> None:
    with pytest.raises(Failure) as failure, permanent_errors_end_the_step():
        raise UnusableInput("every file is refused", remedy="Land them again.", told=told)

    assert is_told(failure.value) is told


@pytest.mark.parametrize("error", [None, ZeroDivisionError(), Failure("no")])
def test_what_nobody_expected_is_told(error: BaseException | None) -> None:
    assert is_told(error) is False


@pytest.mark.parametrize("kind", [PermanentError, UnusableInput, LoadRefused])
def test_a_permanent_error_is_never_retried(kind: type[PermanentError]) -> None:
    with pytest.raises(Failure) as failure, permanent_errors_end_the_step():
        raise kind("no", remedy="Mend it.")

    assert failure.value.allow_retries is False


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), KeyError("x")])
def test_any_other_error_passes_as_it_is_and_may_be_retried(error: Exception) -> None:
    with pytest.raises(type(error)) as raised, permanent_errors_end_the_step():
        raise error

    assert raised.value is error


def test_an_error_nobody_expected_is_named_with_a_way_on() -> None:
    assert reason(ZeroDivisionError("division by zero")) == (
        "ZeroDivisionError: division by zero\nWhat to do: mend the cause, then re-run from this step."
    )


def test_a_failure_without_a_description_still_has_a_reason() -> None:
    assert reason(Failure()) == "no reason given"


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


@pytest.mark.parametrize(
    ("days", "text"),
    [
        ([], ""),
        (["2013-01-01"], "2013-01-01"),
        (["2013-01-01", "2013-01-02", "2013-01-14"], "3 days 2013-01-01 to 2013-01-14"),
    ],
)
def test_days_are_told_in_words(days: list[str], text: str) -> None:
    assert describe_days(days) == text


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


def test_an_alert_never_outgrows_a_message() -> None:
    alert = Alert("refused", "Refused 10000 files", ["é" * 1000] * 1000)

    assert 59_990 < len(alert.message.encode()) <= 60_000


def test_alerts_about_the_same_happening_have_the_same_id_whatever_they_say() -> None:
    first, again, other = (
        Alert("loaded", subject, [], "flights", about=about)
        for subject, about in [
            ("took 3 s", ["run", "day"]),
            ("took 5 s", ["run", "day"]),
            ("x", ["run2", "day"]),
        ]
    )

    assert first.alert_id == again.alert_id != other.alert_id


def test_an_alert_can_be_stored_whatever_a_file_had_in_it() -> None:
    alert = Alert("refused", "x", ["a\0b", "half of a pair: \ud800"])

    assert "\0" not in alert.message
    assert alert.message.encode()
