"""Airport files are read line by line; a dimension that lost too much is not loaded."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from typing import cast

import pytest
from assets.ingest.airports import parse_airports, read_airports, why_refused
from assets.ingest.loading import RowCount
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds.airports import AIRPORTS
from glue_jobs.records.characters import first_hidden, trimmed
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Accepted
from resources.landing import LandedObject, Landing

COLUMNS = ("airport_id", "city", "state", "name")
ATLANTA = {"airport_id": 10397, "city": "Atlanta", "state": "GA", "name": "Hartsfield-Jackson"}


def parse(*lines: str, columns: tuple[str, ...] = COLUMNS) -> tuple[list[dict[str, object]], list[str]]:
    good, bad = read("\n".join([",".join(columns), *lines, ""]))
    return good, [f"line {row['line_number']}: {row['reject_reason']}" for row in bad]


def read(
    text: str | bytes, key: str = "airport_codes/a.csv"
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    body = text.encode() if isinstance(text, str) else text
    return parse_airports(landed(key, body), body)


def landed(key: str, body: bytes) -> LandedObject:
    """A file as the landing has judged it."""
    lenient = replace(AIRPORTS, daily=True, no_rows="load")  # a file without rows is judged by the asset here
    found = judge(lenient, [body], len(body), gzipped=key.endswith(".gz"))
    assert isinstance(found, Accepted), found
    return LandedObject(
        bucket="landing",
        key=key,
        day=None,
        etag="e",
        size=len(body),
        landed_at=datetime(2013, 1, 1, tzinfo=UTC),
        header=found.header,
        columns=found.columns,
        first=found.first,
        rows=found.rows,
        reading=found.reading.as_json(),
    )


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


@pytest.mark.parametrize(
    "number", ["", "ATL", "10397.0", "-1", "+1", "\uff11\uff12", "²", "1" * 19, "9" * 5_000]
)
def test_an_id_that_is_no_whole_number_is_rejected_with_its_line(number: str) -> None:
    good, bad = parse("10397,Atlanta,GA,Hartsfield-Jackson", f"{number},Nowhere,XX,None")

    assert good == [ATLANTA]
    reason = f"airport_id is '{number[:100]}'; expected a whole number, at most 9,007,199,254,740,991"
    assert bad == [f"line 3: {reason if number else 'airport_id is empty; a value is required'}"]


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


def test_zeros_before_an_id_say_nothing() -> None:
    assert parse(f"{'0' * 5_000}10397,Atlanta,GA,Hartsfield-Jackson", "000,a,b,c")[0] == [
        ATLANTA,
        {"airport_id": 0, "city": "a", "state": "b", "name": "c"},
    ]


def test_a_header_alone_is_no_airport() -> None:
    assert parse() == ([], [])


VALUES = st.text(st.characters(exclude_categories=["C"]), max_size=15).filter(
    lambda text: not first_hidden(trimmed(text)) and "\ufffd" not in text
)


@given(
    rows=st.lists(st.tuples(st.integers(0, 2**53 - 1), VALUES, VALUES, VALUES)),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_was_written_as_csv_is_read_back(rows: list[tuple[int, str, str, str]], line_end: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=line_end).writerows([COLUMNS, *rows])

    good, bad = read(text.getvalue())

    assert bad == []
    assert good == [
        dict(zip(COLUMNS, (number, *(trimmed(value) or None for value in values)), strict=True))
        for number, *values in rows
    ]


@pytest.mark.parametrize(
    ("count", "rows", "why"),
    [
        (RowCount(20, 19, 1), 20, ""),
        (RowCount(100, 94, 6), 100, "expected at most 5.0% of the rows to be rejected, found 6.0% of 100"),
        (RowCount(19, 19, 0), 20, "expected 20 rows, by the count of its lines, found 19"),
    ],
)
def test_a_file_is_refused_for_too_many_rejects_and_for_rows_that_do_not_add_up(
    count: RowCount, rows: int, why: str
) -> None:
    assert why_refused(count, rows, 0.05) == why


class Bodies:
    """A landing of files held here."""

    def __init__(self, **bodies: bytes) -> None:
        self.bodies = {f"airport_codes/{name}.csv": body for name, body in bodies.items()}

    def read(self, found: LandedObject) -> bytes:
        return self.bodies[found.key]


def test_a_bad_file_is_refused_alone_and_the_good_ones_are_loaded() -> None:
    header = AIRPORTS.header.encode() + b"\n"
    bodies = Bodies(
        good=header + b"1,Atlanta,GA,Hartsfield\n",
        latin=header
        + b"".join(b"%d,A,GA,x\n" % n for n in range(2, 21))
        + "21,Zürich,ZH,x\n".encode("latin-1"),
        bad=header + b"22,A,GA,x\nno id,A,GA,x\n",
    )
    files = [landed(key, body) for key, body in bodies.bodies.items()]

    found = read_airports(cast("Landing", bodies), files, 0.05)

    assert sorted(found.airports) == list(range(1, 21))
    assert list(found.refused) == ["s3://landing/airport_codes/bad.csv"]
    assert found.refused["s3://landing/airport_codes/bad.csv"].startswith(
        "expected at most 5.0% of the rows to be rejected, found 50.0% of 2; line 3: airport_id is 'no id'"
    )
    assert found.counts["s3://landing/airport_codes/latin.csv"] == RowCount(20, 19, 1)


def test_a_line_break_in_quotes_is_one_record_whose_value_names_the_character() -> None:
    good, bad = parse("1,Atlanta,GA,x", '2,"Den\nver",CO,y', "3,Reno,NV,z")

    assert [row["airport_id"] for row in good] == [1, 3]
    assert bad == ["line 3: city has U+000A at character 4; expected no control and no invisible characters"]


def test_the_dimension_reads_what_its_feed_declares() -> None:
    assert tuple(column.name for column in AIRPORTS.columns) == COLUMNS
