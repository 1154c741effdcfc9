"""A load that does not add up is refused, and rows are told apart by what is theirs."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.errors import InputReplaced, LoadRefused
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.handover import MadeDay, RowCount
from assets.ingest.sinks.fact_table import columns_telling_apart, compare, evolved_alike
from resources.acceptance.landed import LandedObject

AT = datetime(2013, 1, 2, tzinfo=UTC)


def landed() -> LandedObject:
    return LandedObject("airline-landing", "daily_flights/2013-01-01.csv", "2013-01-01", "e", 1, AT)


def enriched(read: int, loaded: int) -> MadeDay:
    return MadeDay("jr_1", (), ((landed(), RowCount(read, loaded, read - loaded)),))


def test_staged_rows_that_are_the_jobs_rows_are_not_refused() -> None:
    compare({landed().url: 840}, {"2013-01-01": enriched(842, 840)}, FLIGHTS)


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
    with pytest.raises(InputReplaced) as refused:
        compare(staged, {"2013-01-01": enriched(842, 840)}, FLIGHTS)

    assert difference in str(refused.value)
    assert "What to do: Materialize flights_enriched" in str(refused.value)


def test_a_file_without_a_good_row_needs_no_staged_row() -> None:
    compare({}, {"2013-01-01": enriched(3, 0)}, FLIGHTS)


@pytest.mark.parametrize("feed", [FLIGHTS, BOOKINGS], ids=lambda feed: feed.name)
def test_what_a_job_looks_up_by_a_column_tells_no_rows_apart(feed: Feed) -> None:
    apart = columns_telling_apart(feed)

    names = {f"{side}_{what}" for side in ("dep", "arr") for what in ("airport", "city", "state")}
    provenance = {"source_line"} if feed.latest else {"source_file", "source_line"}
    assert set(feed.table.column_names) - set(apart) == names | provenance
    assert {lookup.key for lookup in feed.lookups} <= set(apart)


def test_days_whose_parquet_has_other_columns_are_loaded_apart() -> None:
    day = enriched(2, 1)

    assert evolved_alike({"2013-01-01": day, "2013-01-02": day}) == ()
    assert evolved_alike({"2013-01-01": replace(day, evolved=("gate",))}) == ("gate",)
    with pytest.raises(LoadRefused, match="the same columns, found"):
        evolved_alike({"2013-01-01": day, "2013-01-02": replace(day, evolved=("gate",))})
