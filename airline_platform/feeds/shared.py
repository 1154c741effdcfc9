"""Columns and lookups that several feeds have."""

from airline_platform.contract.sink import Lookup
from airline_platform.contract.table import Column

ORIGIN = Column(
    "origin_airport_id", "bigint", "US DOT id of the airport of departure.", required=True, minimum=0
)
DEST = Column("dest_airport_id", "bigint", "US DOT id of the airport of arrival.", required=True, minimum=0)
AIRPORT_NAMES = (
    Column("dep_airport", "string", "Name of the airport of departure; empty: unknown.", length=200),
    Column("arr_airport", "string", "Name of the airport of arrival; empty: unknown.", length=200),
    Column("dep_city", "string", "City of departure.", length=100),
    Column("arr_city", "string", "City of arrival.", length=100),
    Column("dep_state", "string", "State of departure.", length=100),
    Column("arr_state", "string", "State of arrival.", length=100),
)
BOTH_AIRPORTS = (
    Lookup(
        "origin_airport_id",
        (("dep_airport", "name"), ("dep_city", "city"), ("dep_state", "state")),
        "airports",
    ),
    Lookup(
        "dest_airport_id", (("arr_airport", "name"), ("arr_city", "city"), ("arr_state", "state")), "airports"
    ),
)

FILE_DATE = Column("file_date", "date", "Day of the file that says so, from its key.", required=True)
