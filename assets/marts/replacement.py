"""How days of a mart are replaced by what the mart's query says of them now."""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Any

from airline_platform.settings import get_settings
from assets.marts.mart import Mart
from assets.marts.thresholds import DELAYED_MINUTES
from resources.warehouse.session import Session

DELETE_ALL = "DELETE FROM {table}"
DELETE_DAYS = "DELETE FROM {table} WHERE {partition} IN %(days)s"
FIGURES = "SELECT COUNT(*) AS row_count{sums} FROM {table}"
FIGURES_OF_DAYS = """
SELECT {partition} AS day, COUNT(*) AS row_count{sums} FROM {table}
WHERE {partition} IN %(days)s GROUP BY {partition}
"""


def query_of(mart: Mart) -> str:
    """Return the query of a mart, in Redshift's dialect: its table's columns, in their order.

    Raises:
        ValueError: The mart has no query.
    """
    return _query(mart.table.name)


@cache
def _query(name: str) -> str:
    file = resources.files("assets.marts") / "sql" / f"{name}.sql"
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ValueError(
            f"mart {name} has no query; expected the file assets/marts/sql/{name}.sql"
        ) from error


def replace_days(session: Session, mart: Mart, days: Sequence[str] = ()) -> None:
    """Replace days of a mart; the whole of it where it has no days.

    Args:
        session: The transaction, in which no load may be under way; the caller commits it.
        mart: Which one.
        days: ISO days, one at least; not asked for where the mart has none.
    """
    table = mart.table
    delete = DELETE_DAYS if table.partition_column else DELETE_ALL
    values = bound(days)
    session.execute(delete.format(table=table.qualified_name, partition=table.partition_column), values)
    session.execute(insert_of(mart), values)


def insert_of(mart: Mart) -> str:
    """Return the statement that puts what the query says into the mart."""
    columns = ", ".join(mart.table.column_names)
    return f"INSERT INTO {mart.table.qualified_name} ({columns})\n{query_of(mart)}"


def figures_of(session: Session, mart: Mart, days: Sequence[str] = ()) -> dict[str, dict[str, int]]:
    """Add up the figures of a mart's rows by day; under `all` where the mart has no days.

    Returns:
        `row_count` and the mart's figures, 0 for a day without a row.
    """
    names = {
        "table": mart.table.qualified_name,
        "partition": mart.table.partition_column,
        "sums": "".join(f", SUM({name}) AS {name}" for name in mart.figures),
    }
    if not mart.table.partition_column:
        (row,) = session.execute(FIGURES.format(**names))
        return {"all": {name: int(value or 0) for name, value in row.items()}}
    rows = session.execute(FIGURES_OF_DAYS.format(**names), {"days": tuple(days)})
    by_day = {
        str(row["day"]): {name: int(value) for name, value in row.items() if name != "day"} for row in rows
    }
    return {day: by_day.get(day, dict.fromkeys(("row_count", *mart.figures), 0)) for day in days}


def bound(days: Sequence[str]) -> dict[str, Any]:
    """Bind what a mart's query may ask for: which days, and from how many minutes on a delay counts."""
    return {
        "days": tuple(days),
        "delayed": DELAYED_MINUTES,
        "minutes": get_settings().long_delay_minutes,
    }
