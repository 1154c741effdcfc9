"""Which code made an asset: a hash of what its content depends on besides its sources."""

import hashlib
from functools import cache
from pathlib import Path

import glue_jobs
from airline_platform import contract, files
from airline_platform.contract.feed import Feed


def code_version_of(*parts: str) -> str:
    """Return the code version of an asset, equal in every process as long as all parts are.

    Dagster keeps it with each materialization, and shows the days that another version made as unsynced. It
    starts nothing: the condition of the marts and the report looks at their sources alone, for another query
    would ask for 5,000 days at once. Who wants the days of the past by the new query starts a backfill. Only
    `warehouse_catalog` has itself made anew, which is one crawl.

    Args:
        parts: Texts the content depends on, in a fixed order: queries, column lists, programs, thresholds.
    """
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


@cache
def _programs() -> str:
    """The text of what every Glue job runs, whatever the feed."""
    folders = [Path(next(iter(package.__path__))) for package in (contract, files, glue_jobs)]
    return "".join(path.read_text("utf-8") for folder in folders for path in sorted(folder.rglob("*.py")))


def job_version(feed: Feed) -> str:
    """Return the version of what a feed's Glue jobs make: their programs, and the feed's declaration."""
    return code_version_of(_programs(), repr(feed))
