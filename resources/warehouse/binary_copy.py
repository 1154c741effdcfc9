"""Parquet as PostgreSQL's COPY takes it in with least work: its binary format, of whole columns at once."""

import io
from typing import Any

from pgpq import ArrowToPostgresBinaryEncoder
from pyarrow import parquet

ROWS = 50_000
"""Rows made into bytes at once."""


def binary_rows(content: bytes) -> bytes:
    """Return the rows of a Parquet file as `COPY … (FORMAT binary)` reads them, its columns in their order.

    Args:
        content: The file. Its columns have the types that PostgreSQL's have; an int64 is a bigint.
    """
    # Spark writes timestamps as INT96, which Arrow takes for nanoseconds, and PostgreSQL has none.
    file = parquet.ParquetFile(io.BytesIO(content), coerce_int96_timestamp_unit="us")
    encoder: Any = ArrowToPostgresBinaryEncoder(file.schema_arrow)
    batches = map(encoder.write_batch, file.iter_batches(ROWS))
    return b"".join([encoder.write_header(), *batches, encoder.finish()])
