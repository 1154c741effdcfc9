"""How many flights each carrier had on a day, and how late they were."""

from airline_platform.contract.table import Table
from airline_platform.feeds.flights import FLIGHTS
from assets.marts.declared.flight_delays import (
    ABOUT_MEANS,
    CARRIER,
    DAY,
    DELAYS,
    DELAYS_MADE_OF,
    SUMS_OF_DELAYS,
)
from assets.marts.mart import Mart

CARRIER_DAILY_DELAYS = Mart(
    table=Table(
        name="carrier_daily_delays",
        description="One row per day and carrier that had flights: how many, and how late.",
        columns=(DAY, CARRIER, *DELAYS),
        partition_column=DAY.name,
        dist_key="carrier",
        sort_key=("flight_date",),
        key=("flight_date", "carrier"),
    ),
    source=FLIGHTS.table,
    caveats=ABOUT_MEANS,
    sums=SUMS_OF_DELAYS,
    made_of=DELAYS_MADE_OF,
    figures=("flights", "cancelled", "delayed_flights"),
)
