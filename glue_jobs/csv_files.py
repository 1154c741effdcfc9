"""Landed CSV files: read by manifest, parsed by each file's own header.

Where every record is a line, Spark reads the lines; else one reader takes a whole file apart. Reading lines
instead of using Spark's CSV source keeps the raw text and the line number of what is rejected.
"""

import gzip
import io
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.drift import RESCUED, UNKNOWN_MARK, evolved_name
from airline_platform.contract.feed import Feed
from airline_platform.contract.table import SOURCE_FILE
from airline_platform.files.names import is_gzip
from glue_jobs.landing import (
    FIELDS,
    LINE,
    LONGEST_LINE,
    RAW,
    Batch,
    LandedFile,
    batched,
    judge,
    paths,
    read_lines,
    with_manifest,
)
from glue_jobs.records.csv_records import PADDING, Layout, marker_of, records, squeezed

SLICE = 1 << 20
"""Bytes of a file that are looked at at once."""


def read(spark: SparkSession, batch: Batch) -> DataFrame:
    """The records of files: neither blank nor a repeated header.

    Args:
        spark: The session.
        batch: Of the manifest.

    Returns:
        source_file, partition_date, landed_at, source_line, raw_text.
    """
    if batch.shape == "lines":
        return read_lines(spark, batch, lambda line: _is_row(line, batch))
    content = spark.read.format("binaryFile").load(paths(batch.files))
    # Its paths are no URIs: a per cent sign stands for itself.
    content = content.select(F.col("path").alias(SOURCE_FILE.name), "content")
    layouts = {file.url: (_layout(file), file.reading.encoding) for file in batch.files}
    split = content.mapInArrow(
        lambda texts: _split(texts, layouts), f"{SOURCE_FILE.name} string, {LINE} bigint, {RAW} string"
    )
    return with_manifest(split, batch.files)


def parse(lines: DataFrame, feed: Feed, batch: Batch, *, reasons: bool = True) -> DataFrame:
    """Parse each record by its files' column order, and judge it.

    Args:
        lines: As `read` gives them.
        feed: What the files are.
        batch: The files.
        reasons: As for `landing.judge`.

    Returns:
        As `landing.judge`.
    """
    reading = batch.reading
    unknown = {
        f"_unknown{place}": name.removeprefix(UNKNOWN_MARK)
        for place, name in enumerate(batch.columns)
        if name.startswith(UNKNOWN_MARK)
    }
    names = [f"_unknown{p}" if n.startswith(UNKNOWN_MARK) else n for p, n in enumerate(batch.columns)]
    schema = ", ".join(f"`{name}` string" for name in names) + ", _corrupt string"
    options = {
        "mode": "PERMISSIVE",
        "columnNameOfCorruptRecord": "_corrupt",
        "sep": reading.delimiter,
        "quote": reading.quote,
        "escape": reading.quote,
        # Blanks around a quoted field belong to nobody.
        "ignoreLeadingWhiteSpace": "true",
        "ignoreTrailingWhiteSpace": "true",
    }
    parsed = lines.withColumn(FIELDS, F.from_csv(RAW, schema, options))
    unreadable = F.col(FIELDS).isNull() | F.col(f"{FIELDS}._corrupt").isNotNull()
    header = ",".join(name.removeprefix(UNKNOWN_MARK) for name in batch.columns)
    broken = F.when(unreadable, F.lit(f"expected {len(names)} fields ({header})"))
    if quote := reading.quote:
        quotes = F.length(RAW) - F.length(F.translate(RAW, quote, ""))
        odd_quotes = F.contains(F.col(RAW), F.lit(quote)) & (quotes % 2 == 1)  # most lines have none to count
        broken = F.when(odd_quotes, F.lit("expected quotes in pairs, found an odd number of them")).otherwise(
            broken
        )
    parsed = parsed.withColumn(RESCUED.name, _rescued(feed, unknown))
    return judge(
        parsed,
        feed,
        batch,
        broken,
        lambda fields: F.concat_ws(reading.delimiter, *fields.values()),
        compose=not batch.ascii,
        reasons=reasons,
    )


def _rescued(feed: Feed, unknown: dict[str, str]) -> SparkColumn:
    """The values of columns the feed does not have, as a JSON object; null where there are none."""
    if not unknown or feed.drift not in ("rescue", "evolve"):
        return F.lit(None).cast("string")
    values = [
        F.nullif(F.trim(F.col(f"{FIELDS}.`{mine}`")), F.lit("")).alias(
            evolved_name(name, feed.table) if feed.drift == "evolve" else name
        )
        for mine, name in unknown.items()
    ]
    return F.when(F.coalesce(*values).isNotNull(), F.to_json(F.struct(*values)))


def _is_row(line: SparkColumn, batch: Batch) -> SparkColumn:
    """Whether a line has a character that is seen, and is not the header once more."""
    reading = batch.reading
    # Most lines begin with a character that stands behind all blanks.
    is_blank = ~((line >= "!") | line.rlike(r"\S"))
    marker = marker_of(batch.header, reading.delimiter, reading.quote)
    padding = PADDING + reading.quote
    is_header = F.contains(line, F.lit(marker)) & (
        F.translate(line, padding, "") == squeezed(batch.header, reading.quote)
    )
    return ~is_blank & ~is_header


def _layout(file: LandedFile) -> Layout:
    return Layout(file.first, file.header, len(file.columns), file.reading.delimiter, file.reading.quote)


def _split(
    batches: Iterable[pa.RecordBatch], layouts: dict[str, tuple[Layout, str]]
) -> Iterator[pa.RecordBatch]:
    """The records of whole files, a batch at a time."""
    for batch in batches:
        for name, content in zip(batch[0].to_pylist(), batch[1], strict=True):
            layout, encoding = layouts[name]
            rows = records(_pieces(name, content.as_buffer(), encoding), layout)
            texts = ((r.line, r.text[: 4 * LONGEST_LINE + 4].decode("utf-8", "replace")) for r in rows)
            yield from batched(name, ((line, text[: LONGEST_LINE + 1]) for line, text in texts))


def _pieces(name: str, content: pa.Buffer, encoding: str) -> Iterator[bytes]:
    """A file's text in UTF-8, in slices, unpacked where its name says so."""
    file = pa.BufferReader(content)
    packed: Any = gzip.GzipFile(fileobj=file) if is_gzip(name) else file
    with io.TextIOWrapper(io.BufferedReader(packed), encoding, errors="replace", newline="") as text:
        while piece := text.read(SLICE):
            yield piece.encode("utf-8", "replace")
