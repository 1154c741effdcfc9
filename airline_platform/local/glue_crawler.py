"""Crawls for real: looks at the files of S3 targets, and makes the Data Catalog's tables and partitions true.

What a JDBC target has is read by `glue_jdbc`; it becomes true here, too.
"""

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from airline_platform.local.glue_errors import glue_error
from airline_platform.local.glue_jdbc import (
    JdbcError,
    JdbcTarget,
    find_tables,
    jdbc_table,
    jdbc_target,
    read_connection,
)
from airline_platform.local.glue_logs import LogStream
from airline_platform.local.glue_schema import Schema, SchemaError, excluded, infer
from airline_platform.local.glue_staging import ObjectUri, parse_uri

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws-glue/crawlers"
BATCH_PARTITIONS = 100
"""Most partitions of one BatchCreatePartition."""

INPUT_FORMATS = {
    "csv": "org.apache.hadoop.mapred.TextInputFormat",
    "json": "org.apache.hadoop.mapred.TextInputFormat",
    "parquet": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
}
OUTPUT_FORMATS = {
    "csv": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "json": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "parquet": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
}
SERDES = {
    "csv": "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    "json": "org.openx.data.jsonserde.JsonSerDe",
    "parquet": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
}
QUOTED_CSV_SERDE = "org.apache.hadoop.hive.serde2.OpenCSVSerde"


class CrawlError(Exception):
    """A target can't be crawled; the message becomes `LastCrawl.ErrorMessage`."""


class _Stopped(Exception):  # noqa: N818 - it says what happened
    """StopCrawler was called."""


@dataclass
class Crawl:
    """One crawl: what it does, how it ended, what it changed."""

    crawler: str
    stream: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.time)
    ended: float | None = None
    status: str = ""
    error: str = ""
    created: int = 0
    updated: int = 0
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def state(self) -> str:
        """The crawler's state while this is its newest crawl."""
        if self.ended is not None:
            return "READY"
        return "STOPPING" if self.stop.is_set() else "RUNNING"

    @property
    def seconds(self) -> float:
        """How long it took, or has taken so far."""
        return (self.ended or time.time()) - self.started

    def end(self, status: str, error: str = "") -> None:
        """Finish; the end comes last, because the state hangs on it."""
        self.status, self.error = status, error
        self.ended = time.time()

    def describe(self) -> dict[str, Any]:
        """The crawl as `LastCrawl`."""
        about = {
            "Status": self.status,
            "LogGroup": LOG_GROUP,
            "LogStream": self.stream,
            "MessagePrefix": self.stream,
            "StartTime": self.started,
        }
        return about | ({"ErrorMessage": self.error} if self.error else {})


@dataclass(frozen=True)
class LandedFile:
    """An object below a target."""

    uri: ObjectUri
    size: int
    partition: tuple[tuple[str, str], ...]


