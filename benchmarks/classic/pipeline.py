"""The classic pipeline, deployed beside a stack: a gateway of its own, a table in the stack's warehouse."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import requests
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.errors import AirlineError
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings
from laptop import processes
from laptop.gateway import WORKERS_VARIABLE
from laptop.ports import HEALTH_PATH, HOST, PortClaims
from resources.aws.client import make_client

NAME = "classic-flights"
"""Of its crawler, its job, its topic and its state machine."""

BUCKET = "classic-airlines"
SECRET = "classic/warehouse"  # noqa: S105 - its name
ROLE = "arn:aws:iam::000000000000:role/classic"
TABLE = "classic.daily_flights_processed"
CODE = Path(__file__).parent
START_SECONDS, RUN_SECONDS = 60.0, 600.0

DROP_TABLES = "DROP SCHEMA IF EXISTS classic CASCADE"
CREATE_TABLES = f"""
CREATE SCHEMA classic;
CREATE TABLE {TABLE} (
    flight_date DATE, carrier VARCHAR(10), dep_airport VARCHAR(200), arr_airport VARCHAR(200),
    dep_city VARCHAR(100), arr_city VARCHAR(100), dep_state VARCHAR(100), arr_state VARCHAR(100),
    dep_delay BIGINT, arr_delay BIGINT
);
CREATE INDEX ON {TABLE} (flight_date)
"""
"""As such pipelines have it, and with a day and an index on it, so that both sides answer the same query."""


@dataclass(frozen=True)
class Execution:
    """One walk of the state machine.

    Args:
        seconds: By state, those of all its visits together.
        job_run: Of the Glue job, as GetJobRuns gives it.
    """

    seconds: Mapping[str, float]
    job_run: Mapping[str, Any]


@dataclass(frozen=True)
class ClassicPipeline:
    """A deployed pipeline.

    Args:
        settings: Their endpoint is its gateway.
        machine: ARN of its state machine.
    """

    settings: Settings
    machine: str

    def client(self, service: Any) -> Any:
        """A boto3 client of its gateway."""
        return make_client(self.settings, service)

    def start(self, key: str) -> str:
        """Begin an execution for a landed object, with the event EventBridge would bring; its ARN."""
        event = {
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": key}},
        }
        started = self.client("stepfunctions").start_execution(
            stateMachineArn=self.machine, input=json.dumps(event)
        )
        return str(started["executionArn"])

    def finish(self, execution: str) -> Execution:
        """Wait for the end of an execution.

        Raises:
            AirlineError: It failed.
        """
        steps = self.client("stepfunctions")
        found = Retrying(
            retry=retry_if_result(lambda found: found["status"] == "RUNNING"),
            wait=wait_fixed(0.2),
            stop=stop_after_delay(RUN_SECONDS),
        )(steps.describe_execution, executionArn=execution)
        runs = self.client("glue").get_job_runs(JobName=NAME)["JobRuns"]
        if found["status"] != "SUCCEEDED":
            raise AirlineError(
                f"the classic pipeline was expected to load, and {found['status']}: {runs[:1]}",
                remedy=f"Read the logs of its gateway, {self.settings.endpoint_url}.",
            )
        events = steps.get_execution_history(executionArn=execution, maxResults=1000)["events"]
        return Execution(seconds_by_state(events), runs[0])


def seconds_by_state(events: list[dict[str, Any]]) -> dict[str, float]:
    """How long an execution was in each state, by the history of its events."""
    seconds: dict[str, float] = {}
    entered = None
    for event in events:
        if "stateEnteredEventDetails" in event:
            entered = event["timestamp"]
        elif entered and (left := event.get("stateExitedEventDetails")):
            spent = (event["timestamp"] - entered).total_seconds()
            seconds[left["name"]] = seconds.get(left["name"], 0.0) + spent
    return seconds


@contextmanager
def classic_pipeline(
    settings: Settings, folder: Path, warehouse: Mapping[str, Any], airports: Path
) -> Iterator[ClassicPipeline]:
    """Deploy the pipeline; take it away at the end, with its tables.

    Args:
        settings: Of the stack beside it.
        folder: For its gateway's state and log.
        warehouse: Login of the stack's warehouse, as its secret has it.
        airports: The file of airport codes.
    """
    with _gateway(folder) as endpoint, _tables(warehouse):
        its = settings.model_copy(update={"endpoint_url": endpoint})
        pipeline = ClassicPipeline(its, machine="")
        yield ClassicPipeline(its, _deploy(pipeline, warehouse, airports))


@contextmanager
def _gateway(folder: Path) -> Iterator[str]:
    """A gateway without a warm Spark worker: as in Glue, each job starts its own. Its endpoint."""
    with PortClaims() as claims:
        port = claims.first()
        endpoint = f"http://{HOST}:{port}"
        command = [sys.executable, "-m", "benchmarks.classic.step_functions"]
        child = processes.start(
            [*command, "--port", str(port), "--state", str(folder / "state")],
            log=folder / "gateway.log",
            environment=os.environ | {WORKERS_VARIABLE: "0"},
            cwd=CODE.parents[1],
        )
        try:
            Retrying(
                retry=retry_if_exception_type(OSError),
                wait=wait_fixed(0.1),
                stop=stop_after_delay(START_SECONDS),
            )(requests.get, f"{endpoint}{HEALTH_PATH}", timeout=5)
            yield endpoint
        finally:
            processes.stop(child)


@contextmanager
def _tables(warehouse: Mapping[str, Any]) -> Iterator[None]:
    """The pipeline's schema, for as long as the block takes."""
    with closing(connect(warehouse)) as session, session.cursor() as cursor:
        cursor.execute(f"{DROP_TABLES}; {CREATE_TABLES}")
        try:
            yield
        finally:
            cursor.execute(DROP_TABLES)


