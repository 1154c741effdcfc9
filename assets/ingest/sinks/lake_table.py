"""Sink: Parquet in the lake. It was written before the transaction, and Athena has to find all of it."""

from collections.abc import Mapping
from typing import Any, Literal

from dagster import MetadataValue

from airline_platform.contract.sink import LakeTable
from assets.checks import measures
from assets.checks.of_feeds import ROW_COUNT, ROWS_ACCOUNTED
from assets.checks.outcomes import Outcome, outcome_of, require
from assets.description import query_link
from assets.ingest.catalog import place
from assets.ingest.handover import MadeDay
from assets.ingest.sinks.totals import Totals, figures, read_totals, totals_sql
from assets.ingest.sinks.written import Written
from assets.ingest.step import Step
from resources.athena import QueryResult
from resources.warehouse.session import Session

NEW_ROWS_STAND = "The lake has the new rows already, and their files have no verdict"
"""Where a check failed: no transaction holds Parquet, and the catalog shows the days since they were made."""


class LakeTableSink:
    """The table of a step's feed that stays in the lake.

    Args:
        step: The step that settles.
        sink: As declared.
    """

    writes: Literal["inside", "before"] = "before"

    def __init__(self, step: Step, sink: LakeTable) -> None:
        self.step = step
        self.sink = sink

    def prepare(self, made: Mapping[str, MadeDay]) -> None:
        """Ask Athena what the days add up to, and hold what it counts against what the job has written.

        Raises:
            ChecksFailed: They differ: rows are not in the catalog, or are there twice. What is there is what
                people see, because the days were placed before.
        """
        # A retry begins here, and a laptop that was stopped in between has forgotten the days of its tables.
        place(self.step, self.sink.table, made)
        self.answer: QueryResult = self.step.athena.query(totals_sql(self.sink, min(made), max(made)))
        self.totals: dict[str | None, Totals] = read_totals(self.sink, self.answer)
        self.accounted: Outcome = self._account(made)
        require(self.step.feed.last_asset, [self.accounted], stands=NEW_ROWS_STAND)

    def _account(self, made: Mapping[str, MadeDay]) -> Outcome:
        there = {day: self.totals[day].rows if day in self.totals else 0 for day in made}
        rows = {day: it.rows for day, it in made.items()}
        return outcome_of(ROWS_ACCOUNTED, measures.accounts(rows, there, {}))

    def write(self, session: Session, made: Mapping[str, MadeDay]) -> Written:
        """Measure the days, whose Parquet stands already."""
        feed, days = self.step.feed, sorted(made)
        rows = {day: made[day].rows for day in days}
        keys = {key for it in made.values() for key in it.keys}
        standing = measures.standing_rows(session, feed, days, keys)
        return Written(
            rows,
            {ROW_COUNT: measures.row_counts(feed.limits, rows, standing)},
            judged=[self.accounted],
            figures=figures(self.step.feed, self.sink, self.totals, days, self.answer),
            metadata={day: self._metadata(day, len(days)) for day in days},
        )

    def after_commit(self) -> None:
        """Nothing follows: the Parquet stands."""

    def _metadata(self, day: str, days: int) -> dict[str, Any]:
        """What is shown of a day; of so many, each has its share of what the one query has cost."""
        of_day = self.totals.get(day, Totals(0, (0,) * len(self.sink.sums)))
        return {
            **of_day.numbers("", self.step.feed.noun, self.sink.sums),
            **self.totals[None].numbers("all_days_", self.step.feed.noun, self.sink.sums),
            "query": query_link(self.answer.query_id),
            "query_seconds": self.answer.seconds,
            "bytes_scanned": self.answer.bytes_scanned,
            "estimated_cost_usd": self.answer.cost_usd / days,
            "result": MetadataValue.path(self.answer.output),
        }
