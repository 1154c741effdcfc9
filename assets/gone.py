"""Landed files that were deleted: their rows stay, the ledger says so, and people are told once."""

from collections.abc import Collection

from airline_platform.tables import INGESTED_FILES
from resources import outbox
from resources.landing import Landing
from resources.notifier import Alert
from resources.warehouse import Warehouse

_TABLE = INGESTED_FILES.qualified_name

SOURCE_GONE = "the source is gone from the landing bucket; its rows stay"

STANDING = f"""
SELECT feed, key, etag, partition_date, loaded_at FROM {_TABLE}
WHERE key IN %(keys)s AND state = 'loaded' AND reason IS NULL ORDER BY key
"""  # noqa: S608 - our own table's name
MARK = f"""
UPDATE {_TABLE} SET reason = %(reason)s WHERE key IN %(keys)s AND state = 'loaded' AND reason IS NULL
"""  # noqa: S608


def note_gone(keys: Collection[str], landing: Landing, warehouse: Warehouse) -> list[str]:
    """Write down, and into the outbox, which of the keys are gone while their rows stand; return those.

    Args:
        keys: Suspects: an event said so, or a listing lacked them. One that is there again is left alone.
        landing: Asked whether they are there.
        warehouse: Whose ledger says whether their rows stand, and are not told of yet.
    """
    gone = tuple(key for key in keys if not landing.exists(key))
    if not gone:
        return []
    with warehouse.transaction() as session:
        session.wait_for_turn()
        rows = session.execute(STANDING, {"keys": gone})
        if rows:
            session.execute(MARK, {"keys": gone, "reason": SOURCE_GONE})
            files = [f"{row['key']} ({row['feed']} {row['partition_date'] or ''})" for row in rows]
            about = [f"{row['key']} {row['etag']} {row['loaded_at']:%Y-%m-%dT%H:%M:%S.%f}" for row in rows]
            outbox.put(session, [gone_alert(files, about)])
    return [row["key"] for row in rows]


def gone_alert(files: Collection[str], about: Collection[str]) -> Alert:
    """Sources of loaded rows are gone.

    Args:
        files: What people call them.
        about: Which loads of them.
    """
    lines = [
        *list(files)[:100],
        "",
        "Their rows stay in the warehouse, and their days can't be loaded anew without them.",
        "What to do: nothing, if that is as it should be. To load such a day again, land the file under its",
        "key again. To let its rows go: `airline forget KEY`.",
    ]
    return Alert("gone", f"The source of {len(files)} loaded file(s) is gone", lines, about=list(about))