class CrawlerEngine:
    """Crawls of the crawlers that MiniStack only pretends to run."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """Crawl nothing yet; `client` makes a boto3 client of the gateway for a service's name."""
        self._client = client
        self._newest: dict[str, Crawl] = {}
        self._finished: dict[str, Crawl] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="glue-crawl")

    def start(self, crawler: dict[str, Any]) -> None:
        """Begin a crawl.

        Raises:
            ClientError: CrawlerRunningException.
        """
        name = crawler["Name"]
        with self._lock:
            newest = self._newest.get(name)
            if newest and newest.ended is None:
                raise glue_error(
                    "StartCrawler", "CrawlerRunningException", f"Crawler {name} is already running"
                )
            crawl = self._newest[name] = Crawl(name)
        self._threads.submit(self._crawl, crawler, crawl)

    def stop(self, name: str) -> None:
        """Ask a crawl to stop.

        Raises:
            ClientError: CrawlerNotRunningException, CrawlerStoppingException.
        """
        crawl = self._newest.get(name)
        if crawl is None or crawl.ended is not None:
            raise glue_error("StopCrawler", "CrawlerNotRunningException", f"Crawler {name} is not running")
        if crawl.stop.is_set():
            raise glue_error("StopCrawler", "CrawlerStoppingException", f"Crawler {name} is already stopping")
        crawl.stop.set()

    def describe(self, crawler: dict[str, Any]) -> dict[str, Any]:
        """A crawler's definition with its true state in it."""
        crawl, last = self._newest.get(crawler["Name"]), self._finished.get(crawler["Name"])
        shown = {name: value for name, value in crawler.items() if name != "LastCrawl"} | {
            "State": crawl.state if crawl else "READY",
            "CrawlElapsedTime": round(crawl.seconds * 1000) if crawl and crawl.ended is None else 0,
        }
        return shown | ({"LastCrawl": last.describe()} if last else {})

    def metrics(self, name: str) -> dict[str, Any]:
        """What GetCrawlerMetrics says about a crawler."""
        last = self._finished.get(name)
        seconds = last.seconds if last else 0.0
        return {
            "LastRuntimeSeconds": seconds,
            "MedianRuntimeSeconds": seconds,
            "TablesCreated": last.created if last else 0,
            "TablesUpdated": last.updated if last else 0,
        }

    def close(self) -> None:
        """Stop every crawl and wait for them."""
        for crawl in list(self._newest.values()):
            crawl.stop.set()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _crawl(self, crawler: dict[str, Any], crawl: Crawl) -> None:
        log = LogStream(self._client("logs"), LOG_GROUP, crawl.stream)
        log.send([f"[{crawl.stream}] BENCHMARK : Running Start Crawl for Crawler {crawl.crawler}"])
        status, error = self._outcome(crawler, crawl, log)
        level = "ERROR" if error else "BENCHMARK"
        log.send([f"[{crawl.stream}] {level} : Crawler {crawl.crawler} ended {status}. {error}".rstrip()])
        with self._lock:
            crawl.end(status, error)
            self._finished[crawl.crawler] = crawl

    def _outcome(self, crawler: dict[str, Any], crawl: Crawl, log: LogStream) -> tuple[str, str]:
        try:
            for target in targets(crawler):
                _TargetCrawl(self._client, crawler, crawl, log).crawl(target)
        except _Stopped:
            return "CANCELLED", ""
        except (CrawlError, SchemaError, JdbcError, ClientError, BotoCoreError) as reason:
            return "FAILED", str(reason)
        except Exception as surprise:
            logger.exception("Crawler %s", crawl.crawler)
            return "FAILED", f"Internal error: {surprise!r}"
        return "SUCCEEDED", ""


@dataclass(frozen=True)
class S3Target:
    """A folder of a bucket that is one table."""

    root: ObjectUri
    exclusions: tuple[str, ...]


def targets(crawler: dict[str, Any]) -> list[S3Target | JdbcTarget]:
    """What a crawler is to crawl.

    Raises:
        CrawlError: It has a target that only AWS can crawl, or none.
        JdbcError: A JDBC target's path is no path.
    """
    declared = crawler.get("Targets") or {}
    for kind, rows in declared.items():
        if rows and kind not in ("S3Targets", "JdbcTargets"):
            raise CrawlError(f"{kind.removesuffix('Targets')} targets are crawled on AWS only")
    found: list[S3Target | JdbcTarget] = [
        S3Target(parse_uri(row["Path"]), tuple(row.get("Exclusions", ())))
        for row in declared.get("S3Targets", [])
    ]
    found += [jdbc_target(row) for row in declared.get("JdbcTargets", [])]
    if not found:
        raise CrawlError(f"Crawler {crawler['Name']} has no target")
    return found


