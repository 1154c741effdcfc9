"""The marts: tables that answer what people ask of the facts, each with what it is read from."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airline_platform.contract.feed import Lookup
from airline_platform.contract.table import Column, Table, mean_of, sum_of
from airline_platform.feeds.bookings import BOOKINGS, FARE
from airline_platform.feeds.flights import ARR_DELAY, DEP_DELAY, FLIGHTS

DELAYED_MINUTES = 15
"""From which delay on a flight is delayed. For the US Department of Transportation a flight is on time that
operated "less than 15 minutes after the scheduled time"; cancelled and diverted ones "are counted as late":
http://airconsumer.ost.dot.gov/reports/delay.htm"""


@dataclass(frozen=True)
class Mart:
    """A table that follows from another one of the warehouse, by a query of ours.

    Args:
        table: What it becomes; where it has a partition column, its days follow from the source's days.
        source: The table it is read from.
        caveats: What a reader has to know before trusting a figure; sentences.
        made_of: Columns of the source, by the column that is made of them; one that is not named here is made
            of the source's column of the same name, and one that counts rows of none.
        lookups: Columns that come from the airports and may be empty until an airport is known.
        figures: Columns whose sums tell people something about a day.
    """

    table: Table
    source: Table
    caveats: str
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    figures: tuple[str, ...] = ()

    def sources_of(self, column: str) -> tuple[str, ...]:
        """The source's columns a column of this one is made of."""
        same = (column,) if column in self.source.column_names else ()
        return tuple(self.made_of.get(column, same))


_DAY = Column("flight_date", "date", "Day of the flights, from the key of the file.", required=True)
_CARRIER = Column("carrier", "string", "Carrier code, as IATA assigns it.", required=True, length=10)


def _airport_name(side: str, column: str, what: str) -> Column:
    length = 200 if column == "airport" else 100
    return Column(f"{side}_{column}", "string", f"{what}; empty: unknown.", length=length)


_ORIGIN = Column("origin_airport_id", "bigint", "US DOT id of the airport of departure.", required=True)
_DEST = Column("dest_airport_id", "bigint", "US DOT id of the airport of arrival.", required=True)
_ROUTE_NAMES = (
    _airport_name("dep", "airport", "Name of the airport of departure"),
    _airport_name("arr", "airport", "Name of the airport of arrival"),
    _airport_name("dep", "city", "City of departure"),
    _airport_name("arr", "city", "City of arrival"),
)
_ROUTE_LOOKUPS = (
    Lookup("origin_airport_id", (("dep_airport", "name"), ("dep_city", "city"))),
    Lookup("dest_airport_id", (("arr_airport", "name"), ("arr_city", "city"))),
)

_LATE = f"{DELAYED_MINUTES} minutes or more"
_DELAYS = (
    Column("flights", "bigint", "Scheduled flights, the cancelled ones among them.", required=True),
    Column(
        "cancelled", "bigint", "Of these, flights that have neither delay: they did not fly.", required=True
    ),
    Column(
        "diverted", "bigint", "Flights that departed and did not arrive where they were to.", required=True
    ),
    Column("delayed_flights", "bigint", f"Flights that arrived {_LATE} late.", required=True),
    Column("delayed_departures", "bigint", f"Flights that departed {_LATE} late.", required=True),
    sum_of(DEP_DELAY, "total_dep_delay", "Departure delays added up, in minutes; early ones are negative."),
    sum_of(ARR_DELAY, "total_arr_delay", "Arrival delays added up, in minutes; early ones are negative."),
    mean_of(
        DEP_DELAY,
        "avg_dep_delay",
        "Mean departure delay in minutes, early is negative, of the flights that departed; empty: none did.",
    ),
    mean_of(
        ARR_DELAY,
        "avg_arr_delay",
        "Mean arrival delay in minutes, early is negative, of the flights that arrived where they were to; "
        "empty: none did.",
    ),
)
_DELAYS_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "cancelled": ("dep_delay", "arr_delay"),
    "diverted": ("dep_delay", "arr_delay"),
    "delayed_flights": ("arr_delay",),
    "delayed_departures": ("dep_delay",),
    "total_dep_delay": ("dep_delay",),
    "total_arr_delay": ("arr_delay",),
    "avg_dep_delay": ("dep_delay",),
    "avg_arr_delay": ("arr_delay",),
}
_AVERAGES = (
    "Means leave out what was cancelled, and those of arrivals what was diverted. Means of several days are "
    "not to be averaged: divide the totals instead."
)

