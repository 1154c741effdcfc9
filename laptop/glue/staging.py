"""Brings the S3 objects a Glue job may read into a folder, and what the job changed there back to S3."""

import json
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os.path import commonprefix
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

SCHEMES = ("s3://", "s3a://")
PARALLEL = 8
"""Objects moved at once; the gateway is one process on the same machine."""

OUTPUT_ARGUMENTS = ("--output", "--rejects")
"""Arguments whose names begin so are written, not read: their objects come as empty placeholders."""

PARTITIONS_ARGUMENT = "--airline-partitions"
"""The folders of its outputs that a run writes to, with commas between; AWS ignores it. The run sees what
stands there, and nothing else of its outputs: to bring a long history's names takes longer than its work."""

NOT_STAGED = (
    "--extra-py-files", "--extra-jars", "--extra-files", "--TempDir", "--spark-event-logs-path",
    "--scriptLocation",
)  # fmt: skip
"""Arguments of Glue itself that carry `s3://` URIs which are no data of the job."""

GLOB_CHARACTERS = "*?[{"


class StagingError(Exception):
    """An object that the job's arguments name can't be brought, or what the job wrote can't be stored."""


@dataclass(frozen=True)
class ObjectUri:
    """A bucket and a key or key prefix in it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """The URI as people write it."""
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Output:
    """A prefix a run writes below, and the folders in it that it has named; none where it has not."""

    uri: ObjectUri
    names: tuple[str, ...] = ()

    @property
    def partitions(self) -> tuple[str, ...]:
        """Key prefixes of the folders the run writes to."""
        return tuple(f"{self.uri.key.rstrip('/')}/{name}/" for name in self.names)

    def excludes(self, uri: ObjectUri) -> bool:
        """Whether an object is below it, and in none of the named folders."""
        inside = uri.bucket == self.uri.bucket and uri.key.startswith(f"{self.uri.key.rstrip('/')}/")
        return inside and bool(self.names) and not uri.key.startswith(self.partitions)


@dataclass
class Staging:
    """One run's folder: what was brought there, and how each file looked then.

    Args:
        s3: Client of the gateway's S3; shared between threads.
        root: The run's folder; every bucket is a folder in it.
        cancelled: When it is set, bringing objects stops with a StagingError; storing them never does.
    """

    s3: "S3Client"
    root: Path
    cancelled: threading.Event = field(default_factory=threading.Event)
    _outputs: tuple[Output, ...] = ()
    _seen: dict[Path, tuple[int, int, int]] = field(default_factory=dict)

    def mount(self) -> dict[str, str]:
        """Make a folder for every bucket there is; bucket → folder."""
        names = [bucket["Name"] for bucket in self.s3.list_buckets()["Buckets"]]
        for name in names:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        return {name: str(self.root / name) for name in names}

    def bring(self, arguments: Mapping[str, str]) -> None:
        """Bring everything the arguments name.

        Raises:
            StagingError: A manifest or an object it lists doesn't exist, or a key can't be a path.
        """
        inputs, outputs = split_arguments(arguments)
        named = arguments.get(PARTITIONS_ARGUMENT, "").split(",")
        folders = tuple(folder for name in named if (folder := name.strip().strip("/")))
        self._outputs = tuple(Output(uri, folders) for uri in outputs)
        wanted = dict.fromkeys(uri for argument in inputs for uri in self._objects_of(argument))
        placeholders = dict.fromkeys(uri for output in self._outputs for uri in self._standing(output))
        _in_parallel(self._download, wanted)
        for uri in placeholders:
            if uri not in wanted:
                self._place(uri, lambda _uri, path: path.touch())

    def fetch(self, uri: ObjectUri, folder: Path) -> Path:
        """Copy one object into a folder outside the mounts, under its own name.

        Raises:
            StagingError: The object doesn't exist.
        """
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / uri.key.rsplit("/", 1)[-1]
        self._copy(uri, target)
        return target

    def send(self) -> int:
        """Store what is new or changed, then delete what the job removed; how many objects changed.

        Storing comes first: a crash in between leaves an object too many, never one too few.

        Raises:
            StagingError: The job wrote to its outputs, but not to the partitions it has named.
        """
        files = (Path(folder, name) for folder, _, names in os.walk(self.root) for name in names)
        # Neither Hadoop's `_SUCCESS` nor its checksums.
        now = {path: _stamp(path) for path in files if path.name != "_SUCCESS" and path.suffix != ".crc"}
        changed = [path for path, stamp in now.items() if self._seen.get(path) != stamp]
        self._require_inside(changed)
        removed = [path for path in self._seen if path not in now]
        _in_parallel(self._upload, changed)
        _in_parallel(self._delete, removed)
        return len(changed) + len(removed)

    def _require_inside(self, changed: Iterable[Path]) -> None:
        """Of what stands elsewhere the job saw nothing: it may have meant to replace it, and did not."""
        for uri in map(self._uri, changed):
            if any(output.excludes(uri) for output in self._outputs):
                raise StagingError(f"The job wrote {uri}, which is in none of its {PARTITIONS_ARGUMENT}.")

    def _standing(self, output: Output) -> Iterator[ObjectUri]:
        """What stands in the partitions of an output; in all of it, where none are named."""
        if not output.partitions:
            yield from self._below(output.uri)
            return
        first, last = min(output.partitions), max(output.partitions)
        shared = commonprefix([first, last])  # noqa: RUF071 - keys, not paths
        for key in self._list(output.uri.bucket, shared, after=first):
            if key.startswith(output.partitions):
                yield ObjectUri(output.uri.bucket, key)
            elif key > last:
                return

    def _objects_of(self, uri: ObjectUri) -> Iterator[ObjectUri]:
        if not uri.key.endswith(".manifest"):
            yield from self._below(uri)
            return
        yield uri
        yield from manifest_urls(self._open(uri).read(), source=str(uri))

    def _below(self, uri: ObjectUri) -> Iterator[ObjectUri]:
        """The object itself, where there is one, and everything below it as a folder."""
        prefix = literal_prefix(uri.key)
        folder = prefix if prefix.endswith("/") or not prefix else f"{prefix}/"
        if prefix != folder and next(self._list(uri.bucket, prefix), None) == prefix:
            yield uri
        for key in self._list(uri.bucket, folder):
            yield ObjectUri(uri.bucket, key)

    def _list(self, bucket: str, prefix: str, after: str = "") -> Iterator[str]:
        lister = self.s3.get_paginator("list_objects_v2")
        pages = lister.paginate(Bucket=bucket, Prefix=prefix, StartAfter=after)
        try:
            for page in pages:
                for item in page.get("Contents", []):
                    yield item["Key"]
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] != "NoSuchBucket":
                raise

    def _open(self, uri: ObjectUri) -> "StreamingBody":
        try:
            return self.s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        except ClientError as refusal:
            missing = refusal.response["Error"]["Code"] in ("NoSuchKey", "NoSuchBucket")
            what = "does not exist" if missing else f"can't be read: {refusal}"
            raise StagingError(f"{uri} {what}") from refusal

    def _download(self, uri: ObjectUri) -> None:
        if self.cancelled.is_set():
            raise StagingError("The run was stopped while its objects were brought.")
        self._place(uri, self._copy)

    def _copy(self, uri: ObjectUri, path: Path) -> None:
        body = self._open(uri)
        with path.open("wb") as file:
            shutil.copyfileobj(body, file, 1 << 20)

    def _place(self, uri: ObjectUri, fill: Callable[[ObjectUri, Path], None]) -> None:
        """Make an object's file, or its folder where its key is one's."""
        path = self.root / uri.bucket / local_path(uri.key)
        if uri.key.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        fill(uri, path)
        self._seen[path] = _stamp(path)

    def _uri(self, path: Path) -> ObjectUri:
        bucket, *parts = path.relative_to(self.root).parts
        return ObjectUri(bucket, "/".join(parts))

    def _upload(self, path: Path) -> None:
        uri = self._uri(path)
        with path.open("rb") as body:
            self.s3.put_object(Bucket=uri.bucket, Key=uri.key, Body=body)

    def _delete(self, path: Path) -> None:
        uri = self._uri(path)
        self.s3.delete_object(Bucket=uri.bucket, Key=uri.key)


def parse_uri(value: str) -> ObjectUri:
    """Bucket and key of an `s3://` or `s3a://` URI, taken literally: no percent-decoding."""
    bucket, _, key = value.split("://", 1)[1].partition("/")
    return ObjectUri(bucket, key)


def uris_in(value: str) -> list[ObjectUri]:
    """The S3 URIs of an argument's value: one, or several with commas between; none in other text."""
    parts = [part.strip() for part in value.split(",")]
    if all(part.startswith(SCHEMES) for part in parts):
        return [parse_uri(part) for part in parts]
    return [parse_uri(value)] if value.startswith(SCHEMES) else []


