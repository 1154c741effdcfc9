"""The classic Glue script: one landed file of flights, both airports joined, into the warehouse.

Such scripts write by Glue's Redshift connection. Stock Spark has no JDBC driver, so the driver collects the
file's rows and COPYs them, which for one day is faster than either.
"""

import csv
import io
import json
import re
import sys
from typing import Any

import boto3
import psycopg2
from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

FLIGHTS = "Carrier STRING, OriginAirportID BIGINT, DestAirportID BIGINT, DepDelay BIGINT, ArrDelay BIGINT"
AIRPORTS = "airport_id BIGINT, city STRING, state STRING, name STRING"
COLUMNS = (
    "flight_date",
    "carrier",
    "dep_airport",
    "arr_airport",
    "dep_city",
    "arr_city",
    "dep_state",
    "arr_state",
    "dep_delay",
    "arr_delay",
)
COPY = f"COPY classic.daily_flights_processed ({', '.join(COLUMNS)}) FROM STDIN WITH (FORMAT csv)"


def enrich(spark: SparkSession, flights: str, airports: str) -> DataFrame:
    """The file's flights with both airports spelled out; its folder, `date=YYYY-MM-DD`, says which day."""
    (day,) = re.findall(r"date=(\d{4}-\d{2}-\d{2})/", flights)
    landed = spark.read.csv(flights, header=True, schema=FLIGHTS)
    known = F.broadcast(spark.read.csv(airports, header=True, schema=AIRPORTS))
    origin = known.selectExpr(
        "airport_id OriginAirportID", "name dep_airport", "city dep_city", "state dep_state"
    )
    dest = known.selectExpr(
        "airport_id DestAirportID", "name arr_airport", "city arr_city", "state arr_state"
    )
    return (
        landed.join(origin, "OriginAirportID", "left")
        .join(dest, "DestAirportID", "left")
        .withColumnsRenamed({"Carrier": "carrier", "DepDelay": "dep_delay", "ArrDelay": "arr_delay"})
        .withColumn("flight_date", F.lit(day))
        .select(*COLUMNS)
    )


def load(rows: list[Any], secret: str) -> None:
    """Append rows to the table, in one transaction."""
    login = json.loads(boto3.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"])
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    text.seek(0)
    connection = psycopg2.connect(
        host=login["host"],
        port=login["port"],
        dbname=login["dbname"],
        user=login["username"],
        password=login["password"],
    )
    with connection, connection.cursor() as cursor:
        cursor.copy_expert(COPY, text)
    connection.close()


def main() -> None:
    """Run as Glue runs it."""
    arguments = getResolvedOptions(sys.argv, ["JOB_NAME", "input", "airports", "warehouse"])
    context = GlueContext(SparkContext())
    job = Job(context)
    job.init(arguments["JOB_NAME"], arguments)
    enriched = enrich(context.spark_session, arguments["input"], arguments["airports"])
    load(enriched.collect(), arguments["warehouse"])
    job.commit()


if __name__ == "__main__":
    main()
