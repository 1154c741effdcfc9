"""Bookings: what a day's files say of each; they name people."""

from airline_platform.contract.feed import Feed, Rule
from airline_platform.contract.sink import FactTable, LatestRows
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE, Column, Table
from airline_platform.feeds.currencies import CURRENCIES, WITHDRAWN
from airline_platform.feeds.shared import AIRPORT_NAMES, BOTH_AIRPORTS, DEST, FILE_DATE, ORIGIN

CABINS = ("ECONOMY", "PREMIUM_ECONOMY", "BUSINESS", "FIRST")
BOOKING_STATUSES = ("CONFIRMED", "CANCELLED", "PENDING")

_NO_SPACE = r"[^@\s\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
"""A character that is neither an at sign nor white space, for Java's `\\s` knows ASCII's alone."""

_BOOKING_ID = Column(
    "booking_id",
    "string",
    "Names the booking; the same one in every file that speaks of it.",
    required=True,
    length=32,
    # With a digit, so that no name in the wrong column is taken for one and shown.
    pattern=("[A-Za-z0-9-]*[0-9][A-Za-z0-9-]*", "letters, digits and hyphens, among them a digit"),
)
_BOOKED_AT = Column("booked_at", "timestamp", "When it was booked, in UTC.", required=True)
_CARRIER = Column(
    "carrier",
    "string",
    "Carrier code, as IATA assigns it.",
    required=True,
    length=3,
    pattern=("[A-Z0-9]{2,3}", "a carrier code such as AA"),
)
_FLIGHT_NUMBER = Column(
    "flight_number", "bigint", "Number of the flight, without the carrier's code.", required=True, minimum=1
)
_FLIGHT_DATE = Column("flight_date", "date", "Day of the flight; not before the booking.", required=True)
_CABIN = Column("cabin", "string", "Cabin class.", required=True, length=16, one_of=CABINS)
FARE = Column("fare_amount", "decimal", "Fare in units of the currency.", required=True, minimum=0)
_CURRENCY = Column(
    "currency",
    "string",
    "Currency of the fare, ISO 4217; one that was withdrawn in 1990 or later is one, too.",
    required=True,
    length=3,
    one_of=(*CURRENCIES, *WITHDRAWN),
)
_STATUS = Column(
    "status", "string", "What the booking has come to.", required=True, length=16, one_of=BOOKING_STATUSES
)

_BOOKING_FACTS = (
    _BOOKING_ID,
    _BOOKED_AT,
    Column(
        "customer_key",
        "string",
        "Keyed SHA-256 (HMAC) of the e-mail address: one customer has one, and nobody can tell who it is.",
        length=64,
        hash_of="email",
    ),
    _CARRIER,
    _FLIGHT_NUMBER,
    ORIGIN,
    DEST,
    *AIRPORT_NAMES,
    _FLIGHT_DATE,
    _CABIN,
    FARE,
    _CURRENCY,
    _STATUS,
)

BOOKINGS = Feed(
    name="bookings",
    prefix="bookings/",
    noun="bookings",
    columns=(
        _BOOKING_ID,
        _BOOKED_AT,
        Column(
            "passenger_name",
            "string",
            "Name of the passenger.",
            length=200,
            several_lines=True,
            personal=True,
        ),
        Column(
            "email",
            "string",
            "E-mail address of who booked.",
            length=254,
            pattern=(f"{_NO_SPACE}+@{_NO_SPACE}+[.]{_NO_SPACE}+", "an e-mail address"),
            personal=True,
        ),
        _CARRIER,
        _FLIGHT_NUMBER,
        ORIGIN,
        DEST,
        _FLIGHT_DATE,
        _CABIN,
        FARE,
        _CURRENCY,
        _STATUS,
    ),
    rules=(
        Rule(
            "to_date(booked_at) > flight_date",
            "flight_date: expected the day of booked_at (in UTC) or a later one",
        ),
    ),
    becomes=FactTable(
        table=Table(
            name="fact_booking_status",
            description="One row per booking and file that speaks of it: how its status came about.",
            columns=(FILE_DATE, *_BOOKING_FACTS, LANDED_AT, SOURCE_FILE, SOURCE_LINE),
            partition_column="file_date",
            dist_key="booking_id",
            sort_key=("file_date",),
            key=("booking_id", "file_date", SOURCE_FILE.name),
        ),
        lookups=BOTH_AIRPORTS,
        latest=LatestRows(
            table=Table(
                name="fact_bookings",
                description="One row per booking, as the newest file that speaks of it has it.",
                columns=(*_BOOKING_FACTS, FILE_DATE, LANDED_AT, SOURCE_FILE, SOURCE_LINE),
                dist_key="booking_id",
                sort_key=("flight_date",),
                key=("booking_id",),
            ),
            order=("file_date", "landed_at", SOURCE_FILE.name),
        ),
    ),
)
