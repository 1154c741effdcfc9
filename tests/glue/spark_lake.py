"""A landing and a lake for Spark's tests, on this disk."""

import csv
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, Row, SparkSession

from airline_platform.feeds import AIRPORTS, Feed
from glue_jobs.runner import FeedRun

LANDED = "2013-01-02T03:04:05+00:00"

Transform = Callable[..., DataFrame]


class Lake:
    """A landing and a lake bucket on this disk, which Spark knows as `s3://landing` and `s3://lake`."""

    def __init__(self, spark: SparkSession, folder: Path, feed: Feed, transform: Transform) -> None:
        self.spark = spark
        self.feed = feed
        self.transform = transform
        self.landing = folder / "landing"
        self.lake = folder / "lake"
        for bucket in (self.landing, self.lake):
            bucket.mkdir(parents=True)

    def land(
        self, key: str, body: bytes | str, *, header: str = "", at: str = LANDED, shape: str = "lines"
    ) -> dict[str, Any]:
        """Put a file and return its entry of the manifest."""
        header = header or self.feed.header
        path = self.landing / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body.encode() if isinstance(body, str) else body)
        wanted = {column.name.casefold(): column.name for column in self.feed.columns}
        names = [wanted[name.casefold()] for name in next(csv.reader([header]))]
        day = key.partition("date=")[2][:10]
        return {
            "url": f"s3://landing/{key}",
            "partition": day,
            "landed_at": at,
            "header": header,
            "columns": names,
            "shape": shape,
        }

    def manifest(self, entries: Sequence[Mapping[str, Any]]) -> str:
        name = f"{uuid.uuid4()}.manifest"
        (self.lake / name).write_text(json.dumps({"entries": entries}))
        return f"s3://lake/{name}"

    def run(
        self, *entries: Mapping[str, Any], airports: str = "none", passed: Sequence[Any] = ()
    ) -> dict[str, tuple[int, int, int]]:
        """Run the feed over landed files; rows read, loaded and rejected by key."""
        counts = self.counts(*entries, airports=airports, passed=passed)
        return {
            count["url"].removeprefix("s3://landing/"): (count["read"], count["loaded"], count["rejected"])
            for count in counts
        }

    def counts(
        self, *entries: Mapping[str, Any], airports: str = "none", passed: Sequence[Any] = ()
    ) -> list[dict[str, Any]]:
        """What the job reports of each file."""
        arguments = {
            "manifest": self.manifest(entries),
            "output": "s3://lake/enriched/",
            "rejects": "s3://lake/rejects/",
        }
        run = FeedRun(self.spark, self.feed, arguments)
        known = [run.dimension(AIRPORTS, airports)] if self.feed.lookups else []
        counts: Any = run.execute(lambda landed: self.transform(landed, *known, *passed))
        return list(counts)

    def loaded(self) -> list[Row]:
        return self.spark.read.parquet("s3://lake/enriched/").collect()

    def rejects(self) -> list[dict[str, Any]]:
        found = (self.lake / "rejects").rglob("*.json")
        lines = [json.loads(line) for path in found for line in path.read_text().splitlines()]
        return sorted(lines, key=lambda reject: (reject["source_file"], reject["line_number"]))

    def files(self, dataset: str, day: str) -> dict[str, bytes]:
        folder = self.lake / dataset / f"date={day}"
        return {path.name: path.read_bytes() for path in folder.glob("*")} if folder.exists() else {}
