"""The marts' queries on a real server: a few flights and bookings by hand, their sums by head."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance, materialize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import DECIMALS, DIGITS, LARGEST_NUMBER, Column, Table, mean_of, sum_of
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.checks.outcomes import outcome_of, require
from assets.ingest.deleted_sources import forget
from assets.ingest.sinks.lookups import fill_in
from assets.marts.assets import mart_assets
from assets.marts.declarations import MARTS, marts_of
from assets.marts.replacement import figures_of, replace_days
from assets.marts.sums import SUMS_MATCH, sums_of_both
from resources.acceptance.landed import LandedObject
from resources.lake import Lake
from resources.landing import Landing
from resources.topic import Notifier
from resources.warehouse import ledger
from resources.warehouse.resource import Warehouse

MONDAY, TUESDAY, WEDNESDAY = "2013-01-07", "2013-01-08", "2013-01-09"
JFK, BOS = (12478, "John F. Kennedy", "New York", "NY"), (10721, "Logan", "Boston", "MA")
NAMELESS = (99999, None, None, None)


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """With its tables, and nothing in them."""
    with server.transaction() as session:
        for table in (FLIGHTS.table, *BOOKINGS.tables, AIRPORTS.table, *(m.table for m in MARTS.values())):
            session.execute(f"DELETE FROM {table.qualified_name}")
    return server


def flight(day: str, carrier: str, way: Sequence[tuple], dep: int | None, arr: int | None) -> dict[str, Any]:
    (origin, dep_airport, dep_city, dep_state), (dest, arr_airport, arr_city, arr_state) = way
    return {
        "flight_date": day,
        "carrier": carrier,
        "origin_airport_id": origin,
        "dest_airport_id": dest,
        "dep_airport": dep_airport,
        "arr_airport": arr_airport,
        "dep_city": dep_city,
        "arr_city": arr_city,
        "dep_state": dep_state,
        "arr_state": arr_state,
        "dep_delay": dep,
        "arr_delay": arr,
        "source_file": "s3://airline-landing/x.csv",
        "source_line": 2,
    }


def booking(day: str, number: str, file: str, fare: str, **others: Any) -> dict[str, Any]:
    row = dict.fromkeys(BOOKINGS.table.column_names)
    return row | {
        "file_date": day,
        "booking_id": number,
        "booked_at": datetime(2013, 1, 1),  # noqa: DTZ001 - the column has no zone
        "carrier": "AA",
        "flight_number": 1,
        "origin_airport_id": 1,
        "dest_airport_id": 2,
        "flight_date": "2013-02-01",
        "cabin": "ECONOMY",
        "fare_amount": Decimal(fare),
        "currency": "USD",
        "status": "CONFIRMED",
        "landed_at": datetime(2013, 1, 9),  # noqa: DTZ001
        "source_file": file,
        **others,
    }


OUT, BACK, INTO_NOWHERE = (JFK, BOS), (BOS, JFK), (JFK, NAMELESS)
WEEK = [
    flight(MONDAY, "AA", OUT, 60, 50),  # late by an hour: just long enough
    flight(MONDAY, "AA", OUT, 59, 15),  # not long enough, and just delayed on arrival
    flight(MONDAY, "AA", BACK, -5, 14),  # early off, just on time on arrival
    flight(MONDAY, "AA", OUT, None, None),  # cancelled
    flight(MONDAY, "UA", OUT, 300, None),  # diverted
    flight(MONDAY, "UA", INTO_NOWHERE, 15, -10),
    flight(TUESDAY, "UA", BACK, None, None),  # a day on which nothing flew
    flight(WEDNESDAY, "AA", BACK, 0, 0),
    flight(WEDNESDAY, "AA", BACK, 1, 0),
]


def put(warehouse: Warehouse, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    with warehouse.transaction() as session:
        session.insert(table, rows)


def make(warehouse: Warehouse, feed: Feed, *days: str) -> None:
    with warehouse.exclusive_transaction() as session:
        for mart in marts_of(feed.table):
            replace_days(session, mart, days)


def rows_of(warehouse: Warehouse, mart: str, *columns: str, order: str = "1, 2, 3") -> list[tuple]:
    table = MARTS[mart].table.qualified_name
    return [
        tuple(row.values())
        for row in warehouse.query(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}")
    ]


@pytest.fixture
def week(warehouse: Warehouse) -> Warehouse:
    put(warehouse, FLIGHTS.table, WEEK)
    make(warehouse, FLIGHTS, MONDAY, TUESDAY, WEDNESDAY)
    return warehouse


def test_a_carriers_day(week: Warehouse) -> None:
    names = MARTS["carrier_daily_delays"].table.column_names
    found = rows_of(week, "carrier_daily_delays", *names)

    monday, tuesday, wednesday = (date.fromisoformat(day) for day in (MONDAY, TUESDAY, WEDNESDAY))
    assert found == [
        # flights, cancelled, diverted, delayed flights and departures, totals, means
        (monday, "AA", 4, 1, 0, 2, 2, 114, 79, Decimal("38.000"), Decimal("26.333")),
        (monday, "UA", 2, 0, 1, 0, 2, 315, -10, Decimal("157.500"), Decimal("-10.000")),
        (tuesday, "UA", 1, 1, 0, 0, 0, None, None, None, None),
        (wednesday, "AA", 2, 0, 0, 0, 0, 1, 0, Decimal("0.500"), Decimal("0.000")),
    ]


def test_a_routes_day_has_both_names_and_one_direction(week: Warehouse) -> None:
    columns = (
        "origin_airport_id",
        "dest_airport_id",
        "dep_airport",
        "arr_airport",
        "dep_city",
        "arr_city",
        "flights",
    )
    where = [
        row for row in rows_of(week, "route_daily_delays", "flight_date", *columns) if str(row[0]) == MONDAY
    ]

    assert [row[1:] for row in where] == [
        (10721, 12478, "Logan", "John F. Kennedy", "Boston", "New York", 1),
        (12478, 10721, "John F. Kennedy", "Logan", "New York", "Boston", 4),
        (12478, 99999, "John F. Kennedy", None, "New York", None, 1),
    ]


def test_an_airports_day_has_its_departures_and_its_arrivals(week: Warehouse) -> None:
    names = MARTS["airport_daily_delays"].table.column_names
    found = rows_of(week, "airport_daily_delays", *names)

    monday = date.fromisoformat(MONDAY)
    assert [row for row in found if row[0] == monday] == [
        (monday, *BOS, 1, 0, 0, Decimal("-5.000"), 4, 1, 1, 2, Decimal("32.500")),
        (monday, *JFK, 5, 1, 4, Decimal("108.500"), 1, 0, 0, 0, Decimal("14.000")),
        (monday, *NAMELESS, 0, 0, 0, None, 1, 0, 0, 0, Decimal("-10.000")),
    ]
    flights = [row for row in found if str(row[0]) == WEDNESDAY]
    assert [(row[1], row[5], row[9]) for row in flights] == [(BOS[0], 2, 0), (JFK[0], 0, 2)]


def test_long_delays_begin_at_the_threshold_and_leave_out_what_never_flew(week: Warehouse) -> None:
    found = rows_of(week, "long_delays", "carrier", "dep_delay", "arr_delay", "arr_city")

    assert found == [("AA", 60, 50, "Boston"), ("UA", 300, None, "Boston")]


def test_the_threshold_is_the_settings(week: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRLINE_LONG_DELAY_MINUTES", "15")
    get_settings.cache_clear()
    make(week, FLIGHTS, MONDAY)

    assert rows_of(week, "long_delays", "dep_delay", order="1") == [(15,), (59,), (60,), (300,)]
    monkeypatch.undo()
    get_settings.cache_clear()


def test_the_ranking_counts_what_was_cancelled_or_diverted_as_not_on_time(week: Warehouse) -> None:
    names = MARTS["carrier_on_time"].table.column_names
    monday, tuesday, wednesday = (date.fromisoformat(day) for day in (MONDAY, TUESDAY, WEDNESDAY))

    assert rows_of(week, "carrier_on_time", *names) == [
        # 3 of 6 on time; (79 + 0) minutes over the 5 that arrived
        (1, "AA", monday, wednesday, 6, 1, 0, 3, Decimal("50.000"), Decimal("15.800")),
        (2, "UA", monday, tuesday, 3, 1, 1, 1, Decimal("33.333"), Decimal("-10.000")),
    ]


def test_equals_share_a_place(warehouse: Warehouse) -> None:
    put(
        warehouse, FLIGHTS.table, [flight(MONDAY, carrier, OUT, 0, 0) for carrier in ("AA", "B6", "UA", "UA")]
    )
    put(warehouse, FLIGHTS.table, [flight(MONDAY, "WN", OUT, None, None)])
    make(warehouse, FLIGHTS, MONDAY)

    found = rows_of(warehouse, "carrier_on_time", "place", "carrier", "on_time_percent", "avg_arr_delay")
    every, none = Decimal(100), Decimal(0)
    assert found == [(1, "AA", every, 0), (1, "B6", every, 0), (1, "UA", every, 0), (4, "WN", none, None)]


def test_a_day_that_was_replaced_is_replaced_and_the_others_stay(week: Warehouse) -> None:
    before = rows_of(week, "carrier_daily_delays", "*")
    with week.transaction() as session:
        session.execute(
            "DELETE FROM airlines.daily_flights_processed WHERE flight_date = %(day)s", {"day": MONDAY}
        )
        session.insert(FLIGHTS.table, [flight(MONDAY, "DL", BACK, 61, 61)])
    make(week, FLIGHTS, MONDAY)

    after = rows_of(week, "carrier_daily_delays", "*")
    assert [row for row in after if str(row[0]) != MONDAY] == [row for row in before if str(row[0]) != MONDAY]
    assert [row[1:3] for row in after if str(row[0]) == MONDAY] == [("DL", 1)]
    assert rows_of(week, "long_delays", "carrier", order="1") == [("DL",)]


def test_making_days_again_changes_nothing(week: Warehouse) -> None:
    before = {name: rows_of(week, name, "*") for name in MARTS}
    make(week, FLIGHTS, WEDNESDAY, MONDAY)

    assert {name: rows_of(week, name, "*") for name in MARTS} == before


def test_a_day_without_flights_has_no_rows_and_counts_none(week: Warehouse) -> None:
    make(week, FLIGHTS, "2013-02-01")

    with week.transaction() as session:
        figures = figures_of(session, MARTS["carrier_daily_delays"], [MONDAY, "2013-02-01"])
    assert figures == {
        MONDAY: {"row_count": 2, "flights": 6, "cancelled": 1, "delayed_flights": 2},
        "2013-02-01": {"row_count": 0, "flights": 0, "cancelled": 0, "delayed_flights": 0},
    }


def test_a_fact_without_a_row_gives_empty_marts(warehouse: Warehouse) -> None:
    make(warehouse, FLIGHTS, MONDAY)
    make(warehouse, BOOKINGS, MONDAY)

    assert [name for name in MARTS if rows_of(warehouse, name, "*")] == []


def test_a_day_that_is_forgotten_goes_from_the_marts_and_the_ranking(week: Warehouse) -> None:
    key = f"{FLIGHTS.prefix}date={MONDAY}/gone.csv"
    gone = LandedObject("airline-landing", key, MONDAY, "e", 1, datetime(2013, 1, 9, tzinfo=UTC))
    with week.transaction() as session:
        ledger.record(session, [ledger.Entry.of(gone, feed=FLIGHTS.name, run_id="r", state="loaded")])

    told = forget(key, Landing.of(get_settings()), week, Lake.of(get_settings()))
    assert told == "6 rows of 2013-01-07 are gone."

    assert rows_of(week, "long_delays", "*") == []
    assert {str(row[0]) for row in rows_of(week, "airport_daily_delays", "flight_date", order="1")} == {
        TUESDAY,
        WEDNESDAY,
    }
    assert rows_of(week, "carrier_on_time", "carrier", "flights", order="1") == [("AA", 2), ("UA", 1)]


def test_an_airport_that_came_late_gets_its_name_in_the_marts(week: Warehouse) -> None:
    airport = {"airport_id": 99999, "city": "Nowhere", "state": "NV", "name": "Field"}
    whence = {"landed_at": datetime(2013, 1, 9), "source_file": "s3://x", "source_line": 2}  # noqa: DTZ001
    put(week, AIRPORTS.table, [airport | whence])
    with week.transaction() as session:
        for mart in MARTS.values():
            fill_in(session, mart.lookups, mart.table)

    of_day = (date.fromisoformat(MONDAY), 99999, "Field", "Nowhere", "NV")
    assert (
        rows_of(week, "airport_daily_delays", "flight_date", "airport_id", "airport", "city", "state")[2]
        == of_day
    )
    assert ("Field", "Nowhere") in rows_of(week, "route_daily_delays", "arr_airport", "arr_city", order="1")


def test_bookings_count_once_a_day_as_the_newest_file_of_the_day_has_them(warehouse: Warehouse) -> None:
    later = datetime(2013, 1, 9, 12)  # noqa: DTZ001
    huge = "99999999999.999"
    put(
        warehouse,
        BOOKINGS.table,
        [
            booking(MONDAY, "b1", "one", "100.50"),
            booking(MONDAY, "b1", "two", "90.50", status="CANCELLED", landed_at=later),
            booking(MONDAY, "b2", "one", "10.125"),
            booking(MONDAY, "b3", "one", "10"),
            booking(MONDAY, "b4", "one", "5", currency="EUR"),
            booking(MONDAY, "b5", "one", "7", cabin="FIRST"),
            booking(MONDAY, "b6", "one", huge, currency="IRR"),
            booking(MONDAY, "b7", "one", huge, currency="IRR"),
            booking(TUESDAY, "b1", "three", "90.50", status="CONFIRMED"),
        ],
    )
    make(warehouse, BOOKINGS, MONDAY, TUESDAY)

    columns = ("file_date", "cabin", "status", "currency", "bookings", "fare_amount")
    found = rows_of(warehouse, "bookings_daily", *columns, order="1, 2, 3, 4")
    monday, tuesday = date.fromisoformat(MONDAY), date.fromisoformat(TUESDAY)
    assert found == [
        (monday, "ECONOMY", "CANCELLED", "USD", 1, Decimal("90.500")),
        (monday, "ECONOMY", "CONFIRMED", "EUR", 1, Decimal("5.000")),
        (monday, "ECONOMY", "CONFIRMED", "IRR", 2, 2 * Decimal(huge)),
        (monday, "ECONOMY", "CONFIRMED", "USD", 2, Decimal("20.125")),
        (monday, "FIRST", "CONFIRMED", "USD", 1, Decimal("7.000")),
        (tuesday, "ECONOMY", "CONFIRMED", "USD", 1, Decimal("90.500")),
    ]


def test_a_range_run_makes_all_daily_marts_of_it_with_their_metadata(warehouse: Warehouse) -> None:
    put(warehouse, FLIGHTS.table, WEEK)
    put(warehouse, BOOKINGS.table, [booking(TUESDAY, "b1", "one", "1")])
    tags = {"dagster/asset_partition_range_start": MONDAY, "dagster/asset_partition_range_end": WEDNESDAY}
    given = {"warehouse": warehouse, "notifier": Notifier.of(get_settings())}
    daily = [found for found in mart_assets if found.partitions_def]
    (whole,) = (found for found in mart_assets if not found.partitions_def)

    with DagsterInstance.ephemeral() as instance:
        assert materialize(daily, instance=instance, resources=given, tags=tags).success
        assert materialize([whole], instance=instance, resources=given).success

        def metadata(name: str, day: str | None = None) -> dict[str, Any]:
            found = instance.fetch_materializations(AssetKey(name), limit=10).records
            (record,) = (each for each in found if each.partition_key == day)
            return {key: value.value for key, value in record.asset_materialization.metadata.items()}

        rows = {
            (name, day): metadata(name, day)["dagster/partition_row_count"]
            for name in ("long_delays", "bookings_daily")
            for day in (MONDAY, TUESDAY, WEDNESDAY)
        }
        assert list(rows.values()) == [2, 0, 0, 0, 1, 0]
        assert metadata("long_delays", TUESDAY)["minutes"] == 60
        assert metadata("carrier_daily_delays", MONDAY)["flights"] == 6
        assert metadata("carrier_on_time")["dagster/row_count"] == 2
        lineage = metadata("carrier_on_time")["dagster/column_lineage"]
        assert lineage.deps_by_column["on_time_flights"][0].asset_key == AssetKey("carrier_daily_delays")


def extremes(column: Column) -> list[Any]:
    """The values at which a column of a fact ends, and none where it may be empty."""
    none = [] if column.required else [None]
    if column.one_of:
        return [*column.one_of[:3], *none]
    if column.type == "bigint":
        default = LARGEST_NUMBER
        return [
            -default if column.minimum is None else column.minimum,
            default if column.maximum is None else column.maximum,
            *none,
        ]
    if column.type == "decimal":
        most = Decimal("9" * (DIGITS - DECIMALS)) + 1 - Decimal("0.001")
        return [-most if column.minimum is None else Decimal(column.minimum), most, *none]
    if column.type in ("date", "timestamp"):
        return [datetime(year, 1, 1) for year in column.years]  # noqa: DTZ001
    return ["ZZ", "9" * min(column.length, 3), *none]


def extreme_rows(feed: Feed, day: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    partition = feed.table.partition_column or ""
    values = {column.name: st.sampled_from(extremes(column)) for column in feed.table.columns}
    rows = st.lists(st.fixed_dictionaries(values | {partition: st.just(day)}), min_size=1, max_size=12)
    # Several files may speak of one booking; none does so twice.
    return rows.map(
        lambda some: [
            row | {"source_file": f"s3://landing/{n}", "source_line": n + 2} for n, row in enumerate(some)
        ]
    )


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(extreme_rows(FLIGHTS, MONDAY), extreme_rows(BOOKINGS, MONDAY))
def test_no_mart_overflows_on_anything_a_fact_can_hold(
    warehouse: Warehouse, flown: list[dict[str, Any]], booked: list[dict[str, Any]]
) -> None:
    with warehouse.transaction() as session:
        for table in (FLIGHTS.table, BOOKINGS.table, *(mart.table for mart in MARTS.values())):
            session.execute(f"DELETE FROM {table.qualified_name}")
        session.insert(FLIGHTS.table, flown)
        session.insert(BOOKINGS.table, booked)
        for mart in MARTS.values():
            days = (MONDAY,) if mart.table.partition_column else ()
            replace_days(session, mart, days)
            require(mart.table.name, [outcome_of(SUMS_MATCH, sums_of_both(session, mart, days))])


def test_a_sum_without_bounds_has_no_type_and_says_so() -> None:
    with pytest.raises(ValueError, match="the sum of shipping_id needs more room than a BIGINT"):
        sum_of(Column("shipping_id", "bigint", "Any."), "total", "Their sum.")
    with pytest.raises(ValueError, match="the mean of shipping_id needs more than 14 digits"):
        mean_of(Column("shipping_id", "bigint", "Any."), "mean", "Their mean.")
