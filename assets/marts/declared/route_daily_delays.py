"""How many flights each route had on a day, and how late they were."""

from airline_platform.contract.table import Table
from airline_platform.feeds.flights import FLIGHTS
from assets.marts.declared.flight_delays import (
    ABOUT_MEANS,
    DAY,
    DELAYS,
    DELAYS_MADE_OF,
    DEST,
    ORIGIN,
    ROUTE_LOOKUPS,
    ROUTE_NAMES,
    SUMS_OF_DELAYS,
)
from assets.marts.mart import Mart

ROUTE_DAILY_DELAYS = Mart(
    table=Table(
        name="route_daily_delays",
        description="One row per day and pair of airports that had flights in this direction.",
        columns=(DAY, ORIGIN, DEST, *ROUTE_NAMES, *DELAYS),
        partition_column=DAY.name,
        dist_key="origin_airport_id",
        sort_key=("flight_date",),
        key=("flight_date", "origin_airport_id", "dest_airport_id"),
    ),
    source=FLIGHTS.table,
    caveats=f"{ABOUT_MEANS} All carriers of a route are together.",
    sums=SUMS_OF_DELAYS,
    made_of=DELAYS_MADE_OF,
    lookups=ROUTE_LOOKUPS,
    figures=("flights", "cancelled", "delayed_flights"),
)
