"""Queries through the real gateway process, which has no Spark here: Athena alone, as the assets ask it."""

import io
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.errors import QueryFailed
from airline_platform.settings import get_settings
from resources.athena import Athena
from resources.aws.client import make_client

DATABASE = "airline"
RESULTS = "s3://lake/athena-results/"

COSTS = {
    "2013-01-01": ["0.001", "1.010"],
    "2013-01-02": ["12345678901.999"],
    "2013-02-01": ["3.000", None],
}
"""Shipping costs by day; those of February are in the total alone."""

BY_DAY = """
SELECT "date" AS day, COUNT(*) AS shipments, SUM(shipping_cost) AS total_cost
FROM {table}
GROUP BY GROUPING SETS (("date"), ())
HAVING GROUPING("date") = 1 OR "date" BETWEEN '2013-01-01' AND '2013-01-31'
ORDER BY "date"
"""

SLOW = "SELECT SLEEP_MS({milliseconds})"
"""DuckDB's: it takes time, and nothing else."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[subprocess.Popen[bytes]]:
    """A gateway, and this process's settings pointed at it."""
    folder = tmp_path_factory.mktemp("athena")
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    endpoint = f"http://127.0.0.1:{port}"
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "laptop.gateway",
             "--port", str(port), "--state", str(folder / "state")],
            env=os.environ | {"AIRLINE_SPARK_WORKERS": "0"}, stdout=log, stderr=log,
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
            patch.delenv(name)
        patch.setenv("AIRLINE_HOME", str(folder / "home"))
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        get_settings.cache_clear()
        try:
            Retrying(
                retry=retry_if_exception_type(OSError), wait=wait_fixed(0.05), stop=stop_after_delay(60)
            )(requests.get, f"{endpoint}/_airline/health", timeout=5)
            yield process
        finally:
            # Not SIGTERM: it would wait for the queries that nobody waits for any more.
            process.send_signal(signal.SIGKILL)
            process.wait(30)
            get_settings.cache_clear()


@pytest.fixture(scope="module", autouse=True)
def lake(gateway: subprocess.Popen[bytes]) -> int:
    """A lake with shipments of three days and a table without any object; the bytes of the shipments."""
    assert gateway.poll() is None
    s3, glue, athena = (make_client(get_settings(), name) for name in ("s3", "glue", "athena"))
    s3.create_bucket(Bucket="lake")
    glue.create_database(DatabaseInput={"Name": DATABASE})
    athena.create_work_group(
        Name=DATABASE, Configuration={"ResultConfiguration": {"OutputLocation": RESULTS}}
    )
    create_table("shipments_normalized", "s3://lake/normalized/shipments/")
    create_table("nothing_yet", "s3://lake/normalized/nothing/")
    glue.batch_create_partition(
        DatabaseName=DATABASE,
        TableName="shipments_normalized",
        PartitionInputList=[
            {
                "Values": [day],
                "StorageDescriptor": {"Location": f"s3://lake/normalized/shipments/date={day}/"},
            }
            for day in COSTS
        ],
    )
    # One is hidden, one is in no partition, and one is below no table's location.
    s3.put_object(Bucket="lake", Key="normalized/shipments/date=2013-01-01/_SUCCESS", Body=b"x" * 1000)
    s3.put_object(Bucket="lake", Key="normalized/shipments/date=1999-01-01/x.parquet", Body=b"x" * 1000)
    s3.put_object(Bucket="lake", Key="normalized/shipments_old/part-0.parquet", Body=b"x" * 1000)
    return sum(put_day(s3, day, costs) for day, costs in COSTS.items())


def create_table(name: str, location: str) -> None:
    hive = "org.apache.hadoop.hive.ql.io.parquet"
    make_client(get_settings(), "glue").create_table(
        DatabaseName=DATABASE,
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "parquet"},
            "PartitionKeys": [{"Name": "date", "Type": "string"}],
            "StorageDescriptor": {
                "Location": location,
                "Columns": [
                    {"Name": "tracking_number", "Type": "string"},
                    {"Name": "shipping_cost", "Type": "decimal(14,3)"},
                ],
                "InputFormat": f"{hive}.MapredParquetInputFormat",
                "OutputFormat": f"{hive}.MapredParquetOutputFormat",
                "SerdeInfo": {"SerializationLibrary": f"{hive}.serde.ParquetHiveSerDe"},
            },
        },
    )


def put_day(s3: Any, day: str, costs: list[str | None]) -> int:
    cells = pa.array([cost and Decimal(cost) for cost in costs], pa.decimal128(14, 3))
    body = io.BytesIO()
    pq.write_table(
        pa.table({"tracking_number": [f"{day}/{row}" for row in range(len(costs))], "shipping_cost": cells}),
        body,
    )
    s3.put_object(Bucket="lake", Key=f"normalized/shipments/date={day}/part-0.parquet", Body=body.getvalue())
    return len(body.getvalue())


def test_days_and_their_total_are_exact_in_one_query() -> None:
    result = Athena.of(get_settings()).query(BY_DAY.format(table="shipments_normalized"))

    assert result.rows == [
        {"day": "2013-01-01", "shipments": "2", "total_cost": "1.011"},
        {"day": "2013-01-02", "shipments": "1", "total_cost": "12345678901.999"},
        {"day": None, "shipments": "5", "total_cost": "12345678906.010"},
    ]
    assert result.seconds > 0


