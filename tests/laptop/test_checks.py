"""Checks in the steps that load: a gateway, a warehouse, days by hand, and what each check does with them."""

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckSeverity,
    AssetKey,
    AssetsDefinition,
    DagsterInstance,
    DagsterRun,
    EventLogRecord,
    materialize,
)
from pyarrow import parquet

import assets.ingest.sinks.dimension
import assets.ingest.sinks.lake_table
import assets.marts.assets
from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import get_settings
from assets.checks import measures
from assets.checks.of_feeds import checks_of
from assets.ingest import drift
from assets.ingest.feed_assets import FEED_ASSETS, assets_of
from assets.ingest.handover import MadeDay, RowCount, put_made
from assets.marts.assets import mart_assets
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart
from assets.marts.replacement import replace_days
from resources.acceptance.landed import LandedObject
from resources.athena import Athena, QueryResult
from resources.aws.audited import AwsConfig
from resources.glue import Glue
from resources.lake import Lake
from resources.landing import Landing
from resources.topic import Notifier
from resources.warehouse import ledger
from resources.warehouse.own_tables import ALERT_OUTBOX, INGESTED_FILES
from resources.warehouse.resource import Warehouse
from resources.warehouse.session import Session

LAST = {found.node_def.name: found for found in FEED_ASSETS}
FACT, BOOKINGS_FACT = LAST[FLIGHTS.last_asset], LAST[BOOKINGS.last_asset]
DIMENSION, TOTALS = LAST[AIRPORTS.last_asset], LAST[SHIPMENTS.last_asset]
TABLE = FLIGHTS.table.name
MONDAY, TUESDAY, WEDNESDAY = "2013-02-04", "2013-02-05", "2013-02-06"
WEEK = [f"2013-02-{number:02}" for number in range(4, 11)]
LANDED_AT = datetime(2013, 2, 10, tzinfo=UTC)
RANGE = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")

PASSED, WARNED, FAILED = "passed", "warned", "failed"
FAILURES = {AssetCheckSeverity.WARN: WARNED, AssetCheckSeverity.ERROR: FAILED}


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """With its tables, and nothing in them."""
    facts = [table for feed in FEEDS.values() for table in feed.tables]
    with server.transaction() as session:
        for table in (*facts, *(mart.table for mart in MARTS.values()), INGESTED_FILES, ALERT_OUTBOX):
            session.execute(f"DELETE FROM {table.qualified_name}")
    return server


@dataclass(frozen=True)
class Run:
    """What a run has done, as Dagster has it."""

    success: bool
    evaluations: list[AssetCheckEvaluation]
    made: list[EventLogRecord]

    @property
    def checks(self) -> dict[str, str]:
        return {it.check_name: PASSED if it.passed else FAILURES[it.severity] for it in self.evaluations}

    @property
    def days(self) -> list[str]:
        return sorted(it.partition_key or "" for it in self.made)

    def of(self, check: str) -> str:
        (found,) = (it for it in self.evaluations if it.check_name == check)
        return found.description or ""

    def metadata(self, name: str) -> Any:
        (made,) = self.made
        assert made.asset_materialization is not None
        return made.asset_materialization.metadata[name].value


def run(asset: AssetsDefinition, *days: str, **others: Any) -> Run:
    """Materialize an asset for a day, for all days from the first to the last, or as a whole."""
    given = {
        "landing": Landing.of(get_settings()),
        "lake": Lake.of(get_settings()),
        "notifier": Notifier.of(get_settings()),
        **others,
    }
    given.setdefault("warehouse", Warehouse.of(get_settings()))
    how: dict[str, Any] = {"partition_key": days[0]} if len(days) == 1 else {}
    if len(days) > 1:
        how = {"tags": dict(zip(RANGE, (days[0], days[-1]), strict=True))}
    with DagsterInstance.ephemeral() as instance:
        done = materialize([asset], instance=instance, resources=given, raise_on_error=False, **how)
        made = instance.fetch_materializations(AssetKey(asset.node_def.name), limit=200).records
        return Run(done.success, list(done.get_asset_check_evaluations()), list(made))


