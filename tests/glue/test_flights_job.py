"""The flights job under real Spark: no flight is lost, doubled or half read, and a reject says why."""

import gzip
import json
from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

import pytest
from pyspark.sql import DataFrame, Row, SparkSession
from spark_lake import Lake, Outcome

from airline_platform.contract.feed import Feed
from airline_platform.feeds.flights import FLIGHTS
from glue_jobs.rows import transform_of
from glue_jobs.runner import FeedRun

NewLake = Callable[[Feed], Lake]

# PySpark leaves the socket of every collect to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    # PySpark compares pandas's version with it.
    pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning"),
]

HEADER = FLIGHTS.header
FIELDS = f"expected 5 fields ({HEADER})"
QUOTES = "expected quotes in pairs, found an odd number of them"
CODE = "expected a carrier code: two or three letters or digits"
TOO_LONG = "expected at most 20,000 characters, found more"
NEW_YEAR, SECOND, THIRD, FOURTH = "2013-01-01", "2013-01-02", "2013-01-03", "2013-01-04"
ATLANTA, NEWARK = 10397, 11618


@pytest.fixture
def lake(new_lake: NewLake) -> Lake:
    return new_lake(FLIGHTS)


def csv_file(*rows: str, header: str = HEADER, end: str = "\n") -> str:
    return end.join([header, *rows]) + end


def key(name: str, day: str = NEW_YEAR) -> str:
    return f"daily_flights/date={day}/{name}"


# --- transform


@pytest.fixture(scope="module")
def landed(spark: SparkSession) -> DataFrame:
    rows = [
        (date(2013, 1, 1), "UA", ATLANTA, NEWARK, 2, 11),
        (date(2013, 1, 1), "DL", NEWARK, 99999, None, None),
        (date(2013, 1, 1), "DL", 99999, 99998, -3, 0),
    ]
    landed = spark.createDataFrame(
        rows,
        "partition_date date, Carrier string, OriginAirportID bigint, DestAirportID bigint, DepDelay bigint, "
        "ArrDelay bigint",
    )
    return landed.selectExpr(
        "*",
        "'s3://landing/x.csv' as source_file",
        "cast(1 as bigint) as source_line",
        "cast(null as string) as reject_reason",
        "Carrier as raw_text",
        "cast(null as string) as rescued",
    )


@pytest.fixture(scope="module")
def airports(spark: SparkSession) -> DataFrame:
    rows = [
        (ATLANTA, "Atlanta", "GA", "Hartsfield-Jackson"),
        (NEWARK, "Newark", "NJ", "Newark Liberty"),
        (NEWARK, "Newark", "NJ", "Newark Liberty International"),
        (None, "Nowhere", "XX", "Nobody's"),
    ]
    return spark.createDataFrame(rows, "airport_id bigint, city string, state string, name string")


def facts(landed: DataFrame, airports: DataFrame) -> DataFrame:
    """The fact's rows, of judged ones."""
    return transform_of(FLIGHTS, {"airports": airports})(landed)


def test_both_airports_are_spelled_out(landed: DataFrame, airports: DataFrame) -> None:
    (flight,) = facts(landed, airports).where("carrier = 'UA'").collect()

    assert (flight.dep_airport, flight.dep_city, flight.dep_state) == ("Hartsfield-Jackson", "Atlanta", "GA")
    assert (flight.arr_city, flight.arr_state) == ("Newark", "NJ")
    assert (flight.flight_date, flight.origin_airport_id, flight.dest_airport_id) == (
        date(2013, 1, 1),
        ATLANTA,
        NEWARK,
    )
    assert (flight.dep_delay, flight.arr_delay) == (2, 11)


def test_unknown_airports_stay_unnamed_and_doubled_ids_multiply_nothing(
    landed: DataFrame, airports: DataFrame
) -> None:
    flights = {row.origin_airport_id: row for row in facts(landed, airports).collect()}

    assert sorted(flights) == [ATLANTA, NEWARK, 99999]
    assert flights[NEWARK].dep_city == "Newark"
    assert (flights[NEWARK].arr_airport, flights[NEWARK].arr_city, flights[NEWARK].arr_state) == (None,) * 3
    assert (flights[99999].dep_airport, flights[99999].arr_airport) == (None, None)
    assert flights[99999].dep_delay == -3


def test_without_any_airport_every_flight_stays(landed: DataFrame, airports: DataFrame) -> None:
    assert facts(landed, airports.limit(0)).count() == 3


