"""A JSON file is read once to tell whether it can be its feed, and how many rows it has."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds.shipments import SHIPMENTS
from resources.acceptance.heads import HEAD_BYTES, Accepted, Refused, judge

NAME, STREET = "Zaphod Beeblebrox", "42 Heart of Gold Street"
COLUMNS = tuple(column.name for column in SHIPMENTS.columns)
LINES, ARRAY = "lines", "array"
WANTED = f"JSON, an object a line or one array of objects, with the fields {SHIPMENTS.header}"
WHOLE = "Land the file again, complete."
ONE_A_LINE = "Write one object a line, or one array of objects."


def shipment(number: int, **values: Any) -> dict[str, Any]:
    return {
        "shipping_id": number,
        "shipping_date": "2013/01/01",
        "customer_name": NAME,
        "street_address": STREET,
        "destination_city": "Newark",
        "shipping_cost": 129.9,
        "shipping_distance": 50.5,
        "quantity": 2500.0,
        "product_id": 67890,
    } | values


def lines(*rows: Any, end: str = "\n") -> bytes:
    return "".join(json.dumps(row) + end for row in rows).encode()


ROW = lines(shipment(1))
ROWS = lines(*(shipment(number) for number in range(1, 4)))


def judged(body: bytes, *, gzipped: bool = False, size: int = 1 << 20) -> Accepted | Refused:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return judge(SHIPMENTS, pieces, len(body), gzipped=gzipped)


def verdict(body: bytes, *, gzipped: bool = False) -> str:
    """The shape of a file that is accepted."""
    found = judged(body, gzipped=gzipped)
    assert isinstance(found, Accepted), found
    assert (found.header, found.columns) == ("", COLUMNS)
    return found.shape


def refused(body: bytes, *, gzipped: bool = False) -> Refused:
    found = judged(body, gzipped=gzipped)
    assert isinstance(found, Refused), found
    return found


def called_gzip(body: bytes) -> Refused:
    return refused(body, gzipped=True)


def packed(body: bytes) -> Refused:
    return refused(gzip.compress(body), gzipped=True)


@pytest.mark.parametrize(
    "body",
    [
        ROWS,
        ROWS.rstrip(),
        ROWS.replace(b"\n", b"\r\n"),
        ROWS.replace(b"\n", b"\r"),
        b"\xef\xbb\xbf" + ROWS,
        b"\n \r\n\t\n" + ROWS,
        ROW * 1000,
        ROW.replace(b"\n", b"\r") * 1000,
    ],
)
def test_an_object_a_line_is_accepted_with_any_line_ends_and_blank_lines_before_it(body: bytes) -> None:
    assert verdict(body) == LINES
    assert verdict(gzip.compress(body), gzipped=True) == LINES


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("rows", [1, 3, 1000])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\n\n "])
def test_an_array_of_objects_is_accepted_as_such(mark: bytes, rows: int, indent: int | None) -> None:
    body = mark + json.dumps([shipment(number) for number in range(rows)], indent=indent).encode()

    assert verdict(body) == ARRAY
    assert verdict(gzip.compress(body), gzipped=True) == ARRAY


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_whose_first_element_is_longer_than_what_is_read_may_be_the_feeds(
    indent: int | None,
) -> None:
    body = json.dumps([shipment(1, customer_name="x" * HEAD_BYTES)], indent=indent).encode()

    assert verdict(body) == ARRAY


@pytest.mark.parametrize(
    "first",
    [
        '{"shipping_id": 1, "customer_name": "Zaphod',
        '{"shipping_id": 1,, "quantity": 2}',
        "{}",
        "{'shipping_id': 1}",
        json.dumps(shipment(1)) + " " + json.dumps(shipment(2)),
        json.dumps(shipment(1, nick_name=NAME)),
        '{"shipping_id": "' + NAME + '"}',
        '{"shipping_id": NaN}',
        '{"a": ' + "[" * 5_000 + "]" * 5_000 + "}",
        '{"shipping_id": ' + "9" * 5_000 + "}",
    ],
)
def test_a_first_row_that_is_broken_is_its_own_fault_not_the_files(first: str) -> None:
    assert verdict(first.encode() + b"\n" + ROWS) == LINES


@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"\xc3"])
def test_bytes_that_are_no_text_in_a_row_are_the_rows_fault(byte: bytes) -> None:
    assert verdict(ROW.replace(b"Zaphod", byte) + ROWS) == LINES
    if byte != b"\0":  # of which no string of JSON is made: the array itself is broken
        assert verdict(b"[" + ROW.replace(b"Zaphod", byte) + b"]") == ARRAY


UNTOLD = "neither an object nor an array begins"
NO_ROWS = "the file holds no text"
UTF_16 = "the file is UTF-16 or UTF-32"
BINARY = "the file is binary data or UTF-16"
CSV = f"{SHIPMENTS.header}\n1,2013/01/01,{NAME},{STREET},Newark,1,2,3,4\n".encode()
OTHER = {"passenger_name": NAME, "email": "zaphod@heart.example"}
FOREIGN = "none of the feed's fields in the first object"
SEVERAL = "an object over several lines"
LONG = "a line longer than 65,536 bytes"
EXPORT = "Export the file as JSON in UTF-8."
PRETTY = json.dumps(shipment(1), indent=2).encode()

# What comes, on which line, what is found of it, the beginning of the remedy.
REFUSED: dict[str, tuple[Callable[[bytes], Refused], bytes, int, str, str]] = {
    "empty": (refused, b"", 1, "the file is empty", WHOLE),
    "blank": (refused, b"\xef\xbb\xbf \r\n\t\n", 1, NO_ROWS, WHOLE),
    "gzip of nothing": (packed, b"", 1, NO_ROWS, WHOLE),
    "gzip of blanks": (packed, b"\n\n", 1, NO_ROWS, WHOLE),
    "blank for long": (refused, b"\n" * HEAD_BYTES + ROWS, 1, "65,536 bytes of blanks", WHOLE),
    "CSV": (refused, CSV, 1, UNTOLD, ONE_A_LINE),
    "CSV without a header": (refused, CSV.partition(b"\n")[2], 1, UNTOLD, ONE_A_LINE),
    "text on line 3": (refused, b"\n\n" + NAME.encode(), 3, UNTOLD, ONE_A_LINE),
    "text on line 3, CR": (refused, b"\r\r" + NAME.encode(), 3, UNTOLD, ONE_A_LINE),
    "a JSON text": (refused, json.dumps(NAME).encode(), 1, UNTOLD, ONE_A_LINE),
    "UTF-16": (refused, ROWS.decode().encode("utf-16"), 1, UTF_16, EXPORT),
    "UTF-16, no mark": (refused, ROWS.decode().encode("utf-16-le"), 1, BINARY, EXPORT),
    "UTF-16, big, no mark": (refused, ROWS.decode().encode("utf-16-be"), 1, BINARY, EXPORT),
    "UTF-32": (refused, ROWS.decode().encode("utf-32-be"), 1, BINARY, EXPORT),
    "array in UTF-16": (refused, b"[ ]".decode().encode("utf-16-le"), 1, BINARY, EXPORT),
    "Parquet": (refused, b"PAR1\x15\x04" + NAME.encode(), 1, "the file is Parquet", EXPORT),
    "gzip unsaid": (
        refused,
        gzip.compress(ROWS),
        1,
        "the file is gzip, which its name does not say",
        "Let its name end in .json.gz, or land it uncompressed.",
    ),
    "no gzip": (
        called_gzip,
        ROWS,
        1,
        "the file is not gzip",
        "Compress the file, or let its name end in .json.",
    ),
    "half a gzip": (
        called_gzip,
        gzip.compress(ROWS, compresslevel=0)[:400],
        2,
        "the gzip stream ends early",
        "Compress the file again and land it whole.",
    ),
    "pretty": (refused, PRETTY, 1, SEVERAL, ONE_A_LINE),
    "pretty, several": (refused, PRETTY + b"\n" + PRETTY, 1, SEVERAL, ONE_A_LINE),
    "pretty, CR": (refused, b"\r" + PRETTY.replace(b"\n", b"\r"), 2, SEVERAL, ONE_A_LINE),
    "pretty, large": (refused, PRETTY * 1000, 1, SEVERAL, ONE_A_LINE),
    "pretty, packed": (packed, PRETTY, 1, SEVERAL, ONE_A_LINE),
    "another feed's": (refused, b"\n" + lines(OTHER), 2, FOREIGN, "Name the fields so, or land"),
    "another feed's array": (refused, json.dumps([OTHER]).encode(), 1, FOREIGN, "Name the fields so, or"),
    "wrapped": (refused, json.dumps({"rows": [shipment(1)]}).encode(), 1, FOREIGN, "Name the fields so, or"),
    "fields in another case": (
        refused,
        lines({name.upper(): value for name, value in shipment(1).items()}),
        1,
        FOREIGN,
        "Name the fields so, or land the file under its own feed's prefix instead of shipments/",
    ),
    "long first line": (refused, lines(shipment(1, customer_name="x" * HEAD_BYTES)), 1, LONG, ONE_A_LINE),
    "all on one line": (refused, ROW.replace(b"\n", b" ") * 1000, 1, LONG, ONE_A_LINE),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_the_feed_is_refused_with_its_line_and_remedy(what: str) -> None:
    by, body, line, found, remedy = REFUSED[what]

    told = by(body)

    assert (told.line, told.found) == (line, found)
    assert told.remedy.startswith(remedy)


def quotes(told: Refused, *secrets: str) -> list[str]:
    return [secret for secret in secrets if secret in str(told)]


@pytest.mark.parametrize("what", REFUSED)
def test_no_refusal_quotes_what_the_file_holds(what: str) -> None:
    by, body, *_ = REFUSED[what]

    assert quotes(by(body), "Zaphod", "Heart of Gold", "Newark", "passenger", "@", "xxx") == []


@given(st.binary(max_size=40), st.sampled_from([b"", b"{", b"[", b"[{", b'{"', b'[\n{"shipping_id": 1}']))
def test_any_bytes_get_a_verdict(rest: bytes, start: bytes) -> None:
    found = judged(start + rest)

    assert found == judged(start + rest, size=1)
    if isinstance(found, Refused):
        assert found.line >= 1
        assert str(found).isprintable()


# --- the whole array


MANY = json.dumps([shipment(number) for number in range(1000)], indent=1).encode()


def test_a_whole_array_has_nothing_against_it() -> None:
    found = judged(MANY, size=1000)

    assert isinstance(found, Accepted)
    assert found.rows == 1000


@pytest.mark.parametrize("elements", [b"1, null, true", b'"a", "b"', b"[1, 2], [3]", b"{}, NaN"])
def test_elements_that_are_no_objects_are_the_rows_fault(elements: bytes) -> None:
    assert verdict(b"[" + elements + b"]") == ARRAY


@pytest.mark.parametrize("body", [b"[]", b" [\n ] \n", b"\xef\xbb\xbf[]"])
def test_an_empty_array_is_refused(body: bytes) -> None:
    found = refused(body)

    assert str(found) == (
        "line 1: an empty array; expected at least one object in the array. "
        "Land the file again, with its rows."
    )


def test_an_array_that_ends_early_is_refused_with_its_last_elements_line() -> None:
    cut = MANY[: len(MANY) * 2 // 3]
    last = cut[: cut.rindex(b"\n {") + 1].count(b"\n") + 1

    found = refused(cut)

    assert (found.line, found.found) == (last, "the array ends early")
    assert found.expected == "a complete JSON array"
    assert found.remedy == f"{WHOLE} Or write one object a line: then only what is broken is rejected."


FIELD = b'"shipping_id": 567,'
BEGINS = MANY[: MANY.index(FIELD)].count(b"\n")
"""Line of the element's brace, which stands above its first field."""


