"""Airport files are read line by line; a dimension that lost too much is not loaded."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.errors import LoadRefused
from airline_platform.feeds import AIRPORTS
from assets.airports import parse_airports, refuse_bad_dimension
from assets.loading import RowCount

COLUMNS = ("airport_id", "city", "state", "name")
ATLANTA = {"airport_id": 10397, "city": "Atlanta", "state": "GA", "name": "Hartsfield-Jackson"}


def parse(*lines: str, columns: tuple[str, ...] = COLUMNS) -> tuple[list[dict[str, object]], list[str]]:
    good, bad = parse_airports("\n".join([",".join(columns), *lines]) + "\n", columns)
    return good, [f"line {row['line_number']}: {row['reject_reason']}" for row in bad]


def test_a_line_is_an_airport_with_a_numeric_id() -> None:
    assert parse("10397,Atlanta,GA,Hartsfield-Jackson") == ([ATLANTA], [])


def test_columns_are_read_in_the_files_own_order() -> None:
    good, bad = parse("Hartsfield-Jackson,GA,10397,Atlanta", columns=("name", "state", "airport_id", "city"))

    assert (good, bad) == ([ATLANTA], [])


def test_quoted_commas_and_quotes_belong_to_the_value() -> None:
    good, _ = parse('1,"Dallas, Fort Worth",TX,"The ""big"" one"')

    assert good == [{"airport_id": 1, "city": "Dallas, Fort Worth", "state": "TX", "name": 'The "big" one'}]


def test_spaces_around_values_go_and_empty_values_are_none() -> None:
    assert parse(" 10397 , Atlanta ,  ,")[0] == [ATLANTA | {"state": None, "name": None}]


def test_blank_lines_and_windows_line_ends_are_no_rows() -> None:
    assert parse("", "10397,Atlanta,GA,Hartsfield-Jackson\r", "  ") == ([ATLANTA], [])


@pytest.mark.parametrize("number", ["", "ATL", "10397.0", "-1", "+1", "\uff11\uff12", "²", "1" * 19])
def test_an_id_that_is_no_whole_number_is_rejected_with_its_line(number: str) -> None:
    good, bad = parse("10397,Atlanta,GA,Hartsfield-Jackson", f"{number},Nowhere,XX,None")

    assert good == [ATLANTA]
    assert bad == [f"line 3: airport_id is '{number}'; expected a whole number"]


@pytest.mark.parametrize(("line", "fields"), [("1,Atlanta,GA", 3), ("1,Atlanta,GA,Hartsfield,Jackson", 5)])
def test_too_few_and_too_many_fields_are_rejected_with_what_was_expected(line: str, fields: int) -> None:
    assert parse(line) == ([], [f"line 2: {fields} fields; expected 4 (airport_id,city,state,name)"])


@pytest.mark.parametrize(("letter", "times"), [("x", 101), ("é", 51)])
def test_a_value_with_more_bytes_than_its_column_holds_is_rejected(letter: str, times: int) -> None:
    good, bad = parse(f"1,{letter * times},GA,x")

    assert good == []
    assert bad[0].startswith("line 2: city is ")
    assert bad[0].endswith("expected 100 bytes at most")


def test_a_value_that_just_fits_is_kept() -> None:
    assert parse(f"1,{'é' * 50},GA,{'n' * 200}")[1] == []


def test_a_header_alone_is_no_airport() -> None:
    assert parse() == ([], [])
    assert parse_airports("", COLUMNS) == ([], [])


VALUES = st.text(st.characters(exclude_categories=["C"]), max_size=15).map(str.strip)


@given(
    rows=st.lists(st.tuples(st.integers(0, 10**18 - 1), VALUES, VALUES, VALUES)),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_as_csv_is_read_back(rows: list[tuple[int, str, str, str]], line_end: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows([COLUMNS, *rows])

    good, bad = parse_airports(text.getvalue(), COLUMNS)

    assert bad == []
    assert good == [
        dict(zip(COLUMNS, (number, *(value or None for value in values)), strict=True))
        for number, *values in rows
    ]


def test_a_dimension_with_too_many_rejects_is_refused_with_the_first_reasons() -> None:
    reasons = [f"line {n}: no" for n in range(2, 102)]

    with pytest.raises(LoadRefused) as refused:
        refuse_bad_dimension([RowCount(900, 900, 0), RowCount(100, 0, 100)], reasons, 0.05)

    text = str(refused.value)
    assert "at most 5.0%" in text
    assert "found 10.0%" in text
    assert "line 21: no" in text
    assert "line 22: no" not in text
    assert "What to do: Mend these lines" in text


def test_a_dimension_with_few_rejects_is_loaded() -> None:
    refuse_bad_dimension([RowCount(100, 95, 5)], ["line 2: no"] * 5, 0.05)


def test_the_dimension_reads_what_its_feed_declares() -> None:
    assert tuple(column.name for column in AIRPORTS.columns) == COLUMNS