class _TargetCrawl:
    """The crawl of one target."""

    def __init__(
        self, client: Callable[[str], Any], crawler: dict[str, Any], crawl: Crawl, log: LogStream
    ) -> None:
        self._s3 = client("s3")
        self._glue = client("glue")
        self._secrets = client("secretsmanager")
        self._crawler = crawler
        self._crawl = crawl
        self._log = log

    def crawl(self, target: S3Target | JdbcTarget) -> None:
        """Make the catalog true for the target.

        Raises:
            CrawlError: There is nothing there, or no database for it.
            SchemaError: The files have no schema.
            JdbcError: The tables can't be read.
        """
        self._require_database()
        if isinstance(target, JdbcTarget):
            self._crawl_tables(target)
        else:
            self._crawl_files(target)

    def _crawl_files(self, target: S3Target) -> None:
        files = self._files(target)
        keys, chosen = partition_keys(files)
        if len(chosen) < len(files):
            left_out = len(files) - len(chosen)
            self._say("WARN", f"Left out {left_out} objects that lie in no folder {'/'.join(keys)}")
        schema = infer(self._s3, [(file.uri, file.size) for file in chosen])
        table = table_input(self._crawler, target.root, schema, keys, chosen)
        self._write_table(table)
        if keys:
            self._write_partitions(table, chosen)

    def _crawl_tables(self, target: JdbcTarget) -> None:
        """Register a database's tables; like a folder that is gone, a table that is gone stays registered."""
        connection = read_connection(self._glue, self._secrets, target.connection)
        found = find_tables(connection, target)
        self._say("INFO", f"Found {len(found)} tables at {target.path}")
        for table in found:
            self._write_table(jdbc_table(self._crawler, target, self._unless_stopped(table)))

    def _require_database(self) -> None:
        name = self._crawler.get("DatabaseName", "")
        try:
            self._glue.get_database(Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            raise CrawlError(f"Database {name!r} does not exist") from None

    def _files(self, target: S3Target) -> list[LandedFile]:
        root = target.root
        prefix = f"{root.key.rstrip('/')}/" if root.key else ""
        try:
            pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=root.bucket, Prefix=prefix)
            rows = [row for page in pages for row in self._unless_stopped(page).get("Contents", [])]
        except self._s3.exceptions.NoSuchBucket:
            raise CrawlError(f"Bucket {root.bucket} does not exist") from None
        files = [
            landed_file(root.bucket, prefix, row)
            for row in rows
            if is_data(row["Key"][len(prefix) :], row["Size"], target.exclusions)
        ]
        if not files:
            raise CrawlError(f"There is no data below {ObjectUri(root.bucket, prefix)}")
        return files

    def _write_table(self, table: dict[str, Any]) -> None:
        database = self._crawler["DatabaseName"]
        try:
            known = self._glue.get_table(DatabaseName=database, Name=table["Name"])["Table"]
        except self._glue.exceptions.EntityNotFoundException:
            self._glue.create_table(DatabaseName=database, TableInput=table)
            self._crawl.created += 1
            self._say("INFO", f"Created table {table['Name']} in database {database}")
            return
        if (
            differs(known, table)
            and self._crawler.get("SchemaChangePolicy", {}).get("UpdateBehavior") != "LOG"
        ):
            table = table | {"Parameters": known.get("Parameters", {}) | table["Parameters"]}
            self._glue.update_table(DatabaseName=database, TableInput=table)
            self._crawl.updated += 1
            self._say("INFO", f"Updated table {table['Name']} in database {database}")

    def _write_partitions(self, table: dict[str, Any], files: list[LandedFile]) -> None:
        named = {"DatabaseName": self._crawler["DatabaseName"], "TableName": table["Name"]}
        pages = self._glue.get_paginator("get_partitions").paginate(**named)
        known = {tuple(row["Values"]) for page in pages for row in page["Partitions"]}
        inputs = [row for row in partition_inputs(table, files) if tuple(row["Values"]) not in known]
        for start in range(0, len(inputs), BATCH_PARTITIONS):
            batch = self._unless_stopped(inputs[start : start + BATCH_PARTITIONS])
            self._raise_errors(self._glue.batch_create_partition(**named, PartitionInputList=batch))
        self._say("INFO", f"Added {len(inputs)} partitions to table {table['Name']}, {len(known)} were there")

    def _raise_errors(self, answer: dict[str, Any]) -> None:
        for error in answer.get("Errors", []):
            detail = error["ErrorDetail"]
            if detail["ErrorCode"] != "AlreadyExistsException":
                raise CrawlError(f"Partition {error['PartitionValues']}: {detail['ErrorMessage']}")

    def _unless_stopped(self, document: Any) -> Any:
        if self._crawl.stop.is_set():
            raise _Stopped
        return document

    def _say(self, level: str, text: str) -> None:
        self._log.send([f"[{self._crawl.stream}] {level} : {text}"])


def is_data(relative: str, size: int, exclusions: tuple[str, ...]) -> bool:
    """Whether an object below a target is a file of the table: not empty, not hidden, not excluded."""
    hidden = any(part.startswith(("_", ".")) for part in relative.split("/"))
    return bool(relative) and size > 0 and not hidden and not excluded(relative, exclusions)


def landed_file(bucket: str, prefix: str, row: dict[str, Any]) -> LandedFile:
    """A listed object and the partition its folders name; folders without `=` are `partition_0` and on."""
    folders = PurePosixPath(row["Key"][len(prefix) :]).parent.parts
    pairs = (folder.partition("=") for folder in folders)
    partition = tuple(
        (name.lower(), unquote(value)) if equals else (f"partition_{position}", name)
        for position, (name, equals, value) in enumerate(pairs)
    )
    return LandedFile(ObjectUri(bucket, row["Key"]), row["Size"], partition)


