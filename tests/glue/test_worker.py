"""What a job may leave in the JVM that runs the next one."""

import pytest
from pyspark.sql import SparkSession

from laptop.spark.worker import leave_clean


def test_cached_rows_and_a_sessions_own_views_are_taken_back(spark: SparkSession) -> None:
    session = spark.newSession()
    session.range(3).cache().createOrReplaceTempView("mine")
    assert session.table("mine").count() == 3

    assert leave_clean(session)
    assert spark.sparkContext._jsc.sc().getPersistentRDDs().isEmpty()


@pytest.mark.parametrize(
    ("leave", "take_back"),
    [
        ("CREATE TABLE kept USING parquet AS SELECT 1 AS a", "DROP TABLE kept"),
        ("CREATE DATABASE kept", "DROP DATABASE kept"),
        ("CREATE GLOBAL TEMPORARY VIEW kept AS SELECT 1 AS a", "DROP VIEW global_temp.kept"),
    ],
)
def test_what_all_sessions_see_is_told(spark: SparkSession, leave: str, take_back: str) -> None:
    spark.sql(leave)
    left = leave_clean(spark)
    spark.sql(take_back)

    assert not left
    assert leave_clean(spark)


def test_rows_somebody_keeps_by_hand_are_told(spark: SparkSession) -> None:
    kept = spark.range(1)._jdf.rdd().cache()
    assert kept.count() == 1
    left = leave_clean(spark)
    kept.unpersist(True)

    assert not left
    assert leave_clean(spark)
