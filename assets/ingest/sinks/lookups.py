"""What a dimension knows is filled into rows that lack it: of facts, of latest rows, of marts."""

from collections.abc import Sequence

from airline_platform.contract.sink import Dimension, Lookup
from airline_platform.contract.table import Table
from airline_platform.feeds import FEEDS
from resources.warehouse.session import Session

FILL = """
UPDATE {schema}.{table} SET {filled} FROM {schema}.{dimension}
WHERE {table}.{key} = {dimension}.{its_key} AND {empty}
"""
FILL_DAYS = FILL + " AND {table}.{partition} IN %(days)s"


def fill_in(session: Session, lookups: Sequence[Lookup], table: Table, days: tuple[str, ...] = ()) -> int:
    """Fill what the dimensions know into the rows of a table that lack it; return how many were filled.

    Args:
        session: The transaction.
        lookups: What is looked up.
        table: Whose columns they are.
        days: Only these; all where none is named.
    """
    changed = 0
    for lookup in lookups:
        dimension = FEEDS[lookup.dimension]
        its = dimension.table.name
        statement = (FILL_DAYS if days else FILL).format(
            schema=table.SCHEMA,
            table=table.name,
            dimension=its,
            key=lookup.key,
            its_key=dimension.becomes.key if isinstance(dimension.becomes, Dimension) else "",
            filled=", ".join(f"{mine} = {its}.{theirs}" for mine, theirs in lookup.filled),
            empty=" AND ".join(f"{table.name}.{mine} IS NULL" for mine, _ in lookup.filled),
            partition=table.partition_column,
        )
        changed += session.change(statement, {"days": days})
    return changed


def looking_up(lookups: Sequence[Lookup], dimension: str) -> list[Lookup]:
    """Return those of the lookups that read a dimension, by the name of its feed."""
    return [lookup for lookup in lookups if lookup.dimension == dimension]
