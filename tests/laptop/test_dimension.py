"""A dimension is replaced as a whole, and loses no row whose file is gone: a gateway and a warehouse."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from dagster import DagsterInstance, materialize
from pyarrow import parquet

from airline_platform.contract.feed import WHOLE
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.ingest.deleted_sources import forget
from assets.ingest.feed_assets import FEED_ASSETS
from assets.ingest.handover import MadeDay, RowCount, get_made, put_made
from assets.ingest.sinks.dimension import snapshot_folder
from assets.marts.declarations import MARTS
from assets.marts.replacement import replace_days
from resources.acceptance.landed import LandedObject
from resources.aws.client import make_client
from resources.lake import Lake
from resources.landing import Landing
from resources.topic import Notifier
from resources.warehouse.migration import apply_schema
from resources.warehouse.own_tables import ALERT_OUTBOX, INGESTED_FILES
from resources.warehouse.resource import Warehouse

(DIMENSION,) = [found for found in FEED_ASSETS if found.node_def.name == AIRPORTS.last_asset]
TABLE = AIRPORTS.table.qualified_name
FIRST = datetime(2013, 2, 1, tzinfo=UTC)
MONDAY = "2013-02-04"
TYPES = {"string": pa.string(), "bigint": pa.int64(), "timestamp": pa.timestamp("us")}

Row = tuple[int, str]
"""Id and name of an airport."""


@dataclass(frozen=True)
class File:
    """A landed file of airports: its name, how many days after the first it landed, its rows."""

    name: str
    rows: tuple[Row, ...]
    days: int = 0
    etag: str = "e1"

    @property
    def landed(self) -> LandedObject:
        key = AIRPORTS.key(f"{self.name}.csv", None)
        at = FIRST + timedelta(days=self.days)
        return LandedObject(get_settings().landing_bucket, key, None, self.etag, 1, at)

    @property
    def typed(self) -> list[dict[str, Any]]:
        found = self.landed
        whence = {"landed_at": found.landed_at.replace(tzinfo=None), "source_file": found.url}
        return [
            {"airport_id": number, "city": f"City {name}", "state": "NY", "name": name, **whence}
            | {"source_line": line}
            for line, (number, name) in enumerate(self.rows, 2)
        ]


def lake() -> Lake:
    return Lake.of(get_settings())


def landing() -> Landing:
    return Landing.of(get_settings())


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """With its tables, and nothing in them or in the landing bucket."""
    facts = [table for feed in FEEDS.values() for table in feed.tables]
    with server.transaction() as session:
        for table in (*facts, *(mart.table for mart in MARTS.values()), INGESTED_FILES, ALERT_OUTBOX):
            session.execute(f"DELETE FROM {table.qualified_name}")
    s3 = make_client(get_settings(), "s3")
    for it in landing().versions(AIRPORTS):
        s3.delete_object(Bucket=landing().bucket, Key=it.key)
    return server


def make(*files: File, short: int = 0, lost: int = 0) -> None:
    """Put airports into the lake as the Glue job leaves them.

    Args:
        files: What it read.
        short: Rows of each that it wrote and has not reported.
        lost: Rows of each that it reports as read, and neither as loaded nor as rejected.
    """
    schema = pa.schema([(column.name, TYPES[column.type]) for column in AIRPORTS.table.columns])
    sink = io.BytesIO()
    rows = [row for file in files for row in file.typed]
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    uri = lake().put_bytes("enriched/airports/date=all/a.parquet", sink.getvalue())
    entry = {"url": uri, "mandatory": True, "meta": {"content_length": len(sink.getvalue())}}
    counts = [RowCount(len(it.rows) - short + lost, len(it.rows) - short, 0) for it in files]
    landed = tuple(zip((it.landed for it in files), counts, strict=True))
    put_made(lake(), AIRPORTS.made_asset, [WHOLE], {WHOLE: MadeDay("jr_1", (entry,), landed)})


def load() -> tuple[bool, dict[str, Any]]:
    """Settle what was made; return whether that succeeded, and what the materialization shows."""
    given = {
        "landing": landing(),
        "lake": lake(),
        "notifier": Notifier.of(get_settings()),
        "warehouse": Warehouse.of(get_settings()),
    }
    with DagsterInstance.ephemeral() as instance:
        done = materialize([DIMENSION], instance=instance, resources=given, raise_on_error=False)
        made = done.get_asset_materialization_events()
    shown = made[0].materialization.metadata if made else {}
    return done.success, {name: value.value for name, value in shown.items()}


def settled(*files: File) -> None:
    make(*files)
    assert load()[0]


def there(warehouse: Warehouse) -> dict[int, str]:
    return {
        row["airport_id"]: row["name"] for row in warehouse.query(f"SELECT airport_id, name FROM {TABLE}")
    }


def verdicts(warehouse: Warehouse) -> dict[str, str]:
    sql = "SELECT key, etag, state FROM airlines.ingested_files"
    return {f"{row['key'].rpartition('/')[2]} {row['etag']}": row["state"] for row in warehouse.query(sql)}


def snapshot() -> list[dict[str, Any]]:
    key = f"{snapshot_folder(AIRPORTS)}{AIRPORTS.table.name}.parquet"
    body = make_client(get_settings(), "s3").get_object(Bucket=lake().bucket, Key=key)["Body"].read()
    return parquet.read_table(io.BytesIO(body)).to_pylist()


@pytest.mark.parametrize("turned", [False, True])
def test_of_several_files_with_an_airport_the_one_that_landed_last_counts(
    warehouse: Warehouse, turned: bool
) -> None:
    files = [
        File("b", ((1, "oldest"), (2, "only here")), days=0),
        File("c", ((1, "newest"), (3, "of c")), days=2),
        File("a", ((1, "between"), (3, "older")), days=1),
    ]

    settled(*(reversed(files) if turned else files))

    assert there(warehouse) == {1: "newest", 2: "only here", 3: "of c"}
    assert verdicts(warehouse) == {f"{name}.csv e1": "loaded" for name in "abc"}


def test_what_landed_at_once_is_told_apart_by_name_and_within_a_file_the_later_line_counts(
    warehouse: Warehouse,
) -> None:
    settled(File("a", ((1, "of a"), (2, "first"), (2, "last"))), File("b", ((1, "of b"),)))

    assert there(warehouse) == {1: "of b", 2: "last"}


def test_rows_stay_whose_file_is_gone_until_another_file_has_them_or_they_are_let_go(
    warehouse: Warehouse,
) -> None:
    settled(File("a", ((1, "of a"), (2, "of a"))), File("b", ((3, "of b"), (4, "of b")), days=1))

    settled(File("b", ((3, "of b"), (2, "now of b")), days=2, etag="e2"))
    # The rows of a stay but for what b has; the row that b has no more is gone.
    assert there(warehouse) == {1: "of a", 2: "now of b", 3: "of b"}

    told = forget(File("a", ()).landed.key, landing(), warehouse, lake())
    assert told == "The next load of airports is without its rows."
    settled(File("b", ((3, "of b"), (2, "now of b")), days=2, etag="e2"))
    assert there(warehouse) == {2: "now of b", 3: "of b"}


def test_where_every_file_is_there_all_old_rows_go(warehouse: Warehouse) -> None:
    settled(File("a", ((1, "one"), (2, "two"))))
    settled(File("a", ((2, "zwei"), (3, "drei")), days=1, etag="e2"))

    assert there(warehouse) == {2: "zwei", 3: "drei"}
    assert verdicts(warehouse) == {"a.csv e1": "superseded", "a.csv e2": "loaded"}


@pytest.fixture
def of_before(warehouse: Warehouse) -> Iterator[Warehouse]:
    """A dimension as it was before its rows said where they came from, brought to what is declared now."""
    before = replace(AIRPORTS.table, columns=AIRPORTS.table.columns[:4], sort_key=())
    files = (File("a", ((1, "of a"), (2, "of a"))), File("b", ((2, "of b"), (3, "of b")), days=1))
    settled(*files)
    with warehouse.transaction() as session:
        session.execute(f"ALTER TABLE {TABLE} RENAME TO as_declared")
    apply_schema(get_settings(), [before])
    with warehouse.transaction() as session:
        rows = {row["airport_id"]: row for file in files for row in file.typed}
        session.insert(before, [{name: row[name] for name in before.column_names} for row in rows.values()])
    apply_schema(get_settings(), [AIRPORTS.table])
    yield warehouse
    with warehouse.transaction() as session:
        session.execute(f"DROP TABLE {TABLE}")
        session.execute("ALTER TABLE airlines.as_declared RENAME TO dim_airport_codes")


def test_after_an_upgrade_no_row_is_lost_when_a_file_is_gone(of_before: Warehouse) -> None:
    assert there(of_before) == {1: "of a", 2: "of b", 3: "of b"}

    settled(File("b", ((2, "now of b"), (4, "new")), days=2, etag="e2"))

    # 3 may have been a row of a: it says nowhere that it was one of b.
    assert there(of_before) == {1: "of a", 2: "now of b", 3: "of b", 4: "new"}


def test_after_an_upgrade_with_all_files_there_each_row_says_whence_it_is(of_before: Warehouse) -> None:
    settled(File("a", ((1, "of a"), (2, "of a"))), File("b", ((2, "of b"),), days=1))

    assert there(of_before) == {1: "of a", 2: "of b"}
    (row,) = of_before.query(f"SELECT COUNT(*) AS n FROM {TABLE} WHERE source_file IS NULL")
    assert row["n"] == 0


def test_the_snapshot_has_what_jobs_look_up_and_says_that_it_is_there(warehouse: Warehouse) -> None:
    settled(File("a", ((2, "two"), (1, "one"))))

    assert snapshot() == [
        {"airport_id": number, "city": f"City {name}", "state": "NY", "name": name}
        for number, name in ((1, "one"), (2, "two"))
    ]
    (document,) = lake().get_manifests(AIRPORTS.table.name, [WHOLE]).values()
    assert document["snapshot"].endswith("/dim_airport_codes/dim_airport_codes.parquet")
    assert len(there(warehouse)) == 2


def test_the_snapshot_has_the_rows_of_gone_files_too(warehouse: Warehouse) -> None:
    settled(File("a", ((1, "one"),)), File("b", ((2, "two"),)))
    settled(File("b", ((2, "two"),)))

    assert [row["airport_id"] for row in snapshot()] == sorted(there(warehouse)) == [1, 2]


def sides(airport: int | None, name: str | None) -> dict[str, Any]:
    """Both airports of a row: the one of departure is known, the other has a name or not."""
    of = {"dep_airport": "One", "dep_city": "X", "dep_state": "X", "origin_airport_id": 1}
    arrives = dict.fromkeys(("arr_airport", "arr_city", "arr_state"), name)
    return {**of, **arrives, "dest_airport_id": airport}


def fly(warehouse: Warehouse, flights: Sequence[Row | tuple[int, None]]) -> None:
    """A Monday of flights and a booking to these airports, and the marts of it."""
    day = date.fromisoformat(MONDAY)
    flown = [
        sides(number, name)
        | {"flight_date": day, "carrier": "AA", "dep_delay": 99, "arr_delay": 99}
        | {"source_file": "x", "source_line": 2}
        for number, name in flights
    ]
    at = datetime(2013, 2, 4)  # noqa: DTZ001 - the column has no zone
    booked = [
        sides(number, name)
        | {"file_date": day, "booking_id": f"b{number}", "booked_at": at, "carrier": "AA", "flight_number": 1}
        | {"flight_date": day, "cabin": "ECONOMY", "fare_amount": 1, "currency": "USD", "status": "CONFIRMED"}
        | {"landed_at": at, "source_file": "x", "source_line": 2, "customer_key": None}
        for number, name in flights
    ]
    assert BOOKINGS.latest is not None
    with warehouse.transaction() as session:
        session.insert(FLIGHTS.table, flown)
        session.insert(BOOKINGS.table, booked)
        session.insert(BOOKINGS.latest.table, booked)
        for mart in MARTS.values():
            replace_days(session, mart, [MONDAY] if mart.table.partition_column else [])


def arrivals(warehouse: Warehouse, table: str) -> dict[int, str | None]:
    rows = warehouse.query(f"SELECT DISTINCT dest_airport_id, arr_city FROM airlines.{table}")
    return {row["dest_airport_id"]: row["arr_city"] for row in rows}


def test_what_lacked_an_airport_gets_it_in_facts_latest_rows_and_marts(warehouse: Warehouse) -> None:
    fly(warehouse, [(2, None), (3, None), (4, "Known")])
    make(File("a", ((2, "two"), (4, "corrected"), (5, "five"))))

    success, shown = load()

    assert success
    filled = {2: "City two", 3: None, 4: "Known"}
    for table in ("daily_flights_processed", "fact_booking_status", "fact_bookings", "long_delays"):
        assert arrivals(warehouse, table) == filled, table
    sql = "SELECT airport_id, city FROM airlines.airport_daily_delays WHERE airport_id > 1"
    assert {row["airport_id"]: row["city"] for row in warehouse.query(sql)} == filled
    # One row each of flights, bookings, and latest bookings.
    assert shown["rows_healed"] == 3
    assert (shown["rows_read"], shown["rows_loaded"], shown["dagster/row_count"]) == (3, 3, 3)


def test_a_file_that_was_overwritten_meanwhile_is_left_to_its_newer_versions_run(
    warehouse: Warehouse,
) -> None:
    settled(File("a", ((1, "one"),)))
    make(File("a", ((2, "two"),), days=1, etag="e2"))
    make_client(get_settings(), "s3").put_object(
        Bucket=landing().bucket, Key=File("a", ()).landed.key, Body=b"newer still"
    )

    success, _ = load()

    assert not success
    assert there(warehouse) == {1: "one"}
    assert verdicts(warehouse) == {"a.csv e1": "loaded"}
    assert [row["name"] for row in snapshot()] == ["one"]


def test_rows_that_the_job_has_not_reported_are_not_loaded_and_no_file_is_blamed(
    warehouse: Warehouse,
) -> None:
    settled(File("a", ((1, "one"),)))
    make(File("a", ((1, "eins"), (2, "zwei")), days=1, etag="e2"), short=1)

    success, _ = load()

    assert not success
    assert there(warehouse) == {1: "one"}
    assert verdicts(warehouse) == {"a.csv e1": "loaded"}
    assert not warehouse.query("SELECT message FROM airlines.alert_outbox WHERE event = 'refused'")


def test_a_load_that_is_rolled_back_leaves_the_snapshot_of_the_rows_that_stand(warehouse: Warehouse) -> None:
    settled(File("a", ((1, "one"),)))
    make(File("a", ((1, "eins"), (2, "zwei")), days=1, etag="e2"), lost=1)  # the ledger takes no such entry

    success, _ = load()

    assert not success
    assert there(warehouse) == {1: "one"}
    assert [row["name"] for row in snapshot()] == ["one"]


def test_a_load_again_changes_nothing_but_the_alert(warehouse: Warehouse) -> None:
    settled(File("a", ((1, "one"), (2, "two"))))
    before = warehouse.query(f"SELECT * FROM {TABLE} ORDER BY airport_id")

    assert load()[0]

    assert warehouse.query(f"SELECT * FROM {TABLE} ORDER BY airport_id") == before
    assert verdicts(warehouse) == {"a.csv e1": "loaded"}
    assert list(get_made(lake(), AIRPORTS.made_asset, [WHOLE])[0]) == [WHOLE]
