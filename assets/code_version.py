"""What an asset's content depends on besides its sources; when it changes, Dagster shows it unsynced."""

import hashlib
from functools import cache

from airline_platform.contract.feed import Feed


def code_version_of(*parts: str) -> str:
    """Return a hash of texts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@cache
def job_version(feed: Feed) -> str:
    """Return the version of a feed's jobs."""
    return code_version_of(feed.name)
