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
from glue_jobs.reporting import reporting
from glue_jobs.runner import FeedRun

OPTIONS = ["JOB_NAME", "manifest", "airports", "output", "rejects"]


def transform(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """Join both airports to each flight; a flight whose airport is unknown stays, with the names empty.

    Args:
        flights: The feed's columns, typed, with partition_date and `landing.PROVENANCE`.
        airports: airport_id, city, state, name; a doubled id counts once.

    Returns:
        The fact table's columns, then `landing.PROVENANCE`; as many rows as came in.
    """
    # In one partition, dropping doubles needs no shuffle.
    unique = airports.select(*AIRPORTS.table.column_names).coalesce(1).dropDuplicates(["airport_id"])
    origin = F.broadcast(unique).alias("origin")
    destination = F.broadcast(unique).alias("destination")
    joined = (
        flights.alias("flight")
        .join(origin, F.col("flight.OriginAirportID") == F.col("origin.airport_id"), "left")
        .join(destination, F.col("flight.DestAirportID") == F.col("destination.airport_id"), "left")
    )
    columns = {
        "flight_date": f"flight.{PARTITION}",
        "carrier": "flight.Carrier",
        "origin_airport_id": "flight.OriginAirportID",
        "dest_airport_id": "flight.DestAirportID",
        "dep_airport": "origin.name",
        "arr_airport": "destination.name",
        "dep_city": "origin.city",
        "arr_city": "destination.city",
        "dep_state": "origin.state",
        "arr_state": "destination.state",
        "dep_delay": "flight.DepDelay",
        "arr_delay": "flight.ArrDelay",
    }
    return joined.select(
        *(F.col(columns[name]).alias(name) for name in FLIGHTS.table.column_names),
        *(F.col(f"flight.{name}") for name in PROVENANCE),
    )


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
