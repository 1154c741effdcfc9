"""A file that may not be loaded leaves no row behind; its neighbours are loaded as if it were not there."""

import gzip
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from spark_lake import Lake, Transform

from airline_platform.contract.feed import Feed
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from glue_jobs.flights_job import transform
from glue_jobs.shipments_to_parquet_job import transform as to_parquet

NewLake = Callable[[Feed, Transform], Lake]

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
    return new_lake(FLIGHTS, transform)


def refused(counts: list[dict[str, Any]]) -> dict[str, str]:
    return {count["url"].removeprefix("s3://landing/"): count["refused"] for count in counts}


def test_a_file_with_too_many_rejects_is_refused_alone_and_its_rejects_are_kept(lake: Lake) -> None:
    counts = lake.counts(
        lake.land(key("bad.csv"), csv_file(GOOD, BAD)),
        lake.land(key("good.csv"), csv_file(GOOD, GOOD)),
        lake.land(key("bad.csv", NEXT), csv_file(GOOD, BAD)),
        max_rejected_share=0.05,
    )

    why = "expected at most 5.0% of the rows to be rejected, found 50.0% of 2"
    assert refused(counts) == {key("bad.csv"): why, key("good.csv"): "", key("bad.csv", NEXT): why}
    assert {row.source_file for row in lake.loaded()} == {f"s3://landing/{key('good.csv')}"}
    assert lake.files("enriched", NEXT) == {}
    assert [reject["source_file"] for reject in lake.rejects()] == [
        f"s3://landing/{key('bad.csv')}",
        f"s3://landing/{key('bad.csv', NEXT)}",
    ]


def test_a_file_of_which_spark_reads_other_rows_than_its_lines_were_counted_is_refused(lake: Lake) -> None:
    entry = lake.land(key("a.csv"), csv_file(GOOD, GOOD))
    counts = lake.counts(
        entry | {"rows": 3}, lake.land(key("b.csv"), csv_file(GOOD)), max_rejected_share=0.05
    )

    assert refused(counts) == {
        key("a.csv"): "expected 3 rows, by the count of its lines, found 2",
        key("b.csv"): "",
    }
    assert len(lake.loaded()) == 1


def test_an_array_that_is_broken_only_when_the_job_reads_it_is_refused_alone(new_lake: NewLake) -> None:
    lake = new_lake(SHIPMENTS, to_parquet)
    row = (
        '{"shipping_id": %d, "shipping_date": "2013/01/01", "destination_city": "Newark", '
        '"shipping_cost": 1, '
        '"shipping_distance": 2, "quantity": 3, "product_id": 4}'
    )
    entries = [
        lake.land(f"shipments/date={DAY}/{name}.json", f"[{row % 1}, {row % 2}]")
        for name in ("broken", "good")
    ]
    (lake.landing / f"shipments/date={DAY}/broken.json").write_text(f"[{row % 1}, {{")
    counts = lake.counts(*entries)

    assert refused(counts) == {
        f"shipments/date={DAY}/broken.json": "expected 2 rows, by the count of its lines, found 1",
        f"shipments/date={DAY}/good.json": "",
    }
    assert {row.source_file for row in lake.loaded()} == {f"s3://landing/shipments/date={DAY}/good.json"}


def test_a_row_behind_more_blanks_than_a_line_may_have_is_rejected_and_not_taken_for_a_blank_line(
    lake: Lake,
) -> None:
    counts = lake.run(lake.land(key("a.csv"), csv_file(*[GOOD] * 60, " " * 20_001 + GOOD)))

    assert counts == {key("a.csv"): (61, 60, 1)}
    assert lake.rejects()[0]["reject_reason"] == "expected at most 20,000 characters, found more"


def test_lines_of_tabs_and_padded_headers_are_no_rows(lake: Lake) -> None:
    padded = " Carrier ,OriginAirportID,\tDestAirportID,DepDelay,ArrDelay"
    quoted = ",".join(f'"{name}"' for name in FLIGHTS.header.split(","))
    counts = lake.run(lake.land(key("a.csv"), csv_file(GOOD, "\t\t", " \x0b ", padded, quoted, GOOD)))

    assert counts == {key("a.csv"): (2, 2, 0)}


def test_a_day_without_rows_is_one_where_the_feed_says_so(new_lake: NewLake) -> None:
    lake = new_lake(replace(FLIGHTS, no_rows="load"), transform)
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

    def broken(rows: DataFrame, _: DataFrame) -> DataFrame:
        return rows.withColumn("x", F.raise_error(F.lit("no secret"))).select("no_such_column")

    with pytest.raises(Exception, match="no_such_column"):
        new_lake(FLIGHTS, broken).counts()


def test_every_loaded_row_names_its_line(lake: Lake) -> None:
    lake.run(
        *(
            lake.land(key(f"{n}.csv"), csv_file(*(f"UA,{n},{line},3,4" for line in range(2, n + 2))))
            for n in (5, 1, 3)
        ),
        lake.land(key("blank.csv"), csv_file("", "UA,9,3,3,4", "\t", FLIGHTS.header, "UA,9,6,3,4")),
    )

    rows = lake.loaded()
    assert len(rows) == 5 + 1 + 3 + 2
    assert all(row.source_line == row.dest_airport_id for row in rows)


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


@pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning")
def test_what_is_packed_and_named_in_capitals_is_read_like_any_other(lake: Lake, new_lake: NewLake) -> None:
    packed = gzip.compress(csv_file(GOOD, BAD).encode())
    assert lake.run(lake.land(key("FLIGHTS.CSV.GZ"), packed)) == {key("FLIGHTS.CSV.GZ"): (2, 1, 1)}
    assert [reject["line_number"] for reject in lake.rejects()] == [3]

    shipments = new_lake(SHIPMENTS, to_parquet)
    row = (
        '{"shipping_id": 1, "shipping_date": "2013/01/01", "destination_city": "Newark", "shipping_cost": 1, '
        '"shipping_distance": 2, "quantity": 3, "product_id": 4}'
    )
    names = {
        f"shipments/date={DAY}/{name}": body
        for name, body in (
            ("LINES.JSON.GZ", f"\n{row}\n\nno object\n"),
            ("ARRAY.JSON.GZ", f"[{row}, {row}]"),
        )
    }
    entries = [shipments.land(name, gzip.compress(body.encode())) for name, body in names.items()]
    lines, array = names
    assert shipments.run(*entries) == {lines: (2, 1, 1), array: (2, 2, 0)}
    assert [reject["line_number"] for reject in shipments.rejects()] == [4]