def partition_keys(files: list[LandedFile]) -> tuple[tuple[str, ...], list[LandedFile]]:
    """The folder names most files share, folders before none, and the files that lie in such folders."""
    counts = Counter(tuple(name for name, _ in file.partition) for file in files)
    keys = max(counts, key=lambda names: (bool(names), counts[names]))
    return keys, [file for file in files if tuple(name for name, _ in file.partition) == keys]


def table_name(prefix: str, root: ObjectUri) -> str:
    """What Glue calls the table of a target: the crawler's prefix and the last folder, in lower case."""
    last = root.key.rstrip("/").rsplit("/", 1)[-1] or root.bucket
    return "".join(c if c.isalnum() or c == "_" else "_" for c in f"{prefix}{last}".lower())


def table_input(
    crawler: dict[str, Any], root: ObjectUri, schema: Schema, keys: tuple[str, ...], files: list[LandedFile]
) -> dict[str, Any]:
    """The table of a target, as CreateTable takes it."""
    parameters = {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "UPDATED_BY_CRAWLER": crawler["Name"],
        "classification": schema.format,
        "compressionType": schema.compression,
        "objectCount": str(len(files)),
        "sizeKey": str(sum(file.size for file in files)),
        "typeOfData": "file",
        **schema.parameters,
    }
    columns = [{"Name": name, "Type": kind} for name, kind in schema.columns if name not in keys]
    return {
        "Name": table_name(crawler.get("TablePrefix", ""), root),
        "Owner": "owner",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys],
        "StorageDescriptor": storage(root, schema, columns, parameters),
    }


def storage(
    root: ObjectUri, schema: Schema, columns: list[dict[str, str]], parameters: dict[str, str]
) -> dict[str, Any]:
    """Where and how a table's files lie."""
    quoted = schema.format == "csv" and schema.quoted
    return {
        "Columns": columns,
        "Location": location(root),
        "InputFormat": INPUT_FORMATS[schema.format],
        "OutputFormat": OUTPUT_FORMATS[schema.format],
        "Compressed": schema.compression != "none",
        "NumberOfBuckets": -1,
        "SerdeInfo": {
            "SerializationLibrary": QUOTED_CSV_SERDE if quoted else SERDES[schema.format],
            "Parameters": serde_parameters(schema),
        },
        "BucketColumns": [],
        "SortColumns": [],
        "Parameters": parameters,
        "StoredAsSubDirectories": False,
    }


def serde_parameters(schema: Schema) -> dict[str, str]:
    """What the format's SerDe has to be told."""
    if schema.format == "parquet":
        return {"serialization.format": "1"}
    if schema.format == "json":
        return {"paths": ",".join(sorted(name for name, _ in schema.columns))}
    return (
        {"separatorChar": schema.delimiter, "quoteChar": '"'}
        if schema.quoted
        else {"field.delim": schema.delimiter}
    )


def location(root: ObjectUri) -> str:
    """A folder's URI with the slash Glue ends it with."""
    return str(root).rstrip("/") + "/"


def partition_inputs(table: dict[str, Any], files: list[LandedFile]) -> list[dict[str, Any]]:
    """The partitions the files lie in, each once, in order, as BatchCreatePartition takes them."""
    folders = {
        tuple(value for _, value in file.partition): str(file.uri).rsplit("/", 1)[0] + "/" for file in files
    }
    storage_descriptor = table["StorageDescriptor"]
    return [
        {
            "Values": list(values),
            "StorageDescriptor": storage_descriptor | {"Location": folders[values]},
            "Parameters": {},
        }
        for values in sorted(folders)
    ]


def differs(known: dict[str, Any], table: dict[str, Any]) -> bool:
    """Whether a crawl found another schema, place or format than the catalog has; counts don't matter."""

    def essence(of: dict[str, Any]) -> tuple[Any, ...]:
        descriptor = of.get("StorageDescriptor", {})
        columns = [(column["Name"], column["Type"]) for column in descriptor.get("Columns", [])]
        keys = [(key["Name"], key["Type"]) for key in of.get("PartitionKeys", [])]
        parameters = of.get("Parameters", {})
        return (
            columns,
            keys,
            parameters.get("classification"),
            parameters.get("connectionName"),
            descriptor.get("Location"),
            descriptor.get("SerdeInfo", {}).get("SerializationLibrary"),
        )

    return essence(known) != essence(table)
