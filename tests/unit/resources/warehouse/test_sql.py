"""SQL is written once: the warehouse's for Redshift, and carried over to PostgreSQL with its bindings; the
lake's for Athena, and DuckDB takes it as it is."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Self, cast

import pytest
import sqlglot
from sqlfluff.core import FluffConfig, Linter
from sqlglot import expressions as exp

import assets
import command
import resources
import sensors
from airline_platform.contract.table import Table
from airline_platform.feeds import FEEDS
from assets.checks import measures
from assets.ingest.sinks import latest_rows
from assets.ingest.sinks.lookups import fill_in
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart
from assets.marts.replacement import bound, insert_of, query_of
from assets.marts.sums import query_of_sums
from resources.warehouse import session as session_module
from resources.warehouse.connections import Connection
from resources.warehouse.own_tables import ALERT_OUTBOX, INGESTED_FILES, LOAD_LOCK, SCHEMA_CHANGES
from resources.warehouse.session import Session, _keep_others_out, to_postgres
from resources.warehouse.table_changes import TableColumn, changes_of

TABLES = [
    INGESTED_FILES,
    ALERT_OUTBOX,
    LOAD_LOCK,
    SCHEMA_CHANGES,
    *(table for feed in FEEDS.values() for table in feed.tables),
    *(mart.table for mart in MARTS.values()),
]
STATEMENT = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|COPY|MERGE|WITH)\b.*\s", re.DOTALL)
BOUND = re.compile(r"%\(\w+\)s")
ASSIGNMENTS = re.compile(r"\{(updates|filled)\}")
"""Placeholders of what is assigned; for all others an identifier stands."""


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not found.ispkg:
            yield importlib.import_module(found.name)


LAKE = {"assets.ingest.sinks.totals.TOTALS_OF_DAYS"}
"""Statements of the lake's; all others are the warehouse's."""


def statements() -> dict[str, str]:
    """Every named SQL constant of the rooms, with identifiers where its placeholders are."""
    return {
        f"{module.__name__}.{name}": re.sub(r"\{\w+\}", "some_name", ASSIGNMENTS.sub("a = b", value))
        for package in (assets, resources, sensors, command)
        for module in modules(package)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str) and STATEMENT.match(value)
    }


class Recorder:
    """A connection to a Redshift that writes down what it is to do, and has no rows."""

    description = None
    rowcount = 0

    def __init__(self) -> None:
        self.said: list[str] = []

    def cursor(self, **_: object) -> "Recorder":
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, sql: str, _values: object = None) -> None:
        self.said.append(sql)

    def fetchall(self) -> list[Any]:
        return []


def composed() -> dict[str, str]:
    """Statements that are put together while something is done, by what that is and their number."""
    made: dict[str, list[str]] = {"marts": [query_of_sums(mart) for mart in MARTS.values()]}

    def doing(what: str) -> Session:
        recorder = Recorder()
        made[what] = recorder.said
        return Session(cast("Any", recorder), "redshift", cast("Any", None))

    for table in TABLES:
        session = doing(f"table {table.name}")
        session.execute(table.ddl())
        session.describe([table])
        session.add_columns(table, table.columns)
        session.stage(table, "s3://airline-lake/_tmp/a/b.manifest")
        narrow = {it.name: TableColumn(it.name, "VARCHAR(1)") for it in table.columns if it.type == "string"}
        for statement in changes_of([table], {table.name: narrow}, "redshift").alterations:
            session.execute(statement)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(session_module, "execute_values", lambda cursor, sql, *_, **__: cursor.execute(sql))
            session.insert(table, [])
    for feed in FEEDS.values():
        session = doing(f"load {feed.name}")
        with latest_rows.following(session, feed, ("2013-01-01",), "staging"):
            fill_in(session, feed.lookups, feed.table)
            fill_in(session, feed.lookups, feed.table, ("2013-01-01",))
        if feed.tables and feed.daily:
            measures.count_staged(session, feed, "staging", ["2013-01-01"])
            measures._counts(
                session, feed, feed.table.qualified_name, ["2013-01-01"], measures.kinds_of(feed)
            )
    recorder = Recorder()
    _keep_others_out(Connection(cast("Any", recorder), "redshift", 0, 0.0))
    made["alone"] = recorder.said
    return {f"{what} {n}": sql for what, them in made.items() for n, sql in enumerate(them)}


FOUND = statements() | {f"assets/marts/sql/{name}.sql": insert_of(mart) for name, mart in MARTS.items()}
STATEMENTS = {name: sql for name, sql in FOUND.items() if name not in LAKE}
COMPOSED = composed()
TRANSPILED = {name: sql for name, sql in STATEMENTS.items() if not sql.startswith("COPY ")}
"""COPY is the one statement with a double of its own on a laptop."""


def test_the_statements_of_ledger_load_status_and_demo_are_among_those_tested() -> None:
    assert {
        "resources.warehouse.ledger.KNOWN_VERSIONS",
        "assets.ingest.sinks.fact_table.DELETE_DAYS",
        "assets.ingest.sinks.dimension.INSERT_LATEST",
        "resources.warehouse.session.COPY_PARQUET",
        "command.demo.run.LONGEST",
    } <= STATEMENTS.keys()


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_is_redshift_sql(name: str) -> None:
    (parsed,) = sqlglot.parse(STATEMENTS[name], read="redshift", error_level=sqlglot.ErrorLevel.RAISE)

    assert not isinstance(parsed, exp.Command | None)


@pytest.fixture(scope="module")
def redshift() -> Linter:
    """sqlfluff's own Redshift grammar, which is stricter than sqlglot's: of COPY, LOCK, MERGE, and of DDL."""
    return Linter(config=FluffConfig(overrides={"dialect": "redshift"}))


def not_understood(redshift: Linter, sql: str) -> list[str]:
    """What sqlfluff can't parse of a statement, with a value in the place of each that is bound."""
    filled = re.sub(r"IN %\(\w+\)s", "IN ('a', 'b')", sql).replace("VALUES %s", "VALUES ('a', 'b')")
    parsed = redshift.parse_string(re.sub(r"%(\(\w+\))?s", "'a'", filled))
    return [str(each) for each in parsed.violations]


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_named_statement_is_in_redshifts_grammar(redshift: Linter, name: str) -> None:
    assert not_understood(redshift, STATEMENTS[name]) == []


