"""Nicolas Seriot's JSONTestSuite (MIT), by meaning: each text as a row, a value, an element and a file.

Whatever a text is, the good rows beside it are loaded: those of its own file where its rows can be told
apart, and those of the other files always.
"""

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from json_suite import EITHER, INVALID, VALID
from spark_lake import Lake, Outcome

from airline_platform.feeds.shipments import SHIPMENTS
from resources.acceptance.verdicts import Refused

pytestmark = pytest.mark.filterwarnings(
    # PySpark leaves the socket of every collect to the garbage collector, and compares pandas's version.
    "ignore:unclosed <socket:ResourceWarning",
    "ignore:distutils Version classes are deprecated:DeprecationWarning",
)

GOOD = {
    "shipping_id": 1,
    "shipping_date": "2013/01/01",
    "customer_name": "Ann",
    "destination_city": "Newark",
    "shipping_cost": 1.5,
    "shipping_distance": 2,
    "quantity": 3,
    "product_id": 4,
}
ROW = json.dumps(GOOD).encode()

CASES: dict[str, tuple[bytes, ...]] = {
    kind: tuple(dict.fromkeys(text for some in suite.values() for text in some))
    for kind, suite in (("valid", VALID), ("invalid", INVALID), ("either", EITHER))
}
EVERY = [text for some in CASES.values() for text in some]

REJECTED = "rejected"

TEXTS: dict[bytes, str | None] = {
    rb'"\u0060\u012a\u12AB"': "`Īካ",
    rb'"\uD801\udc37"': "\U00010437",
    rb'"\ud83d\ude39\ud83d\udc8d"': "😹💍",
    rb'"\"\\\/\b\f\n\r\t"': '"\\/',  # what stands behind the slash is white space and a control
    rb'"\\u0000"': "\\u0000",
    rb'"\""': '"',
    rb'"a/*b*/c/*d//e"': "a/*b*/c/*d//e",
    rb'"\\a"': "\\a",
    rb'"\\n"': "\\n",
    rb'"\u0012"': None,
    rb'"\uFFFF"': "\uffff",
    rb'"asd"': "asd",
    rb' "asd"': "asd",
    rb'"\uDBFF\uDFFF"': "\U0010ffff",
    rb'"new\u00A0line"': "new\u00a0line",
    b'"\xf4\x8f\xbf\xbf"': "\U0010ffff",
    b'"\xef\xbf\xbf"': "\uffff",
    rb'"\u0000"': REJECTED,  # no warehouse takes NUL
    rb'"\u002c"': ",",
    b'"\xcf\x80"': "π",
    b'"\xf0\x9b\xbf\xbf"': "\U0001bfff",
    b'"asd "': "asd",
    rb'"\uD834\uDd1e"': "\U0001d11e",
    rb'"\u0821"': "\u0821",
    rb'"\u0123"': "ģ",
    b'"\xe2\x80\xa8"': None,
    b'"\xe2\x80\xa9"': None,
    rb'"\u0061\u30af\u30EA\u30b9"': "aクリス",
    rb'"new\u000Aline"': "new\nline",
    b'"\x7f"': None,
    rb'"\uA66D"': "\ua66d",
    rb'"\u005C"': "\\",
    b'"\xe2\x8d\x82\xe3\x88\xb4\xe2\x8d\x82"': "⍂㈴⍂",
    rb'"\uDBFF\uDFFE"': "\U0010fffe",
    rb'"\uD83F\uDFFE"': "\U0001fffe",
    rb'"\u200B"': None,
    rb'"\u2064"': None,
    rb'"\uFDD0"': "\ufdd0",
    rb'"\uFFFE"': "\ufffe",
    rb'"\u0022"': '"',
    b'"\xe2\x82\xac\xf0\x9d\x84\x9e"': "€\U0001d11e",
    b'"a\x7fa"': REJECTED,
    b'""': None,
    b'" "': None,
    b'"a"': "a",
    b"null": None,
}
"""What `customer_name` is where its value is this; what stands nowhere here is rejected."""

NUMBERS = {
    b"0e+1": Decimal(0),
    b"0e1": Decimal(0),
    b" 4": Decimal(4),
    b"20e1": Decimal(200),
    b"-0": Decimal(0),
    b"1E-2": Decimal("0.01"),
    b"1E+2": Decimal(100),
    b"1e-2": Decimal("0.01"),
    b"1e+2": Decimal(100),
    b"123": Decimal(123),
    b"1\n": Decimal(1),
    b"1": Decimal(1),
    b"2": Decimal(2),
    b"42": Decimal(42),
}
"""What `quantity` is; it has three decimals at most, eleven digits before them, and no sign."""


def values() -> Iterator[bytes]:
    """What the suite has in an array of its own, and what it has alone."""
    for text in EVERY:
        if text.strip().startswith(b"[") and text.strip().endswith(b"]"):
            yield text.strip()[1:-1]
        elif not text.strip().startswith((b"[", b"{")):
            yield text


def with_value(field: str, value: bytes) -> bytes:
    """A good object but for one of its values, on a line of its own."""
    mark = json.dumps({**GOOD, field: "MARK"}).encode()
    return mark.replace(b'"MARK"', value)