def told(warehouse: Warehouse, event: str) -> list[str]:
    sql = "SELECT message FROM airlines.alert_outbox WHERE event = %(event)s ORDER BY created_at"
    return [row["message"] for row in warehouse.query(sql, {"event": event})]


def flight(day: str, number: int, **others: Any) -> dict[str, Any]:
    """A flight unlike any other one of its day."""
    return {
        "flight_date": date.fromisoformat(day),
        "carrier": "AA",
        "origin_airport_id": 1,
        "dest_airport_id": number,
        "dep_airport": "One",
        "arr_airport": "Other",
        **dict.fromkeys(("dep_city", "arr_city", "dep_state", "arr_state"), "X"),
        "dep_delay": 1,
        "arr_delay": 1,
        "source_file": "s3://airline-landing/x.csv",
        "source_line": number + 2,
        **others,
    }


def flights(day: str, rows: int = 100, odd: int = 0, **others: Any) -> list[dict[str, Any]]:
    """A day's flights, of which the first so many are odd."""
    return [flight(day, number, **(others if number < odd else {})) for number in range(rows)]


def booking(
    day: str, number: int, source: str = "s3://airline-landing/x.csv", **others: Any
) -> dict[str, Any]:
    names = {name: "X" for name, _ in (pair for lookup in BOOKINGS.lookups for pair in lookup.filled)}
    return names | {
        "file_date": date.fromisoformat(day),
        "booking_id": f"b{number}",
        "booked_at": datetime(2013, 1, 1),  # noqa: DTZ001 - the column has no zone
        "customer_key": None,
        "carrier": "AA",
        "flight_number": 1,
        "origin_airport_id": 1,
        "dest_airport_id": 2,
        "flight_date": date(2013, 3, 1),
        "cabin": "ECONOMY",
        "fare_amount": Decimal("10.125"),
        "currency": "USD",
        "status": "CONFIRMED",
        "landed_at": datetime(2013, 2, 10),  # noqa: DTZ001
        "source_file": source,
        "source_line": number + 2,
        **others,
    }


TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "decimal": pa.decimal128(14, 3),
}


def landed(feed: Feed, day: str, name: str = "a") -> LandedObject:
    key = f"{feed.prefix}date={day}/{name}.csv"
    return LandedObject(get_settings().landing_bucket, key, day, f"etag of {key}", 1, LANDED_AT)


