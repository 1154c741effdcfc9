"""Crawls JDBC targets for real: reads which tables a PostgreSQL has, as a Glue crawler would register them.

What a path and its exclusions mean is from AWS's documentation, Glue Developer Guide, "Include and exclude
patterns". What a crawler writes of a table stands in none: it is as people show the tables of their accounts.
"""

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import psycopg2

from laptop.glue.schema import excluded

CLASSIFICATION = "postgresql"
"""In an account, of a crawler over Redshift, it is `redshift`."""

CONNECT_SECONDS = 10
PATH_PARTS = 3
"""Database, schema, table."""

COLUMNS = """
SELECT c.table_schema, c.table_name, c.column_name, c.data_type, c.numeric_precision, c.numeric_scale
FROM information_schema.columns c
JOIN information_schema.tables t USING (table_catalog, table_schema, table_name)
WHERE t.table_type = 'BASE TABLE'
    AND c.table_catalog = %(database)s
    AND (c.table_schema = %(schema)s OR %(schema)s = '%%')
    AND (c.table_name = %(table)s OR %(table)s = '%%')
    AND c.table_schema NOT IN ('information_schema', 'pg_catalog')
ORDER BY c.table_schema, c.table_name, c.ordinal_position
"""
"""Every column of a path's tables, as far as the connection's user may see them."""

TYPES = {
    "smallint": "smallint",
    "integer": "int",
    "bigint": "bigint",
    "real": "float",
    "double precision": "double",
    "boolean": "boolean",
    "date": "date",
    "timestamp without time zone": "timestamp",
    "timestamp with time zone": "timestamp",
    "bytea": "binary",
}
UNBOUNDED_DECIMAL = "decimal(38,18)"
"""Of a `numeric` without digits; Spark's own choice for one that it reads over JDBC."""


class JdbcError(Exception):
    """A JDBC target can't be crawled; the message becomes `LastCrawl.ErrorMessage`."""


@dataclass(frozen=True)
class JdbcTarget:
    """Tables of a database: `<database>/<schema>/<table>`, each but the database a name or `%` for all.

    Args:
        connection: Name of the Glue connection that leads there.
        database: The database's name.
        schema: A schema's name, or `%`.
        table: A table's name, or `%`.
        exclusions: Globs of what to leave out, relative to the path: of a schema's tables the table's name,
            of all schemas `<schema>/<table>`.
    """

    connection: str
    database: str
    schema: str
    table: str
    exclusions: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """The path as it is declared; of a whole database in full."""
        return f"{self.database}/{self.schema}/{self.table}"

    def takes(self, schema: str, table: str) -> bool:
        """Whether no exclusion is about a table of the path."""
        return not excluded(f"{schema}/{table}" if self.schema == "%" else table, self.exclusions)


@dataclass(frozen=True)
class Connection:
    """Where a Glue connection leads.

    Args:
        name: Of the connection.
        host: Server's host name.
        port: Server's port.
        database: Database to connect to.
        user: Login, from the connection's secret.
        password: Likewise.
        encrypted: Whether an unencrypted session is refused.
    """

    name: str
    host: str
    port: int
    database: str
    user: str
    password: str
    encrypted: bool


@dataclass(frozen=True)
class FoundTable:
    """A table of a database, with the name and Glue type of each column, in the table's order."""

    schema: str
    name: str
    columns: tuple[tuple[str, str], ...]


def jdbc_target(row: Mapping[str, Any]) -> JdbcTarget:
    """A JDBC target as CreateCrawler takes it.

    Raises:
        JdbcError: Its path is none of `<database>/%` and `<database>/<schema>/<table>`.
    """
    path = row.get("Path", "")
    parts = path.split("/")
    if parts[1:] == ["%"]:
        parts.append("%")
    if len(parts) != PATH_PARTS or not all(parts) or parts[0] == "%":
        raise JdbcError(
            f"JDBC path {path!r}: expected <database>/<schema>/<table>; all but the database may be %"
        )
    database, schema, table = parts
    exclusions = tuple(row.get("Exclusions", ()))
    return JdbcTarget(row.get("ConnectionName", ""), database, schema, table, exclusions)


def read_connection(glue: Any, secrets: Any, name: str) -> Connection:
    """What the catalog and the secret it names say about a connection.

    Args:
        glue: Glue's client.
        secrets: Secrets Manager's client.
        name: The connection's name.

    Raises:
        JdbcError: There is no such connection or secret, or one says too little.
    """
    try:
        properties = glue.get_connection(Name=name)["Connection"].get("ConnectionProperties", {})
    except glue.exceptions.EntityNotFoundException:
        raise JdbcError(f"Connection {name!r} does not exist") from None
    url = properties.get("JDBC_CONNECTION_URL", "")
    if (place := re.fullmatch(r"jdbc:postgresql://([^:/?@]+):(\d+)/([^/?]+)", url)) is None:
        raise JdbcError(
            f"Connection {name!r}: expected jdbc:postgresql://<host>:<port>/<database>, found {url!r}"
        )
    login = _login(secrets, name, properties.get("SECRET_ID", ""))
    encrypted = properties.get("JDBC_ENFORCE_SSL", "false").lower() == "true"
    return Connection(
        name, place[1], int(place[2]), place[3], login["username"], login["password"], encrypted
    )


