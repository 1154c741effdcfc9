"""The lake over a real S3: what is written is read back, and lists of files are what COPY and jobs take."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from airline_platform.errors import BrokenDocument
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.ingest.handover import put_landed, put_made
from resources.aws.client import make_client
from resources.lake import Lake, run_scratch
from resources.warehouse.resource import Warehouse


@pytest.fixture
def lake(server: Warehouse) -> Iterator[Lake]:
    """The lake of the gateway that runs beside the warehouse, with nothing in it afterwards."""
    del server
    found = Lake.of(get_settings())
    yield found
    found.remove("")


def put_lines(lake: Lake, path: str, *rows: dict[str, Any]) -> None:
    lake.put_bytes(path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))


def test_what_is_written_is_read_back_from_its_uri(lake: Lake) -> None:
    uri = lake.put_bytes("reports/a.html", b"<p>", "text/html")
    bucket, _, key = uri.removeprefix("s3://").partition("/")

    found = make_client(get_settings(), "s3").get_object(Bucket=bucket, Key=key)
    assert (found["Body"].read(), found["ContentType"]) == (b"<p>", "text/html")


def test_a_document_that_was_never_written_is_none(lake: Lake) -> None:
    lake.put_json("state.json", {"a": [1, "é"]})

    assert lake.get_json("state.json") == {"a": [1, "é"]}
    assert lake.get_json("nothing.json") is None


def test_manifests_are_those_of_the_partitions_that_have_one(lake: Lake) -> None:
    lake.put_manifests("flights_enriched", {f"2013-01-{day:02}": {"files": day} for day in range(1, 21)})

    found = lake.get_manifests("flights_enriched", ["2013-01-20", "2013-02-01", "2013-01-01"])
    assert found == {"2013-01-20": {"files": 20}, "2013-01-01": {"files": 1}}
    assert lake.get_manifests("bookings_enriched", ["2013-01-01"]) == {}


def test_a_broken_manifest_is_told_to_its_readers_and_replaced_by_its_writers(lake: Lake) -> None:
    good, broken, day = {"as_of": "2013-01-03"}, "{not json", "2013-01-01"
    lake.put_manifests("flights_enriched", {"2013-01-02": good})
    lake.put_bytes(f"manifests/flights_enriched/{day}.json", broken.encode())

    assert lake.readable_manifests("flights_enriched", [day, "2013-01-02"]) == {"2013-01-02": good}
    with pytest.raises(BrokenDocument, match=r"flights_enriched/2013-01-01.json: expected a JSON document"):
        lake.get_manifests("flights_enriched", [day])

    put_made(lake, "flights_enriched", [day, "2013-01-02"], {}, as_of="2013-01-02")
    made = lake.get_manifests("flights_enriched", [day, "2013-01-02"])
    assert made == {day: {"as_of": "2013-01-02"}, "2013-01-02": good}

    lake.put_bytes(f"manifests/{FLIGHTS.raw_asset}/{day}.json", broken.encode())
    put_landed(lake, FLIGHTS, {day: []}, began=datetime(2013, 1, 2, tzinfo=UTC))
    assert lake.get_manifests(FLIGHTS.raw_asset, [day]) == {day: []}


def test_a_runs_manifest_lists_its_files_where_its_scratch_is(lake: Lake) -> None:
    files = [{"url": "s3://landing/a.csv", "mandatory": True, "header": "a,b"}]
    uri = lake.put_run_manifest("run-1", "flights", files)

    assert uri == lake.uri(run_scratch("run-1", "flights.manifest"))
    assert lake.get_json("_tmp/run-1/flights.manifest") == {"entries": files}


def test_files_are_listed_by_prefix_with_their_sizes_and_without_empty_ones(lake: Lake) -> None:
    for path, body in (("t/date=1/b", b"22"), ("t/date=1/a", b"1"), ("t/date=1/_SUCCESS", b""), ("u", b"1")):
        lake.put_bytes(path, body)

    assert lake.list_files(["t/date=1/", "t/date=2/"]) == {
        "t/date=1/": [
            {"url": lake.uri(f"t/date=1/{name}"), "mandatory": True, "meta": {"content_length": size}}
            for name, size in (("a", 1), ("b", 2))
        ],
        "t/date=2/": [],
    }


def test_the_first_rows_of_a_kind_are_taken_in_order_and_no_more_than_are_asked_for(lake: Lake) -> None:
    put_lines(lake, "rejects/1/a.json", {"n": 1}, {"n": 2}, {"n": 3})
    put_lines(lake, "rejects/2/a.json", {"n": 4}, {"n": 5})
    odd = lambda row: row["n"] % 2 == 1  # noqa: E731 - a condition

    assert lake.first_rows(["rejects/1/", "rejects/2/"], 2, odd) == [{"n": 1}, {"n": 3}]
    assert lake.first_rows(["rejects/1/", "rejects/2/"], 9, odd) == [{"n": 1}, {"n": 3}, {"n": 5}]


def test_rows_come_as_they_are_asked_for_and_a_file_that_goes_meanwhile_is_passed_over(lake: Lake) -> None:
    put_lines(lake, "rejects/a.json", {"n": 1})
    put_lines(lake, "rejects/b.json", {"n": 2})
    put_lines(lake, "rejects/c.json", {"n": 3})

    rows = lake.rows("rejects/")
    first = next(rows)
    lake.remove("rejects/b.json")

    assert [first, *rows] == [{"n": 1}, {"n": 3}]


def test_what_stands_below_a_prefix_is_removed_and_counted(lake: Lake) -> None:
    for n in range(3):
        lake.put_bytes(f"old/{n}", b"x")
    lake.put_bytes("older", b"x")

    assert (lake.remove("old/"), lake.remove("old/")) == (3, 0)
    found = make_client(get_settings(), "s3").list_objects_v2(Bucket=lake.bucket)["Contents"]
    assert [it["Key"] for it in found] == ["older"]


def test_another_bucket_is_reached_the_same_way(lake: Lake) -> None:
    landing = lake.with_bucket(get_settings().landing_bucket)
    landing.put_bytes("shipments/typed", b"x")

    assert (landing.remove("shipments/typed"), lake.remove("shipments/typed")) == (1, 0)
    assert landing.aws == lake.aws
