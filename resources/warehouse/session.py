"""The warehouse: Redshift in an account, PostgreSQL on a laptop; its SQL is written once, for Redshift.

Which of the two it is, and how to reach it, stands in one secret, in the shape RDS and Redshift use:
`{"engine", "host", "port", "dbname", "username", "password"}`.
"""

import io
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

import sqlglot
from psycopg2.extras import RealDictCursor, execute_values
from sqlglot import expressions as exp

from airline_platform.contract.table import Column, Table, column_definitions
from airline_platform.errors import WrongCall
from airline_platform.settings import Settings
from resources.aws.client import AwsAccess, make_client, reaching
from resources.warehouse.connections import Connection, Connections, connections_to
from resources.warehouse.own_tables import LOAD_LOCK
from resources.warehouse.table_changes import (
    COLUMNS,
    COMMENTS,
    SCHEMA,
    Changes,
    TableColumn,
    additions,
    changes_of,
    columns_by_table,
    descriptions,
)

if TYPE_CHECKING:
    from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812 - it is a class

AHEAD = 4
"""Files, and batches of rows, that a laptop's COPY has ready, so that PostgreSQL does not wait for them."""

LOAD_MEMORY = "256MB"
"""For one sort or grouping of a laptop's load, of which there is never more than one: a quarter's two million
flights, grouped, take 220 MB."""

_S = TypeVar("_S")
_T = TypeVar("_T")

COPY_PARQUET = "COPY {table} FROM %(manifest)s IAM_ROLE default FORMAT AS PARQUET MANIFEST"
"""Redshift takes its own default role: no role's name travels in SQL."""


class Reader(Protocol):
    """Something that answers queries: a transaction, or a warehouse, which opens one for each."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one statement of Redshift SQL with bound `%(name)s` values."""
        ...


