"""Landed files that were deleted: their rows stay, the ledger says so, and people are told once."""

from collections.abc import Collection

from airline_platform.errors import WrongCall
from airline_platform.feeds import FEEDS
from airline_platform.tables import INGESTED_FILES
from assets import ledger, newest
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


STANDING_KEY = f"SELECT feed, partition_date FROM {_TABLE} WHERE key = %(key)s AND state = 'loaded'"  # noqa: S608
FORGET = f"""
UPDATE {_TABLE} SET state = 'superseded', reason = %(reason)s WHERE key = %(key)s AND state = 'loaded'
"""  # noqa: S608
EMPTY_DAY = "DELETE FROM {table} WHERE {partition} = %(day)s"


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


def forget(key: str, landing: Landing, warehouse: Warehouse) -> str:
    """Let go of the rows of a file that was deleted on purpose; return what is left to do.

    A day all of whose files are forgotten is emptied at once; another one is without these rows when it is
    loaded the next time.

    Raises:
        WrongCall: The file is still there, or no row came from it.
    """
    if landing.exists(key):
        raise WrongCall(f"{key} is still there", remedy="Delete it first, if its rows are to go.")
    with warehouse.transaction() as session:
        session.wait_for_turn()
        row = next(iter(session.execute(STANDING_KEY, {"key": key})), None)
        if row is None:
            raise WrongCall(
                f"the ledger has no loaded file {key}",
                remedy='Ask which there are: `airline query "SELECT key FROM airlines.ingested_files"`.',
            )
        session.execute(FORGET, {"key": key, "reason": "forgotten: its source was deleted on purpose"})
        feed, day = FEEDS[row["feed"]], row["partition_date"]
        if not feed.daily:
            return f"The next load of {feed.name} is without its rows."
        days = {"feed": feed.name, "days": (str(day),)}
        if session.execute(ledger.STANDING_OF_DAYS, days):
            return f"Load the rest of the day anew: `airline backfill {feed.name} --from {day} --to {day}`."
        table = feed.table
        statement = EMPTY_DAY.format(table=table.qualified_name, partition=table.partition_column)
        with newest.following(session, feed, (str(day),)):
            emptied = session.change(statement, {"day": day})
        return f"{emptied:,} rows of {day} are gone."


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
        "key again. To let its rows go: `airline forget 'KEY'`.",
    ]
    return Alert("gone", f"The source of {len(files)} loaded file(s) is gone", lines, about=list(about))