def test_every_composed_statement_is_in_redshifts_grammar(redshift: Linter) -> None:
    """All that a deployment and a load put together of the declarations."""
    kinds = {" ".join(sql.split()[:2]) for sql in COMPOSED.values()}
    # A column's name stands in its table's DDL: one statement about one column is like that about another.
    alike = {re.sub(r"(COLUMN) [\w.]+", r"\1 airlines.a.b", sql): name for name, sql in COMPOSED.items()}
    alike = {sql.replace("ADD COLUMN airlines.a.b", "ADD COLUMN b"): name for sql, name in alike.items()}

    assert {"CREATE TABLE", "ALTER TABLE", "COMMENT ON", "CREATE TEMP", "LOCK TABLE", "MERGE INTO"} <= kinds
    assert any(sql.startswith("COPY ") for sql in alike)
    assert {name: found for sql, name in alike.items() if (found := not_understood(redshift, sql))} == {}
    for sql in alike:
        sqlglot.parse(sql.replace("%s", "'a'"), read="redshift", error_level=sqlglot.ErrorLevel.RAISE)


@pytest.mark.parametrize(
    "sql",
    [
        "COPY t FROM 's3://a/b' IAM_ROLE default FORMAT AS PARQUETT MANIFEST",
        "MERGE INTO t USING n ON t.a = n.a WHEN MATCHED THEN UPDATE SET",
        "LOCK TABLE",
        "CREATE TABLE t (a VARCHAR(10) NOT NUL) DISTSTYLE SOME",
    ],
)
def test_what_is_wrong_is_not_in_redshifts_grammar(redshift: Linter, sql: str) -> None:
    """sqlglot takes all of these but the last."""
    assert not_understood(redshift, sql)