CARRIER_DAILY_DELAYS = Mart(
    table=Table(
        name="carrier_daily_delays",
        description="One row per day and carrier that had flights: how many, and how late.",
        columns=(_DAY, _CARRIER, *_DELAYS),
        partition_column=_DAY.name,
        dist_key="carrier",
        sort_key=("flight_date",),
        key=("flight_date", "carrier"),
    ),
    source=FLIGHTS.table,
    caveats=_AVERAGES,
    made_of=_DELAYS_MADE_OF,
    figures=("flights", "cancelled", "delayed_flights"),
)

ROUTE_DAILY_DELAYS = Mart(
    table=Table(
        name="route_daily_delays",
        description="One row per day and pair of airports that had flights in this direction.",
        columns=(_DAY, _ORIGIN, _DEST, *_ROUTE_NAMES, *_DELAYS),
        partition_column=_DAY.name,
        dist_key="origin_airport_id",
        sort_key=("flight_date",),
        key=("flight_date", "origin_airport_id", "dest_airport_id"),
    ),
    source=FLIGHTS.table,
    caveats=f"{_AVERAGES} All carriers of a route are together.",
    made_of=_DELAYS_MADE_OF,
    lookups=_ROUTE_LOOKUPS,
    figures=("flights", "cancelled", "delayed_flights"),
)

AIRPORT_DAILY_DELAYS = Mart(
    table=Table(
        name="airport_daily_delays",
        description="One row per day and airport that had departures or arrivals.",
        columns=(
            _DAY,
            Column("airport_id", "bigint", "US DOT id of the airport.", required=True),
            Column("airport", "string", "Name of the airport; empty: unknown.", length=200),
            Column("city", "string", "City the airport serves.", length=100),
            Column("state", "string", "Two-letter US state or territory.", length=100),
            Column(
                "departures", "bigint", "Scheduled departures, the cancelled ones among them.", required=True
            ),
            Column("cancelled_departures", "bigint", "Departures that were cancelled.", required=True),
            Column("delayed_departures", "bigint", f"Departures {_LATE} late.", required=True),
            mean_of(
                DEP_DELAY,
                "avg_dep_delay",
                "Mean delay of the departures in minutes, early is negative; empty: none departed.",
            ),
            Column(
                "arrivals", "bigint", "Scheduled arrivals, also of flights that never came.", required=True
            ),
            Column("cancelled_arrivals", "bigint", "Arrivals of cancelled flights.", required=True),
            Column("diverted_arrivals", "bigint", "Arrivals that went somewhere else.", required=True),
            Column("delayed_arrivals", "bigint", f"Arrivals {_LATE} late.", required=True),
            mean_of(
                ARR_DELAY,
                "avg_arr_delay",
                "Mean delay of the arrivals in minutes, early is negative; empty: none arrived.",
            ),
        ),
        partition_column=_DAY.name,
        dist_key="airport_id",
        sort_key=("flight_date",),
        key=("flight_date", "airport_id"),
    ),
    source=FLIGHTS.table,
    caveats=(
        "A flight counts twice, as a departure of one airport and an arrival of another: add up one of the "
        "two. An arrival counts on the day of its flight, also past midnight. Means leave out what was "
        "cancelled, and those of arrivals what was diverted."
    ),
    made_of={
        "airport_id": ("origin_airport_id", "dest_airport_id"),
        "airport": ("dep_airport", "arr_airport"),
        "city": ("dep_city", "arr_city"),
        "state": ("dep_state", "arr_state"),
        "cancelled_departures": ("dep_delay", "arr_delay"),
        "delayed_departures": ("dep_delay",),
        "avg_dep_delay": ("dep_delay",),
        "cancelled_arrivals": ("dep_delay", "arr_delay"),
        "diverted_arrivals": ("dep_delay", "arr_delay"),
        "delayed_arrivals": ("arr_delay",),
        "avg_arr_delay": ("arr_delay",),
    },
    lookups=(Lookup("airport_id", (("airport", "name"), ("city", "city"), ("state", "state"))),),
    figures=("departures", "arrivals"),
)

LONG_DELAYS = Mart(
    table=Table(
        name="long_delays",
        description="One row per flight that departed late by AIRLINE_LONG_DELAY_MINUTES (60) or more.",
        columns=(
            _DAY,
            _CARRIER,
            _ORIGIN,
            _DEST,
            *_ROUTE_NAMES,
            Column("dep_delay", "bigint", "Departure delay in minutes.", required=True),
            Column("arr_delay", "bigint", "Arrival delay in minutes, early is negative; empty: diverted."),
        ),
        partition_column=_DAY.name,
        dist_key="carrier",
        sort_key=("flight_date",),
    ),
    source=FLIGHTS.table,
    caveats=(
        "A day keeps the threshold it was made with, which its metadata tells: after a change of the "
        "setting, materialize the days again. Cancelled flights are not in it. The fact has no flight "
        "numbers, so two equal rows may be two flights."
    ),
    lookups=_ROUTE_LOOKUPS,
)

