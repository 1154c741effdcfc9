"""A mart whose declaration speaks of what there is not is refused, in words that say what is expected."""

import re
from dataclasses import replace
from typing import Any

import pytest

from airline_platform.contract.sink import Lookup
from assets.marts.declared.bookings_daily import BOOKINGS_DAILY
from assets.marts.declared.carrier_on_time import CARRIER_ON_TIME
from assets.marts.declared.long_delays import LONG_DELAYS


def test_a_column_is_made_of_its_namesake_or_of_what_is_declared_or_of_nothing() -> None:
    assert LONG_DELAYS.sources_of("dep_delay") == ("dep_delay",)
    assert CARRIER_ON_TIME.sources_of("first_date") == ("flight_date",)
    assert CARRIER_ON_TIME.sources_of("unheard_of") == ()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"made_of": {"fares": ("fare_amount",)}},
            "made_of: 'fares'; expected columns of its own: file_date, carrier, cabin",
        ),
        (
            {"made_of": {"bookings": ("booking_id", "bookng")}},
            "made_of['bookings']: 'bookng'; expected columns of airlines.fact_booking_status: file_date,",
        ),
        (
            {"figures": ("bookings", "seats")},
            "figures: 'seats'; expected whole numbers among its columns: bookings",
        ),
        (
            {"figures": ("fare_amount",)},
            "figures: 'fare_amount'; expected whole numbers among its columns: bookings",
        ),
        (
            {"sums": replace(BOOKINGS_DAILY.sums, of_each="country")},
            "sums.of_each: 'country'; expected columns of its own: file_date",
        ),
        (
            {"table": replace(BOOKINGS_DAILY.table, partition_column="day")},
            "partition_column is 'day'; expected 'file_date', by which airlines.fact_booking_status is",
        ),
    ],
)
def test_a_mart_that_speaks_of_no_column_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"mart bookings_daily: {words}")):
        replace(BOOKINGS_DAILY, **change)


@pytest.mark.parametrize(
    ("lookup", "words"),
    [
        (
            Lookup("airport", (("dep_city", "city"),), "airports"),
            "the key of a lookup: 'airport'; expected columns of its",
        ),
        (
            Lookup("origin_airport_id", (("dep_state", "state"),), "airports"),
            "the lookup by origin_airport_id fills: 'dep_state'; expected columns that may be empty: dep_",
        ),
        (
            Lookup("origin_airport_id", (("carrier", "name"),), "airports"),
            "the lookup by origin_airport_id fills: 'carrier'; expected columns that may be empty: dep_",
        ),
        (
            Lookup("origin_airport_id", (("dep_city", "town"),), "airports"),
            "the lookup by origin_airport_id reads: 'town'; expected columns of airlines.dim_airport_codes: ",
        ),
    ],
)
def test_a_lookup_that_leads_nowhere_is_refused(lookup: Lookup, words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"mart long_delays: {words}")):
        replace(LONG_DELAYS, lookups=(lookup,))
