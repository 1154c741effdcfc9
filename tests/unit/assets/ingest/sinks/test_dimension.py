"""A dimension's snapshot is Parquet of the declared types; the rest needs a warehouse (tests/laptop)."""

import io
from datetime import date, datetime
from decimal import Decimal

import sqlglot
from pyarrow import parquet

from airline_platform.contract.table import Column
from airline_platform.feeds.airports import AIRPORTS
from assets.ingest.sinks.dimension import (
    DELETE_REPLACED,
    INSERT_LATEST,
    SNAPSHOT,
    parquet_of,
    snapshot_folder,
)
from resources.warehouse.session import to_postgres


def test_the_snapshot_stands_where_jobs_look_for_the_dimension() -> None:
    assert snapshot_folder(AIRPORTS) == "dim_airport_codes/"


def test_parquet_has_the_columns_with_their_types_whatever_is_empty() -> None:
    columns = (
        Column("id", "bigint", "Id."),
        Column("name", "string", "Name."),
        Column("opened", "date", "Day."),
        Column("seen_at", "timestamp", "When."),
        Column("area", "decimal", "Square kilometres.", digits=20),
    )
    row = {
        "id": 1,
        "name": "é",
        "opened": date(2013, 1, 1),
        "seen_at": datetime(2013, 1, 1),  # noqa: DTZ001 - the column has no zone
        "area": Decimal(2),
    }

    table = parquet.read_table(io.BytesIO(parquet_of([row, dict.fromkeys(row)], columns)))

    assert table.to_pylist() == [row, dict.fromkeys(row)]
    types = {field.name: str(field.type) for field in table.schema}
    assert types == {
        "id": "int64",
        "name": "string",
        "opened": "date32[day]",
        "seen_at": "timestamp[us]",
        "area": "decimal128(20, 3)",
    }


def test_a_dimension_without_a_row_is_parquet_too() -> None:
    assert isinstance(AIRPORTS.becomes.key, str)
    table = parquet.read_table(io.BytesIO(parquet_of([], AIRPORTS.becomes.snapshot)))

    assert (table.num_rows, table.column_names) == (0, ["airport_id", "city", "state", "name"])


def test_redshift_and_postgresql_take_the_statements() -> None:
    names = {"table": "airlines.t", "staging": "s", "key": "id", "columns": "id, name"}
    for statement in (DELETE_REPLACED, INSERT_LATEST, SNAPSHOT):
        sql = statement.format(**names).replace("%(kept)s", "('x')")
        sqlglot.parse_one(sql, read="redshift", error_level=sqlglot.ErrorLevel.RAISE)
        sqlglot.parse_one(to_postgres(sql), read="postgres", error_level=sqlglot.ErrorLevel.RAISE)
