"""Java compiles no method above 8,000 bytecodes by itself; it interprets it, row by row."""

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from spark_lake import Lake, Transform

from airline_platform.feeds import AIRPORTS, FLIGHTS, Feed
from glue_jobs import csv_files
from glue_jobs.flights_job import transform
from glue_jobs.landing import LINE, POSITION, RAW, REASON
from glue_jobs.runner import COMPILED, FeedRun


def largest_method(rows: DataFrame) -> int:
    """Bytecodes of the largest method that Spark generates for a frame, whose plan is made at once."""
    rows.sparkSession.conf.set("spark.sql.adaptive.enabled", "false")
    execution: Any = rows._jdf.queryExecution()
    stages = execution.debug().codegenToSeq()
    rows.sparkSession.conf.unset("spark.sql.adaptive.enabled")
    return max(stages.apply(place)._3().maxMethodCodeSize() for place in range(stages.size()))


def test_what_finds_good_flights_is_small_enough_to_be_compiled_as_it_tells_no_reasons(
    spark: SparkSession, new_lake: Callable[[Feed, Transform], Lake]
) -> None:
    lake = new_lake(FLIGHTS, transform)
    entry = lake.land(f"{FLIGHTS.prefix}date=2013-01-01/file.csv", f"{FLIGHTS.header}\n")
    airports = "s3://lake/airports/"
    spark.sql("SELECT 1L airport_id, 'a' city, 'b' state, 'c' name").write.parquet(airports)
    arguments = {"manifest": lake.manifest([entry]), "output": "s3://lake/o/", "rejects": "s3://lake/r/"}
    run = FeedRun(spark, FLIGHTS, arguments)
    records = csv_files.records(spark, run.files)

    def good(*, told: bool) -> DataFrame:
        parsed = csv_files.parse(records, FLIGHTS, run.files, told=told)
        is_good = F.col(REASON).isNull()
        seen = transform(parsed, run.dimension(AIRPORTS, airports)).observe(
            Observation(), F.count("*").alias("read"), F.count_if(is_good).alias("good")
        )
        return seen.where(is_good).drop(POSITION, LINE, RAW, REASON)

    assert largest_method(good(told=False)) <= COMPILED < largest_method(good(told=True))
