"""Runs that are under way, and which landed files they take: these are not asked for a second time."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dagster import AssetKey, DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from airline_platform.feeds import FEEDS
from airline_platform.files.keys import LandedKey
from airline_platform.jobs import UNFINISHED
from airline_platform.run_tags import FEED_TAG, days_of

RETRY_DELAY = timedelta(minutes=2)
"""How long a failed run may wait for the retry Dagster has promised."""


@dataclass(frozen=True)
class RunUnderWay:
    """A run that is queued, works, or is about to be retried.

    Args:
        feeds: The feeds whose files get their verdict from it.
        first: First day it takes (ISO); empty where it has no days.
        last: The last one.
        since: When it was asked for, or what it retries was: it has read what had landed by then, at least.
    """

    feeds: frozenset[str]
    first: str
    last: str
    since: datetime

    def takes(self, landed: LandedKey, at: datetime | None = None) -> bool:
        """Whether the run takes a file; with a time of landing, whether surely in the version of then."""
        if landed.feed.name not in self.feeds or (at is not None and at >= self.since):
            return False
        return landed.day is None or self.first <= landed.day <= self.last


def runs_under_way(instance: DagsterInstance) -> list[RunUnderWay]:
    """Return the runs that are queued or work, and failed ones whose retry is promised."""
    promised = RunsFilter(
        statuses=[DagsterRunStatus.FAILURE],
        tags={"dagster/will_retry": "true"},
        updated_after=datetime.now(UTC) - RETRY_DELAY,
    )
    records = [
        *instance.get_run_records(RunsFilter(statuses=UNFINISHED)),
        *instance.get_run_records(promised),
    ]
    return [_under_way(record, instance) for record in records]


def _under_way(record: RunRecord, instance: DagsterInstance) -> RunUnderWay:
    run = record.dagster_run
    # A retry begins where the first run failed: what it has read, that one has read.
    first = instance.get_run_record_by_id(run.root_run_id) if run.root_run_id else None
    created = (first or record).create_timestamp
    return RunUnderWay(
        _feeds(run), *days_of(run.tags), since=created if created.tzinfo else created.replace(tzinfo=UTC)
    )


def _feeds(run: DagsterRun) -> frozenset[str]:
    selected = run.asset_selection or set()
    chosen = {feed.name for feed in FEEDS.values() if AssetKey(feed.last_asset) in selected}
    return frozenset(chosen | {run.tags[FEED_TAG]} if FEED_TAG in run.tags else chosen)
