"""What the marts of flights share: columns, what these are made of, and what a day's flights add up to."""

from collections.abc import Mapping

from airline_platform.contract.sink import Lookup
from airline_platform.contract.table import Column, mean_of, sum_of
from airline_platform.feeds.flights import ARR_DELAY, DEP_DELAY, FLIGHTS
from assets.marts.mart import Sums
from assets.marts.thresholds import DELAYED_MINUTES

DAY = Column("flight_date", "date", "Day of the flights, from the key of the file.", required=True)
CARRIER = Column("carrier", "string", "Carrier code, as IATA assigns it.", required=True, length=10)


def _airport_name(side: str, column: str, what: str) -> Column:
    length = 200 if column == "airport" else 100
    return Column(f"{side}_{column}", "string", f"{what}; empty: unknown.", length=length)


ORIGIN = Column("origin_airport_id", "bigint", "US DOT id of the airport of departure.", required=True)
DEST = Column("dest_airport_id", "bigint", "US DOT id of the airport of arrival.", required=True)
ROUTE_NAMES = (
    _airport_name("dep", "airport", "Name of the airport of departure"),
    _airport_name("arr", "airport", "Name of the airport of arrival"),
    _airport_name("dep", "city", "City of departure"),
    _airport_name("arr", "city", "City of arrival"),
)
ROUTE_LOOKUPS = (
    Lookup("origin_airport_id", (("dep_airport", "name"), ("dep_city", "city")), "airports"),
    Lookup("dest_airport_id", (("arr_airport", "name"), ("arr_city", "city")), "airports"),
)

LATE = f"{DELAYED_MINUTES} minutes or more"
DELAYS = (
    Column("flights", "bigint", "Scheduled flights, the cancelled ones among them.", required=True),
    Column(
        "cancelled", "bigint", "Of these, flights that have neither delay: they did not fly.", required=True
    ),
    Column(
        "diverted", "bigint", "Flights that departed and did not arrive where they were to.", required=True
    ),
    Column("delayed_flights", "bigint", f"Flights that arrived {LATE} late.", required=True),
    Column("delayed_departures", "bigint", f"Flights that departed {LATE} late.", required=True),
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
DELAYS_MADE_OF: Mapping[str, tuple[str, ...]] = {
    "cancelled": ("dep_delay", "arr_delay"),
    "diverted": ("dep_delay", "arr_delay"),
    "delayed_flights": ("arr_delay",),
    "delayed_departures": ("dep_delay",),
    "total_dep_delay": ("dep_delay",),
    "total_arr_delay": ("arr_delay",),
    "avg_dep_delay": ("dep_delay",),
    "avg_arr_delay": ("arr_delay",),
}
ABOUT_MEANS = (
    "Means leave out what was cancelled, and those of arrivals what was diverted. Means of several days are "
    "not to be averaged: divide the totals instead."
)

FLIGHT_SUMS = f"""
SELECT
    flight_date AS day,
    COUNT(*) AS flights,
    COUNT(*) - COUNT(COALESCE(dep_delay, arr_delay)) AS cancelled,
    COUNT(dep_delay) - COUNT(dep_delay + arr_delay) AS diverted,
    SUM(CASE WHEN dep_delay >= {DELAYED_MINUTES} THEN 1 ELSE 0 END) AS delayed_departures,
    SUM(CASE WHEN arr_delay >= {DELAYED_MINUTES} THEN 1 ELSE 0 END) AS delayed_arrivals,
    SUM(dep_delay) AS dep_minutes,
    SUM(arr_delay) AS arr_minutes,
    SUM(CASE WHEN dep_delay >= %(minutes)s THEN 1 ELSE 0 END) AS long_delays,
    SUM(CASE WHEN dep_delay >= %(minutes)s THEN dep_delay ELSE 0 END) AS long_minutes
FROM {FLIGHTS.table.qualified_name}
WHERE flight_date IN %(days)s
GROUP BY flight_date
"""  # noqa: S608

SUMS_OF_DELAYS = Sums(
    FLIGHT_SUMS,
    {
        "flights": ("SUM(flights)", "flights"),
        "cancelled": ("SUM(cancelled)", "cancelled"),
        "diverted": ("SUM(diverted)", "diverted"),
        "delayed_departures": ("SUM(delayed_departures)", "delayed_departures"),
        "delayed_flights": ("SUM(delayed_flights)", "delayed_arrivals"),
        "total_dep_delay": ("SUM(total_dep_delay)", "dep_minutes"),
        "total_arr_delay": ("SUM(total_arr_delay)", "arr_minutes"),
    },
)
"""Of a mart that has `DELAYS`, by whatever else its rows are taken apart."""
