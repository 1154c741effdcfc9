"""The jobs that sensors and people start: one per feed, from its landed file to its table."""

from collections.abc import Mapping

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSelection,
    DagsterRunStatus,
    RunRequest,
    define_asset_job,
)

from airline_platform.feeds import FEEDS

FEED_TAG = "airline/feed"
BACKFILL_TAG = "airline/backfill"
"""Names what the runs of one `airline backfill` or `airline replay` have in common."""

RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]
"""States of a run that is queued or works."""


def job_name(feed: str) -> str:
    """Return the name of a feed's job."""
    return f"{feed}_job"


FRESHNESS_CHECKS = {
    feed.name: AssetCheckKey(AssetKey(f"raw_{feed.name}"), "landed_in_time")
    for feed in FEEDS.values()
    if feed.daily
}
"""By daily feed, the check whether what should have landed has. No run is for such a day: a schedule asks."""

FRESHNESS_JOB = define_asset_job(
    "freshness_job",
    selection=AssetSelection.checks(*FRESHNESS_CHECKS.values()),
    description="Looks for days whose files should have landed and have not.",
)

FEED_JOBS = {
    feed.name: define_asset_job(
        job_name(feed.name),
        selection=AssetSelection.groups(feed.name) - AssetSelection.checks(*FRESHNESS_CHECKS.values()),
        tags={FEED_TAG: feed.name},
        description=f"From the landed files of {feed.name} to {feed.last_asset}.",
    )
    for feed in FEEDS.values()
}


def request_run(feed: str, run_key: str, days: tuple[str, str] | None = None) -> RunRequest:
    """Return a request for one run of a feed's job, over a range of days where the feed has days.

    Args:
        feed: The feed's name.
        run_key: Dagster starts one run per key, ever.
        days: First and last day, both inclusive.
    """
    return RunRequest(run_key=run_key, job_name=job_name(feed), tags=range_tags(*days) if days else {})


def range_tags(first: str, last: str) -> dict[str, str]:
    """Return the tags by which Dagster knows which days a run takes."""
    if first == last:
        return {"dagster/partition": first}
    return dict(zip(RANGE_TAGS, (first, last), strict=True))


def days_of(tags: Mapping[str, str]) -> tuple[str, str]:
    """Return the first and last day of a run; empty where it has none."""
    day = tags.get("dagster/partition", "")
    first, last = (tags.get(tag, day) for tag in RANGE_TAGS)
    return first, last
