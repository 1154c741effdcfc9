"""Parquet as PostgreSQL's COPY takes it in with least work: its binary format, of whole columns at once."""

import io
from collections.abc import Iterator
from typing import Any

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from pyarrow import parquet

ROWS = 50_000
"""Rows of one COPY. A day may have millions: made into bytes together, they would fill a laptop's memory."""


def batches(content: bytes) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet file, so many at a time.

    Args:
        content: The file.
    """
    # Spark writes timestamps as INT96, which Arrow takes for nanoseconds, and PostgreSQL has none.
    yield from parquet.ParquetFile(io.BytesIO(content), coerce_int96_timestamp_unit="us").iter_batches(ROWS)


def binary_rows(batch: pa.RecordBatch) -> bytes:
    """Return rows as `COPY … (FORMAT binary)` reads them, their columns in their order.

    Args:
        batch: The rows. Their columns have the types that PostgreSQL's have; an int64 is a bigint.
    """
    encoder: Any = ArrowToPostgresBinaryEncoder(batch.schema)
    return b"".join([encoder.write_header(), encoder.write_batch(batch), encoder.finish()])
