"""GlueContext as far as a PySpark script without DynamicFrames needs it."""

import logging
from typing import Any

from pyspark.context import SparkContext
from pyspark.sql import SparkSession


class GlueLogger:
    """Glue's logger: `debug`, `info`, `warn`, `error`, each with one text."""

    def __init__(self) -> None:
        """Write where Python's logger `glue` writes."""
        self._logger = logging.getLogger("glue")
        if not self._logger.handlers:
            handler = logging.StreamHandler()
            handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
            self._logger.addHandler(handler)
            self._logger.setLevel(logging.INFO)

    def debug(self, message: str) -> None:
        """Log at DEBUG."""
        self._logger.debug(message)

    def info(self, message: str) -> None:
        """Log at INFO."""
        self._logger.info(message)

    def warn(self, message: str) -> None:
        """Log at WARNING."""
        self._logger.warning(message)

    def error(self, message: str) -> None:
        """Log at ERROR."""
        self._logger.error(message)


class GlueContext:
    """What a script gets its Spark session from."""

    def __init__(self, sparkContext: SparkContext, **options: Any) -> None:  # noqa: N803 - Glue's own name
        """Wrap the job's Spark context; `options` tune DynamicFrames, which are not here."""
        del options
        self.spark_context = sparkContext
        self.spark_session = SparkSession.builder.getOrCreate()

    def get_logger(self) -> GlueLogger:
        """The job's logger; it writes to the error log, as Glue's does."""
        return GlueLogger()
