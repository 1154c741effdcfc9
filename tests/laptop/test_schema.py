"""A warehouse that an older version has made follows today's declaration, and keeps its rows."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from airline_platform.contract.table import SOURCE_LINE, Column, Table
from airline_platform.errors import TableDiffers
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.settings import get_settings
from assets.ingest.sinks.dimension import INSERT_LATEST
from assets.schema import TABLES
from resources.warehouse.migration import apply_schema
from resources.warehouse.own_tables import SCHEMA_CHANGES
from resources.warehouse.resource import Warehouse
from resources.warehouse.session import Session
from resources.warehouse.table_changes import COMMENTS, SCHEMA, Changes, TableColumn, descriptions

OLDER = Table(
    "flown",
    "A flight.",
    (
        Column("flight_date", "date", "Day.", required=True),
        Column("carrier", "string", "Carrier.", required=True, length=2),
        Column("gate", "string", "Gate.", required=True, length=4),
        Column("fare", "decimal", "Fare.", digits=6),
    ),
    partition_column="flight_date",
    sort_key=("flight_date",),
)
TODAYS = replace(
    OLDER,
    columns=(
        Column("flight_date", "date", "Day.", required=True),
        Column("flight_number", "bigint", "Number.", required=True),
        Column("carrier", "string", "Carrier.", required=True, length=10),
        Column("fare", "decimal", "Fare.", digits=24),
        SOURCE_LINE,
        Column("seen_at", "timestamptz", "When."),
    ),
    sort_key=("flight_date", "flight_number"),
)


@pytest.fixture
def flown(server: Warehouse) -> Iterator[Warehouse]:
    """A warehouse with a table that an older declaration has made, and a row in it."""
    apply_schema(get_settings(), [OLDER])
    with server.transaction() as session:
        row = {"flight_date": "2013-01-01", "carrier": "UA", "gate": "B12", "fare": 99}
        session.insert(OLDER, [row])
    yield server
    with server.transaction() as session:
        session.execute(f"DROP TABLE {OLDER.qualified_name}")


OLD_SCHEMA = Path(__file__).with_name("schema_of_an_older_version.sql")


def made_up(table: str, columns: Mapping[str, TableColumn]) -> Table:
    """A declaration with which rows can be inserted into a table, whatever it has."""
    return Table(table, "", tuple(Column(name, "string", "") for name in columns))


def row_of(columns: Mapping[str, TableColumn], number: int) -> dict[str, Any]:
    """A value for each column, as its type wants it."""
    values = {
        "BIGINT": number,
        "DATE": date(2013, 1, 1 + number),
        "TIMESTAMP": datetime(2013, 1, 1, number),  # noqa: DTZ001 - a column without a zone
        "TIMESTAMPTZ": datetime(2013, 1, 1, number, tzinfo=UTC),
        "BOOLEAN": True,
        "DOUBLE PRECISION": 0.5,
    }
    return {
        name: values.get(column.type, number if column.type.startswith("DECIMAL") else f"{number}")
        for name, column in columns.items()
    }


def rows_of(warehouse: Warehouse, table: str, columns: Iterable[str]) -> list[dict[str, Any]]:
    """The rows of a table, as far as these columns say."""
    names = ", ".join(columns)
    return warehouse.query(f"SELECT {names} FROM airlines.{table} ORDER BY {names}")


def types(session: Session, table: Table) -> dict[str, str]:
    return {name: column.type for name, column in session.columns()[table.name].items()}


def test_a_table_of_an_older_declaration_gets_what_it_lacks_and_keeps_its_rows(flown: Warehouse) -> None:
    told: list[str] = []
    apply_schema(get_settings(), [TODAYS], on_progress=told.append)

    with flown.transaction() as session:
        assert types(session, TODAYS) == {
            "flight_date": "DATE",
            "carrier": "VARCHAR(10)",
            "gate": "VARCHAR(4)",
            "fare": "DECIMAL(24, 3)",
            "flight_number": "BIGINT",
            "source_line": "BIGINT",
            "seen_at": "TIMESTAMPTZ",
        }
        new = {"carrier": "FEDEX", "flight_number": 7, "fare": 10**20, "source_line": 2, "seen_at": None}
        session.insert(TODAYS, [{"flight_date": "2013-01-02", **new}])
        rows = session.execute("SELECT carrier, gate, flight_number FROM airlines.flown ORDER BY flight_date")
    assert rows == [
        {"carrier": "UA", "gate": "B12", "flight_number": None},
        {"carrier": "FEDEX", "gate": None, "flight_number": 7},
    ]
    assert "airlines.flown keeps the column gate, which its declaration does not have" in told
    assert "ALTER TABLE airlines.flown ADD COLUMN source_line BIGINT" in told


def test_a_second_time_nothing_is_changed(flown: Warehouse) -> None:
    apply_schema(get_settings(), [TODAYS])
    with flown.transaction() as session:
        assert session.changes([TODAYS]) == Changes(kept=((OLDER.qualified_name, "gate"),))
    told: list[str] = []
    apply_schema(get_settings(), [TODAYS], on_progress=told.append)

    assert told == ["airlines.flown keeps the column gate, which its declaration does not have"]


def test_the_declared_tables_as_they_are_made_need_no_change(server: Warehouse) -> None:
    with server.transaction() as session:
        changes = session.changes(TABLES)
        assert set(session.columns()) >= {table.name for table in TABLES}
    assert changes == Changes()


def test_tables_and_columns_say_what_they_are_declared_to_mean(server: Warehouse) -> None:
    apply_schema(get_settings(), TABLES)
    with server.transaction() as session:
        said = {
            (row["table_name"], row["column_name"]): row["text"] for row in session.execute(COMMENTS, SCHEMA)
        }
        assert session.describe(TABLES) == 0
    assert {each.place: each.text for each in descriptions(TABLES)}.items() <= said.items()


def test_each_change_is_recorded_once_and_only_when_it_was_made(flown: Warehouse) -> None:
    def recorded() -> list[str]:
        rows = flown.query(f"SELECT statement FROM {SCHEMA_CHANGES.qualified_name} ORDER BY changed_at")
        return [row["statement"] for row in rows]

    before = len(recorded())
    for _ in range(2):
        apply_schema(get_settings(), [TODAYS])

    assert sorted(recorded()[before:]) == [
        "ALTER TABLE airlines.flown ADD COLUMN flight_number BIGINT",
        "ALTER TABLE airlines.flown ADD COLUMN seen_at TIMESTAMPTZ",
        "ALTER TABLE airlines.flown ADD COLUMN source_line BIGINT",
        "ALTER TABLE airlines.flown ALTER COLUMN carrier TYPE VARCHAR(10)",
        "ALTER TABLE airlines.flown ALTER COLUMN fare TYPE DECIMAL(24, 3)",
        "ALTER TABLE airlines.flown ALTER COLUMN gate DROP NOT NULL",
    ]


def test_new_tables_and_columns_come_together_or_not_at_all(flown: Warehouse) -> None:
    unmade = replace(OLDER, name="unmade", key=("no_such_column",))

    with pytest.raises(psycopg2.Error, match="no_such_column"):
        apply_schema(get_settings(), [TODAYS, replace(OLDER, name="before"), unmade])

    with flown.transaction() as session:
        assert "source_line" not in types(session, OLDER)
        assert "before" not in session.columns()


def test_a_warehouse_of_an_older_version_becomes_todays_and_keeps_every_row(server: Warehouse) -> None:
    made = OLD_SCHEMA.read_text("utf-8")
    with server.transaction() as session:
        session.execute(f"ALTER SCHEMA {Table.SCHEMA} RENAME TO todays")
    try:
        with server.transaction() as session:
            for statement in filter(None, made.split(";\n")):
                session.execute(statement)
            older = session.columns()
            for table, columns in older.items():
                session.insert(made_up(table, columns), [row_of(columns, n) for n in range(3)])
        before = {table: rows_of(server, table, columns) for table, columns in older.items()}
        assert len(before) > 10

        apply_schema(get_settings(), TABLES)

        with server.transaction() as session:
            assert session.changes(TABLES).additions == session.changes(TABLES).alterations == ()
        assert {table: rows_of(server, table, columns) for table, columns in older.items()} == before
    finally:
        with server.transaction() as session:
            session.execute(f"DROP SCHEMA {Table.SCHEMA} CASCADE")
            session.execute(f"ALTER SCHEMA todays RENAME TO {Table.SCHEMA}")


def test_a_type_that_cannot_be_changed_stops_it_before_anything_is_changed(flown: Warehouse) -> None:
    columns = tuple(
        replace(column, type="bigint") if column.name == "gate" else column for column in OLDER.columns
    )
    wrong = replace(OLDER, columns=(*columns, SOURCE_LINE))
    unmade = replace(OLDER, name="unmade")

    with pytest.raises(TableDiffers, match=r"airlines\.flown\.gate is VARCHAR\(4\), declared is BIGINT"):
        apply_schema(get_settings(), [unmade, wrong])

    with flown.transaction() as session:
        assert "source_line" not in types(session, OLDER)
        assert "unmade" not in session.columns()


def test_columns_are_added_inside_a_transaction_and_gone_with_it(flown: Warehouse) -> None:
    rescued = Column("rescued", "string", "The rest.", length=65535)

    def add_and_fail() -> None:
        with flown.transaction() as session:
            assert session.add_columns(OLDER, [SOURCE_LINE, rescued]) == ["source_line", "rescued"]
            assert session.add_columns(OLDER, [SOURCE_LINE, rescued]) == []
            raise RuntimeError

    with pytest.raises(RuntimeError):
        add_and_fail()
    with flown.transaction() as session:
        assert session.add_columns(OLDER, [*OLDER.columns, SOURCE_LINE]) == ["source_line"]
    with flown.transaction() as session:
        assert types(session, OLDER)["source_line"] == "BIGINT"


def test_of_two_transactions_that_add_a_column_one_does_and_the_other_finds_it(flown: Warehouse) -> None:
    def add(_: int) -> list[str]:
        with flown.transaction() as session:
            return session.add_columns(OLDER, [SOURCE_LINE])

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(add, range(8))) == [[]] * 7 + [["source_line"]]


def test_airports_are_inserted_by_name_whatever_the_order_of_the_tables_columns(server: Warehouse) -> None:
    table = AIRPORTS.table
    columns = ", ".join(f"{column.name} {column.redshift_type}" for column in reversed(table.columns))
    names = {"table": table.qualified_name, "columns": ", ".join(table.column_names), "key": "airport_id"}
    with server.transaction() as session:
        session.execute(f"CREATE TEMP TABLE staged ({columns})")
        session.execute(
            "INSERT INTO staged (name, state, city, airport_id) VALUES ('Logan', 'MA', 'Boston', 10721)"
        )
        session.execute(f"ALTER TABLE {table.qualified_name} RENAME TO as_declared")
        session.execute(f"CREATE TABLE {table.qualified_name} ({columns})")
        session.execute(INSERT_LATEST.format(staging="staged", **names))
        (row,) = session.execute(f"SELECT airport_id, city, state, name FROM {table.qualified_name}")
        session.execute(f"DROP TABLE {table.qualified_name}")
        session.execute("ALTER TABLE airlines.as_declared RENAME TO dim_airport_codes")
    assert row == {"airport_id": 10721, "city": "Boston", "state": "MA", "name": "Logan"}
