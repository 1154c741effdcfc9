"""The jobs that sensors and people start: one per feed, from its landed file to its table."""

from dagster import (
    AssetCheckKey,
    AssetKey,
    AssetSelection,
    DagsterRunStatus,
    RunRequest,
    define_asset_job,
)

from airline_platform.feeds import FEEDS
from airline_platform.run_tags import FEED_TAG, job_name, range_tags

UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]
"""States of a run that is queued or works."""

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
