"""A landing and a lake for Spark's tests, on this disk."""

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from pyspark.sql import DataFrame, Row, SparkSession

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.feeds import FEEDS
from airline_platform.files.names import is_gzip
from glue_jobs.rows import transform_of
from glue_jobs.runner import FeedRun
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Refused

SLICE = 1 << 20
"""Bytes of a landed file that are judged at once, as the landing reads them."""

LANDED = "2013-01-02T03:04:05+00:00"


@dataclass(frozen=True)
class Outcome:
    """What one run made of many files: a run costs seconds, a file in it next to nothing.

    Args:
        counts: What the job reports, by the file's name.
        rows: Loaded rows, by the file's name and by line.
        rejects: As `rows`.
    """

    counts: dict[str, dict[str, Any]]
    rows: dict[str, dict[int, Row]]
    rejects: dict[str, dict[int, dict[str, Any]]]

    def of(self, name: str) -> tuple[int, int, int]:
        """Rows read, loaded and rejected of a file."""
        count = self.counts[name]
        return count["read"], count["loaded"], count["rejected"]

    def reasons(self, name: str) -> dict[int, str]:
        """Why lines of a file are rejected."""
        return {line: reject["reject_reason"] for line, reject in self.rejects[name].items()}


class Lake:
    """A landing and a lake bucket on this disk, which Spark knows as `s3://landing` and `s3://lake`."""

    def __init__(self, spark: SparkSession, folder: Path, feed: Feed) -> None:
        self.spark = spark
        self.feed = feed
        self.landing = folder / "landing"
        self.lake = folder / "lake"
        for bucket in (self.landing, self.lake):
            bucket.mkdir(parents=True)

    def land(self, key: str, body: bytes | str, *, at: str = LANDED) -> dict[str, Any]:
        """Put a file and return its entry of the manifest, as the landing judges it."""
        found = self.judged(key, body, at=at)
        assert isinstance(found, dict), found
        return found

    def judged(self, key: str, body: bytes | str, *, at: str = LANDED) -> dict[str, Any] | Refused:
        """Put a file that may be refused."""
        path = self.landing / key
        path.parent.mkdir(parents=True, exist_ok=True)
        body = body.encode() if isinstance(body, str) else body
        path.write_bytes(body)
        reading = self.feed.reading_of(key)
        pieces = [body[start : start + SLICE] for start in range(0, len(body), SLICE)]
        verdict = judge(self.feed, pieces, len(body), reading=reading, gzipped=is_gzip(key))
        if isinstance(verdict, Refused):
            return verdict
        return {
            "url": f"s3://landing/{key}",
            "partition": key.partition("date=")[2][:10] or WHOLE,
            "landed_at": at,
            "header": verdict.header,
            "columns": verdict.columns,
            "shape": verdict.shape,
            "first": verdict.first,
            "rows": verdict.rows,
            "size": len(body),
            "ascii": verdict.ascii,
            "reading": verdict.reading.as_json(),
        }

    def manifest(self, entries: Sequence[Mapping[str, Any]]) -> str:
        name = f"{uuid.uuid4()}.manifest"
        (self.lake / name).write_text(json.dumps({"entries": entries}))
        return f"s3://lake/{name}"

    def arguments(self, *entries: Mapping[str, Any]) -> dict[str, str]:
        """What the job is started with."""
        return {
            "manifest": self.manifest(entries),
            "output": "s3://lake/enriched/",
            "rejects": "s3://lake/rejects/",
            "max_rejected_share": "1",
            "evolved": "none",
        }

    def run(
        self, *entries: Mapping[str, Any], airports: str = "none", secret: str = ""
    ) -> dict[str, tuple[int, int, int]]:
        """Run the feed over landed files; rows read, loaded and rejected by key."""
        counts = self.counts(*entries, airports=airports, secret=secret)
        return {
            count["url"].removeprefix("s3://landing/"): (count["read"], count["loaded"], count["rejected"])
            for count in counts
        }

    def counts(
        self,
        *entries: Mapping[str, Any],
        airports: str = "none",
        secret: str = "",
        max_rejected_share: float = 1,
        evolved: str = "none",
        transform: Callable[[DataFrame], DataFrame] | None = None,
    ) -> list[dict[str, Any]]:
        """What the job reports of each file; rows are made as the feed declares, or by another transform."""
        arguments = self.arguments(*entries) | {
            "max_rejected_share": str(max_rejected_share),
            "evolved": evolved,
        }
        # Each run of a job has a session of its own, without what another one has set.
        name = "spark.sql.files.openCostInBytes"
        self.spark.conf.set(name, self.spark.sparkContext.getConf().get(name, ""))
        run = FeedRun(self.spark, self.feed, arguments)
        dimensions = {
            name: run.dimension(FEEDS[name].becomes, airports)  # type: ignore[arg-type]
            for name in self.feed.dimensions
        }
        counts: Any = run.execute(transform or transform_of(self.feed, dimensions, secret))
        return list(counts)

    def outcome(self, *entries: Mapping[str, Any], **arguments: Any) -> Outcome:
        """Run the feed over files of different names; what became of each."""
        counts = {name_of(count["url"]): count for count in self.counts(*entries, **arguments)}
        assert len(counts) == len(entries), "two files of one name"
        rows: dict[str, dict[int, Row]] = {name: {} for name in counts}
        rejects: dict[str, dict[int, dict[str, Any]]] = {name: {} for name in counts}
        for row in self.loaded():
            assert rows[name_of(row.source_file)].setdefault(row.source_line, row) is row
        for reject in self.rejects():
            rejects[name_of(reject["source_file"])][reject["line_number"]] = reject
        return Outcome(counts, rows, rejects)

    def loaded(self) -> list[Row]:
        """All rows of the lake, read by Arrow, as what loads them does; the day's folder comes last."""
        assert (self.lake / "enriched").exists(), "nothing was written"
        return [row for path in sorted((self.lake / "enriched").rglob("*.parquet")) for row in rows_of(path)]

    def rejects(self) -> list[dict[str, Any]]:
        found = (self.lake / "rejects").rglob("*.json")
        lines = [json.loads(line) for path in found for line in path.read_text().splitlines()]
        return sorted(lines, key=lambda reject: (reject["source_file"], reject["line_number"]))

    def files(self, dataset: str, day: str) -> dict[str, bytes]:
        folder = self.lake / dataset / f"date={day}"
        return {path.name: path.read_bytes() for path in folder.glob("*")} if folder.exists() else {}


def name_of(url: str) -> str:
    """A file's name, without its bucket and folders."""
    return url.rpartition("/")[2]


def rows_of(path: Path) -> list[Row]:
    """The rows of one Parquet file of a day, with times as Spark gives them: UTC, without saying so."""
    table = parquet.ParquetFile(path).read()
    # Spark writes nanoseconds that are none.
    times = [
        pa.timestamp("us") if pa.types.is_timestamp(field.type) else field.type for field in table.schema
    ]
    table = table.cast(pa.schema(list(zip(table.schema.names, times, strict=True))))
    folder = path.parent.name.removeprefix("date=")
    day = None if folder == WHOLE else date.fromisoformat(folder)
    return [Row(**values, date=day) for values in table.to_pylist()]