VALUES = [value for value in dict.fromkeys(values()) if not re.search(rb"[\r\n]", value.strip())]


FILES = {
    "rows.json": b"\n".join(line for text in EVERY for line in (ROW, text)) + b"\n" + ROW,
    "texts.json": b"\n".join(with_value("customer_name", value.strip(b"\n")) for value in VALUES),
    "numbers.json": b"\n".join(with_value("quantity", value.strip(b"\n")) for value in VALUES),
    "good.json": ROW,
    **{f"element-{n}.json": b"[" + b",".join([ROW, text, ROW]) + b"]" for n, text in enumerate(EVERY)},
    **{f"file-{n}.json": text for n, text in enumerate(EVERY)},
}


class Judged(NamedTuple):
    """The verdicts of the landing by file's name, and what became of those that were not refused."""

    refused: dict[str, Refused]
    entries: dict[str, dict[str, Any]]
    outcome: Outcome


@pytest.fixture(scope="module")
def judged(new_lake: Callable[..., Lake]) -> Judged:
    """All of it, in one job."""
    lake = new_lake(SHIPMENTS)
    verdicts = {name: lake.judged(f"shipments/date=2013-01-01/{name}", body) for name, body in FILES.items()}
    entries = {name: found for name, found in verdicts.items() if not isinstance(found, Refused)}
    refused = {name: found for name, found in verdicts.items() if isinstance(found, Refused)}
    return Judged(refused, entries, lake.outcome(*entries.values()))


@pytest.fixture(scope="module")
def outcome(judged: Judged) -> Outcome:
    return judged.outcome


def test_the_good_file_beside_all_of_them_is_loaded(outcome: Outcome) -> None:
    assert outcome.of("good.json") == (1, 1, 0)
    assert outcome.counts["good.json"]["refused"] == ""


def test_every_row_of_every_file_is_loaded_or_rejected(judged: Judged) -> None:
    assert set(judged.outcome.counts) == set(judged.entries) < set(FILES)
    for name, entry in judged.entries.items():
        read, loaded, rejected = judged.outcome.of(name)
        assert read == entry["rows"] == loaded + rejected, (name, FILES[name])


def test_a_text_on_a_line_among_good_rows_is_a_reject_and_costs_no_other_line(outcome: Outcome) -> None:
    lines = re.split(rb"\r\n|\r|\n", FILES["rows.json"])
    good = {number for number, line in enumerate(lines, start=1) if line == ROW}
    blank = {number for number, line in enumerate(lines, start=1) if not line.strip()}

    assert len(good) == len(EVERY) + 1
    assert set(outcome.rows["rows.json"]) == good
    assert set(outcome.rejects["rows.json"]) == set(range(1, len(lines) + 1)) - good - blank


def test_a_text_is_the_value_of_a_name_where_json_says_so_and_a_warehouse_takes_it(outcome: Outcome) -> None:
    rows = outcome.rows["texts.json"]
    found = {
        value: rows[line].customer_name if line in rows else REJECTED
        for line, value in enumerate(VALUES, start=1)
    }

    assert {value: text for value, text in found.items() if text != REJECTED} == {
        value: text for value, text in TEXTS.items() if text != REJECTED and value in VALUES
    }
    assert all(found[value] == text for value, text in TEXTS.items())


def test_a_number_is_a_quantity_where_json_says_so_and_its_column_holds_it(outcome: Outcome) -> None:
    rows = outcome.rows["numbers.json"]
    found = {value: rows[line].quantity for line, value in enumerate(VALUES, start=1) if line in rows}

    assert found == NUMBERS


PYTHONS_OWN = (b"[NaN]", b"[Infinity]", b"[-Infinity]")
"""Python's JSON reads them: their ends are known, so they are rejects and not the end of their file."""


@pytest.mark.parametrize("kind", CASES)
def test_a_text_among_an_arrays_elements_is_a_reject_where_its_end_is_known_else_the_array_is_broken(
    judged: Judged, kind: str
) -> None:
    for text in CASES[kind]:
        name = f"element-{EVERY.index(text)}.json"
        if name in judged.refused:
            refused = judged.refused[name]
            assert kind != "valid", text
            assert refused.line >= 1
            assert refused.expected == "a complete JSON array"
        else:
            assert kind != "invalid" or text in PYTHONS_OWN, text
            assert judged.outcome.of(name) == (3, 2, 1), text
            assert list(judged.outcome.rejects[name]) == [2]


@pytest.mark.parametrize("kind", CASES)
def test_a_text_that_is_a_file_of_its_own_is_refused_or_all_of_it_is_rejected(
    judged: Judged, kind: str
) -> None:
    for text in CASES[kind]:
        name = f"file-{EVERY.index(text)}.json"
        if name in judged.refused:
            assert str(judged.refused[name]).startswith(f"line {judged.refused[name].line}: ")
        else:
            assert judged.outcome.counts[name]["loaded"] == 0, text
            assert judged.outcome.counts[name]["refused"] == "expected a row that can be used, found none"