@pytest.mark.parametrize(
    ("part", "becomes", "line", "found"),
    [
        (FIELD, b'"shipping_id": 5,67,', BEGINS, "an element that is not JSON"),
        (FIELD, b'shipping_id: "Zaphod",', BEGINS, "an element that is not JSON"),
        (b"},\n {\n  " + FIELD, b"}\n {\n  " + FIELD, BEGINS, "neither a comma nor the array's end after"),
        (b"},\n {\n  " + FIELD, b"}],\n {\n  " + FIELD, BEGINS - 1, "text after the array's end"),
    ],
)
def test_an_array_damaged_in_the_middle_is_refused_with_the_line(
    part: bytes, becomes: bytes, line: int, found: str
) -> None:
    assert MANY.count(part) == 1

    told = refused(MANY.replace(part, becomes))

    assert (told.line, told.found[: len(found)]) == (line, found)
    assert quotes(told, "Zaphod", "Heart of Gold", "Newark", "567") == []


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n\t\r\n"])
def test_the_rows_of_an_object_a_line_are_counted_and_blank_lines_are_none(mark: bytes, size: int) -> None:
    found = judged(mark + ROWS.replace(b"\n", b"\n \t\n\r\n") + ROW.strip(), size=size)

    assert isinstance(found, Accepted)
    assert found.rows == 4
