"""What every landed feed's job does around its own transform: read, split into good and rejected, count."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import Feed
from glue_jobs.lake import count_by_file, read_partitions, remove_partitions, replace_partitions
from glue_jobs.landing import (
    LINE,
    PARTITION,
    PROVENANCE,
    RAW,
    REASON,
    column_orders,
    data_lines,
    number_lines,
    parse,
    read_lines,
    read_manifest,
)

Transform = Callable[[DataFrame], DataFrame]


@dataclass(frozen=True)
class FileCount:
    """Rows of one landed file: read = loaded + rejected."""

    url: str
    partition: str
    read: int
    loaded: int
    rejected: int


class FeedRun:
    """One run of a landed feed's job over the files of its manifest.

    Args:
        spark: The session.
        feed: What the files are.
        arguments: The job's: `manifest`, `output`, `rejects`.
    """

    def __init__(self, spark: SparkSession, feed: Feed, arguments: Mapping[str, str]) -> None:
        self.spark = spark
        self.feed = feed
        self.output = arguments["output"]
        self.rejects = arguments["rejects"]
        self.partition = feed.table.partition_column or PARTITION
        self.files = read_manifest(spark, arguments["manifest"]).cache()
        self.orders = column_orders(self.files)
        self.partition_of = {
            row.url: row.partition for row in self.files.select("url", "partition").collect()
        }

    def dimension(self, feed: Feed, uri: str) -> DataFrame:
        """A dimension's Parquet, or no rows where the argument is `none`."""
        if uri == "none":
            columns = ", ".join(f"{c.name} {c.glue_type}" for c in feed.table.columns)
            return self.spark.createDataFrame([], columns)
        return self.spark.read.parquet(uri)

    def execute(self, transform: Transform) -> list[dict[str, object]]:
        """Write the good rows and the rejects of every partition in the manifest.

        Returns:
            One `FileCount` as a dict for each file of the manifest.

        Raises:
            RuntimeError: Some file gave no row at all, or its rows read are not rows loaded plus rejected.
        """
        lines = data_lines(read_lines(self.spark, self.files))
        read = count_by_file(lines)
        loaded = self._write_good(transform(parse(lines, self.feed, self.orders)))
        dirty = [url for url in self.partition_of if read.get(url, 0) != loaded.get(url, 0)]
        rejected = self._write_rejects(transform, dirty)
        return self._balance(read, loaded, rejected)

    def _write_good(self, rows: DataFrame) -> dict[str, int]:
        """Write the good rows; return how many by file, read back from what was written."""
        observed = Observation("good")
        good = rows.where(F.col(REASON).isNull()).drop(LINE, RAW, REASON)
        good = good.observe(observed, F.count("*").alias("n"))
        replace_partitions(good, self.output, file_format="parquet", partition=self.partition)
        days = set(self.partition_of.values())
        written = count_by_file(read_partitions(self.spark, self.output, days))
        if sum(written.values()) != observed.get["n"]:
            # A day left without a good row still shows what an earlier run wrote: it must go.
            written = count_by_file(good)
            filled = {self.partition_of[url] for url in written}
            remove_partitions(self.spark, self.output, days - filled)
        return written

    def _write_rejects(self, transform: Transform, dirty: list[str]) -> dict[str, int]:
        """Write the rejects of the files that have some, and remove those of an earlier run."""
        remove_partitions(self.spark, self.rejects, set(self.partition_of.values()))
        if not dirty:
            return {}
        files = self.files.where(F.col("url").isin(dirty))
        numbered = data_lines(number_lines(read_lines(self.spark, files)))
        judged = transform(parse(numbered, self.feed, self.orders))
        rejects = judged.where(F.col(REASON).isNotNull()).select(self.partition, *PROVENANCE)
        replace_partitions(rejects, self.rejects, file_format="json", partition=self.partition)
        return count_by_file(rejects)

    def _balance(
        self, read: Mapping[str, int], loaded: Mapping[str, int], rejected: Mapping[str, int]
    ) -> list[dict[str, object]]:
        counts = [
            FileCount(url, day, read.get(url, 0), loaded.get(url, 0), rejected.get(url, 0))
            for url, day in sorted(self.partition_of.items())
        ]
        wrong = [count for count in counts if count.read == 0 or count.read != count.loaded + count.rejected]
        if wrong:
            raise RuntimeError(f"expected rows, and rows read = loaded + rejected, in every file: {wrong}")
        return [asdict(count) for count in counts]
