"""The cases of Max Ogden's csv-spectrum (BSD-2-Clause), by meaning: as names of passengers and of airports.

A passenger's name may have several lines, an airport's may not: there a line break in quotes is a reject of
its row, which is told with the record's first line.
"""

from collections.abc import Callable

import pytest
from pyspark.sql import Row
from spark_lake import Lake, Outcome

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from glue_jobs.runner import FeedRun

pytestmark = pytest.mark.filterwarnings(
    # PySpark leaves the socket of every collect to the garbage collector, and compares pandas's version.
    "ignore:unclosed <socket:ResourceWarning",
    "ignore:distutils Version classes are deprecated:DeprecationWarning",
)

LF, CRLF = "\n", "\r\n"
NO_LINE_BREAK = "name has U+000A at character {}; expected no control and no invisible characters"
GEOJSON = '{"type": "Point", "coordinates": [102.0, 0.5]}'
PLACE = "37°36'37.8\"N 121°2'17.9\"W"

CASES: dict[str, tuple[str, bytes, str | None, str]] = {
    # name: line end, field as it stands in the file, its value, why it is no airport's name
    "simple": (LF, b"2", "2", ""),
    "simple_crlf": (CRLF, b"2", "2", ""),
    "comma_in_quotes": (LF, b'"Anytown, WW"', "Anytown, WW", ""),
    "empty": (LF, b'""', None, ""),
    "empty_crlf": (CRLF, b'""', None, ""),
    "escaped_quotes": (LF, b'"ha ""ha"" ha"', 'ha "ha" ha', ""),
    "json": (LF, b'"%s"' % GEOJSON.replace('"', '""').encode(), GEOJSON, ""),
    "newlines": (LF, b'"Once upon \na time"', "Once upon \na time", NO_LINE_BREAK.format(11)),
    "newlines_crlf": (CRLF, b'"Once upon \r\na time"', "Once upon \na time", NO_LINE_BREAK.format(11)),
    "quotes_and_newlines": (LF, b'"ha \n""ha"" \nha"', 'ha \n"ha" \nha', NO_LINE_BREAK.format(4)),
    "utf8": (LF, "ʤ".encode(), "ʤ", ""),
    "location_coordinates": (LF, PLACE.encode(), PLACE, ""),
    "location_coordinates_latin_1": (
        LF,
        PLACE.encode("latin-1"),
        "rejected: expected UTF-8 text without NUL, found other bytes",
        "expected UTF-8 text without NUL, found other bytes",
    ),
}

BOOKING = b"B%d,2013-01-01 10:00:00,%s,a@b.org,UA,1,1,2,2013-12-31,ECONOMY,129.90,USD,CONFIRMED"


def file_of(header: str, row: Callable[[int, bytes], bytes], end: str, field: bytes) -> bytes:
    """The case between two good rows."""
    rows = [header.encode(), row(1, b"Ann"), row(2, field), row(3, b"Ann"), b""]
    return end.encode().join(rows)


@pytest.fixture(scope="module")
def bookings(new_lake: Callable[..., Lake]) -> dict[str, dict[int, Row]]:
    """The judged rows of every case, by their line."""
    lake = new_lake(BOOKINGS)
    entries = [
        lake.land(
            f"bookings/date=2013-01-01/{name}.csv",
            file_of(BOOKINGS.header, lambda n, field: BOOKING % (n, field), end, field),
        )
        for name, (end, field, *_) in CASES.items()
    ]
    counts = lake.counts(*entries, secret="secret")
    assert all(count["read"] == 3 == count["loaded"] + count["rejected"] for count in counts)
    run = FeedRun(lake.spark, BOOKINGS, lake.arguments(*entries))
    found: dict[str, dict[int, Row]] = {name: {} for name in CASES}
    for row in run.judged(run.files, lambda rows: rows, reasons=True).collect():
        found[row.source_file.rpartition("/")[2].removesuffix(".csv")][row.source_line] = row
    return found


@pytest.mark.parametrize("case", CASES)
def test_a_passengers_name_is_read_as_the_suite_says_and_so_are_the_rows_around_it(
    bookings: dict[str, dict[int, Row]], case: str
) -> None:
    _, field, value, _ = CASES[case]
    rows = bookings[case]
    behind = 4 + field.count(b"\n")

    assert sorted(rows) == [2, 3, behind]
    assert [rows[line].passenger_name for line in (2, behind)] == ["Ann", "Ann"]
    assert [rows[line].reject_reason for line in (2, behind)] == [None, None]
    if value and value.startswith("rejected: "):
        assert rows[3].reject_reason == value.removeprefix("rejected: ")
    else:
        assert (rows[3].passenger_name, rows[3].reject_reason) == (value, None)


@pytest.fixture(scope="module")
def airports(new_lake: Callable[..., Lake]) -> Outcome:
    """What became of every case."""
    lake = new_lake(AIRPORTS)
    return lake.outcome(
        *(
            lake.land(
                f"airport_codes/{name}.csv",
                file_of(AIRPORTS.header, lambda n, field: b"%d,Atlanta,GA,%s" % (n, field), end, field),
            )
            for name, (end, field, *_) in CASES.items()
        )
    )


@pytest.mark.parametrize("case", CASES)
def test_an_airports_name_is_read_as_the_suite_says_and_has_no_line_break(
    airports: Outcome, case: str
) -> None:
    _, _, value, why_not = CASES[case]
    names = {row.airport_id: row.name for row in airports.rows[f"{case}.csv"].values()}

    assert (names.pop(1), names.pop(3)) == ("Ann", "Ann")
    assert names == ({} if why_not else {2: value})
    assert airports.reasons(f"{case}.csv") == ({3: why_not} if why_not else {})