def test_the_columns_are_the_facts_in_its_order_then_where_the_row_came_from(
    landed: DataFrame, airports: DataFrame
) -> None:
    found = facts(landed, airports)

    fact = [(column.name, column.glue_type) for column in FLIGHTS.table.columns]
    assert found.dtypes[: len(fact)] == fact
    assert found.columns[len(fact) :] == ["reject_reason", "raw_text", "rescued"]


# --- parse

GOOD = {
    "UA,11618,12266,2,11": ("UA", 11618, 12266, 2, 11),
    "UA,11618,12266,-2,-11": ("UA", 11618, 12266, -2, -11),
    "UA,11618,12266,+2,0": ("UA", 11618, 12266, 2, 0),
    "UA,11618,12266,,": ("UA", 11618, 12266, None, None),
    'UA,11618,12266,"",  ': ("UA", 11618, 12266, None, None),
    " UA , 11618 ,12266 , 2,11 ": ("UA", 11618, 12266, 2, 11),
    "UA,11618,12266,12.0,-12.00": ("UA", 11618, 12266, 12, -12),
    "UA,11618.0,12266.00,2,11": ("UA", 11618, 12266, 2, 11),
    '"UA","11618","12266","2","11"': ("UA", 11618, 12266, 2, 11),
    ' "UA" , "11618" ,12266,2,11': ("UA", 11618, 12266, 2, 11),
    "\ufeffUA\u200b,11618,12266,2,11": ("UA", 11618, 12266, 2, 11),
    "\x1fUA,11618,12266,2,11": ("UA", 11618, 12266, 2, 11),
    "\u00a0UA\u3000,11618,12266,2,11": ("UA", 11618, 12266, 2, 11),
    "UA\u0085,11618,12266,2,11": ("UA", 11618, 12266, 2, 11),
    "9E,9007199254740991,0,-180,2880": ("9E", 9007199254740991, 0, -180, 2880),
}

BAD = {
    '"U,A",11618,12266,2,11': f"Carrier is 'U,A'; {CODE}",
    '"U""A",11618,12266,2,11': f"Carrier is 'U\"A'; {CODE}",
    '="B6",11618,12266,2,11': f"Carrier is '=\"B6\"'; {CODE}",
    "\\N,11618,12266,2,11": f"Carrier is '\\N'; {CODE}",
    "#UA,11618,12266,2,11": f"Carrier is '#UA'; {CODE}",
    "ééééé,11618,12266,2,11": f"Carrier is 'ééééé'; {CODE}",
    "U\u200bA,11618,12266,2,11": "Carrier has U+200B at character 2; expected no control and no invisible "
    "characters",
    "U\u00adA,11618,12266,2,11": "Carrier has U+00AD at character 2; expected no control and no invisible "
    "characters",
    "UA,999999999999999999,0,2,11": "OriginAirportID is '999999999999999999'; expected 0 or more, at most "
    "9,007,199,254,740,991",
    "UA,11618,-1,2,11": "DestAirportID is '-1'; expected 0 or more, at most 9,007,199,254,740,991",
    "UA,11618,12266,-9223372036854775808,11": "DepDelay is '-9223372036854775808'; expected -180 to 2,880",
    "UA,11618,12266,2,1389052800000": "ArrDelay is '1389052800000'; expected -180 to 2,880",
    "UA,11618,12266,-181,11": "DepDelay is '-181'; expected -180 to 2,880",
    "UA,11618,12266,2,2881": "ArrDelay is '2881'; expected -180 to 2,880",
    "UA,EWR,12266,2,11": "OriginAirportID is 'EWR'; expected a whole number",
    "UA,11618,12266,late,11": "DepDelay is 'late'; expected a whole number",
    "UA,11618,12266,2,NA": "ArrDelay is 'NA'; expected a whole number",
    "UA,11618,12266,12.5,11": "DepDelay is '12.5'; expected a whole number",
    "UA,11618,12266,1e3,11": "DepDelay is '1e3'; expected a whole number",
    "UA,11618,12266,1 0,11": "DepDelay is '1 0'; expected a whole number",
    "UA,9223372036854775808,12266,2,11": "OriginAirportID is '9223372036854775808'; expected a whole number",
    "UA,11618,12266,٣,11": "DepDelay is '٣'; expected a whole number",
    ",11618,12266,2,11": "Carrier is empty; a value is required",
    "  ,11618,12266,2,11": "Carrier is empty; a value is required",
    '"",11618,12266,2,11': "Carrier is empty; a value is required",
    "UA,,12266,2,11": "OriginAirportID is empty; a value is required",
    "UA,11618,,2,11": "DestAirportID is empty; a value is required",
    "OverTenLetters,11618,12266,2,11": "Carrier is 'OverTenLetters'; expected 10 bytes at most",
    "éééééé,11618,12266,2,11": "Carrier is 'éééééé'; expected 10 bytes at most",
    "UA,x,y,z,": "OriginAirportID is 'x'; expected a whole number",
    "UA,11618,12266,2": FIELDS,
    "UA,11618,12266,2,11,": FIELDS,
    "UA,11618,12266,2,11,12": FIELDS,
    "UA;11618;12266;2;11": FIELDS,
    "UA": FIELDS,
    ",": FIELDS,
    "carrier,originairportid,destairportid,depdelay,arrdelay": f"Carrier is 'carrier'; {CODE}",
}


