"""Parquet as PostgreSQL's COPY takes it in with least work: its binary format, made of whole columns at once.

PostgreSQL's documentation of COPY has the format; a field's bytes are what its type's receive function reads.
"""

import io
import struct
import sys
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from airline_platform.tables import DECIMALS, Column

ROWS = 50_000
"""Rows made into bytes at once."""

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = struct.pack("!h", -1)
_NULL = struct.pack("!i", -1)

_EPOCH_DAYS = 10_957
"""From 1970, where Parquet counts from, to 2000, where PostgreSQL does."""

_EPOCH_MICROSECONDS = _EPOCH_DAYS * 24 * 60 * 60 * 1_000_000

_NUMERIC_BASE, _NUMERIC_DIGITS, _NUMERIC_PLACES = 10_000, 4, 4
"""A numeric is digits to this base. So many of them, one behind the point, hold a decimal that is loaded."""

_SIGNS = {False: b"\x00\x00", True: b"\x40\x00"}


def binary_rows(content: bytes, columns: Sequence[Column]) -> bytes:
    """Rows of a Parquet file, as `COPY … (FORMAT binary)` reads them.

    Args:
        content: The file.
        columns: What its columns are, by position: whose types PostgreSQL's table has.
    """
    # Few different strings: each is made into bytes once.
    names = parquet.read_schema(io.BytesIO(content)).names
    repeating = [name for name, column in zip(names, columns, strict=True) if column.type == "string"]
    batches = parquet.ParquetFile(io.BytesIO(content), read_dictionary=repeating).iter_batches(ROWS)
    return b"".join([_HEADER, *(_rows(batch, columns) for batch in batches), _TRAILER])


def _rows(batch: Any, columns: Sequence[Column]) -> Any:
    """The bytes of a batch: each row is the number of its fields, then each field's length and value."""
    fields = [_field(values, column) for values, column in zip(batch.columns, columns, strict=True)]
    return _joined(struct.pack("!h", len(fields)), *fields).buffers()[2] or b""


def _field(values: Any, column: Column) -> Any:
    if pa.types.is_dictionary(values.type):
        return pc.fill_null(_field(values.dictionary, column).take(values.indices), _NULL)
    made = _joined(*_FIELDS[column.type](values))
    return pc.if_else(values.is_valid(), made, _NULL) if values.null_count else made


def _string(values: Any) -> Iterator[Any]:
    text = pc.fill_null(values.cast(pa.string()), "")
    yield _big_endian(pc.binary_length(text), "i")
    yield text.cast(pa.binary())


def _bigint(values: Any) -> Iterator[Any]:
    yield struct.pack("!i", 8)
    yield _big_endian(pc.fill_null(values.cast(pa.int64()), 0), "q")


def _date(values: Any) -> Iterator[Any]:
    days = pc.fill_null(values.cast(pa.date32()).cast(pa.int32()), 0)
    yield struct.pack("!i", 4)
    yield _big_endian(pc.subtract(days, pa.scalar(_EPOCH_DAYS, pa.int32())), "i")


def _timestamp(values: Any) -> Iterator[Any]:
    at = values.cast(pa.timestamp("us", values.type.tz)).cast(pa.int64())
    yield struct.pack("!i", 8)
    yield _big_endian(pc.subtract(pc.fill_null(at, 0), _EPOCH_MICROSECONDS), "q")


def _decimal(values: Any) -> Iterator[Any]:
    """Length, number of digits, power of the first one, sign, decimals shown, digits."""
    whole = pc.multiply(values.cast(pa.decimal128(18, DECIMALS)), pa.scalar(10**_NUMERIC_PLACES))
    scaled = pc.fill_null(whole.cast(pa.int64()), 0)
    yield struct.pack("!ihh", 8 + 2 * _NUMERIC_DIGITS, _NUMERIC_DIGITS, _NUMERIC_DIGITS - 2)
    yield pc.if_else(pc.less(scaled, 0), *(pa.scalar(_SIGNS[below], pa.binary()) for below in (True, False)))
    yield struct.pack("!h", DECIMALS)
    rest = pc.abs(scaled)
    for place in reversed(range(_NUMERIC_DIGITS)):
        unit = _NUMERIC_BASE**place
        digit = pc.divide(rest, unit)
        yield _big_endian(digit.cast(pa.int16()), "h")
        rest = pc.subtract(rest, pc.multiply(digit, unit))


_FIELDS: Mapping[str, Callable[[Any], Iterator[Any]]] = {
    "string": _string,
    "bigint": _bigint,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
    "decimal": _decimal,
}
"""By a column's type: a value's length in bytes, and these bytes; of an empty one anything."""


def _joined(*parts: Any) -> Any:
    """Bytes end to end, row by row; what is no column is the same in every row."""
    given = [pa.scalar(part, pa.binary()) if isinstance(part, bytes) else part for part in parts]
    return pc.binary_join_element_wise(*given, pa.scalar(b"", pa.binary()))


def _big_endian(numbers: Any, kind: str) -> Any:
    """The bytes of numbers, none of which is empty, in the order in which networks have them."""
    swapped = array(kind)
    start, end = (at * swapped.itemsize for at in (numbers.offset, numbers.offset + len(numbers)))
    swapped.frombytes(numbers.buffers()[1][start:end])
    if sys.byteorder == "little":
        swapped.byteswap()
    buffers = [None, pa.py_buffer(swapped.tobytes())]
    packed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(swapped.itemsize), len(numbers), buffers)
    return packed.cast(pa.binary())
