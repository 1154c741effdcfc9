"""The ledger: what became of every landed object version, written with the rows it speaks of."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from airline_platform.contract.table import INGESTED_FILES
from airline_platform.errors import LoadRefused
from resources.landing import LandedObject, Version
from resources.warehouse.session import Session

State = Literal["loaded", "rejected", "superseded"]

Entry = dict[str, Any]
"""One row of the ledger."""

_TABLE = INGESTED_FILES.qualified_name

FORGET_SAME_VERSIONS = f"""
DELETE FROM {_TABLE}
WHERE feed = %(feed)s AND key IN %(keys)s
    AND (key || ' ' || etag || ' ' || COALESCE(version_id, '')) IN %(versions)s
"""  # noqa: S608 - our own table's name

SUPERSEDE_OLDER_VERSIONS = f"""
UPDATE {_TABLE} SET state = 'superseded'
WHERE feed = %(feed)s AND key IN %(keys)s AND state IN %(states)s
"""  # noqa: S608

VERSIONS = f"SELECT key, etag, version_id FROM {_TABLE} WHERE feed = %(feed)s AND key IN %(keys)s"  # noqa: S608

KNOWN_VERSIONS = f"""
SELECT key, etag FROM {_TABLE}
WHERE feed = %(feed)s AND key IN %(keys)s AND (state = 'rejected' OR (state = 'loaded' AND reason IS NULL))
"""  # noqa: S608
"""Versions of which nothing is left to do; a loaded one with a reason has lost its source."""

VERDICTS = f"""
SELECT key, etag, state FROM {_TABLE}
WHERE feed = %(feed)s AND key IN %(keys)s AND state IN ('loaded', 'rejected')
"""  # noqa: S608

STANDING = f"""
SELECT partition_date, key, loaded_at FROM {_TABLE} WHERE feed = %(feed)s AND state = 'loaded'
"""  # noqa: S608
"""The files whose rows a table holds."""

STANDING_OF_DAYS = f"{STANDING} AND partition_date IN %(days)s"

OF_DAYS = f"""
SELECT partition_date, key, etag, state, reason, rows_read, rows_loaded, rows_rejected, landed_at, loaded_at
FROM {_TABLE}
WHERE feed = %(feed)s AND partition_date IN %(days)s
ORDER BY partition_date, key, landed_at
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
) -> Entry:
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
        "reason": landed.refused and landed.refused.replace("\0", "")[:1000],
        "run_id": run_id,
        "glue_job_run_id": glue_job_run_id,
        "landed_at": landed.landed_at,
        "loaded_at": datetime.now(UTC),
    }


def record(session: Session, entries: Sequence[Entry], landed: Sequence[Version] = ()) -> None:
    """Write entries of one feed; a version that was recorded before is replaced.

    A loaded version supersedes the older ones of its key. A rejected one supersedes rejected ones only: the
    rows of a loaded one still stand. Versions that were replaced before they were loaded are superseded, too.

    Args:
        session: The transaction of the rows the entries speak of.
        entries: As `entry` makes them.
        landed: Every version of the keys that S3 still has.

    Raises:
        LoadRefused: Rows read are not rows loaded plus rejected; the transaction must not commit.
    """
    if not entries:
        return
    _balance(entries)
    feed = entries[0]["feed"]
    every = tuple(row["key"] for row in entries)
    versions = tuple(f"{row['key']} {row['etag']} {row['version_id'] or ''}" for row in entries)
    session.execute(FORGET_SAME_VERSIONS, {"feed": feed, "keys": every, "versions": versions})
    for state, older in (("loaded", ("loaded", "rejected")), ("rejected", ("rejected",))):
        if keys := tuple(row["key"] for row in entries if row["state"] == state):
            session.execute(SUPERSEDE_OLDER_VERSIONS, {"feed": feed, "keys": keys, "states": older})
    session.insert(INGESTED_FILES, entries)
    if unseen := _unseen(session, entries, landed):
        session.insert(INGESTED_FILES, unseen)


def _balance(entries: Sequence[Entry]) -> None:
    wrong = [
        row["key"]
        for row in entries
        if row["rows_read"] is not None and row["rows_read"] != row["rows_loaded"] + row["rows_rejected"]
    ]
    if wrong:
        raise LoadRefused(
            f"rows read have to be rows loaded plus rows rejected, and are not in {wrong[:20]}",
            remedy="This is a defect of the platform: keep the files and report it.",
        )


def _unseen(session: Session, entries: Sequence[Entry], landed: Sequence[Version]) -> list[Entry]:
    """Rows for older versions of the entries' keys of which the ledger has none."""
    newest = {row["key"]: row for row in entries if row["state"] != "superseded"}
    older = [version for version in landed if version.key in newest and not version.current]
    if not older:
        return []
    keys = {"feed": entries[0]["feed"], "keys": tuple({version.key for version in older})}
    known = {(row["key"], row["etag"], row["version_id"]) for row in session.execute(VERSIONS, keys)}
    return [
        newest[version.key]
        | {
            "version_id": version.version_id,
            "etag": version.etag,
            "size_bytes": version.size,
            "rows_read": None,
            "rows_loaded": None,
            "rows_rejected": None,
            "state": "superseded",
            "reason": "a newer version landed before this one was loaded",
            "glue_job_run_id": None,
            "landed_at": version.landed_at,
        }
        for version in older
        if (version.key, version.etag, version.version_id) not in known
    ]


def table_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Ledger rows as a Markdown table."""
    columns = ("key", "state", "rows_read", "rows_loaded", "rows_rejected", "reason")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows[:50]:
        cells = ("" if row[name] is None else str(row[name])[:200].replace("|", "\\|") for name in columns)
        lines.append("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |")
    return "\n".join(lines)