def write(feed: Feed, day: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put rows into the lake as Parquet; return its entry in a manifest."""
    schema = pa.schema([(column.name, TYPES[column.type]) for column in feed.table.staged_columns])
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    uri = Lake.of(get_settings()).put_bytes(f"enriched/{feed.name}/date={day}/a.parquet", sink.getvalue())
    return {"url": uri, "mandatory": True, "meta": {"content_length": len(sink.getvalue())}}


def enrich(
    feed: Feed,
    day: str,
    rows: Sequence[Mapping[str, Any]],
    rejected: int = 0,
    repeated: int = 0,
    *,
    evolved: tuple[str, ...] = (),
    **version: Any,
) -> None:
    """Put a day into the lake as the Glue job leaves it: Parquet, and what was made of which file."""
    found = replace(landed(feed, day), **version)
    whole = [{**row, "source_file": found.url} for row in rows]
    file = write(drift.grown(feed, evolved), day, whole)
    rejected += repeated
    count = RowCount(len(rows) + rejected, len(rows), rejected, repeated)
    made = MadeDay("jr_1", (file,), ((found, count),), evolved)
    put_made(Lake.of(get_settings()), feed.made_asset, [day], {day: made})


def known(warehouse: Warehouse, feed: Feed, day: str, rows: int, name: str = "earlier") -> None:
    """A file in the ledger, as loaded with so many rows."""
    counts = {"rows_read": rows, "rows_loaded": rows, "rows_rejected": 0}
    entry = ledger.Entry.of(landed(feed, day, name), feed=feed.name, run_id="r", state="loaded", **counts)
    with warehouse.transaction() as session:
        ledger.record(session, [entry])


def count(warehouse: Warehouse, day: str, feed: Feed = FLIGHTS) -> int:
    table = feed.table
    sql = f"SELECT COUNT(*) AS n FROM {table.qualified_name} WHERE {table.partition_column} = %(day)s"
    (row,) = warehouse.query(sql, {"day": day})
    return int(row["n"])


def test_a_day_that_is_as_it_should_be_passes_every_check_and_shows_its_numbers(warehouse: Warehouse) -> None:
    enrich(FLIGHTS, MONDAY, flights(MONDAY), rejected=2)
    for day in ("2013-01-28", "2013-01-21"):
        known(warehouse, FLIGHTS, day, 90)

    done = run(FACT, MONDAY)

    assert done.success
    assert done.checks == {check.name: PASSED for check in checks_of(FLIGHTS)}
    numbers = {it.check_name: {name: v.value for name, v in it.metadata.items()} for it in done.evaluations}
    assert numbers["rows_accounted"] == {"days": 1, "failed_days": 0, "differing": 0}
    assert numbers["row_count"] == {"days": 1, "failed_days": 0, "rows": 100}
    assert numbers["missing_delays"] == {"days": 1, "failed_days": 0, "share": 0.0}
    assert "45 to 180" in done.of("row_count")
    assert told(warehouse, "check_failed") == []
    assert done.days == [MONDAY]
    # Dagster shows the results beside what they speak of.
    targets = [it.target_materialization_data for it in done.evaluations]
    assert {it and it.storage_id for it in targets} == {done.made[0].storage_id}


@pytest.mark.parametrize(
    ("check", "fine", "wrong"),
    [
        ("unknown_airports", {"odd": 2}, {"odd": 3}),
        ("missing_delays", {"odd": 15}, {"odd": 16}),
        ("duplicates", {"odd": 6}, {"odd": 7}),
        ("row_count", {"rows": 45}, {"rows": 44}),
    ],
)
def test_a_day_that_looks_wrong_is_loaded_and_told(
    warehouse: Warehouse, check: str, fine: dict[str, int], wrong: dict[str, int]
) -> None:
    oddities: dict[str, dict[str, Any]] = {
        "unknown_airports": dict.fromkeys(("arr_airport", "arr_city", "arr_state")),
        "missing_delays": {"dep_delay": None, "arr_delay": None},
        "duplicates": {"dest_airport_id": 0},
    }
    for day in ("2013-01-28", "2013-01-21"):
        known(warehouse, FLIGHTS, day, 90)
    others = oddities.get(check, {})
    enrich(FLIGHTS, MONDAY, flights(MONDAY, **fine, **others))
    assert run(FACT, MONDAY).checks[check] == PASSED
    assert told(warehouse, "check_failed") == []

    rows = flights(MONDAY, **wrong, **others)
    enrich(FLIGHTS, MONDAY, rows)
    done = run(FACT, MONDAY)

    assert done.success
    assert done.checks == {it.name: PASSED for it in checks_of(FLIGHTS)} | {check: WARNED}
    assert count(warehouse, MONDAY) == len(rows)
    (message,) = told(warehouse, "check_failed")
    assert message.startswith(f"Checks failed on {TABLE} {MONDAY}: {check}\n\n{check}: {MONDAY}: found ")


@pytest.mark.usefixtures("warehouse")
def test_cancelled_flights_that_are_alike_are_no_copies() -> None:
    none = {"dest_airport_id": 0, "dep_delay": None, "arr_delay": None}
    enrich(FLIGHTS, MONDAY, flights(MONDAY, odd=10, **none))

    done = run(FACT, MONDAY)

    assert done.checks["duplicates"] == PASSED
    assert done.metadata("rows_duplicated") == 9


def test_an_airport_that_came_after_the_job_is_named_in_the_load(warehouse: Warehouse) -> None:
    unknown = dict.fromkeys(("arr_airport", "arr_city", "arr_state"))
    enrich(FLIGHTS, MONDAY, flights(MONDAY))
    enrich(FLIGHTS, TUESDAY, flights(TUESDAY, odd=3, dest_airport_id=1, **unknown))
    with warehouse.transaction() as session:
        session.insert(AIRPORTS.table, [airport(1, city="C", state="S", name="New")])

    done = run(FACT, MONDAY, TUESDAY)

    assert done.checks["unknown_airports"] == PASSED
    sql = f"SELECT flight_date, arr_city, COUNT(*) AS n FROM {FLIGHTS.table.qualified_name} GROUP BY 1, 2"
    found = {(str(row["flight_date"]), row["arr_city"]): row["n"] for row in warehouse.query(sql)}
    assert found == {(MONDAY, "X"): 100, (TUESDAY, "X"): 97, (TUESDAY, "C"): 3}


def test_a_day_that_was_just_loaded_is_found_by_the_pages_that_hold_it(warehouse: Warehouse) -> None:
    enrich(FLIGHTS, MONDAY, flights(MONDAY, rows=20_000))
    enrich(FLIGHTS, TUESDAY, flights(TUESDAY, rows=20_000))

    assert run(FACT, MONDAY, TUESDAY).success

    with warehouse.transaction() as session:
        session.execute("SET enable_seqscan TO off")
        sql = f"EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1 FROM {FLIGHTS.table.qualified_name}"
        with session._connection.cursor() as cursor:
            cursor.execute(f"{sql} WHERE flight_date = %s", [MONDAY])
            plan = str(cursor.fetchone())
    assert f"{TABLE}_pages" in plan
    read = re.search(r"'Rows Removed by Index Recheck': (\d+)", plan)
    assert read is not None
    assert int(read[1]) < 15_000, plan


@pytest.mark.usefixtures("warehouse")
def test_a_day_of_which_no_row_could_be_used_is_loaded_as_empty() -> None:
    enrich(FLIGHTS, MONDAY, flights(MONDAY))
    enrich(FLIGHTS, TUESDAY, [], repeated=3)

    done = run(FACT, MONDAY, TUESDAY)

    assert done.success
    assert done.days == [MONDAY, TUESDAY]


def test_a_range_has_one_result_a_check_and_one_alert_for_all_that_only_warns(warehouse: Warehouse) -> None:
    unknown = dict.fromkeys(("dep_airport", "dep_city", "dep_state"))
    enrich(FLIGHTS, MONDAY, flights(MONDAY))
    enrich(FLIGHTS, TUESDAY, flights(TUESDAY, odd=50, **unknown))
    enrich(FLIGHTS, WEDNESDAY, flights(WEDNESDAY, odd=30, dep_delay=None, arr_delay=None))

    done = run(FACT, MONDAY, WEDNESDAY)

    assert done.success
    assert done.days == [MONDAY, TUESDAY, WEDNESDAY]
    warned = {"unknown_airports": WARNED, "missing_delays": WARNED}
    # Thirty cancelled flights to thirty airports are no copies of each other.
    assert done.checks == {check.name: PASSED for check in checks_of(FLIGHTS)} | warned
    assert done.of("row_count") == "all 3 days pass; 3 of them have no history yet"
    assert done.of("unknown_airports").startswith(f"1 of 3 days fail: {TUESDAY}: found 50 of")
    (message,) = told(warehouse, "check_failed")
    assert f"unknown_airports: {TUESDAY}: " in message
    assert f"missing_delays: {WEDNESDAY}: " in message


def test_a_day_that_the_warehouse_refuses_keeps_its_rows_and_the_others_are_loaded(
    warehouse: Warehouse,
) -> None:
    for day in WEEK:
        enrich(FLIGHTS, day, flights(day, rows=10))
    assert run(FACT, WEEK[0], WEEK[-1]).success
    for day in WEEK:
        enrich(FLIGHTS, day, flights(day, rows=20), etag="newer")
    enrich(FLIGHTS, TUESDAY, flights(TUESDAY, rows=20, odd=1, carrier=None), etag="newer")

    for _ in range(2):
        done = run(FACT, WEEK[0], WEEK[-1])

        assert not done.success
        assert [count(warehouse, day) for day in WEEK] == [20, 10, 20, 20, 20, 20, 20]
        assert done.days == [day for day in WEEK if day != TUESDAY]
        assert done.checks == dict.fromkeys((check.name for check in checks_of(FLIGHTS)), PASSED)
    sql = (
        "SELECT etag, state, reason FROM airlines.ingested_files WHERE partition_date = %(day)s ORDER BY etag"
    )
    newer, older = sorted(warehouse.query(sql, {"day": TUESDAY}), key=lambda row: row["state"], reverse=True)
    assert (older["state"], newer["state"], newer["etag"]) == ("loaded", "rejected", "newer")
    assert "the warehouse refused its rows: NotNullViolation: " in newer["reason"]
    (message,) = told(warehouse, "refused")
    assert f"date={TUESDAY}/a.csv, the warehouse refused its rows" in message
    assert told(warehouse, "failed") == []


def test_a_day_that_is_refused_alone_is_told_once_and_leaves_no_row(warehouse: Warehouse) -> None:
    enrich(FLIGHTS, MONDAY, flights(MONDAY, rows=20, odd=20, carrier=None))

    for _ in range(2):
        done = run(FACT, MONDAY)
        assert (done.success, done.checks, done.days) == (False, {}, [])

    assert count(warehouse, MONDAY) == 0
    assert told(warehouse, "loaded") == []
    assert len(told(warehouse, "refused")) == 1


def test_rows_that_are_not_accounted_for_are_not_committed(warehouse: Warehouse) -> None:
    enrich(FLIGHTS, MONDAY, flights(MONDAY, rows=10))
    assert run(FACT, MONDAY).success
    # Another run has loaded a second file since this one's was listed.
    known(warehouse, FLIGHTS, MONDAY, 7, name="later")
    enrich(FLIGHTS, MONDAY, flights(MONDAY, rows=9))

    done = run(FACT, MONDAY)

    assert not done.success
    assert (count(warehouse, MONDAY), done.days) == (10, [])
    assert done.checks["rows_accounted"] == FAILED
    assert done.of("rows_accounted") == "found in the table 9, expected in the table 16"
    (refused,) = told(warehouse, "refused")
    assert "the check rows_accounted" in refused
    sql = "SELECT key, state FROM airlines.ingested_files ORDER BY key"
    assert [row["state"] for row in warehouse.query(sql)] == ["loaded", "loaded"]


def test_bookings_have_checks_of_their_own(warehouse: Warehouse) -> None:
    unknown = dict.fromkeys(("dep_airport", "dep_city", "dep_state"))
    enrich(BOOKINGS, MONDAY, [booking(MONDAY, n, **(unknown if n < 3 else {})) for n in range(100)])

    done = run(BOOKINGS_FACT, MONDAY)

    assert done.success
    names = [check.name for check in checks_of(BOOKINGS)]
    assert done.checks == dict.fromkeys(names, PASSED) | {"unknown_airports": WARNED}
    assert count(warehouse, MONDAY, BOOKINGS) == 100


@pytest.fixture
def sources(warehouse: Warehouse) -> Warehouse:
    """A day of flights and bookings, and the mart another mart is read from."""
    with warehouse.transaction() as session:
        rows = [
            *flights(MONDAY, rows=20),
            flight(MONDAY, 30, dep_delay=None, arr_delay=None),
            flight(MONDAY, 31, dep_delay=300, arr_delay=None),
            flight(MONDAY, 32, dep_delay=60, arr_delay=16, carrier="UA"),
            flight(TUESDAY, 1, dep_delay=None, arr_delay=None),
        ]
        session.insert(FLIGHTS.table, rows)
        later = {"landed_at": datetime(2013, 2, 11), "source_file": "later"}  # noqa: DTZ001
        bookings = [
            *(booking(MONDAY, n) for n in range(5)),
            booking(MONDAY, 0, **later, fare_amount=Decimal("7.5"), status="CANCELLED"),
            booking(MONDAY, 1, source="s3://airline-landing/y.csv", currency="EUR"),
            booking(MONDAY, 7, currency="EUR"),
        ]
        session.insert(BOOKINGS.table, bookings)
        replace_days(session, MARTS["carrier_daily_delays"], [MONDAY, TUESDAY])
    return warehouse


def asset_of(mart: Mart) -> AssetsDefinition:
    (found,) = (asset for asset in mart_assets if asset.key == AssetKey(mart.table.name))
    return found


EVERY_MART = pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))


@EVERY_MART
def test_a_mart_that_adds_up_to_its_source_passes(sources: Warehouse, mart: Mart) -> None:
    days = [MONDAY, TUESDAY, WEDNESDAY] if mart.table.partition_column else []

    done = run(asset_of(mart), *days)

    assert done.success, sources
    assert done.checks == {"sums_match": PASSED}
    assert done.days == (days or [""])


TAMPERINGS = [
    ("carrier_daily_delays", "SET flights = flights + 1"),
    ("carrier_daily_delays", "SET total_arr_delay = total_arr_delay + 1"),
    ("route_daily_delays", "SET cancelled = cancelled + 1"),
    ("route_daily_delays", "SET total_dep_delay = total_dep_delay - 1"),
    ("airport_daily_delays", "SET arrivals = arrivals + 1"),
    ("airport_daily_delays", "SET diverted_arrivals = diverted_arrivals + 1"),
    ("long_delays", "SET dep_delay = dep_delay + 1"),
    ("bookings_daily", "SET bookings = bookings + 1"),
    ("bookings_daily", "SET fare_amount = fare_amount + 0.001"),
    ("bookings_daily", "SET currency = 'JPY' WHERE currency = 'EUR'"),
    ("carrier_on_time", "SET flights = flights + 1"),
    ("carrier_on_time", "SET on_time_flights = on_time_flights - 1"),
]


@pytest.mark.parametrize(("name", "tampering"), TAMPERINGS)
def test_a_mart_that_says_something_else_than_its_source_is_rolled_back(
    sources: Warehouse, monkeypatch: pytest.MonkeyPatch, name: str, tampering: str
) -> None:
    mart = MARTS[name]
    days = [MONDAY] if mart.table.partition_column else []
    assert run(asset_of(mart), *days).success
    everything = f"SELECT * FROM {mart.table.qualified_name} ORDER BY 1, 2, 3, 4, 5"
    before = sources.query(everything)

    def wrong(session: Session, made: Mart, days: Sequence[str] = ()) -> None:
        replace_days(session, made, days)
        session.execute(f"UPDATE {made.table.qualified_name} {tampering}")

    monkeypatch.setattr(assets.marts.assets, "replace_days", wrong)
    done = run(asset_of(mart), *days)

    assert not done.success
    assert done.checks == {"sums_match": FAILED}
    assert sources.query(everything) == before != []
    assert done.days == []
    (failed,) = told(sources, "failed")
    day = f"{MONDAY}: " if days else ""
    assert f"{name}: {day}the check sums_match" in failed


def test_a_day_of_a_mart_that_cannot_be_made_does_not_end_its_neighbours(
    sources: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    mart = MARTS["carrier_daily_delays"]

    def overflow(session: Session, made: Mart, days: Sequence[str] = ()) -> None:
        replace_days(session, made, days)
        if TUESDAY in days:
            session.execute("SELECT 1 / 0")

    monkeypatch.setattr(assets.marts.assets, "replace_days", overflow)
    done = run(asset_of(mart), *WEEK[:3])

    assert not done.success
    assert done.days == [MONDAY, WEDNESDAY]
    assert done.checks == {"sums_match": PASSED}
    (failed,) = told(sources, "failed")
    assert f"carrier_daily_delays: {TUESDAY}: the warehouse refused its rows: DivisionByZero" in failed
    assert "the old rows stand" in failed


@pytest.mark.parametrize("name", ["carrier_daily_delays", "long_delays", "bookings_daily"])
def test_a_mart_that_lacks_its_rows_is_rolled_back(
    sources: Warehouse, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(assets.marts.assets, "replace_days", lambda *_: None)
    with sources.transaction() as session:
        session.execute(f"DELETE FROM {MARTS[name].table.qualified_name}")

    assert run(asset_of(MARTS[name]), MONDAY).checks == {"sums_match": FAILED}


def airport(number: int, **others: Any) -> dict[str, Any]:
    whence = {"landed_at": datetime(2013, 2, 10), "source_file": "s3://x", "source_line": number + 2}  # noqa: DTZ001
    return {"airport_id": number, "city": "A", "state": "NY", "name": "B", **whence, **others}


def made_airports(ids: Sequence[int]) -> None:
    """Put airports into the lake as the Glue job leaves them."""
    key = f"{AIRPORTS.prefix}airport_codes.csv"
    bucket = get_settings().landing_bucket
    found = LandedObject(bucket, key, None, f"etag of {len(ids)}", 1, LANDED_AT)
    file = write(AIRPORTS, WHOLE, [airport(number, source_file=found.url) for number in ids])
    made = MadeDay("jr_1", (file,), ((found, RowCount(len(ids), len(ids), 0)),))
    put_made(Lake.of(get_settings()), AIRPORTS.made_asset, [WHOLE], {WHOLE: made})


@pytest.mark.parametrize(("left", "verdict"), [(8, PASSED), (7, WARNED)])
def test_airports_that_became_many_fewer_are_loaded_and_told(
    warehouse: Warehouse, left: int, verdict: str
) -> None:
    made_airports(range(10))
    first = run(DIMENSION)
    assert first.checks == {"keys_unique": PASSED, "row_count": PASSED}
    made_airports(range(left))

    done = run(DIMENSION)

    assert done.success
    assert done.checks == {"keys_unique": PASSED, "row_count": verdict}
    assert len(told(warehouse, "check_failed")) == (verdict == WARNED)
    assert done.metadata("dagster/row_count") == left


def test_airports_that_are_there_twice_are_not_committed(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_airports(range(10))
    assert run(DIMENSION).success
    twice = assets.ingest.sinks.dimension.INSERT_LATEST.replace(
        " AS ranked WHERE place = 1", " AS ranked, generate_series(1, 2)"
    )
    monkeypatch.setattr(assets.ingest.sinks.dimension, "INSERT_LATEST", twice)

    done = run(DIMENSION)

    assert (done.success, done.checks) == (False, {"keys_unique": FAILED, "row_count": PASSED})
    (row,) = warehouse.query("SELECT COUNT(*) AS n FROM airlines.dim_airport_codes")
    assert row["n"] == 10


class Counted(Athena):
    """Athena that has counted so many shipments of Monday."""

    shipments: int

    def query(self, sql: str) -> QueryResult:  # noqa: ARG002 - whatever is asked
        sums = {
            "all_rows": str(self.shipments),
            "total_cost": "1",
            "total_distance": "1",
            "total_quantity": "1",
        }
        return QueryResult("q", [{"day": MONDAY, **sums}, {"day": None, **sums}], 1, 1.0, "s3://x")


@pytest.mark.parametrize(
    ("counted", "before", "checks"),
    [
        (10, 12, {"rows_accounted": PASSED, "row_count": PASSED}),
        (10, 30, {"rows_accounted": PASSED, "row_count": WARNED}),
        (11, 12, {"rows_accounted": FAILED}),
    ],
)
def test_shipments_are_counted_again(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, counted: int, before: int, checks: dict[str, str]
) -> None:
    monkeypatch.setattr(assets.ingest.sinks.lake_table, "place", lambda *_args, **_more: None)
    for day in ("2013-01-28", "2013-01-21"):
        known(warehouse, SHIPMENTS, day, before)
    made = MadeDay("jr_1", (), ((landed(SHIPMENTS, MONDAY), RowCount(12, 10, 2)),))
    Lake.of(get_settings()).put_manifests("shipments_normalized", {MONDAY: made.as_json()})

    settings = get_settings()
    where = {"database": settings.glue_database, "workgroup": settings.workgroup}
    athena = Counted(**where, shipments=counted, aws=AwsConfig.of(settings))
    done = run(TOTALS, MONDAY, athena=athena, glue=Glue.of(get_settings()))

    assert done.success is (FAILED not in checks.values())
    assert done.checks == checks
    assert len(told(warehouse, "check_failed")) == (WARNED in checks.values())
    sql = "SELECT key FROM airlines.ingested_files WHERE partition_date = %(day)s"
    assert len(warehouse.query(sql, {"day": MONDAY})) == done.success
    assert done.days == [MONDAY] * done.success


def test_all_measures_of_a_load_take_no_query_more_for_more_days(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    execute = Session.execute

    def counting(
        self: Session, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        asked.append(sql)
        return execute(self, sql, parameters)

    monkeypatch.setattr(Session, "execute", counting)
    rows = {
        day: {"rows_read": 1, "rows_loaded": 1, "rows_rejected": 0} for day in (MONDAY, TUESDAY, WEDNESDAY)
    }
    with warehouse.transaction() as session:
        measures.of_loaded(session, FLIGHTS, rows, {}, set())

    assert len(asked) == 2


def test_a_column_nobody_has_declared_is_told_of_once_and_becomes_one_of_a_feed_that_evolves(
    warehouse: Warehouse,
) -> None:
    feed = replace(FLIGHTS, drift="evolve")
    found = replace(landed(feed, MONDAY), columns=(*(column.name for column in feed.columns), "?Tail Number"))
    for run_id in ("first", "second"):
        drift.take_in(DagsterRun("flights_job", run_id=run_id), feed, [found], warehouse)
    assert [message.splitlines()[2:4] for message in told(warehouse, "new_column")] == [
        [f"File:      {found.url}", "Column:    'Tail Number'"]
    ]
    evolved = drift.evolved(feed, warehouse)
    assert evolved == ("tail_number",)
    enrich(feed, MONDAY, [flight(MONDAY, n, tail_number=f"N{n}") for n in range(3)], evolved=evolved)
    enrich(feed, TUESDAY, [flight(TUESDAY, n) for n in range(3)])

    done = run(assets_of(feed)[-1], MONDAY, TUESDAY)

    assert done.success
    rows = warehouse.query(f"SELECT flight_date, tail_number FROM airlines.{TABLE} ORDER BY flight_date, 2")
    assert [row["tail_number"] for row in rows] == ["N0", "N1", "N2", None, None, None]
    with warehouse.transaction() as session:
        session.execute(f"ALTER TABLE airlines.{TABLE} DROP COLUMN tail_number")


def test_a_rescued_column_is_told_of_once_and_changes_no_table(warehouse: Warehouse) -> None:
    feed = replace(FLIGHTS, drift="rescue")
    found = replace(landed(feed, MONDAY), columns=("?Tail Number",))

    drift.take_in(DagsterRun("flights_job", run_id="r"), feed, [found], warehouse)

    assert "rescued" in told(warehouse, "new_column")[0]
    assert drift.evolved(feed, warehouse) == ()
