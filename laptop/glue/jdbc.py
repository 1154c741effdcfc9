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


def read_connection(glue: Any, secrets: Any, name: str) -> dict[str, Any]:
    """Arguments of psycopg2's `connect`, from a connection of the catalog and the secret it names.

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
        raise JdbcError(f"Connection {connection!r}: expected a SECRET_ID with its login, found none")
    try:
        document = json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])
        return {"user": str(document["username"]), "password": str(document["password"])}
    except secrets.exceptions.ResourceNotFoundException:
        raise JdbcError(f"Connection {connection!r}: secret {secret!r} does not exist") from None
    except (ValueError, KeyError, TypeError):
        # Their texts would quote the secret.
        raise JdbcError(
            f"Connection {connection!r}: secret {secret!r} has no username and password"
        ) from None


def find_tables(connection: Mapping[str, Any], target: JdbcTarget) -> list[FoundTable]:
    """The target's tables, by schema and name.

    Args:
        connection: As `read_connection` gives it.
        target: Which tables.

    Raises:
        JdbcError: The database can't be reached or read, or the path has no table.
    """
    server = "{host}:{port}/{dbname}".format_map(connection)
    place = f"Connection {target.connection!r}: {server}"
    try:
        rows = _read_columns(connection, target)
    except psycopg2.Error as reason:
        verb = "reached" if isinstance(reason, psycopg2.OperationalError) else "read"
        raise JdbcError(f"{place} can't be {verb}: {' '.join(str(reason).split())}") from None
    if tables := tables_of(rows, target):
        return tables
    raise JdbcError(f"{place} has no table {target.path} that its user may see and no exclusion leaves out")


def _read_columns(connection: Mapping[str, Any], target: JdbcTarget) -> list[tuple[Any, ...]]:
    path = {"database": target.database, "schema": target.schema, "table": target.table}
    name = "airline-crawler"
    with (
        closing(
            psycopg2.connect(**connection, connect_timeout=CONNECT_SECONDS, application_name=name)
        ) as session,
        session.cursor() as cursor,
    ):
        cursor.execute(COLUMNS, path)
        return list(cursor.fetchall())


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
    return {
        "Name": table_name(crawler.get("TablePrefix", ""), target.database, table),
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
            "Location": f"{target.database}.{table.schema}.{table.name}",
        },
    }


def table_name(prefix: str, database: str, table: FoundTable) -> str:
    """What Glue calls the table: `<prefix><database>_<schema>_<table>`, in lower case."""
    plain = f"{prefix}{database}_{table.schema}_{table.name}".lower()
    return "".join(c if c.isalnum() or c == "_" else "_" for c in plain)
