"""Java compiles no method above 8,000 bytecodes by itself; it interprets it, row by row."""

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from spark_lake import Lake

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from glue_jobs.landing import REASON
from glue_jobs.rows import transform_of
from glue_jobs.runner import COMPILED, FeedRun


def largest_method(rows: DataFrame) -> int:
    """Bytecodes of the largest method that Spark generates for a frame, whose plan is made at once."""
    rows.sparkSession.conf.set("spark.sql.adaptive.enabled", "false")
    execution: Any = rows._jdf.queryExecution()
    stages = execution.debug().codegenToSeq()
    rows.sparkSession.conf.unset("spark.sql.adaptive.enabled")
    return max(stages.apply(place)._3().maxMethodCodeSize() for place in range(stages.size()))


def test_what_finds_good_flights_is_small_enough_to_be_compiled_as_it_tells_no_reasons(
    spark: SparkSession, new_lake: Callable[[Feed], Lake]
) -> None:
    lake = new_lake(FLIGHTS)
    entry = lake.land(f"{FLIGHTS.prefix}date=2013-01-01/file.csv", f"{FLIGHTS.header}\nUA,1,2,3,4\n")
    airports = "s3://lake/airports/"
    spark.sql("SELECT 1L airport_id, 'a' city, 'b' state, 'c' name").write.parquet(airports)
    arguments = lake.arguments(entry)
    run = FeedRun(spark, FLIGHTS, arguments)

    def good(*, reasons: bool) -> DataFrame:
        is_good = F.col(REASON).isNull()
        known = run.dimension(AIRPORTS.becomes, airports)
        seen = run.judged(run.files, transform_of(FLIGHTS, {"airports": known}), reasons=reasons).observe(
            Observation(), F.count("*").alias("read"), F.count_if(is_good).alias("good")
        )
        return seen.where(is_good).select(*(column.name for column in run.columns))

    assert largest_method(good(reasons=False)) <= COMPILED < largest_method(good(reasons=True))