def _login(secrets: Any, connection: str, secret: str) -> dict[str, str]:
    if not secret:
        raise JdbcError(f"Connection {connection!r}: expected a SECRET_ID with its login, found none")
    try:
        document = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
        return {key: str(document[key]) for key in ("username", "password")}
    except secrets.exceptions.ResourceNotFoundException:
        raise JdbcError(f"Connection {connection!r}: secret {secret!r} does not exist") from None
    except (ValueError, KeyError, TypeError):
        # Their texts would quote the secret.
        raise JdbcError(
            f"Connection {connection!r}: secret {secret!r} has no username and password"
        ) from None


def find_tables(connection: Connection, target: JdbcTarget) -> list[FoundTable]:
    """The target's tables, by schema and name.

    Raises:
        JdbcError: The database can't be reached or read, or the path has no table.
    """
    place = f"Connection {connection.name!r}: {connection.host}:{connection.port}/{connection.database}"
    try:
        rows = _read_columns(connection, target)
    except psycopg2.OperationalError as reason:
        raise JdbcError(f"{place} can't be reached: {_one_line(reason)}") from None
    except psycopg2.Error as reason:
        raise JdbcError(f"{place} can't be read: {_one_line(reason)}") from None
    if found := tables_of(rows, target):
        return found
    raise JdbcError(f"{place} has no table {target.path} that its user may see and no exclusion leaves out")


def _read_columns(connection: Connection, target: JdbcTarget) -> list[tuple[Any, ...]]:
    with (
        closing(
            psycopg2.connect(
                host=connection.host,
                port=connection.port,
                dbname=connection.database,
                user=connection.user,
                password=connection.password,
                connect_timeout=CONNECT_SECONDS,
                sslmode="require" if connection.encrypted else "prefer",
                application_name="airline-crawler",
            )
        ) as session,
        session.cursor() as cursor,
    ):
        path = {"database": target.database, "schema": target.schema, "table": target.table}
        cursor.execute(COLUMNS, path)
        return cursor.fetchall()


def _one_line(reason: Exception) -> str:
    return " ".join(str(reason).split())


def tables_of(rows: Iterable[tuple[Any, ...]], target: JdbcTarget) -> list[FoundTable]:
    """The tables that rows of `COLUMNS` speak of, without what the target excludes."""
    return [
        FoundTable(schema, name, tuple((row[2].lower(), glue_type(*row[3:])) for row in of_table))
        for (schema, name), of_table in groupby(rows, key=lambda row: (row[0], row[1]))
        if target.takes(schema, name)
    ]


def glue_type(data_type: str, precision: int | None = None, scale: int | None = None) -> str:
    """Glue's name of a PostgreSQL type, as information_schema spells it; what has none is a string.

    Args:
        data_type: For example `character varying`.
        precision: Digits of a `numeric` in all; None where it has any number of them.
        scale: Of these, digits behind the point.
    """
    if data_type == "numeric":
        return UNBOUNDED_DECIMAL if precision is None else f"decimal({precision},{scale or 0})"
    return TYPES.get(data_type, "string")


def jdbc_table(crawler: Mapping[str, Any], target: JdbcTarget, table: FoundTable) -> dict[str, Any]:
    """A table as CreateTable takes it, located at `<database>.<schema>.<table>`."""
    parameters = {
        "CrawlerSchemaDeserializerVersion": "1.0",
        "CrawlerSchemaSerializerVersion": "1.0",
        "UPDATED_BY_CRAWLER": crawler["Name"],
        "classification": CLASSIFICATION,
        "compressionType": "none",
        "connectionName": target.connection,
        "typeOfData": "table",
    }
    return {
        "Name": table_name(crawler.get("TablePrefix", ""), target.database, table),
        "Owner": "owner",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind} for name, kind in table.columns],
            "Location": f"{target.database}.{table.schema}.{table.name}",
            "Compressed": False,
            "NumberOfBuckets": -1,
            "SerdeInfo": {"Parameters": {}},
            "BucketColumns": [],
            "SortColumns": [],
            "Parameters": parameters,
            "StoredAsSubDirectories": False,
        },
    }


def table_name(prefix: str, database: str, table: FoundTable) -> str:
    """What Glue calls the table: `<prefix><database>_<schema>_<table>`, in lower case."""
    plain = f"{prefix}{database}_{table.schema}_{table.name}".lower()
    return "".join(c if c.isalnum() or c == "_" else "_" for c in plain)
