"""What a run called, as `airline audit` tells it: in order, with outcomes, whatever happened since."""

import uuid
from datetime import UTC, date, datetime
from typing import Any

import boto3
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.errors import AirlineError
from command.audit import Window, read_calls
from command.demo.new_york import write_flights
from resources.aws.cloudtrail_log import Call

DAY = date(2013, 11, 20)
KEY = f"daily_flights/date={DAY}/flights.csv"
SLEEPER = "import time\ntime.sleep(60)\n"


@pytest.fixture(scope="module")
def run_id(stack: Any, airports: None, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: ARG001
    """The run that has loaded a day."""
    folder = tmp_path_factory.mktemp("audit")
    write_flights(folder, [DAY])
    stack.land(folder)
    stack.wait()
    (row,) = stack.query(f"SELECT run_id FROM airlines.ingested_files WHERE key = '{KEY}'")
    return str(row["run_id"])


def calling(stack: Any, service: str, run_id: str) -> Any:
    """A client that calls for a run, without one being under way."""
    config = Config(user_agent_extra=f"airline-run/{run_id}", retries={"total_max_attempts": 1})
    settings = stack.settings
    return boto3.client(
        service, endpoint_url=settings.endpoint_url, region_name=settings.region, config=config,
        aws_access_key_id="tests", aws_secret_access_key="tests",
    )  # fmt: skip


def calls(stack: Any, run_id: str, count: int) -> list[Call]:
    """The run's calls, as soon as there are so many."""

    def look() -> list[Call]:
        try:
            return read_calls(stack.settings, run_id, Window.of_day(datetime.now(UTC).date())).calls
        except (AirlineError, BotoCoreError):
            return []  # the gateway is away, or has not written yet

    return Retrying(
        retry=retry_if_result(lambda found: len(found) < count),
        wait=wait_fixed(0.2),
        stop=stop_after_delay(60),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else [],
    )(look)


def test_a_run_is_told_from_its_first_call_to_its_last_with_resources_and_outcomes(
    stack: Any, run_id: str
) -> None:
    told = stack.json("audit", run_id)

    assert [call["time"] for call in told] == sorted(call["time"] for call in told)
    happened = [(call["service"], call["action"], call["resource"]) for call in told]
    landed, lake = (f"s3://{stack.settings.landing_bucket}", f"s3://{stack.settings.lake_bucket}")
    (started,) = [call for call in told if call["action"] == "StartJobRun"]
    job, _, job_run = started["resource"].partition("/")
    assert (job, started["outcome"]) == (stack.settings.job_name("flights"), "ok")
    in_order = [
        ("s3", "GetObject", f"{landed}/{KEY}"),
        ("s3", "PutObject", f"{lake}/manifests/raw_flights/{DAY}.json"),
        ("glue", "StartJobRun", f"{job}/{job_run}"),
        ("glue", "GetJobRun", f"{job}/{job_run}"),
    ]
    assert [happened.index(each) for each in in_order] == sorted(happened.index(each) for each in in_order)
    assert happened[-1][:2] in {("sns", "Publish"), ("secretsmanager", "GetSecretValue")}
    parquet = [found for _, action, found in happened if action == "PutObject" and found.endswith(".parquet")]
    assert parquet
    assert all(found.startswith(f"{lake}/flights_enriched/date={DAY}/") for found in parquet)
    # What the sensors did was done for no run.
    assert "sqs" not in {call["service"] for call in told}
    assert {call["outcome"] for call in told} <= {"ok", "NoSuchKey", "EntityNotFoundException"}


def test_people_see_a_table_of_the_same_calls(stack: Any, run_id: str) -> None:
    rows = [line.split("│")[1:4] for line in stack.run("audit", run_id).stdout.splitlines() if "Z │" in line]

    assert [[cell.strip() for cell in row] for row in rows] == [
        [call["time"], call["service"], call["action"]] for call in stack.json("audit", run_id)
    ]


def test_refused_calls_are_told_with_the_code_their_caller_got(stack: Any) -> None:
    run = str(uuid.uuid4())
    s3, glue = calling(stack, "s3", run), calling(stack, "glue", run)
    bucket = stack.settings.lake_bucket
    stack.client("s3").put_object(Bucket=bucket, Key="_tmp/sleeper.py", Body=SLEEPER.encode())
    stack.client("glue").create_job(
        Name="sleeper", Role=f"arn:aws:iam::{'0' * 12}:role/glue", GlueVersion="5.1",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{bucket}/_tmp/sleeper.py"},
    )  # fmt: skip
    job_run = glue.start_job_run(JobName="sleeper")["JobRunId"]
    try:
        for refused in (
            lambda: glue.start_job_run(JobName="sleeper"),
            lambda: glue.start_job_run(JobName="no-such-job"),
            lambda: s3.get_object(Bucket=bucket, Key="no/such/key"),
            lambda: s3.head_object(Bucket=bucket, Key="no/such/key"),
        ):
            with pytest.raises(ClientError):
                refused()
    finally:
        glue.batch_stop_job_run(JobName="sleeper", JobRunIds=[job_run])

    assert [(c.action, c.resource, c.outcome) for c in calls(stack, run, 6)] == [
        ("StartJobRun", f"sleeper/{job_run}", "ok"),
        ("StartJobRun", "sleeper", "ConcurrentRunsExceededException"),
        ("StartJobRun", "no-such-job", "EntityNotFoundException"),
        ("GetObject", f"s3://{bucket}/no/such/key", "NoSuchKey"),
        ("HeadObject", f"s3://{bucket}/no/such/key", "NoSuchKey"),
        ("BatchStopJobRun", f"sleeper/{job_run}", "ok"),
    ]


def test_a_run_nobody_knows_is_a_failure_that_says_how_late_the_trail_is(stack: Any) -> None:
    done = stack.run("audit", str(uuid.uuid4()), check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert "5 to 15 minutes" in done.stderr


def test_what_was_answered_before_the_gateway_was_killed_is_told_after_it_is_back(stack: Any) -> None:
    run = str(uuid.uuid4())
    s3 = calling(stack, "s3", run)
    gateway = psutil.Process(stack.settings.running_stack()["components"]["gateway"]["pid"])
    for n in range(20):
        s3.put_object(Bucket=stack.settings.lake_bucket, Key=f"_tmp/{n}", Body=b"x")
    gateway.kill()

    assert [call.resource.rpartition("/")[2] for call in calls(stack, run, 20)] == list(map(str, range(20)))


def test_a_stack_that_was_stopped_and_started_tells_the_same(stack: Any, run_id: str) -> None:
    before = stack.json("audit", run_id)
    at_the_end = str(uuid.uuid4())
    calling(stack, "s3", at_the_end).head_bucket(Bucket=stack.settings.lake_bucket)

    stack.run("down")
    stack.run("up", "--detach", "--port", "0")

    assert stack.json("audit", run_id) == before
    assert [call.action for call in calls(stack, at_the_end, 1)] == ["HeadBucket"]