@pytest.fixture(scope="module")
def many_lines(spark: SparkSession, new_lake: NewLake) -> FeedRun:
    """The lines above, landed in one file."""
    lake = new_lake(FLIGHTS)
    entry = lake.land(key("lines.csv"), csv_file(*GOOD, "", *BAD))
    return FeedRun(spark, FLIGHTS, lake.arguments(entry))


@pytest.fixture(scope="module")
def judged(many_lines: FeedRun) -> dict[str, Row]:
    """Each of the lines above, parsed, by its text."""
    return {row.raw_text: row for row in parsed(many_lines, reasons=True)}


def parsed(run: FeedRun, *, reasons: bool) -> list[Row]:
    return run.judged(run.files, lambda rows: rows, reasons=reasons).collect()


def test_the_same_lines_are_good_whether_reasons_are_told_or_not(
    many_lines: FeedRun, judged: dict[str, Row]
) -> None:
    untold = parsed(many_lines, reasons=False)

    assert {row.source_line: row.reject_reason is None for row in untold} == {
        row.source_line: row.reject_reason is None for row in judged.values()
    }
    assert {row.raw_text for row in untold} == {None}


def test_every_line_but_the_header_and_the_blank_one_is_judged_once(judged: dict[str, Row]) -> None:
    numbered = sorted((row.source_line, text) for text, row in judged.items())

    blank = len(GOOD) + 2
    expected = [n for n in range(2, blank + len(BAD) + 1) if n != blank]
    assert numbered == list(zip(expected, [*GOOD, *BAD], strict=True))


@pytest.mark.parametrize("line", GOOD)
def test_a_good_line_is_typed(judged: dict[str, Row], line: str) -> None:
    row = judged[line]

    assert row.reject_reason is None
    assert tuple(row[column.name] for column in FLIGHTS.columns) == GOOD[line]
    assert row.partition_date == date(2013, 1, 1)


@pytest.mark.parametrize("line", BAD)
def test_a_bad_line_says_which_column_what_came_and_what_was_expected(
    judged: dict[str, Row], line: str
) -> None:
    assert judged[line].reject_reason == BAD[line]


# --- the whole run


class Mixed(NamedTuple):
    """What a run reported and left in the lake."""

    counts: dict[str, tuple[int, int, int]]
    loaded: list[Row]
    types: list[tuple[str, str]]
    rejects: list[dict[str, Any]]


@pytest.fixture(scope="module")
def mixed(spark: SparkSession, new_lake: NewLake) -> Mixed:
    """One run over two days' files of every kind, with a dimension of one airport."""
    lake = new_lake(FLIGHTS)
    airports = [(1, "Atlanta", "GA", "Hartsfield-Jackson", "s3://landing/airports.csv")]
    schema = "airport_id bigint, city string, state string, name string, source_file string"
    spark.createDataFrame(airports, schema).write.parquet("s3://lake/dim/")
    reordered = "ArrDelay,DESTAIRPORTID,carrier,DepDelay,OriginAirportID"
    counts = lake.run(
        lake.land(key("documented.csv"), csv_file("AA,1,2,3,4", HEADER, "AA,1,2,3,4")),
        lake.land(key("reordered.csv"), csv_file("4,2,BB,3,1", header=reordered)),
        lake.land(key("windows.csv"), csv_file("CC,1,2,3,4", "CC,1,2,soon,4", end="\r\n")),
        lake.land(key("marked.csv"), b"\xef\xbb\xbf" + csv_file("DD,1,2,3,4").encode()),
        lake.land(key("packed.csv.gz"), gzip.compress(csv_file("EE,1,2,3,4", "EE,1,2,,late").encode())),
        lake.land(
            key("second.csv", SECOND), csv_file("FF,1,2,3,4", "", "FF,x,2,3,4", "FF,1,2,3,4", "FF,1,2")
        ),
        airports="s3://lake/dim/",
    )
    copied = spark.read.parquet(f"s3://lake/enriched/date={NEW_YEAR}/")
    return Mixed(counts, lake.loaded(), copied.dtypes, lake.rejects())


