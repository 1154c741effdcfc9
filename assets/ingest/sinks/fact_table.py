"""Sink: a fact table, whose days are replaced, each as a whole, inside the transaction."""

from collections.abc import Mapping, Sequence
from typing import Literal

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import FactTable
from airline_platform.contract.table import SOURCE_FILE, SOURCE_LINE
from airline_platform.errors import InputReplaced, LoadRefused
from assets.checks import measures
from assets.ingest import drift
from assets.ingest.handover import MadeDay
from assets.ingest.sinks import latest_rows
from assets.ingest.sinks.lookups import fill_in
from assets.ingest.sinks.written import Written
from assets.ingest.step import Step
from resources.lake import Lake
from resources.warehouse.session import Session

DELETE_DAYS = "DELETE FROM {table} WHERE {partition} IN %(days)s"
INSERT_STAGED = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging}"
COUNT_COPIES = """
SELECT {partition} AS day, SUM(copies - 1) AS copies, SUM(GREATEST(telling - 1, 0)) AS telling_copies
FROM (
    SELECT {partition}, COUNT(*) AS copies, COUNT({telling}) AS telling
    FROM {staging} GROUP BY {telling_apart} HAVING COUNT(*) > 1
) AS doubled
GROUP BY {partition}
"""


class FactTableSink:
    """The fact table of a step's feed.

    Args:
        step: The step that settles.
    """

    writes: Literal["inside", "before"] = "inside"

    def __init__(self, step: Step) -> None:
        self.step = step

    def prepare(self, made: Mapping[str, MadeDay]) -> None:
        """Nothing is to be done before the transaction."""

    def write(self, session: Session, made: Mapping[str, MadeDay]) -> Written:
        """Copy days into a staging table, count its rows, and replace the days by them.

        Raises:
            InputReplaced: What was staged is not what the job reported; nothing may be committed.
            LoadRefused: Not all of the days have the same columns.
        """
        feed = drift.grown(self.step.feed, evolved_alike(made))
        staging, staged = stage_days(session, self.step.lake, feed, made, self.step.run.run_id)
        return replace_days(session, feed, made, staging, staged.lacking)

    def after_commit(self) -> None:
        """Nothing follows: all of it was in the transaction."""


def evolved_alike(made: Mapping[str, MadeDay]) -> tuple[str, ...]:
    """The columns that the Parquet of all days has besides the declared ones.

    Raises:
        LoadRefused: It differs from day to day, because a column came in between; each alone can be loaded.
    """
    evolved = {it.evolved for it in made.values()}
    if len(evolved) > 1:
        raise LoadRefused(
            f"expected the Parquet of all days to have the same columns, found {sorted(evolved)}",
            remedy="Nothing: the days are loaded apart.",
        )
    return evolved.pop()


def stage_days(
    session: Session, lake: Lake, feed: Feed, made: Mapping[str, MadeDay], run_id: str
) -> tuple[str, measures.Staged]:
    """Copy days into a staging table; return its name, and what is counted of its rows.

    Args:
        session: The transaction.
        lake: Where the days are.
        feed: Whose table they are for.
        made: What the lake holds, by day; all of it may be without a row.
        run_id: The run, whose COPY manifest it is.

    Raises:
        InputReplaced: What was staged is not what the job reported.
    """
    files = [file for it in made.values() for file in it.files]
    manifest = lake.put_run_manifest(run_id, feed.table.name, files) if files else None
    staging = session.stage(feed.table, manifest)
    staged = measures.count_staged(session, feed, staging, made)
    compare(staged.files, made, feed)
    return staging, staged


def compare(staged: Mapping[str, int], made: Mapping[str, MadeDay], feed: Feed) -> None:
    """Hold the rows that are staged against those the job reported, file by file.

    Raises:
        InputReplaced: They differ: another run has replaced the Parquet, or its document was written before.
            No file is to blame; tried again, the step reads what is there now.
    """
    reported = {file.url: rows.loaded for it in made.values() for file, rows in it.landed if rows.loaded}
    if staged != reported:
        differing = {
            url: (reported.get(url, 0), staged.get(url, 0))
            for url in sorted(staged.keys() | reported.keys())
            if staged.get(url) != reported.get(url)
        }
        raise InputReplaced(
            f"{feed.table.name}: the rows the job reported and the rows staged differ, by file: {differing}",
            remedy=f"Materialize {feed.made_asset} again, then this table.",
        )


def replace_days(
    session: Session, feed: Feed, made: Mapping[str, MadeDay], staging: str, lacking: Sequence[str]
) -> Written:
    """Replace days of a fact table by what is staged, before the ledger knows of their files.

    Args:
        session: The transaction; the caller commits it.
        feed: Whose table it is.
        made: What the lake holds, by day; of other days nothing is staged.
        staging: The staging table.
        lacking: Days with rows that look up what a dimension did not have.

    Returns:
        Row counts by day, with `rows_duplicated`: rows that are copies of another one of their day.
    """
    table, sink = feed.table, feed.becomes
    names = {
        "table": table.qualified_name,
        "staging": staging,
        "columns": ", ".join(table.column_names),
        "telling_apart": ", ".join(columns_telling_apart(feed)),
        "partition": table.partition_column,
        "telling": (sink.told_apart_by if isinstance(sink, FactTable) else "") or "*",
    }
    days = {"days": tuple(made)}
    with latest_rows.following(session, feed, tuple(made), staging):
        session.execute(DELETE_DAYS.format(**names), days)
        session.execute(INSERT_STAGED.format(**names))
        session.settle(table)
        if lacking:
            # A dimension's row may have arrived between the job's join and this transaction.
            fill_in(session, feed.lookups, feed.table, tuple(lacking))
    counted = {str(row["day"]): row for row in session.execute(COUNT_COPIES.format(**names))}
    every, telling = (
        {day: int(row[kind]) for day, row in counted.items()} for kind in ("copies", "telling_copies")
    )
    rows = {day: {**it.rows, "rows_duplicated": every.get(day, 0)} for day, it in made.items()}
    keys = {key for it in made.values() for key in it.keys}
    return Written(rows, measures.of_loaded(session, feed, rows, telling, keys))


def columns_telling_apart(feed: Feed) -> list[str]:
    """Columns by which rows of one day differ: what a job looks up by a column is equal where that one is."""
    same = {mine for lookup in feed.lookups for mine, _ in lookup.filled} | {SOURCE_LINE.name}
    if SOURCE_FILE.name not in feed.table.key:
        same.add(SOURCE_FILE.name)  # the same rows under two names are copies
    return [name for name in feed.table.column_names if name not in same]
