"""How punctual each carrier is over all days there are."""

from airline_platform.contract.table import Column, Table, mean_of
from airline_platform.feeds.flights import ARR_DELAY
from assets.marts.declared.carrier_daily_delays import CARRIER_DAILY_DELAYS
from assets.marts.declared.flight_delays import CARRIER
from assets.marts.mart import Mart, Sums
from assets.marts.thresholds import DELAYED_MINUTES

CARRIER_SUMS = f"""
SELECT
    COUNT(DISTINCT carrier) AS carriers,
    SUM(flights) AS flights,
    SUM(cancelled) AS cancelled,
    SUM(diverted) AS diverted,
    SUM(flights) - SUM(cancelled) - SUM(diverted) - SUM(delayed_flights) AS on_time
FROM {CARRIER_DAILY_DELAYS.table.qualified_name}
"""  # noqa: S608

CARRIER_ON_TIME = Mart(
    table=Table(
        name="carrier_on_time",
        description="One row per carrier, over all days there are: how punctual it is, the best one first.",
        columns=(
            Column(
                "place", "bigint", "1 for the most punctual carrier; equals share a place.", required=True
            ),
            CARRIER,
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
    sums=Sums(
        CARRIER_SUMS,
        {
            "carriers": ("COUNT(*)", "carriers"),
            "flights": ("SUM(flights)", "flights"),
            "cancelled": ("SUM(cancelled)", "cancelled"),
            "diverted": ("SUM(diverted)", "diverted"),
            "on_time_flights": ("SUM(on_time_flights)", "on_time"),
        },
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
