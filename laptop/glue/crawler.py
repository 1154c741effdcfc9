"""Crawls for real: looks at the files of S3 targets, and makes the Data Catalog's tables and partitions true.

The tables of a JDBC target are read by `laptop.glue.jdbc`, and registered here too. As on AWS, a crawler
whose `UpdateBehavior` is LOG never changes a table that is there: it adds partitions, and logs what differs.
"""

import json
import logging
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote

from botocore.exceptions import BotoCoreError, ClientError

from laptop.aws.athena_scan import is_read
from laptop.glue.errors import CrawlError, glue_error
from laptop.glue.jdbc import JdbcTarget, find_tables, jdbc_table, jdbc_target, read_connection
from laptop.glue.logs import LogStream
from laptop.glue.schema import Schema, SchemaError, excluded, infer, spread
from laptop.glue.staging import ObjectUri, parse_uri
from resources.catalog import CatalogTable

logger = logging.getLogger(__name__)

LOG_GROUP = "/aws-glue/crawlers"
BATCH_PARTITIONS = 100
"""Most partitions of one BatchCreatePartition."""


@dataclass
class Crawl:
    """One crawl of a crawler: when it began, and how it ended; its status comes last, and ends it.

    As in an account, all crawls of a crawler write into one stream, which is called like the crawler; each
    line begins with its crawl's id.
    """

    crawler: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    started: float = field(default_factory=time.time)
    status: str = ""
    error: str = ""

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return not self.status

    def describe(self) -> dict[str, Any]:
        """The crawl as `LastCrawl`."""
        return {
            "Status": self.status,
            "LogGroup": LOG_GROUP,
            "LogStream": self.crawler,
            "MessagePrefix": self.id,
            "StartTime": self.started,
            **({"ErrorMessage": self.error} if self.error else {}),
        }


@dataclass(frozen=True)
class LandedFile:
    """An object below a target, and the partition its folders name."""

    uri: ObjectUri
    size: int
    partition: tuple[tuple[str, str], ...]


