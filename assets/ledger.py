"""The ledger: what became of every landed object version, written with the rows it speaks of."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from airline_platform.tables import INGESTED_FILES
from resources.landing import LandedObject
from resources.warehouse import Session

State = Literal["loaded", "rejected"]

FORGET_SAME_VERSIONS = f"""
DELETE FROM {INGESTED_FILES.qualified_name}
WHERE feed = %(feed)s AND (key || ' ' || etag || ' ' || COALESCE(version_id, '')) IN %(versions)s
"""  # noqa: S608 - our own table's name

SUPERSEDE_OLDER_VERSIONS = f"""
UPDATE {INGESTED_FILES.qualified_name} SET state = 'superseded'
WHERE feed = %(feed)s AND key IN %(keys)s AND state <> 'superseded'
"""  # noqa: S608

KNOWN_VERSIONS = f"""
SELECT key, etag FROM {INGESTED_FILES.qualified_name}
WHERE feed = %(feed)s AND key IN %(keys)s AND state IN ('loaded', 'rejected')
"""  # noqa: S608


def entry(
    landed: LandedObject,
    *,
    feed: str,
    run_id: str,
    state: State,
    rows_read: int | None = None,
    rows_loaded: int | None = None,
    rows_rejected: int | None = None,
    glue_job_run_id: str | None = None,
) -> dict[str, Any]:
    """One ledger row for a landed object version, now."""
    return {
        "feed": feed,
        "partition_date": landed.day,
        "bucket": landed.bucket,
        "key": landed.key,
        "version_id": landed.version_id,
        "etag": landed.etag,
        "size_bytes": landed.size,
        "rows_read": rows_read,
        "rows_loaded": rows_loaded,
        "rows_rejected": rows_rejected,
        "state": state,
        "reason": landed.refused,
        "run_id": run_id,
        "glue_job_run_id": glue_job_run_id,
        "landed_at": landed.landed_at,
        "loaded_at": datetime.now(UTC),
    }


def record(session: Session, entries: Sequence[dict[str, Any]]) -> None:
    """Write entries of one feed; a version that was recorded before is replaced.

    A loaded version supersedes the older ones of its key. A rejected one does not: their rows still stand.
    """
    if not entries:
        return
    feed = entries[0]["feed"]
    versions = tuple(f"{row['key']} {row['etag']} {row['version_id'] or ''}" for row in entries)
    session.execute(FORGET_SAME_VERSIONS, {"feed": feed, "versions": versions})
    if loaded := tuple(row["key"] for row in entries if row["state"] == "loaded"):
        session.execute(SUPERSEDE_OLDER_VERSIONS, {"feed": feed, "keys": loaded})
    session.insert(INGESTED_FILES, entries)
