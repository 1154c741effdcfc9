"""Landed CSV files as DataFrames: read by manifest, parsed by each file's own header, judged row by row.

Records are lines: a quoted line break makes two records, which are rejected with their line numbers. Reading
lines instead of using Spark's CSV source keeps the raw text and the line number of what is rejected.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import reduce

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import Feed
from airline_platform.tables import SOURCE_FILE, Column

REASON = "reject_reason"
RAW = "raw_text"
LINE = "line_number"
PARTITION = "partition_date"
PROVENANCE = (SOURCE_FILE.name, LINE, REASON, RAW)
"""Where a row came from and why it can't be used; every transform passes these columns through."""

MANIFEST_SCHEMA = "entries array<struct<url string, partition string, header string, columns array<string>>>"

_GLOB = str.maketrans({character: f"\\{character}" for character in "\\{}[]*?"})


def read_manifest(spark: SparkSession, uri: str) -> DataFrame:
    """One row per landed file: url, partition (ISO day), header (its first line), columns (in its order)."""
    documents = spark.read.schema(MANIFEST_SCHEMA).option("multiLine", value=True).json(uri)
    return documents.select(F.inline("entries"))


def read_lines(spark: SparkSession, files: DataFrame) -> DataFrame:
    """One row per line: source_file, partition_date, header, columns, raw_text; line_number stays empty.

    Args:
        spark: The session.
        files: As `read_manifest` gives them.
    """
    paths = [row.url.translate(_GLOB) for row in files.select("url").collect()]
    lines = spark.read.text(paths).select(
        F.col("value").alias(RAW),
        # Spark gives the path as a URI, where a plus sign stands for itself.
        F.expr("url_decode(replace(_metadata.file_path, '+', '%2B'))").alias(SOURCE_FILE.name),
        F.col("_metadata.file_block_start").alias("block_start"),
        F.lit(None).cast("int").alias(LINE),
    )
    known = files.select(
        F.col("url").alias(SOURCE_FILE.name), F.to_date("partition").alias(PARTITION), "header", "columns"
    )
    return lines.join(F.broadcast(known), SOURCE_FILE.name)


def number_lines(lines: DataFrame) -> DataFrame:
    """Count line_number from 1 in each file: costs a shuffle, so only for what is to be rejected."""
    in_file = Window.partitionBy(SOURCE_FILE.name).orderBy("block_start", F.monotonically_increasing_id())
    return lines.withColumn(LINE, F.row_number().over(in_file))


def data_lines(lines: DataFrame) -> DataFrame:
    """The lines that are rows: neither blank nor the file's header."""
    return lines.where((F.trim(RAW) != "") & (F.col(RAW) != F.col("header")))


def parse(lines: DataFrame, feed: Feed, orders: Sequence[Sequence[str]]) -> DataFrame:
    """Parse each line by its own file's column order and cast it to the feed's types.

    Args:
        lines: As `data_lines` gives them.
        feed: Declares names, types and which values are required.
        orders: Every column order that occurs in the manifest.

    Returns:
        The columns of `lines`, the feed's columns typed, and reject_reason: null for a good row, else a
        sentence that names the column, what came and what was expected.
    """
    return reduce(DataFrame.unionByName, (_parse_order(lines, feed, order) for order in orders))


def column_orders(files: DataFrame) -> list[list[str]]:
    """The different column orders of the manifest's files, most common first."""
    counted: defaultdict[tuple[str, ...], int] = defaultdict(int)
    for row in files.select("columns").collect():
        counted[tuple(row.columns)] += 1
    return [list(order) for order in sorted(counted, key=lambda order: (-counted[order], order))]


def _parse_order(lines: DataFrame, feed: Feed, order: Sequence[str]) -> DataFrame:
    schema = ", ".join(f"`{name}` string" for name in order) + ", _corrupt string"
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_corrupt", "escape": '"'}
    mine = lines.where(F.col("columns") == F.array(*(F.lit(name) for name in order)))
    parsed = mine.withColumn("_row", F.from_csv(RAW, schema, options))
    text = {column.name: F.trim(F.col("_row")[column.name]) for column in feed.columns}
    problems = [_problem(column, text[column.name]) for column in feed.columns]
    fields = f"expected {len(order)} fields ({','.join(order)})"
    broken = F.when(F.col("_row._corrupt").isNotNull(), F.lit(fields))
    typed = {column.name: _typed(column, text[column.name]) for column in feed.columns}
    return parsed.withColumns(typed | {REASON: F.coalesce(broken, *problems)}).drop("_row")


def _typed(column: Column, text: SparkColumn) -> SparkColumn:
    empty_is_null = F.when(text != "", text)
    return empty_is_null if column.type == "string" else _cast(column, empty_is_null)


def _cast(column: Column, text: SparkColumn) -> SparkColumn:
    # try_cast never raises, also under ANSI mode (Glue 6). A number may come as 12.0 from tools that
    # widen integer columns with gaps in them, 12.5 minutes may not.
    if column.type == "bigint":
        whole = F.regexp_extract(text, r"^([+-]?\d{1,18})(\.0*)?$", 1)
        return F.when(whole != "", whole).cast("bigint")
    return F.expr(f"try_cast(_row.`{column.name}` as {column.glue_type})")


def _problem(column: Column, text: SparkColumn) -> SparkColumn:
    missing = F.coalesce(text, F.lit("")) == ""
    got = F.concat(F.lit(f"{column.name} is '"), F.substring(text, 1, 100), F.lit("'; expected "))
    checks = F.when(missing & F.lit(column.required), F.lit(f"{column.name} is empty; a value is required"))
    if column.type == "string":
        too_long = F.octet_length(text) > column.length
        return checks.when(too_long, F.concat(got, F.lit(f"{column.length} bytes at most")))
    return checks.when(~missing & _cast(column, text).isNull(), F.concat(got, F.lit(_EXPECTED[column.type])))


_EXPECTED = {
    "bigint": "a whole number",
    "date": "a date YYYY-MM-DD",
    "timestamp": "a timestamp YYYY-MM-DD HH:MM:SS",
}
