"""Glue job: typed shipments lose their customers, and every shipment but its newest row.

Arguments: `--manifest` (typed Parquet files, each with its day), `--output` (prefix ending in `/`), Dagster
Pipes' two and `--caller`. Reports to Dagster, for every landed file, the rows it read and the rows it wrote.
"""

import json

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.table import SOURCE_FILE, SOURCE_LINE
from airline_platform.feeds.shipments import SHIPMENTS, SHIPMENTS_TYPED
from glue_jobs.lake import LakePath, count_by_file, read_columns, read_partitions, replace_partitions
from glue_jobs.program import job_run

NEWEST_FIRST = ("landed_at", SOURCE_FILE.name, SOURCE_LINE.name)
"""Of a shipment's rows the one counts whose file landed last, and in it the last one."""


def transform(shipments: DataFrame) -> DataFrame:
    """Take out who is shipped to, spell cities in one way, keep the newest row of each shipment of a day.

    Args:
        shipments: Columns of the table of typed shipments.

    Returns:
        The normalized table's columns; one row per file_date and shipping_id.
    """
    table = SHIPMENTS.table
    newest = Window.partitionBy(*table.key).orderBy(*(F.col(name).desc() for name in NEWEST_FIRST))
    kept = shipments.withColumn("_place", F.row_number().over(newest)).where(F.col("_place") == 1)
    return kept.withColumn("destination_city", city(F.col("destination_city"))).select(*table.column_names)


def city(name: SparkColumn) -> SparkColumn:
    """A city's name with single blanks, each word and each part of it beginning with a capital.

    `winston-salem`, `SAN  JUAN ` and `san_juan` become `Winston-Salem` and `San Juan`.
    """
    words = F.trim(F.regexp_replace(name, r"[\s_\u00A0]+", " "))
    return F.array_join(F.transform(F.split(words, "-"), F.initcap), "-")


def normalize(spark: SparkSession, manifest: str, output: str) -> list[dict[str, object]]:
    """Replace the days of the manifest in the output.

    Args:
        spark: The session.
        manifest: URI of the list of typed files; with none in it, everything but files is tried.
        output: URI of the normalized table's folder.

    Returns:
        For every landed file its `url`, and how many rows were `read` and `loaded`.
    """
    entries = json.loads(LakePath(spark, manifest).read_text())["entries"]
    types = {column.name: column.glue_type for column in SHIPMENTS_TYPED.columns}
    typed = read_columns(spark, types, [entry["url"] for entry in entries])
    partition = SHIPMENTS.table.partition_column or ""
    replace_partitions(transform(typed), output, file_format="parquet", partition=partition)
    read = count_by_file(typed)
    loaded = count_by_file(read_partitions(spark, output, {entry["partition"] for entry in entries}))
    return [{"url": url, "read": rows, "loaded": loaded.get(url, 0)} for url, rows in sorted(read.items())]


def main() -> None:
    """Run the job with the arguments Glue passes."""
    with job_run(["manifest", "output"]) as job:
        job.report(normalize(job.spark, job.arguments["manifest"], job.arguments["output"]))


if __name__ == "__main__":
    main()
