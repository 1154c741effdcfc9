"""Which runs are under way, and since when they have surely read what landed."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from airline_platform.feeds.shipments import SHIPMENTS
from sensors.under_way import RunUnderWay, runs_under_way

DAY = {"dagster/partition": "2013-01-01"}


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def under_way(instance: DagsterInstance, *runs: DagsterRun) -> list[RunUnderWay]:
    for run in runs:
        instance.add_run(run)
    return runs_under_way(instance)


def test_a_run_takes_the_files_of_its_feed_and_day(instance: DagsterInstance) -> None:
    before = datetime.now(UTC)
    run = DagsterRun("flights_job", status=DagsterRunStatus.STARTING, tags=DAY | {"airline/feed": "flights"})

    (found,) = under_way(instance, run)

    assert (found.feeds, found.first, found.last) == (frozenset({"flights"}), "2013-01-01", "2013-01-01")
    assert before <= found.since <= datetime.now(UTC)


def test_a_backfill_takes_the_feeds_whose_tables_it_loads(instance: DagsterInstance) -> None:
    tables = frozenset({AssetKey("raw_flights"), AssetKey("daily_flights_processed")})
    only_raw = frozenset({AssetKey("raw_flights")})
    loads, reads = (
        DagsterRun("__ASSET_JOB", status=DagsterRunStatus.STARTED, tags=DAY, asset_selection=selection)
        for selection in (tables, only_raw)
    )

    found = under_way(instance, loads, reads)

    assert sorted(run.feeds for run in found) == [frozenset(), frozenset({"flights"})]


@pytest.mark.parametrize("feed", FEEDS.values(), ids=FEEDS)
def test_a_backfill_takes_a_feed_whose_last_asset_it_makes(instance: DagsterInstance, feed: Feed) -> None:
    selection = frozenset({AssetKey(feed.last_asset)})
    run = DagsterRun("__ASSET_JOB", status=DagsterRunStatus.STARTED, tags=DAY, asset_selection=selection)

    (found,) = under_way(instance, run)

    assert found.feeds == frozenset({feed.name})


def test_a_backfill_that_stops_before_the_last_asset_takes_no_feed(instance: DagsterInstance) -> None:
    selection = frozenset({AssetKey(SHIPMENTS.table.name)})
    run = DagsterRun("__ASSET_JOB", status=DagsterRunStatus.STARTED, tags=DAY, asset_selection=selection)

    (found,) = under_way(instance, run)

    assert found.feeds == frozenset()


@pytest.mark.parametrize(
    ("status", "tags", "count"),
    [
        (DagsterRunStatus.SUCCESS, {}, 0),
        (DagsterRunStatus.FAILURE, {}, 0),
        (DagsterRunStatus.FAILURE, {"dagster/will_retry": "true"}, 1),
        (DagsterRunStatus.CANCELED, {}, 0),
    ],
)
def test_an_ended_run_is_under_way_when_its_retry_is_promised(
    instance: DagsterInstance, status: DagsterRunStatus, tags: dict[str, str], count: int
) -> None:
    assert len(under_way(instance, DagsterRun("flights_job", status=status, tags=tags))) == count


def test_a_retry_has_read_what_the_first_run_has_read(instance: DagsterInstance) -> None:
    first = DagsterRun("flights_job", status=DagsterRunStatus.FAILURE, tags=DAY)
    instance.add_run(first)
    between = datetime.now(UTC)
    retry = DagsterRun(
        "flights_job",
        status=DagsterRunStatus.STARTING,
        tags=DAY,
        root_run_id=first.run_id,
        parent_run_id=first.run_id,
    )

    (found,) = under_way(instance, retry)

    assert found.since <= between
