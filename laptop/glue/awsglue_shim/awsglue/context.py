"""GlueContext as far as a PySpark script without DynamicFrames needs it."""

from typing import Any

from pyspark.context import SparkContext
from pyspark.sql import SparkSession


class GlueContext:
    """What a script gets its Spark session from."""

    def __init__(self, sparkContext: SparkContext, **options: Any) -> None:  # noqa: N803 - Glue's own name
        """Wrap the job's Spark context; `options` tune DynamicFrames, which are not here."""
        del options
        self.spark_context = sparkContext
        self.spark_session = SparkSession.builder.getOrCreate()
