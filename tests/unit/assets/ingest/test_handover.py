"""What one asset hands to the next survives its trip through the lake, and no earlier run's is read."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from airline_platform.contract.feed import WHOLE
from airline_platform.errors import UnusableInput
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.handover import LeftOut, MadeDay, RowCount, get_landed, get_made, put_landed, put_made
from resources.acceptance.landed import LandedObject
from resources.lake import Lake

FIRST, SECOND, THIRD = "2013-01-01", "2013-01-02", "2013-01-03"


@dataclass
class Documents:
    """A lake that keeps documents as JSON, by asset and day."""

    kept: dict[tuple[str, str], str] = field(default_factory=dict)

    def put_manifests(self, asset: str, documents: Mapping[str, Any]) -> None:
        self.kept |= {(asset, day): json.dumps(document) for day, document in documents.items()}

    def get_manifests(self, asset: str, days: Sequence[str]) -> dict[str, Any]:
        return {day: json.loads(self.kept[asset, day]) for day in days if (asset, day) in self.kept}

    readable_manifests = get_manifests


@pytest.fixture
def lake() -> Lake:
    return cast("Lake", Documents())


def landed(key: str = "daily_flights/2013-01-01.csv", *, refused: str | None = None) -> LandedObject:
    return LandedObject(
        bucket="airline-landing",
        key=key,
        day="2013-01-01",
        etag="d41d8cd9",
        size=1234,
        landed_at=datetime(2013, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        version_id="v1",
        header=FLIGHTS.header,
        columns=tuple(column.name for column in FLIGHTS.columns),
        refused=refused,
    )


def enriched(read: int, loaded: int) -> MadeDay:
    files = ({"url": "s3://lake/x.parquet", "mandatory": True, "meta": {"content_length": 9}},)
    return MadeDay("jr_1", files, ((landed(), RowCount(read, loaded, read - loaded)),))


def test_an_enriched_day_comes_back_from_json_as_it_went() -> None:
    day = enriched(842, 840)

    assert MadeDay.from_json(json.loads(json.dumps(day.as_json()))) == day


def test_a_days_rows_are_the_sum_of_its_files() -> None:
    files = ((landed("a"), RowCount(10, 8, 2, repeated=1)), (landed("b"), RowCount(5, 5, 0)))

    assert MadeDay("jr_1", (), files).rows == {
        "rows_read": 15,
        "rows_loaded": 13,
        "rows_rejected": 2,
        "rows_repeated": 1,
    }


def test_the_counts_of_a_day_keep_columns_that_it_has_besides_and_files_it_came_from() -> None:
    day = MadeDay("jr_1", (), ((landed("a"), RowCount(1, 1, 0)), (landed("b"), RowCount(1, 1, 0))), ("gate",))

    assert day.keys == {"a", "b"}
    assert MadeDay.from_json(json.loads(json.dumps(day.as_json()))).evolved == ("gate",)


def test_a_day_that_was_written_before_columns_could_evolve_has_none() -> None:
    document = enriched(2, 1).as_json()
    del document["evolved"]

    assert MadeDay.from_json(json.loads(json.dumps(document))) == enriched(2, 1)


def test_accepted_files_are_read_as_they_were_written_and_other_days_are_left_out(lake: Lake) -> None:
    put_landed(lake, FLIGHTS, {FIRST: [landed("a"), landed("b")], SECOND: []}, began=datetime.now(UTC))

    found = get_landed(lake, FLIGHTS, [FIRST, SECOND, THIRD])

    assert found == {FIRST: [landed("a"), landed("b")], SECOND: []}
    assert get_landed(lake, AIRPORTS, [WHOLE]) == {}


def test_a_manifest_of_an_older_version_is_no_reason_to_refuse_its_files(lake: Lake) -> None:
    listed = landed().as_json()
    del listed["rows"]
    lake.put_manifests("raw_flights", {FIRST: [landed().as_json(), listed]})

    with pytest.raises(UnusableInput, match="an older version of raw_flights") as refused:
        get_landed(lake, FLIGHTS, [FIRST])

    assert "Materialize raw_flights" in refused.value.remedy


def test_what_was_made_comes_back_with_why_nothing_was_made_of_the_others(lake: Lake) -> None:
    left_out = LeftOut({SECOND: "overwritten"}, {THIRD: "refused"})
    put_made(lake, "flights_enriched", [FIRST, SECOND, THIRD], {FIRST: enriched(2, 1)}, left_out)

    made, others = get_made(lake, "flights_enriched", [FIRST, SECOND, THIRD])

    assert made == {FIRST: enriched(2, 1)}
    assert others == left_out
    assert get_made(lake, "flights_enriched", ["2013-01-09"]) == ({}, LeftOut({}, {}))


def test_what_an_earlier_run_made_of_a_day_is_not_taken_for_this_ones_work(lake: Lake) -> None:
    days = [FIRST, SECOND]
    put_made(lake, "flights_enriched", days, dict.fromkeys(days, enriched(2, 1)), LeftOut({}, {}))
    put_made(lake, "flights_enriched", days, {FIRST: enriched(3, 1)})

    made, others = get_made(lake, "flights_enriched", days)

    assert made == {FIRST: enriched(3, 1)}
    assert not others


def test_a_day_without_a_file_was_not_made(lake: Lake) -> None:
    put_made(lake, "flights_enriched", [FIRST], {FIRST: MadeDay("", (), ())})

    assert get_made(lake, "flights_enriched", [FIRST]) == ({}, LeftOut({}, {}))


def test_days_that_were_left_out_by_two_steps_are_left_out_together() -> None:
    first, then = LeftOut({FIRST: "a"}, {}), LeftOut({}, {SECOND: "b"})

    assert first.with_others(then) == LeftOut({FIRST: "a"}, {SECOND: "b"})
    assert first
    assert not LeftOut({}, {})


def later(day: int = 3) -> LandedObject:
    return replace(landed("later"), landed_at=datetime(2013, 1, day, tzinfo=UTC))


def test_a_listing_of_two_runs_is_the_one_that_began_later_whoever_writes_last(lake: Lake) -> None:
    began = datetime(2013, 1, 3, 0, 0, 0, 900_000, tzinfo=UTC)  # S3 tells whole seconds
    put_landed(lake, FLIGHTS, {FIRST: [landed("a"), later()]}, began=datetime(2013, 1, 4, tzinfo=UTC))

    written = put_landed(
        lake, FLIGHTS, {FIRST: [landed("a")], SECOND: []}, began=began, listed=[landed("a").tag]
    )

    assert written == {FIRST: [landed("a"), later()], SECOND: []}
    assert get_landed(lake, FLIGHTS, [FIRST, SECOND]) == written


def test_a_listing_replaces_an_earlier_one_whose_file_is_gone_or_refused_by_now(lake: Lake) -> None:
    put_landed(lake, FLIGHTS, {FIRST: [later(2), later(3)]}, began=datetime(2013, 1, 4, tzinfo=UTC))
    began = datetime(2013, 1, 3, tzinfo=UTC)

    put_landed(lake, FLIGHTS, {FIRST: []}, began=began, listed=[later(3).tag])

    assert get_landed(lake, FLIGHTS, [FIRST]) == {FIRST: []}


def test_what_was_made_of_a_later_listing_stays_whoever_writes_last(lake: Lake) -> None:
    days = [FIRST, SECOND, THIRD]
    b = replace(enriched(9, 9), as_of="2013-01-03T00:00:02.000000+00:00")
    put_made(lake, "flights_enriched", [FIRST, SECOND], {FIRST: b, SECOND: b})
    a = replace(enriched(3, 3), as_of="2013-01-03T00:00:01.000000+00:00")

    put_made(lake, "flights_enriched", days, {FIRST: a, THIRD: a}, as_of="2013-01-03T00:00:00.000000+00:00")

    assert get_made(lake, "flights_enriched", days)[0] == {FIRST: b, SECOND: b, THIRD: a}
    put_made(lake, "flights_enriched", days, {}, as_of="2013-01-03T00:00:03.000000+00:00")
    assert get_made(lake, "flights_enriched", days)[0] == {}