class Session:
    """A transaction on the warehouse; it is committed when its block ends well, and rolled back otherwise."""

    def __init__(self, connection: "PsycopgConnection", engine: str, aws: AwsAccess) -> None:
        self._connection = connection
        self._engine = engine
        self._aws = aws

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Run one statement of Redshift SQL with bound `%(name)s` values; return its rows, if it has any."""
        with self._connection.cursor(cursor_factory=RealDictCursor) as cursor:
            cursor.execute(self._dialect(sql), parameters)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one statement of Redshift SQL with bound `%(name)s` values."""
        return self.execute(sql, parameters)

    def change(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        """Run one statement that changes rows; return how many it changed."""
        with self._connection.cursor() as cursor:
            cursor.execute(self._dialect(sql), parameters)
            changed: int = cursor.rowcount
            return changed

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, each with a value for every column of the table."""
        names = table.column_names
        with self._connection.cursor() as cursor:
            execute_values(
                cursor,
                f"INSERT INTO {table.qualified_name} ({', '.join(names)}) VALUES %s",  # noqa: S608 - our own names
                [tuple(row[name] for name in names) for row in rows],
                page_size=1000,
            )

    def columns(self) -> dict[str, dict[str, TableColumn]]:
        """Return the columns of every table of the schema, by table and name."""
        return columns_by_table(self.execute(COLUMNS, SCHEMA))

    def add_columns(self, table: Table, columns: Sequence[Column]) -> list[str]:
        """Add those of the columns that the table lacks, in this transaction; they may be empty.

        The table is locked only when one is missing, and looked at again behind the lock: another
        transaction may have added it meanwhile.

        Returns:
            The names of the columns that were added.
        """

        def missing() -> list[Column]:
            existing = self.columns().get(table.name, {})
            return [column for column in columns if column.name not in existing]

        if not missing():
            return []
        self._run(f"LOCK TABLE {table.qualified_name}")
        lacking = missing()
        for statement in additions(table, lacking, {}):
            self.execute(statement)
        return [column.name for column in lacking]

    def describe(self, tables: Sequence[Table]) -> int:
        """Let tables and columns say what they are declared to mean; return how many said something else."""
        said = {
            (row["table_name"], row["column_name"]): row["text"] for row in self.execute(COMMENTS, SCHEMA)
        }
        new = [each for each in descriptions(tables) if said.get(each.place) != each.text]
        for each in new:
            self._run(f"COMMENT ON {each.object} IS %s", [each.text])
        return len(new)

    def changes(self, tables: Sequence[Table]) -> Changes:
        """Return what the existing tables need to become what they are declared to be.

        Raises:
            TableDiffers: Some column can't be made what it is declared to be.
        """
        return changes_of(tables, self.columns(), self._engine)

    def index(self, table: Table) -> None:
        """Index by the sort key where the engine does not sort: a day is replaced in 58 ms instead of 467.

        Of a bulky table, what is indexed is which days each 128 pages hold, because an index of its rows
        took 40 % of an INSERT. Finding a day among a year's 7.3 million rows takes 0.02 s of CPU instead of
        0.01. Where others have taken the place of replaced days, `multi` keeps 16 of them apart.
        """
        if self._engine != "postgres":
            return
        sorted_by, on = ", ".join(table.sort_key), f"ON {table.qualified_name}"
        if table.bulky:
            create = f"CREATE INDEX IF NOT EXISTS {table.name}_pages {on}"
            self._run(f"{create} USING brin ({sorted_by} date_minmax_multi_ops)")
            self._run(f"DROP INDEX IF EXISTS {table.SCHEMA}.{table.name}_sort_key")
        elif sorted_by:
            self._run(f"CREATE INDEX IF NOT EXISTS {table.name}_sort_key {on} ({sorted_by})")
        if found_by := ", ".join(table.looked_up_by):
            self._run(f"CREATE INDEX IF NOT EXISTS {table.name}_lookup {on} ({found_by})")

    def settle(self, table: Table) -> None:
        """Let a bulky table's index know of the pages that were added: by itself it does much later."""
        if self._engine == "postgres" and table.bulky:
            index = f"{table.SCHEMA}.{table.name}_pages"
            self._run("SELECT brin_summarize_new_values(%s)", [index])

    def _run(self, sql: str, values: Sequence[Any] = ()) -> None:
        """One statement that is PostgreSQL's already."""
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)

    def stage(self, table: Table, manifest_uri: str | None) -> str:
        """Copy a manifest's Parquet files into a temporary table: the table's columns, then source_file.

        Args:
            table: The table whose columns the files hold, in its order, followed by source_file.
            manifest_uri: `s3://` URI of a Redshift COPY manifest; None: nothing is copied.

        Returns:
            The temporary table's name; it is gone with the transaction.
        """
        staging = f"staging_{table.name}"
        self.execute(f"DROP TABLE IF EXISTS {staging}")
        self.execute(f"CREATE TEMP TABLE {staging} ({column_definitions(table.staged_columns)})")
        if manifest_uri is None:
            return staging
        if self._engine == "redshift":
            self.execute(COPY_PARQUET.format(table=staging), {"manifest": manifest_uri})
        else:
            self._copy_parquet(staging, manifest_uri)
        return staging

    def _copy_parquet(self, staging: str, manifest_uri: str) -> None:
        """The laptop's double of Redshift's COPY: the manifest's files, by position."""
        from resources.warehouse.binary_copy import batches, binary_rows  # noqa: PLC0415 - pyarrow costs 0.2 s, only loads need it

        s3 = make_client(self._aws, "s3")

        def read(uri: str) -> bytes:
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

        with reaching(self._aws), self._connection.cursor() as cursor:
            files = [entry["url"] for entry in json.loads(read(manifest_uri))["entries"]]
            of_files = chain.from_iterable(map(batches, _made_ahead(read, files)))
            for rows in _made_ahead(binary_rows, of_files):
                # All at once: in psycopg2's pieces of 8 kB, this thread waits for those that read ahead.
                cursor.copy_expert(f"COPY {staging} FROM STDIN (FORMAT binary)", io.BytesIO(rows), len(rows))

    def _dialect(self, sql: str) -> str:
        return sql if self._engine == "redshift" else to_postgres(sql)


