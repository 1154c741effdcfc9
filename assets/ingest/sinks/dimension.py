"""Sink: a dimension, which is replaced as a whole inside the transaction, and its snapshot behind it.

Where several files have a key, the row of the one that landed last counts. Rows stay whose file is gone from
the landing bucket, or has a newer version that was refused. What lacked a row of the dimension gets it in the
same transaction: facts, latest rows and marts.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.contract.sink import Dimension
from airline_platform.contract.table import DECIMALS, Column, ColumnType
from airline_platform.feeds import FEEDS
from assets.checks import measures
from assets.checks.of_feeds import ROW_COUNT
from assets.ingest.handover import MadeDay
from assets.ingest.sinks.fact_table import compare
from assets.ingest.sinks.lookups import fill_in, looking_up
from assets.ingest.sinks.written import Written
from assets.ingest.step import Step
from assets.marts.declarations import MARTS
from resources.warehouse import ledger
from resources.warehouse.session import Session

COUNT_STAGED = "SELECT source_file, COUNT(*) AS all_rows FROM {staging} GROUP BY source_file"
COUNT_ROWS = "SELECT COUNT(*) AS all_rows FROM {table}"
DELETE_REPLACED = """
DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {staging}) OR source_file NOT IN %(kept)s
"""
"""A row from before its file was written down stays with those whose file is gone: it may be one of them."""

DELETE_ALL = "DELETE FROM {table}"
INSERT_LATEST = """
INSERT INTO {table} ({columns}) SELECT {columns} FROM (
    SELECT {columns}, ROW_NUMBER() OVER (
        PARTITION BY {key} ORDER BY landed_at DESC, source_file DESC, source_line DESC
    ) AS place
    FROM {staging}
) AS ranked WHERE place = 1
"""
SNAPSHOT = "SELECT {columns} FROM {table} ORDER BY {key}"


def snapshot_folder(feed: Feed) -> str:
    """Where a dimension stands as Parquet in the lake: what Glue jobs look up."""
    return f"{feed.table.name}/"


class DimensionSink:
    """The dimension of a step's feed.

    Args:
        step: The step that settles.
        sink: As declared.
    """

    writes: Literal["inside", "before"] = "inside"

    def __init__(self, step: Step, sink: Dimension) -> None:
        self.step = step
        self.sink = sink

    def prepare(self, made: Mapping[str, MadeDay]) -> None:
        """Nothing is to be done before the transaction."""

    def write(self, session: Session, made: Mapping[str, MadeDay]) -> Written:
        """Replace the dimension, and fill in what lacked it.

        Raises:
            InputReplaced: What was staged is not what the job reported; nothing may be committed.
        """
        feed, it = self.step.feed, made[WHOLE]
        before = session.execute(COUNT_ROWS.format(table=feed.table.qualified_name))[0]["all_rows"]
        self._replace(session, self._stage(session, made), it)
        filled = self._fill_in(session)
        rows = {WHOLE: {**it.rows, "rows_healed": filled}}
        measured = measures.of_dimension(session, feed, self.sink.key, before)
        ((there, _),) = measured[ROW_COUNT].values()
        return Written(rows, measured, metadata={WHOLE: {"dagster/row_count": there}})

    def after_commit(self) -> None:
        """Put the snapshot: of committed rows alone, or jobs would look up what a rollback took back.

        The lock keeps another load from committing in between, so the newest snapshot has the newest rows.
        """
        with self.step.warehouse.exclusive_transaction() as session:
            self._put_snapshot(session)

    def _stage(self, session: Session, made: Mapping[str, MadeDay]) -> str:
        feed, files = self.step.feed, made[WHOLE].files
        lake, run_id = self.step.lake, self.step.run.run_id
        manifest = lake.put_run_manifest(run_id, feed.table.name, files) if files else None
        staging = session.stage(feed.table, manifest)
        counted = session.execute(COUNT_STAGED.format(staging=staging))
        compare({row["source_file"]: row["all_rows"] for row in counted}, made, feed)
        return staging

    def _replace(self, session: Session, staging: str, it: MadeDay) -> None:
        table = self.step.feed.table
        names = {
            "table": table.qualified_name,
            "staging": staging,
            "key": self.sink.key,
            "columns": ", ".join(table.column_names),
        }
        kept = {file.key for file in ledger.loaded_files(session, self.step.feed.name)} - it.keys
        if kept:
            bucket = self.step.landing.bucket
            urls = tuple(f"s3://{bucket}/{key}" for key in sorted(kept))
            session.execute(DELETE_REPLACED.format(**names), {"kept": urls})
        else:
            session.execute(DELETE_ALL.format(**names))
        session.execute(INSERT_LATEST.format(**names))

    def _fill_in(self, session: Session) -> int:
        """Fill the dimension into what lacked it; return how many rows of the feeds' tables got something."""
        name = self.step.feed.name
        filled = sum(
            fill_in(session, looking_up(feed.lookups, name), table)
            for feed in FEEDS.values()
            for table in feed.tables
        )
        for mart in MARTS.values():
            fill_in(session, looking_up(mart.lookups, name), mart.table)
        return filled

    def _put_snapshot(self, session: Session) -> None:
        feed, columns = self.step.feed, self.sink.snapshot
        names = ", ".join(column.name for column in columns)
        query = SNAPSHOT.format(columns=names, table=feed.table.qualified_name, key=self.sink.key)
        path = f"{snapshot_folder(feed)}{feed.table.name}.parquet"
        uri = self.step.lake.put_bytes(path, parquet_of(session.execute(query), columns))
        self.step.lake.put_manifests(feed.table.name, {WHOLE: {"snapshot": uri}})


def parquet_of(rows: Iterable[Mapping[str, Any]], columns: Sequence[Column]) -> bytes:
    """Rows of a table as Parquet."""
    import pyarrow as pa  # noqa: PLC0415 - costs 0.2 s, and only this load needs it
    from pyarrow import parquet  # noqa: PLC0415

    types: dict[ColumnType, Any] = {
        "bigint": pa.int64(),
        "string": pa.string(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us"),
    }
    schema = pa.schema(
        [(each.name, types.get(each.type) or pa.decimal128(each.digits, DECIMALS)) for each in columns]
    )
    sink = io.BytesIO()
    parquet.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    return sink.getvalue()
