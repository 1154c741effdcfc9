"""What the rows of a lake's table add up to: asked of Athena, and put into words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import LakeTable, Sum
from airline_platform.contract.table import Column
from resources.athena import QueryResult

TOTALS_OF_DAYS = """
SELECT "date" AS day, COUNT(*) AS all_rows, {sums}
FROM {table}
GROUP BY GROUPING SETS (("date"), ())
HAVING "date" IS NULL OR "date" BETWEEN '{first}' AND '{last}'
ORDER BY "date"
"""
"""In Athena's dialect and DuckDB's. The row without a day is over all days; a partition's is never null."""

DAYS_TOLD = 31
"""Days an alert tells one by one."""


@dataclass(frozen=True)
class Totals:
    """What rows add up to.

    Args:
        rows: How many there are.
        sums: Over the columns of `LakeTable.sums`, in their order.
    """

    rows: int
    sums: tuple[Decimal | int, ...]

    def words(self, noun: str, sums: Sequence[Sum]) -> str:
        """Say it in one line."""
        said = [each.words.format(value) for each, value in zip(sums, self.sums, strict=True)]
        return ", ".join([*said, f"{self.rows:,} {noun}"])

    def numbers(self, prefix: str, noun: str, sums: Sequence[Sum]) -> dict[str, float]:
        """Return the figures as Dagster plots them, each name with a prefix."""
        figures = {f"{prefix}{each.name}": float(value) for each, value in zip(sums, self.sums, strict=True)}
        return {f"{prefix}{noun}": self.rows, **figures}


def columns_of(feed: Feed, sink: LakeTable) -> tuple[Column, ...]:
    """The columns of the answer."""
    return (
        Column("day", "string", "Day of the files, YYYY-MM-DD."),
        Column(feed.noun, "bigint", f"How many {feed.noun}."),
        *(Column(each.name, "decimal", each.description) for each in sink.sums),
    )


def totals_sql(sink: LakeTable, first: str, last: str) -> str:
    """The query for the days from the first to the last, ISO, both inclusive, and for all days there are.

    Raises:
        ValueError: That is no day.
    """
    return TOTALS_OF_DAYS.format(
        table=sink.table.name,
        sums=", ".join(f"SUM({each.column}) AS {each.name}" for each in sink.sums),
        first=date.fromisoformat(first),
        last=date.fromisoformat(last),
    )


def read_totals(sink: LakeTable, answer: QueryResult) -> dict[str | None, Totals]:
    """Read the totals by day; those over all days stand under None."""
    return {
        row["day"]: Totals(
            int(row["all_rows"] or 0), tuple(Decimal(row[each.name] or 0) for each in sink.sums)
        )
        for row in answer.rows
    }


def figures(
    feed: Feed,
    sink: LakeTable,
    totals: Mapping[str | None, Totals],
    days: Sequence[str],
    answer: QueryResult,
) -> list[str]:
    """The lines of an alert with what the rows add up to."""
    none = Totals(0, (0,) * len(sink.sums))
    lines = [f"{day}: {totals.get(day, none).words(feed.noun, sink.sums)}" for day in days[:DAYS_TOLD]]
    if len(days) > DAYS_TOLD:
        lines.append(f"… and {len(days) - DAYS_TOLD} more days, in the query's result.")
    return [
        *lines,
        f"All days:   {totals[None].words(feed.noun, sink.sums)}",
        f"Query:      {answer.query_id}",
        f"Scanned:    {answer.bytes_scanned:,} bytes, about {answer.cost_usd:.6f} USD",
        f"Result:     {answer.output}",
    ]
