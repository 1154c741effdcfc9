"""Glue job: landed bookings become clean, enriched Parquet without people; bad rows go to the rejects."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds.bookings import BOOKINGS
from glue_jobs.landing import PARTITION, REASON, selected
from glue_jobs.lookups import look_up
from glue_jobs.people import with_key_of
from glue_jobs.program import run_feed_job

TOO_EARLY = "flight_date: expected the day of booked_at (in UTC) or a later one"


def transform(bookings: DataFrame, airports: DataFrame, secret: str) -> DataFrame:
    """Put a key in the place of the customer, judge the dates, join both airports.

    Args:
        bookings: The feed's columns, typed, with partition_date, landed_at and `landing.PROVENANCE`.
        airports: airport_id, city, state, name; a doubled id counts once.
        secret: Key of the customers' hashes.

    Returns:
        The status table's columns, then `landing.PROVENANCE`; as many rows as came in.
    """
    judged = bookings.withColumn(
        REASON, F.coalesce(REASON, F.when(F.to_date("booked_at") > F.col("flight_date"), TOO_EARLY))
    ).withColumnRenamed(PARTITION, "file_date")
    keyed = with_key_of(judged, "customer_key", F.lower("email"), secret)
    return look_up(keyed, BOOKINGS, airports).select(selected(BOOKINGS.table))


if __name__ == "__main__":
    run_feed_job(BOOKINGS, transform)
