"""Tables and their columns, each declared once; DDL, Spark and catalog schemas and docs derive from here.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from airline_platform.contract.declaration import refuse, require_one_of

ColumnType = Literal["string", "bigint", "decimal", "date", "timestamp", "timestamptz"]

DIGITS, DECIMALS = 14, 3
"""Digits of a decimal in all, and behind the point: three, because some currencies have thousandths."""

MOST_ROWS = 10**10
"""Rows that a sum or a mean may be made of: a year of all the world's flights has 4e7."""

LARGEST_NUMBER = 2**53 - 1
"""Largest whole number, without sign, that every tool holds exactly (RFC 8259, section 6): what is larger was
another thing before some program made a number of it."""

YEARS = 1900, 2100
"""In which a date lies. Zero dates of programs lie before (1899-12-30, 0001-01-01), and Spark ends a job that
writes what is older than the Gregorian calendar."""

_REDSHIFT: dict[ColumnType, str] = {
    "bigint": "BIGINT",
    "date": "DATE",
    # COPY from Parquet knows no time zone: what comes from files is in UTC and says so nowhere.
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
}
_GLUE: dict[ColumnType, str] = {
    "string": "string",
    "bigint": "bigint",
    "date": "date",
    "timestamp": "timestamp",
    "timestamptz": "timestamp",
}


@dataclass(frozen=True)
class Column:
    """One column: its name, type, meaning, and whether it may be empty.

    Args:
        name: As it stands in the file or table.
        type: Logical type; every engine's own type derives from it.
        description: What one value says, with its unit.
        required: A row without a value is rejected (landed files) or refused (tables).
        length: Longest string in bytes (Redshift counts bytes); strings only.
        digits: Digits in all, of which `DECIMALS` stand behind the point; decimals only.
        rounded: Whether a landed value with more decimals is rounded (half up), not rejected; decimals only.
        one_of: The only values there are; strings only, empty for any.
        pattern: Regular expression a whole value matches, and what it says in words; strings only.
        several_lines: Whether line breaks, tabs, joiners and variation selectors may stand inside; strings
            only. At its ends a value has no white space and nothing invisible, and inside nothing else that
            is not seen.
        minimum: Smallest value; numbers only, `LARGEST_NUMBER` below 0 where not given.
        maximum: Largest value; likewise.
        years: First and last year; dates and timestamps only.
        separator: Between the parts of a date in landed files; dates only.
        personal: Whether it identifies a person. Such a value stays in the landing bucket: no table, log,
            alert or reject ever has it.
        called: Of a landed column, its name in the table; in small letters the same one where not given.
        hash_of: Of a table's column, the landed column of which it is the keyed hash (HMAC-SHA256, of the
            text in small letters).

    Raises:
        DeclarationError: Options that can't be, or not together.
    """

    name: str
    type: ColumnType
    description: str
    required: bool = False
    length: int = 256
    digits: int = DIGITS
    rounded: bool = False
    one_of: tuple[str, ...] = ()
    pattern: tuple[str, str] | None = None
    several_lines: bool = False
    minimum: int | None = None
    maximum: int | None = None
    years: tuple[int, int] = YEARS
    separator: str = "-"
    personal: bool = False
    called: str = ""
    hash_of: str = ""

    def __post_init__(self) -> None:
        """Refuse what can't be declared."""
        what = f"column {self.name}"
        require_one_of(f"{what}: type", self.type, get_args(ColumnType))
        of_strings = {"one_of": self.one_of, "pattern": self.pattern, "several_lines": self.several_lines}
        for option, given in of_strings.items():
            if given and self.type != "string":
                refuse(
                    f"{what}: {option}", given, f"none, because it is for strings and this is a {self.type}"
                )
        if self.rounded and self.type != "decimal":
            refuse(f"{what}: rounded", self.rounded, f"False, because it is for decimals, not a {self.type}")
        bounds = (self.minimum, self.maximum)
        if bounds != (None, None) and self.type not in ("bigint", "decimal"):
            refuse(f"{what}: minimum and maximum", bounds, f"none, because {self.type} is no number")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            refuse(f"{what}: minimum", self.minimum, f"at most its maximum, {self.maximum}")

    @property
    def in_table(self) -> "Column":
        """The column of a table that a landed column becomes where nothing else is declared."""
        return replace(self, name=self.called or self.name.lower(), called="", separator="-")

    @property
    def redshift_type(self) -> str:
        """The type in Redshift DDL."""
        if self.type == "string":
            return f"VARCHAR({self.length})"
        return f"DECIMAL({self.digits}, {DECIMALS})" if self.type == "decimal" else _REDSHIFT[self.type]

    @property
    def glue_type(self) -> str:
        """The type in the Glue Data Catalog, which is Hive's, and Spark SQL's too."""
        return f"decimal({self.digits},{DECIMALS})" if self.type == "decimal" else _GLUE[self.type]