@pytest.mark.parametrize("dialect", ["athena", "duckdb"])
@pytest.mark.parametrize("name", LAKE)
def test_every_statement_of_the_lake_is_athenas_and_duckdbs_sql(name: str, dialect: str) -> None:
    parsed = sqlglot.parse_one(FOUND[name], read=dialect, error_level=sqlglot.ErrorLevel.RAISE)

    assert isinstance(parsed, exp.Select)
    # What one dialect has and the other has not would not come out as it went in.
    again = sqlglot.parse_one(parsed.sql(dialect="athena"), read="duckdb")
    assert again == sqlglot.parse_one(FOUND[name], read="athena")


@pytest.mark.parametrize("name", TRANSPILED)
def test_every_statement_keeps_its_bindings_and_is_postgresql(name: str) -> None:
    carried_over = to_postgres(TRANSPILED[name])

    assert sorted(BOUND.findall(carried_over)) == sorted(BOUND.findall(TRANSPILED[name]))
    sqlglot.parse_one(carried_over, read="postgres", error_level=sqlglot.ErrorLevel.RAISE)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_distribution_and_sort_keys_drop_out_and_every_column_stays(table: Table) -> None:
    carried_over = to_postgres(table.ddl())

    assert carried_over.startswith(f"CREATE TABLE IF NOT EXISTS airlines.{table.name} (")
    assert not re.search("dist|sortkey", carried_over.lower())
    parsed = sqlglot.parse_one(carried_over, read="postgres")
    columns = {column.name: column for column in parsed.find_all(exp.ColumnDef)}
    assert tuple(columns) == table.column_names
    required = {name for name, column in columns.items() if column.find(exp.NotNullColumnConstraint)}
    assert required == {column.name for column in table.columns if column.required}


@pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
def test_a_marts_query_reads_its_source_alone_and_has_the_columns_of_its_table(mart: Mart) -> None:
    parsed = sqlglot.parse_one(query_of(mart), read="redshift")

    assert tuple(parsed.named_selects) == mart.table.column_names
    assert {f"{table.db}.{table.name}" for table in parsed.find_all(exp.Table)} == {
        mart.source.qualified_name
    }


@pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
def test_every_value_a_marts_query_asks_for_is_given_and_days_wherever_there_are_days(mart: Mart) -> None:
    asked = {found[2:-2] for found in BOUND.findall(query_of(mart))}

    assert asked <= bound(["2013-01-01"]).keys()
    assert ("days" in asked) == bool(mart.table.partition_column)
    assert query_of(mart) % dict.fromkeys(asked, "1")


def test_every_query_that_stands_in_a_file_is_a_marts() -> None:
    folder = Path(assets.__file__ or "").parent / "marts" / "sql"

    assert sorted(file.stem for file in folder.iterdir()) == sorted(MARTS)


def test_a_temporary_table_stays_temporary() -> None:
    assert to_postgres("CREATE TEMP TABLE staging_t (a VARCHAR(10) NOT NULL)") == (
        "CREATE TEMPORARY TABLE staging_t (a VARCHAR(10) NOT NULL)"
    )


def test_lists_dates_and_concatenation_are_carried_over() -> None:
    sql = "DELETE FROM t WHERE day IN %(days)s AND (a || ' ' || COALESCE(b, '')) <> %(x)s"

    assert to_postgres(sql) == sql


def test_every_statement_of_several_is_carried_over() -> None:
    assert to_postgres("SELECT 1; SELECT 2;") == "SELECT 1;\nSELECT 2"


def test_what_is_no_sql_is_an_error() -> None:
    with pytest.raises(sqlglot.errors.SqlglotError):
        to_postgres("SELEC FROM WHERE (")
