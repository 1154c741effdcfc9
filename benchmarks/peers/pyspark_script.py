"""A Glue job written by hand for this one feed: the peer of `glue_jobs/flights_job.py`.

Arguments: `--flights` (folder of `date=YYYY-MM-DD/*.csv`), `--airports` (Parquet), `--output`, `--rejects`.
"""

import argparse

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

SCHEMA = "Carrier STRING, OriginAirportID STRING, DestAirportID STRING, DepDelay STRING, ArrDelay STRING"
COLUMNS = [
    *("flight_date", "carrier", "origin_airport_id", "dest_airport_id"),
    *("dep_airport", "arr_airport", "dep_city", "arr_city", "dep_state", "arr_state"),
    *("dep_delay", "arr_delay"),
]


def read_flights(spark: SparkSession, folder: str) -> DataFrame:
    """The flights, typed; `usable` says which rows are flights."""
    flights = (
        spark.read.csv(folder, schema=SCHEMA, header=True)
        .withColumnRenamed("date", "flight_date")
        .withColumn("origin_airport_id", F.col("OriginAirportID").cast("bigint"))
        .withColumn("dest_airport_id", F.col("DestAirportID").cast("bigint"))
        .withColumn("dep_delay", F.col("DepDelay").cast("bigint"))
        .withColumn("arr_delay", F.col("ArrDelay").cast("bigint"))
    )
    usable = (
        F.col("Carrier").isNotNull()
        & F.col("origin_airport_id").isNotNull()
        & F.col("dest_airport_id").isNotNull()
        & (F.col("DepDelay").isNull() | F.col("dep_delay").isNotNull())
        & (F.col("ArrDelay").isNull() | F.col("arr_delay").isNotNull())
    )
    return flights.withColumn("usable", usable)


def join_airports(flights: DataFrame, airports: DataFrame) -> DataFrame:
    """The fact's columns."""
    for key, prefix in (("origin_airport_id", "dep"), ("dest_airport_id", "arr")):
        named = airports.select(
            F.col("airport_id").alias(key),
            F.col("name").alias(f"{prefix}_airport"),
            F.col("city").alias(f"{prefix}_city"),
            F.col("state").alias(f"{prefix}_state"),
        )
        flights = flights.join(F.broadcast(named), key, "left")
    return flights.withColumnRenamed("Carrier", "carrier").select(COLUMNS)


def main() -> None:
    """Replace the days of the folder."""
    parser = argparse.ArgumentParser()
    for name in ("flights", "airports", "output", "rejects"):
        parser.add_argument(f"--{name}", required=True)
    options, _ = parser.parse_known_args()

    spark = SparkSession.builder.getOrCreate()
    spark.conf.set("spark.sql.sources.partitionOverwriteMode", "dynamic")
    # Not cached, though it is read three times: that takes longer.
    flights = read_flights(spark, options.flights)
    airports = spark.read.parquet(options.airports)

    good = join_airports(flights.where("usable"), airports)
    good.write.mode("overwrite").partitionBy("flight_date").parquet(options.output)
    bad = flights.where("not usable").select("flight_date", *SCHEMA.replace(" STRING", "").split(", "))
    bad.write.mode("overwrite").partitionBy("flight_date").json(options.rejects)

    for row in flights.groupBy("flight_date", "usable").count().collect():
        print(row["flight_date"], "loaded" if row["usable"] else "rejected", row["count"])  # noqa: T201 - its log


if __name__ == "__main__":
    main()
