"""Airports: their codes, names and places; flights and bookings look them up."""

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Dimension
from airline_platform.contract.table import Column, Table

AIRPORTS = Feed(
    name="airports",
    prefix="airport_codes/",
    noun="airports",
    columns=(
        Column(
            "airport_id", "bigint", "US DOT id of the airport: unique, and stable over time.", required=True
        ),
        Column("city", "string", "City the airport serves.", length=100),
        Column("state", "string", "Two-letter US state or territory.", length=100),
        Column("name", "string", "Name of the airport.", length=200),
    ),
    becomes=Dimension(
        table=Table(
            name="dim_airport_codes",
            description="One row per airport.",
            sort_key=("airport_id",),
        ),
        key="airport_id",
    ),
)
