"""Crawls JDBC targets for real: reads which tables a PostgreSQL has, as a Glue crawler would register them.

What a path means is from AWS's documentation, Glue Developer Guide, "Include and exclude patterns". What a
crawler writes of a table stands in none: it is as people show the tables of their accounts.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

import psycopg2

from laptop.glue.errors import CrawlError

CLASSIFICATION = "postgresql"
"""In an account, of a crawler over Redshift, it is `redshift`."""

CONNECT_SECONDS = 10
PATH_PARTS = 3
"""Database, schema, table."""

COLUMNS = """
SELECT c.table_name, c.column_name, c.data_type, c.numeric_precision, c.numeric_scale
FROM information_schema.columns c
JOIN information_schema.tables t USING (table_catalog, table_schema, table_name)
WHERE t.table_type = 'BASE TABLE'
    AND c.table_catalog = %(database)s
    AND c.table_schema = %(schema)s
    AND (c.table_name = %(table)s OR %(table)s = '%%')
ORDER BY c.table_name, c.ordinal_position
"""
"""Every column of a path's tables, as far as the connection's user may see them."""

TYPES = {
    "smallint": "smallint", "integer": "int", "bigint": "bigint", "real": "float", "boolean": "boolean",
    "double precision": "double", "date": "date", "bytea": "binary",
    "timestamp without time zone": "timestamp", "timestamp with time zone": "timestamp",
}  # fmt: skip
UNBOUNDED_DECIMAL = "decimal(38,18)"
"""Of a `numeric` without digits; Spark's own choice for one that it reads over JDBC."""


@dataclass(frozen=True)
class JdbcTarget:
    """Tables of a database's schema, which a Glue connection leads to; `%` for all of them."""

    connection: str
    database: str
    schema: str
    table: str

    @property
    def path(self) -> str:
        """The path as it is declared."""
        return f"{self.database}/{self.schema}/{self.table}"


@dataclass(frozen=True)
class DatabaseTable:
    """A table of a database, with the name and Glue type of each column, in the table's order."""

    name: str
    columns: tuple[tuple[str, str], ...]


def jdbc_target(row: Mapping[str, Any]) -> JdbcTarget:
    """A JDBC target as CreateCrawler takes it.

    Raises:
        CrawlError: Its path is not `<database>/<schema>/<table>`, or it has what only AWS obeys.
    """
    path = row.get("Path", "")
    parts = path.split("/")
    if len(parts) != PATH_PARTS or not all(parts) or "%" in parts[:2]:
        raise CrawlError(f"JDBC path {path!r}: expected <database>/<schema>/<table>; the table may be %")
    if row.get("Exclusions"):
        raise CrawlError(f"JDBC path {path!r}: exclusions of tables are obeyed on AWS only")
    return JdbcTarget(row.get("ConnectionName", ""), *parts)


def read_connection(glue: Any, secrets: Any, name: str) -> dict[str, Any]:
    """Arguments of psycopg2's `connect`, from a connection of the catalog and the secret it names.

    Raises:
        CrawlError: There is no such connection or secret, or one says too little.
    """
    try:
        properties = glue.get_connection(Name=name)["Connection"].get("ConnectionProperties", {})
    except glue.exceptions.EntityNotFoundException:
        raise CrawlError(f"Connection {name!r} does not exist") from None
    url = properties.get("JDBC_CONNECTION_URL", "")
    if (place := re.fullmatch(r"jdbc:postgresql://([^:/?@]+):(\d+)/([^/?]+)", url)) is None:
        raise CrawlError(
            f"Connection {name!r}: expected jdbc:postgresql://<host>:<port>/<database>, found {url!r}"
        )
    encrypted = properties.get("JDBC_ENFORCE_SSL", "false").lower() == "true"
    return {
        "host": place[1],
        "port": int(place[2]),
        "dbname": place[3],
        "sslmode": "require" if encrypted else "prefer",
        **_login(secrets, name, properties.get("SECRET_ID", "")),
    }


def _login(secrets: Any, connection: str, secret: str) -> dict[str, str]:
    if not secret:
        raise CrawlError(f"Connection {connection!r}: expected a SECRET_ID with its login, found none")
    try:
        document = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
        return {"user": str(document["username"]), "password": str(document["password"])}
    except secrets.exceptions.ResourceNotFoundException:
        raise CrawlError(f"Connection {connection!r}: secret {secret!r} does not exist") from None
    except (ValueError, KeyError, TypeError):
        # Their texts would quote the secret.
        raise CrawlError(
            f"Connection {connection!r}: secret {secret!r} has no username and password"
        ) from None


def find_tables(connection: Mapping[str, Any], target: JdbcTarget) -> list[DatabaseTable]:
    """The target's tables by name; `connection` is as `read_connection` gives it.

    Raises:
        CrawlError: The database can't be reached or read, or the path has no table.
    """
    place = "Connection {!r}: {host}:{port}/{dbname}".format(target.connection, **connection)
    try:
        with (
            closing(psycopg2.connect(**connection, connect_timeout=CONNECT_SECONDS)) as session,
            session.cursor() as cursor,
        ):
            cursor.execute(COLUMNS, vars(target))
            tables = tables_of(cursor.fetchall())
    except psycopg2.Error as reason:
        verb = "reached" if isinstance(reason, psycopg2.OperationalError) else "read"
        raise CrawlError(f"{place} can't be {verb}: {' '.join(str(reason).split())}") from None
    if not tables:
        raise CrawlError(f"{place} has no table {target.path} that its user may see")
    return tables


def tables_of(rows: Iterable[tuple[Any, ...]]) -> list[DatabaseTable]:
    """The tables that rows of `COLUMNS` speak of."""
    return [
        DatabaseTable(name, tuple((row[1].lower(), glue_type(*row[2:])) for row in of_table))
        for name, of_table in groupby(rows, key=itemgetter(0))
    ]


def glue_type(data_type: str, precision: int | None = None, scale: int | None = None) -> str:
    """Glue's name of a PostgreSQL type, as information_schema spells it; what has none is a string.

    `precision` is the digits of a `numeric` in all, None where it has any number of them, `scale` those
    behind the point.
    """
    if data_type == "numeric":
        return UNBOUNDED_DECIMAL if precision is None else f"decimal({precision},{scale or 0})"
    return TYPES.get(data_type, "string")


def jdbc_table(crawler: Mapping[str, Any], target: JdbcTarget, table: DatabaseTable) -> dict[str, Any]:
    """A table as CreateTable takes it, located at `<database>.<schema>.<table>`."""
    prefix, path = crawler.get("TablePrefix", ""), (target.database, target.schema, table.name)
    return {
        "Name": re.sub(r"\W", "_", f"{prefix}{'_'.join(path)}".lower()),
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {
            "UPDATED_BY_CRAWLER": crawler["Name"],
            "classification": CLASSIFICATION,
            "connectionName": target.connection,
            "typeOfData": "table",
        },
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind} for name, kind in table.columns],
            "Location": ".".join(path),
        },
    }
