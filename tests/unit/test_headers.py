"""The first bytes of a file decide whether it can be its feed, and a refusal says what to do."""

import gzip
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds import AIRPORTS, FEEDS, FLIGHTS, Feed
from airline_platform.headers import HEAD_BYTES, Accepted, Refused, judge

HEADER = "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay"
NAMES = tuple(HEADER.split(","))
ROW = b"UA,11618,12266,2,11\n"


def verdict(body: bytes, feed: Feed = FLIGHTS, *, gzipped: bool = False) -> Accepted | Refused:
    return judge(feed, body[:HEAD_BYTES], len(body), gzipped=gzipped)


def refused(body: bytes, *, gzipped: bool = False) -> Refused:
    found = verdict(body, gzipped=gzipped)
    assert isinstance(found, Refused), found
    return found


def with_header(header: str) -> bytes:
    return header.encode() + b"\n" + ROW


def test_the_documented_header_is_accepted() -> None:
    assert verdict(with_header(HEADER)) == Accepted(HEADER, NAMES)


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
    assert verdict(with_header(header)) == Accepted(header, columns)


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


def test_another_feeds_file_is_refused() -> None:
    body = b"airport_id,city,state,name\n10397,Atlanta,GA,Hartsfield-Jackson\n"

    assert isinstance(verdict(body, AIRPORTS), Accepted)
    assert "missing 'Carrier'" in refused(body).found


def test_a_refusal_is_one_sentence_and_its_remedy() -> None:
    assert str(refused(b"")) == (
        f"line 1: the file is empty; expected the header {HEADER}. Land the file again, complete."
    )


@pytest.mark.parametrize("rest", [b"", b"\n", b"\r\n\r\n", b"\n  \n\t\n"])
def test_a_header_without_rows_is_refused_at_its_second_line(rest: bytes) -> None:
    found = refused(HEADER.encode() + rest)

    assert (found.line, found.found) == (2, "no rows after the header")


def test_a_byte_order_mark_is_not_part_of_the_header() -> None:
    assert verdict(b"\xef\xbb\xbf" + with_header(HEADER)) == Accepted(HEADER, NAMES)


def test_windows_line_ends_are_not_part_of_the_header() -> None:
    assert verdict(with_header(HEADER).replace(b"\n", b"\r\n")) == Accepted(HEADER, NAMES)


def test_latin_1_in_the_header_is_refused_with_the_byte() -> None:
    found = refused("Carrier,Aéroport,DestAirportID\n1,2,3\n".encode("latin-1"))

    assert (found.line, found.found) == (1, "byte 10 is not UTF-8")
    assert found.remedy == "Export the file in UTF-8."


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_utf_16_and_its_like_are_refused(encoding: str) -> None:
    found = refused(with_header(HEADER).decode().encode(encoding))

    assert "UTF-16" in found.found
    assert "UTF-8" in found.remedy


@pytest.mark.parametrize("magic", [b"PAR1\x15\x04\x15", b"PK\x03\x04\x14"])
def test_parquet_and_spreadsheets_called_csv_are_refused(magic: bytes) -> None:
    found = refused(magic + b"\n" + ROW)

    assert found.expected == "CSV text in UTF-8"


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_shows_as_one_unknown_column(delimiter: str) -> None:
    header = HEADER.replace(",", delimiter)
    found = refused(with_header(header))

    assert f"not of this feed {header!r}" in found.found
    assert "missing 'Carrier'" in found.found


def test_gzip_is_read_through() -> None:
    assert verdict(gzip.compress(with_header(HEADER)), gzipped=True) == Accepted(HEADER, NAMES)


def test_a_large_gzip_is_judged_by_its_first_bytes() -> None:
    rows = b"".join(b"UA,%d,12266,2,11\n" % n for n in range(60_000))
    body = gzip.compress(HEADER.encode() + b"\n" + rows)
    assert len(body) > HEAD_BYTES

    assert verdict(body, gzipped=True) == Accepted(HEADER, NAMES)


def test_a_gzip_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(b"0" * 20_000_000)

    tracemalloc.start()
    found = refused(bomb, gzipped=True)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "longer than 65,536 bytes" in found.found
    assert peak < 1_000_000


def test_a_gzip_cut_off_before_its_first_row_is_refused() -> None:
    assert isinstance(verdict(gzip.compress(with_header(HEADER))[:20], gzipped=True), Refused)


def test_plain_text_called_gzip_is_refused_with_both_remedies() -> None:
    found = refused(with_header(HEADER), gzipped=True)

    assert found.found.startswith("not gzip")
    assert found.remedy == "Compress it again, or rename it."


def test_gzip_not_called_so_is_refused() -> None:
    assert isinstance(verdict(gzip.compress(with_header(HEADER))), Refused)


def test_a_first_line_without_an_end_is_refused() -> None:
    found = refused(b"x" * (HEAD_BYTES + 1))

    assert (found.line, found.found) == (1, "a line longer than 65,536 bytes")


def test_a_refusal_of_a_thousand_columns_stays_readable() -> None:
    assert len(str(refused(with_header(",".join(f"c{n}" for n in range(1000)))))) < 1000


@given(
    feed=st.sampled_from(sorted(FEEDS.values(), key=lambda feed: feed.name)),
    data=st.data(),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_order_and_case_of_a_feeds_columns_is_accepted_in_that_order(
    feed: Feed, data: st.DataObject, line_end: str
) -> None:
    columns = tuple(data.draw(st.permutations([column.name for column in feed.columns])))
    cased = [data.draw(st.sampled_from([name, name.lower(), name.upper()])) for name in columns]
    header = ",".join(cased)

    assert verdict(f"{header}{line_end}row{line_end}".encode(), feed) == Accepted(header, columns)
