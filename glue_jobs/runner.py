"""What every landed feed's job does around its own transform: read, split into good and rejected, count."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce

from pyspark.sql import DataFrame, Observation, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.drift import RESCUED, evolved_columns
from airline_platform.contract.feed import REPEATED, WHOLE, Feed
from airline_platform.contract.sink import Dimension
from airline_platform.contract.table import SOURCE_FILE
from glue_jobs import csv_files, json_files
from glue_jobs.lake import count_by_file, read_columns, read_partitions, remove_partitions, replace_partitions
from glue_jobs.landing import (
    LINE,
    PARTITION,
    RAW,
    REASON,
    Batch,
    LandedFile,
    batches,
    keep_undivided,
    last_wins,
    read_manifest,
)
from glue_jobs.rows import Transform

COMPILED = 8_000
"""Bytecodes of the largest method that Java compiles by itself; what is larger it interprets, row by row."""


@dataclass(frozen=True)
class FileCount:
    """What became of one landed file.

    Args:
        url: `s3://bucket/key`.
        partition: Its day.
        read: Its rows; each is loaded or rejected.
        loaded: Those that are good; where the file is refused, they are not in the output.
        rejected: Those that are not.
        repeated: Of these, the ones that only are replaced by a later row of their file.
        refused: Why the whole file must not be loaded; empty where it may.
    """

    url: str
    partition: str
    read: int
    loaded: int
    rejected: int
    repeated: int
    refused: str = ""


class FeedRun:
    """One run of a landed feed's job over the files of its manifest.

    Args:
        spark: The session.
        feed: What the files are.
        arguments: The job's: `manifest`, `output`, `rejects`, `max_rejected_share`, `evolved`.
    """

    def __init__(self, spark: SparkSession, feed: Feed, arguments: Mapping[str, str]) -> None:
        # Else Spark makes one method of a whole stage, however large; now it makes smaller ones in that case.
        spark.conf.set("spark.sql.codegen.hugeMethodLimit", COMPILED)
        self.spark = spark
        self.feed = feed
        self.output = arguments["output"]
        self.rejects = arguments["rejects"]
        self.max_rejected_share = float(arguments["max_rejected_share"])
        self.evolved = [] if arguments["evolved"] == NONE else arguments["evolved"].split(",")
        self.columns = feed.job_table.with_columns(evolved_columns(self.evolved)).staged_columns
        self.day = feed.job_table.partition_column
        self.folder = F.col(self.day) if self.day else F.lit(WHOLE)
        self.files = read_manifest(spark, arguments["manifest"])
        keep_undivided(spark, self.files)
        self.format = csv_files if feed.format == "csv" else json_files
        self.file_of = {file.url: file for file in self.files}

    def dimension(self, dimension: Dimension, uri: str) -> DataFrame:
        """A dimension's Parquet, its key first, or no rows where the argument is `none`."""
        types = {column.name: column.glue_type for column in dimension.snapshot}
        return read_columns(self.spark, types, [] if uri == NONE else [uri])

    def execute(self, transform: Transform) -> list[dict[str, object]]:
        """Write the good rows and the rejects of every partition in the manifest.

        A file that may not be loaded has no row in the output; its rejects are written all the same. With no
        file at all, everything but files is tried.

        Returns:
            One `FileCount` as a dict for each file of the manifest.
        """
        if not self.files:
            self._rehearse(transform)
            return []
        read_in_all, loaded = self._write_good(self.judged(self.files, transform, reasons=False), self.files)
        # Where nothing was rejected, what was loaded of a file is what was read of it.
        read = loaded if read_in_all == sum(loaded.values()) else count_by_file(self._records(self.files))
        dirty = [file for file in self.files if read.get(file.url, 0) != loaded.get(file.url, 0)]
        rejected = self._write_rejects(transform, dirty)
        counts = [
            FileCount(url, file.partition, read.get(url, 0), loaded.get(url, 0), *rejected.get(url, (0, 0)))
            for url, file in sorted(self.file_of.items())
        ]
        judged = [replace(each, refused=self._why_refused(each)) for each in counts]
        self._withdraw(transform, judged)
        return [asdict(count) for count in judged]

    def _rehearse(self, transform: Transform) -> None:
        """Run the transform over no rows: what fails here fails for any file."""
        columns = {column.name: column.glue_type for column in self.feed.columns}
        columns |= {PARTITION: "date", "landed_at": "timestamp", SOURCE_FILE.name: "string", LINE: "bigint"}
        columns |= {REASON: "string", RAW: "string", RESCUED.name: "string"}
        transform(read_columns(self.spark, columns, [])).count()

    def _records(self, files: Sequence[LandedFile]) -> DataFrame:
        read: Callable[[SparkSession, Batch], DataFrame] = self.format.read
        return reduce(DataFrame.unionByName, (read(self.spark, batch) for batch in batches(files)))

    def judged(self, files: Sequence[LandedFile], transform: Transform, *, reasons: bool) -> DataFrame:
        """Return the transform's rows, each with its verdict, and with its reason where wanted."""
        parsed: DataFrame = reduce(
            DataFrame.unionByName,
            (
                self.format.parse(self.format.read(self.spark, batch), self.feed, batch, reasons=reasons)
                for batch in batches(files)
            ),
        )
        rows = transform(parsed)
        return last_wins(rows, self.feed.latest.table.key) if self.feed.latest else rows

    def _write_good(self, rows: DataFrame, files: Sequence[LandedFile]) -> tuple[int, dict[str, int]]:
        """Write the good rows; return how many rows were read in all, and how many are good by file."""
        observed = Observation("rows")
        is_good = F.col(REASON).isNull()
        seen = rows.observe(observed, F.count("*").alias("read"), F.count_if(is_good).alias("good"))
        evolved = {name: F.get_json_object(RESCUED.name, f"$.{name}") for name in self.evolved}
        good = seen.where(is_good).withColumns(evolved) if evolved else seen.where(is_good)
        good = good.select(*(column.name for column in self.columns))
        replace_partitions(good, self.output, file_format="parquet", folder=self.folder)
        read, written = observed.get["read"], observed.get["good"]
        days = {file.partition for file in files}
        if len(files) == 1:
            loaded = {files[0].url: written} if written else {}
        else:
            loaded = count_by_file(read_partitions(self.spark, self.output, days))
        if sum(loaded.values()) != written:
            # A day left without a good row still shows what an earlier run wrote.
            loaded = count_by_file(rows.where(is_good))
        left = {self.file_of[url].partition for url in loaded}
        remove_partitions(self.spark, self.output, days - left)
        return read, loaded

    def _write_rejects(self, transform: Transform, dirty: Sequence[LandedFile]) -> dict[str, tuple[int, int]]:
        """Write the rejects of the files that have some, and remove those of an earlier run.

        Returns:
            By file, how many there are, and how many of them are only repeated.
        """
        remove_partitions(self.spark, self.rejects, {file.partition for file in self.files})
        if not dirty:
            return {}
        bad = self.judged(dirty, transform, reasons=True).where(F.col(REASON).isNotNull())
        by_day = [self.day] if self.day else []
        rejects = bad.select(*by_day, SOURCE_FILE.name, F.col(LINE).alias("line_number"), REASON, RAW)
        replace_partitions(rejects, self.rejects, file_format="json", folder=self.folder)
        repeated = F.count_if(F.endswith(REASON, F.lit(REPEATED)))
        counted = rejects.groupBy(SOURCE_FILE.name).agg(F.count("*"), repeated)
        return {row[0]: (row[1], row[2]) for row in counted.collect()}

    def _why_refused(self, count: FileCount) -> str:
        """Why a file may not be loaded; empty where it may."""
        lines = self.file_of[count.url].rows
        if count.read != lines:
            return f"expected {lines:,} rows, by the count of its lines, found {count.read:,}"
        if count.read != count.loaded + count.rejected:
            return (
                f"expected {count.read:,} rows to be loaded or rejected, found {count.loaded:,} loaded and "
                f"{count.rejected:,} rejected"
            )
        share = (count.rejected - count.repeated) / count.read if count.read else 0.0
        if share > self.max_rejected_share:
            return (
                f"expected at most {self.max_rejected_share:.1%} of the rows to be rejected, "
                f"found {share:.1%} of {count.read:,}"
            )
        return "" if count.loaded or not count.read else "expected a row that can be used, found none"

    def _withdraw(self, transform: Transform, counts: Sequence[FileCount]) -> None:
        """Take the rows of refused files out of the output: their days are written again from the others."""
        days = {count.partition for count in counts if count.refused and count.loaded}
        kept = [
            self.file_of[count.url]
            for count in counts
            if count.partition in days and count.loaded and not count.refused
        ]
        if kept:
            self._write_good(self.judged(kept, transform, reasons=False), kept)
        remove_partitions(self.spark, self.output, days - {file.partition for file in kept})


NONE = "none"
"""Stands for nothing, in an argument."""
