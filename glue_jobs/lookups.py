"""Columns of a fact that come from the airport dimension."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS


def look_up(rows: DataFrame, feed: Feed, airports: DataFrame) -> DataFrame:
    """Add the columns of the feed's lookups; they stay empty where the airport is unknown.

    Args:
        rows: With every lookup's key column.
        feed: Declares the lookups.
        airports: The dimension's columns; a doubled airport_id counts once.

    Returns:
        As many rows as came in.
    """
    # In one partition, dropping doubles needs no shuffle.
    unique = airports.select(*AIRPORTS.table.column_names).coalesce(1).dropDuplicates(["airport_id"])
    for lookup in feed.lookups:
        found = unique.select(
            F.col("airport_id").alias("_found"), *(F.col(its).alias(mine) for mine, its in lookup.filled)
        )
        rows = rows.join(F.broadcast(found), F.col(lookup.key) == F.col("_found"), "left").drop("_found")
    return rows