class CrawlerEngine:
    """Crawls of the crawlers that MiniStack only pretends to run."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """Crawl nothing yet; `client` makes a boto3 client of the gateway for a service's name."""
        self._client = client
        self._crawls: dict[str, Crawl] = {}
        self._lock = threading.Lock()
        self._threads = ThreadPoolExecutor(8, thread_name_prefix="glue-crawl")

    def start(self, crawler: dict[str, Any]) -> None:
        """Begin a crawl.

        Raises:
            ClientError: CrawlerRunningException.
        """
        name = crawler["Name"]
        with self._lock:
            newest = self._crawls.get(name)
            if newest and newest.running:
                raise glue_error(
                    "StartCrawler", "CrawlerRunningException", f"Crawler {name} is already running"
                )
            crawl = self._crawls[name] = Crawl(name)
        self._threads.submit(self._crawl, crawler, crawl)

    def describe(self, crawler: dict[str, Any]) -> dict[str, Any]:
        """A crawler's definition with its true state in it."""
        crawl = self._crawls.get(crawler["Name"])
        shown = {name: value for name, value in crawler.items() if name != "LastCrawl"}
        if crawl is None or crawl.running:
            return shown | {"State": "RUNNING" if crawl else "READY"}
        return shown | {"State": "READY", "LastCrawl": crawl.describe()}

    def close(self) -> None:
        """Begin no further crawl, and wait for those under way."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _crawl(self, crawler: dict[str, Any], crawl: Crawl) -> None:
        log = LogStream(self._client("logs"), LOG_GROUP, crawl.crawler)
        status, error = self._outcome(crawler, crawl, log)
        level = "ERROR" if error else "BENCHMARK"
        log.send([f"[{crawl.id}] {level} : Crawler {crawl.crawler} ended {status}. {error}".rstrip()])
        crawl.error, crawl.status = error, status

    def _outcome(self, crawler: dict[str, Any], crawl: Crawl, log: LogStream) -> tuple[str, str]:
        try:
            for target in targets(crawler):
                _TargetCrawl(self._client, crawler, crawl.id, log).crawl(target)
        except (CrawlError, ClientError, BotoCoreError) as reason:
            return "FAILED", str(reason)
        except Exception as surprise:
            logger.exception("Crawler %s", crawl.crawler)
            return "FAILED", f"Internal error: {surprise!r}"
        return "SUCCEEDED", ""


@dataclass(frozen=True)
class S3Target:
    """A folder of a bucket that is one table; its key ends with a slash."""

    root: ObjectUri
    exclusions: tuple[str, ...]


def targets(crawler: dict[str, Any]) -> list[S3Target | JdbcTarget]:
    """What a crawler is to crawl.

    Raises:
        CrawlError: It has a target that only AWS can crawl, or none.
    """
    declared = crawler.get("Targets") or {}
    for kind, rows in declared.items():
        if rows and kind not in ("S3Targets", "JdbcTargets"):
            raise CrawlError(f"{kind.removesuffix('Targets')} targets are crawled on AWS only")
    folders = [
        S3Target(parse_uri(row["Path"].rstrip("/") + "/"), tuple(row.get("Exclusions", ())))
        for row in declared.get("S3Targets", [])
    ]
    databases = [jdbc_target(row) for row in declared.get("JdbcTargets", [])]
    if not folders and not databases:
        raise CrawlError(f"Crawler {crawler['Name']} has no target")
    return [*folders, *databases]


@dataclass(frozen=True)
class _TargetCrawl:
    """The crawl of one target."""

    client: Callable[[str], Any]
    crawler: dict[str, Any]
    crawl_id: str
    log: LogStream

    @property
    def _glue(self) -> Any:
        return self.client("glue")

    def crawl(self, target: S3Target | JdbcTarget) -> None:
        """Make the catalog true for the target.

        Raises:
            CrawlError: There is nothing there, it can't be read, or there is no database for it.
        """
        self._require_database()
        if isinstance(target, JdbcTarget):
            self._crawl_tables(target)
        else:
            self._crawl_files(target)

    def _crawl_files(self, target: S3Target) -> None:
        files = self._files(target)
        table = self._find_table(table_name(self.crawler.get("TablePrefix", ""), target.root))
        if table and self._keeps_tables:
            self._confirm(table, files)
            return
        if not files:
            raise CrawlError(f"There is no data below {target.root}")
        keys = partition_keys(files)
        chosen = self._below(keys, files)
        newest = chosen[-1]
        if not (schema := infer(self.client("s3"), newest.uri, newest.size)).columns:
            raise CrawlError(f"On a laptop a crawler makes no table of {schema.format}; declare the table")
        inferred = table_input(self.crawler, target.root, schema, keys)
        self._write_table(inferred)
        self._write_partitions(inferred, chosen)

    def _confirm(self, table: dict[str, Any], files: list[LandedFile]) -> None:
        """Report what differs from a table that stays as it is, and add its partitions."""
        chosen = self._below(tuple(key["Name"] for key in table.get("PartitionKeys", [])), files)
        for file in spread(chosen):
            if differing := self._difference(table, file.uri, file.size):
                self._say("WARN", f"{differing}. Table {table['Name']} stays as it is")
        self._write_partitions(table, chosen)

    def _difference(self, table: dict[str, Any], uri: ObjectUri, size: int) -> str:
        """What a file has otherwise than the table, as a sentence; empty for nothing."""
        try:
            differing = difference(table, infer(self.client("s3"), uri, size))
        except SchemaError as reason:
            return str(reason)
        except Exception:
            # Files come from other people: none of them ends the crawl of the others.
            logger.exception("Crawler %s could not look into %s", self.crawler["Name"], uri)
            return f"{uri} can't be read"
        return f"{uri} {differing}" if differing else ""

    def _below(self, keys: tuple[str, ...], files: list[LandedFile]) -> list[LandedFile]:
        """The files that lie in a partition of these keys; the log says how many do not."""
        chosen = [file for file in files if tuple(name for name, _ in file.partition) == keys]
        if left_out := len(files) - len(chosen):
            place = f"in no folder {'/'.join(keys)}" if keys else "in folders"
            self._say("WARN", f"Left out {left_out} objects that lie {place}")
        return chosen

    @property
    def _keeps_tables(self) -> bool:
        return bool(self.crawler.get("SchemaChangePolicy", {}).get("UpdateBehavior") == "LOG")

    def _crawl_tables(self, target: JdbcTarget) -> None:
        """Register a database's tables; like a folder that is gone, a table that is gone stays registered."""
        connection = read_connection(self._glue, self.client("secretsmanager"), target.connection)
        tables = find_tables(connection, target)
        self._say("INFO", f"Found {len(tables)} tables at {target.path}")
        for table in tables:
            self._write_table(jdbc_table(self.crawler, target, table))

    def _require_database(self) -> None:
        name = self.crawler.get("DatabaseName", "")
        try:
            self._glue.get_database(Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            raise CrawlError(f"Database {name!r} does not exist") from None

    def _files(self, target: S3Target) -> list[LandedFile]:
        s3, root = self.client("s3"), target.root
        try:
            pages = s3.get_paginator("list_objects_v2").paginate(Bucket=root.bucket, Prefix=root.key)
            rows = [row for page in pages for row in page.get("Contents", [])]
        except s3.exceptions.NoSuchBucket:
            raise CrawlError(f"Bucket {root.bucket} does not exist") from None
        return [
            landed_file(root, row)
            for row in rows
            if is_data(row["Key"].removeprefix(root.key), row["Size"], target.exclusions)
        ]

    def _find_table(self, name: str) -> dict[str, Any] | None:
        try:
            answer = self._glue.get_table(DatabaseName=self.crawler["DatabaseName"], Name=name)
        except self._glue.exceptions.EntityNotFoundException:
            return None
        return dict(answer["Table"])

    def _write_table(self, table: dict[str, Any]) -> None:
        database, name = self.crawler["DatabaseName"], table["Name"]
        known = self._find_table(name)
        if known is None:
            self._glue.create_table(DatabaseName=database, TableInput=table)
            self._say("INFO", f"Created table {name} in database {database}")
        elif differs(known, table) and self._keeps_tables:
            self._say("WARN", f"What was found differs from table {name}. It stays as it is")
        elif differs(known, table):
            table = table | {"Parameters": known.get("Parameters", {}) | table["Parameters"]}
            self._glue.update_table(DatabaseName=database, TableInput=table)
            self._say("INFO", f"Updated table {name} in database {database}")

    def _write_partitions(self, table: dict[str, Any], files: list[LandedFile]) -> None:
        """Add the partitions the files lie in; bring those up to the table that are to inherit from it."""
        if not table["PartitionKeys"]:
            return
        named = {"DatabaseName": self.crawler["DatabaseName"], "TableName": table["Name"]}
        pages = self._glue.get_paginator("get_partitions").paginate(**named)
        known = {tuple(row["Values"]): row for page in pages for row in page["Partitions"]}
        inputs = partition_inputs(table, files)
        new = [row for row in inputs if tuple(row["Values"]) not in known]
        for batch in _batches(new):
            _raise_errors(self._glue.batch_create_partition(**named, PartitionInputList=batch))
        self._say("INFO", f"Added {len(new)} partitions to table {table['Name']}, {len(known)} were there")
        if not inherits(self.crawler):
            return
        there = [
            (known[values], where_it_is(row, known[values]))
            for row in inputs
            if (values := tuple(row["Values"])) in known
        ]
        other = [row for has, row in there if has.get("StorageDescriptor") != row["StorageDescriptor"]]
        for batch in _batches(other):
            entries = [{"PartitionValueList": row["Values"], "PartitionInput": row} for row in batch]
            _raise_errors(self._glue.batch_update_partition(**named, Entries=entries))
        self._say("INFO", f"Updated {len(other)} partitions of table {table['Name']}")

    def _say(self, level: str, text: str) -> None:
        self.log.send([f"[{self.crawl_id}] {level} : {text}"])


def _batches(inputs: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(inputs), BATCH_PARTITIONS):
        yield inputs[start : start + BATCH_PARTITIONS]


def _raise_errors(answer: dict[str, Any]) -> None:
    for error in answer.get("Errors", []):
        detail = error["ErrorDetail"]
        if detail["ErrorCode"] != "AlreadyExistsException":
            values = error.get("PartitionValues") or error.get("PartitionValueList")
            raise CrawlError(f"Partition {values}: {detail['ErrorMessage']}")


def is_data(relative: str, size: int, exclusions: tuple[str, ...]) -> bool:
    """Whether an object below a target is a file of the table: not empty, not hidden, not excluded."""
    return bool(relative) and size > 0 and is_read(relative) and not excluded(relative, exclusions)


def landed_file(root: ObjectUri, row: dict[str, Any]) -> LandedFile:
    """A listed object and the partition its folders name; folders without `=` are `partition_0` and on."""
    folders = PurePosixPath(row["Key"].removeprefix(root.key)).parent.parts
    pairs = (folder.partition("=") for folder in folders)
    partition = tuple(
        (name.lower(), unquote(value)) if equals else (f"partition_{position}", name)
        for position, (name, equals, value) in enumerate(pairs)
    )
    return LandedFile(ObjectUri(root.bucket, row["Key"]), row["Size"], partition)


def partition_keys(files: list[LandedFile]) -> tuple[str, ...]:
    """The folder names most files share, folders before none."""
    counts = Counter(tuple(name for name, _ in file.partition) for file in files)
    return max(counts, key=lambda names: (bool(names), counts[names]))


def inherits(crawler: dict[str, Any]) -> bool:
    """Whether a crawler has partitions follow their table, those that are there, too."""
    output = json.loads(crawler.get("Configuration") or "{}").get("CrawlerOutput", {})
    return bool(output.get("Partitions", {}).get("AddOrUpdateBehavior") == "InheritFromTable")


def table_name(prefix: str, root: ObjectUri) -> str:
    """What Glue calls the table of a target: the crawler's prefix and the last folder, in lower case."""
    last = root.key.rstrip("/").rsplit("/", 1)[-1] or root.bucket
    return re.sub(r"\W", "_", f"{prefix}{last}".lower())


def table_input(
    crawler: dict[str, Any], root: ObjectUri, schema: Schema, keys: tuple[str, ...]
) -> dict[str, Any]:
    """The table of a target, as CreateTable takes it."""
    table: dict[str, Any] = CatalogTable(
        name=table_name(crawler.get("TablePrefix", ""), root),
        description="",
        location=str(root),
        format=schema.format,
        columns=(),
        daily=False,
        delimiter=schema.delimiter,
        header_lines=int(schema.header),
    ).table_input
    columns = [{"Name": name, "Type": kind} for name, kind in schema.columns if name not in keys]
    return table | {
        "Parameters": table["Parameters"] | {"UPDATED_BY_CRAWLER": crawler["Name"]},
        "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys],
        "StorageDescriptor": table["StorageDescriptor"] | {"Columns": columns},
    }


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


def where_it_is(row: dict[str, Any], known: dict[str, Any]) -> dict[str, Any]:
    """A partition as it is to be, at the location where it is registered: what inherits is not moved.

    AWS's guide speaks of partitions that are updated "with metadata from the table" (How to prevent the
    crawler from changing an existing schema), and the table does not say where a partition is.
    """
    location = known.get("StorageDescriptor", {}).get("Location", row["StorageDescriptor"]["Location"])
    return row | {"StorageDescriptor": row["StorageDescriptor"] | {"Location": location}}


def difference(table: dict[str, Any], schema: Schema) -> str:
    """What a file has otherwise than its table, as the rest of a sentence that begins with the file.

    It names the table's columns and never the file's: a file without a header has people for column names.
    """
    storage = table["StorageDescriptor"]
    expected = table.get("Parameters", {}).get("classification")
    if schema.format != expected:
        return f"is {schema.format}, expected {expected}"
    delimiter = storage.get("SerdeInfo", {}).get("Parameters", {}).get("field.delim")
    if schema.format == "csv" and schema.delimiter != delimiter:
        return f"has its fields parted by {schema.delimiter!r}, expected {delimiter!r}"
    keys = {key["Name"] for key in table.get("PartitionKeys", [])}
    declared = {column["Name"]: column["Type"] for column in storage["Columns"]}
    landed = {name: kind for name, kind in schema.columns if name not in keys}
    return ", ".join(_column_differences(declared, landed, schema.format))


def _column_differences(declared: dict[str, str], landed: dict[str, str], file_format: str) -> Iterator[str]:
    """Types are compared where the file itself states them; those of text are guesses."""
    if lacking := [name for name in declared if name not in landed]:
        yield f"lacks {', '.join(lacking)}"
    if own := len(landed.keys() - declared.keys()):
        yield f"has {own} columns the table lacks"
    if file_format == "csv" and landed.keys() == declared.keys() and list(landed) != list(declared):
        yield "has its columns in another order"
    for name in declared.keys() & landed.keys() if file_format == "parquet" else ():
        if landed[name] != declared[name]:
            yield f"has {name} as {landed[name]}, expected {declared[name]}"


def differs(known: dict[str, Any], table: dict[str, Any]) -> bool:
    """Whether a crawl found another schema, place or format than the catalog has."""
    return _essence(known) != _essence(table)


def _essence(table: dict[str, Any]) -> tuple[Any, ...]:
    storage, parameters = table.get("StorageDescriptor", {}), table.get("Parameters", {})
    return (
        [(column["Name"], column["Type"]) for column in storage.get("Columns", [])],
        [(key["Name"], key["Type"]) for key in table.get("PartitionKeys", [])],
        [parameters.get(name) for name in ("classification", "connectionName")],
        storage.get("Location"),
        storage.get("SerdeInfo", {}).get("SerializationLibrary"),
    )
