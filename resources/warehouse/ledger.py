"""The ledger: what became of every landed object version, written with the rows it speaks of.

All SQL on `airlines.ingested_files` stands here. What only reads takes a `Reader`, which is a warehouse or a
transaction; what writes takes a transaction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import Any, Literal, Self

from airline_platform.errors import LoadRefused
from airline_platform.files.keys import UNKNOWN
from resources.acceptance.landed import LandedObject, Version, VersionTag
from resources.warehouse.own_tables import INGESTED_FILES
from resources.warehouse.session import Reader, Session

State = Literal["loaded", "rejected", "superseded"]

LONGEST_REASON = 1000
"""Characters of a reason, of which the rest is cut off: 4,000 bytes at most, and the column has 4,096."""

KEYS_A_STATEMENT = 1_000
"""Keys that one statement names: it has 16 MB at most (Redshift), and a key up to 1,024 bytes."""

_TABLE = INGESTED_FILES.qualified_name

_COLUMNS = (
    "feed, partition_date, key, etag, state, reason, rows_read, rows_loaded, rows_rejected, "
    "landed_at, loaded_at"
)
"""Of a `Verdict`."""

FORGET_SAME_VERSIONS = f"""
DELETE FROM {_TABLE}
WHERE key IN %(keys)s AND (
    (feed = %(feed)s AND (key || ' ' || etag || ' ' || COALESCE(version_id, '')) IN %(versions)s)
    OR (feed = %(unknown)s AND feed <> %(feed)s)
)
"""  # noqa: S608 - our own table's name
"""That no feed claims a key is forgotten with it, in whichever version, as soon as a feed gives a verdict."""

SUPERSEDE_OLDER_VERSIONS = f"""
UPDATE {_TABLE} SET state = 'superseded'
WHERE feed = %(feed)s AND key IN %(keys)s AND state IN %(states)s
"""  # noqa: S608

SUPERSEDE_LOADED = f"""
UPDATE {_TABLE} SET state = 'superseded', reason = %(reason)s WHERE key = %(key)s AND state = 'loaded'
"""  # noqa: S608

MARK_SOURCE_DELETED = f"""
UPDATE {_TABLE} SET reason = %(reason)s WHERE key IN %(keys)s AND state = 'loaded' AND reason IS NULL
"""  # noqa: S608

RECORDED_VERSIONS = f"SELECT key, etag, version_id FROM {_TABLE} WHERE feed = %(feed)s AND key IN %(keys)s"  # noqa: S608

KNOWN_VERSIONS = f"""
SELECT key, etag FROM {_TABLE}
WHERE feed = %(feed)s AND key IN %(keys)s AND (state = 'rejected' OR (state = 'loaded' AND reason IS NULL))
"""  # noqa: S608

STATES_OF_KEYS = f"""
SELECT key, etag, state FROM {_TABLE}
WHERE feed = %(feed)s AND key IN %(keys)s AND state IN ('loaded', 'rejected')
"""  # noqa: S608

JUDGED = f"SELECT {_COLUMNS} FROM {_TABLE} WHERE state IN ('loaded', 'rejected')"  # noqa: S608

JUDGED_BETWEEN_KEYS = f"{JUDGED} AND key > %(first)s AND key <= %(last)s"

JUDGED_DAYS = f"""
SELECT DISTINCT feed, partition_date FROM {_TABLE}
WHERE partition_date BETWEEN %(first)s AND %(last)s AND state IN ('loaded', 'rejected')
"""  # noqa: S608

LOADED = f"SELECT {_COLUMNS} FROM {_TABLE} WHERE feed = %(feed)s AND state = 'loaded'"  # noqa: S608

LOADED_OF_DAYS = f"{LOADED} AND partition_date IN %(days)s"

LOADED_OF_KEY = f"SELECT {_COLUMNS} FROM {_TABLE} WHERE key = %(key)s AND state = 'loaded'"  # noqa: S608

ALL_OF_KEYS = f"SELECT {_COLUMNS} FROM {_TABLE} WHERE key IN %(keys)s"  # noqa: S608

LOADED_WITH_SOURCE = f"""
SELECT {_COLUMNS} FROM {_TABLE}
WHERE key IN %(keys)s AND state = 'loaded' AND reason IS NULL ORDER BY key
"""  # noqa: S608

ALL_OF_DAYS = f"""
SELECT {_COLUMNS} FROM {_TABLE}
WHERE feed = %(feed)s AND partition_date IN %(days)s ORDER BY partition_date, key, landed_at
"""  # noqa: S608


def _newest(of_files: str = "", of_newest: str = "") -> str:
    """The query of the newest verdict on each file of a feed, with conditions on all, and on the newest."""
    return f"""
