"""Glue job: landed flights become clean, enriched Parquet; rows that can't be flights go to the rejects."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds.flights import FLIGHTS
from glue_jobs.landing import PARTITION, PROVENANCE, selected
from glue_jobs.lookups import look_up
from glue_jobs.program import run_feed_job

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
    return look_up(renamed, FLIGHTS, airports).select(selected(FLIGHTS.table))


if __name__ == "__main__":
    run_feed_job(FLIGHTS, transform)