def test_a_table_without_objects_has_no_days_and_an_empty_total() -> None:
    result = Athena.of(get_settings()).query(BY_DAY.format(table="nothing_yet"))

    assert result.rows == [{"day": None, "shipments": "0", "total_cost": None}]
    assert result.bytes_scanned == 0


def test_what_a_query_read_is_every_file_of_its_tables_partitions(lake: int) -> None:
    sums = Athena.of(get_settings()).query(BY_DAY.format(table="shipments_normalized"))
    twice = Athena.of(get_settings()).query(
        'WITH days AS (SELECT DISTINCT "date" FROM airline.shipments_normalized)'
        ' SELECT COUNT(*) AS n FROM days JOIN shipments_normalized USING ("date") CROSS JOIN nothing_yet'
    )

    assert (sums.bytes_scanned, twice.bytes_scanned) == (lake, 2 * lake)


def test_what_a_query_read_stays_what_it_was(lake: int) -> None:
    athena, s3 = make_client(get_settings(), "athena"), make_client(get_settings(), "s3")
    result = Athena.of(get_settings()).query("SELECT COUNT(*) AS n FROM shipments_normalized")
    key = "normalized/shipments/date=2013-02-01/part-1.parquet"
    s3.put_object(Bucket="lake", Key=key, Body=b"later")
    try:
        again = athena.get_query_execution(QueryExecutionId=result.query_id)
    finally:
        s3.delete_object(Bucket="lake", Key=key)

    scanned = again["QueryExecution"]["Statistics"]["DataScannedInBytes"]
    assert (result.bytes_scanned, scanned) == (lake, lake)
    assert again["ResponseMetadata"]["RequestId"]  # the audit trail keeps it


def test_a_query_without_tables_reads_nothing() -> None:
    result = Athena.of(get_settings()).query("SELECT 1 AS one, CAST(NULL AS VARCHAR) AS nothing")

    assert (result.rows, result.bytes_scanned) == ([{"one": "1", "nothing": None}], 0)


def test_a_long_result_is_read_to_its_end() -> None:
    result = Athena.of(get_settings()).query(
        "SELECT n FROM (SELECT UNNEST(GENERATE_SERIES(1, 2500)) AS n) ORDER BY n"
    )

    assert [row["n"] for row in result.rows] == [str(n) for n in range(1, 2501)]


def test_the_result_is_kept_where_the_workgroup_says() -> None:
    result = Athena.of(get_settings()).query("SELECT 1 AS one")

    assert result.output.startswith(f"{RESULTS}{result.query_id}")
    kept = make_client(get_settings(), "s3").get_object(
        Bucket="lake", Key=result.output.removeprefix("s3://lake/")
    )
    assert kept["Body"].read().split() == [b"one", b"1"]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT * FROM shipments_lost", "Table with name shipments_lost does not exist"),
        ("SELECT cost FROM shipments_normalized", 'Referenced column "cost" not found'),
        ("SELEC 1", 'syntax error at or near "SELEC"'),
    ],
)
def test_a_query_that_can_not_work_fails_with_its_reason(sql: str, reason: str) -> None:
    with pytest.raises(QueryFailed) as failed:
        Athena.of(get_settings()).query(sql)

    assert "ended with FAILED: " in str(failed.value)
    assert reason in str(failed.value)
    assert f"The query: {sql}\nWhat to do: " in str(failed.value)


def test_a_query_nobody_started_is_unknown() -> None:
    athena = make_client(get_settings(), "athena")

    with pytest.raises(athena.exceptions.InvalidRequestException, match="Query x not found"):
        athena.get_query_execution(QueryExecutionId="x")


def started(sql: str) -> str:
    """The id of a query, once it runs."""
    athena = make_client(get_settings(), "athena")

    def look() -> str | None:
        ids = athena.list_query_executions(WorkGroup=DATABASE)["QueryExecutionIds"]
        found = (athena.get_query_execution(QueryExecutionId=each)["QueryExecution"] for each in ids)
        running = [each for each in found if each["Query"] == sql and each["Status"]["State"] == "RUNNING"]
        return running[0]["QueryExecutionId"] if running else None

    query_id: str = Retrying(
        retry=retry_if_result(lambda query_id: query_id is None),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(10),
    )(look)
    return query_id


def test_a_query_somebody_stops_ends_the_waiting() -> None:
    sql = SLOW.format(milliseconds=8001)
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(Athena.of(get_settings()).query, sql)
        query_id = started(sql)
        make_client(get_settings(), "athena").stop_query_execution(QueryExecutionId=query_id)

        with pytest.raises(
            QueryFailed, match=f"{query_id} ended with CANCELLED: Query was cancelled by user"
        ):
            waiting.result(timeout=5)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """What a shell starts in the background takes no SIGINT, and neither does what that starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_a_run_that_is_cancelled_stops_its_query() -> None:
    sql = SLOW.format(milliseconds=8002)
    main = threading.main_thread().ident
    assert main

    def interrupt() -> str:
        query_id = started(sql)
        signal.pthread_kill(main, signal.SIGINT)
        return query_id

    with ThreadPoolExecutor(1) as pool:
        interrupted = pool.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            Athena.of(get_settings()).query(sql)

    athena = make_client(get_settings(), "athena")
    found = athena.get_query_execution(QueryExecutionId=interrupted.result())["QueryExecution"]
    assert found["Status"]["State"] == "CANCELLED"
