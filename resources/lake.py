"""The lake bucket: Parquet, and the manifests by which one asset tells the next what it made."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self

from airline_platform.errors import AirlineError, BrokenDocument
from airline_platform.settings import Settings
from resources.aws.audited import AuditedResource, AwsConfig
from resources.aws.client import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

HEAD_BYTES = 256 * 1024
READERS = 16
"""Objects read or written at the same time."""


class Lake(AuditedResource):
    """The bucket that holds everything derived from what landed."""

    bucket: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the lake of these settings."""
        return cls(bucket=settings.lake_bucket, aws=AwsConfig.of(settings))

    def with_bucket(self, bucket: str) -> Self:
        """Return a lake that reads and writes another bucket, with the same access."""
        return type(self)(bucket=bucket, aws=self.aws)

    def client(self) -> "S3Client":
        """Return a boto3 S3 client of this access."""
        return make_client(self.aws, "s3")

    def uri(self, path: str) -> str:
        """Return `s3://bucket/path`."""
        return f"s3://{self.bucket}/{path}"

    def path(self, uri: str) -> str:
        """Return the path of what `uri` says; the other way round."""
        return uri.removeprefix(self.uri(""))

    def put_bytes(self, path: str, body: bytes, content_type: str = "binary/octet-stream") -> str:
        """Write an object, whose content type browsers go by; return its URI."""
        with reaching(self.aws):
            self.client().put_object(Bucket=self.bucket, Key=path, Body=body, ContentType=content_type)
        return self.uri(path)

    def remove(self, prefix: str) -> int:
        """Delete every object below a prefix, a thousand in a call; return how many there were.

        Raises:
            AirlineError: S3 kept one of them, and why.
        """
        removed = 0
        with reaching(self.aws):
            client = self.client()
            for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix):
                objects: list[ObjectIdentifierTypeDef] = [
                    {"Key": it["Key"]} for it in page.get("Contents", ())
                ]
                if not objects:
                    continue
                answer = client.delete_objects(Bucket=self.bucket, Delete={"Objects": objects, "Quiet": True})
                if kept := answer.get("Errors"):
                    raise AirlineError(
                        f"expected every object below {self.uri(prefix)} to be deleted; {len(kept)} are not, "
                        f"{kept[0].get('Key')} because of {kept[0].get('Code')} {kept[0].get('Message')}",
                        remedy="See that DagsterPolicy holds for who asked, then ask again.",
                    )
                removed += len(objects)
        return removed

    def put_json(self, path: str, document: Any) -> str:
        """Write a JSON document; return its URI."""
        return self.put_bytes(path, json.dumps(document, indent=1).encode())

    def get_json(self, path: str) -> Any | None:
        """Read a JSON document; None where there is none.

        Raises:
            BrokenDocument: It is not JSON.
        """
        client = self.client()
        try:
            with reaching(self.aws):
                text = client.get_object(Bucket=self.bucket, Key=path)["Body"].read()
        except client.exceptions.NoSuchKey:
            return None
        try:
            return json.loads(text)
        except ValueError as error:
            raise BrokenDocument(
                f"{self.uri(path)}: expected a JSON document, found {text[:60]!r}, which is none: {error}",
                remedy="Run the step that writes it again for its day: it replaces the document.",
            ) from error

    def put_run_manifest(self, run_id: str, name: str, files: Sequence[Mapping[str, Any]]) -> str:
        """Write which files a Glue job or a COPY of a run takes; return the manifest's URI.

        Args:
            run_id: The run; what it puts down here is deleted in time.
            name: The job or table it is for; the run's next manifest of that name replaces it.
            files: Entries, as `list_files` returns them; what else an entry says, a job may read.
        """
        return self.put_bytes(run_scratch(run_id, f"{name}.manifest"), copy_manifest(files))

    def put_manifests(self, dataset: str, documents: dict[str, Any]) -> None:
        """Write down what a dataset holds, in a document for each partition."""
        with ThreadPoolExecutor(READERS) as pool:
            list(
                pool.map(lambda item: self.put_json(_manifest(dataset, item[0]), item[1]), documents.items())
            )

    def get_manifests(self, dataset: str, partitions: Sequence[str]) -> dict[str, Any]:
        """Read what a dataset holds, by partition; partitions it never had are left out.

        Raises:
            BrokenDocument: One of them is not JSON.
        """
        return self._manifests(dataset, partitions, self.get_json)

    def readable_manifests(self, dataset: str, partitions: Sequence[str]) -> dict[str, Any]:
        """Read as `get_manifests`, for whoever is about to write them anew: broken ones are left out."""

        def readable(path: str) -> Any | None:
            try:
                return self.get_json(path)
            except BrokenDocument:
                return None

        return self._manifests(dataset, partitions, readable)

    def _manifests(
        self, dataset: str, partitions: Sequence[str], read: Callable[[str], Any | None]
    ) -> dict[str, Any]:
        with ThreadPoolExecutor(READERS) as pool:
            documents = pool.map(lambda partition: read(_manifest(dataset, partition)), partitions)
            return {k: v for k, v in zip(partitions, documents, strict=True) if v is not None}

    def list_files(self, prefixes: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """List the files below each prefix by key, as entries of a Redshift COPY manifest."""
        wanted = list(prefixes)
        with reaching(self.aws), ThreadPoolExecutor(READERS) as pool:
            return dict(zip(wanted, pool.map(self._entries, wanted), strict=True))

    def first_rows(
        self, prefixes: Iterable[str], limit: int, where: Callable[[dict[str, Any]], bool]
    ) -> list[dict[str, Any]]:
        """Return the first rows that fit of JSON lines below prefixes; only the head of a file is read."""
        rows: list[dict[str, Any]] = []
        with reaching(self.aws):
            for prefix in prefixes:
                for entry in self._entries(prefix):
                    if len(rows) >= limit:
                        return rows[:limit]
                    key = self.path(entry["url"])
                    head = self.client().get_object(
                        Bucket=self.bucket, Key=key, Range=f"bytes=0-{HEAD_BYTES - 1}"
                    )
                    whole = head["Body"].read().split(b"\n")[:-1]
                    rows += filter(where, map(json.loads, whole))
        return rows[:limit]

    def rows(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of the JSON lines below a prefix, read as they are asked for.

        An object that is replaced while the others are read is passed over.

        Raises:
            StackUnavailable: S3 does not answer.
        """
        client = self.client()
        with reaching(self.aws):
            for entry in self._entries(prefix):
                key = self.path(entry["url"])
                try:
                    body = client.get_object(Bucket=self.bucket, Key=key)["Body"]
                except client.exceptions.NoSuchKey:
                    continue
                yield from (json.loads(line) for line in body.iter_lines(HEAD_BYTES) if line)

    def _entries(self, prefix: str) -> list[dict[str, Any]]:
        pages = self.client().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [
            {
                "url": self.uri(item["Key"]),
                "mandatory": True,
                "meta": {"content_length": item["Size"]},
            }
            for page in pages
            for item in page.get("Contents", ())
            if item["Size"]
        ]


def run_scratch(run_id: str, path: str) -> str:
    """Return the path of something that only the run itself reads; a lifecycle rule deletes it in time."""
    return f"_tmp/{run_id}/{path}"


def copy_manifest(files: Sequence[Mapping[str, Any]]) -> bytes:
    """Make a Redshift COPY manifest, by which a Glue job takes its files, too."""
    return json.dumps({"entries": list(files)}).encode()


def _manifest(dataset: str, partition: str) -> str:
    return f"manifests/{dataset}/{partition}.json"