SELECT {_COLUMNS} FROM (
    SELECT {_COLUMNS}, ROW_NUMBER() OVER (PARTITION BY key ORDER BY landed_at DESC, loaded_at DESC) AS place
    FROM {_TABLE}
    WHERE feed = %(feed)s AND state IN ('loaded', 'rejected'){of_files}
) AS newest
WHERE place = 1{of_newest}
ORDER BY partition_date DESC, key
"""  # noqa: S608


_OF_DAY = " AND partition_date = %(day)s"
_WITH_REJECTS = " AND (state = 'rejected' OR rows_rejected > 0)"

NEWEST = _newest()
NEWEST_OF_DAY = _newest(of_files=_OF_DAY)
NEWEST_WITH_REJECTS = _newest(of_newest=_WITH_REJECTS)
NEWEST_OF_DAY_WITH_REJECTS = _newest(of_files=_OF_DAY, of_newest=_WITH_REJECTS)

ROWS_OF_LOADED_DAYS = f"""
SELECT partition_date, SUM(rows_read) AS rows_read, SUM(rows_loaded) AS rows_loaded,
    SUM(rows_rejected) AS rows_rejected
FROM {_TABLE}
WHERE feed = %(feed)s AND state = 'loaded' AND partition_date BETWEEN %(first)s AND %(last)s
GROUP BY partition_date
"""  # noqa: S608

BALANCE = f"""
SELECT feed, state, COUNT(*) AS files, SUM(rows_read) AS rows_read, SUM(rows_loaded) AS rows_loaded,
    SUM(rows_rejected) AS rows_rejected
FROM {_TABLE} GROUP BY feed, state ORDER BY feed, state
"""  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the ledger, as it is written; the table's columns say what each field means.

    Args:
        day: The file's ISO day, column `partition_date`; None for a feed without days.
    """

    feed: str
    day: str | None
    bucket: str
    key: str
    version_id: str | None
    etag: str
    size_bytes: int
    rows_read: int | None
    rows_loaded: int | None
    rows_rejected: int | None
    state: State
    reason: str | None
    run_id: str
    glue_job_run_id: str | None
    landed_at: datetime
    loaded_at: datetime

    @classmethod
    def of(
        cls,
        landed: LandedObject,
        *,
        feed: str,
        run_id: str,
        state: State,
        rows_read: int | None = None,
        rows_loaded: int | None = None,
        rows_rejected: int | None = None,
        glue_job_run_id: str | None = None,
    ) -> Self:
        """Make the row of a landed object version on which the verdict is given now."""
        return cls(
            feed=feed,
            day=landed.day,
            bucket=landed.bucket,
            key=landed.key,
            version_id=landed.version_id,
            etag=landed.etag,
            size_bytes=landed.size,
            rows_read=rows_read,
            rows_loaded=rows_loaded,
            rows_rejected=rows_rejected,
            state=state,
            reason=landed.refused and landed.refused.replace("\0", "")[:LONGEST_REASON],
            run_id=run_id,
            glue_job_run_id=glue_job_run_id,
            landed_at=landed.landed_at,
            loaded_at=datetime.now(UTC),
        )

    @property
    def balanced(self) -> bool:
        """Whether the rows read are the rows loaded plus the rows rejected, where rows were read."""
        return self.rows_read is None or self.rows_read == (self.rows_loaded or 0) + (self.rows_rejected or 0)

    def as_row(self) -> dict[str, Any]:
        """Return a value for each column of the table."""
        row = asdict(self)
        return {"partition_date": row.pop("day"), **row}


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """A verdict says what became of one landed object version.

    Args:
        day: The file's ISO day; None for a feed without days.
        reason: Why the file was rejected; of a loaded one, that its source is deleted by now.
        rows_read: None where the file was refused unread; likewise `rows_loaded` and `rows_rejected`.
        loaded_at: When the verdict was committed.
    """

    feed: str
    day: str | None
    key: str
    etag: str
    state: State
    reason: str | None = None
    rows_read: int | None = None
    rows_loaded: int | None = None
    rows_rejected: int | None = None
    landed_at: datetime
    loaded_at: datetime

    @property
    def tag(self) -> VersionTag:
        """The version on which the verdict is."""
        return VersionTag(self.key, self.etag)

    @property
    def unclaimed(self) -> bool:
        """Whether it says that no feed claims the key, which need not be true any more."""
        return self.feed == UNKNOWN

    @property
    def source_deleted(self) -> bool:
        """Whether the file's rows stand, and the file itself is known to be deleted."""
        return self.state == "loaded" and bool(self.reason)