def test_every_row_read_is_loaded_or_rejected_and_counted_by_file(mixed: Mixed) -> None:
    assert mixed.counts == {
        key("documented.csv"): (2, 2, 0),
        key("marked.csv"): (1, 1, 0),
        key("packed.csv.gz"): (2, 1, 1),
        key("reordered.csv"): (1, 1, 0),
        key("windows.csv"): (2, 1, 1),
        key("second.csv", SECOND): (4, 2, 2),
    }


def test_each_file_is_read_by_its_own_header_order_line_end_and_mark(mixed: Mixed) -> None:
    assert sorted((str(row.flight_date), row.carrier) for row in mixed.loaded) == [
        *[(NEW_YEAR, carrier) for carrier in ("AA", "AA", "BB", "CC", "DD", "EE")],
        *[(SECOND, "FF")] * 2,
    ]
    assert {
        (row.origin_airport_id, row.dest_airport_id, row.dep_delay, row.arr_delay) for row in mixed.loaded
    } == {(1, 2, 3, 4)}


def test_a_loaded_row_names_its_file_and_the_airports_that_are_known(mixed: Mixed) -> None:
    (row,) = (row for row in mixed.loaded if row.carrier == "BB")

    assert row.source_file == f"s3://landing/{key('reordered.csv')}"
    assert (row.dep_airport, row.arr_airport) == ("Hartsfield-Jackson", None)


def test_what_is_loaded_is_laid_out_as_copy_takes_it(mixed: Mixed) -> None:
    assert mixed.types == [(column.name, column.glue_type) for column in FLIGHTS.table.columns]


def test_a_reject_carries_its_file_line_text_and_reason(mixed: Mixed) -> None:
    assert mixed.rejects == [
        {
            "flight_date": day,
            "source_file": f"s3://landing/{key(name, day)}",
            "line_number": line,
            "reject_reason": reason,
            "raw_text": text,
        }
        for day, name, line, text, reason in (
            (NEW_YEAR, "packed.csv.gz", 3, "EE,1,2,,late", "ArrDelay is 'late'; expected a whole number"),
            (NEW_YEAR, "windows.csv", 3, "CC,1,2,soon,4", "DepDelay is 'soon'; expected a whole number"),
            (SECOND, "second.csv", 4, "FF,x,2,3,4", "OriginAirportID is 'x'; expected a whole number"),
            (SECOND, "second.csv", 6, "FF,1,2", FIELDS),
        )
    ]


def test_a_day_that_lands_again_replaces_itself_and_leaves_its_neighbours_alone(lake: Lake) -> None:
    lake.run(
        *(
            lake.land(key("a.csv", day), csv_file("UA,1,2,3,4", "UA,x,2,3,4"))
            for day in (NEW_YEAR, SECOND, THIRD)
        )
    )
    neighbours = [
        lake.files(dataset, day) for dataset in ("enriched", "rejects") for day in (NEW_YEAR, THIRD)
    ]
    assert all(neighbours)

    counts = lake.run(lake.land(key("a.csv", SECOND), csv_file("DL,1,2,3,4", "DL,1,2,3,4", "DL,1,2,3,4")))

    assert counts == {key("a.csv", SECOND): (3, 3, 0)}
    loaded = sorted((str(row.flight_date), row.carrier) for row in lake.loaded())
    assert loaded == [(NEW_YEAR, "UA"), *[(SECOND, "DL")] * 3, (THIRD, "UA")]
    assert lake.files("rejects", SECOND) == {}
    assert neighbours == [
        lake.files(dataset, day) for dataset in ("enriched", "rejects") for day in (NEW_YEAR, THIRD)
    ]


