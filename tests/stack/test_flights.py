"""From the landed file to the fact table and the alert, over HTTP against a whole laptop stack."""

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, materialize

from airline_platform.dagster_client import DagsterClient
from airline_platform.definitions import resources
from airline_platform.settings import get_settings
from assets.flights import flights_assets

HEADER = "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay"
FACT = "airlines.daily_flights_processed"

Flights = Callable[..., tuple[Path, int]]

pytestmark = pytest.mark.usefixtures("airports")


def day_rows(stack: Any, day: str) -> list[dict[str, Any]]:
    """A day of the fact, in an order of its own."""
    rows = stack.query(f"SELECT * FROM {FACT} WHERE flight_date = '{day}'")
    return sorted(rows, key=lambda row: [str(value) for value in row.values()])


def ledger(stack: Any, key: str) -> list[dict[str, Any]]:
    return stack.query(f"SELECT * FROM airlines.ingested_files WHERE key = '{key}' ORDER BY landed_at")


def test_a_landed_day_becomes_rows_with_both_airports_spelled_out_and_one_alert(stack, flights: Flights):
    folder, count = flights(date(2013, 2, 1))
    stack.land(folder)
    stack.wait()
    rows = day_rows(stack, "2013-02-01")
    assert len(rows) == count
    assert {row["dep_city"] for row in rows} <= {"New York", "Newark"}
    assert all(row["arr_airport"] for row in rows)
    (told,) = [alert for alert in stack.alerts("loaded") if "2013-02-01" in alert["subject"]]
    assert f"{count:,} rows" in told["subject"]
    assert "Rejected:  0 rows" in told["message"]
    assert "Duration:" in told["message"]


def test_the_flat_layout_lands_in_its_day_too(stack, flights: Flights):
    folder, count = flights(date(2013, 2, 2), layout="flat")
    stack.land(folder)
    stack.wait()
    assert len(day_rows(stack, "2013-02-02")) == count
    (entry,) = ledger(stack, "daily_flights/2013-02-02.csv")
    assert (entry["state"], entry["rows_read"], entry["rows_loaded"]) == ("loaded", count, count)


def test_many_days_at_once_become_one_run(stack, flights: Flights):
    stack.land(*(flights(date(2013, 2, day))[0] for day in (4, 5, 6)))
    stack.wait()
    runs = stack.query(
        "SELECT COUNT(DISTINCT run_id) AS runs, COUNT(DISTINCT glue_job_run_id) AS jobs, COUNT(*) AS files "
        "FROM airlines.ingested_files WHERE partition_date BETWEEN '2013-02-04' AND '2013-02-06'"
    )
    # Three uploads may straddle a tick of the sensor; three runs would mean that nothing is gathered.
    assert runs[0]["files"] == 3
    assert runs[0]["runs"] == runs[0]["jobs"] < 3


def test_the_same_bytes_again_start_no_run(stack, flights: Flights):
    folder, count = flights(date(2013, 2, 7))
    stack.land(folder)
    stack.wait()
    (before,) = ledger(stack, "daily_flights/date=2013-02-07/flights.csv")
    stack.land(folder)
    stack.wait_until_idle()
    assert ledger(stack, "daily_flights/date=2013-02-07/flights.csv") == [before]
    assert len(day_rows(stack, "2013-02-07")) == count


def test_a_changed_file_replaces_the_rows_of_its_day_and_no_others(stack, flights: Flights):
    stack.land(flights(date(2013, 2, 8))[0])
    stack.land(flights(date(2013, 2, 9))[0])
    stack.wait()
    neighbour = day_rows(stack, "2013-02-09")
    stack.put("daily_flights/date=2013-02-08/flights.csv", f"{HEADER}\nAA,12478,12892,7,-3\n")
    stack.wait()
    (row,) = day_rows(stack, "2013-02-08")
    assert (row["carrier"], row["dep_delay"], row["arr_delay"]) == ("AA", 7, -3)
    assert day_rows(stack, "2013-02-09") == neighbour
    states = [entry["state"] for entry in ledger(stack, "daily_flights/date=2013-02-08/flights.csv")]
    assert states == ["superseded", "loaded"]