@dataclass(frozen=True)
class RowTotals:
    """Rows of loaded files: read = loaded + rejected."""

    rows_read: int
    rows_loaded: int
    rows_rejected: int


@dataclass(frozen=True)
class Balance:
    """The files of a feed that are in one state, with their rows; `unaccounted` rows should be none."""

    feed: str
    state: State
    files: int
    rows_read: int
    rows_loaded: int
    rows_rejected: int

    @property
    def unaccounted(self) -> int:
        """Rows that were read, and neither loaded nor rejected."""
        return self.rows_read - self.rows_loaded - self.rows_rejected


def record(session: Session, entries: Sequence[Entry], landed: Sequence[Version] = ()) -> None:
    """Write entries of one feed; a version that was recorded before is replaced.

    A loaded version supersedes the older ones of its key. A rejected one supersedes rejected ones only: the
    rows of a loaded one still stand. Versions that were replaced before they were loaded are superseded, too.
    That no feed claimed a key, before its feed was declared or its day was one to keep, is forgotten.

    Args:
        session: The transaction of the rows the entries speak of.
        entries: What became of each file.
        landed: Every version of the keys that S3 still has.

    Raises:
        LoadRefused: Rows read are not rows loaded plus rejected; the transaction must not commit.
    """
    if not entries:
        return
    if wrong := [entry.key for entry in entries if not entry.balanced]:
        raise LoadRefused(
            f"rows read have to be rows loaded plus rows rejected, and are not in {wrong[:20]}",
            remedy="This is a defect of the platform: keep the files and report it.",
        )
    feed = entries[0].feed
    versions = tuple(f"{entry.key} {entry.etag} {entry.version_id or ''}" for entry in entries)
    keys = tuple(entry.key for entry in entries)
    which = {"feed": feed, "keys": keys, "versions": versions, "unknown": UNKNOWN}
    session.execute(FORGET_SAME_VERSIONS, which)
    for state, older in (("loaded", ("loaded", "rejected")), ("rejected", ("rejected",))):
        if replaced := tuple(entry.key for entry in entries if entry.state == state):
            session.execute(SUPERSEDE_OLDER_VERSIONS, {"feed": feed, "keys": replaced, "states": older})
    _insert(session, entries)
    _insert(session, _never_loaded(session, entries, landed))


def _insert(session: Session, entries: Sequence[Entry]) -> None:
    if entries:
        session.insert(INGESTED_FILES, [entry.as_row() for entry in entries])


def _never_loaded(session: Session, entries: Sequence[Entry], landed: Sequence[Version]) -> list[Entry]:
    """Entries for older versions of the same keys of which the ledger has none."""
    newest = {entry.key: entry for entry in entries if entry.state != "superseded"}
    older = [version for version in landed if version.key in newest and not version.current]
    if not older:
        return []
    asked = {"feed": entries[0].feed, "keys": tuple({version.key for version in older})}
    rows = session.query(RECORDED_VERSIONS, asked)
    recorded = {(row["key"], row["etag"], row["version_id"]) for row in rows}
    return [
        _superseded_unread(newest[version.key], version)
        for version in older
        if (version.key, version.etag, version.version_id) not in recorded
    ]


def _superseded_unread(newer: Entry, version: Version) -> Entry:
    return replace(
        newer,
        version_id=version.version_id,
        etag=version.etag,
        size_bytes=version.size,
        rows_read=None,
        rows_loaded=None,
        rows_rejected=None,
        state="superseded",
        reason="a newer version landed before this one was loaded",
        glue_job_run_id=None,
        landed_at=version.landed_at,
    )


def mark_source_deleted(session: Session, keys: Collection[str], reason: str) -> None:
    """Write to loaded files that their source is deleted; those that say so already keep their reason."""
    if keys:
        session.execute(MARK_SOURCE_DELETED, {"keys": tuple(keys), "reason": reason})


def supersede(session: Session, key: str, reason: str) -> None:
    """Let a loaded file's rows stand no more; the caller removes them in the same transaction."""
    session.execute(SUPERSEDE_LOADED, {"key": key, "reason": reason})


def known_versions(reader: Reader, feed: str, keys: Collection[str]) -> set[VersionTag]:
    """Return the versions of the keys that need no run; one whose source is marked as deleted may."""
    if not keys:
        return set()
    rows = reader.query(KNOWN_VERSIONS, {"feed": feed, "keys": tuple(keys)})
    return {VersionTag(row["key"], row["etag"]) for row in rows}


