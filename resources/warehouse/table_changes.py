"""What has to change in a table that exists, so that it has what its declaration says; without a client."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from airline_platform.contract.table import Column, Table
from airline_platform.errors import TableDiffers

COLUMNS = """
SELECT
    table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale,
    is_nullable, column_default
FROM information_schema.columns
WHERE table_schema = %(schema)s
ORDER BY table_name, ordinal_position
"""
"""The columns of every table of a schema, in the order of the tables; both engines have this view."""

COMMENTS = """
SELECT c.relname AS table_name, a.attname AS column_name, d.description AS text
FROM pg_catalog.pg_description AS d
JOIN pg_catalog.pg_class AS c ON c.oid = d.objoid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND d.objsubid > 0
WHERE n.nspname = %(schema)s
"""
"""What tables of a schema, and their columns, say of themselves; both engines have these catalogs."""

SCHEMA = {"schema": Table.SCHEMA}
"""The value of the placeholder in `COLUMNS` and `COMMENTS`."""

_BIGINT_DIGITS = 19
_TYPES = {
    "timestamp without time zone": "TIMESTAMP",
    "timestamp with time zone": "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class TableColumn:
    """A column that a table has.

    Args:
        name: Its name, in lower case, as both engines keep it.
        type: Its type as the declarations write it: `VARCHAR(256)`, `DECIMAL(14, 3)`, `BIGINT`.
        needs_value: Whether a row that is inserted without a value for it is refused.
    """

    name: str
    type: str
    needs_value: bool = False

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "TableColumn":
        """Read a row of `COLUMNS`."""
        needs = row["is_nullable"] == "NO" and row["column_default"] is None
        return cls(row["column_name"], _type(row), needs)


@dataclass(frozen=True)
class Changes:
    """The changes that tables need, and what stays although nothing declares it.

    Args:
        additions: Statements that add a column each, in Redshift's dialect; one transaction holds them all.
        alterations: Statements that change a column each; Redshift runs none of them inside a transaction.
        kept: `(table, column)` of the columns without a declaration.
    """

    additions: tuple[str, ...] = ()
    alterations: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Description:
    """What a table or a column is declared to mean.

    Args:
        table: Name of the table.
        column: Name of the column; None: the table itself.
        text: What it means.
    """

    table: str
    column: str | None
    text: str

    @property
    def place(self) -> tuple[str, str | None]:
        """Table and column, as a row of `COMMENTS` has them."""
        return self.table, self.column

    @property
    def object(self) -> str:
        """What a COMMENT statement names: `TABLE airlines.a` or `COLUMN airlines.a.b`."""
        name = f"{Table.SCHEMA}.{self.table}"
        return f"COLUMN {name}.{self.column}" if self.column else f"TABLE {name}"


def descriptions(tables: Iterable[Table]) -> Iterator[Description]:
    """Return what each table and each of its columns is declared to mean."""
    for table in tables:
        yield Description(table.name, None, table.description)
        for column in table.columns:
            yield Description(table.name, column.name, column.description)


def columns_by_table(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, TableColumn]]:
    """Return the rows of `COLUMNS` as columns by table and name."""
    tables: dict[str, dict[str, TableColumn]] = defaultdict(dict)
    for row in rows:
        tables[row["table_name"]][row["column_name"]] = TableColumn.of(row)
    return dict(tables)


def changes_of(
    tables: Sequence[Table], existing: Mapping[str, Mapping[str, TableColumn]], engine: str
) -> Changes:
    """Compare tables with what they are declared to be.

    A missing column is added, a column is made wider, and one that need not have a value any more may be
    empty. Nothing is dropped, and nothing is made narrower.

    Args:
        tables: As they are declared; one that does not exist yet needs no change.
        existing: As `columns_by_table` returns it.
        engine: `redshift` or `postgres`; Redshift can widen strings only.

    Raises:
        TableDiffers: Some column has a type that the engine cannot change into the declared one, or needs a
            value that no load gives it. The message names every such column, both types and the remedy.
    """
    added: list[str] = []
    altered: list[str] = []
    kept: list[tuple[str, str]] = []
    problems: list[str] = []
    for table in tables:
        there = existing.get(table.name)
        if not there:
            continue
        declared = {column.name: column for column in table.columns}
        added += additions(table, table.columns, there)
        kept += [(table.qualified_name, name) for name in there if name not in declared]
        for column in there.values():
            changes, problem = _alterations(table, column, declared.get(column.name), engine)
            altered += changes
            problems += [problem] if problem else []
    if problems:
        raise TableDiffers(
            "the warehouse differs from what is declared, and nothing of it was changed: "
            + "; ".join(problems),
            remedy=(
                "Declare the column as the table has it. Or let the table be made anew: rename it (ALTER "
                "TABLE … RENAME TO …), run `airline deploy`, load its days with `airline backfill`, then "
                "drop the renamed one."
            ),
        )
    return Changes(tuple(added), tuple(altered), tuple(kept))


def additions(table: Table, columns: Sequence[Column], existing: Mapping[str, TableColumn]) -> list[str]:
    """Return statements that add the columns a table lacks.

    They may be empty, also where the declaration requires a value: rows that are there have none. Redshift
    adds one column in a statement, and none that requires a value.
    """
    return [
        f"ALTER TABLE {table.qualified_name} ADD COLUMN {column.name} {column.redshift_type}"
        for column in columns
        if column.name not in existing
    ]


def _alterations(
    table: Table, has: TableColumn, declared: Column | None, engine: str
) -> tuple[list[str], str | None]:
    """Statements that change one column that is there, and what is wrong with it that none can change."""
    statements: list[str] = []
    place = f"{table.qualified_name}.{has.name}"
    altered = f"ALTER TABLE {table.qualified_name} ALTER COLUMN {has.name}"
    if declared and not _holds(has.type, declared.redshift_type):
        if not _can_become(has.type, declared.redshift_type, engine):
            return [], f"{place} is {has.type}, declared is {declared.redshift_type}"
        statements.append(f"{altered} TYPE {declared.redshift_type}")
    if has.needs_value and not (declared and declared.required):
        if engine == "redshift":
            what = "may be empty" if declared else "is not declared"
            return [], f"{place} is NOT NULL, and by its declaration {what}, so that every load would fail"
        statements.append(f"{altered} DROP NOT NULL")
    return statements, None


def _holds(has: str, declared: str) -> bool:
    """Whether a column has the declared type, or is a string that takes more than the declared one."""
    if has == declared:
        return True
    mine, its = _sized(has, "VARCHAR"), _sized(declared, "VARCHAR")
    return bool(its) and (has == "VARCHAR" or (bool(mine) and mine[0] >= its[0]))


def _can_become(has: str, declared: str, engine: str) -> bool:
    """Whether the engine can change the type, and every value it holds stays the same."""
    if _sized(has, "VARCHAR") and _sized(declared, "VARCHAR"):
        return True
    new = _sized(declared, "DECIMAL")
    if engine == "redshift" or not new:
        return False
    old = (_BIGINT_DIGITS, 0) if has == "BIGINT" else _sized(has, "DECIMAL")
    return bool(old) and new[1] >= old[1] and new[0] - new[1] >= old[0] - old[1]


def _sized(type_: str, name: str) -> tuple[int, ...]:
    """The numbers in a type's parentheses; none for another type."""
    if not type_.startswith(f"{name}("):
        return ()
    return tuple(int(number) for number in type_.removeprefix(f"{name}(").removesuffix(")").split(", "))


def _type(row: Mapping[str, Any]) -> str:
    kind = str(row["data_type"])
    if kind == "character varying":
        length = row["character_maximum_length"]
        return f"VARCHAR({length})" if length else "VARCHAR"
    if kind == "numeric":
        digits = row["numeric_precision"]
        return f"DECIMAL({digits}, {row['numeric_scale']})" if digits else "DECIMAL"
    return _TYPES.get(kind, kind.upper())