def test_unknown_airports_are_kept_and_bad_rows_are_rejected_with_their_reason(stack):
    good = ["B6,12478,99999,,", "B6,12478,12892,4,5"] * 10
    bad = "B6,12478,nowhere,1,2"
    stack.put("daily_flights/date=2013-02-10/two kinds+ü.csv", "\n".join([HEADER, *good, bad]) + "\n")
    stack.wait()
    rows = day_rows(stack, "2013-02-10")
    assert len(rows) == 20
    assert sum(row["arr_airport"] is None for row in rows) == 10
    (entry,) = ledger(stack, "daily_flights/date=2013-02-10/two kinds+ü.csv")
    assert (entry["rows_read"], entry["rows_loaded"], entry["rows_rejected"]) == (21, 20, 1)
    rejects = read_lake(stack, "rejects/flights/date=2013-02-10/")
    assert "nowhere" in rejects
    assert '"line_number":22' in rejects
    assert "expected a whole number" in rejects


def test_a_day_with_too_many_bad_rows_keeps_its_old_rows(stack, flights: Flights):
    folder, count = flights(date(2013, 2, 11))
    stack.land(folder)
    stack.wait()
    stack.put("daily_flights/date=2013-02-11/flights.csv", f"{HEADER}\nAA,12478,12892,7,3\nAA,x,y,7,3\n")
    stack.wait()
    assert len(day_rows(stack, "2013-02-11")) == count
    old, new = ledger(stack, "daily_flights/date=2013-02-11/flights.csv")
    assert (old["state"], new["state"]) == ("loaded", "rejected")
    assert "found 50.0% of 2" in new["reason"]
    (told,) = [alert for alert in stack.alerts("failed") if "2013-02-11" in alert["message"]]
    assert "Step:      daily_flights_processed" in told["message"]
    assert "AIRLINE_MAX_REJECTED_SHARE" in told["message"]


def test_a_file_with_a_wrong_header_is_refused_and_the_other_of_the_day_is_loaded(stack):
    stack.put("daily_flights/date=2013-02-12/good.csv", f"{HEADER}\nAA,12478,12892,7,3\n")
    stack.put("daily_flights/date=2013-02-12/bad.csv", "Carrier;Origin\nAA;1\n")
    stack.wait()
    assert len(day_rows(stack, "2013-02-12")) == 1
    (entry,) = ledger(stack, "daily_flights/date=2013-02-12/bad.csv")
    assert entry["state"] == "rejected"
    assert HEADER in entry["reason"]
    told = [alert for alert in stack.alerts("refused") if "2013-02-12/bad.csv" in alert["message"]]
    assert len(told) == 1


def test_a_key_no_feed_knows_is_told_and_stops_nothing(stack, flights: Flights):
    stack.put("daily_flights/date=2013-02-30/flights.csv", f"{HEADER}\nAA,1,2,3,4\n")
    stack.put("invoices/2013.csv", "a,b\n1,2\n")
    folder, count = flights(date(2013, 2, 13))
    stack.land(folder)
    stack.wait()
    stack.wait_until_idle()
    told = "\n".join(alert["message"] for alert in stack.alerts("unknown_key"))
    assert "daily_flights/date=2013-02-30/flights.csv: 2013-02-30 is not a day of the calendar" in told
    assert "invoices/2013.csv: no feed lands here" in told
    assert len(day_rows(stack, "2013-02-13")) == count


def test_a_backfill_takes_a_range_in_one_run(stack, flights: Flights):
    client = DagsterClient.of(stack.settings)
    client.set_sensor("landing_sensor", running=False)
    try:
        for day in (14, 15, 16):
            stack.land(flights(date(2013, 2, day))[0])
        stack.run("backfill", "flights", "--from", "2013-02-14", "--to", "2013-02-16", "--wait")
    finally:
        client.set_sensor("landing_sensor", running=True)
    entries = stack.query(
        "SELECT run_id, glue_job_run_id FROM airlines.ingested_files "
        "WHERE partition_date BETWEEN '2013-02-14' AND '2013-02-16'"
    )
    assert len(entries) == 3
    assert len({entry["run_id"] for entry in entries}) == 1
    assert len({entry["glue_job_run_id"] for entry in entries}) == 1


