"""What Parquet holds is what PostgreSQL takes in: every type of a table, its bounds, and what is empty."""

import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from psycopg2.errors import BadCopyFileFormat
from pyarrow import parquet

from airline_platform.contract.table import Column, Table
from airline_platform.settings import get_settings
from resources.lake import Lake
from resources.warehouse import binary_copy
from resources.warehouse.resource import Warehouse

TYPES = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "decimal": pa.decimal128(14, 3),
}
VALUES: Mapping[Any, list[Any]] = {
    "string": [None, "", "Zürich, „Kloten“", "a\tb\\c\"d'\r\ne", "x" * 256],
    "bigint": [None, 0, -1, 2**63 - 1, -(2**63)],
    "date": [None, date(1970, 1, 1), date(1999, 12, 31), date(2000, 1, 1), date(9999, 12, 31)],
    "timestamp": [
        None,
        datetime(1999, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - the column has no zone
        datetime(2000, 1, 1),  # noqa: DTZ001
        datetime(1, 1, 1),  # noqa: DTZ001
        datetime(2013, 2, 10, 3, 4, 5, 678901),  # noqa: DTZ001
    ],
    "timestamptz": [None, datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC), datetime(2013, 2, 10, tzinfo=UTC)],
    "decimal": [
        None,
        Decimal(0),
        Decimal("0.001"),
        Decimal("-0.010"),
        Decimal("10.125"),
        Decimal(10_000),
        Decimal("99999999999.999"),
        Decimal("-99999999999.999"),
    ],
}


def staged(
    server: Warehouse, columns: Mapping[str, tuple[Any, list[Any]]], **writing: Any
) -> list[dict[str, Any]]:
    """Values by column, put into the lake as Parquet and staged."""
    declared = tuple(Column(name, kind, "") for name, (kind, _) in columns.items())
    table = Table("of_a_test", "", declared)
    rows = max(len(values) for _, values in columns.values())
    arrays = {
        name: pa.array([*values, *[None] * (rows - len(values))], TYPES[kind])
        for name, (kind, values) in columns.items()
    }
    sink = io.BytesIO()
    parquet.write_table(pa.table(arrays | {"source_file": pa.array(["s3://a/b"] * rows)}), sink, **writing)
    uri = Lake.of(get_settings()).put_bytes("of_a_test/a.parquet", sink.getvalue())
    manifest = Lake.of(get_settings()).put_json("of_a_test/manifest", {"entries": [{"url": uri}]})
    with server.transaction() as session:
        staging = session.stage(table, manifest)
        return session.execute(f"SELECT * FROM {staging}")


def test_every_value_of_every_type_arrives(server: Warehouse) -> None:
    found = staged(server, {kind: (kind, values) for kind, values in VALUES.items()})

    for kind, values in VALUES.items():
        assert [row[kind] for row in found][: len(values)] == values
        assert [row[kind] for row in found][len(values) :] == [None] * (len(found) - len(values))


def test_timestamps_arrive_as_spark_writes_them(server: Warehouse) -> None:
    values = VALUES["timestamp"]
    values = [at for at in values if at is None or at.year > 1]  # INT96 begins in 1677
    found = staged(server, {"at": ("timestamp", values)}, use_deprecated_int96_timestamps=True)

    assert [row["at"] for row in found] == values


def test_decimals_show_their_three_places(server: Warehouse) -> None:
    found = staged(server, {"fare": ("decimal", [Decimal("1.500"), Decimal(-20)])})

    assert [str(row["fare"]) for row in found] == ["1.500", "-20.000"]


def test_a_long_file_arrives_whole_and_in_order(server: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary_copy, "ROWS", 7)
    numbers = [number if number % 3 else None for number in range(100)]
    words = [None if number is None else f"n{number % 11}" for number in numbers]

    found = staged(server, {"number": ("bigint", numbers), "word": ("string", words)})

    assert [(row["number"], row["word"]) for row in found] == list(zip(numbers, words, strict=True))


def test_a_file_with_another_number_of_columns_is_refused(server: Warehouse) -> None:
    sink = io.BytesIO()
    parquet.write_table(pa.table({"a": pa.array([1])}), sink)
    uri = Lake.of(get_settings()).put_bytes("of_a_test/short.parquet", sink.getvalue())
    manifest = Lake.of(get_settings()).put_json("of_a_test/short-manifest", {"entries": [{"url": uri}]})
    table = Table("of_a_test", "", (Column("a", "bigint", ""), Column("b", "bigint", "")))

    with (
        pytest.raises(BadCopyFileFormat, match="row field count is 1, expected 3"),
        server.transaction() as session,
    ):
        session.stage(table, manifest)
