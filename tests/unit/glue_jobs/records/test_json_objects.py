"""A JSON object becomes its fields' text, numbers as they were written; or a reason that quotes nothing."""

import json
import re
import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airline_platform.feeds.shipments import SHIPMENTS
from glue_jobs.json_files import read_object

NAME = "Zaphod Beeblebrox"
NAMES = tuple(column.name for column in SHIPMENTS.columns)
TEXTS = tuple(column.name for column in SHIPMENTS.columns if column.type in ("string", "date"))
NUMBERS = tuple(name for name in NAMES if name not in TEXTS)
SOME = settings(max_examples=300)

NOT_JSON = "expected a JSON object, found other text"
NO_NUMBER = "expected numbers, found NaN or Infinity, which JSON does not have"
TWICE = "expected each field once, found one twice"
NOT_TEXT = "expected text without NUL, found other characters"


def read(text: str) -> tuple[dict[str, str | None], str | None]:
    """The fields there are, and the reason why not."""
    *values, rescued, problem = read_object(text, NAMES, TEXTS)
    assert len(values) == len(NAMES)
    assert rescued is None
    return {name: value for name, value in zip(NAMES, values, strict=True) if value is not None}, problem


def number(written: str) -> str | None:
    fields, problem = read(f'{{"quantity": {written}}}')
    assert problem is None
    return fields["quantity"]


def reason(text: str) -> str:
    fields, problem = read(text)
    assert fields == {}
    assert problem
    return problem


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
plain_numbers = st.from_regex(r"-?(0|[1-9][0-9]{0,40})(\.[0-9]{1,40})?", fullmatch=True)


@SOME
@given(
    st.fixed_dictionaries(
        {}, optional={name: st.none() | (texts if name in TEXTS else plain_numbers) for name in NAMES}
    ),
    st.sampled_from(["", " ", "\t"]),
    st.sampled_from(["", "\ufeff"]),
    st.booleans(),
    st.randoms(),
)
def test_every_field_comes_back_as_it_was_written(
    row: dict[str, str | None], blank: str, mark: str, only_ascii: bool, order: Any
) -> None:
    names = list(row)
    order.shuffle(names)
    written = {
        name: row[name] if name in NUMBERS and row[name] else json.dumps(row[name], ensure_ascii=only_ascii)
        for name in names
    }
    pairs = (blank + "," + blank).join(f'"{name}"{blank}:{blank}{written[name]}' for name in names)

    fields, problem = read(f"{mark}{blank}{{{pairs}{blank}}}{blank}")

    assert problem is None
    assert fields == {name: value for name, value in row.items() if value is not None}


@SOME
@given(
    st.from_regex(r"-?(0|[1-9][0-9]{0,12})(\.[0-9]{1,12})?", fullmatch=True),
    st.sampled_from("eE"),
    st.sampled_from(["", "+", "-"]),
    st.integers(0, 7),
)
@example("1.5", "E", "", 7)
@example("-0.0", "e", "-", 7)
def test_a_number_with_an_exponent_is_written_out_digit_by_digit(
    mantissa: str, letter: str, sign: str, power: int
) -> None:
    written = f"{mantissa}{letter}{sign}{power}"

    plain = number(written)

    assert plain is not None
    assert plain.strip("-0123456789.") == ""
    # A Decimal compares all of its digits.
    assert Decimal(plain) == Decimal(written)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        ("15000000.0", "15000000.0"),
        ("1.5E7", "15000000"),
        ("1e-3", "0.001"),
        ("1E+2", "100"),
        ("0E0", "0"),
        ("99999999999.999", "99999999999.999"),
        ("0.1234567890123456789012345678901234567890E2", "12.34567890123456789012345678901234567890"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
    ],
)
def test_a_number_keeps_all_its_digits(written: str, plain: str) -> None:
    assert number(written) == plain


@pytest.mark.parametrize(
    "written",
    ["1e21", "1E400", "1e-400", "-1e999999999", "1e999999999999999999999", "1e-999999999999999999999"],
)
def test_an_exponent_beyond_every_column_is_left_as_it_was_written(written: str) -> None:
    began = time.process_time()

    assert number(written) == written
    assert time.process_time() - began < 1