# The run is Dagster's own here, with the warnings it gives about itself.
@pytest.mark.filterwarnings("default")
def test_loading_a_day_five_times_gives_the_same_table(stack, flights: Flights, monkeypatch):
    stack.land(flights(date(2013, 2, 17))[0])
    stack.wait()
    once = day_rows(stack, "2013-02-17")
    monkeypatch.setenv("AIRLINE_HOME", str(stack.home))
    get_settings.cache_clear()
    try:
        for _ in range(5):
            with DagsterInstance.ephemeral() as instance:
                done = materialize(
                    flights_assets,
                    partition_key="2013-02-17",
                    resources=resources(get_settings()),
                    instance=instance,
                )
            assert done.success
            assert day_rows(stack, "2013-02-17") == once
    finally:
        get_settings.cache_clear()
    assert len(ledger(stack, "daily_flights/date=2013-02-17/flights.csv")) == 1


def test_a_glue_script_that_raises_fails_the_run_which_tells_its_reason_once(stack, flights: Flights):
    s3 = stack.client("s3")
    script = {"Bucket": stack.settings.lake_bucket, "Key": "glue_jobs/flights_job.py"}
    good = s3.get_object(**script)["Body"].read()
    s3.put_object(**script, Body=b"raise ValueError('the runway is closed')\n")
    try:
        folder, count = flights(date(2013, 2, 18))
        stack.land(folder)
        done = stack.run("wait", "--timeout", "90", check=False)
    finally:
        s3.put_object(**script, Body=good)
    assert done.returncode == 1
    assert "date=2013-02-18/flights.csv" in done.stderr
    every = [alert for alert in stack.alerts("failed") if "2013-02-18" in alert["message"]]
    # The reconciliation may have asked again by now; that run failed too.
    assert len({alert["run_id"] for alert in every}) == len(every)
    told = every[0]
    assert "Step:      flights_enriched" in told["message"]
    assert "ValueError: the runway is closed" in told["message"]
    assert "What to do:" in told["message"]
    # The next good run works without anybody cleaning up.
    stack.run("backfill", "flights", "--from", "2013-02-18", "--to", "2013-02-18", "--wait")
    assert len(day_rows(stack, "2013-02-18")) == count


def test_the_catalog_has_the_landed_table_with_a_partition_per_day(stack, flights: Flights):
    stack.land(flights(date(2013, 2, 19))[0])
    stack.wait()
    glue, database = stack.client("glue"), stack.settings.glue_database
    table = glue.get_table(DatabaseName=database, Name="landing_daily_flights")["Table"]
    names = [column["Name"].lower() for column in table["StorageDescriptor"]["Columns"]]
    assert names == HEADER.lower().split(",")
    found = glue.get_partition(
        DatabaseName=database, TableName="landing_daily_flights", PartitionValues=["2013-02-19"]
    )["Partition"]
    assert found["StorageDescriptor"]["Location"].endswith("daily_flights/date=2013-02-19/")


@pytest.mark.parametrize(
    "sql", [f"DELETE FROM {FACT}", f"COMMIT; DELETE FROM {FACT}", f"SELECT 1; DELETE FROM {FACT}"]
)
def test_a_query_may_only_read(stack, sql: str):
    before = stack.query(f"SELECT COUNT(*) AS rows FROM {FACT}")
    done = stack.run("query", sql, check=False)
    assert done.returncode == 2
    assert "expected one read-only query" in done.stderr
    assert stack.query(f"SELECT COUNT(*) AS rows FROM {FACT}") == before


def test_status_tells_what_is_loaded(stack, flights: Flights):
    stack.land(flights(date(2013, 12, 30))[0])
    stack.wait()
    status = stack.json("status")
    assert {component["state"] for component in status["components"]} == {"running"}
    assert set(status["sensors"].values()) == {"RUNNING"}
    (flown,) = [feed for feed in status["feeds"] if feed["feed"] == "flights"]
    assert flown["newest"] == "2013-12-30"
    assert flown["loaded"] >= 1


def test_every_loaded_file_balances(stack):
    assert stack.query(
        "SELECT COUNT(*) AS files FROM airlines.ingested_files "
        "WHERE state = 'loaded' AND rows_read <> rows_loaded + rows_rejected"
    ) == [{"files": 0}]


def read_lake(stack: Any, prefix: str) -> str:
    s3, bucket = stack.client("s3"), stack.settings.lake_bucket
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    return "\n".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys)
