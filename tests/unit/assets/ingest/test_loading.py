"""What a day was made of survives its trip through the lake, and a load that does not add up is refused."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from assets.ingest.loading import MadeDay, RowCount, _compare, columns_telling_apart, days_with_rejects
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.contract.feed import Feed
from airline_platform.errors import LoadRefused
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from resources.landing import LandedObject
from resources.warehouse import ledger
from resources.warehouse.own_tables import INGESTED_FILES


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


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LANDED = st.builds(
    LandedObject,
    bucket=TEXTS,
    key=TEXTS,
    day=st.none() | st.dates().map(str),
    etag=TEXTS,
    size=st.integers(0),
    landed_at=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])),
    version_id=st.none() | TEXTS,
    header=st.none() | TEXTS,
    columns=st.lists(TEXTS, max_size=5).map(tuple),
    refused=st.none() | TEXTS,
)


@given(LANDED)
def test_any_landed_object_comes_back_from_json_as_it_went(found: LandedObject) -> None:
    assert LandedObject.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_a_days_rows_are_the_sum_of_its_files() -> None:
    files = ((landed("a"), RowCount(10, 8, 2, repeated=1)), (landed("b"), RowCount(5, 5, 0)))

    assert MadeDay("jr_1", (), files).rows == {
        "rows_read": 15,
        "rows_loaded": 13,
        "rows_rejected": 2,
        "rows_repeated": 1,
    }


def test_rows_that_are_only_repeated_are_not_to_be_mended() -> None:
    repeated = MadeDay("jr_1", (), ((landed("a"), RowCount(100, 50, 50, repeated=50)),))

    assert days_with_rejects({"2013-01-01": repeated, "2013-01-02": enriched(100, 99)}) == ["2013-01-02"]


def test_staged_rows_that_are_the_jobs_rows_are_not_refused() -> None:
    _compare({landed().url: 840}, {"2013-01-01": enriched(842, 840)}, FLIGHTS)


@pytest.mark.parametrize(
    ("staged", "difference"),
    [
        ({landed().url: 839}, f"{{'{landed().url}': (840, 839)}}"),
        ({}, f"{{'{landed().url}': (840, 0)}}"),
        ({landed().url: 840, "s3://x/y.csv": 3}, "{'s3://x/y.csv': (0, 3)}"),
    ],
)
def test_staged_rows_that_differ_from_the_jobs_are_refused_file_by_file(
    staged: dict[str, int], difference: str
) -> None:
    with pytest.raises(LoadRefused) as refused:
        _compare(staged, {"2013-01-01": enriched(842, 840)}, FLIGHTS)

    assert difference in str(refused.value)
    assert "What to do: Materialize flights_enriched" in str(refused.value)


def test_a_file_without_a_good_row_needs_no_staged_row() -> None:
    _compare({}, {"2013-01-01": enriched(3, 0)}, FLIGHTS)


@pytest.mark.parametrize("feed", [FLIGHTS, BOOKINGS], ids=lambda feed: feed.name)
def test_what_a_job_looks_up_by_a_column_tells_no_rows_apart(feed: Feed) -> None:
    apart = columns_telling_apart(feed)

    names = {f"{side}_{what}" for side in ("dep", "arr") for what in ("airport", "city", "state")}
    provenance = {"source_line"} if feed.newest else {"source_file", "source_line"}
    assert set(feed.table.column_names) - set(apart) == names | provenance
    assert {lookup.key for lookup in feed.lookups} <= set(apart)


def test_a_ledger_entry_has_a_value_for_every_column_of_the_ledger() -> None:
    before = datetime.now(UTC)
    row = ledger.Entry.of(landed(), feed="flights", run_id="run", state="loaded", rows_read=3).as_row()

    assert row.keys() == set(INGESTED_FILES.column_names)
    assert before <= row["loaded_at"] <= datetime.now(UTC)
    assert (row["partition_date"], row["version_id"], row["rows_read"]) == ("2013-01-01", "v1", 3)


def test_a_refused_files_entry_says_why_and_counts_nothing() -> None:
    entry = ledger.Entry.of(landed(refused="line 1: no"), feed="flights", run_id="run", state="rejected")

    assert (entry.state, entry.reason) == ("rejected", "line 1: no")
    assert (entry.rows_read, entry.rows_loaded, entry.rows_rejected) == (None, None, None)