@pytest.mark.parametrize("others", [0, 1, 3], ids=["alone", "with another", "beside some written otherwise"])
def test_lines_of_a_file_that_two_tasks_could_read_have_their_numbers(lake: Lake, others: int) -> None:
    lines = [f"UA,{number},2,3,4" for number in range(2, 20_002)]
    text = csv_file(*lines[:-1], "UA,x,2,3,4")
    days = [NEW_YEAR, SECOND, THIRD, FOURTH][: others + 1]
    # Of several, the last has another order of columns: Spark reads it apart from the others, after them.
    other_order = text.replace(HEADER, "Carrier,OriginAirportID,DestAirportID,ArrDelay,DepDelay")
    apart = other_order if others > 1 else text
    entries = [lake.land(key("a.csv", day), apart if day == days[-1] else text) for day in days]
    assert all(entry["size"] > 2 * 65_536 for entry in entries), "a laptop's Spark divides no smaller one"

    lake.run(*entries)

    loaded = lake.loaded()
    assert len(loaded) == 19_999 * len(days)
    assert [row.source_line for row in loaded if row.source_line != row.origin_airport_id] == []
    assert [reject["line_number"] for reject in lake.rejects()] == [20_001] * len(days)


def test_a_day_left_without_a_good_row_is_emptied(lake: Lake) -> None:
    lake.run(*(lake.land(key("a.csv", day), csv_file("UA,1,2,3,4")) for day in (NEW_YEAR, SECOND)))

    counts = lake.run(
        lake.land(key("a.csv", NEW_YEAR), csv_file("UA,x,2,3,4", "UA,1,2")),
        lake.land(key("a.csv", SECOND), csv_file("DL,1,2,3,4")),
    )

    assert counts == {key("a.csv", NEW_YEAR): (2, 0, 2), key("a.csv", SECOND): (1, 1, 0)}
    assert lake.files("enriched", NEW_YEAR) == {}
    assert [(str(row.flight_date), row.carrier) for row in lake.loaded()] == [(SECOND, "DL")]
    assert [reject["raw_text"] for reject in lake.rejects()] == ["UA,x,2,3,4", "UA,1,2"]


def test_a_first_run_without_a_single_good_row_leaves_only_rejects(lake: Lake) -> None:
    assert lake.run(lake.land(key("a.csv"), csv_file("UA,x,2,3,4"))) == {key("a.csv"): (1, 0, 1)}
    assert lake.files("enriched", NEW_YEAR) == {}
    assert len(lake.rejects()) == 1


def test_running_the_same_files_again_gives_the_same_rows(lake: Lake) -> None:
    entry = lake.land(key("a.csv"), csv_file("UA,1,2,3,4", "UA,x,2,3,4", "DL,1,2,3,4"))

    first, rejects = lake.run(entry), lake.rejects()

    assert lake.run(entry) == first == {key("a.csv"): (3, 2, 1)}
    assert sorted(row.carrier for row in lake.loaded()) == ["DL", "UA"]
    assert lake.rejects() == rejects


# --- odd files of every kind, in one run

MARK = b"\xef\xbb\xbf"
FOUR = csv_file("AA,1,2,3,4", "BB,1,2,3,4", "CC,1,x,3,4").encode()
LONG = "x" * 10_000_000
ODD_FILES: dict[str, tuple[bytes, tuple[int, int, int], list[int]]] = {
    # name: its bytes, rows read, loaded and rejected, lines rejected
    "members.csv.gz": (gzip.compress(FOUR[:60]) + gzip.compress(FOUR[60:]), (3, 2, 1), [4]),
    "marked.csv.gz": (gzip.compress(MARK + FOUR), (3, 2, 1), [4]),
    "marked-windows.csv": (MARK + FOUR.replace(b"\n", b"\r\n"), (3, 2, 1), [4]),
    "macintosh.csv": (FOUR.replace(b"\n", b"\r"), (3, 2, 1), [4]),
    "no-end.csv": (FOUR.rstrip(), (3, 2, 1), [4]),
    "quoted-newline.csv": (csv_file('"A\nB",1,2,3,4', "CC,1,x,3,4").encode(), (2, 0, 2), [2, 4]),
    "newline-at-the-end.csv": (csv_file('"AB\n",1,2,3,4', "CC,1,x,3,4").encode(), (2, 1, 1), [4]),
    "two-codings.csv": (
        FOUR + "DÉ,1,2,3,4\n".encode() + "DÉ,1,2,3,4\n".encode("latin-1"),
        (5, 2, 3),
        [4, 5, 6],
    ),
    "latin-1.csv": (csv_file("UA,1,2,3,4").encode() + b"\xe9A,1,2,3,4\n", (2, 1, 1), [3]),
    "nul.csv": (csv_file("UA,1,2,3,4", "U\0A,1,2,3,4").encode(), (2, 1, 1), [3]),
    "long-line.csv": (csv_file("AA,1,2,3,4", f"{LONG},1,2,3,4", "BB,1,2,3,4").encode(), (3, 2, 1), [3]),
    # The first 20,000 characters of which would be a good row.
    "long-spaces.csv": (csv_file(f"AA,1,2,3,4{' ' * 20_000}", "BB,1,2,3,4").encode(), (2, 1, 1), [2]),
    "long-quote.csv": (csv_file("AA,1,2,3,4", f'"{LONG}', "BB,1,2,3,4").encode(), (3, 2, 1), [3]),
}
ODD_QUOTES = ('"UA,1,2,3,4', 'UA",1,2,3,4', 'UA,1,2,3,"4', '"UA,1')
GARBAGE = {20_000: FIELDS, 20_001: TOO_LONG, 30_000: TOO_LONG}
"""Why a line of so many commas is rejected."""

