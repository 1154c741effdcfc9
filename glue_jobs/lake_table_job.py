"""Glue job of a feed that stays in the lake: typed rows lose whom they name, and all but the latest of a key.

Arguments: `--feed`, `--manifest` (typed Parquet files, each with its day), `--output` (prefix ending in `/`),
Dagster Pipes' two and `--caller`. Reports to Dagster, for every landed file, the rows it read and the rows it
wrote.
"""

import json

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE
from glue_jobs.lake import LakePath, count_by_file, read_columns, read_partitions, replace_partitions
from glue_jobs.program import job_run
from glue_jobs.rows import own_transform

LATEST_FIRST = (LANDED_AT.name, SOURCE_FILE.name, SOURCE_LINE.name)
"""Of the rows with a key the one counts whose file landed last, and in it the last one."""


def transform(rows: DataFrame, feed: Feed) -> DataFrame:
    """Keep the latest row of each key, without the columns that the table does not have.

    Args:
        rows: Columns of the feed's typed table.
        feed: Declares the table, its key, and its own transform.

    Returns:
        The table's columns; one row for each key.
    """
    table = feed.table
    latest = Window.partitionBy(*table.key).orderBy(*(F.col(name).desc() for name in LATEST_FIRST))
    kept = rows.withColumn("_place", F.row_number().over(latest)).where(F.col("_place") == 1)
    return own_transform(feed.transform)(kept).select(*table.column_names)


def replace_days(spark: SparkSession, feed: Feed, manifest: str, output: str) -> list[dict[str, object]]:
    """Replace the days of the manifest in the output.

    Args:
        spark: The session.
        feed: Whose typed rows they are.
        manifest: URI of the list of typed files; with none in it, everything but files is tried.
        output: URI of the table's folder.

    Returns:
        For every landed file its `url`, and how many rows were `read` and `loaded`.
    """
    entries = json.loads(LakePath(spark, manifest).read_text())["entries"]
    types = {column.name: column.glue_type for column in feed.job_table.columns}
    typed = read_columns(spark, types, [entry["url"] for entry in entries])
    day = F.col(feed.table.partition_column or "")
    replace_partitions(transform(typed, feed), output, file_format="parquet", folder=day)
    read = count_by_file(typed)
    loaded = count_by_file(read_partitions(spark, output, {entry["partition"] for entry in entries}))
    return [{"url": url, "read": rows, "loaded": loaded.get(url, 0)} for url, rows in sorted(read.items())]


def main() -> None:
    """Run the job with the arguments Glue passes."""
    with job_run(["manifest", "output"]) as job:
        job.report(replace_days(job.spark, job.feed, job.arguments["manifest"], job.arguments["output"]))


if __name__ == "__main__":
    main()
