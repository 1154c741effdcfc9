"""The records of a CSV file are told apart as RFC 4180 has them, and every line of it is accounted for."""

import csv
import io
import re
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glue_jobs.records import csv_records
from glue_jobs.records.csv_records import (
    LONGEST_LINE,
    LONGEST_RECORD,
    Count,
    Layout,
    LineTooLong,
    Record,
    count,
    records,
)

HEADER = "id,name,place"
LAYOUT = Layout(2, HEADER, 3)


def rows_of(body: bytes | str, layout: Layout = LAYOUT) -> list[tuple[int, int, str]]:
    """Line, lines and text of each record behind a header."""
    body = body.encode() if isinstance(body, str) else body
    body = layout.header.encode() + b"\n" + body
    found = list(records([body], layout))
    counted = count([body], layout)
    assert counted.adds_up, counted
    assert (counted.rows, counted.further) == (len(found), sum(record.lines - 1 for record in found))
    return [(record.line, record.lines, record.text.decode(errors="replace")) for record in found]


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ("", []),
        ("1,a,b", [(2, 1, "1,a,b")]),
        ("1,a,b\n2,c,d\n", [(2, 1, "1,a,b"), (3, 1, "2,c,d")]),
        ("1,a,b\r\n2,c,d\r3,e,f", [(2, 1, "1,a,b"), (3, 1, "2,c,d"), (4, 1, "3,e,f")]),
        ('1,"a\nb",c\n2,d,e', [(2, 2, '1,"a\nb",c'), (4, 1, "2,d,e")]),
        ('1,"a\r\n\r\nb",c\n2,d,e', [(2, 3, '1,"a\n\nb",c'), (5, 1, "2,d,e")]),
        ('1,"a\n","\nb"\n2,d,e', [(2, 3, '1,"a\n","\nb"'), (5, 1, "2,d,e")]),
        ('1,"a ""x""\n""y""",c', [(2, 2, '1,"a ""x""\n""y""",c')]),
        ('1, "a\nb" ,c', [(2, 2, '1, "a\nb" ,c')]),
        ('"1\n","a","b"', [(2, 2, '"1\n","a","b"')]),
        ('1,a,"b\n"', [(2, 2, '1,a,"b\n"')]),
        ('1,"a"x,b\n2,c,d', [(2, 1, '1,"a"x,b'), (3, 1, "2,c,d")]),
    ],
)
def test_a_record_begins_on_its_line_and_goes_on_inside_quotes(
    body: str, rows: list[tuple[int, int, str]]
) -> None:
    assert rows_of(body) == rows


@pytest.mark.parametrize(
    "first",
    [
        '1,"a,b',  # the quote is never closed
        '1,a",b',  # it is in the middle of a field
        '1,"a""b,c',
        '"1,a,b',
        '1,a,"',
    ],
)
def test_a_quote_opened_by_mistake_costs_its_own_line_alone(first: str) -> None:
    assert rows_of(f"{first}\n2,c,d\n3,e,f\n") == [(2, 1, first), (3, 1, "2,c,d"), (4, 1, "3,e,f")]


@pytest.mark.parametrize("width", [3, 5, 100])
@pytest.mark.parametrize("behind", ['3,"e",f', '3,e,"f ""x"""', '3,"e\n",f'])
def test_a_later_quote_that_does_not_close_a_record_of_the_right_width_joins_nothing(
    behind: str, width: int
) -> None:
    layout = Layout(2, ",".join(["id", *(f"c{n}" for n in range(width - 1))]), width)

    assert rows_of(f'1,"a,b\n2,c,d\n{behind}', layout)[:2] == [(2, 1, '1,"a,b'), (3, 1, "2,c,d")]


def test_blank_lines_and_the_header_again_are_no_records_but_they_are_lines_of_one() -> None:
    body = f'\n \t\n1,a,b\n"id", name,"place"\n\x0b\x0c\n2,"\n\n{HEADER}\n",d\n'

    assert rows_of(body) == [(4, 1, "1,a,b"), (7, 4, f'2,"\n\n{HEADER}\n",d')]
    assert count([f"{HEADER}\n{body}".encode()], LAYOUT) == Count(
        lines=10, skipped=1, headers=1, blank=3, rows=2, further=3
    )


