"""Makes files of a feed that nobody would send, for runs of ten with a good one between them."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

FILES = 10
"""Of a run; one of them is good."""

GOOD_ROWS: dict[str, tuple[dict[str, Any], ...]] = {
    AIRPORTS.name: (
        {"airport_id": 10397, "city": "Atlanta, GA", "state": "GA", "name": 'Hartsfield "the big one"'},
        {"airport_id": 12266, "city": "Houston", "state": "TX", "name": None},
    ),
    FLIGHTS.name: (
        {"Carrier": "UA", "OriginAirportID": 1, "DestAirportID": 2, "DepDelay": -3, "ArrDelay": 4},
        {"Carrier": "B6", "OriginAirportID": 2, "DestAirportID": 1, "DepDelay": None, "ArrDelay": None},
    ),
    BOOKINGS.name: tuple(
        {
            "booking_id": booking_id,
            "booked_at": "2013-01-01 10:00:00",
            "passenger_name": name,
            "email": "a@b.org",
            "carrier": "UA",
            "flight_number": 1,
            "origin_airport_id": 1,
            "dest_airport_id": 2,
            "flight_date": "2013-12-31",
            "cabin": "ECONOMY",
            "fare_amount": "129.90",
            "currency": "USD",
            "status": "CONFIRMED",
        }
        for booking_id, name in (("B1", "Zoë, née\nSmith"), ("B2", None))
    ),
    SHIPMENTS.name: tuple(
        {
            "shipping_id": number,
            "shipping_date": "2013/01/01",
            "customer_name": name,
            "street_address": "1 Main St",
            "destination_city": "Zürich",
            "shipping_cost": 1.5,
            "shipping_distance": 2,
            "quantity": 3,
            "product_id": 4,
        }
        for number, name in ((1, "Zoë"), (2, None))
    ),
}
"""Rows of each feed that are loaded wherever they stand."""

HIDDEN = ["\u200b", "\u00a0", "\ufeff", "\x1f", "\x85", "\u202e", "\u00ad", "\ufe0f", "\0", "\x0b", "\u2028"]
NO_VALUES = [
    "",
    " ",
    "\t",
    "NULL",
    "\\N",
    "NaN",
    "-",
    "_",
    "true",
    "[]",
    "{}",
    "'",
    '"',
    '""',
    '"""',
    '="B6"',
    "sep=;",
]
NUMBERS = [
    *(
        "0",
        "-1",
        "1.0",
        "1.50",
        "12.5",
        "1e3",
        "+7",
        "007",
        "1,5",
        "\uff11",
        "²",
        "0x10",
        "Infinity",
        "-0",
        "1e400",
    ),
    *("9223372036854775807", "-9223372036854775808", "9007199254740992", "1" * 40, "1" * 4_400, "3" * 14),
    *("9" * 11 + ".999", "9" * 11 + ".9999", "2880", "2881", "-180", "-181"),
]
DATES = [
    *(
        "2013-01-01",
        "2013/01/01",
        "2013-02-30",
        "0000-01-01",
        "0001-01-01",
        "1582-10-10",
        "1899-12-31",
        "2013-1-1",
    ),
    *("2100-12-31", "2101-01-01", "10000-01-01", "9999-12-31", "2013-01-01T00:00:00Z", "1899-12-31 23:59:59"),
    *("2013-01-01 10:00:00+18:00", "2013-01-01 25:00:00", "2013-01-01 10:00:60", "1900-01-01 00:00:00+14:00"),
    *("2013-01-01 10:00:00.1234567", "2100-12-31 23:59:59-14:00"),
]
TEXTS = [
    *(
        "a@b.org\u200b",
        "A@B.ORG",
        "a b@c.de",
        "UA\n",
        "U\nA",
        "\r\n",
        "a\rb",
        "\ud800",
        "\udfff",
        "\U0010ffff",
    ),
    *(
        "Zu\u0308rich",
        "x" * 101,
        "é" * 100,
        "x" * 20_001,
        " " * 20_001 + "x",
        "\u200d",
        "👩\u200d🚀",
        "%s",
        "$1",
    ),
    *(f"U{character}A" for character in HIDDEN),
    *(f"{character}UA{character}" for character in HIDDEN),
]
STRANGE = [*NO_VALUES, *NUMBERS, *DATES, *TEXTS]
"""Texts in the place of a value."""

