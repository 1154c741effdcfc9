"""Airports: their codes, names and places; a dimension."""

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column, Table

_AIRPORT_COLUMNS = (
    Column("airport_id", "bigint", "US DOT id of the airport: unique, and stable over time.", required=True),
    Column("city", "string", "City the airport serves.", length=100),
    Column("state", "string", "Two-letter US state or territory.", length=100),
    Column("name", "string", "Name of the airport.", length=200),
)

AIRPORTS = Feed(
    name="airports",
    prefix="airport_codes/",
    noun="airports",
    columns=_AIRPORT_COLUMNS,
    table=Table(
        name="dim_airport_codes",
        description="One row per airport.",
        columns=_AIRPORT_COLUMNS,
        sort_key=("airport_id",),
    ),
    daily=False,
)
