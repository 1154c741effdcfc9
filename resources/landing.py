"""The landing bucket: what has landed for which day, and the first bytes of it."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dagster import ConfigurableResource

from airline_platform.feeds import Feed, LandedKey, parse_key
from airline_platform.headers import HEAD_BYTES, Accepted, Refused, judge
from airline_platform.partitions import last_day
from airline_platform.settings import get_settings
from resources.aws import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 16
"""Objects read at the same time."""


@dataclass(frozen=True)
class LandedObject:
    """One version of a landed object, and the verdict on its header."""

    bucket: str
    key: str
    day: str | None
    etag: str
    size: int
    landed_at: datetime
    version_id: str | None = None
    header: str | None = None
    columns: tuple[str, ...] = ()
    refused: str | None = field(default=None)

    @property
    def url(self) -> str:
        """`s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"

    def as_json(self) -> dict[str, Any]:
        """For a manifest in the lake."""
        return asdict(self) | {"landed_at": self.landed_at.isoformat()}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "LandedObject":
        """Back from a manifest."""
        landed_at = datetime.fromisoformat(document["landed_at"])
        return cls(**document | {"landed_at": landed_at, "columns": tuple(document["columns"])})


class Landing(ConfigurableResource[Any]):
    """The bucket in which files arrive."""

    bucket: str

    def client(self) -> "S3Client":
        """A boto3 S3 client."""
        return make_client(get_settings(), "s3")

    def manifest(self, feed: Feed, days: Sequence[str] = ()) -> list[LandedObject]:
        """Every object landed for the days, with its version and the verdict on its header.

        Args:
            feed: The feed.
            days: ISO days, ascending; ignored for a feed without days.

        Returns:
            The objects in the order of their keys.

        Raises:
            StackUnavailable: S3 does not answer.
        """
        with reaching(get_settings()), ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda found: self._read(feed, *found), self.landed_keys(feed, days)))

    def landed_keys(self, feed: Feed, days: Sequence[str] = ()) -> list[tuple[str, str | None]]:
        """Keys landed for the days, each with its day.

        Lists from the first day's keys to the last day's, in both layouts: a page per 1,000 keys, whatever
        the length of the history before and after.
        """
        wanted = set(days)
        spans = [(feed.prefix, f"{feed.prefix}\U0010ffff")]
        if feed.daily:
            spans = [
                (f"{feed.prefix}{layout}{days[0]}", f"{feed.prefix}{layout}{days[-1]}\U0010ffff")
                for layout in ("", "date=")
            ]
        found = []
        for first, last in spans:
            for key in self._list(feed.prefix, first, last):
                landed = parse_key(key, first_day=get_settings().start_date, last_day=last_day())
                if isinstance(landed, LandedKey) and (landed.day is None or landed.day in wanted):
                    found.append((key, landed.day))
        return sorted(found)

    def _list(self, prefix: str, first: str, last: str) -> Iterator[str]:
        pages = self.client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=prefix, StartAfter=first):
            for item in page.get("Contents", ()):
                if item["Key"] > last:
                    return
                yield item["Key"]

    def _read(self, feed: Feed, key: str, day: str | None) -> LandedObject:
        """Read an object's head in one request, which also tells its version."""
        client = self.client()
        try:
            answer: Any = client.get_object(Bucket=self.bucket, Key=key, Range=f"bytes=0-{HEAD_BYTES - 1}")
            size = int(answer["ContentRange"].rpartition("/")[2]) if "ContentRange" in answer else None
            head = answer["Body"].read()
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] not in ("InvalidRange", "416"):
                raise
            # An empty object has no first byte to give.
            answer, size, head = client.head_object(Bucket=self.bucket, Key=key), 0, b""
        size = len(head) if size is None else size
        verdict = judge(feed, head, size, gzipped=key.endswith(".gz"))
        return LandedObject(
            bucket=self.bucket,
            key=key,
            day=day,
            etag=answer["ETag"].strip('"'),
            size=size,
            landed_at=answer["LastModified"],
            version_id=answer.get("VersionId"),
            header=verdict.header if isinstance(verdict, Accepted) else None,
            columns=verdict.columns if isinstance(verdict, Accepted) else (),
            refused=str(verdict) if isinstance(verdict, Refused) else None,
        )
