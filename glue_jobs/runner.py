"""What every landed feed's job does around its own transform: read, split into good and rejected, count."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import REPEATED, Feed
from airline_platform.tables import SOURCE_FILE
from glue_jobs import csv_files, json_files
from glue_jobs.lake import count_by_file, read_columns, read_partitions, remove_partitions, replace_partitions
from glue_jobs.landing import LINE, PARTITION, POSITION, RAW, REASON, last_wins, read_manifest

Transform = Callable[[DataFrame], DataFrame]

COMPILED = 8_000
"""Bytecodes of the largest method that Java compiles by itself; what is larger it interprets, row by row."""


@dataclass(frozen=True)
class FileCount:
    """Rows of one landed file: read = loaded + rejected; of these, some only because they are repeated."""

    url: str
    partition: str
    read: int
    loaded: int
    rejected: int
    repeated: int


class FeedRun:
    """One run of a landed feed's job over the files of its manifest.

    Args:
        spark: The session.
        feed: What the files are.
        arguments: The job's: `manifest`, `output`, `rejects`.
    """

    def __init__(self, spark: SparkSession, feed: Feed, arguments: Mapping[str, str]) -> None:
        # Else Spark makes one method of a whole stage, however large; now it makes smaller ones in that case.
        spark.conf.set("spark.sql.codegen.hugeMethodLimit", COMPILED)
        self.spark = spark
        self.feed = feed
        self.output = arguments["output"]
        self.rejects = arguments["rejects"]
        self.partition = feed.table.partition_column or PARTITION
        self.files = read_manifest(spark, arguments["manifest"])
        self.format = csv_files if feed.format == "csv" else json_files
        self.partition_of = {file.url: file.partition for file in self.files}

    def dimension(self, feed: Feed, uri: str) -> DataFrame:
        """A dimension's Parquet, or no rows where the argument is `none`."""
        types = {column.name: column.glue_type for column in feed.table.columns}
        return read_columns(self.spark, types, [] if uri == "none" else [uri])

    def execute(self, transform: Transform) -> list[dict[str, object]]:
        """Write the good rows and the rejects of every partition in the manifest.

        Returns:
            One `FileCount` as a dict for each file of the manifest.

        Raises:
            RuntimeError: Some file gave no row at all, or its rows read are not rows loaded plus rejected.
        """
        records = self.format.records(self.spark, self.files)
        read_in_all, loaded = self._write_good(self._judged(records, transform, told=False))
        # Where nothing was rejected, what was loaded of a file is what was read of it.
        read = loaded if read_in_all == sum(loaded.values()) else count_by_file(records)
        dirty = {url for url in self.partition_of if read.get(url, 0) != loaded.get(url, 0)}
        rejected = self._write_rejects(transform, dirty)
        return self._balance(read, loaded, rejected)

    def _judged(self, records: DataFrame, transform: Transform, *, told: bool) -> DataFrame:
        """The transform's rows, each with its verdict, and with its reason where it is to be told."""
        rows = transform(self.format.parse(records, self.feed, self.files, told=told))
        return last_wins(rows, self.feed.newest.table.key) if self.feed.newest else rows

    def _write_good(self, rows: DataFrame) -> tuple[int, dict[str, int]]:
        """Write the good rows; return how many rows were read in all, and how many are good by file."""
        observed = Observation("rows")
        is_good = F.col(REASON).isNull()
        seen = rows.observe(observed, F.count("*").alias("read"), F.count_if(is_good).alias("good"))
        good = seen.where(is_good).drop(POSITION, LINE, RAW, REASON)
        replace_partitions(good, self.output, file_format="parquet", partition=self.partition)
        read, written = observed.get["read"], observed.get["good"]
        days = set(self.partition_of.values())
        if len(self.files) == 1:
            loaded = {self.files[0].url: written} if written else {}
        else:
            loaded = count_by_file(read_partitions(self.spark, self.output, days))
        if sum(loaded.values()) != written:
            # A day left without a good row still shows what an earlier run wrote.
            loaded = count_by_file(rows.where(is_good))
        remove_partitions(self.spark, self.output, days - {self.partition_of[url] for url in loaded})
        return read, loaded

    def _write_rejects(self, transform: Transform, dirty: set[str]) -> dict[str, tuple[int, int]]:
        """Write the rejects of the files that have some, and remove those of an earlier run.

        Returns:
            By file, how many there are, and how many of them are only repeated.
        """
        remove_partitions(self.spark, self.rejects, set(self.partition_of.values()))
        if not dirty:
            return {}
        files = [file for file in self.files if file.url in dirty]
        numbered = self.format.records(self.spark, files, numbered=True)
        bad = self._judged(numbered, transform, told=True).where(F.col(REASON).isNotNull())
        rejects = bad.select(self.partition, SOURCE_FILE.name, LINE, REASON, RAW)
        replace_partitions(rejects, self.rejects, file_format="json", partition=self.partition)
        repeated = F.count_if(F.endswith(REASON, F.lit(REPEATED)))
        counted = rejects.groupBy(SOURCE_FILE.name).agg(F.count("*"), repeated)
        return {row[0]: (row[1], row[2]) for row in counted.collect()}

    def _balance(
        self, read: Mapping[str, int], loaded: Mapping[str, int], rejected: Mapping[str, tuple[int, int]]
    ) -> list[dict[str, object]]:
        counts = [
            FileCount(url, day, read.get(url, 0), loaded.get(url, 0), *rejected.get(url, (0, 0)))
            for url, day in sorted(self.partition_of.items())
        ]
        wrong = [count for count in counts if count.read == 0 or count.read != count.loaded + count.rejected]
        if wrong:
            raise RuntimeError(f"expected rows, and rows read = loaded + rejected, in every file: {wrong}")
        return [asdict(count) for count in counts]
