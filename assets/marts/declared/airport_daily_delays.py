"""How many departures and arrivals each airport had on a day, and how late they were."""

from airline_platform.contract.sink import Lookup
from airline_platform.contract.table import Column, Table, mean_of
from airline_platform.feeds.flights import ARR_DELAY, DEP_DELAY, FLIGHTS
from assets.marts.declared.flight_delays import DAY, FLIGHT_SUMS, LATE
from assets.marts.mart import Mart, Sums

AIRPORT_DAILY_DELAYS = Mart(
    table=Table(
        name="airport_daily_delays",
        description="One row per day and airport that had departures or arrivals.",
        columns=(
            DAY,
            Column("airport_id", "bigint", "US DOT id of the airport.", required=True),
            Column("airport", "string", "Name of the airport; empty: unknown.", length=200),
            Column("city", "string", "City the airport serves.", length=100),
            Column("state", "string", "Two-letter US state or territory.", length=100),
            Column(
                "departures", "bigint", "Scheduled departures, the cancelled ones among them.", required=True
            ),
            Column("cancelled_departures", "bigint", "Departures that were cancelled.", required=True),
            Column("delayed_departures", "bigint", f"Departures {LATE} late.", required=True),
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
            Column("delayed_arrivals", "bigint", f"Arrivals {LATE} late.", required=True),
            mean_of(
                ARR_DELAY,
                "avg_arr_delay",
                "Mean delay of the arrivals in minutes, early is negative; empty: none arrived.",
            ),
        ),
        partition_column=DAY.name,
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
    sums=Sums(
        FLIGHT_SUMS,
        {
            "departures": ("SUM(departures)", "flights"),
            "arrivals": ("SUM(arrivals)", "flights"),
            "cancelled_departures": ("SUM(cancelled_departures)", "cancelled"),
            "cancelled_arrivals": ("SUM(cancelled_arrivals)", "cancelled"),
            "diverted_arrivals": ("SUM(diverted_arrivals)", "diverted"),
            "delayed_departures": ("SUM(delayed_departures)", "delayed_departures"),
            "delayed_arrivals": ("SUM(delayed_arrivals)", "delayed_arrivals"),
        },
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
    lookups=(Lookup("airport_id", (("airport", "name"), ("city", "city"), ("state", "state")), "airports"),),
    figures=("departures", "arrivals"),
)
