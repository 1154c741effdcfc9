"""Every landed version gets one verdict, and its rows are there once, whatever happens on the way."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

import pytest

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.run_tags import RANGE_TAGS
from command.dagster_client import DagsterClient
from resources.warehouse.resource import Warehouse

HEADER = "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay"
FACT = "airlines.daily_flights_processed"

pytestmark = pytest.mark.usefixtures("airports")


def key(day: str, name: str = "flights.csv") -> str:
    return f"daily_flights/date={day}/{name}"


def file(rows: int, carrier: str = "AA") -> str:
    return f"{HEADER}\n" + f"{carrier},12478,12892,7,-3\n" * rows


def carriers(stack: Any, day: str) -> dict[str, int]:
    """Rows of a day by carrier."""
    rows = stack.query(
        f"SELECT carrier, COUNT(*) AS rows FROM {FACT} WHERE flight_date = '{day}' GROUP BY carrier"
    )
    return {row["carrier"]: row["rows"] for row in rows}


def verdicts(stack: Any, day: str) -> list[tuple[str, str]]:
    """File name and state of every version of a day, in the order they landed."""
    rows = stack.query(
        "SELECT key, state FROM airlines.ingested_files "
        f"WHERE partition_date = '{day}' ORDER BY landed_at, key"
    )
    return [(row["key"].rpartition("/")[2], row["state"]) for row in rows]


def delete(stack: Any, name: str) -> None:
    stack.client("s3").delete_object(Bucket=stack.settings.landing_bucket, Key=name)


def lose_events(stack: Any) -> None:
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.settings.landing_queue)["QueueUrl"]

    def receive() -> list[dict[str, Any]]:
        return sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])

    for message in stack.until(receive):
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


DIRTY = file(40) + "AA,nowhere,12892,1,1\n"


@dataclass(frozen=True)
class Story:
    """What was there when the second of these tests' two waves had landed, before anything else happened.

    Args:
        fifth: Rows by carrier of the day one of whose files is gone.
        seventh: Rows by carrier, and verdicts, of the day one of whose files has a bad newer version.
        tenth: Verdicts of the day whose file was replaced.
    """

    fifth: dict[str, int]
    seventh: tuple[dict[str, int], list[tuple[str, str]]]
    tenth: list[tuple[str, str]]


@pytest.fixture(scope="module")
def story(stack: Any, airports: None) -> Story:  # noqa: ARG001
    """Ten days land, and are one run; then some of their files are deleted, broken and replaced."""
    with stack.nobody_listening():
        for rows, version in enumerate(("V1", "V2", "V3"), start=1):
            stack.put(key("2013-04-01"), file(rows, version))
        for day in ("2013-04-02", "2013-04-03"):
            stack.put(key(day), DIRTY)
        for day in ("2013-04-04", "2013-04-06", "2013-04-08", "2013-04-09"):
            stack.put(key(day), file(2))
        stack.put(key("2013-04-05", "a.csv"), file(1, "A1"))
        stack.put(key("2013-04-07", "a.csv"), file(1, "A1"))
        stack.put(key("2013-04-10"), file(1, "V1"))
    stack.wait()
    with stack.nobody_listening():
        delete(stack, key("2013-04-04"))
        delete(stack, key("2013-04-05", "a.csv"))
        stack.put(key("2013-04-05", "b.csv"), file(2, "B1"))
        stack.put(key("2013-04-07", "a.csv"), "no;header\n1;2\n")
        stack.put(key("2013-04-07", "b.csv"), file(2, "B1"))
        stack.put(key("2013-04-10"), file(2, "V2"))
        stack.put(key("2013-04-12"), "Carrier,Origin\nAA,1\n")
    stack.until(lambda: failures(stack, "2013-04-05") and failures(stack, "2013-04-07"))
    stack.until(lambda: carriers(stack, "2013-04-10") == {"V2": 2})
    seventh = carriers(stack, "2013-04-07"), verdicts(stack, "2013-04-07")
    return Story(carriers(stack, "2013-04-05"), seventh, verdicts(stack, "2013-04-10"))


def failures(stack: Any, day: str) -> list[str]:
    """What people were told of a day that is not loaded."""
    return [alert["message"] for alert in stack.alerts("refused") if day in alert["message"]]


@pytest.mark.usefixtures("story")
def test_a_version_replaced_before_any_run_saw_it_is_superseded(stack):
    assert carriers(stack, "2013-04-01") == {"V3": 3}
    assert sorted(verdicts(stack, "2013-04-01")) == [
        ("flights.csv", "loaded"),
        ("flights.csv", "superseded"),
        ("flights.csv", "superseded"),
    ]


@pytest.mark.usefixtures("story")
def test_the_ledger_counts_what_was_read_as_loaded_plus_rejected(stack):
    (row,) = stack.query("SELECT * FROM airlines.ingested_files WHERE partition_date = '2013-04-02'")
    assert (row["rows_read"], row["rows_loaded"], row["rows_rejected"]) == (41, 40, 1)
    assert row["version_id"]
    assert row["size_bytes"] == len(DIRTY)
    assert row["landed_at"] < row["loaded_at"]
    assert row["glue_job_run_id"].startswith("jr_")


@pytest.mark.usefixtures("story")
def test_the_first_rejects_are_told_with_file_line_and_reason(stack):
    (told,) = [alert["message"] for alert in stack.alerts("loaded") if "2013-04-01 to" in alert["message"]]
    assert f"{key('2013-04-03')}, line 42: OriginAirportID is 'nowhere'; expected a whole number" in told
    assert "What to do: mend these lines" in told


@pytest.mark.usefixtures("story")
def test_the_rows_of_a_deleted_file_stay_and_people_are_told_once(stack):
    def told() -> list[dict[str, Any]]:
        return [alert for alert in stack.alerts("gone") if key("2013-04-04") in alert["message"]]

    stack.until(told)
    assert carriers(stack, "2013-04-04") == {"AA": 2}
    (row,) = stack.query("SELECT * FROM airlines.ingested_files WHERE partition_date = '2013-04-04'")
    assert (row["state"], row["reason"]) == (
        "loaded",
        "the source is gone from the landing bucket; its rows stay",
    )
    # The same bytes again bring it back.
    stack.put(key("2013-04-04"), file(2))

    def back() -> bool:
        states = "SELECT reason FROM airlines.ingested_files WHERE state = 'loaded'"
        return stack.query(f"{states} AND partition_date = '2013-04-04'") == [{"reason": None}]

    stack.until(back)
    assert carriers(stack, "2013-04-04") == {"AA": 2}
    assert len(told()) == 1


def test_a_day_is_not_loaded_without_a_file_that_is_gone_until_it_is_forgotten(stack, story: Story):
    told = failures(stack, "2013-04-05")[0]
    assert f"{key('2013-04-05', 'a.csv')}, loaded at" in told
    assert "is gone from the landing bucket" in told
    assert "airline forget" in told
    assert story.fifth == {"A1": 1}
    stack.run("forget", key("2013-04-05", "a.csv"))
    assert carriers(stack, "2013-04-05") == {}
    stack.run("status", "--reconcile")
    stack.until(lambda: carriers(stack, "2013-04-05") == {"B1": 2})
    assert verdicts(stack, "2013-04-05") == [("a.csv", "superseded"), ("b.csv", "loaded")]


@pytest.mark.usefixtures("story")
def test_a_file_that_is_there_is_not_forgotten(stack):
    done = stack.run("forget", key("2013-04-06"), check=False)
    assert done.returncode == 2
    assert "is still there" in done.stderr
    assert carriers(stack, "2013-04-06") == {"AA": 2}


def test_rows_stand_while_the_newer_version_of_their_file_is_refused(stack, story: Story):
    assert story.seventh == ({"A1": 1}, [("a.csv", "loaded"), ("a.csv", "rejected")])
    stack.put(key("2013-04-07", "a.csv"), file(3, "A1"))
    stack.until(lambda: carriers(stack, "2013-04-07") == {"A1": 3, "B1": 2})
    assert verdicts(stack, "2013-04-07") == [
        ("a.csv", "superseded"),
        ("a.csv", "superseded"),
        ("b.csv", "loaded"),
        ("a.csv", "loaded"),
    ]


def test_what_no_event_told_of_is_asked_for_at_a_word(stack):
    with stack.nobody_listening():
        stack.put(key("2013-04-08"), file(3))
        lose_events(stack)
        asked = stack.run("status", "--reconcile").stderr
    assert "1 landed files without a verdict were asked for" in asked
    stack.wait()
    assert carriers(stack, "2013-04-08") == {"AA": 3}


def test_events_that_come_twice_late_and_in_the_wrong_order_change_nothing(stack, story: Story):
    (old, new) = stack.query(
        "SELECT etag FROM airlines.ingested_files WHERE partition_date = '2013-04-10' ORDER BY landed_at"
    )
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=stack.settings.landing_queue)["QueueUrl"]
    for etag in (new["etag"], old["etag"], new["etag"]):
        by_event_bridge = {"detail": {"object": {"key": key("2013-04-10"), "etag": etag}}}
        record = {"s3": {"object": {"key": quote_plus(key("2013-04-10")), "eTag": etag}}}
        by_s3 = {"Records": [record | {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}] * 2}
        by_sns = {"Type": "Notification", "Message": json.dumps(by_s3)}
        for body in (by_event_bridge, by_s3, by_sns):
            sqs.send_message(QueueUrl=url, MessageBody=json.dumps(body))
    stack.wait_until_idle()
    assert carriers(stack, "2013-04-10") == {"V2": 2}
    assert verdicts(stack, "2013-04-10") == story.tenth


@pytest.mark.usefixtures("story")
def test_a_bad_header_is_refused_at_the_first_run_and_never_retried(stack):
    stack.wait_until_idle()
    runs = stack.ask_dagster(
        """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { __typename
            ... on Runs { results { status stats { ... on RunStatsSnapshot { stepsFailed } } } } } }""",
        tags=[{"key": "dagster/partition", "value": "2013-04-12"}],
    )["results"]
    assert [run["status"] for run in runs] == ["FAILURE"]
    assert verdicts(stack, "2013-04-12") == [("flights.csv", "rejected")]


def test_two_runs_of_the_same_days_at_once_load_them_once(stack):
    first, last = "2013-04-14", "2013-04-15"
    with stack.nobody_listening():
        stack.put(key(first), file(2))
        stack.put(key(last), file(3))
        for _ in range(2):
            stack.launch(FLIGHTS, first, last)
    stack.wait_until_idle()
    runs = stack.ask_dagster(
        """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { __typename
            ... on Runs { results { status startTime endTime } } } }""",
        tags=[{"key": RANGE_TAGS[0], "value": first}],
    )["results"]
    assert [run["status"] for run in runs] == ["SUCCESS", "SUCCESS"]
    assert max(run["startTime"] for run in runs) < min(run["endTime"] for run in runs)
    jobs = stack.client("glue").get_job_runs(JobName=stack.settings.job_name(FLIGHTS.name))["JobRuns"]
    later, earlier = sorted(jobs, key=lambda job: job["StartedOn"], reverse=True)[:2]
    assert earlier["CompletedOn"] <= later["StartedOn"]
    assert carriers(stack, first) == {"AA": 2}
    assert carriers(stack, last) == {"AA": 3}
    assert verdicts(stack, first) == verdicts(stack, last) == [("flights.csv", "loaded")]


def test_a_load_whose_files_another_run_has_replaced_meanwhile_takes_the_new_ones(stack):
    day, asked = "2013-04-17", DagsterClient.of(stack.settings)
    with stack.nobody_listening():
        stack.put(key(day), file(2))
        stack.launch(FLIGHTS, day, day)
    stack.wait_until_idle()
    with Warehouse.of(stack.settings).exclusive_transaction():
        stack.launch(FLIGHTS, day, day, [FLIGHTS.table.name])
        # It knows its files by then, and waits for its turn.
        stack.until(lambda: stack.query("SELECT pid FROM pg_locks WHERE NOT granted"))
        stack.launch(FLIGHTS, day, day, ["flights_enriched"])
        stack.until(lambda: asked.unfinished_runs() == 1)
    stack.wait_until_idle()
    runs = stack.ask_dagster(
        """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { __typename
            ... on Runs { results { status eventConnection { events { __typename } } } } } }""",
        tags=[{"key": "dagster/partition", "value": day}],
    )["results"]
    assert [run["status"] for run in runs] == ["SUCCESS"] * 3
    retries = [
        sum("UpForRetry" in event["__typename"] for event in run["eventConnection"]["events"]) for run in runs
    ]
    assert retries == [0, 1, 0]
    assert carriers(stack, day) == {"AA": 2}


@pytest.mark.usefixtures("story")
def test_nothing_is_left_untold(stack):
    stack.wait_until_idle()
    stack.until(
        lambda: (
            stack.query("SELECT COUNT(*) AS rows FROM airlines.alert_outbox WHERE sent_at IS NULL")
            == [{"rows": 0}]
        )
    )
    ids = [alert["id"] for alert in stack.json("alerts")]
    assert ids
    assert len(ids) == len(set(ids))
