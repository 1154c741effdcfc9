"""The flights that departed very late, one by one."""

from airline_platform.contract.table import Column, Table
from airline_platform.feeds.flights import FLIGHTS
from assets.marts.declared.flight_delays import (
    CARRIER,
    DAY,
    DEST,
    FLIGHT_SUMS,
    ORIGIN,
    ROUTE_LOOKUPS,
    ROUTE_NAMES,
)
from assets.marts.mart import Mart, Sums

LONG_DELAYS = Mart(
    table=Table(
        name="long_delays",
        description="One row per flight that departed late by AIRLINE_LONG_DELAY_MINUTES (60) or more.",
        columns=(
            DAY,
            CARRIER,
            ORIGIN,
            DEST,
            *ROUTE_NAMES,
            Column("dep_delay", "bigint", "Departure delay in minutes.", required=True),
            Column("arr_delay", "bigint", "Arrival delay in minutes, early is negative; empty: diverted."),
        ),
        partition_column=DAY.name,
        dist_key="carrier",
        sort_key=("flight_date",),
    ),
    source=FLIGHTS.table,
    caveats=(
        "A day keeps the threshold it was made with, which its metadata tells: after a change of the "
        "setting, materialize the days again. Cancelled flights are not in it. The fact has no flight "
        "numbers, so two equal rows may be two flights."
    ),
    sums=Sums(
        FLIGHT_SUMS, {"flights": ("COUNT(*)", "long_delays"), "minutes": ("SUM(dep_delay)", "long_minutes")}
    ),
    lookups=ROUTE_LOOKUPS,
)
