"""Requests for the runs that read what has landed: one for days in a row, named by the landings it is for."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator

from dagster import RunRequest

from airline_platform.days import ranges
from airline_platform.feeds import FEEDS
from airline_platform.jobs import request_run


def request_runs(
    feed: str, landings: Iterable[tuple[str, tuple[str, ...]]], longest: int
) -> Iterator[RunRequest]:
    """Yield a request for each run that reads landings of a feed; none where nothing landed.

    Args:
        feed: The feed's name.
        landings: Day of each (ISO; empty where the feed has none), and what tells it from any other.
        longest: Most days one run takes.
    """
    versions: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for day, landing in landings:
        versions[day].add(landing)
    if not versions:
        return
    if not FEEDS[feed].daily:
        yield request_run(feed, run_key(feed, "", versions[""]))
        return
    for first, last in ranges(versions, longest=longest):
        inside = set().union(*(of_day for day, of_day in versions.items() if first <= day <= last))
        yield request_run(feed, run_key(feed, f"{first}..{last}", inside), (first, last))


def run_key(feed: str, days: str, versions: Iterable[tuple[str, ...]]) -> str:
    """Name a run by the landings it is for, so that a message that comes twice asks for the same run."""
    digest = hashlib.sha256(json.dumps(sorted(versions)).encode()).hexdigest()
    return f"{feed} {days} {digest[:16]}"