def test_what_stands_before_the_first_record_is_skipped_also_where_it_has_quotes() -> None:
    body = b'Report "x\n\nid,name,place\n1,a,b\n2,"c\nd",e\n'
    layout = Layout(4, HEADER, 3)

    assert [(record.line, record.lines) for record in records([body], layout)] == [(4, 1), (5, 2)]
    assert count([body], layout) == Count(lines=6, skipped=3, headers=0, blank=0, rows=2, further=1)


def test_a_file_shorter_than_what_is_skipped_has_no_records_and_adds_up() -> None:
    layout = Layout(9, HEADER, 3)

    assert list(records([b'a\n"b\n'], layout)) == []
    assert count([b'a\n"b\n'], layout) == Count(lines=2, skipped=2, headers=0, blank=0, rows=0, further=0)


@pytest.mark.parametrize("quote", ["", "'"])
def test_only_the_declared_quote_holds_lines_together(quote: str) -> None:
    layout = Layout(2, HEADER, 3, quote=quote)
    held = [(4, 2, "2,'c\nd',e")] if quote else [(4, 1, "2,'c"), (5, 1, "d',e")]

    assert rows_of("1,\"a\nb\",c\n2,'c\nd',e", layout) == [(2, 1, '1,"a'), (3, 1, 'b",c'), *held]


@pytest.mark.parametrize("delimiter", [";", "\t", "|", "^", "]", "\\", "-", "\x01"])
def test_only_the_declared_delimiter_stands_behind_a_closing_quote(delimiter: str) -> None:
    layout = Layout(2, HEADER.replace(",", delimiter), 3, delimiter)
    row = '1,"a\nb",\n,,"c\n"'.replace(",", delimiter)

    assert [(line, lines) for line, lines, _ in rows_of(row, layout)] == [(2, 2), (4, 2)]
    if delimiter != "]":
        assert len(rows_of('1]"a\nb"]c', layout)) == 2


def test_a_record_of_several_lines_has_a_limit_and_what_is_longer_is_told_line_by_line() -> None:
    line = "x" * 99

    def with_lines(number: int) -> str:
        return f'1,"{chr(10).join([line] * number)}\n",b'

    fits = (LONGEST_RECORD - len('1,"\n",b')) // 100
    assert [lines for _, lines, _ in rows_of(with_lines(fits))] == [fits + 1]
    assert [lines for _, lines, _ in rows_of(with_lines(fits + 1))] == [1] * (fits + 2)


# --- whatever a file holds

PIECES = [b'"', b'""', b'"""', b",", b"\n", b"\r", b"\r\n", b" ", b"\t", b"1", b"a", b"\xff", b"\0"]
BODIES = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([*PIECES, HEADER.encode(), b'"id","name","place"', b"1,a,b\n"])).map(b"".join),
)
LAYOUTS = st.builds(
    lambda first, width, delimiter, quote: Layout(
        first, HEADER.replace(",", delimiter), width, delimiter, quote
    ),
    st.integers(1, 4),
    st.integers(1, 5),
    st.sampled_from([",", "\t", ";"]),
    st.sampled_from(['"', "", "'"]),
)


def slices(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(places)]


@given(BODIES, LAYOUTS, st.lists(st.integers(0, 1000), max_size=12))
def test_the_slices_in_which_a_file_comes_do_not_matter(body: bytes, layout: Layout, cuts: list[int]) -> None:
    pieces = slices(body, cuts)

    assert list(records(pieces, layout)) == list(records([body], layout))
    assert count(pieces, layout) == count([body], layout)


@given(BODIES, LAYOUTS)
def test_every_line_is_counted_once_and_records_are_the_files_own_lines(body: bytes, layout: Layout) -> None:
    lines, found, counted = body.splitlines(), list(records([body], layout)), count([body], layout)

    assert counted.adds_up
    assert counted.lines == len(lines)
    assert (counted.rows, counted.rows + counted.further) == (len(found), sum(r.lines for r in found))
    taken: set[int] = set()
    for record in found:
        own = range(record.line - 1, record.line - 1 + record.lines)
        assert b"\n".join(lines[place] for place in own) == record.text
        assert not taken.intersection(own)
        taken.update(own)
    padding = (csv_records.PADDING + layout.quote).encode()
    header = csv_records.squeezed(layout.header, layout.quote).encode()
    for place in set(range(layout.first - 1, len(lines))) - taken:
        assert not lines[place].strip() or lines[place].translate(None, padding) == header


