"""What becomes of rows whose file is gone, by design or not: a gateway and a warehouse, nothing else."""

from datetime import UTC, datetime, timedelta

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import get_settings
from assets.ingest.deleted_sources import forget, note_gone
from resources.acceptance.landed import LandedObject
from resources.aws.client import make_client
from resources.lake import Lake
from resources.landing import Landing
from resources.warehouse import ledger
from resources.warehouse.resource import Warehouse

KEPT = timedelta(days=30)


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    return server


def load(warehouse: Warehouse, feed: Feed, day: str, name: str, age: timedelta) -> str:
    """The ledger's row of a loaded file that landed a while ago and is no more; return its key."""
    key = f"{feed.prefix}date={day}/{name}"
    landed = LandedObject(get_settings().landing_bucket, key, day, f"etag {key}", 1, datetime.now(UTC) - age)
    with warehouse.transaction() as session:
        ledger.record(session, [ledger.Entry.of(landed, feed=feed.name, run_id="r", state="loaded")])
    return key


def verdict(warehouse: Warehouse, key: str) -> tuple[str, str | None]:
    sql = "SELECT state, reason FROM airlines.ingested_files WHERE key = %(key)s"
    (row,) = warehouse.query(sql, {"key": key})
    return row["state"], row["reason"]


def alerts_about(warehouse: Warehouse, key: str) -> int:
    sql = "SELECT alert_id FROM airlines.alert_outbox WHERE event = 'gone' AND message LIKE %(key)s"
    return len(warehouse.query(sql, {"key": f"%{key}%"}))


def fill(day: str, objects: int) -> None:
    s3 = make_client(get_settings(), "s3")
    for n in range(objects):
        s3.put_object(
            Bucket=get_settings().lake_bucket,
            Key=f"shipments_normalized/date={day}/part-{n}.parquet",
            Body=b"x",
        )


def objects_of(day: str) -> int:
    (entries,) = Lake.of(get_settings()).list_files([f"shipments_normalized/date={day}/"]).values()
    return len(entries)


def test_what_expired_is_marked_and_only_what_is_lost_is_told(warehouse: Warehouse) -> None:
    expired = load(warehouse, SHIPMENTS, "2013-01-01", "a.json", KEPT)
    lost = load(warehouse, SHIPMENTS, "2013-01-02", "a.json", KEPT - timedelta(days=2))
    flights = load(warehouse, FLIGHTS, "2013-01-01", "a.csv", 2 * KEPT)
    keys = [expired, lost, flights]

    assert sorted(note_gone(keys, Landing.of(get_settings()), warehouse)) == sorted(keys)

    stays = "the source is gone from the landing bucket; its rows stay"
    assert verdict(warehouse, lost) == verdict(warehouse, flights) == ("loaded", stays)
    assert verdict(warehouse, expired) == (
        "loaded",
        "the source has expired after 30 days, as its feed declares; its rows stay",
    )
    assert [alerts_about(warehouse, key) for key in keys] == [0, 1, 1]
    assert note_gone(keys, Landing.of(get_settings()), warehouse) == []


def test_a_day_of_the_lake_is_emptied_when_its_last_file_is_forgotten(warehouse: Warehouse) -> None:
    first = load(warehouse, SHIPMENTS, "2013-02-01", "a.json", KEPT)
    second = load(warehouse, SHIPMENTS, "2013-02-01", "b.json", KEPT)
    fill("2013-02-01", 3)
    fill("2013-02-02", 1)

    left = forget(first, Landing.of(get_settings()), warehouse, Lake.of(get_settings()))
    assert "airline backfill shipments --from 2013-02-01 --to 2013-02-01" in left
    assert objects_of("2013-02-01") == 3

    told = forget(second, Landing.of(get_settings()), warehouse, Lake.of(get_settings()))
    assert told == "The rows of 2013-02-01 are gone: 3 objects of shipments_normalized removed from the lake."
    assert (objects_of("2013-02-01"), objects_of("2013-02-02")) == (0, 1)
    assert verdict(warehouse, second)[0] == "superseded"


def test_more_objects_than_one_call_deletes_are_removed(warehouse: Warehouse) -> None:
    assert warehouse.query("SELECT 1 AS one")
    fill("2013-03-01", 1001)

    assert Lake.of(get_settings()).remove("shipments_normalized/date=2013-03-01/") == 1001
    assert objects_of("2013-03-01") == 0
    assert Lake.of(get_settings()).remove("shipments_normalized/date=2013-03-01/") == 0
