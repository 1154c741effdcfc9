"""From the landed file to the fact table and the alert, over HTTP against a whole laptop stack."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, materialize

from airline_platform.definitions import resources
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.ingest.feed_assets import assets_of
from command.demo.new_york import write_flights

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


@dataclass(frozen=True)
class Story:
    """What these tests land at once, and what was there before some of it landed again.

    Args:
        folder: What landed first.
        counts: Flights of each day of it.
        neighbour: Rows of the day beside one that was changed, before that.
        seventh: The ledger's rows of the seventh's file, before its bytes landed again.
    """

    folder: Path
    counts: dict[int, int]
    neighbour: list[dict[str, Any]]
    seventh: list[dict[str, Any]]


TWO_KINDS = "daily_flights/date=2013-02-11/two kinds+ü.csv"
SIXTH, SEVENTH, DIRTY, CHANGED = (
    f"daily_flights/date=2013-02-{day}/flights.csv" for day in ("06", "07", "08", "09")
)


@pytest.fixture(scope="module")
def story(stack: Any, airports: None, tmp_path_factory: pytest.TempPathFactory) -> Story:  # noqa: ARG001
    """Two weeks land, then a few of their files once more: a run takes what lies beside each other."""
    folder = tmp_path_factory.mktemp("flights")
    counts = write_flights(folder, [date(2013, 2, day) for day in (1, *range(3, 11), 13)])
    counts |= write_flights(folder, [date(2013, 2, 2)], layout="flat")
    write_flights(folder, [date(2013, 12, 30)])
    good = ["B6,12478,99999,,", "B6,12478,12892,4,5"] * 10
    with stack.nobody_listening():
        stack.land(folder)
        stack.put(TWO_KINDS, "\n".join([HEADER, *good, "B6,12478,nowhere,1,2"]) + "\n")
        stack.put("daily_flights/date=2013-02-12/good.csv", f"{HEADER}\nAA,12478,12892,7,3\n")
        stack.put("daily_flights/date=2013-02-12/bad.csv", "Carrier;Origin\nAA;1\n")
        stack.put("daily_flights/date=2013-02-30/flights.csv", f"{HEADER}\nAA,1,2,3,4\n")
        stack.put("invoices/2013.csv", "a,b\n1,2\n")
    stack.wait()
    before = day_rows(stack, "2013-02-10"), ledger(stack, SEVENTH)
    with stack.nobody_listening():
        stack.put(SIXTH, f"{HEADER}\n" + "AA,12478,12892,99999,3\n" * 10)
        stack.put(SEVENTH, (folder / SEVENTH).read_text())
        stack.put(DIRTY, f"{HEADER}\nAA,12478,12892,7,3\nAA,x,y,7,3\n")
        stack.put(CHANGED, f"{HEADER}\nAA,12478,12892,7,-3\n")
    stack.wait()
    stack.wait_until_idle()
    return Story(folder, {day.day: count for day, count in counts.items()}, *before)


def test_a_landed_day_becomes_rows_with_both_airports_spelled_out_and_is_told(stack, story: Story):
    rows = day_rows(stack, "2013-02-01")
    assert len(rows) == story.counts[1]
    assert {row["dep_city"] for row in rows} <= {"New York", "Newark"}
    assert all(row["arr_airport"] for row in rows)
    (told,) = [alert for alert in stack.alerts("loaded") if "2013-02-01 to" in alert["subject"]]
    loaded = sum(story.counts.values()) + 20 + 1
    assert told["subject"].endswith(f"{loaded:,} rows")
    assert "Rejected:  1 rows" in told["message"]
    assert "Duration:" in told["message"]


def test_the_flat_layout_lands_in_its_day_too(stack, story: Story):
    assert len(day_rows(stack, "2013-02-02")) == story.counts[2]
    (entry,) = ledger(stack, "daily_flights/2013-02-02.csv")
    assert (entry["state"], entry["rows_read"], entry["rows_loaded"]) == ("loaded", *[story.counts[2]] * 2)


@pytest.mark.usefixtures("story")
def test_many_days_at_once_become_one_run(stack):
    assert stack.query(
        "SELECT COUNT(DISTINCT run_id) AS runs, COUNT(DISTINCT glue_job_run_id) AS jobs, COUNT(*) AS files "
        "FROM airlines.ingested_files WHERE partition_date BETWEEN '2013-02-03' AND '2013-02-05'"
    ) == [{"runs": 1, "jobs": 1, "files": 3}]


def test_the_same_bytes_again_start_no_run(stack, story: Story):
    assert len(story.seventh) == 1
    assert ledger(stack, SEVENTH) == story.seventh
    assert len(day_rows(stack, "2013-02-07")) == story.counts[7]


def test_a_changed_file_replaces_the_rows_of_its_day_and_no_others(stack, story: Story):
    (row,) = day_rows(stack, "2013-02-09")
    assert (row["carrier"], row["dep_delay"], row["arr_delay"]) == ("AA", 7, -3)
    assert day_rows(stack, "2013-02-10") == story.neighbour
    assert len(story.neighbour) == story.counts[10]
    assert [entry["state"] for entry in ledger(stack, CHANGED)] == ["superseded", "loaded"]


@pytest.mark.usefixtures("story")
def test_unknown_airports_are_kept_and_bad_rows_are_rejected_with_their_reason(stack):
    rows = day_rows(stack, "2013-02-11")
    assert len(rows) == 20
    assert sum(row["arr_airport"] is None for row in rows) == 10
    (entry,) = ledger(stack, TWO_KINDS)
    assert (entry["rows_read"], entry["rows_loaded"], entry["rows_rejected"]) == (21, 20, 1)
    rejects = read_lake(stack, "rejects/flights/date=2013-02-11/")
    assert "nowhere" in rejects
    assert '"line_number":22' in rejects
    assert "expected a whole number" in rejects


def test_a_day_with_too_many_bad_rows_keeps_its_old_rows(stack, story: Story):
    assert len(day_rows(stack, "2013-02-08")) == story.counts[8]
    old, new = ledger(stack, DIRTY)
    assert (old["state"], new["state"]) == ("loaded", "rejected")
    assert "found 50.0% of 2" in new["reason"]
    (told,) = [alert for alert in stack.alerts("refused") if DIRTY in alert["message"]]
    assert f"{DIRTY}, line 3: " in told["message"]
    assert "mend them and land the file again" in told["message"]


def test_a_day_whose_delays_cannot_be_true_keeps_its_old_rows(stack, story: Story):
    assert len(day_rows(stack, "2013-02-06")) == story.counts[6]
    assert [entry["state"] for entry in ledger(stack, SIXTH)] == ["loaded", "rejected"]
    (told,) = [alert for alert in stack.alerts("refused") if SIXTH in alert["message"]]
    assert "found 100.0% of 10" in told["message"]
    assert "-180 to 2,880" in told["message"]


@pytest.mark.usefixtures("story")
def test_a_check_that_failed_is_told_and_its_day_is_loaded(stack):
    assert len(day_rows(stack, "2013-02-11")) == 20
    (told,) = [alert for alert in stack.alerts("check_failed") if "2013-02-11" in alert["message"]]
    assert "unknown_airports" in told["message"]
    assert "2013-02-11: found 10 of 20 rows (50.0%) look up unknown airports" in told["message"]


@pytest.mark.usefixtures("story")
def test_a_file_with_a_wrong_header_is_refused_and_the_other_of_the_day_is_loaded(stack):
    assert len(day_rows(stack, "2013-02-12")) == 1
    (entry,) = ledger(stack, "daily_flights/date=2013-02-12/bad.csv")
    assert entry["state"] == "rejected"
    assert HEADER in entry["reason"]
    told = [alert for alert in stack.alerts("refused") if "2013-02-12/bad.csv" in alert["message"]]
    assert len(told) == 1


def test_a_key_no_feed_knows_is_told_and_stops_nothing(stack, story: Story):
    told = "\n".join(alert["message"] for alert in stack.alerts("unknown_key"))
    assert "daily_flights/date=2013-02-30/flights.csv: 2013-02-30 is not a day of the calendar" in told
    assert "invoices/2013.csv: no feed lands here" in told
    assert len(day_rows(stack, "2013-02-13")) == story.counts[13]


# The run is Dagster's own here, with the warnings it gives about itself.
@pytest.mark.filterwarnings("default")
def test_loading_a_day_again_and_again_gives_the_same_table(stack, story: Story, monkeypatch):
    once = day_rows(stack, "2013-02-13")
    assert len(once) == story.counts[13]
    monkeypatch.setenv("AIRLINE_HOME", str(stack.home))
    get_settings.cache_clear()
    try:
        for _ in range(3):
            with DagsterInstance.ephemeral() as instance:
                done = materialize(
                    assets_of(FLIGHTS),
                    partition_key="2013-02-13",
                    resources=resources(get_settings()),
                    instance=instance,
                )
            assert done.success
            assert day_rows(stack, "2013-02-13") == once
    finally:
        get_settings.cache_clear()
    assert len(ledger(stack, "daily_flights/date=2013-02-13/flights.csv")) == 1


def test_a_glue_script_that_raises_fails_the_run_which_tells_its_reason_once(stack, flights: Flights):
    s3 = stack.client("s3")
    script = {"Bucket": stack.settings.lake_bucket, "Key": "glue_jobs/feed_job.py"}
    good = s3.get_object(**script)["Body"].read()
    s3.put_object(**script, Body=b"raise ValueError('the runway is closed')\n")
    try:
        folder, count = flights(date(2013, 2, 18))
        stack.land(folder)
        stack.until(lambda: failures(stack, "2013-02-18"))
        stack.wait_until_idle()
    finally:
        s3.put_object(**script, Body=good)
    done = stack.run("wait", "--timeout", "1", check=False)
    assert done.returncode == 1
    assert "date=2013-02-18/flights.csv" in done.stderr
    every = failures(stack, "2013-02-18")
    # The reconciliation may have asked again by now; that run failed too.
    assert len({alert["run_id"] for alert in every}) == len(every)
    told = every[0]
    assert "Step:      flights_enriched" in told["message"]
    assert "ValueError: the runway is closed" in told["message"]
    assert "What to do:" in told["message"]
    # The next good run works without anybody cleaning up.
    stack.launch(FLIGHTS, "2013-02-18", "2013-02-18")
    stack.until(lambda: day_rows(stack, "2013-02-18"))
    assert len(day_rows(stack, "2013-02-18")) == count


def failures(stack: Any, day: str) -> list[dict[str, Any]]:
    return [alert for alert in stack.alerts("failed") if day in alert["message"]]


@pytest.mark.usefixtures("story")
def test_the_catalog_has_the_landed_table_with_a_partition_per_day(stack):
    glue, database = stack.client("glue"), stack.settings.glue_database
    table = glue.get_table(DatabaseName=database, Name="landing_daily_flights")["Table"]
    names = [column["Name"].lower() for column in table["StorageDescriptor"]["Columns"]]
    assert names == HEADER.lower().split(",")
    found = glue.get_partition(
        DatabaseName=database, TableName="landing_daily_flights", PartitionValues=["2013-02-01"]
    )["Partition"]
    assert found["StorageDescriptor"]["Location"].endswith("daily_flights/date=2013-02-01/")


@pytest.mark.parametrize(
    "sql", [f"DELETE FROM {FACT}", f"COMMIT; DELETE FROM {FACT}", f"SELECT 1; DELETE FROM {FACT}"]
)
def test_a_query_may_only_read(stack, sql: str):
    before = stack.query(f"SELECT COUNT(*) AS rows FROM {FACT}")
    done = stack.run("query", sql, check=False)
    assert done.returncode == 2
    assert "expected one read-only query" in done.stderr
    assert stack.query(f"SELECT COUNT(*) AS rows FROM {FACT}") == before


@pytest.mark.usefixtures("story")
def test_status_tells_what_is_loaded(stack):
    status = stack.json("status")
    assert {component["state"] for component in status["components"]} == {"running"}
    assert {name for name, state in status["sensors"].items() if state == "RUNNING"} == {
        "landing_sensor",
        "reconciliation_sensor",
        "alert_sensor",
    }
    (flown,) = [feed for feed in status["feeds"] if feed["feed"] == "flights"]
    assert flown["newest"] == "2013-12-30"
    assert flown["loaded"] >= 1


@pytest.mark.usefixtures("story")
def test_every_loaded_file_balances(stack):
    loaded = stack.query(
        "SELECT key, rows_read, rows_loaded + rows_rejected AS rows_told FROM airlines.ingested_files "
        "WHERE state = 'loaded'"
    )
    assert {TWO_KINDS, CHANGED, SEVENTH} <= {row["key"] for row in loaded}
    assert [row for row in loaded if row["rows_read"] is None or row["rows_read"] != row["rows_told"]] == []


def read_lake(stack: Any, prefix: str) -> str:
    s3, bucket = stack.client("s3"), stack.settings.lake_bucket
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket, Prefix=prefix)["Contents"]]
    return "\n".join(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() for key in keys)
