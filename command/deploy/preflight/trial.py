"""Tries what runs do, in a deployment that is there: a COPY, a query by Athena, a job run over nothing."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING
from uuid import uuid4

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay

from airline_platform.contract.table import Column, Table
from airline_platform.errors import GlueJobFailed, QueryFailed
from airline_platform.feeds import FEEDS
from airline_platform.settings import Settings
from command.deploy.preflight.finding import Finding, Untried, tried
from command.deploy.progress import Progress, silent
from resources.athena import Athena
from resources.aws.client import make_client
from resources.catalog import enriched_prefix
from resources.glue import ENDED, POLL
from resources.lake import Lake, run_scratch
from resources.warehouse.resource import Warehouse

if TYPE_CHECKING:
    from mypy_boto3_glue.type_defs import JobRunTypeDef

FEED = FEEDS["airports"]
"""Whose job is run and among whose Parquet the row lies: it looks nothing up and hashes nothing."""

ROW = Table(
    name="preflight",
    description="One row that is copied, to see whether COPY works.",
    columns=(Column("answer", "bigint", "42."),),
)
"""The temporary table."""

ANSWER, SOURCE = 42, "preflight"
JOB_SECONDS = 20 * 60
"""How long the job run is waited for: it may have to wait for its capacity."""


def trials(settings: Settings, on_progress: Progress = silent) -> Iterator[Finding]:
    """Try each in turn; one that fails keeps no other from being tried."""
    on_progress("COPY of one row")
    yield tried(
        "COPY of one row", lambda: copy_one_row(settings), "See that Redshift's default role reads the lake."
    )
    on_progress("SELECT 1 by Athena")
    yield tried("SELECT 1 by Athena", lambda: select_one(settings), "See that who calls has DagsterPolicy.")
    on_progress("a Glue job run over nothing, which takes a minute or more")
    yield tried("Glue job run over nothing", lambda: run_over_nothing(settings), "Read the job's log.")


def copy_one_row(settings: Settings) -> str:
    """Copy a Parquet file of one row into a temporary table, as a load does; leave nothing behind.

    The file lies where the role of COPY reads: below a feed's Parquet, in a folder that begins with `_`, as
    Spark and Athena pass over. The manifest lies where runs put theirs.

    Raises:
        QueryFailed: Another row came.
        StackUnavailable: S3 or the warehouse does not answer.
    """
    lake, trial = Lake.of(settings), f"preflight-{uuid4()}"
    folder = f"{enriched_prefix(FEED)}_{trial}/"
    try:
        body = _one_row()
        uri = lake.put_bytes(f"{folder}row.parquet", body)
        entry = {"url": uri, "mandatory": True, "meta": {"content_length": len(body)}}
        manifest = lake.put_run_manifest(trial, ROW.name, [entry])
        with Warehouse.of(settings).transaction() as session:
            staging = session.stage(ROW, manifest)
            rows = session.query(f"SELECT answer, source_file FROM {staging}")  # noqa: S608 - our own name
    finally:
        lake.remove(folder)
        lake.remove(run_scratch(trial, ""))
    if rows != [{"answer": ANSWER, "source_file": SOURCE}]:
        raise QueryFailed(
            f"expected the row that was copied, found {rows}", remedy="Look at the warehouse's log."
        )
    return "one row copied and read"


def _one_row() -> bytes:
    """The Parquet file: the table's column, then source_file, as in every file that is copied."""
    import pyarrow as pa  # noqa: PLC0415 - costs 0.2 s, and only the trial needs it
    import pyarrow.parquet as pq  # noqa: PLC0415

    target = io.BytesIO()
    pq.write_table(pa.table({"answer": pa.array([ANSWER], pa.int64()), "source_file": [SOURCE]}), target)
    return target.getvalue()


def select_one(settings: Settings) -> str:
    """Have Athena answer a query in the platform's workgroup.

    Raises:
        QueryFailed: It refused, failed, or answered something else.
        StackUnavailable: Athena does not answer.
    """
    result = Athena.of(settings).query("SELECT 1 AS one")
    if result.rows != [{"one": "1"}]:
        raise QueryFailed(
            f"expected one row with 1, found {result.rows}", remedy="Look at the workgroup's settings."
        )
    return f"answered in {result.seconds:.1f} s"


def run_over_nothing(settings: Settings) -> str:
    """Run a feed's job over a manifest without files: programs, role and logs are used, nothing is written.

    Raises:
        GlueJobFailed: It ended in anything but SUCCEEDED, or not in time.
        Untried: The job works for somebody else.
        StackUnavailable: S3 does not answer.
    """
    lake, trial = Lake.of(settings), f"preflight-{uuid4()}"
    client, job = make_client(settings, "glue"), settings.job_name(FEED.jobs[0].name)
    try:
        arguments = {
            "--manifest": lake.put_run_manifest(trial, FEED.jobs[0].name, []),
            "--output": lake.uri(run_scratch(trial, "output/")),
            "--rejects": lake.uri(run_scratch(trial, "rejects/")),
            "--max_rejected_share": "0",
            "--evolved": "none",
            "--caller": "airline-preflight",
            "--airline-partitions": "none",
        }
        try:
            run_id = client.start_job_run(JobName=job, Arguments=arguments)["JobRunId"]
        except client.exceptions.ConcurrentRunsExceededException:
            raise Untried(f"Glue job {job} works for another run now") from None
        run = _ended(settings, job, run_id)
    finally:
        lake.remove(run_scratch(trial, ""))
    if run["JobRunState"] != "SUCCEEDED":
        raise GlueJobFailed(
            f"Glue job {job} run {run_id} ended with {run['JobRunState']}: {run.get('ErrorMessage')}",
            remedy=f"Read its log, {settings.glue_log_prefix}/output and /error, stream {run_id}.",
        )
    return f"run {run_id} succeeded after {run.get('ExecutionTime', 0)} s"


def _ended(settings: Settings, job: str, run_id: str) -> "JobRunTypeDef":
    client = make_client(settings, "glue")
    poll = Retrying(
        retry=retry_if_result(lambda run: run["JobRunState"] not in ENDED),
        wait=POLL,
        stop=stop_after_delay(JOB_SECONDS),
    )
    try:
        found: JobRunTypeDef = poll(lambda: client.get_job_run(JobName=job, RunId=run_id)["JobRun"])
    except RetryError:
        client.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
        raise GlueJobFailed(
            f"Glue job {job} run {run_id} did not end within {JOB_SECONDS // 60} minutes, and was stopped",
            remedy="Look at Glue's quota of DPUs in this account.",
        ) from None
    return found
