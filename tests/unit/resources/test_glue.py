"""Glue: crawls are judged by how they ended, and days are registered where the catalog lacks them."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from tenacity import wait_none

from airline_platform.errors import AirlineError, CrawlerFailed
from airline_platform.settings import Settings
from resources import glue
from resources.glue import Crawl, Glue

STARTED = datetime(2013, 1, 1, tzinfo=UTC)
TABLE = {"Name": "flights", "StorageDescriptor": {"Location": "s3://lake/flights/", "InputFormat": "x"}}
CRAWL = {
    "Status": "SUCCEEDED",
    "LogGroup": "/aws-glue/crawlers",
    "LogStream": "airline-flights",
    "MessagePrefix": "0f5e",
    "StartTime": STARTED,
}


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Glue's answers, in the order in which they are asked for; nobody waits between them."""
    made = client("glue")
    monkeypatch.setattr(Glue, "client", lambda _: made)
    for pause in ("POLL", "TURN"):
        monkeypatch.setattr(glue, pause, wait_none())
    with Stubber(made) as stub:
        yield stub
        stub.assert_no_pending_responses()


@pytest.fixture
def jobs(no_stack: Settings) -> Glue:
    return Glue.of(no_stack)


def crawler_is(aws: Stubber, state: str, **last: Any) -> None:
    crawler = {"State": state, **({"LastCrawl": last} if last else {})}
    aws.add_response("get_crawler", {"Crawler": crawler}, {"Name": "c"})


def there(aws: Stubber, asked: list[str], *present: str, unprocessed: Sequence[str] = ()) -> None:
    aws.add_response(
        "batch_get_partition",
        {
            "Partitions": [{"Values": [value]} for value in present],
            "UnprocessedKeys": [{"Values": [value]} for value in unprocessed],
        },
        {
            "DatabaseName": "airline",
            "TableName": "flights",
            "PartitionsToGet": [{"Values": [v]} for v in asked],
        },
    )


def made(aws: Stubber, *values: str, errors: tuple[dict[str, Any], ...] = ()) -> None:
    inputs = [
        {
            "Values": [value],
            "StorageDescriptor": {"Location": f"s3://lake/flights/date={value}/", "InputFormat": "x"},
        }
        for value in values
    ]
    expected = {"DatabaseName": "airline", "TableName": "flights", "PartitionInputList": inputs}
    aws.add_response("batch_create_partition", {"Errors": list(errors)}, expected)


def locations(*values: str) -> dict[str, str]:
    return {value: f"s3://lake/flights/date={value}/" for value in values}


def test_a_crawl_is_waited_for_and_judged_by_its_own_status(aws: Stubber, jobs: Glue) -> None:
    crawler_is(aws, "READY")
    aws.add_response("start_crawler", {}, {"Name": "c"})
    crawler_is(aws, "RUNNING")
    crawler_is(aws, "STOPPING")
    failed = {"Status": "FAILED", "ErrorMessage": "no permission", "LogGroup": "g", "LogStream": "s"}
    crawler_is(aws, "READY", StartTime=STARTED, **failed)

    crawl = jobs.crawl("c")

    with pytest.raises(CrawlerFailed, match=r"crawler c ended with FAILED: no permission"):
        crawl.require_success()


def test_a_crawl_that_succeeded_passes(no_stack: Settings) -> None:
    Crawl("c", CRAWL, no_stack).require_success()


def test_a_crawler_that_still_shows_the_crawl_before_has_not_ended(aws: Stubber, jobs: Glue) -> None:
    before, later = {"Status": "SUCCEEDED", "StartTime": STARTED}, STARTED + timedelta(minutes=5)
    crawler_is(aws, "READY", **before)
    aws.add_response("start_crawler", {}, {"Name": "c"})
    crawler_is(aws, "READY", **before)
    crawler_is(aws, "RUNNING", **before)
    crawler_is(aws, "READY", Status="FAILED", StartTime=later)

    assert jobs.crawl("c").last["StartTime"] == later


def test_a_busy_crawler_is_waited_for_and_its_crawl_is_not_taken_for_the_own_one(
    aws: Stubber, jobs: Glue
) -> None:
    others = {"Status": "FAILED", "StartTime": STARTED + timedelta(minutes=5)}
    crawler_is(aws, "RUNNING", Status="SUCCEEDED", StartTime=STARTED)
    aws.add_client_error("start_crawler", "CrawlerRunningException")
    crawler_is(aws, "READY", **others)
    aws.add_response("start_crawler", {}, {"Name": "c"})
    crawler_is(aws, "READY", **others)
    crawler_is(aws, "READY", Status="SUCCEEDED", StartTime=STARTED + timedelta(minutes=10))

    jobs.crawl("c").require_success()


def test_a_busy_crawler_is_a_failure_where_nobody_waits_for_it(aws: Stubber, jobs: Glue) -> None:
    crawler_is(aws, "RUNNING")
    aws.add_client_error("start_crawler", "CrawlerRunningException")

    with pytest.raises(CrawlerFailed, match="crawler c was busy"):
        jobs.crawl("c", wait_for_turn=False)


