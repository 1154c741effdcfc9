"""Glue job: landed shipments become typed Parquet, people and all; what can't be one goes to the rejects."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import SHIPMENTS, SHIPMENTS_TYPED
from glue_jobs.landing import LINE, PARTITION, selected
from glue_jobs.program import run_feed_job


def transform(shipments: DataFrame) -> DataFrame:
    """Name the columns as the table of typed shipments has them.

    Args:
        shipments: The feed's columns, typed, with partition_date, landed_at and `landing.PROVENANCE`.

    Returns:
        That table's columns, then `landing.PROVENANCE`; as many rows as came in.
    """
    place = {"file_date": F.col(PARTITION), "record_number": F.col(LINE).cast("bigint")}
    return shipments.withColumns(place).select(selected(SHIPMENTS_TYPED))


if __name__ == "__main__":
    run_feed_job(SHIPMENTS, transform)
