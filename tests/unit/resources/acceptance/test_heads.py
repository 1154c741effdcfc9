"""A file is read once: can it be its feed, and how many rows has it? A refusal says what to do."""

import gzip
import tracemalloc
import zlib
from dataclasses import replace
from typing import Any, cast

import pytest

from airline_platform.contract.drift import UNKNOWN_MARK, evolved_name
from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from resources.acceptance.heads import HEAD_BYTES, Accepted, Refused, judge

HEADER = "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay"
NAMES = tuple(HEADER.split(","))
ROW = b"UA,11618,12266,2,11\n"


def verdict(
    body: bytes,
    feed: Feed = FLIGHTS,
    *,
    gzipped: bool = False,
    size: int = 1 << 20,
    reading: Reading | None = None,
) -> Accepted | Refused:
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return judge(feed, pieces, len(body), gzipped=gzipped, reading=reading)


def accepted(
    body: bytes, header: str = HEADER, columns: tuple[str, ...] = NAMES, *, rows: int = 1, **how: Any
) -> bool:
    found = verdict(body, **how)
    assert isinstance(found, Accepted), found
    return (found.header, found.columns, found.rows) == (header, columns, rows)


def refused(body: bytes, *, gzipped: bool = False) -> Refused:
    found = verdict(body, gzipped=gzipped)
    assert isinstance(found, Refused), found
    return found


def with_header(header: str) -> bytes:
    return header.encode() + b"\n" + ROW


def test_the_documented_header_is_accepted() -> None:
    assert accepted(with_header(HEADER))


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        (
            "ArrDelay,DepDelay,DestAirportID,OriginAirportID,Carrier",
            ("ArrDelay", "DepDelay", "DestAirportID", "OriginAirportID", "Carrier"),
        ),
        ("carrier,ORIGINAIRPORTID,destairportid,depDelay,arrdelay", NAMES),
        (" Carrier , OriginAirportID,DestAirportID,DepDelay,ArrDelay ", NAMES),
        ('"Carrier","OriginAirportID","DestAirportID","DepDelay","ArrDelay"', NAMES),
    ],
)
def test_columns_are_known_by_name_in_any_order_and_case(header: str, columns: tuple[str, ...]) -> None:
    assert accepted(with_header(header), header, columns)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("Carrier,OriginAirportID,DestAirportID,DepDelay", "columns missing 'ArrDelay'"),
        (f"{HEADER},TailNumber", "columns not of this feed 'TailNumber'"),
        (f"{HEADER},", "columns not of this feed ''"),
        (f"{HEADER},carrier", "columns twice 'carrier'"),
        (
            "Carrier,Carrier,DestAirportID,DepDelay,Delay",
            "columns missing 'OriginAirportID', 'ArrDelay'; not of this feed 'Delay'; twice 'carrier'",
        ),
    ],
)
def test_missing_extra_and_doubled_columns_are_named_with_what_to_do(header: str, problem: str) -> None:
    found = refused(with_header(header))

    assert (found.line, found.found) == (1, problem)
    assert found.expected == f"the header {HEADER}"
    assert "daily_flights/" in found.remedy


def test_strange_columns_that_come_to_one_name_are_kept_apart_in_a_feed_that_evolves() -> None:
    long = "n" * 60
    header = f"{HEADER},Tail Number,tail-number,Gate,Gate,{long}a,{long}b"
    strange: dict[str, list[str]] = {"evolve": [], "rescue": []}
    for drift, names in strange.items():
        found = verdict(with_header(header), replace(FLIGHTS, drift=cast("Any", drift)))
        assert isinstance(found, Accepted), found
        names += [name.removeprefix(UNKNOWN_MARK) for name in found.columns[len(NAMES) :]]

    assert strange["rescue"] == ["Tail Number", "tail-number", "Gate", "Gate_9", f"{long}a", f"{long}b"]
    assert strange["evolve"] == ["Tail Number", "tail-number_7", "Gate", "Gate_9", f"{long}a", "column_11"]
    stand = [evolved_name(name, FLIGHTS.table) for name in strange["evolve"]]
    assert len(set(stand)) == len(stand)


def test_another_feeds_file_is_refused() -> None:
    body = b"airport_id,city,state,name\n10397,Atlanta,GA,Hartsfield-Jackson\n"

    assert isinstance(verdict(body, AIRPORTS), Accepted)
    assert "missing 'Carrier'" in refused(body).found


def test_a_file_that_starts_with_a_row_is_told_to_put_the_header_first() -> None:
    assert refused(ROW + ROW).remedy.startswith("Put the header on the first line, or land the file under")


def test_a_refusal_is_one_sentence_and_its_remedy() -> None:
    assert str(refused(b"")) == (
        f"line 1: the file is empty; expected the header {HEADER}. Land the file again, complete."
    )


