"""Calls of Glue that the gateway answers itself, by an engine whose every run fails before Spark."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from laptop.glue.api import GlueApi
from laptop.glue.crawler import CrawlerEngine
from laptop.glue.engine import GlueEngine
from laptop.spark.pool import SparkPool

JOB = {"Name": "flights", "Command": {"Name": "glueetl", "ScriptLocation": "s3://lake/flights.py"}}


class Glue:
    """A client of a catalog with one job."""

    def get_job(self, JobName: str) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        assert JobName == JOB["Name"]
        return {"Job": JOB}


def client(service: str, _agent: str = "") -> Any:
    if service != "glue":
        raise ConnectionClosedError(endpoint_url=service)
    return Glue()


@pytest.fixture
def api(tmp_path: Path) -> Iterator[GlueApi]:
    pool = SparkPool(tmp_path / "workers", size=0, environment={}, jvm_folder=tmp_path / "jvm")
    engine, crawlers = GlueEngine(tmp_path, pool, client, {}), CrawlerEngine(client)
    yield GlueApi(engine, crawlers, client)
    engine.close()
    crawlers.close()


def run_to_its_end(api: GlueApi) -> str:
    run_id: str = api.answer("StartJobRun", {"JobName": "flights"}, {})["JobRunId"]
    request = {"JobName": "flights", "RunId": run_id}
    Retrying(
        retry=retry_if_result(lambda state: state != "FAILED"),
        wait=wait_fixed(0.01),
        stop=stop_after_delay(10),
    )(lambda: api.answer("GetJobRun", request, {})["JobRun"]["JobRunState"])
    return run_id


def test_job_runs_come_newest_first(api: GlueApi) -> None:
    ids = [run_to_its_end(api) for _ in range(3)]

    runs = api.answer("GetJobRuns", {"JobName": "flights"}, {})["JobRuns"]

    assert [run["Id"] for run in runs] == ids[::-1]


def test_a_run_that_has_ended_is_not_stopped_and_an_unknown_one_neither(api: GlueApi) -> None:
    run_id = run_to_its_end(api)

    request = {"JobName": "flights", "JobRunIds": [run_id, "jr_unknown"]}
    answer = api.answer("BatchStopJobRun", request, {})

    assert answer["SuccessfulSubmissions"] == []
    assert [row["ErrorDetail"]["ErrorMessage"] for row in answer["Errors"]] == [
        f"Run {run_id} is FAILED",
        "Run jr_unknown not found",
    ]


def test_what_ministack_does_not_know_is_not_started(api: GlueApi) -> None:
    unknown = {"__type": "EntityNotFoundException", "message": "Job nobody not found"}

    with pytest.raises(ClientError, match="Job nobody not found"):
        api.answer("StartJobRun", {"JobName": "nobody"}, unknown)


def test_an_expression_is_refused_rather_than_overlooked(api: GlueApi) -> None:
    assert api.answer("GetPartitions", {"TableName": "t"}, {"Partitions": []}) == {"Partitions": []}
    with pytest.raises(ClientError, match="takes no Expression"):
        api.answer("GetPartitions", {"TableName": "t", "Expression": "date = '1'"}, {"Partitions": []})
