"""The landing bucket: what has landed for which day, in which version, and what it is."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, Self

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from airline_platform.contract.feed import Feed
from airline_platform.days import last_day
from airline_platform.files.keys import LandedKey, NoLanding, UnknownKey, parse_key
from airline_platform.files.names import is_gzip
from airline_platform.settings import Settings
from resources.acceptance.heads import judge
from resources.acceptance.landed import LandedObject, Version
from resources.acceptance.verdicts import Accepted, Refused
from resources.aws.audited import AuditedResource, AwsConfig
from resources.aws.client import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 16
"""Objects read at the same time."""

PAGE = 1000
"""Keys S3 lists in one call."""

CHUNK = 1024 * 1024

ARCHIVED = "InvalidObjectState"
"""S3's code for an object in an archive, until it is restored (botocore, `S3.Client.exceptions`)."""

WITHHELD = re.compile(r"AccessDenied|403|KMS\.(?!Throttling|Internal|DependencyTimeout)\w+")
"""S3's codes for an object that this role may not read, or not decrypt, or whose KMS key is of no use."""

ParsedKey = LandedKey | UnknownKey | NoLanding
"""What a key can be."""


@dataclass(frozen=True)
class Page:
    """A page holds what one call lists.

    Args:
        objects: Current objects in the order of their keys, whatever their names, but for markers and the
            platform's own.
        first: Exclusive lower bound of the keys it speaks of.
        last: Inclusive upper bound; None where the listing ended.
        now: S3's clock, because ours may differ.
    """

    objects: tuple[Version, ...]
    first: str
    last: str | None
    now: datetime


class Landing(AuditedResource):
    """The bucket in which files land.

    Args:
        bucket: Its name.
        first_day: ISO day before which no file is any feed's.
    """

    bucket: str
    first_day: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the landing bucket of these settings."""
        return cls(
            bucket=settings.landing_bucket, first_day=str(settings.start_date), aws=AwsConfig.of(settings)
        )

    def client(self) -> "S3Client":
        """Return a boto3 S3 client of this access."""
        return make_client(self.aws, "s3")

    def manifest(self, feed: Feed, days: Sequence[str] = ()) -> list[LandedObject]:
        """Return every object that landed for the days, with its version and the verdict on it.

        One that S3 does not hand over is refused, and stops no other: one that is archived, and one that is
        withheld although another one could be read. Where none could, the role or the bucket's key is why.

        Args:
            feed: The feed.
            days: ISO days, ascending; ignored for a feed without days.

        Returns:
            The objects in the order of their keys.

        Raises:
            StackUnavailable: S3 does not answer.
            ClientError: It refuses to, and not for the sake of one object.
        """
        keys = self.landed_keys(feed, days)
        with reaching(self.aws), ThreadPoolExecutor(READERS) as pool:
            tried = list(pool.map(lambda key: self._try(feed, *key), keys))
            read = any(isinstance(it, LandedObject) for it in tried)
            return [
                it if isinstance(it, LandedObject) else self._not_handed_over(*key, it, others_are=read)
                for key, it in zip(keys, tried, strict=True)
            ]

    def landed_keys(self, feed: Feed, days: Sequence[str] = ()) -> list[tuple[str, str | None]]:
        """Return the keys that landed for the days, each with its day.

        It lists from the first day's keys to the last day's in both layouts, so the length of the history
        before and after makes no difference.
        """
        wanted = set(days)
        keys = []
        for first, last in spans(feed, days):
            for key in self._list(first, last):
                landed = self._parse(key)
                if isinstance(landed, LandedKey) and (landed.day is None or landed.day in wanted):
                    keys.append((key, landed.day))
        return sorted(keys)

    def _list(self, first: str, last: str) -> Iterator[str]:
        pages = self.client().get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=self.bucket, Prefix=shared_prefix(first, last), StartAfter=first):
            for item in page.get("Contents", ()):
                if item["Key"] > last:
                    return
                yield item["Key"]

    def versions(self, feed: Feed, days: Sequence[str] = ()) -> list[Version]:
        """Return every version that landed for the days and still exists, replaced and deleted ones too.

        Raises:
            StackUnavailable: S3 does not answer.
        """
        wanted = set(days)
        with reaching(self.aws):
            return [
                version
                for first, last in spans(feed, days)
                for version in self._versions(first, last)
                if version.day is None or version.day in wanted
            ]

    def _versions(self, first: str, last: str) -> Iterator[Version]:
        prefix = shared_prefix(first, last)
        where: Any = {"KeyMarker": first}  # boto3's paginator can't begin in the middle
        while True:
            page = self.client().list_object_versions(Bucket=self.bucket, Prefix=prefix, **where)
            for item in page.get("Versions", ()):
                if item["Key"] > last:
                    return
                landed = self._parse(item["Key"])
                if isinstance(landed, LandedKey):
                    yield _version(item, landed.day, item["VersionId"], current=item["IsLatest"])
            if not page["IsTruncated"]:
                return
            where = {"KeyMarker": page["NextKeyMarker"], "VersionIdMarker": page["NextVersionIdMarker"]}

    def page(self, prefix: str, after: str) -> Page:
        """List current objects below a prefix, from the key that follows `after`, with one call.

        Raises:
            StackUnavailable: S3 does not answer.
        """
        with reaching(self.aws):
            answer = self.client().list_objects_v2(
                Bucket=self.bucket, Prefix=prefix, StartAfter=after, MaxKeys=PAGE
            )
        return page_of(answer, after, self._parse)

    def exists(self, key: str) -> bool:
        """Say whether an object has a current version.

        Raises:
            StackUnavailable: S3 does not answer.
        """
        client = self.client()
        try:
            with reaching(self.aws):
                client.head_object(Bucket=self.bucket, Key=key)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        return True

    def _parse(self, key: str) -> ParsedKey:
        return parse_key(key, first_day=date.fromisoformat(self.first_day), last_day=last_day())

    def _try(self, feed: Feed, key: str, day: str | None) -> "LandedObject | ClientError":
        try:
            return self._read(feed, key, day)
        except ClientError as error:
            if _code(error) == ARCHIVED or WITHHELD.fullmatch(_code(error)):
                return error
            raise

    def _not_handed_over(
        self, key: str, day: str | None, error: ClientError, *, others_are: bool
    ) -> LandedObject:
        """Refuse an object that can't be read, in the version that S3 lists.

        Raises:
            ClientError: It is withheld, as all others are, or it is gone by now: the error.
        """
        code = _code(error)
        if code != ARCHIVED and not others_are:
            raise error
        what, remedy = (
            ("it is archived", "Restore it, or copy it over itself into S3 Standard")
            if code == ARCHIVED
            else (f"{code}, while others can be read", "Let this role read it and use its KMS key")
        )
        listed = self.client().list_object_versions(Bucket=self.bucket, Prefix=key)
        for item in listed.get("Versions", ()):
            if item["Key"] == key and item["IsLatest"]:
                it = _version(item, day, item["VersionId"], current=True)
                refused = f"S3 does not hand it over: {what}. {remedy}; then run its day again"
                return LandedObject(
                    self.bucket, key, day, it.etag, it.size, it.landed_at, it.version_id, refused=refused
                )
        raise error

    def _read(self, feed: Feed, key: str, day: str | None) -> LandedObject:
        """Read an object once, whole, in one request, which also tells its version."""
        answer: Any = self.client().get_object(Bucket=self.bucket, Key=key)
        body, size = answer["Body"], int(answer["ContentLength"])
        with closing(body):
            verdict = judged(feed, key, body.iter_chunks(CHUNK), size)
        landed = LandedObject(
            bucket=self.bucket,
            key=key,
            day=day,
            etag=answer["ETag"].strip('"'),
            size=size,
            landed_at=answer["LastModified"],
            version_id=_version_id(answer.get("VersionId")),
        )
        if isinstance(verdict, Refused):
            return replace(landed, refused=str(verdict))
        return replace(
            landed,
            header=verdict.header,
            columns=verdict.columns,
            shape=verdict.shape,
            first=verdict.first,
            rows=verdict.rows,
            ascii=verdict.ascii,
            reading=verdict.reading.as_json(),
        )


def _code(error: ClientError) -> str:
    return error.response["Error"].get("Code", "")


def judged(feed: Feed, key: str, pieces: Iterable[bytes], size: int) -> Accepted | Refused:
    """Judge a file. An error that nobody has thought of refuses this file, and ends no other one's run."""
    try:
        return judge(feed, pieces, size, reading=feed.reading_of(key), gzipped=is_gzip(key))
    except (BotoCoreError, ClientError, HTTPClientError, OSError):
        raise  # S3 is away, or the network
    except Exception as error:  # noqa: BLE001 - whatever a file raises is its own verdict
        reason = f"it can't be read: {type(error).__name__}" + ("" if feed.personal else f": {error}")
        return Refused(
            1, reason[:500], "a file that can be read", "Keep the file and report it: it is a defect."
        )


