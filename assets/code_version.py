"""Which code made an asset: a hash of what its content depends on besides its sources."""

import hashlib


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