ENDS = ["\n", "\r\n", "\r", "\n\n", "\n \t\n", "\n\x0b\n"]
BEFORE = [*[""] * 8, "\ufeff", "\ufeff\ufeff", "sep=,\n", "sep=;\n", "\n", " "]
ENCODINGS = [*["utf-8"] * 30, "utf-8-sig", "latin-1", "utf-16", "utf-16-le", "utf-32", "cp1252", "utf-7"]
NAMES = [
    *("a", "b", "c", "d", "a b", "a%20b", "a+b", "50%", "é", "[x]{y}", "a*b?", "a\\b", "a:b", "a#b", "x=y"),
    *("a&b;c", "'", ";", "$x", "~"),
]
BITS = [
    *(
        b"",
        b'"',
        b"\n",
        b"\r",
        b",",
        b"\0",
        b"\xff",
        b"\xe2\x80\x8b",
        b"\xed\xa0\x80",
        b"{",
        b"[",
        b"]",
        b"}",
        b"\\",
    ),
    *(b" " * 50, b"9" * 5_000, b"[" * 990 + b"]" * 990, b'{"a":' * 2_000, b"\n" * 100),
]
PACKINGS = [*["none"] * 20, *["gzip"] * 8, "broken", "cut", "twice", "padded", "no gzip"]
HEADERS = [*["as it is"] * 8, "other order", "capitals", "again", "one more", "one less", "rows"]
LEAST = [0, 1, 1, 2, 3]
ARRAY_ENDS = [*["]", " ]\n"] * 5, "", "],", ",]", "]]"]


@dataclass(frozen=True)
class FuzzedFile:
    """One file: the end of its key, and what it holds.

    Args:
        name: Unique in its run.
        body: Its bytes.
        good: Whether each of its rows is one that is loaded.
    """

    name: str
    body: bytes
    good: bool = False


def fuzzed_runs(feed: Feed, runs: int, random_seed: int | None = None) -> list[list[FuzzedFile]]:
    """Runs of ten files.

    Args:
        feed: What the files should be.
        runs: How many at most.
        random_seed: Another one makes other files; without one they are always the same.
    """
    found: list[list[FuzzedFile]] = []

    def collect(files: list[FuzzedFile]) -> None:
        found.append(files)

    how = settings(
        max_examples=runs,
        deadline=None,
        database=None,
        derandomize=random_seed is None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    test = how(given(files_of_a_run(feed))(collect))
    (test if random_seed is None else seed(random_seed)(test))()
    return found


@st.composite
def files_of_a_run(draw: Callable[[st.SearchStrategy[Any]], Any], feed: Feed) -> list[FuzzedFile]:
    """Ten files in any order, one of them good."""
    files = []
    for place in range(FILES - 1):
        body, packed = draw(packed_bodies(feed))
        ending = f".{feed.format}{'.gz' if packed else ''}"
        ending = draw(st.sampled_from([ending, ending, ending.upper()]))
        name = f"{draw(st.sampled_from(NAMES))}{place}{ending}"
        files.append(FuzzedFile(name, body))
    good = FuzzedFile(f"good.{feed.format}", good_body(feed), good=True)
    files.insert(draw(st.integers(0, len(files))), good)
    return files


def good_body(feed: Feed) -> bytes:
    """A file whose rows are all loaded."""
    rows = GOOD_ROWS[feed.name]
    if feed.format == "json":
        return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()
    fields = [[str(value or "") for value in row.values()] for row in rows]
    return _as_csv(feed.header.split(","), fields, "\n").encode()


def _as_csv(header: Sequence[str], rows: Sequence[Sequence[str]], end: str, *, quoted: bool = True) -> str:
    lines = []
    for row in (header, *rows):
        text = io.StringIO(newline="")
        if quoted:
            csv.writer(text, lineterminator="\r\n").writerow(row)
        lines.append(text.getvalue().removesuffix("\r\n") if quoted else ",".join(row))
    return end.join([*lines, ""])


@st.composite
def packed_bodies(draw: Callable[[st.SearchStrategy[Any]], Any], feed: Feed) -> tuple[bytes, bool]:
    """A file's bytes, and whether its name says that they are gzip."""
    anything = draw(st.sampled_from([False] * 14 + [True]))
    body = draw(st.binary(max_size=300) if anything else mutated(feed))
    packing = draw(st.sampled_from(PACKINGS))
    packed = gzip.compress(body, mtime=0)
    if packing == "broken":
        place = draw(st.integers(0, len(packed) - 1))
        packed = packed[:place] + bytes([packed[place] ^ 0x55]) + packed[place + 1 :]
    elif packing == "cut":
        packed = packed[: draw(st.integers(0, len(packed) - 1))]
    elif packing == "twice":
        packed = draw(st.sampled_from([packed + packed, gzip.compress(packed, mtime=0)]))
    elif packing == "padded":
        packed += bytes(10)
    elif packing in ("none", "no gzip"):
        return body, packing != "none"
    return packed, True


@st.composite
def mutated(draw: Callable[[st.SearchStrategy[Any]], Any], feed: Feed) -> bytes:
    """A file of the feed in which something is strange, and then some bytes of it."""
    texts = json_texts(feed) if feed.format == "json" else csv_texts(feed)
    text = draw(st.sampled_from(BEFORE)) + draw(texts)
    body: bytes = text.encode(draw(st.sampled_from(ENCODINGS)), "replace")
    first = draw(st.sampled_from([0, *[text.find("\n") + 1] * 5]))  # most headers stay whole
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2, 5]))):
        start = draw(st.integers(min(first, len(body)), len(body)))
        end = min(len(body), start + draw(st.sampled_from([0, 0, 1, 1, 2, 10, 10_000])))
        kind = draw(st.sampled_from(["replace", "flip", "double", "cut"]))
        part = body[start:end]
        if kind == "flip":
            part = bytes(byte ^ draw(st.sampled_from([1, 4, 32, 128])) for byte in part[:20]) + part[20:]
        elif kind == "double":
            part = part * draw(st.sampled_from([2, 3, 50]))
        elif kind == "replace":
            part = draw(st.sampled_from(BITS))
        body = body[:start] + part + (b"" if kind == "cut" else body[end:])
    return body


