"""A feed as it is declared: one kind of file that lands, what is in it, and what it becomes.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal

from airline_platform.contract.reading import Reading
from airline_platform.contract.table import SOURCE_FILE, SOURCE_LINE, Column, Table

UNKNOWN_MARK = "?"
"""Before the name of a file's column that its feed does not have."""

RESCUED = Column(
    "rescued", "string", "The row's values of columns nobody has declared, as a JSON object.", length=65535
)

REPEATED = "is repeated further down in this file; the last row counts"
"""How the reason of a row ends that is sound, and that a later one of its file replaces."""


@dataclass(frozen=True)
class Lookup:
    """Columns of a fact that come from the dimension, found by its key; empty where the key is unknown.

    Args:
        key: The fact's column with the dimension's key.
        filled: Pairs of a column of the fact and the column of the dimension it comes from.
    """

    key: str
    filled: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Newest:
    """A table with the newest row of each key; a feed's own table keeps all that its files ever said.

    Args:
        table: Has the columns of the feed's table, or some of them; its key says what is one thing.
        order: Columns of the feed's table that say what is newer, the weightiest first. Within a file the
            later line is the newer one, and the others are rejected as repeated.
    """

    table: Table
    order: tuple[str, ...]


@dataclass(frozen=True)
class Feed:
    """One kind of file that lands.

    Args:
        name: The feed's name, and that of its pool, crawler and Glue job.
        prefix: Where its files land, ending in `/`.
        noun: What one row is, in the plural, for people.
        columns: As landed, in the documented order; files may order them differently, CSV also case them.
        table: The table it becomes, replaced day by day.
        format: Of its files. JSON is an object a line, or one array of objects.
        typed: The table of its rows as landed, typed, people and all: Parquet beside the landed files, under
            the feed's own prefix. Such a feed stays in the lake; one without becomes a warehouse table.
        answer: The asset that has the last word on a file; its table's where not given.
        expires: Whether its landed files are deleted by S3 after `AIRLINE_PEOPLE_DAYS`.
        daily: Whether every file is for one day, named by its key.
        lookups: Columns of its table that come from the airports.
        newest: The table that follows from it, where a thing's newest row is what counts.
        max_rejected_share: Share of a file's rows, 0 to 1, above which rejects keep it from being loaded.
        on_refused: What becomes of a day's other files when one of them is refused.
        no_rows: What a file without rows is: a mistake, which refuses it, or a day without any, which is
            loaded: then the rows go that stood before.
        drift: What columns come to that are not declared. `refuse`: the file is refused. `ignore`: they are
            left out. `rescue`: they stand as a JSON object in the table's column `rescued`. `evolve`: each
            becomes a column of text of the table, catalog and lake. In all cases but the first, a column that
            may be empty may be missing. A feed that identifies people can't keep what nobody has declared.
        reading: How its files are written.
        readings: Where some are written otherwise: pairs of a pattern of keys (`*` and `?`, below the prefix)
            and how these are; the first that fits counts.
    """

    name: str
    prefix: str
    noun: str
    columns: tuple[Column, ...]
    table: Table
    format: Literal["csv", "json"] = "csv"
    typed: Table | None = None
    answer: str = ""
    expires: bool = False
    daily: bool = True
    lookups: tuple[Lookup, ...] = ()
    newest: Newest | None = None
    max_rejected_share: float = 0.05
    on_refused: Literal["load_others", "refuse_day"] = "load_others"
    no_rows: Literal["refuse", "load"] = "refuse"
    drift: Literal["refuse", "ignore", "rescue", "evolve"] = "refuse"
    reading: Reading = field(default_factory=Reading)
    readings: tuple[tuple[str, Reading], ...] = ()

    def __post_init__(self) -> None:
        """Refuse what can't be declared together.

        Raises:
            ValueError: Naming the feed, what is declared, and what is expected.
        """
        if self.personal and self.drift in ("rescue", "evolve"):
            raise ValueError(
                f"feed {self.name}: drift is {self.drift!r}, and its files identify people: a column nobody "
                "has declared may name one; expected 'refuse' or 'ignore'"
            )
        if self.drift == "evolve" and self.format == "json":
            raise ValueError(
                f"feed {self.name}: drift is 'evolve', and each object of JSON names its own fields; "
                "expected 'rescue', which keeps them"
            )
        in_warehouse = self.daily and not self.typed
        if self.drift in ("rescue", "evolve") and not in_warehouse:
            raise ValueError(
                f"feed {self.name}: drift is {self.drift!r}, and only fact tables keep columns that nobody "
                "has declared; expected 'refuse' or 'ignore'"
            )
        if self.no_rows == "load" and not in_warehouse:
            raise ValueError(
                f"feed {self.name}: no_rows is 'load', and only a fact table has days without rows; expected "
                "'refuse'"
            )
        if self.drift == "rescue" and RESCUED not in self.table.columns:
            object.__setattr__(self, "table", self.table.with_columns([RESCUED]))

    def reading_of(self, key: str) -> Reading:
        """How the file with this key is written."""
        name = key.removeprefix(self.prefix)
        return next((how for pattern, how in self.readings if fnmatchcase(name, pattern)), self.reading)

    @property
    def header(self) -> str:
        """The documented header line, or the fields of an object."""
        return ",".join(column.name for column in self.columns)

    @property
    def suffixes(self) -> tuple[str, str]:
        """How its files' names end, in small or capital letters; others under its prefix are unknown keys."""
        return f".{self.format}", f".{self.format}.gz"

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every warehouse table it becomes."""
        if self.typed:
            return ()
        return (self.table, self.newest.table) if self.newest else (self.table,)

    @property
    def last_asset(self) -> str:
        """The asset with which a file gets its verdict."""
        return self.answer or self.table.name

    @property
    def typed_prefix(self) -> str:
        """Where its typed rows stand in the landing bucket, by day; nothing lands there."""
        return f"{self.prefix}{self.typed.name}/" if self.typed else ""

    @property
    def hashed(self) -> bool:
        """Whether its table names people by a keyed hash."""
        return self.personal and not self.typed

    @property
    def personal(self) -> bool:
        """Whether its files identify people."""
        return any(column.personal for column in self.columns)

    def key(self, file_name: str, day: date | None) -> str:
        """The key under which a file of this feed lands: `prefix/date=YYYY-MM-DD/file_name`."""
        return f"{self.prefix}date={day}/{file_name}" if self.daily else f"{self.prefix}{file_name}"


_RESERVED_WORDS = """
aes128 aes256 all allowoverwrite analyse analyze and any array as asc authorization az64 backup
between binary both bytedict bzip2 case cast check collate column constraint create credentials
cross default deferrable deflate defrag delta delta32k desc disable distinct do else emptyasnull
enable encode encrypt encryption end except explicit false for foreign freeze from full
globaldict256 globaldict64k grant group gzip having identity ignore ilike in initially inner
intersect interval into is isnull join leading left like limit localtime localtimestamp lun luns lzo
lzop minus mostly16 mostly32 mostly8 natural new not notnull null nulls off offline offset oid old
on only open or order outer overlaps parallel partition percent permissions pivot placing primary
raw readratio recover references rejectlog resort respect restore right select session_user similar
snapshot some sysdate system table tag tdes text255 text32k then timestamp to top trailing true
truncatecolumns type union unique unnest unpivot user using variadic verbose wallet when where
window with without
"""
_RESERVED = frozenset(_RESERVED_WORDS.split())
"""Words that are no names of columns in Redshift's SQL or PostgreSQL's."""


def evolved_columns(names: Iterable[str]) -> list[Column]:
    """The columns that files have brought into a table whose feed lets it evolve.

    Args:
        names: As `evolved_name` makes them.
    """
    return [
        Column(name, "string", "A column that nobody has declared, as files have it.", length=4096)
        for name in names
    ]


def evolved_name(name: str, table: Table) -> str:
    """The table's name for a file's column that nobody has declared: lower case, letters, digits and `_`."""
    plain = re.sub("[^a-z0-9]+", "_", unicodedata.normalize("NFKD", name).lower()).strip("_")[:60]
    named = plain if re.match("[a-z]", plain) else f"column_{plain or name.encode().hex()[:32]}"
    taken = {column.name for column in table.columns} | {SOURCE_FILE.name, SOURCE_LINE.name}
    return f"landed_{named}" if named in taken or named in _RESERVED else named
