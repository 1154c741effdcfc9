"""A file that may not be loaded leaves no row behind; its neighbours are loaded as if it were not there."""

import gzip
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from spark_lake import Lake, Outcome

from airline_platform.contract.feed import Feed
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

NewLake = Callable[[Feed], Lake]

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    # PySpark compares pandas's version with it.
    pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning"),
]

DAY, NEXT = "2013-01-01", "2013-01-02"
GOOD = "UA,1,2,3,4"
BAD = "UA,x,2,3,4"


def key(name: str, day: str = DAY) -> str:
    return f"daily_flights/date={day}/{name}"


def csv_file(*rows: str) -> str:
    return "\n".join([FLIGHTS.header, *rows]) + "\n"


@pytest.fixture
def lake(new_lake: NewLake) -> Lake:
    return new_lake(FLIGHTS)


# --- refused beside good ones

SHIPMENT = (
    '{"shipping_id": %d, "shipping_date": "2013/01/01", "destination_city": "Newark", "shipping_cost": 1, '
    '"shipping_distance": 2, "quantity": 3, "product_id": 4}'
)


class Judged(NamedTuple):
    """What a run reported and left in the lake."""

    refused: dict[str, str]
    loaded: Counter[str]
    rejects: list[str]
    days: set[str]


@pytest.fixture(scope="module")
def strict(new_lake: NewLake) -> Judged:
    """One run that takes few rejects, over files with too many and one whose lines were counted wrongly."""
    lake = new_lake(FLIGHTS)
    counts = lake.counts(
        lake.land(key("bad.csv"), csv_file(GOOD, BAD)),
        lake.land(key("good.csv"), csv_file(GOOD, GOOD)),
        lake.land(key("miscounted.csv"), csv_file(GOOD, GOOD)) | {"rows": 3},
        lake.land(key("bad.csv", NEXT), csv_file(GOOD, BAD)),
        max_rejected_share=0.05,
    )
    return Judged(
        {count["url"].removeprefix("s3://landing/"): count["refused"] for count in counts},
        Counter(row.source_file for row in lake.loaded()),
        [reject["source_file"] for reject in lake.rejects()],
        {day for day in (DAY, NEXT) if lake.files("enriched", day)},
    )


def test_a_file_with_too_many_rejects_is_refused_alone_and_its_rejects_are_kept(strict: Judged) -> None:
    why = "expected at most 5.0% of the rows to be rejected, found 50.0% of 2"
    assert strict.refused[key("bad.csv")] == strict.refused[key("bad.csv", NEXT)] == why
    assert strict.refused[key("good.csv")] == ""
    assert strict.loaded == {f"s3://landing/{key('good.csv')}": 2}
    assert strict.days == {DAY}
    assert strict.rejects == [f"s3://landing/{key('bad.csv')}", f"s3://landing/{key('bad.csv', NEXT)}"]


def test_a_file_of_which_spark_reads_other_rows_than_its_lines_were_counted_is_refused(
    strict: Judged,
) -> None:
    assert strict.refused[key("miscounted.csv")] == "expected 3 rows, by the count of its lines, found 2"
    assert f"s3://landing/{key('miscounted.csv')}" not in strict.loaded


@pytest.fixture(scope="module")
def shipped(new_lake: NewLake) -> Outcome:
    """One run over shipments; one array is broken between the landing's look at it and the job's."""
    lake = new_lake(SHIPMENTS)
    two = f"[{SHIPMENT % 1}, {SHIPMENT % 2}]"
    bodies = {
        "broken.json": two.encode(),
        "good.json": two.encode(),
        "LINES.JSON.GZ": gzip.compress(f"\n{SHIPMENT % 1}\n\nno object\n".encode()),
        "ARRAY.JSON.GZ": gzip.compress(two.encode()),
    }
    entries = [lake.land(f"shipments/date={DAY}/{name}", body) for name, body in bodies.items()]
    (lake.landing / f"shipments/date={DAY}/broken.json").write_text(f"[{SHIPMENT % 1}, {{")
    return lake.outcome(*entries)


def test_an_array_that_is_broken_only_when_the_job_reads_it_is_refused_alone(shipped: Outcome) -> None:
    assert shipped.counts["broken.json"]["refused"] == "expected 2 rows, by the count of its lines, found 1"
    assert shipped.rows["broken.json"] == {}
    assert shipped.counts["good.json"]["refused"] == ""
    assert len(shipped.rows["good.json"]) == 2


# --- which lines are rows, and where they stand