@st.composite
def csv_texts(draw: Callable[[st.SearchStrategy[Any]], Any], feed: Feed) -> str:
    """A CSV file with strange values, and perhaps a strange header."""
    names = feed.header.split(",")
    rows = []
    for good in draw(
        st.lists(st.sampled_from(GOOD_ROWS[feed.name]), min_size=draw(st.sampled_from(LEAST)), max_size=6)
    ):
        row = [str(value or "") for value in good.values()]
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            row[draw(st.integers(0, len(row) - 1))] = draw(st.sampled_from(STRANGE))
        rows.append(row)
    how = draw(st.sampled_from(HEADERS))
    if how == "other order":
        names, rows = names[::-1], [row[::-1] for row in rows]
    elif how == "capitals":
        names = [f" {name.upper()}\u00a0" for name in names]
    elif how == "again":
        rows.insert(draw(st.integers(0, len(rows))), names)
    elif how == "one more":
        rows = [[*row, "x"] if draw(st.booleans()) else row for row in rows]
    elif how == "one less":
        names = names[:-1]
    end = draw(st.sampled_from(ENDS))
    text = _as_csv(names, rows, end, quoted=draw(st.sampled_from([True, True, False])))
    return text.partition(end)[2] if how == "rows" else text


@st.composite
def json_texts(draw: Callable[[st.SearchStrategy[Any]], Any], feed: Feed) -> str:
    """Objects of strange values a line, or an array of them."""
    elements = []
    for good in draw(
        st.lists(st.sampled_from(GOOD_ROWS[feed.name]), min_size=draw(st.sampled_from(LEAST)), max_size=6)
    ):
        row = dict(good)
        for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2]))):
            row[draw(st.sampled_from([*row, *row, "note", ""]))] = draw(JSON_VALUES)
        text = json.dumps(row, ensure_ascii=draw(st.booleans()))
        elements.append(
            draw(st.sampled_from([text] * 8 + [text * 2, text[:-1] + ', "quantity": 1}', "", "null"]))
        )
    elements += [json.dumps(value) for value in draw(st.lists(JSON_VALUES, max_size=1))]
    if draw(st.booleans()):
        return "\n".join(elements) + draw(st.sampled_from(["", "\n"]))
    between = draw(st.sampled_from([",", ",\n", " ,\r\n\t"]))
    end = draw(st.sampled_from(ARRAY_ENDS))
    return f"[{between.join(elements)}{end}"


JSON_VALUES: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(STRANGE),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.none() | st.booleans(),
    st.recursive(
        st.text(max_size=5) | st.integers(),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
        max_leaves=4,
    ),
)