def spans(feed: Feed, days: Sequence[str]) -> list[tuple[str, str]]:
    """Return the first and last key, in both layouts, between which files of ascending days lie."""
    if not feed.daily or not days:
        return [(feed.prefix, f"{feed.prefix}\U0010ffff")]
    return [
        (f"{feed.prefix}{layout}{days[0]}", f"{feed.prefix}{layout}{days[-1]}\U0010ffff")
        for layout in ("", "date=")
    ]


def shared_prefix(first: str, last: str) -> str:
    """Return the prefix of every key between two; below it, a page holds few that are not wanted."""
    return commonprefix([first, last])  # noqa: RUF071 - keys, not paths


def page_of(answer: Any, after: str, parse: Callable[[str], ParsedKey]) -> Page:
    """Read S3's answer to ListObjectsV2: its last key bounds the page, whosever object that is.

    Args:
        answer: As boto3 gives it.
        after: The key behind which it was asked to begin.
        parse: Says which feed and day a key belongs to.
    """
    items = answer.get("Contents", [])
    listed = ((item, parse(item["Key"])) for item in items)
    return Page(
        objects=tuple(_listed(item, landed) for item, landed in listed if not isinstance(landed, NoLanding)),
        first=after,
        last=items[-1]["Key"] if answer["IsTruncated"] else None,
        now=parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"]).astimezone(UTC),
    )


def _listed(item: Any, landed: LandedKey | UnknownKey) -> Version:
    return _version(item, landed.day if isinstance(landed, LandedKey) else None, None, current=True)


def _version(item: Any, day: str | None, version_id: str | None, *, current: bool) -> Version:
    return Version(
        key=item["Key"],
        day=day,
        etag=item["ETag"].strip('"'),
        version_id=_version_id(version_id),
        size=item["Size"],
        landed_at=item["LastModified"],
        current=current,
    )


def _version_id(given: str | None) -> str | None:
    """S3 says `null` for what landed in a bucket without versions."""
    return None if given == "null" else given
