"""Each stage between a landed file and its rows made to fail for real: who is told what, and what then."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from typing import Any

import psycopg2
import pytest

from airline_platform.feeds.bookings import BOOKINGS
from command.dagster_client import DagsterClient
from resources.catalog import ensure_catalog_tables

pytestmark = pytest.mark.usefixtures("airports")

HEADER = BOOKINGS.header
GOOD = (
    "{booking},2013-06-30 10:11:12,Zaphod Beeblebrox,zaphod@heartofgold.example,UA,1545,11618,10397,"
    "2013-09-01,ECONOMY,129.90,USD,CONFIRMED"
)
CRAWLED = "landing_bookings"

JOB_BY_DAY = """
import os, signal, sys
days = " ".join(sys.argv)
if "date=2013-07-03" in days:
    from pyspark.context import SparkContext
    context = SparkContext.getOrCreate()
    full = [context._jvm.java.nio.ByteBuffer.allocate(2_000_000_000) for _ in range(64)]
elif "date=2013-07-05" in days:
    os.kill(os.getpid(), signal.SIGKILL)
elif "date=2013-07-07" in days:
    sys.exit(3)
else:
    raise ValueError("the gate is closed")
"""
"""A job that fails in another way each day, and over no day as well."""

FAILING = {
    "2013-07-01": "ValueError: the gate is closed",
    "2013-07-03": "java.lang.OutOfMemoryError: Java heap space",
    # What the kernel does to a process when the machine's memory is used up.
    "2013-07-05": "killed, or out of memory",
    "2013-07-07": "SystemExit: 3",
}
"""What is told of each."""

RUNS_OF = """query($tags: [ExecutionTag!]) { runsOrError(filter: {tags: $tags}) { __typename
  ... on Runs { results { status } } } }"""

NOTED = """query($day: String!) { assetOrError(assetKey: {path: ["bookings_catalog"]}) { __typename
  ... on Asset { assetMaterializations(partitions: [$day], limit: 1) {
    metadataEntries { label ... on TextMetadataEntry { text } } } } } }"""


@pytest.fixture(scope="module", autouse=True)
def nobody_asks_again(stack: Any) -> Iterator[None]:
    """The reconciliation stopped, or days that failed would be asked for again in the middle of a test."""
    client = DagsterClient.of(stack.settings)
    client.set_sensor("reconciliation_sensor", running=False)
    yield
    client.set_sensor("reconciliation_sensor", running=True)


def key(day: str, name: str = "bookings.csv") -> str:
    return f"bookings/date={day}/{name}"


def land(stack: Any, day: str) -> None:
    stack.put(key(day), f"{HEADER}\n{GOOD.format(booking=f'S-{day}')}\n")


def loaded(stack: Any, day: str) -> bool:
    rows = stack.query(f"SELECT status FROM airlines.fact_bookings WHERE booking_id = 'S-{day}'")
    return rows == [{"status": "CONFIRMED"}]


def failure_of(stack: Any, day: str) -> str:
    """What people are told of the day's failure; its run is red, and nothing of it is loaded."""
    told = stack.until(
        lambda: [a["message"] for a in stack.alerts("failed") if f"Partition: {day}" in a["message"]]
    )[0]
    tags = [{"key": "dagster/partition", "value": day}]
    stack.until(lambda: {"status": "FAILURE"} in stack.ask_dagster(RUNS_OF, tags=tags)["results"])
    assert not loaded(stack, day)
    assert "What to do:" in told
    return told


def noted(stack: Any, day: str) -> dict[str, str]:
    """Text metadata of the day's newest materialization of the catalog's table."""
    (made, *_) = stack.ask_dagster(NOTED, day=day)["assetMaterializations"]
    return {entry["label"]: entry["text"] for entry in made["metadataEntries"] if "text" in entry}


def works_again(stack: Any, failed: str) -> None:
    """The next good file is loaded without anybody cleaning up; the failed one is looked at in the end."""
    after = str(date.fromisoformat(failed) + timedelta(days=1))
    land(stack, after)
    stack.until(lambda: loaded(stack, after))


