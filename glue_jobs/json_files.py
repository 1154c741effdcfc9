"""Landed JSON files: an object a line, or one array of objects; every object is parsed by Python's own JSON.

Spark's parser makes 1.5E7 of 15000000.0, takes any value for text and passes over fields it was not asked
for; here a number stays as it was written, and what is not the feed's is told.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from functools import reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from pyspark.sql.types import StringType, StructField, StructType

from airline_platform.feeds import Feed
from airline_platform.json_records import elements
from airline_platform.tables import SOURCE_FILE
from glue_jobs.landing import (
    FIELDS,
    LINE,
    LONGEST_LINE,
    POSITION,
    RAW,
    LandedFile,
    judge,
    number_lines,
    paths,
    read_lines,
    source_file,
    with_manifest,
)

PROBLEM = "_problem"
BATCH = 5_000
"""Elements that go to Spark at once."""

SLICE = 1 << 20
"""Bytes of an array that are looked at at once."""

LARGEST_EXPONENT = 20
"""Powers of ten that are written out; no column holds more."""

_UNFIT = re.compile("[\\x00\\ud800-\\udfff]")
"""NUL, and halves of surrogate pairs: JSON can name both, and no table takes them."""


def records(spark: SparkSession, files: Sequence[LandedFile], *, numbered: bool = True) -> DataFrame:
    """Every line that is not blank, and every element of an array, which is numbered like a line.

    Args:
        spark: The session.
        files: Of the manifest.
        numbered: They are in any case: a shipment is named by its place in its file.

    Returns:
        source_file, partition_date, landed_at, position, line_number, raw_text.
    """
    del numbered
    found = []
    if lines := [file for file in files if file.shape == "lines"]:
        numbers = number_lines(read_lines(spark, lines))
        found.append(numbers.withColumn(POSITION, F.col(LINE)).where(F.col(RAW).rlike(r"\S")))
    if arrays := [file for file in files if file.shape == "array"]:
        found.append(_read_arrays(spark, arrays))
    return with_manifest(reduce(DataFrame.unionByName, found), files).drop("header", "columns")


def parse(objects: DataFrame, feed: Feed, files: Sequence[LandedFile], *, told: bool = True) -> DataFrame:
    """Parse each object, and judge it.

    Args:
        objects: As `records` gives them.
        feed: What the files are.
        files: Not needed: each object names its fields.
        told: As for `landing.judge`.

    Returns:
        As `landing.judge`.
    """
    del files
    names = [column.name for column in feed.columns]
    texts = tuple(column.name for column in feed.columns if column.type in ("string", "date", "timestamp"))
    schema = StructType([StructField(name, StringType()) for name in (*names, PROBLEM)])
    read = F.udf(lambda text: read_object(text, names, texts), schema)
    parsed = objects.withColumn(FIELDS, read(RAW))
    problem = F.col(f"{FIELDS}.{PROBLEM}")
    return judge(
        parsed,
        feed,
        problem,
        names,
        lambda fields: F.to_json(F.struct(*(text.alias(name) for name, text in fields.items()))),
        told=told,
    )


class _Unusable(Exception):  # noqa: N818 - it says what the object is
    """Why an object can't be used; never a part of it, which may name a person."""


class _Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


def read_object(text: str, names: Sequence[str], texts: Sequence[str]) -> tuple[str | None, ...]:
    """The text of each field of a JSON object, in the order of the names, and why it can't be used.

    Args:
        text: The object.
        names: The fields there may be; null and what is missing come as None.
        texts: Those whose values are JSON strings; the others' are numbers.

    Returns:
        As many texts as there are names, and a sentence: None where the object can be used.
    """
    try:
        fields = _fields(text, names)
        values = [_value(fields.get(name), name, text=name in texts) for name in names]
    except _Unusable as problem:
        return (*(None for _ in names), str(problem))
    return (*values, None)


def _fields(text: str, names: Sequence[str]) -> dict[str, Any]:
    try:
        found = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_once,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise _Unusable("expected a JSON object, found other text") from None
    if not isinstance(found, dict):
        raise _Unusable("expected a JSON object, found another value")
    if others := len(set(found) - set(names)):
        raise _Unusable(f"expected the fields {', '.join(names)} and no others, found {others} more")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Unusable("expected each field once, found one twice")
    return found


def _no_number(_: str) -> None:
    raise _Unusable("expected numbers, found NaN or Infinity, which JSON does not have")


def _value(value: Any, name: str, *, text: bool) -> str | None:
    if value is None:
        return None
    if text:
        if not isinstance(value, str) or isinstance(value, _Number):
            raise _Unusable(f"{name}: expected text in quotes, found {_kind(value)}")
        if _UNFIT.search(value):
            raise _Unusable(f"{name}: expected text without NUL, found other characters")
        return value
    if not isinstance(value, _Number):
        raise _Unusable(f"{name}: expected a number, found {_kind(value)}")
    return _plain(value)


def _plain(number: str) -> str:
    """A number without an exponent: Java writes 1.5E7 for what is 15000000.0."""
    if "e" not in number.lower():
        return str(number)
    try:
        exact = Decimal(number)
    except ArithmeticError:
        return str(number)
    return f"{exact:f}" if abs(exact.adjusted()) <= LARGEST_EXPONENT else str(number)


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", bool: "true or false", _Number: "a number", str: "text"}
    return kinds[type(value)]


def _read_arrays(spark: SparkSession, files: Sequence[LandedFile]) -> DataFrame:
    content = spark.read.format("binaryFile").load(paths(files)).select(source_file("path", files), "content")
    schema = f"{SOURCE_FILE.name} string, {LINE} int, {RAW} string"
    return content.mapInArrow(_split, schema).withColumn(POSITION, F.col(LINE))


def _split(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The elements of whole files, numbered from 1, a batch at a time."""
    for batch in batches:
        for name, content in zip(batch[0].to_pylist(), batch[1], strict=True):
            number = 0
            for texts in _batched(elements(_pieces(name, content.as_buffer()))):
                numbers = range(number + 1, number + 1 + len(texts))
                yield pa.RecordBatch.from_arrays(
                    [pa.array([name] * len(texts)), pa.array(numbers, pa.int32()), pa.array(texts)],
                    [SOURCE_FILE.name, LINE, RAW],
                )
                number += len(texts)


def _batched(texts: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    for text in texts:
        some.append(text[: LONGEST_LINE + 1])
        if len(some) == BATCH:
            yield some
            some = []
    if some:
        yield some


def _pieces(name: str, content: pa.Buffer) -> Iterator[bytes]:
    """A file's text in slices, unpacked where its name says so."""
    file = pa.BufferReader(content)
    with gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file as text:
        yield from iter(lambda: text.read(SLICE), b"")