@pytest.fixture(scope="module")
def read(new_lake: NewLake) -> Outcome:
    """One run over files with odd lines; of a numbered one the third field of a row is its line."""
    padded = " Carrier ,OriginAirportID,\tDestAirportID,DepDelay,ArrDelay"
    quoted = ",".join(f'"{name}"' for name in FLIGHTS.header.split(","))
    bodies: dict[str, bytes | str] = {
        "blanks.csv": csv_file(*[GOOD] * 60, " " * 20_001 + GOOD),
        "headers.csv": csv_file(GOOD, "\t\t", " \x0b ", padded, quoted, GOOD),
        "numbered.csv": csv_file("", "UA,9,3,3,4", "\t", FLIGHTS.header, "UA,9,6,3,4"),
        "FLIGHTS.CSV.GZ": gzip.compress(csv_file(GOOD, BAD).encode()),
    }
    bodies |= {f"{n}.csv": csv_file(*(f"UA,{n},{line},3,4" for line in range(2, n + 2))) for n in (5, 1, 3)}
    lake = new_lake(FLIGHTS)
    return lake.outcome(*(lake.land(key(name), body) for name, body in bodies.items()))


def test_a_row_behind_more_blanks_than_a_line_may_have_is_rejected_and_not_taken_for_a_blank_line(
    read: Outcome,
) -> None:
    assert read.of("blanks.csv") == (61, 60, 1)
    assert read.reasons("blanks.csv") == {62: "expected at most 20,000 characters, found more"}


def test_lines_of_tabs_and_padded_headers_are_no_rows(read: Outcome) -> None:
    assert read.of("headers.csv") == (2, 2, 0)
    assert sorted(read.rows["headers.csv"]) == [2, 7]


@pytest.mark.parametrize(("name", "rows"), [("5.csv", 5), ("1.csv", 1), ("3.csv", 3), ("numbered.csv", 2)])
def test_every_loaded_row_names_its_line(read: Outcome, name: str, rows: int) -> None:
    assert read.of(name) == (rows, rows, 0)
    assert [row.dest_airport_id for row in read.rows[name].values()] == list(read.rows[name])


def test_what_is_packed_and_named_in_capitals_is_read_like_any_other(read: Outcome, shipped: Outcome) -> None:
    assert read.of("FLIGHTS.CSV.GZ") == (2, 1, 1)
    assert list(read.rejects["FLIGHTS.CSV.GZ"]) == [3]
    assert (shipped.of("LINES.JSON.GZ"), shipped.of("ARRAY.JSON.GZ")) == ((2, 1, 1), (2, 2, 0))
    assert list(shipped.rejects["LINES.JSON.GZ"]) == [4]


# --- runs of their own


def test_a_day_without_rows_is_one_where_the_feed_says_so(new_lake: NewLake) -> None:
    lake = new_lake(replace(FLIGHTS, no_rows="load"))
    lake.run(lake.land(key("a.csv"), csv_file(GOOD)))
    counts = lake.counts(lake.land(key("a.csv"), csv_file()), lake.land(key("b.csv", NEXT), csv_file(GOOD)))

    assert [(count["read"], count["loaded"], count["refused"]) for count in counts] == [
        (0, 0, ""),
        (1, 1, ""),
    ]
    assert lake.files("enriched", DAY) == {}


def test_without_any_file_the_transform_is_tried_and_nothing_is_written(
    lake: Lake, new_lake: NewLake
) -> None:
    assert lake.counts() == []
    assert not (lake.lake / "enriched").exists()

    def broken(rows: DataFrame) -> DataFrame:
        return rows.withColumn("x", F.raise_error(F.lit("no secret"))).select("no_such_column")

    with pytest.raises(Exception, match="no_such_column"):
        new_lake(FLIGHTS).counts(transform=broken)


def test_lines_of_a_file_that_several_tasks_read_are_numbered_through(lake: Lake) -> None:
    lake.spark.conf.set("spark.sql.files.maxPartitionBytes", 20_000)
    try:
        rows = [f"UA,1,{line},3,4" for line in range(2, 10_002)]
        lake.run(
            lake.land(key("large.csv"), csv_file(*rows)), lake.land(key("small.csv"), csv_file(*rows[:7]))
        )
        lake.run(lake.land(key("large.csv", NEXT), csv_file(*rows)) | {"size": 5 << 20})
    finally:
        lake.spark.conf.unset("spark.sql.files.maxPartitionBytes")

    loaded = lake.loaded()
    assert len(loaded) == 20_007
    assert all(row.source_line == row.dest_airport_id for row in loaded)