@contextmanager
def script(stack: Any, body: str) -> Iterator[None]:
    """Another program in the place of the feeds' job."""
    s3, place = stack.client("s3"), {"Bucket": stack.settings.lake_bucket, "Key": "glue_jobs/feed_job.py"}
    good = s3.get_object(**place)["Body"].read()
    s3.put_object(**place, Body=body.encode())
    try:
        yield
    finally:
        s3.put_object(**place, Body=good)


@pytest.fixture(scope="module")
def failed_jobs(stack: Any) -> dict[str, str]:
    """What is told of each day; they land together, so that none waits for the other's sensor and alert."""
    with script(stack, JOB_BY_DAY):
        for day in FAILING:
            land(stack, day)
        return {day: failure_of(stack, day) for day in FAILING}


@pytest.mark.parametrize(("day", "reason"), FAILING.items())
def test_a_job_that_fails_is_told_with_its_own_reason(failed_jobs: dict[str, str], day: str, reason: str):
    told = failed_jobs[day]

    assert "Stage:     Glue job" in told
    assert "Glue job airline-bookings run jr_" in told
    assert "ended with FAILED" in told
    assert reason in told
    assert [other for other in FAILING.values() if other != reason and other in told] == []


def test_a_job_that_takes_too_long_is_stopped_and_told(stack):
    glue, name = stack.client("glue"), stack.settings.job_name("bookings")
    job = glue.get_job(JobName=name)["Job"]
    kept = {"Role": job["Role"], "Command": job["Command"], "GlueVersion": job["GlueVersion"]}
    limited = job["DefaultArguments"] | {"--airline-timeout-seconds": "2"}
    with script(stack, "import time\ntime.sleep(60)"):
        glue.update_job(JobName=name, JobUpdate=kept | {"DefaultArguments": limited})
        try:
            land(stack, "2013-07-11")
            told = failure_of(stack, "2013-07-11")
        finally:
            glue.update_job(JobName=name, JobUpdate=kept | {"DefaultArguments": job["DefaultArguments"]})
    assert "ended with TIMEOUT" in told
    assert "took longer than its limit" in told


def test_a_job_without_its_secret_is_told(stack):
    secrets, name = stack.client("secretsmanager"), stack.settings.customer_key_secret
    customer_key = secrets.get_secret_value(SecretId=name)["SecretString"]
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)
    try:
        land(stack, "2013-07-13")
        told = failure_of(stack, "2013-07-13")
    finally:
        secrets.create_secret(Name=name, SecretString=customer_key)
    assert "ResourceNotFoundException" in told
    assert customer_key not in told


def test_a_crawler_with_a_bad_path_stops_no_day_and_is_noted(stack):
    glue, name = stack.client("glue"), stack.settings.crawler_name("bookings")
    crawler = glue.get_crawler(Name=name)["Crawler"]
    (target,) = crawler["Targets"]["S3Targets"]
    forget_table(stack)
    glue.update_crawler(Name=name, Targets={"S3Targets": [target | {"Path": "s3://airline-nowhere/x/"}]})
    try:
        land(stack, "2013-07-15")
        stack.until(lambda: loaded(stack, "2013-07-15"))
    finally:
        glue.update_crawler(Name=name, Targets={"S3Targets": [target]})
    reason = "crawler airline-bookings ended with FAILED: Bucket airline-nowhere does not exist"
    assert noted(stack, "2013-07-15")["crawl"] == f"failed: {reason}"
    land(stack, "2013-07-16")
    stack.until(lambda: loaded(stack, "2013-07-16"))
    assert noted(stack, "2013-07-16")["crawl"] == "confirmed"


