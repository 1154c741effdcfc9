"""All marts that are declared are known, in an order to make them in, and fit their sources."""

from dataclasses import replace

import pytest

from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.marts.declarations import MARTS, in_order, marts_of
from assets.marts.declared.bookings_daily import BOOKINGS_DAILY
from assets.marts.declared.carrier_daily_delays import CARRIER_DAILY_DELAYS
from assets.marts.declared.carrier_on_time import CARRIER_ON_TIME
from assets.marts.mart import Mart

EVERY_MART = pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
NUMBERS = ("bigint", "decimal")


def test_whatever_a_module_declares_is_a_mart_once() -> None:
    assert sorted(MARTS) == [
        "airport_daily_delays",
        "bookings_daily",
        "carrier_daily_delays",
        "carrier_on_time",
        "long_delays",
        "route_daily_delays",
    ]


def test_a_mart_stands_behind_the_one_it_is_read_from_however_they_come() -> None:
    for marts in ((CARRIER_ON_TIME, CARRIER_DAILY_DELAYS), (CARRIER_DAILY_DELAYS, CARRIER_ON_TIME)):
        assert list(in_order(marts)) == ["carrier_daily_delays", "carrier_on_time"]


def test_two_marts_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="mart bookings_daily is declared twice; expected a name for each"):
        in_order([BOOKINGS_DAILY, replace(BOOKINGS_DAILY, caveats="Another one.")])


def test_marts_that_are_read_from_each_other_are_refused() -> None:
    table = replace(CARRIER_DAILY_DELAYS.table, partition_column=None)
    circle = replace(CARRIER_DAILY_DELAYS, table=table, source=table, made_of={})

    with pytest.raises(ValueError, match="cycle"):
        in_order([circle])


def test_what_follows_from_the_flights_is_in_the_order_to_make_it_in() -> None:
    names = [mart.table.name for mart in marts_of(FLIGHTS.table)]

    assert names.index("carrier_daily_delays") < names.index("carrier_on_time")
    assert {*names, "bookings_daily"} == MARTS.keys()
    assert marts_of(BOOKINGS.table) == [BOOKINGS_DAILY]
    assert marts_of(SHIPMENTS.table) == []


@EVERY_MART
def test_a_mart_has_a_name_of_its_own(mart: Mart) -> None:
    assert mart.table.name not in [table.name for feed in FEEDS.values() for table in feed.tables]


@EVERY_MART
def test_a_marts_keys_are_columns_of_it_and_its_day_is_one_of_them(mart: Mart) -> None:
    mine = set(mart.table.column_names)

    assert {*mart.table.key, *mart.table.sort_key} <= mine
    assert mart.table.dist_key is None or mart.table.dist_key in mine
    if mart.table.partition_column:
        assert mart.table.partition_column in mart.table.key or not mart.table.key


@EVERY_MART
def test_every_number_tells_its_unit_or_what_it_counts(mart: Mart) -> None:
    said = ("minutes", "how many", "flights", "arrivals", "departures", "units", "percent", "id of", "1 for")
    numbers = [column for column in mart.table.columns if column.type in NUMBERS]

    assert [c.name for c in numbers if not any(word in c.description.lower() for word in said)] == []


@EVERY_MART
def test_what_a_mart_has_of_a_source_column_is_no_wider_there(mart: Mart) -> None:
    theirs = {column.name: column for column in mart.source.columns}

    for column in mart.table.columns:
        source = theirs.get(column.name)
        if source and column.type == "string":
            assert column.length >= source.length


def test_a_sum_of_fares_has_more_digits_than_a_fare() -> None:
    (fares,) = [column for column in BOOKINGS_DAILY.table.columns if column.name == "fare_amount"]
    (fare,) = [column for column in BOOKINGS.table.columns if column.name == "fare_amount"]

    assert (fare.redshift_type, fares.redshift_type) == ("DECIMAL(14, 3)", "DECIMAL(24, 3)")