def split_arguments(arguments: Mapping[str, str]) -> tuple[list[ObjectUri], list[ObjectUri]]:
    """What a job reads and what it writes, by the names of its arguments."""
    inputs: list[ObjectUri] = []
    outputs: list[ObjectUri] = []
    for name, value in arguments.items():
        if name not in NOT_STAGED:
            (outputs if name.startswith(OUTPUT_ARGUMENTS) else inputs).extend(uris_in(value))
    return inputs, outputs


def manifest_urls(body: bytes, *, source: str) -> list[ObjectUri]:
    """The objects a Redshift-style manifest lists: `{"entries": [{"url": "s3://…"}]}`.

    Raises:
        StagingError: It is no such document.
    """
    try:
        return [parse_uri(entry["url"]) for entry in json.loads(body)["entries"]]
    except (ValueError, KeyError, TypeError, IndexError) as reason:
        raise StagingError(
            f'{source} is no manifest {{"entries": [{{"url": "s3://…"}}]}}: {reason!r}'
        ) from reason


def literal_prefix(key: str) -> str:
    """The part of a key before its first wildcard, cut back to a folder: `a/b*/c` is `a/`."""
    at = min((key.index(mark) for mark in GLOB_CHARACTERS if mark in key), default=None)
    return key if at is None else key[: key.rfind("/", 0, at) + 1]


def local_path(key: str) -> Path:
    """A key as a relative path.

    Raises:
        StagingError: No folder can hold it: an empty segment, `.` or `..`, or a NUL.
    """
    segments = key.removesuffix("/").split("/")
    if "\0" in key or any(segment in ("", ".", "..") for segment in segments):
        raise StagingError(f"The key {key!r} can't be a path: it has an empty, `.` or `..` segment.")
    return Path(*segments)


def _in_parallel(move: Callable[[T], None], items: Iterable[T]) -> None:
    with ThreadPoolExecutor(PARALLEL, thread_name_prefix="glue-staging") as threads:
        for _ in threads.map(move, items):
            pass


def _stamp(path: Path) -> tuple[int, int, int]:
    state = path.stat()
    return state.st_ino, state.st_mtime_ns, state.st_size