def sum_of(column: Column, name: str, description: str, *, required: bool = False) -> Column:
    """The column of a sum of another one's values, with room for the largest there can be.

    Raises:
        ValueError: No type has the room.
    """
    if column.type == "decimal":
        digits = column.digits + len(str(MOST_ROWS)) - 1
        return Column(name, "decimal", description, required=required, digits=digits)
    if column.type != "bigint" or _furthest(column) * MOST_ROWS >= 2**63:
        raise ValueError(f"{name}: the sum of {column.name} needs more room than a BIGINT; give it bounds")
    return Column(name, "bigint", description, required=required)


def mean_of(column: Column, name: str, description: str) -> Column:
    """The column of a mean of another one's values, with room for the largest there can be.

    Raises:
        ValueError: No type has the room.
    """
    if column.type not in ("bigint", "decimal") or _furthest(column) >= 10 ** (DIGITS - DECIMALS):
        raise ValueError(f"{name}: the mean of {column.name} needs more than {DIGITS} digits; give it bounds")
    return Column(name, "decimal", description)


def _furthest(column: Column) -> int:
    """The value furthest from zero that a column may have."""
    default = LARGEST_NUMBER if column.type == "bigint" else 10 ** (column.digits - DECIMALS) - 1
    bounds = (column.minimum, column.maximum)
    return max(default if bound is None else abs(bound) for bound in bounds)


SOURCE_FILE = Column(
    "source_file", "string", "S3 URI of the landed file the row came from.", required=True, length=1200
)
"""Travels with every row from the lake into the load, where it is counted for the ledger."""

SOURCE_LINE = Column(
    "source_line",
    "bigint",
    "Where the row begins in that file, counted from 1: line, or element of a JSON array.",
)
"""With `SOURCE_FILE` it says which row of which file a row of a table was."""


LANDED_AT = Column("landed_at", "timestamp", "When that file landed (S3's clock), in UTC.", required=True)


@dataclass(frozen=True)
class Table:
    """One table of the warehouse, or of the lake.

    Args:
        name: Without the schema or database.
        description: What one row is.
        columns: In the order of the table and of the Parquet files copied into it: COPY goes by position. A
            feed's table may leave them out: then they are derived from what lands.
        partition_column: The date column whose values are replaced together; None: the whole table is.
        dist_key: Column Redshift distributes by; None: a copy of the table on every node.
        sort_key: Columns Redshift sorts by, and PostgreSQL indexes.
        key: Columns that name a row; Redshift trusts the declaration, PostgreSQL enforces it.
        looked_up_by: Columns by which single rows are found, too; PostgreSQL indexes them. Redshift reads
            nothing but these columns.
        bulky: Whether its days have so many rows, one after the other, that PostgreSQL indexes their pages.
    """

    name: str
    description: str
    columns: tuple[Column, ...] = ()
    partition_column: str | None = None
    dist_key: str | None = None
    sort_key: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    looked_up_by: tuple[str, ...] = ()
    bulky: bool = False

    SCHEMA = "airlines"

    @property
    def qualified_name(self) -> str:
        """`airlines.<name>`."""
        return f"{self.SCHEMA}.{self.name}"

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names in the table's order."""
        return tuple(column.name for column in self.columns)

    @property
    def staged_columns(self) -> tuple[Column, ...]:
        """Columns of the Parquet files copied into it: its own, and the landed file each row came from."""
        return self.columns if SOURCE_FILE in self.columns else (*self.columns, SOURCE_FILE)

    def with_columns(self, columns: Sequence[Column]) -> "Table":
        """The table with more columns behind its own."""
        return replace(self, columns=(*self.columns, *columns))

    def ddl(self) -> str:
        """`CREATE TABLE IF NOT EXISTS` in Redshift's dialect."""
        distribution = f"DISTSTYLE KEY DISTKEY({self.dist_key})" if self.dist_key else "DISTSTYLE ALL"
        sorting = f" SORTKEY({', '.join(self.sort_key)})" if self.sort_key else ""
        columns = column_definitions(self.columns)
        if self.key:
            columns += f", PRIMARY KEY ({', '.join(self.key)})"
        return f"CREATE TABLE IF NOT EXISTS {self.qualified_name} ({columns}) {distribution}{sorting}"


def column_definitions(columns: Sequence[Column]) -> str:
    """Column list of a Redshift `CREATE TABLE`, without the parentheses."""
    return ", ".join(f"{c.name} {c.redshift_type}{' NOT NULL' if c.required else ''}" for c in columns)