def test_a_table_that_somebody_changed_is_mended_and_stops_no_day(stack):
    """Somebody's crawler has made the table of something else."""
    glue, database = stack.client("glue"), stack.settings.glue_database
    table = glue.get_table(DatabaseName=database, Name=CRAWLED)["Table"]
    kept = {name: table[name] for name in ("Name", "PartitionKeys", "TableType", "Parameters")}
    strange = [{"Name": "shipping_id", "Type": "string"}, {"Name": "customer", "Type": "string"}]
    storage = table["StorageDescriptor"] | {"Columns": strange}
    glue.update_table(DatabaseName=database, TableInput=kept | {"StorageDescriptor": storage})
    land(stack, "2013-07-17")
    stack.until(lambda: loaded(stack, "2013-07-17"))
    mended = glue.get_table(DatabaseName=database, Name=CRAWLED)["Table"]
    assert mended["StorageDescriptor"] == table["StorageDescriptor"]


def test_a_crawler_that_runs_already_is_not_waited_for(stack):
    forget_table(stack)
    stack.client("glue").start_crawler(Name=stack.settings.crawler_name("bookings"))
    land(stack, "2013-07-19")
    stack.until(lambda: loaded(stack, "2013-07-19"))


def test_a_catalog_that_cannot_be_written_is_told(stack):
    """Somebody deletes the database: without it nothing can be registered."""
    glue, database = stack.client("glue"), stack.settings.glue_database
    known = glue.get_database(Name=database)["Database"]
    glue.delete_database(Name=database)
    try:
        land(stack, "2013-07-25")
        told = failure_of(stack, "2013-07-25")
    finally:
        glue.create_database(DatabaseInput={name: known[name] for name in ("Name", "Description")})
        ensure_catalog_tables(stack.settings)
    assert "Stage:     crawler and catalog" in told
    assert "EntityNotFoundException) when calling the CreateTable operation" in told
    works_again(stack, "2013-07-25")


def test_a_load_that_fails_is_told_and_leaves_nothing_behind(stack):
    with closing(psycopg2.connect(**warehouse(stack))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("ALTER TABLE airlines.fact_bookings RENAME COLUMN cabin TO saloon")
        try:
            land(stack, "2013-07-21")
            told = failure_of(stack, "2013-07-21")
        finally:
            cursor.execute("ALTER TABLE airlines.fact_bookings RENAME COLUMN saloon TO cabin")
    assert "Stage:     load into the warehouse" in told
    assert 'column "cabin" of relation "fact_bookings" does not exist' in told
    history = "SELECT COUNT(*) AS rows FROM airlines.fact_booking_status WHERE file_date = '2013-07-21'"
    assert stack.query(history) == [{"rows": 0}]
    works_again(stack, "2013-07-21")


def test_anything_else_that_fails_is_told(stack):
    """The lake's note of what a step made lacks what is read of it, and somebody runs the next step alone."""
    day = "2013-07-23"
    land(stack, day)
    stack.until(lambda: loaded(stack, day))
    note = {"Bucket": stack.settings.lake_bucket, "Key": f"manifests/bookings_enriched/{day}.json"}
    stack.client("s3").put_object(**note, Body=b'{"landed": [{}]}')
    stack.launch(BOOKINGS, day, day, [table.name for table in BOOKINGS.tables])
    told = stack.until(
        lambda: [a["message"] for a in stack.alerts("failed") if f"Partition: {day}" in a["message"]]
    )[0]
    assert "Stage:     load into the warehouse" in told
    assert "KeyError" in told
    assert "What to do: mend the cause, then re-run from this step" in told
    assert loaded(stack, day)


def test_one_run_over_the_range_loads_every_day_that_failed(stack):
    failed = [*FAILING, *(f"2013-07-{number:02}" for number in (11, 13, 21, 25))]
    assert [day for day in failed if loaded(stack, day)] == []
    stack.launch(BOOKINGS, failed[0], failed[-1])
    stack.until(lambda: all(loaded(stack, day) for day in failed))


def forget_table(stack: Any) -> None:
    """Without its table the next run has to crawl."""
    stack.client("glue").delete_table(DatabaseName=stack.settings.glue_database, Name=CRAWLED)


def warehouse(stack: Any) -> dict[str, Any]:
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.settings.warehouse_secret)
    document = json.loads(secret["SecretString"])
    return {
        "host": document["host"],
        "port": document["port"],
        "dbname": document["dbname"],
        "user": document["username"],
        "password": document["password"],
    }
