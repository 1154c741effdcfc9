"""A mart as it is declared: one table that a query makes of another one of the warehouse."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from airline_platform.contract.sink import Lookup
from airline_platform.contract.table import Table
from airline_platform.feeds import FEEDS


@dataclass(frozen=True)
class Sums:
    """What the rows of a mart and those of its source add up to alike.

    The source's query is not the mart's own: for a wrong sum to pass, both have to be wrong.

    Args:
        of_source: The query of the source; it has a column `day` where the mart has days.
        alike: By a name for people, the sum over the mart's rows, and the query's column it has to equal.
        of_each: A column of both by which the sums are taken apart, besides the day.
    """

    of_source: str
    alike: Mapping[str, tuple[str, str]]
    of_each: str = ""


@dataclass(frozen=True)
class Mart:
    """A table that follows from another one of the warehouse, by the query in `sql/<table>.sql`.

    Args:
        table: What it becomes; where it has a partition column, its days follow from the source's days.
        source: The table it is read from.
        caveats: What a reader has to know before trusting a figure; sentences.
        sums: What its rows have to add up to.
        made_of: Columns of the source, by the column that is made of them; one that is not named here is made
            of the source's column of the same name, and one that counts rows of none.
        lookups: Columns that come from a dimension and may be empty until its key is known.
        figures: Whole numbers whose sums tell people something about a day.
    """

    table: Table
    source: Table
    caveats: str
    sums: Sums
    made_of: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lookups: tuple[Lookup, ...] = ()
    figures: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a mart that speaks of what there is not.

        Raises:
            ValueError: Naming the mart, what was given, and what is expected.
        """
        self._require_columns()
        for lookup in self.lookups:
            self._require_lookup(lookup)
        partition, theirs = self.table.partition_column, self.source.partition_column
        if partition and partition != theirs:
            raise ValueError(
                f"mart {self.table.name}: partition_column is {partition!r}; expected {theirs!r}, by which "
                f"{self.source.qualified_name} is replaced"
            )

    def sources_of(self, column: str) -> tuple[str, ...]:
        """Return the source's columns that a column of this one is made of."""
        same = (column,) if column in self.source.column_names else ()
        return tuple(self.made_of.get(column, same))

    def _require_columns(self) -> None:
        mine, theirs = self.table.column_names, self.source.column_names
        where = f"columns of {self.source.qualified_name}"
        self._require("made_of", self.made_of, mine, "columns of its own")
        for column, sources in self.made_of.items():
            self._require(f"made_of[{column!r}]", sources, theirs, where)
        numbers = [column.name for column in self.table.columns if column.type == "bigint"]
        self._require("figures", self.figures, numbers, "whole numbers among its columns")
        each = filter(None, [self.sums.of_each])
        self._require("sums.of_each", list(each), mine, "columns of its own")

    def _require_lookup(self, lookup: Lookup) -> None:
        dimension = FEEDS[lookup.dimension].table
        optional = [column.name for column in self.table.columns if not column.required]
        self._require("the key of a lookup", [lookup.key], self.table.column_names, "columns of its own")
        self._require(
            f"the lookup by {lookup.key} fills",
            [mine for mine, _ in lookup.filled],
            optional,
            "columns that may be empty",
        )
        self._require(
            f"the lookup by {lookup.key} reads",
            [its for _, its in lookup.filled],
            dimension.column_names,
            f"columns of {dimension.qualified_name}",
        )

    def _require(self, what: str, given: Collection[str], known: Collection[str], which: str) -> None:
        """Refuse names that are not among those there are."""
        if unknown := [name for name in given if name not in known]:
            raise ValueError(
                f"mart {self.table.name}: {what}: {', '.join(map(repr, unknown))}; expected {which}: "
                f"{', '.join(known)}"
            )