def connect(warehouse: Mapping[str, Any]) -> Any:
    """A psycopg2 connection by a warehouse's secret; each statement is a transaction."""
    session = psycopg2.connect(
        host=warehouse["host"],
        port=warehouse["port"],
        dbname=warehouse["dbname"],
        user=warehouse["username"],
        password=warehouse["password"],
    )
    session.autocommit = True
    return session


def _deploy(pipeline: ClassicPipeline, warehouse: Mapping[str, Any], airports: Path) -> str:
    """Make everything the pipeline consists of; the ARN of its state machine."""
    s3, glue = pipeline.client("s3"), pipeline.client("glue")
    airports_key = AIRPORTS.key(airports.name, None)
    s3.create_bucket(Bucket=BUCKET)
    s3.upload_file(str(airports), BUCKET, airports_key)
    s3.upload_file(str(CODE / "flights_job.py"), BUCKET, "scripts/flights_job.py")
    pipeline.client("secretsmanager").create_secret(Name=SECRET, SecretString=json.dumps(dict(warehouse)))
    glue.create_database(DatabaseInput={"Name": "classic"})
    glue.create_crawler(
        Name=NAME,
        Role=ROLE,
        DatabaseName="classic",
        Targets={"S3Targets": [{"Path": f"s3://{BUCKET}/{FLIGHTS.prefix}"}]},
    )
    glue.create_job(
        Name=NAME,
        Role=ROLE,
        GlueVersion="5.1",
        Command={"Name": "glueetl", "ScriptLocation": f"s3://{BUCKET}/scripts/flights_job.py"},
        DefaultArguments={"--airports": f"s3://{BUCKET}/{airports_key}", "--warehouse": SECRET},
    )
    topic = pipeline.client("sns").create_topic(Name=NAME)["TopicArn"]
    machine = pipeline.client("stepfunctions").create_state_machine(
        name=NAME, definition=state_machine(crawler=NAME, job=NAME, topic=topic), roleArn=ROLE
    )
    return str(machine["stateMachineArn"])


def state_machine(*, crawler: str, job: str, topic: str) -> str:
    """The state machine's definition, with its DefinitionSubstitutions."""
    text = (CODE / "state_machine.asl.json").read_text()
    for name, value in {"Crawler": crawler, "Job": job, "Topic": topic}.items():
        text = text.replace(f"${{{name}}}", value)
    return text
