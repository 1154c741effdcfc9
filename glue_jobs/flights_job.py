"""Glue job: landed flights become clean, enriched Parquet; rows that can't be flights go to the rejects.

Arguments: `--manifest` (landed files, see `landing.read_manifest`), `--airports` (Parquet of the airport
dimension, or `none`), `--output` and `--rejects` (prefixes ending in `/`), and Dagster Pipes' two.
Reports to Dagster one message: for every file the rows read, loaded and rejected.
"""

import sys

from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import AIRPORTS, FLIGHTS
from glue_jobs.landing import PARTITION, PROVENANCE
from glue_jobs.lookups import look_up
from glue_jobs.reporting import reporting
from glue_jobs.runner import FeedRun

OPTIONS = ["JOB_NAME", "manifest", "airports", "output", "rejects"]


COLUMNS = {
    "flight_date": PARTITION,
    "carrier": "Carrier",
    "origin_airport_id": "OriginAirportID",
    "dest_airport_id": "DestAirportID",
    "dep_delay": "DepDelay",
    "arr_delay": "ArrDelay",
}
"""The fact's columns that come from the file, and theirs there; the others come from the airports."""


def transform(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """Join both airports to each flight; a flight whose airport is unknown stays, with the names empty.

    Args:
        flights: The feed's columns, typed, with partition_date and `landing.PROVENANCE`.
        airports: airport_id, city, state, name; a doubled id counts once.

    Returns:
        The fact table's columns, then `landing.PROVENANCE`; as many rows as came in.
    """
    renamed = flights.select(*(F.col(theirs).alias(mine) for mine, theirs in COLUMNS.items()), *PROVENANCE)
    return look_up(renamed, FLIGHTS, airports).select(*FLIGHTS.table.column_names, *PROVENANCE)


def main() -> None:
    """Run the job with the arguments Glue passes."""
    arguments = getResolvedOptions(sys.argv, OPTIONS)
    glue = GlueContext(SparkContext.getOrCreate())
    job = Job(glue)
    job.init(arguments["JOB_NAME"], arguments)
    with reporting() as pipes:
        run = FeedRun(glue.spark_session, FLIGHTS, arguments)
        counts = run.execute(lambda landed: transform(landed, run.dimension(AIRPORTS, arguments["airports"])))
        pipes.report_custom_message({"files": counts})
    job.commit()


if __name__ == "__main__":
    main()
