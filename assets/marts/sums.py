"""Whether a mart says what its source says: sums over both, compared in the transaction that makes it."""

from collections.abc import Mapping, Sequence
from typing import Any

from airline_platform.contract.check import Check, Equal
from assets.marts.mart import Mart
from assets.marts.replacement import bound
from resources.warehouse.session import Session

SUMS_MATCH = Check(
    "sums_match",
    "What the mart's rows add up to is what the rows of its source add up to.",
    Equal(),
    "Materialize the mart for these days again; if it stays, its query is wrong: report it.",
    blocking=True,
)
"""The check that every mart has."""

SUMS_OF_MART = "SELECT {sums} FROM {table}"
SUMS_OF_DAYS = """
SELECT {partition} AS day{each}, {sums} FROM {table}
WHERE {partition} IN %(days)s GROUP BY {partition}{each}
"""

SumsByDay = dict[str, dict[str, Any]]
"""By ISO day, empty for a mart without days: sums by their name for people."""


def sums_of_both(
    session: Session, mart: Mart, days: Sequence[str] = ()
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Add up a mart's rows of days, and its source's; all rows where the mart has no days.

    Args:
        session: The transaction that has made the mart anew.
        mart: Which one.
        days: ISO days.

    Returns:
        By day, the mart's sums and those of its source, as `SUMS_MATCH` judges them.
    """
    sums, values = mart.sums, bound(days)
    mine = {name: name for name in sums.alike}
    theirs = {name: column for name, (_, column) in sums.alike.items()}
    of_mart = _by_day(session.execute(query_of_sums(mart), values), mine, sums.of_each)
    of_source = _by_day(session.execute(sums.of_source, values), theirs, sums.of_each)
    return {day: (of_mart.get(day, {}), of_source.get(day, {})) for day in days or [""]}


def query_of_sums(mart: Mart) -> str:
    """Return the query of what a mart's rows add up to."""
    sums, table = mart.sums, mart.table
    added = ", ".join(f"{added} AS {name}" for name, (added, _) in sums.alike.items())
    if not table.partition_column:
        return SUMS_OF_MART.format(sums=added, table=table.qualified_name)
    return SUMS_OF_DAYS.format(
        sums=added,
        table=table.qualified_name,
        partition=table.partition_column,
        each=f", {sums.of_each}" if sums.of_each else "",
    )


def _by_day(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], of_each: str) -> SumsByDay:
    """Sums by day and name, the name followed by the value of the column that takes them apart."""
    sums: SumsByDay = {}
    for row in rows:
        each = f" {row[of_each]}" if of_each else ""
        of_day = sums.setdefault(str(row.get("day", "")), {})
        of_day |= {f"{name}{each}": row[column] or 0 for name, column in columns.items()}
    return sums