def states_of(reader: Reader, feed: str, keys: Collection[str]) -> dict[VersionTag, State]:
    """Say of each version of the keys whether it was loaded or rejected; superseded ones are left out."""
    if not keys:
        return {}
    rows = reader.query(STATES_OF_KEYS, {"feed": feed, "keys": tuple(keys)})
    return {VersionTag(row["key"], row["etag"]): row["state"] for row in rows}


def of_days(reader: Reader, feed: str, days: Collection[str]) -> list[Verdict]:
    """Return every verdict on files of ISO days, superseded ones too, by day, key and time of landing."""
    return _verdicts(reader, ALL_OF_DAYS, {"feed": feed, "days": tuple(days)}) if days else []


def loaded_files(reader: Reader, feed: str, days: Collection[str] | None = None) -> list[Verdict]:
    """Return the files whose rows the feed's table holds; where ISO days are given, those of the days."""
    if days is None:
        return _verdicts(reader, LOADED, {"feed": feed})
    return _verdicts(reader, LOADED_OF_DAYS, {"feed": feed, "days": tuple(days)}) if days else []


def loaded_file(reader: Reader, key: str) -> Verdict | None:
    """Return the version of a key whose rows stand; None where none do."""
    return next(iter(_verdicts(reader, LOADED_OF_KEY, {"key": key})), None)


def loaded_with_source(reader: Reader, keys: Collection[str]) -> list[Verdict]:
    """Return the files among the keys whose rows stand and whose source is not known to be deleted."""
    return _verdicts(reader, LOADED_WITH_SOURCE, {"keys": tuple(keys)}) if keys else []


def of_keys(reader: Reader, keys: Sequence[str]) -> list[Verdict]:
    """Every verdict on versions of the keys, superseded ones too; so many keys in a statement."""
    return [
        verdict
        for start in range(0, len(keys), KEYS_A_STATEMENT)
        for verdict in _verdicts(reader, ALL_OF_KEYS, {"keys": tuple(keys[start : start + KEYS_A_STATEMENT])})
    ]


def between(reader: Reader, first: str, last: str) -> list[Verdict]:
    """Return the verdicts on loaded and rejected versions of the keys behind `first`, up to `last`."""
    return _verdicts(reader, JUDGED_BETWEEN_KEYS, {"first": first, "last": last})


def judged(reader: Reader) -> list[Verdict]:
    """Return the verdicts on all loaded and rejected versions of all feeds."""
    return _verdicts(reader, JUDGED, {})


def judged_days(reader: Reader, first: date, last: date) -> dict[str, set[date]]:
    """Return the days from the first to the last that have a loaded or rejected file, by the feed's name."""
    days: dict[str, set[date]] = {}
    for row in reader.query(JUDGED_DAYS, {"first": first, "last": last}):
        days.setdefault(row["feed"], set()).add(row["partition_date"])
    return days


def newest_verdicts(
    reader: Reader, feed: str, day: str | None = None, *, with_rejects: bool = False
) -> list[Verdict]:
    """Return the newest verdict on each file of a feed, newest day first, then by key.

    Args:
        reader: The warehouse, or a transaction.
        feed: The feed's name.
        day: An ISO day; all days, and files without one, where it is left out.
        with_rejects: Only files that were refused, or of which rows were rejected.
    """
    if day:
        sql = NEWEST_OF_DAY_WITH_REJECTS if with_rejects else NEWEST_OF_DAY
    else:
        sql = NEWEST_WITH_REJECTS if with_rejects else NEWEST
    return _verdicts(reader, sql, {"feed": feed, "day": day})


def rows_of_loaded_days(reader: Reader, feed: str, first: date, last: date) -> dict[date, RowTotals]:
    """Add up the rows of the loaded files by day, from the first day to the last."""
    rows = reader.query(ROWS_OF_LOADED_DAYS, {"feed": feed, "first": first, "last": last})
    return {row["partition_date"]: RowTotals(**_row_totals(row)) for row in rows}


def balance(reader: Reader) -> list[Balance]:
    """Add up the whole ledger by feed and state."""
    return [
        Balance(row["feed"], row["state"], row["files"], **_row_totals(row)) for row in reader.query(BALANCE)
    ]


def _row_totals(row: Mapping[str, Any]) -> dict[str, int]:
    return {name: int(row[name] or 0) for name in ("rows_read", "rows_loaded", "rows_rejected")}


def _verdicts(reader: Reader, sql: str, parameters: Mapping[str, Any]) -> list[Verdict]:
    return [_verdict(row) for row in reader.query(sql, parameters)]


def _verdict(row: Mapping[str, Any]) -> Verdict:
    fields = dict(row)
    day = fields.pop("partition_date")
    return Verdict(day=None if day is None else str(day), **fields)