@pytest.mark.parametrize(
    "rest",
    [b"", b"\n", b"\r\n\r\n", b"\n  \n\t\n", b"\n" + HEADER.encode(), b"\r\n" + HEADER.encode() + b"\r\n"],
)
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_header_without_rows_is_refused_at_its_second_line(mark: bytes, rest: bytes) -> None:
    found = refused(mark + HEADER.encode() + rest)

    assert (found.line, found.found) == (2, "no rows after the header")


def test_rows_may_follow_beyond_what_is_read_to_judge() -> None:
    body = HEADER.encode() + b"\n" * HEAD_BYTES + ROW

    assert accepted(body)


@pytest.mark.parametrize("body", [b"\xef\xbb\xbf", b" ", b"\r\n\t\n", b"\xef\xbb\xbf\n"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_a_file_of_nothing_but_blanks_is_told_as_such(body: bytes, gzipped: bool) -> None:
    found = refused(gzip.compress(body) if gzipped else body, gzipped=gzipped)

    assert (found.line, found.found) == (1, "the file holds no text")


def test_a_gzip_of_nothing_holds_no_text() -> None:
    assert refused(gzip.compress(b""), gzipped=True).found == "the file holds no text"


def test_a_blank_line_before_the_header_is_told_as_such() -> None:
    found = refused(b"\n" + with_header(HEADER))

    assert (found.line, found.found) == (1, "the first line is blank")
    assert found.remedy == "Put the header on the first line and land the file again."


def test_a_byte_order_mark_is_not_part_of_the_header() -> None:
    assert accepted(b"\xef\xbb\xbf" + with_header(HEADER))


def test_windows_line_ends_are_not_part_of_the_header() -> None:
    assert accepted(with_header(HEADER).replace(b"\n", b"\r\n"))


def test_latin_1_in_the_header_is_refused_with_the_byte() -> None:
    found = refused("Carrier,Aéroport,DestAirportID\n1,2,3\n".encode("latin-1"))

    assert (found.line, found.found) == (1, "byte 10 is not UTF-8")
    assert (
        found.remedy == "Export the file in UTF-8, or declare its encoding (Feed.reading), such as 'latin-1'."
    )


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_and_its_like_are_refused(encoding: str) -> None:
    found = refused(with_header(HEADER).decode().encode(encoding))

    assert "UTF-16" in found.found
    assert "UTF-8" in found.remedy


@pytest.mark.parametrize(
    ("magic", "kind"),
    [(b"PAR1\x15\x04\x15", "Parquet"), (b"PK\x03\x04\x14", "a ZIP archive or an Excel workbook")],
)
def test_parquet_and_spreadsheets_called_csv_are_refused_by_name(magic: bytes, kind: str) -> None:
    found = refused(magic + b"\n" + ROW)

    assert found.found == f"the file is {kind}"
    assert found.expected == "CSV text in UTF-8"
    assert found.remedy == "Export the file as CSV in UTF-8."


def test_a_nul_in_a_row_is_the_rows_fault_not_the_files() -> None:
    assert accepted(with_header(HEADER) + b"U\0A,1,2,3,4\n", rows=2)
    assert refused(with_header(f"{HEADER}\0")).found == "the file is binary data or UTF-16"


DELIMITERS = {";": "semicolons (;)", "\t": "tabs", "|": "bars (|)"}


@pytest.mark.parametrize("delimiter", DELIMITERS)
@pytest.mark.parametrize("header", [HEADER, HEADER.lower(), '"' + HEADER.replace(",", '","') + '"'])
def test_another_delimiter_is_named_with_what_to_do(delimiter: str, header: str) -> None:
    found = refused(with_header(header.replace(",", delimiter)))

    assert (found.line, found.found) == (1, f"columns separated by {DELIMITERS[delimiter]}")
    assert found.expected == f"the header {HEADER}, separated by commas"
    assert found.remedy == (
        f"Export the file with commas as separators, or declare delimiter={delimiter!r} (Feed.reading)."
    )


def test_what_else_is_wrong_under_another_delimiter_is_told_too() -> None:
    found = refused(with_header("Carrier;OriginAirportID;Delay"))

    assert found.found == (
        "columns separated by semicolons (;), missing 'DestAirportID', 'DepDelay', 'ArrDelay'; "
        "not of this feed 'Delay'"
    )


@pytest.mark.parametrize("extra", ["a;b", "a|b", "a\tb"])
def test_a_delimiter_inside_a_column_name_is_no_other_delimiter(extra: str) -> None:
    assert refused(with_header(f"{HEADER},{extra}")).found == f"columns not of this feed {extra!r}"


def test_gzip_is_read_through() -> None:
    assert accepted(gzip.compress(with_header(HEADER)), gzipped=True)


def test_all_of_a_large_gzip_is_counted() -> None:
    rows = b"".join(b"UA,%d,12266,2,11\n" % n for n in range(60_000))
    body = gzip.compress(HEADER.encode() + b"\n" + rows)
    assert len(body) > HEAD_BYTES

    assert accepted(body, gzipped=True, rows=60_000)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 20_000_000)

    tracemalloc.start()
    found = refused(bomb, gzipped=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "longer than 65,536 bytes" in found.found
    assert peak < 1_000_000


ROWS = b"".join(b"UA,%d,%d,2,11\n" % (n * 7919 % 30_011, n * 104_729 % 30_011) for n in range(60_000))
PACKED = gzip.compress(HEADER.encode() + b"\n" + ROWS)


@pytest.mark.parametrize(("size", "line"), [(5, 1), (20, 1), (150, 6)])
def test_a_small_gzip_that_ends_early_is_refused_with_its_last_line(size: int, line: int) -> None:
    body = gzip.compress(HEADER.encode() + b"\n" + ROWS[:300], compresslevel=0)[:size]

    assert str(refused(body, gzipped=True)) == (
        f"line {line}: the gzip stream ends early; expected a complete gzip stream. "
        "Compress the file again and land it whole."
    )


def test_the_head_of_a_large_gzip_is_no_gzip_that_ends_early() -> None:
    assert len(PACKED) > 3 * HEAD_BYTES
    assert accepted(PACKED, gzipped=True, rows=60_000)


@pytest.mark.parametrize("level", [0, 9])
def test_a_damaged_gzip_is_refused_with_the_line_that_can_not_be_read(level: int) -> None:
    body = bytearray(gzip.compress(HEADER.encode() + b"\n" + ROWS[:600], compresslevel=level))
    body[-6] ^= 1
    lines = (HEADER.encode() + b"\n" + ROWS[:600]).count(b"\n")

    found = refused(bytes(body), gzipped=True)

    assert found.line == lines + 1
    assert (
        found.found == "the gzip stream is damaged (Error -3 while decompressing data: incorrect data check)"
    )
    assert verdict(bytes(body), gzipped=True, size=10) == found


def test_gzip_of_several_members_is_read_as_one_text() -> None:
    header, rows = gzip.compress(HEADER.encode() + b"\n"), gzip.compress(ROW)

    assert accepted(header + rows, gzipped=True)
    assert accepted(gzip.compress(b"") + header + rows, gzipped=True)
    assert refused(header, gzipped=True).found == "no rows after the header"


@pytest.mark.parametrize("behind", [b"garbage", bytes(512), b"\0"])
def test_what_is_no_gzip_behind_a_member_is_refused_because_hadoop_stops_at_it(behind: bytes) -> None:
    found = refused(gzip.compress(with_header(HEADER)) + behind, gzipped=True)

    assert found.found.startswith("the gzip stream ")
    assert (found.line, found.remedy) == (3, "Compress the file again and land it whole.")


@pytest.mark.parametrize("size", [1000, 65_536, 10_000_000])
def test_the_slices_in_which_a_gzip_comes_do_not_matter(size: int) -> None:
    assert accepted(PACKED + PACKED, gzipped=True, rows=120_000, size=size)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("size", [1000, 65_536])
def test_a_large_gzip_that_ends_early_is_refused_with_its_last_line(size: int, end: str) -> None:
    text = f"{HEADER}\n".encode() + ROWS
    body = gzip.compress(text.replace(b"\n", end.encode()))[:-5000]
    whole = zlib.decompressobj(wbits=31).decompress(body).count(end.encode())

    found = verdict(body, gzipped=True, size=size)

    assert isinstance(found, Refused)
    assert found.found == "the gzip stream ends early"
    assert found.line == whole + 1 > 50_000


def test_plain_text_called_gzip_is_refused_with_both_remedies() -> None:
    found = refused(with_header(HEADER), gzipped=True)

    assert found.found == "the file is not gzip"
    assert found.remedy == "Compress the file, or let its name end in .csv."


def test_gzip_whose_name_does_not_say_so_is_refused_with_both_remedies() -> None:
    found = refused(gzip.compress(with_header(HEADER)))

    assert found.found == "the file is gzip, which its name does not say"
    assert found.remedy == "Let its name end in .csv.gz, or land it uncompressed."


def test_a_first_line_without_an_end_is_refused() -> None:
    found = refused(b"x" * (HEAD_BYTES + 1))

    assert (found.line, found.found) == (1, "a line longer than 65,536 bytes")


def test_a_refusal_of_a_thousand_columns_stays_readable() -> None:
    assert len(str(refused(with_header(",".join(f"c{n}" for n in range(1000)))))) < 1000
