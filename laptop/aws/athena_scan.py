"""What an Athena query read on a laptop: its tables' files, where MiniStack counts the result's letters."""

import logging
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import sqlglot
from sqlglot import exp

logger = logging.getLogger(__name__)

GET_QUERY_EXECUTION = "AmazonAthena.GetQueryExecution"
"""The call whose answer has the figure."""

QUERIES_KEPT = 1000


class AthenaScans:
    """Measures queries once, when they are first seen to have succeeded."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        """Measure by the catalog and the files; `client` makes a boto3 client of the gateway."""
        self._client = client
        self._measured = lru_cache(maxsize=QUERIES_KEPT)(self._measure)

    def correct(self, answer: dict[str, Any]) -> None:
        """Put the figure and the result's place into MiniStack's answer: 0 for DDL, or without success."""
        execution = answer.get("QueryExecution")
        if not execution:
            return
        scanned = 0
        if execution["StatementType"] == "DML" and execution["Status"]["State"] == "SUCCEEDED":
            database = execution["QueryExecutionContext"]["Database"]
            scanned = self._measured(execution["QueryExecutionId"], execution["Query"], database)
        execution["Statistics"]["DataScannedInBytes"] = scanned
        # MiniStack keeps a result below the name it gives for it.
        result = execution["ResultConfiguration"]
        result["OutputLocation"] += f"/{execution['QueryExecutionId']}.csv"

    def _measure(self, query_id: str, sql: str, database: str) -> int:
        """Bytes a query read; 0 where that can't be told, which is logged."""
        try:
            return sum(self._size(*table) for table in tables(sql, database))
        except Exception:
            logger.exception("nobody knows what Athena query %s read", query_id)
            return 0

    def _size(self, database: str, table: str) -> int:
        """Bytes of a table: MiniStack reads all of it, whichever days a query asks for."""
        glue = self._client("glue")
        try:
            found = glue.get_table(DatabaseName=database, Name=table)["Table"]
        except glue.exceptions.EntityNotFoundException:
            return 0  # DuckDB's own, such as those of information_schema
        if not is_partitioned(found):
            return self._below(found.get("StorageDescriptor", {}).get("Location", ""))
        pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=table)
        partitions = [each for page in pages for each in page["Partitions"]]
        return sum(self._below(each.get("StorageDescriptor", {}).get("Location", "")) for each in partitions)

    def _below(self, location: str) -> int:
        """Bytes of the files below a location."""
        place = urlsplit(location)
        prefix = f"{place.path.strip('/')}/".lstrip("/")
        listing = self._client("s3").get_paginator("list_objects_v2")
        pages = listing.paginate(Bucket=place.netloc, Prefix=prefix)
        objects = (each for page in pages for each in page.get("Contents", ()))
        return sum(each["Size"] for each in objects if is_read(each["Key"].removeprefix(prefix)))


def tables(sql: str, database: str) -> list[tuple[str, str]]:
    """Database and name of the tables a query names, as often as it names them: each time they are read.

    `database` is that of the tables that are not qualified.

    Raises:
        sqlglot.errors.SqlglotError: The query can't be read.
    """
    tree = sqlglot.parse_one(sql, read="trino")
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    return [
        ((table.db or database).lower(), table.name.lower())
        for table in tree.find_all(exp.Table)
        if isinstance(table.this, exp.Identifier) and (table.db or table.name.lower() not in own)
    ]


def is_partitioned(table: Mapping[str, Any]) -> bool:
    """Whether a table's files are found by its registered partitions, and not by their folders' names."""
    return bool(table.get("PartitionKeys")) and "projection.enabled" not in table.get("Parameters", {})


def is_read(key: str) -> bool:
    """Whether Athena reads an object; its key is given from the table's location on."""
    return not key.endswith("/") and not any(part.startswith(("_", ".")) for part in key.split("/"))
