"""What shipments add up to: asked of Athena, held against what was written, and put into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from airline_platform.contract.table import Column
from airline_platform.errors import LoadRefused
from airline_platform.feeds.shipments import SHIPMENTS
from assets.checks import measures, rules
from assets.checks.rules import Outcome
from assets.ingest.loading import MadeDay
from resources.athena import QueryResult

TOTALS_OF_DAYS = """
SELECT "date" AS day, COUNT(*) AS shipments, SUM(shipping_cost) AS total_cost,
    SUM(shipping_distance) AS total_distance, SUM(quantity) AS total_quantity
FROM shipments_normalized
GROUP BY GROUPING SETS (("date"), ())
HAVING "date" IS NULL OR "date" BETWEEN '{first}' AND '{last}'
ORDER BY "date"
"""
"""In Athena's dialect and DuckDB's. The row without a day is over all days; a partition's is never null."""

TOTALS_COLUMNS = (
    Column("day", "string", "Day of the files, YYYY-MM-DD."),
    Column("shipments", "bigint", "How many shipments."),
    Column("total_cost", "decimal", "What they cost, in US dollars."),
    Column("total_distance", "decimal", "How far they go, in kilometres."),
    Column("total_quantity", "decimal", "How much is shipped, in units of the products."),
)
TOTALS_MADE_OF = {
    "day": "file_date",
    "total_cost": "shipping_cost",
    "total_distance": "shipping_distance",
    "total_quantity": "quantity",
}
"""Column of the shipments, by the column that is made of it."""

DAYS_TOLD = 31
"""Days an alert tells one by one."""


@dataclass(frozen=True)
class Totals:
    """What shipments add up to: US dollars, kilometres, units of the products."""

    shipments: int
    cost: Decimal
    distance: Decimal
    quantity: Decimal

    def __str__(self) -> str:
        """For people."""
        return (
            f"cost {self.cost:,.2f} USD, distance {self.distance:,.1f} km, quantity {self.quantity:,.3f}, "
            f"{self.shipments:,} shipments"
        )


NONE = Totals(0, Decimal(0), Decimal(0), Decimal(0))
"""Of a day without shipments, of which the query says nothing."""


def totals_sql(first: str, last: str) -> str:
    """The query for the days from the first to the last, ISO, both inclusive, and for all days there are.

    Raises:
        ValueError: That is no day.
    """
    return TOTALS_OF_DAYS.format(first=date.fromisoformat(first), last=date.fromisoformat(last))


def read_totals(answer: QueryResult) -> dict[str | None, Totals]:
    """The totals by day; those over all days under None."""
    return {
        row["day"]: Totals(
            int(row["shipments"] or 0),
            Decimal(row["total_cost"] or 0),
            Decimal(row["total_distance"] or 0),
            Decimal(row["total_quantity"] or 0),
        )
        for row in answer.rows
    }


def judge_accounts(totals: Mapping[str | None, Totals], done: Mapping[str, MadeDay]) -> Outcome:
    """Judge whether days' rows are all accounted for: read, rejected, written, and counted by the query."""
    there = {day: totals[day].shipments if day in totals else 0 for day in done}
    rows = {day: it.rows for day, it in done.items()}
    return rules.ROWS_ACCOUNTED.judge(measures.accounts(rows, there, {}))


def compare(totals: Mapping[str | None, Totals], done: Mapping[str, MadeDay]) -> None:
    """Hold what the query has counted against what the job has written.

    Raises:
        LoadRefused: They differ: rows are not in the catalog, or are there twice.
    """
    written = {day: it.rows["rows_loaded"] for day, it in done.items()}
    counted = {day: totals[day].shipments if day in totals else 0 for day in done}
    if counted != written:
        differing = {day: (written[day], counted[day]) for day in done if written[day] != counted[day]}
        raise LoadRefused(
            f"expected as many rows in {SHIPMENTS.table.name} as the job wrote, and Athena counts others, "
            f"by day: {differing}",
            remedy="Materialize shipments_normalized for these days again, and what follows from it.",
        )


def figures(totals: Mapping[str | None, Totals], days: Sequence[str], answer: QueryResult) -> list[str]:
    """The lines of an alert with what the shipments add up to."""
    lines = [f"{day}: {totals.get(day, NONE)}" for day in days[:DAYS_TOLD]]
    if len(days) > DAYS_TOLD:
        lines.append(f"… and {len(days) - DAYS_TOLD} more days, in the query's result.")
    return [
        *lines,
        f"All days:   {totals[None]}",
        f"Query:      {answer.query_id}",
        f"Scanned:    {answer.bytes_scanned:,} bytes, about {answer.cost_usd:.6f} USD",
        f"Result:     {answer.output}",
    ]


def numbers(prefix: str, totals: Totals) -> dict[str, float]:
    """Totals as Dagster plots them, each name with a prefix."""
    return {
        f"{prefix}shipments": totals.shipments,
        f"{prefix}total_cost": float(totals.cost),
        f"{prefix}total_distance": float(totals.distance),
        f"{prefix}total_quantity": float(totals.quantity),
    }
