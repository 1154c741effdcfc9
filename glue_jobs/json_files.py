"""Landed JSON files: an object a line, or one array of objects; every object is parsed by Python's own JSON.

Spark's parser makes 1.5E7 of 15000000.0, takes any value for text and passes over fields it was not asked
for; here a number stays as it was written, and what is not the feed's is told.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from itertools import chain
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from pyspark.sql.types import StringType, StructField, StructType

from airline_platform.contract.drift import RESCUED
from airline_platform.contract.feed import Feed
from airline_platform.contract.table import SOURCE_FILE
from airline_platform.files.names import is_gzip
from glue_jobs.landing import (
    FIELDS,
    LINE,
    LONGEST_LINE,
    RAW,
    Batch,
    batched,
    judge,
    paths,
    read_lines,
    with_manifest,
)
from glue_jobs.records.characters import composed
from glue_jobs.records.csv_records import lines_of
from glue_jobs.records.json_records import NotAnArray, elements

PROBLEM = "_problem"
SLICE = 1 << 20
"""Bytes of an array that are looked at at once."""

LARGEST_EXPONENT = 20
"""Powers of ten that are written out; no column holds more."""

_UNFIT = re.compile("[\\x00\\ud800-\\udfff]")
"""NUL, and halves of surrogate pairs: JSON can name both, and no table takes them."""


def read(spark: SparkSession, batch: Batch) -> DataFrame:
    """Every line that is not blank, or every element of an array, which is numbered like a line.

    Args:
        spark: The session.
        batch: Of the manifest.

    Returns:
        source_file, partition_date, landed_at, source_line, raw_text.
    """
    if batch.shape == "lines":
        return read_lines(spark, batch, lambda line: line.rlike(r"\S"))
    content = spark.read.format("binaryFile").load(paths(batch.files))
    # Its paths are no URIs: a per cent sign stands for itself.
    content = content.select(F.col("path").alias(SOURCE_FILE.name), "content")
    schema = f"{SOURCE_FILE.name} string, {LINE} bigint, {RAW} string"
    split = _split if batch.shape == "array" else _split_lines
    return with_manifest(content.mapInArrow(split, schema), batch.files)


def parse(objects: DataFrame, feed: Feed, batch: Batch, *, reasons: bool = True) -> DataFrame:
    """Parse each object, and judge it.

    Args:
        objects: As `read` gives them.
        feed: What the files are.
        batch: The files; each object names its fields.
        reasons: As for `landing.judge`.

    Returns:
        As `landing.judge`.
    """
    names = [column.name for column in feed.columns]
    texts = tuple(column.name for column in feed.columns if column.type in ("string", "date", "timestamp"))
    schema = StructType([StructField(name, StringType()) for name in (*names, RESCUED.name, PROBLEM)])
    aliases, drift = {theirs: mine for mine, theirs in batch.reading.names}, feed.drift
    parse_one = F.udf(lambda text: read_object(text, names, texts, aliases, drift), schema)
    parsed = objects.withColumn(FIELDS, parse_one(RAW))
    parsed = parsed.withColumn(RESCUED.name, F.col(f"{FIELDS}.{RESCUED.name}"))
    problem = F.col(f"{FIELDS}.{PROBLEM}")
    return judge(
        parsed,
        feed,
        batch,
        problem,
        lambda fields: F.to_json(F.struct(*(text.alias(name) for name, text in fields.items()))),
        compose=False,  # `read_object` has
        reasons=reasons,
    )


class _Unusable(Exception):  # noqa: N818 - it says what the object is
    """Why an object can't be used; never a part of it, which may name a person."""


class _Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


def read_object(
    text: str,
    names: Sequence[str],
    texts: Sequence[str],
    aliases: Mapping[str, str] | None = None,
    drift: str = "refuse",
) -> tuple[str | None, ...]:
    """The text of each field of a JSON object, in the order of the names, and why it can't be used.

    Args:
        text: The object.
        names: The fields there may be; null and what is missing come as None.
        texts: Those whose values are JSON strings; the others' are numbers.
        aliases: Other names of fields, and the names they stand for.
        drift: What other fields come to (`Feed.drift`).

    Returns:
        As many texts as there are names; the other fields as a JSON object, None where there are none or
        nobody wants them; and a sentence: None where the object can be used.
    """
    try:
        fields = _fields(text, aliases or {})
        others = _others(fields, names, drift)
        values = [_value(fields.get(name), name, text=name in texts) for name in names]
    except _Unusable as problem:
        return (*(None for _ in names), None, str(problem))
    rescued = json.dumps(others, ensure_ascii=False) if others and drift in ("rescue", "evolve") else None
    return (*values, rescued, None)


def _fields(text: str, aliases: Mapping[str, str]) -> dict[str, Any]:
    try:
        fields = json.loads(
            text.removeprefix("\ufeff"),
            object_pairs_hook=_once,
            parse_int=_Number,
            parse_float=_Number,
            parse_constant=_no_number,
        )
    except (ValueError, RecursionError):
        raise _Unusable("expected a JSON object, found other text") from None
    if not isinstance(fields, dict):
        raise _Unusable("expected a JSON object, found another value")
    named = {aliases.get(name, name): value for name, value in fields.items()}
    if len(named) < len(fields):
        raise _Unusable("expected each field once, found one under two names")
    return named


def _others(fields: Mapping[str, Any], names: Sequence[str], drift: str) -> dict[str, Any]:
    """The fields that nobody has declared."""
    others = {name: value for name, value in fields.items() if name not in names}
    if others and drift == "refuse":
        raise _Unusable(f"expected the fields {', '.join(names)} and no others, found {len(others)} more")
    return others


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise _Unusable("expected each field once, found one twice")
    return fields


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
        return composed(value)
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


def _split(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The elements of whole files, numbered from 1, a batch at a time.

    A file that is broken now, and was not when it was accepted, has fewer rows than were counted, for which
    it is refused; an exception would end the job for the others, too.
    """
    for batch in batches:
        for name, content in zip(batch[0].to_pylist(), batch[1], strict=True):
            texts = _unbroken(_pieces(name, content.as_buffer()))
            yield from batched(name, enumerate((text[: LONGEST_LINE + 1] for text in texts), start=1))


def _unbroken(pieces: Iterable[bytes]) -> Iterator[str]:
    with suppress(NotAnArray):
        yield from elements(pieces)


def _split_lines(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The lines of whole files that are not blank, a batch at a time."""
    for batch in batches:
        for name, content in zip(batch[0].to_pylist(), batch[1], strict=True):
            lines = chain.from_iterable(some for _, some in lines_of(_pieces(name, content.as_buffer())))
            rows = (
                (number, line[: 4 * LONGEST_LINE + 4].decode("utf-8-sig", "replace")[: LONGEST_LINE + 1])
                for number, line in enumerate(lines, start=1)
                if line and not line.isspace()
            )
            yield from batched(name, rows)


def _pieces(name: str, content: pa.Buffer) -> Iterator[bytes]:
    """A file's text in slices, unpacked where its name says so."""
    file = pa.BufferReader(content)
    with gzip.GzipFile(fileobj=file) if is_gzip(name) else file as text:
        yield from iter(lambda: text.read(SLICE), b"")