VALUES = st.lists(st.sampled_from([*'ab,"; \t\n\r', "\r\n", '""', "é", "\u2028"]), max_size=9).map("".join)


@given(
    st.lists(st.tuples(VALUES, VALUES, VALUES), max_size=8),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from([",", ";", "\t"]),
    st.lists(st.integers(0, 1000), max_size=5),
)
def test_what_is_written_as_csv_is_told_apart_into_exactly_its_rows(
    rows: list[tuple[str, str, str]], quoting: int, delimiter: str, cuts: list[int]
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=quoting, delimiter=delimiter)  # type: ignore[arg-type]
    writer.writerows([HEADER.split(","), *rows])
    layout = Layout(2, HEADER.replace(",", delimiter), 3, delimiter)
    body = text.getvalue().encode()

    found = list(records(slices(body, cuts), layout))

    def parsed(record: Record) -> tuple[str, ...]:
        (fields,) = csv.reader(io.StringIO(record.text.decode(), newline=""), delimiter=delimiter)
        return tuple(fields)

    # A tab file's row of nothing at all is a blank line.
    expected = [row for row in rows if delimiter != "\t" or quoting or "".join(row).strip(" \t\r\n")]
    assert [parsed(record) for record in found if record.text.strip()] == [
        tuple(re.sub("\r\n|\r", "\n", value) for value in row) for row in expected
    ]


# --- limits

MEGABYTE = 1 << 20


def test_a_line_without_end_is_told_before_it_fills_the_memory() -> None:
    def endless() -> Iterator[bytes]:
        yield b"id,name,place\n1,a,b\n"
        while True:
            yield b"x" * MEGABYTE

    tracemalloc.start()
    with pytest.raises(LineTooLong) as raised:
        count(endless(), LAYOUT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert raised.value.line == 3
    assert peak < 3 * LONGEST_LINE


@pytest.mark.parametrize("size", [MEGABYTE, 64 * MEGABYTE])
def test_a_line_is_too_long_in_whatever_slices_it_comes(size: int) -> None:
    def sliced(body: bytes) -> list[bytes]:
        return [body[start : start + size] for start in range(0, len(body), size)]

    longest = b"x" * LONGEST_LINE
    assert count(sliced(b"id,name,place\n" + longest + b"\n1,a,b\n"), LAYOUT).rows == 2
    with pytest.raises(LineTooLong, match="line 2 is longer than 16,777,216 bytes"):
        count(sliced(b"id,name,place\n" + longest + b"x\n1,a,b\n"), LAYOUT)


def test_a_large_file_is_counted_in_the_memory_of_a_piece() -> None:
    piece = b'1,"%s\nb",c\n2,d,e\n' % (b"a" * 500) * 30

    tracemalloc.start()
    counted = count([b"id,name,place\n", *[piece] * 100], LAYOUT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (counted.rows, counted.further) == (6_000, 3_000)
    assert peak < 10 * len(piece)


HOSTILE = {
    "one quote and a letter": '"x',
    "three quotes and a letter": '"""a',
    "two quotes": '""',
    "three quotes": '"""',
    "opens wherever it is read": 'a",b"c,"d',
    "opens and goes on": 'a,"b',
    "opens, then nothing closes": 'a,"b' + "\nb" * 99,
    "opens, then pairs": 'a,"b' + '\n""' * 99,
}


@pytest.mark.parametrize("line", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("width", [3, 12])
def test_quotes_that_hold_nothing_together_cost_time_in_proportion_to_the_file(line: str, width: int) -> None:
    def seconds(lines: int) -> float:
        body = "\n".join([HEADER, *[line] * (lines // (line.count("\n") + 1))]).encode()
        began = time.process_time()
        counted = count([body], Layout(2, HEADER, width))
        assert counted.adds_up
        return time.process_time() - began

    short = min(seconds(10_000) for _ in range(3))
    assert seconds(40_000) < 10 * short + 0.1
    assert short < 0.5
