"""Glue job: landed shipments become typed Parquet, people and all; what can't be one goes to the rejects."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds.shipments import SHIPMENTS, SHIPMENTS_TYPED
from glue_jobs.landing import PARTITION, REASON, selected
from glue_jobs.program import run_feed_job

NO_CITY = "destination_city: expected a name with a letter in it"


def transform(shipments: DataFrame) -> DataFrame:
    """Name the columns as the table of typed shipments has them.

    Args:
        shipments: The feed's columns, typed, with partition_date, landed_at and `landing.PROVENANCE`.

    Returns:
        That table's columns, then `landing.PROVENANCE`; as many rows as came in.
    """
    named = F.col("destination_city").rlike(r"[\p{L}\p{N}]")
    judged = shipments.withColumn(REASON, F.coalesce(REASON, F.when(~named, NO_CITY)))
    return judged.withColumn("file_date", F.col(PARTITION)).select(selected(SHIPMENTS_TYPED))


if __name__ == "__main__":
    run_feed_job(SHIPMENTS, transform)