def _made_ahead(make: Callable[[_S], _T], items: Iterable[_S]) -> Iterator[_T]:
    """What is made of each item, in their order; the next few are made while one is used."""
    with ThreadPoolExecutor(AHEAD) as pool:
        waiting: deque[Future[_T]] = deque()
        for item in items:
            waiting.append(pool.submit(make, item))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class Database:
    """The warehouse's database, which is reached by the secret that describes it.

    It knows nothing of Dagster, whose import would be half of what a command takes.

    Args:
        aws: Where the secret is.
        secret_id: Its name.
    """

    def __init__(self, aws: AwsAccess, secret_id: str) -> None:
        self.aws = aws
        self.secret_id = secret_id

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the warehouse of these settings, which need not be this process's."""
        return cls(settings, settings.warehouse_secret)

    @contextmanager
    def transaction(self, *, read_only: bool = False) -> Iterator[Session]:
        """Open a transaction on a connection of its own.

        Raises:
            StackUnavailable: The warehouse does not answer.
        """
        with self._connections().opened() as connection:
            connection.psycopg.set_session(readonly=read_only)
            with connection.psycopg:
                yield Session(connection.psycopg, connection.engine, self.aws)

    @contextmanager
    def exclusive_transaction(self) -> Iterator[Session]:
        """Open a transaction that keeps every other exclusive one out until it ends, whoever runs it.

        Loads, verdicts and whatever else decides by what it finds go through it: it waits until it is alone,
        and then sees all that those before it have committed. A run that was given up for dead may still
        live; without this, it and the one in its place would both delete the old rows of a day, and both
        insert the new ones. It does not keep out what only reads, nor plain transactions.

        Raises:
            StackUnavailable: The warehouse does not answer.
        """
        with self._connections().opened() as connection, connection.psycopg:
            _keep_others_out(connection)
            yield Session(connection.psycopg, connection.engine, self.aws)

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of one read-only statement of Redshift SQL, on a connection that the thread keeps.

        Raises:
            StackUnavailable: The warehouse does not answer.
        """

        def ask(connection: Connection) -> list[dict[str, Any]]:
            connection.psycopg.set_session(readonly=True)
            with connection.psycopg:
                return Session(connection.psycopg, connection.engine, self.aws).execute(sql, parameters)

        return self._connections().read(ask)

    def require_turn(self) -> None:
        """See that the warehouse lets a load begin.

        Raises:
            StackUnavailable: It does not answer.
        """
        with self.exclusive_transaction():
            pass

    def alter(self, statement: str) -> None:
        """Run one statement of Redshift SQL outside of a transaction.

        Redshift changes the type of no column inside one. And a statement that waits for its table while it
        holds no other is part of no deadlock with a load.

        Raises:
            StackUnavailable: The warehouse does not answer.
        """
        with self._connections().opened() as connection:
            connection.psycopg.autocommit = True
            Session(connection.psycopg, connection.engine, self.aws).execute(statement)

    def _connections(self) -> Connections:
        return connections_to(self.aws, self.secret_id)


def _keep_others_out(connection: Connection) -> None:
    """Lock, as the transaction's first statement: on Redshift its snapshot is taken after it."""
    with connection.psycopg.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {LOAD_LOCK.qualified_name}")
        if connection.engine == "postgres":
            cursor.execute("SELECT set_config('work_mem', %s, true)", [LOAD_MEMORY])


def require_one_query(sql: str) -> None:
    """Let one query pass, and nothing that could end the read-only transaction it will run in.

    Raises:
        WrongCall: It is something else than one SELECT.
        sqlglot.errors.SqlglotError: It is no SQL.
    """
    statements = [each for each in sqlglot.parse(sql, read="redshift") if each is not None]
    if len(statements) != 1 or not isinstance(statements[0], exp.Query):
        raise WrongCall(
            f"expected one read-only query (SELECT …), got {sql[:200]!r}",
            remedy="Ask with a single SELECT; the platform's own runs are what changes tables.",
        )


@cache
def to_postgres(sql: str) -> str:
    """Translate Redshift SQL into PostgreSQL's; distribution and sort keys drop out."""
    statements = []
    for statement in sqlglot.parse(sql, read="redshift"):
        if statement is None:
            continue
        properties = statement.args.get("properties")
        if properties is not None:
            kept = [item for item in properties.expressions if isinstance(item, exp.TemporaryProperty)]
            statement.set("properties", exp.Properties(expressions=kept) if kept else None)
        statements.append(statement.sql(dialect="postgres"))
    return ";\n".join(statements)
