"""Verdicts on refused files in a real ledger: one a version, told once, and never in place of rows."""

from dataclasses import replace
from datetime import UTC, date, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dagster import DagsterRun

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.ingest.refusals import Refusal, blocked_days, record_refusals
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject
from resources.aws.client import make_client
from resources.landing import Landing
from resources.warehouse import ledger
from resources.warehouse.own_tables import ALERT_OUTBOX, INGESTED_FILES
from resources.warehouse.resource import Warehouse

DAY = "2013-02-04"
KEY = FLIGHTS.key("a.csv", date(2013, 2, 4))
LANDED_AT = datetime(2013, 2, 10, tzinfo=UTC)


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """With an empty ledger and outbox, and the newest version of a file in the landing bucket."""
    with server.transaction() as session:
        for table in (INGESTED_FILES, ALERT_OUTBOX):
            session.execute(f"DELETE FROM {table.qualified_name}")
    make_client(get_settings(), "s3").put_object(
        Bucket=get_settings().landing_bucket, Key=KEY, Body=b"newest"
    )
    return server


def newest() -> LandedObject:
    """As S3 has the file now."""
    (version,) = [
        it for it in Landing.of(get_settings()).versions(FLIGHTS, [DAY]) if it.current and it.key == KEY
    ]
    return LandedObject(
        get_settings().landing_bucket, KEY, DAY, version.etag, 1, LANDED_AT, version.version_id
    )


def step(warehouse: Warehouse) -> Step:
    """A run of flights, as far as a verdict needs one."""
    has = SimpleNamespace(warehouse=warehouse, landing=Landing.of(get_settings()))
    run = DagsterRun(job_name="flights_job")
    return Step(cast("Any", SimpleNamespace(run=run, resources=has)), FLIGHTS)


def refuse(warehouse: Warehouse, file: LandedObject, why: str = "no", **others: Any) -> None:
    refusals = [Refusal.because(file, why, rows=3)]
    record_refusals(step(warehouse), [DAY], refusals, **others)


def load(warehouse: Warehouse, file: LandedObject) -> None:
    counts = {"rows_read": 3, "rows_loaded": 3, "rows_rejected": 0}
    with warehouse.transaction() as session:
        ledger.record(session, [ledger.Entry.of(file, feed="flights", run_id="r", state="loaded", **counts)])


def verdicts(warehouse: Warehouse) -> list[tuple[str, str | None]]:
    rows = warehouse.query("SELECT state, reason FROM airlines.ingested_files ORDER BY state")
    return [(row["state"], row["reason"]) for row in rows]


def alerts(warehouse: Warehouse) -> list[str]:
    rows = warehouse.query("SELECT message FROM airlines.alert_outbox WHERE event = 'refused'")
    return [row["message"] for row in rows]


def test_a_version_is_told_once_however_many_runs_refuse_it(warehouse: Warehouse) -> None:
    for why in ("the job fails over it", "the job fails over it", "another reason"):
        refuse(warehouse, newest(), why)

    assert verdicts(warehouse) == [("rejected", "another reason")]
    (message,) = alerts(warehouse)
    assert f"{KEY}, the job fails over it" in message


def test_a_newer_version_is_told_anew(warehouse: Warehouse) -> None:
    refuse(warehouse, newest())
    make_client(get_settings(), "s3").put_object(
        Bucket=get_settings().landing_bucket, Key=KEY, Body=b"newer still"
    )
    refuse(warehouse, newest())

    assert len(alerts(warehouse)) == 2
    assert [state for state, _ in verdicts(warehouse)] == ["rejected", "superseded"]


def test_a_version_that_was_overwritten_meanwhile_gets_neither_verdict_nor_alert(
    warehouse: Warehouse,
) -> None:
    old = newest()
    make_client(get_settings(), "s3").put_object(
        Bucket=get_settings().landing_bucket, Key=KEY, Body=b"newer still"
    )
    refuse(warehouse, old)

    assert (verdicts(warehouse), alerts(warehouse)) == ([], [])


def test_a_version_whose_rows_stand_keeps_its_verdict(warehouse: Warehouse) -> None:
    load(warehouse, newest())
    refuse(warehouse, newest())

    assert verdicts(warehouse) == [("loaded", None)]


def test_a_file_that_waits_because_of_a_refused_one_is_told_once(warehouse: Warehouse) -> None:
    other = replace(newest(), key=KEY.replace("a.csv", "b.csv"))
    for _ in range(3):
        refuse(warehouse, newest(), blocked={DAY: "the day keeps its rows"}, waiting=[other])

    refused, kept = sorted(alerts(warehouse))
    assert KEY in refused
    assert "the day keeps its rows" in kept


def test_where_nothing_waits_the_refusal_says_all(warehouse: Warehouse) -> None:
    refuse(warehouse, newest(), blocked={DAY: "the day keeps its rows"})

    assert len(alerts(warehouse)) == 1


def test_a_day_that_lacks_a_file_is_told_once(warehouse: Warehouse) -> None:
    for _ in range(2):
        record_refusals(step(warehouse), [DAY], [], blocked={DAY: "the day keeps its rows"})

    assert len(alerts(warehouse)) == 1


def test_a_day_keeps_the_rows_of_a_file_whose_newer_version_is_refused(warehouse: Warehouse) -> None:
    older = LandedObject(get_settings().landing_bucket, KEY, DAY, "older", 1, LANDED_AT, "v0")
    load(warehouse, older)

    blocked = blocked_days(warehouse, FLIGHTS, [DAY], [newest()])

    assert "has a newer version that was refused" in blocked[DAY]


def test_a_day_keeps_the_rows_of_a_file_that_would_not_be_loaded_again(warehouse: Warehouse) -> None:
    load(warehouse, newest())

    assert "is refused by now" in blocked_days(warehouse, FLIGHTS, [DAY], [newest()])[DAY]


def test_a_file_is_missed_only_where_all_files_are_known(warehouse: Warehouse) -> None:
    load(warehouse, newest())

    assert blocked_days(warehouse, FLIGHTS, [DAY], []) == {}
    assert "is gone from the landing bucket" in blocked_days(warehouse, FLIGHTS, [DAY], [], [])[DAY]
    assert blocked_days(warehouse, FLIGHTS, [DAY], [], [newest()]) == {}
