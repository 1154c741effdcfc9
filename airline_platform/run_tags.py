"""The names by which jobs and runs are known: of a feed's job, and of the tags of its runs."""

from collections.abc import Mapping

FEED_TAG = "airline/feed"
BACKFILL_TAG = "airline/backfill"
"""Names what the runs of one `airline backfill` or `airline replay` have in common."""

RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


def job_name(feed: str) -> str:
    """Return the name of a feed's job."""
    return f"{feed}_job"


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