BOOKINGS_DAILY = Mart(
    table=Table(
        name="bookings_daily",
        description="One row per day of files, carrier, cabin, status and currency that a booking had.",
        columns=(
            Column("file_date", "date", "Day of the files that say so, from their keys.", required=True),
            Column("carrier", "string", "Carrier code.", required=True, length=3),
            Column("cabin", "string", "Cabin class.", required=True, length=16),
            Column("status", "string", "What the bookings have come to.", required=True, length=16),
            Column("currency", "string", "Currency of the fares, ISO 4217.", required=True, length=3),
            Column("bookings", "bigint", "How many bookings.", required=True),
            sum_of(FARE, "fare_amount", "Their fares added up, in units of the currency.", required=True),
        ),
        partition_column="file_date",
        dist_key="carrier",
        sort_key=("file_date",),
        key=("file_date", "carrier", "cabin", "status", "currency"),
    ),
    source=BOOKINGS.table,
    caveats=(
        "It is what the files of each day said: a booking of which the files of two days speak counts on "
        "both, with the status it had on each, and once on a day, as the newest file of that day has it. "
        "What is true today stands in fact_bookings. Fares are a revenue only where the status is CONFIRMED, "
        "and those of different currencies do not add up."
    ),
    made_of={"bookings": ("booking_id",)},
    figures=("bookings",),
)

CARRIER_ON_TIME = Mart(
    table=Table(
        name="carrier_on_time",
        description="One row per carrier, over all days there are: how punctual it is, the best one first.",
        columns=(
            Column(
                "place", "bigint", "1 for the most punctual carrier; equals share a place.", required=True
            ),
            _CARRIER,
            Column("first_date", "date", "First day with flights of it.", required=True),
            Column("last_date", "date", "Last day with flights of it.", required=True),
            Column("flights", "bigint", "Scheduled flights, the cancelled ones among them.", required=True),
            Column("cancelled", "bigint", "Flights that did not fly.", required=True),
            Column("diverted", "bigint", "Flights that did not arrive where they were to.", required=True),
            Column(
                "on_time_flights",
                "bigint",
                f"Flights that arrived less than {DELAYED_MINUTES} minutes late.",
                required=True,
            ),
            Column(
                "on_time_percent",
                "decimal",
                "On-time flights in percent of the scheduled ones, 0 to 100.",
                required=True,
            ),
            mean_of(
                ARR_DELAY,
                "avg_arr_delay",
                "Mean arrival delay in minutes, early is negative, of the flights that arrived where they "
                "were to; empty: none did.",
            ),
        ),
        sort_key=("place",),
        key=("carrier",),
    ),
    source=CARRIER_DAILY_DELAYS.table,
    caveats=(
        "As the US Department of Transportation counts, a cancelled or diverted flight is not on time. It is "
        "over the days that have landed, which need not be the same ones for all carriers: see first_date "
        "and last_date."
    ),
    made_of={
        "place": ("flights", "cancelled", "diverted", "delayed_flights"),
        "first_date": ("flight_date",),
        "last_date": ("flight_date",),
        "on_time_flights": ("flights", "cancelled", "diverted", "delayed_flights"),
        "on_time_percent": ("flights", "cancelled", "diverted", "delayed_flights"),
        "avg_arr_delay": ("total_arr_delay", "flights", "cancelled", "diverted"),
    },
)

MARTS: dict[str, Mart] = {
    mart.table.name: mart
    for mart in (
        CARRIER_DAILY_DELAYS,
        ROUTE_DAILY_DELAYS,
        AIRPORT_DAILY_DELAYS,
        LONG_DELAYS,
        BOOKINGS_DAILY,
        CARRIER_ON_TIME,
    )
}
"""By the name of the table; one that is read from another mart stands behind it."""


def marts_of(table: Table) -> list[Mart]:
    """The marts that follow from a table, and those that follow from them, in the order to make them in."""
    changed = {table.name}
    found = []
    for mart in MARTS.values():
        if mart.source.name in changed:
            found.append(mart)
            changed.add(mart.table.name)
    return found
