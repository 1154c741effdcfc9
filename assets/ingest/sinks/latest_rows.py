"""Tables with the newest row of each thing: they follow the table of all that files ever said.

What a day's files said may be replaced, or forgotten: then the newest row is another one, or there is none.
So the things a change touches are noted first, and after it their newest rows are found anew, whatever order
the files came in.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import LatestRows
from resources.warehouse.session import Session

TOUCHED = "CREATE TEMP TABLE touched AS SELECT DISTINCT {key} FROM {history} WHERE {partition} IN %(days)s"
TOUCHED_TOO = "INSERT INTO touched ({key}) SELECT DISTINCT {key} FROM {staging}"
NEWEST = """
CREATE TEMP TABLE newest AS SELECT {columns} FROM (
    SELECT {columns}, ROW_NUMBER() OVER (PARTITION BY {key} ORDER BY {order}) AS place
    FROM {history} WHERE {key} IN (SELECT {key} FROM touched)
) AS ranked WHERE place = 1
"""
MERGE = """
MERGE INTO {table} USING newest ON {table_name}.{key} = newest.{key}
WHEN MATCHED THEN UPDATE SET {updates}
WHEN NOT MATCHED THEN INSERT ({columns}) VALUES ({values})
"""
REMOVE = """
DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM touched) AND {key} NOT IN (SELECT {key} FROM newest)
"""
DROP = "DROP TABLE IF EXISTS {temporary}"


@contextmanager
def following(session: Session, feed: Feed, days: tuple[str, ...], staging: str = "") -> Iterator[None]:
    """Keep the newest rows true while days of the feed's table change inside the block.

    Args:
        session: The transaction.
        feed: Whose tables they are; nothing happens for one that has no newest rows.
        days: ISO days that are about to be emptied or replaced.
        staging: Table of what is about to be inserted; empty for nothing.
    """
    if feed.latest is None:
        yield
        return
    names = _names(feed, feed.latest)
    for temporary in ("touched", "newest"):
        session.execute(DROP.format(temporary=temporary))
    session.execute(TOUCHED.format(**names), {"days": days})
    if staging:
        session.execute(TOUCHED_TOO.format(staging=staging, **names))
    yield
    for statement in (NEWEST, MERGE, REMOVE):
        session.execute(statement.format(**names))


def _names(feed: Feed, latest: LatestRows) -> dict[str, str]:
    table = latest.table
    (key,) = table.key
    return {
        "history": feed.table.qualified_name,
        "partition": feed.table.partition_column or "",
        "table": table.qualified_name,
        "table_name": table.name,
        "key": key,
        "columns": ", ".join(table.column_names),
        "values": ", ".join(f"newest.{name}" for name in table.column_names),
        "updates": ", ".join(f"{name} = newest.{name}" for name in table.column_names if name != key),
        "order": ", ".join(f"{name} DESC" for name in latest.order),
    }
