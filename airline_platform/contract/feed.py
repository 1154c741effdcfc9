"""A feed as it is declared: one kind of file that lands, what is in it, and what it becomes.

Standard library only: this module travels to AWS Glue beside the job scripts.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, replace
from datetime import date
from fnmatch import fnmatchcase
from typing import Literal, get_args

from airline_platform.contract.check import Check, Limits, Share
from airline_platform.contract.declaration import place, refuse, require_one_of
from airline_platform.contract.drift import RESCUED
from airline_platform.contract.reading import Reading
from airline_platform.contract.sink import Dimension, FactTable, LakeTable, LatestRows, Lookup, Sink
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE, Column, Table

REPEATED = "is repeated further down in this file; the last row counts"
"""How the reason of a row ends that is sound, and that a later one of its file replaces."""

Format = Literal["csv", "json"]
OnRefused = Literal["load_others", "refuse_day"]
NoRows = Literal["refuse", "load"]
Drift = Literal["refuse", "ignore", "rescue", "evolve"]


@dataclass(frozen=True)
class Rule:
    """What is wrong with a row whose values are each as their columns say.

    Args:
        wrong: True for a row that can't be used: Spark's SQL over the landed columns, typed.
        reason: What its reject says; it names columns, what is expected, and no value.
    """

    wrong: str
    reason: str


@dataclass(frozen=True)
class Job:
    """A Glue job of a feed.

    Args:
        name: Without the platform's.
        script: `glue_jobs/<script>_job.py`, which is given the feed's name.
    """

    name: str
    script: str


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One kind of file that lands.

    Args:
        name: The feed's name, and that of its pool, crawler and Glue job.
        prefix: Where its files land, ending in `/`.
        noun: What one row is, in the plural, for people.
        columns: As landed, in the documented order; files may order them differently, CSV also case them.
        becomes: Where its rows go. Files of a dimension have no days; all others are for one day each, named
            by their keys.
        format: Of its files. JSON is an object a line, or one array of objects.
        rules: What else keeps a row from being used.
        checks: What else has to hold of a fact table's loaded day, besides what is asked of every feed's
            rows; each is a `Share` of the day's rows, with `where`.
        limits: Of what is asked of every feed's rows.
        expires: Whether its landed files are deleted by S3 after `AIRLINE_PEOPLE_DAYS`.
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

    Attributes:
        declared_at: File and line, for whoever finds that it does not fit another feed.

    Raises:
        DeclarationError: What can't be declared, or not together; with file, line and what is expected.
    """

    name: str
    prefix: str
    noun: str
    columns: tuple[Column, ...]
    becomes: Sink
    format: Format = "csv"
    rules: tuple[Rule, ...] = ()
    checks: tuple[Check, ...] = ()
    limits: Limits = field(default_factory=Limits)
    expires: bool = False
    max_rejected_share: float = 0.05
    on_refused: OnRefused = "load_others"
    no_rows: NoRows = "refuse"
    drift: Drift = "refuse"
    reading: Reading = field(default_factory=Reading)
    readings: tuple[tuple[str, Reading], ...] = ()
    declared_at: str = field(default_factory=place, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Derive the table's columns where none are declared, and refuse what can't be declared."""
        self._check_names()
        self._check_policies()
        self._check_checks()
        sink = self.becomes
        if not sink.table.columns:
            object.__setattr__(self, "becomes", replace(sink, table=self._derived(sink)))
        if self.drift == "rescue" and RESCUED not in self.table.columns:
            rescuing = replace(self.becomes, table=self.table.with_columns([RESCUED]))
            object.__setattr__(self, "becomes", rescuing)
        self._check_table()

    def _check_names(self) -> None:
        what = f"feed {self.name}"
        if not self.name.replace("_", "").isalnum() or not self.name.islower() or not self.name[0].isalpha():
            refuse("a feed's name", self.name, "small letters, digits and underscores, a letter first")
        if not self.prefix.endswith("/") or self.prefix.startswith("/"):
            refuse(f"{what}: prefix", self.prefix, "a prefix that ends in '/', and does not begin with it")
        if not self.columns:
            refuse(f"{what}: columns", self.columns, "at least one Column")
        names = [column.name.lower() for column in self.columns]
        if doubled := {name for name in names if names.count(name) > 1}:
            refuse(f"{what}: columns", sorted(doubled), "each name once, whatever its case")
        if not 0 <= self.max_rejected_share <= 1:
            refuse(f"{what}: max_rejected_share", self.max_rejected_share, "a share, 0 to 1")

    def _check_policies(self) -> None:
        what = f"feed {self.name}"
        for option, allowed in _ALLOWED.items():
            require_one_of(f"{what}: {option}", getattr(self, option), allowed)
        keeps = self.drift in ("rescue", "evolve")
        if keeps and self.personal:
            refuse(
                f"{what}: drift",
                self.drift,
                "'refuse' or 'ignore', because its files identify people: a column nobody has declared may "
                "name one",
            )
        if self.drift == "evolve" and self.format == "json":
            refuse(
                f"{what}: drift",
                self.drift,
                "'rescue', which keeps them, because each object of JSON names its own fields",
            )
        if keeps and not isinstance(self.becomes, FactTable):
            refuse(
                f"{what}: drift",
                self.drift,
                "'refuse' or 'ignore', because only fact tables keep columns that nobody has declared",
            )
        if self.no_rows == "load" and not isinstance(self.becomes, FactTable):
            refuse(
                f"{what}: no_rows", self.no_rows, "'refuse', because only fact tables have days without rows"
            )

    def _check_checks(self) -> None:
        """See that every check is one that a load can judge."""
        what, names = f"feed {self.name}: checks", [check.name for check in self.checks]
        if names and not isinstance(self.becomes, FactTable):
            refuse(what, names, "none, because only a fact table's days are judged by checks of their own")
        if unjudged := [it.name for it in self.checks if not (isinstance(it.rule, Share) and it.where)]:
            refuse(what, unjudged, "checks whose rule is a Share, with `where`: which rows are of its kind")

    def _check_table(self) -> None:
        """See that every column of the table comes from somewhere."""
        what, landed = f"feed {self.name}: table {self.table.name}", {column.name for column in self.columns}
        if self.daily != bool(self.table.partition_column):
            expected = "the column of the day" if self.daily else "none, because a dimension has no days"
            refuse(f"{what}: partition_column", self.table.partition_column, expected)
        for option, name in self._named_columns():
            require_one_of(f"{what}: {option}", name, self.table.column_names)
        for column in self.table.columns:
            if column.hash_of and column.hash_of not in landed:
                refuse(
                    f"{what}: hash_of of {column.name}", column.hash_of, f"one of {', '.join(sorted(landed))}"
                )
        if self.transform and not self.typed:
            return
        names = self.job_table.column_names
        if doubled := {name for name in names if names.count(name) > 1}:
            refuse(
                f"{what}: columns", sorted(doubled), "each name once; `called` gives a landed column another"
            )
        made = {name for name, _ in self.sources} | {it.name for it in self.table.columns if it.hash_of}
        if unmade := [name for name in self.job_table.column_names if name not in made]:
            refuse(
                f"{what}: columns",
                unmade,
                f"columns that are landed ({', '.join(sorted(landed))}; `called` renames them), looked up, "
                "hashed, or made by a transform",
            )

    def _named_columns(self) -> Iterator[tuple[str, str]]:
        """Each column of the table that an option names, with what names it."""
        table, sink = self.table, self.becomes
        yield from (("dist_key", name) for name in (table.dist_key,) if name)
        yield from (("sort_key", name) for name in table.sort_key)
        yield from (("key", name) for name in table.key)
        yield from (("the key of a lookup", lookup.key) for lookup in self.lookups)
        yield from (("what a lookup fills", mine) for lookup in self.lookups for mine, _ in lookup.filled)
        match sink:
            case Dimension():
                yield "key", sink.key
            case LakeTable():
                yield from (("a sum", each.column) for each in sink.sums)
            case FactTable():
                yield from (("told_apart_by", name) for name in (sink.told_apart_by,) if name)
                if sink.latest:
                    latest = sink.latest.table
                    yield from (("a column of latest rows", name) for name in latest.column_names)
                    yield from (("the order of latest rows", name) for name in sink.latest.order)

    def _derived(self, sink: Sink) -> Table:
        """The columns of a table that declares none: day, landed columns that name nobody, and the source."""
        if self.lookups:
            refuse(
                f"feed {self.name}: table {sink.table.name}: columns", (), "columns, which its lookups fill"
            )
        day = sink.table.partition_column
        by_day = (Column(day, "date", "Day of the file, from its key.", required=True),) if day else ()
        arrival = () if day else (LANDED_AT,)
        mine = tuple(column.in_table for column in self.columns if not column.personal)
        columns = (*by_day, *mine, *arrival, SOURCE_FILE, SOURCE_LINE)
        sort_key = sink.table.sort_key or ((day,) if day else ())
        return replace(sink.table, columns=columns, sort_key=sort_key)

    @property
    def table(self) -> Table:
        """The table its rows become."""
        return self.becomes.table

    @property
    def typed(self) -> Table | None:
        """The table of its rows as landed, typed; only a feed that stays in the lake has one."""
        return self.becomes.typed if isinstance(self.becomes, LakeTable) else None

    @property
    def job_table(self) -> Table:
        """The table its first Glue job writes, as Parquet."""
        return self.typed or self.table

    @property
    def daily(self) -> bool:
        """Whether every file is for one day, named by its key."""
        return not isinstance(self.becomes, Dimension)

    @property
    def lookups(self) -> tuple[Lookup, ...]:
        """Columns of its table that come from dimensions."""
        return self.becomes.lookups if isinstance(self.becomes, FactTable) else ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the feeds that its lookups read, each once."""
        return tuple(dict.fromkeys(lookup.dimension for lookup in self.lookups))

    @property
    def latest(self) -> LatestRows | None:
        """The table of the latest rows that follows from its own."""
        return self.becomes.latest if isinstance(self.becomes, FactTable) else None

    @property
    def transform(self) -> str:
        """Name of the module that changes its rows; empty for none."""
        return self.becomes.transform

    @property
    def sources(self) -> tuple[tuple[str, str], ...]:
        """Pairs of a column of the job's table and the column it is taken from, among those the job has."""
        day = self.job_table.partition_column
        known = {column.name: column.name for column in (LANDED_AT, SOURCE_FILE, SOURCE_LINE, RESCUED)}
        known |= {day: DAY} if day else {}
        known |= {column.in_table.name: column.name for column in self.columns}
        known |= {mine: mine for lookup in self.lookups for mine, _ in lookup.filled}
        return tuple((name, known[name]) for name in self.job_table.column_names if name in known)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """Its Glue jobs, in the order in which they run."""
        if isinstance(self.becomes, LakeTable):
            return Job(f"{self.name}_to_parquet", "feed"), Job(self.table.name, "lake_table")
        return (Job(self.name, "feed"),)

    def with_table(self, table: Table) -> "Feed":
        """The feed, whose table has come to have more columns than are declared."""
        other = copy(self)
        object.__setattr__(other, "becomes", replace(self.becomes, table=table))
        return other

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
        return (self.table, self.latest.table) if self.latest else (self.table,)

    @property
    def raw_asset(self) -> str:
        """The asset of its landed files."""
        return f"raw_{self.name}"

    @property
    def catalog_asset(self) -> str:
        """The asset of its first table in the Data Catalog."""
        return f"{self.name}_catalog"

    @property
    def made_asset(self) -> str:
        """The asset of the Parquet that its first Glue job writes."""
        return self.typed.name if self.typed else f"{self.name}_enriched"

    @property
    def last_asset(self) -> str:
        """The asset with which a file gets its verdict."""
        return self.becomes.totals if isinstance(self.becomes, LakeTable) else self.table.name

    @property
    def typed_prefix(self) -> str:
        """Where its typed rows stand in the landing bucket, by day; nothing lands there."""
        return f"{self.prefix}{self.typed.name}/" if self.typed else ""

    @property
    def hashed(self) -> bool:
        """Whether its table names people by a keyed hash."""
        return any(column.hash_of for column in self.table.columns)

    @property
    def personal(self) -> bool:
        """Whether its files identify people."""
        return any(column.personal for column in self.columns)

    def key(self, file_name: str, day: date | None) -> str:
        """The key under which a file of this feed lands: `prefix/date=YYYY-MM-DD/file_name`."""
        return f"{self.prefix}date={day}/{file_name}" if self.daily else f"{self.prefix}{file_name}"


DAY = "partition_date"
"""Stands for the day of a row's file, in `Feed.sources` and in a job's rows."""

WHOLE = "all"
"""Stands for the day of files without one, where days name folders and documents."""

_ALLOWED = {
    "format": get_args(Format),
    "on_refused": get_args(OnRefused),
    "no_rows": get_args(NoRows),
    "drift": get_args(Drift),
}
