"""Partitions of the lake: written as a whole, emptied where nothing is left, counted file by file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.table import SOURCE_FILE

DATE_FOLDER = "date"

DAYS_AT_ONCE = 100
"""Days one task writes side by side. Spark would sort its rows by day first, so that only one file is open at
a time: a quarter of 1.8 million flights, written by two tasks, then takes 1.2 GB of a laptop instead of 0.7.
Of more days Spark sorts the rest."""


def replace_partitions(rows: DataFrame, uri: str, *, file_format: str, folder: SparkColumn) -> None:
    """Replace just the partitions that occur in the rows: `uri` + `date=YYYY-MM-DD/`, or `date=all/`.

    The day stays in the files too, because COPY does not read it from the path.

    Args:
        rows: What is written.
        uri: Of the folder above.
        file_format: `parquet` or `json`.
        folder: What stands behind `date=`.
    """
    rows.sparkSession.conf.set("spark.sql.maxConcurrentOutputFileWriters", DAYS_AT_ONCE)
    (
        rows.withColumn(DATE_FOLDER, folder)
        .write.mode("overwrite")
        .option("partitionOverwriteMode", "dynamic")
        .partitionBy(DATE_FOLDER)
        .format(file_format)
        .save(uri)
    )


def read_partitions(spark: SparkSession, uri: str, days: Iterable[str]) -> DataFrame:
    """The landed file of every row in the day partitions that exist; lists nothing but those."""
    paths = [folder.uri for folder in _folders(spark, uri, days) if folder.exists]
    return read_columns(spark, {SOURCE_FILE.name: "string"}, paths)


def read_columns(spark: SparkSession, types: Mapping[str, str], paths: Sequence[str]) -> DataFrame:
    """Columns of Parquet, with their SQL types; no rows where there are no paths."""
    if not paths:
        # `createDataFrame` would start a Python process.
        return spark.range(0).select(*(F.lit(None).cast(kind).alias(name) for name, kind in types.items()))
    return spark.read.schema(", ".join(f"{name} {kind}" for name, kind in types.items())).parquet(*paths)


def remove_partitions(spark: SparkSession, uri: str, days: Iterable[str]) -> None:
    """Remove day partitions, where they exist."""
    for folder in _folders(spark, uri, days):
        folder.remove()


def count_by_file(rows: DataFrame) -> dict[str, int]:
    """Rows by the landed file they came from."""
    return {row[0]: row[1] for row in rows.groupBy(SOURCE_FILE.name).count().collect()}


class LakePath:
    """A file or folder through Hadoop's file system, to which PySpark has no public way."""

    def __init__(self, spark: SparkSession, uri: str) -> None:
        self.uri = uri
        self._jvm = cast("Any", spark._jvm)  # noqa: SLF001
        self._path = self._jvm.org.apache.hadoop.fs.Path(uri)
        self._files = self._path.getFileSystem(spark._jsc.hadoopConfiguration())  # noqa: SLF001

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return bool(self._files.exists(self._path))

    def read_text(self) -> str:
        """A whole file, in UTF-8."""
        stream = self._files.open(self._path)
        try:
            return str(self._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8"))
        finally:
            stream.close()

    def remove(self) -> None:
        """Remove it and all below it, where it is."""
        self._files.delete(self._path, True)


def _folders(spark: SparkSession, uri: str, days: Iterable[str]) -> list[LakePath]:
    return [LakePath(spark, f"{uri}{DATE_FOLDER}={day}") for day in sorted(days)]