def test_a_number_of_thousands_of_digits_is_no_surprise() -> None:
    assert number("9" * 19_000) == "9" * 19_000
    assert number(f"0.{'0' * 9_000}1e9000") == "0.1"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ('"12.5"', "text"),
        (f'"{NAME}"', "text"),
        ("true", "true or false"),
        (f'{{"of": "{NAME}"}}', "an object"),
        (f'["{NAME}"]', "an array"),
    ],
)
@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_to_be_one(name: str, value: str, found: str) -> None:
    assert reason(f'{{"{name}": {value}}}') == f"{name}: expected a number, found {found}"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("20130101", "a number"),
        ("4.2e1", "a number"),
        ("false", "true or false"),
        (f'{{"of": "{NAME}"}}', "an object"),
        (f'["{NAME}"]', "an array"),
    ],
)
@pytest.mark.parametrize("name", TEXTS)
def test_text_has_to_stand_in_quotes(name: str, value: str, found: str) -> None:
    assert reason(f'{{"{name}": {value}}}') == f"{name}: expected text in quotes, found {found}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", NOT_JSON),
        (NAME, NOT_JSON),
        (f'{{"customer_name": "{NAME}', NOT_JSON),
        (f'{{"customer_name": "{NAME}"}} {{}}', NOT_JSON),
        (f"{{'customer_name': '{NAME}'}}", NOT_JSON),
        ('{"quantity": 01}', NOT_JSON),
        ('{"quantity": .5}', NOT_JSON),
        ('{"quantity": +5}', NOT_JSON),
        ('{"customer_name": "Zaphod\tBeeblebrox"}', NOT_JSON),
        ("\ufeff\ufeff{}", NOT_JSON),
        ('{"quantity": ' + "[" * 5_000 + "]" * 5_000 + "}", NOT_JSON),
        ("[" * 100_000, NOT_JSON),
        (f'"{NAME}"', "expected a JSON object, found another value"),
        ("[]", "expected a JSON object, found another value"),
        ("null", "expected a JSON object, found another value"),
        ("12", "expected a JSON object, found another value"),
        ('{"quantity": NaN}', NO_NUMBER),
        ('{"quantity": -Infinity}', NO_NUMBER),
        ('{"customer_name": Infinity}', NO_NUMBER),
        ('{"quantity": 1, "quantity": 2}', TWICE),
        ('{"quantity": 1, "quantity": 1}', TWICE),
        ('{"quantity": 1, "quant\\u0069ty": 1}', TWICE),
        (f'{{"quantity": {{"{NAME}": 1, "{NAME}": 2}}}}', TWICE),
        ('{"customer_name": "a\\u0000b"}', f"customer_name: {NOT_TEXT}"),
        ('{"street_address": "a\\ud800b"}', f"street_address: {NOT_TEXT}"),
        (f'{{"{NAME}": 1}}', f"expected the fields {', '.join(NAMES)} and no others, found 1 more"),
        ('{"Quantity": 1, "": 2}', f"expected the fields {', '.join(NAMES)} and no others, found 2 more"),
    ],
)
def test_what_is_no_object_of_the_feed_is_told_without_quoting_it(text: str, expected: str) -> None:
    assert reason(text) == expected


def test_surrogates_that_belong_together_are_a_character() -> None:
    assert read('{"customer_name": "\\ud83d\\ude00"}') == ({"customer_name": "\U0001f600"}, None)


def test_what_is_null_or_not_there_is_empty() -> None:
    assert read('{"quantity": null, "customer_name": null}') == ({}, None)
    assert read("{}") == ({}, None)


# --- whatever comes

REASON = re.compile(
    rf"{NOT_JSON}|expected a JSON object, found another value|{NO_NUMBER}|{TWICE}"
    rf"|expected the fields {', '.join(NAMES)} and no others, found [0-9]+ more"
    rf"|({'|'.join(TEXTS)}): {NOT_TEXT}"
    rf"|({'|'.join(TEXTS)}): expected text in quotes, found (a number|true or false|an object|an array)"
    rf"|({'|'.join(NUMBERS)}): expected a number, found (text|true or false|an object|an array)"
)
"""All there is to say."""

names = st.sampled_from(NAMES) | st.text(max_size=5)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3),
    max_leaves=6,
)
PIECES = ["{", "}", '"', ":", ",", "[", "]", "\\", "e", "E9", "-", ".", "1", "null", "NaN", "\0", "\ud800"]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    text = json.dumps(draw(st.dictionaries(names, values, max_size=4)), ensure_ascii=draw(st.booleans()))
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.sampled_from(["", *PIECES])) + text[at + draw(st.integers(0, 3)) :]


@settings(max_examples=1000)
@given(
    st.text()
    | st.dictionaries(names, values, max_size=4).map(json.dumps)
    | st.lists(st.sampled_from([*PIECES, *(f'"{name}"' for name in NAMES)])).map("".join)
    | damaged()
)
def test_any_text_is_fields_or_a_reason_made_of_our_own_words(text: str) -> None:
    fields, problem = read(text)

    if problem is not None:
        assert fields == {}
        assert REASON.fullmatch(problem)


def test_fields_nobody_has_declared_are_left_out_or_rescued_as_the_feed_says() -> None:
    text = '{"quantity": 1, "colour": "red", "size": {"cm": 1.50}}'

    assert read_object(text, NAMES, TEXTS, {}, "ignore")[-2:] == (None, None)
    rescued, problem = read_object(text, NAMES, TEXTS, {}, "rescue")[-2:]
    assert (json.loads(rescued or ""), problem) == ({"colour": "red", "size": {"cm": "1.50"}}, None)


def test_a_field_may_have_another_name_and_not_two() -> None:
    aliases = {"qty": "quantity"}

    assert "1" in read_object('{"qty": 1}', NAMES, TEXTS, aliases)
    assert read_object('{"qty": 1, "quantity": 1}', NAMES, TEXTS, aliases)[-1] == (
        "expected each field once, found one under two names"
    )
