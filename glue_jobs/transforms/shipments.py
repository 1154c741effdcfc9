"""Shipments: each city is spelled in one way."""

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention


def transform(shipments: DataFrame) -> DataFrame:
    """Spell the cities of typed shipments in one way.

    Args:
        shipments: With the column `destination_city`.

    Returns:
        As many rows, with the same columns.
    """
    return shipments.withColumn("destination_city", city(F.col("destination_city")))


def city(name: SparkColumn) -> SparkColumn:
    """A city's name with single blanks, each word and each part of it beginning with a capital.

    `winston-salem`, `SAN  JUAN ` and `san_juan` become `Winston-Salem` and `San Juan`.
    """
    words = F.trim(F.regexp_replace(name, r"[\s_\u00A0]+", " "))
    return F.array_join(F.transform(F.split(words, "-"), F.initcap), "-")
