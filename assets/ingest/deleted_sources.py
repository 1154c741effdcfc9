"""Landed files that were deleted: their rows stay, the ledger says so, and people are told once."""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta

from airline_platform.contract.feed import Feed
from airline_platform.errors import WrongCall
from airline_platform.feeds import FEEDS
from airline_platform.settings import get_settings
from assets.ingest.sinks import latest_rows
from assets.marts.declarations import marts_of
from assets.marts.replacement import replace_days
from resources.catalog import parquet_table
from resources.glue import Glue
from resources.lake import Lake
from resources.lake_days import LakeDays
from resources.landing import Landing
from resources.topic import Alert
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse
from resources.warehouse.session import Session

SOURCE_GONE = "the source is gone from the landing bucket; its rows stay"
EXPIRED = "the source has expired after {days} days, as its feed declares; its rows stay"

FORGOTTEN = "forgotten: its source was deleted on purpose"

EMPTY_DAY = "DELETE FROM {table} WHERE {partition} = %(day)s"


def has_expired(feed: Feed | None, landed_at: datetime, *, now: datetime, days: int) -> bool:
    """Whether a file that is gone is gone by design: S3 deletes those of its feed after that many days.

    A day earlier counts, too: S3 counts in whole ones. Its event would tell the cause, and may be lost.

    Args:
        feed: The file's; None for one that is declared no more.
        landed_at: By the ledger.
        now: The present.
        days: `AIRLINE_PEOPLE_DAYS`.
    """
    return feed is not None and feed.expires and now - landed_at >= timedelta(days=days - 1)


def note_gone(keys: Collection[str], landing: Landing, warehouse: Warehouse) -> list[str]:
    """Write down which of the keys are gone while their rows stand, and return those.

    Into the outbox goes what is lost; a file that has expired is no news.

    Args:
        keys: Suspects: an event said so, or a listing lacked them. One that is there again is left alone.
        landing: Asked whether they are there.
        warehouse: Whose ledger says whether their rows stand, and are not told of yet.
    """
    gone = tuple(key for key in keys if not landing.exists(key))
    if not gone:
        return []
    with warehouse.exclusive_transaction() as session:
        files = ledger.loaded_with_source(session, gone)
        now, days = datetime.now(UTC), get_settings().people_days
        expired = {
            file.key
            for file in files
            if has_expired(FEEDS.get(file.feed), file.landed_at, now=now, days=days)
        }
        lost = [file for file in files if file.key not in expired]
        ledger.mark_source_deleted(session, expired, EXPIRED.format(days=days))
        ledger.mark_source_deleted(session, {file.key for file in lost}, SOURCE_GONE)
        if lost:
            names = [f"{file.key} ({file.feed} {file.day or ''})" for file in lost]
            about = [f"{file.key} {file.etag} {file.loaded_at:%Y-%m-%dT%H:%M:%S.%f}" for file in lost]
            outbox.put(session, [gone_alert(names, about)])
    return [file.key for file in files]


def forget(key: str, landing: Landing, warehouse: Warehouse, lake: Lake) -> str:
    """Let go of the rows of a file that was deleted on purpose; return what is left to do.

    A day all of whose files are forgotten is emptied at once; another one is without these rows when it is
    loaded the next time.

    Raises:
        WrongCall: The file is still there, or no row came from it.
    """
    if landing.exists(key):
        raise WrongCall(f"{key} is still there", remedy="Delete it first, if its rows are to go.")
    with warehouse.exclusive_transaction() as session:
        file = ledger.loaded_file(session, key)
        if file is None:
            raise WrongCall(
                f"the ledger has no loaded file {key}",
                remedy='Ask which there are: `airline query "SELECT key FROM airlines.ingested_files"`.',
            )
        ledger.supersede(session, key, FORGOTTEN)
        feed, day = FEEDS[file.feed], file.day
        if day is None:
            return f"The next load of {feed.name} is without its rows."
        if ledger.loaded_files(session, feed.name, (day,)):
            return f"Load the rest of the day anew: `airline backfill {feed.name} --from {day} --to {day}`."
        return _empty_lake_day(lake, feed, day) if feed.typed else _empty_day(session, feed, day)


def _empty_day(session: Session, feed: Feed, day: str) -> str:
    statement = EMPTY_DAY.format(table=feed.table.qualified_name, partition=feed.table.partition_column)
    with latest_rows.following(session, feed, (day,)):
        emptied = session.change(statement, {"day": day})
    for mart in marts_of(feed.table):
        replace_days(session, mart, (day,))
    return f"{emptied:,} rows of {day} are gone."


def _empty_lake_day(lake: Lake, feed: Feed, day: str) -> str:
    """Before the ledger's transaction ends: what fails in between can be asked for again.

    The typed rows in the landing bucket expire by themselves.
    """
    settings = get_settings()
    table = parquet_table(settings, feed, feed.table)
    removed = LakeDays.of(Glue.of(settings), lake, table).empty(day)
    return f"The rows of {day} are gone: {removed:,} objects of {feed.table.name} removed from the lake."


def gone_alert(files: Collection[str], about: Collection[str]) -> Alert:
    """Sources of loaded rows are gone.

    Args:
        files: What people call them.
        about: Which loads of them.
    """
    lines = [
        *list(files)[:100],
        "",
        "Their rows stay, and their days can't be loaded anew without them.",
        "What to do: nothing, if that is as it should be. To load such a day again, land the file under its",
        "key again. To let its rows go: `airline forget 'KEY'`.",
    ]
    return Alert("gone", f"The source of {len(files)} loaded file(s) is gone", lines, about=list(about))
