"""What a table that exists lacks of its declaration, and what neither engine can change."""

from typing import Any

import pytest

from airline_platform.contract.table import Column, Table
from airline_platform.errors import TableDiffers
from resources.warehouse.table_changes import Changes, TableColumn, changes_of, columns_by_table

TABLE = Table(
    "flown",
    "A flight.",
    (
        Column("carrier", "string", "Carrier.", required=True, length=10),
        Column("miles", "bigint", "Miles."),
        Column("fare", "decimal", "Fare.", digits=14),
    ),
)
AS_DECLARED = {"carrier": "VARCHAR(10)", "miles": "BIGINT", "fare": "DECIMAL(14, 3)"}


def changes(engine: str = "postgres", needing: str = "carrier", **types: str | None) -> Changes:
    """The changes of a table that is as declared, but for the types given; None: it lacks the column."""
    has = {name: type_ for name, type_ in (AS_DECLARED | types).items() if type_}
    found = {name: TableColumn(name, type_, name == needing) for name, type_ in has.items()}
    return changes_of([TABLE], {TABLE.name: found}, engine)


ENGINES = pytest.mark.parametrize("engine", ["postgres", "redshift"])


@ENGINES
def test_a_table_as_declared_needs_no_change(engine: str) -> None:
    assert changes(engine) == Changes()
    assert changes_of([TABLE], {}, engine) == Changes()


@ENGINES
def test_each_missing_column_is_added_by_a_statement_of_its_own_and_may_be_empty(engine: str) -> None:
    assert changes(engine, carrier=None, fare=None).additions == (
        "ALTER TABLE airlines.flown ADD COLUMN carrier VARCHAR(10)",
        "ALTER TABLE airlines.flown ADD COLUMN fare DECIMAL(14, 3)",
    )


@ENGINES
def test_a_string_is_made_longer_and_never_shorter(engine: str) -> None:
    longer = "ALTER TABLE airlines.flown ALTER COLUMN carrier TYPE VARCHAR(10)"

    assert changes(engine, carrier="VARCHAR(2)").alterations == (longer,)
    assert changes(engine, carrier="VARCHAR(200)").alterations == ()
    assert changes(engine, carrier="VARCHAR").alterations == ()


@ENGINES
def test_what_nothing_declares_is_kept_and_named(engine: str) -> None:
    assert changes(engine, gate="VARCHAR(4)") == Changes(kept=(("airlines.flown", "gate"),))


def test_postgresql_makes_numbers_wider_where_every_value_stays_the_same() -> None:
    assert changes(fare="DECIMAL(12, 3)").alterations == (
        "ALTER TABLE airlines.flown ALTER COLUMN fare TYPE DECIMAL(14, 3)",
    )
    with pytest.raises(TableDiffers):
        changes("redshift", fare="DECIMAL(12, 3)")


@ENGINES
@pytest.mark.parametrize(
    ("column", "has"),
    [
        ("miles", "VARCHAR(20)"),
        ("miles", "INTEGER"),
        ("carrier", "BIGINT"),
        ("fare", "DECIMAL(24, 3)"),
        ("fare", "DECIMAL(14, 5)"),
        ("fare", "BIGINT"),
        ("fare", "DOUBLE PRECISION"),
    ],
)
def test_any_other_type_is_refused_with_table_column_and_both_types(
    engine: str, column: str, has: str
) -> None:
    with pytest.raises(TableDiffers) as error:
        changes(engine, **{column: has})

    assert f"airlines.flown.{column} is {has}, declared is {AS_DECLARED[column]}" in str(error.value)
    assert "airline deploy" in error.value.remedy


def test_every_column_that_differs_is_named_at_once() -> None:
    with pytest.raises(TableDiffers, match=r"flown\.carrier is BIGINT.*flown\.miles is DATE"):
        changes(carrier="BIGINT", miles="DATE")


@pytest.mark.parametrize("column", ["miles", "gate"])
def test_a_value_that_is_not_required_any_more_may_be_missing(column: str) -> None:
    has = {column: AS_DECLARED.get(column, "BIGINT")}

    assert changes(needing=column, **has).alterations == (
        f"ALTER TABLE airlines.flown ALTER COLUMN {column} DROP NOT NULL",
    )
    with pytest.raises(TableDiffers, match=rf"flown\.{column} is NOT NULL"):
        changes("redshift", needing=column, **has)


def row(name: str, data_type: str, **sizes: Any) -> dict[str, Any]:
    empty = ("character_maximum_length", "numeric_precision", "numeric_scale", "column_default")
    return {
        **dict.fromkeys(empty),
        "table_name": "t",
        "column_name": name,
        "data_type": data_type,
        "is_nullable": "NO",
        **sizes,
    }


def test_the_views_types_are_read_as_the_declarations_write_them() -> None:
    rows = [
        row("a", "character varying", character_maximum_length=256),
        row("b", "numeric", numeric_precision=24, numeric_scale=3),
        row("c", "bigint", numeric_precision=64, numeric_scale=0),
        row("d", "timestamp with time zone", column_default="now()"),
        row("e", "timestamp without time zone", is_nullable="YES"),
        row("f", "date"),
    ]

    found = columns_by_table(rows)["t"]
    assert [column.type for column in found.values()] == [
        "VARCHAR(256)", "DECIMAL(24, 3)", "BIGINT", "TIMESTAMPTZ", "TIMESTAMP", "DATE",
    ]  # fmt: skip
    assert [name for name, column in found.items() if column.needs_value] == ["a", "b", "c", "f"]
