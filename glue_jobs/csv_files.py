"""Landed CSV files: read by manifest, parsed by each file's own header.

Records are lines: a quoted line break makes two records, which are rejected with their line numbers, because
each has an odd number of quotes. Reading lines instead of using Spark's CSV source keeps the raw text and the
line number of what is rejected.
"""

from collections.abc import Sequence
from functools import reduce

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import Feed
from glue_jobs.landing import FIELDS, RAW, LandedFile, judge, number_lines, read_lines, with_manifest


def records(spark: SparkSession, files: Sequence[LandedFile], *, numbered: bool = False) -> DataFrame:
    """The lines that are rows: neither blank nor their file's header.

    Args:
        spark: The session.
        files: Of the manifest.
        numbered: Whether line_number is wanted.

    Returns:
        source_file, partition_date, landed_at, header, columns, position, line_number, raw_text.
    """
    lines = read_lines(spark, files)
    lines = with_manifest(number_lines(lines) if numbered else lines, files)
    if len(headers := {file.header for file in files}) == 1:
        lines = lines.withColumn("header", F.lit(headers.pop()))  # not one for each row, from the join
    return lines.where((F.trim(RAW) != "") & (F.col(RAW) != F.col("header")))


def parse(lines: DataFrame, feed: Feed, files: Sequence[LandedFile], *, told: bool = True) -> DataFrame:
    """Parse each line by its own file's column order, and judge it.

    Args:
        lines: As `records` gives them.
        feed: What the files are.
        files: Of the manifest; they tell the column orders there are.
        told: As for `landing.judge`.

    Returns:
        As `landing.judge`.
    """
    orders = sorted({file.columns for file in files})

    def of_order(order: Sequence[str]) -> DataFrame:
        names = F.array(*(F.lit(name) for name in order))
        return lines if len(orders) == 1 else lines.where(F.col("columns") == names)

    return reduce(
        DataFrame.unionByName, (_parse_order(of_order(order), feed, order, told=told) for order in orders)
    )


def _parse_order(lines: DataFrame, feed: Feed, order: Sequence[str], *, told: bool) -> DataFrame:
    schema = ", ".join(f"`{name}` string" for name in order) + ", _corrupt string"
    options = {"mode": "PERMISSIVE", "columnNameOfCorruptRecord": "_corrupt", "escape": '"'}
    parsed = lines.withColumn(FIELDS, F.from_csv(RAW, schema, options))
    quotes = F.length(RAW) - F.length(F.translate(RAW, '"', ""))
    odd_quotes = F.contains(F.col(RAW), F.lit('"')) & (quotes % 2 == 1)  # most lines have none to count
    unreadable = F.col(FIELDS).isNull() | F.col(f"{FIELDS}._corrupt").isNotNull()
    broken = F.when(odd_quotes, F.lit("expected a record on one line, found an odd number of quotes")).when(
        unreadable, F.lit(f"expected {len(order)} fields ({','.join(order)})")
    )
    return judge(parsed, feed, broken, order, lambda fields: F.concat_ws(",", *fields.values()), told=told)
