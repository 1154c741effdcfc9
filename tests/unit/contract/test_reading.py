"""How a feed's files are written is declared in options that are checked, and travels in a manifest."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.contract.reading import Reading

DELIMITER = "delimiter: expected one ASCII character, got "
QUOTE = "quote: expected one ASCII character or none, other than the delimiter, got "
ENCODING = "encoding: expected a name such as utf-8, latin-1 or cp1252, got "
DATES = "dates: expected YYYY, MM and DD, such as DD.MM.YYYY, got "
SKIP_LINES = "skip_lines: expected 0 or more, got "


@pytest.mark.parametrize(
    ("option", "wrong", "problem"),
    [
        *(("delimiter", wrong, DELIMITER) for wrong in ("", "||", "\n", "\r", '"', "§", "\0", " ")),
        *(("quote", wrong, QUOTE) for wrong in ("''", ",", "“", "\n", " ", "\t", "\0")),
        *(("encoding", wrong, ENCODING) for wrong in ("latin-99", "base64", "rot13", "", "a\0b")),
        *(("dates", wrong, DATES) for wrong in ("DD.MM.YY", "DD.MM", "DD.MM.YYYY DD", "YYYYY-MM-DD", "D")),
        ("skip_lines", -1, SKIP_LINES),
    ],
)
def test_an_option_that_can_not_be_is_refused_by_its_name(option: str, wrong: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"{problem}{wrong!r}")):
        Reading(**{option: wrong})


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ":", "^", "\x01", "\x1f"])
@pytest.mark.parametrize("quote", ["'", '"', ""])
def test_other_delimiters_and_quotes_can_be_declared(delimiter: str, quote: str) -> None:
    assert Reading(delimiter=delimiter, quote=quote).delimiter == delimiter


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
READINGS = st.builds(
    Reading,
    delimiter=st.sampled_from([",", ";", "\t", "|", "\x01"]),
    quote=st.sampled_from(['"', "'", ""]),
    encoding=st.sampled_from(["utf-8", "UTF8", "latin-1", "cp1252", "utf-16", "shift_jis"]),
    nulls=st.lists(WORDS, max_size=3).map(tuple),
    decimal_comma=st.booleans(),
    dates=st.sampled_from(["", "DD.MM.YYYY", "MM/DD/YYYY", "YYYYMMDD"]),
    names=st.lists(st.tuples(WORDS, WORDS), max_size=3).map(tuple),
    skip_lines=st.integers(0, 99),
    sep_line=st.booleans(),
)


@given(READINGS)
def test_a_manifest_tells_how_a_file_is_written(reading: Reading) -> None:
    assert Reading.from_json(json.loads(json.dumps(reading.as_json()))) == reading


def test_only_what_differs_from_the_default_stands_in_a_manifest() -> None:
    assert Reading().as_json() == {}
    assert Reading(delimiter=";", nulls=("NA",)).as_json() == {"delimiter": ";", "nulls": ("NA",)}


@pytest.mark.parametrize("name", ["utf-8", "UTF-8", "utf8", "U8"])
def test_utf_8_is_known_under_its_other_names(name: str) -> None:
    assert Reading(encoding=name).is_utf_8


@pytest.mark.parametrize("name", ["latin-1", "utf-16", "utf-8-sig", "ascii"])
def test_other_encodings_are_not_utf_8(name: str) -> None:
    assert not Reading(encoding=name).is_utf_8


@pytest.mark.parametrize(
    ("dates", "text", "iso"),
    [
        ("DD.MM.YYYY", "31.12.2013", "2013-12-31"),
        ("MM/DD/YYYY", "12/31/2013", "2013-12-31"),
        ("YYYYMMDD", "20131231", "2013-12-31"),
        ("YYYY年MM月DD日", "2013年12月31日", "2013-12-31"),
        ("DD.MM.YYYY", "31x12x2013", "31x12x2013"),
    ],
)
def test_a_date_is_made_of_its_parts_wherever_they_stand(dates: str, text: str, iso: str) -> None:
    pattern = Reading(dates=dates).date_pattern
    assert pattern is not None

    expression, parts = pattern

    assert re.sub(rf"\A{expression}\Z", parts.replace("$", "\\"), text) == iso


def test_a_date_has_the_columns_own_way_where_none_is_declared() -> None:
    assert Reading().date_pattern is None


def test_a_column_is_known_by_its_other_names_whatever_their_case_and_padding() -> None:
    reading = Reading(names=(("Carrier", "op carrier"), ("Carrier", "Airline"), ("DepDelay", "Verspätung")))

    assert [reading.column_of(name) for name in (" OP Carrier ", "airline", "VERSPÄTUNG", "ArrDelay")] == [
        "Carrier",
        "Carrier",
        "DepDelay",
        "ArrDelay",
    ]
