"""A day is settled only from the very versions its run has read; the sink follows from the declaration."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.ingest.handover import LeftOut, MadeDay, RowCount
from assets.ingest.settle import not_settled, overwritten_days, refusals_of, sink_of
from assets.ingest.sinks.dimension import DimensionSink
from assets.ingest.sinks.fact_table import FactTableSink
from assets.ingest.sinks.lake_table import LakeTableSink
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject, Version

AT = datetime(2013, 1, 2, tzinfo=UTC)


def read(key: str) -> LandedObject:
    return LandedObject("landing", key, "2013-01-01", "e1", 1, AT, "v1")


def there(key: str, etag: str = "e1", version_id: str = "v1") -> Version:
    return Version(key, "2013-01-01", etag, version_id, 1, AT, current=True)


@pytest.mark.parametrize(
    ("feed", "sink", "writes"),
    [
        (FLIGHTS, FactTableSink, "inside"),
        (AIRPORTS, DimensionSink, "inside"),
        (SHIPMENTS, LakeTableSink, "before"),
    ],
)
def test_what_a_feed_becomes_says_who_writes_it_and_where_the_write_stands(
    feed: Feed, sink: type[Any], writes: str
) -> None:
    found = sink_of(Step(cast("Any", None), feed))

    assert type(found) is sink
    assert found.writes == writes


def test_only_the_day_of_the_overwritten_file_is_refused() -> None:
    days = {
        "2013-01-01": MadeDay("jr", (), ((read("a"), RowCount(1, 1, 0)),)),
        "2013-01-02": MadeDay("jr", (), ((read("b"), RowCount(1, 1, 0)),)),
    }

    refused = overwritten_days(days, [there("a", "e9", "v9"), there("b")])

    assert list(refused) == ["2013-01-01"]
    assert "a was overwritten while its run worked" in refused["2013-01-01"]


def test_where_nothing_was_overwritten_no_day_is_refused() -> None:
    days = {"2013-01-01": MadeDay("jr", (), ((read("a"), RowCount(1, 1, 0)),))}

    assert overwritten_days(days, [there("a"), there("z", "e9", "v9")]) == {}


def test_all_files_of_a_refused_day_are_refused_for_its_reason_with_what_was_read() -> None:
    made = MadeDay("jr", (), ((read("a"), RowCount(3, 2, 1)), (read("b"), RowCount(5, 5, 0))))

    refusals = refusals_of(made, "too few rows")

    assert [(it.file.key, it.file.refused, it.rows, it.glue_job_run_id) for it in refusals] == [
        ("a", "too few rows", 3, "jr"),
        ("b", "too few rows", 5, "jr"),
    ]


def test_people_know_already_of_what_was_refused_and_not_of_what_was_overwritten() -> None:
    refused = not_settled(LeftOut({}, {"2013-01-02": "too few rows"}))
    overwritten = not_settled(LeftOut({"2013-01-01": "a was overwritten"}, {"2013-01-02": "too few rows"}))

    assert refused.alerted
    assert not overwritten.alerted
    assert str(overwritten).startswith(
        "2013-01-01: a was overwritten; 2013-01-02: too few rows. Not loaded, the old rows stand\n"
    )


def test_a_day_that_the_lake_has_already_is_not_said_to_keep_its_old_rows() -> None:
    days = {"2013-01-01": "the job fails over it", "2013-01-02": "the warehouse refused its rows"}

    one = not_settled(LeftOut({}, {"2013-01-02": days["2013-01-02"]}), written=["2013-01-02"])
    both = not_settled(LeftOut({}, days), written=["2013-01-02"])

    new = "but of 2013-01-02 the lake has the new rows already"
    assert f"refused its rows. Not loaded, {new}\n" in str(one)
    assert f"refused its rows. Not loaded, the old rows stand, {new}\n" in str(both)