NAMES = [
    "JFK + LGA.csv",
    "é ü 東京 ✈.csv",
    "100%.csv",
    "a%20b.csv",
    "[ab]{c,d}*?.csv",
    "a?.csv",
    "back\\slash.csv",
    "12:30.csv",
    "#1 & 2=3;'x'.csv",
]


@pytest.fixture(scope="module")
def odd(new_lake: NewLake) -> Outcome:
    """What became of all of the above, beside two files in no manifest that names of some would match."""
    lake = new_lake(FLIGHTS)
    for stranger in ("acx.csv", "ax.csv"):
        lake.land(key(stranger), csv_file("AA,1,2,3,4"))
    bodies: dict[str, bytes | str] = {name: body for name, (body, _, _) in ODD_FILES.items()}
    bodies |= {
        f"quote-{n}.csv": csv_file("AA,1,2,3,4", quote, "AA,1,2,3,4") for n, quote in enumerate(ODD_QUOTES)
    }
    bodies |= {f"garbage-{commas}.csv": csv_file("UA,1,2,3,4", "," * commas) for commas in GARBAGE}
    bodies |= {name: csv_file("UA,1,2,3,4", *["UA,x,2,3,4"] * n) for n, name in enumerate(NAMES)}
    return lake.outcome(*(lake.land(key(name), body) for name, body in bodies.items()))


@pytest.mark.parametrize("name", ODD_FILES)
def test_odd_files_are_read_line_by_line(odd: Outcome, name: str) -> None:
    _, rows, lines = ODD_FILES[name]

    assert odd.of(name) == rows
    assert sorted(odd.rejects[name]) == lines


@pytest.mark.parametrize("number", range(len(ODD_QUOTES)))
def test_a_quote_opened_by_mistake_costs_its_own_line_alone(odd: Outcome, number: int) -> None:
    name = f"quote-{number}.csv"

    assert odd.of(name) == (3, 2, 1)
    assert odd.reasons(name) == {3: QUOTES}
    assert odd.rejects[name][3]["raw_text"] == ODD_QUOTES[number]


@pytest.mark.parametrize("commas", GARBAGE)
def test_a_line_of_garbage_is_rejected_and_does_not_stop_the_job(odd: Outcome, commas: int) -> None:
    name = f"garbage-{commas}.csv"

    assert odd.of(name) == (2, 1, 1)
    assert odd.reasons(name) == {3: GARBAGE[commas]}


@pytest.mark.parametrize("name", NAMES)
def test_just_the_files_of_the_manifest_are_read_whatever_their_keys_are_made_of(
    odd: Outcome, name: str
) -> None:
    bad = NAMES.index(name)

    assert odd.of(name) == (bad + 1, 1, bad)
    assert {row.source_file for row in odd.rows[name].values()} == {f"s3://landing/{key(name)}"}
    assert {reject["source_file"] for reject in odd.rejects[name].values()} <= {f"s3://landing/{key(name)}"}
    assert len(odd.rejects[name]) == bad


def test_a_reject_is_never_longer_than_a_reader_takes(odd: Outcome) -> None:
    rejects = [reject for some in odd.rejects.values() for reject in some.values()]

    assert max(len(json.dumps(reject)) for reject in rejects) < 100_000