def test_the_warnings_of_a_crawl_are_its_own_and_come_without_their_marks(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = client("logs")
    monkeypatch.setattr(glue, "make_client", lambda *_: logs)
    lines = [
        "[0f5e] WARN : a differs",
        "[0f5e] INFO : fine",
        "[9999] WARN : another crawl's",
        "[0f5e] WARNING: b",
    ]
    expected = {
        "logGroupName": "/aws-glue/crawlers",
        "logStreamName": "airline-flights",
        "startTime": int(STARTED.timestamp() * 1000) - 1000,
        "startFromHead": True,
    }
    with Stubber(logs) as stub:
        stub.add_response("get_log_events", {"events": [{"message": line} for line in lines]}, expected)

        assert Crawl("c", CRAWL, no_stack).warnings() == ["a differs", "b"]


def test_a_table_the_catalog_lacks_is_none(aws: Stubber, jobs: Glue) -> None:
    aws.add_client_error("get_table", "EntityNotFoundException")

    assert jobs.find_table("flights") is None


def test_days_that_are_missing_are_registered_with_the_tables_storage(aws: Stubber, jobs: Glue) -> None:
    there(aws, ["2013-01-01", "2013-01-02"], "2013-01-01")
    made(aws, "2013-01-02")

    assert jobs.add_partitions(TABLE, locations("2013-01-02", "2013-01-01")) == ["2013-01-02"]


def test_days_that_glue_left_unprocessed_are_asked_for_again_until_nothing_comes(
    aws: Stubber, jobs: Glue
) -> None:
    days = ["2013-01-01", "2013-01-02", "2013-01-03"]
    there(aws, days, "2013-01-01", unprocessed=days[1:])
    there(aws, days[1:], "2013-01-02", unprocessed=days[2:])
    there(aws, days[2:], unprocessed=days[2:])
    made(aws, "2013-01-03")

    assert jobs.add_partitions(TABLE, locations(*days)) == ["2013-01-03"]


def test_days_are_registered_a_hundred_in_a_call(aws: Stubber, jobs: Glue) -> None:
    days = [f"day {n:03}" for n in range(150)]
    there(aws, days)
    made(aws, *days[:100])
    made(aws, *days[100:])

    assert jobs.add_partitions(TABLE, locations(*days)) == days


def test_a_day_that_another_run_registered_meanwhile_is_no_error_and_any_other_refusal_is_one(
    aws: Stubber, jobs: Glue
) -> None:
    for code in ("AlreadyExistsException", "AccessDeniedException"):
        there(aws, ["2013-01-01"])
        made(
            aws,
            "2013-01-01",
            errors=({"PartitionValues": ["2013-01-01"], "ErrorDetail": {"ErrorCode": code}},),
        )

    assert jobs.add_partitions(TABLE, locations("2013-01-01")) == ["2013-01-01"]
    with pytest.raises(AirlineError, match=r"did not register partitions of airline\.flights"):
        jobs.add_partitions(TABLE, locations("2013-01-01"))


def pages(logs: Stubber, group: str, streams: dict[str, list[tuple[int, str]]]) -> None:
    """How CloudWatch answers for a group with these events: the first page of each stream is empty."""
    asked = {"logGroupName": group, "logStreamNamePrefix": "jr_1"}
    logs.add_response(
        "describe_log_streams", {"logStreams": [{"logStreamName": name} for name in streams]}, asked
    )
    for name, events in streams.items():
        stream = {"logGroupName": group, "logStreamName": name, "limit": 50, "startFromHead": False}
        logs.add_response("get_log_events", {"events": [], "nextBackwardToken": "b/1"}, stream)
        found = [{"timestamp": at, "message": text} for at, text in events]
        answer = {"events": found, "nextBackwardToken": "b/1" if not events else "b/2"}
        logs.add_response("get_log_events", answer, stream | {"nextToken": "b/1"})


class Context:
    """Of an asset, of which only the log counts here."""

    def __init__(self) -> None:
        self.log = logging.getLogger("of a run")


def test_the_end_of_a_failed_jobs_output_is_read_from_all_streams_that_begin_with_its_id(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logs = client("logs")
    monkeypatch.setattr(glue, "make_client", lambda *_: logs)
    output = {"jr_1-driver": [(1, "Traceback"), (3, "ValueError: no")], "jr_1-executor1": [(2, "of it")]}
    with Stubber(logs) as stub, caplog.at_level("INFO"):
        pages(stub, "/airline/glue-jobs/output", output)
        pages(stub, "/airline/glue-jobs/error", {"jr_1-driver": [(1, "WARN of Spark")], "jr_1-x": []})

        Glue.of(no_stack)._forward_log(Context(), "jr_1")  # type: ignore[arg-type]

        stub.assert_no_pending_responses()
    assert "Traceback\nof it\nValueError: no" in caplog.text
    assert "WARN of Spark" in caplog.text


def test_a_log_that_is_not_there_or_not_to_be_read_hides_no_failure(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    logs = client("logs")
    monkeypatch.setattr(glue, "make_client", lambda *_: logs)
    with Stubber(logs) as stub:
        stub.add_client_error("describe_log_streams", "ResourceNotFoundException")
        stub.add_client_error("describe_log_streams", "AccessDeniedException")

        Glue.of(no_stack)._forward_log(Context(), "jr_1")  # type: ignore[arg-type]
    assert "/airline/glue-jobs/error of job run jr_1 can't be read" in caplog.text
