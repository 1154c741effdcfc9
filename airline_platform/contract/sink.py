"""What a feed's rows become: a fact table by day, a whole dimension, or Parquet in the lake.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

from dataclasses import dataclass, field

from airline_platform.contract.declaration import place, refuse
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE, Column, Table


@dataclass(frozen=True)
class Lookup:
    """Columns that come from a dimension, found by its key; empty where the key is unknown.

    Args:
        key: The table's column with the dimension's key.
        filled: Pairs of a column of the table and the column of the dimension it comes from.
        dimension: Name of the feed that becomes the dimension.

    Attributes:
        declared_at: File and line, for whoever finds that there is no such dimension.
    """

    key: str
    filled: tuple[tuple[str, str], ...]
    dimension: str
    declared_at: str = field(default_factory=place, init=False, compare=False, repr=False)


@dataclass(frozen=True)
class LatestRows:
    """A table with the latest row of each key; the fact table itself keeps all that its files ever said.

    Args:
        table: Has the columns of the fact table, or some of them; its key says what is one thing.
        order: Columns of the fact table that say what is later, the weightiest first. Within a file the later
            line is the later one, and the others are rejected as repeated.
    """

    table: Table
    order: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a table that does not say what is one thing."""
        if len(self.table.key) != 1:
            refuse(f"latest rows {self.table.name}: key", self.table.key, "one column")


@dataclass(frozen=True)
class FactTable:
    """A warehouse table whose days are replaced, each as a whole.

    Args:
        table: With the column of its day as `partition_column`. Where it declares no columns, it has the day,
            the landed columns that name nobody, what is looked up, and where each row came from.
        lookups: Columns that come from dimensions.
        latest: The table that follows from it, where a thing's latest row is what counts.
        transform: Name of the module in `glue_jobs/transforms` whose function changes the rows; empty where
            each column is a landed one, a looked-up one, or made by the job.
        told_apart_by: A column without which equal rows of a day need not be copies of each other.
    """

    table: Table
    lookups: tuple[Lookup, ...] = ()
    latest: LatestRows | None = None
    transform: str = ""
    told_apart_by: str = ""


@dataclass(frozen=True)
class Dimension:
    """A warehouse table that is replaced as a whole, from all files of the feed; fact tables look it up.

    Where several files have a key, the row of the one that landed last counts.

    Args:
        table: Without a column of a day. Its columns are derived as those of a `FactTable`.
        key: The column that names a row.
    """

    table: Table
    key: str
    transform: str = ""

    @property
    def snapshot(self) -> tuple[Column, ...]:
        """The columns of the Parquet that jobs look up, the key first: not those of where a row came from."""
        own = {LANDED_AT.name, SOURCE_FILE.name, SOURCE_LINE.name}
        columns = sorted(self.table.columns, key=lambda column: column.name != self.key)
        return tuple(column for column in columns if column.name not in own)


@dataclass(frozen=True)
class Sum:
    """A sum over a column of a lake's table.

    Args:
        column: What is added up.
        name: What the sum is called.
        description: What it says, with its unit.
        words: How an alert says it: a format of the value, such as `cost {:,.2f} USD`.
    """

    column: str
    name: str
    description: str
    words: str


RUNS = "runs/"
"""Folder of a lake's table below which runs have theirs. No crawler looks into it: none could tell which of
them counts."""


@dataclass(frozen=True)
class LakeTable:
    """Parquet in the lake, by day, of which no row names a person; Athena answers what it adds up to.

    Args:
        typed: The rows as landed, typed, people and all: Parquet beside the landed files, under the feed's
            own prefix.
        table: What is left of them: of rows with the same key the latest one counts.
        totals: The asset that asks Athena, and with which a file gets its verdict.
        sums: What is asked, besides the number of rows.
        transform: Name of the module in `glue_jobs/transforms` whose function changes the rows that are left.
    """

    typed: Table
    table: Table
    totals: str
    sums: tuple[Sum, ...]
    transform: str = ""


Sink = FactTable | Dimension | LakeTable
