"""Which column comes from which: derived from the declarations, from the landed file to the mart.

It is about values: a column that a row is found, counted or left out by is no source of the others.
"""

from collections.abc import Iterable, Mapping, Sequence

from dagster import AssetExecutionContext, TableColumnDep, TableColumnLineage

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column
from airline_platform.feeds.airports import AIRPORTS
from assets.marts.mart import Mart

LINEAGE = "dagster/column_lineage"

Sources = Mapping[str, Sequence[tuple[str, str]]]
"""Pairs of an asset and its column, by the column that is made of them."""

MADE_OF = {
    "customer_key": "email",
    "day": "file_date",
    "total_cost": "shipping_cost",
    "total_distance": "shipping_distance",
    "total_quantity": "quantity",
}
"""Columns that are made of one with another name."""


def copied(columns: Iterable[Column], asset: str, theirs: Iterable[Column]) -> Sources:
    """Columns that come from an asset's columns of the same name; case and underscores make no difference.

    Args:
        columns: Whose sources are asked for; one without a namesake has none.
        asset: Name of the asset they come from.
        theirs: Its columns.
    """
    names = {_plain(column.name): column.name for column in theirs}
    found = {column.name: names.get(_plain(column.name)) for column in columns}
    made = {mine: theirs or names.get(MADE_OF.get(mine, "")) for mine, theirs in found.items()}
    return {mine: [(asset, theirs)] for mine, theirs in made.items() if theirs}


def enriched(feed: Feed) -> Sources:
    """Columns of a feed's enriched rows: from the landed files, and from the airports."""
    looked_up = {mine: [(AIRPORTS.table.name, its)] for lookup in feed.lookups for mine, its in lookup.filled}
    return {**copied(feed.table.columns, f"{feed.name}_catalog", feed.columns), **looked_up}


def of_mart(mart: Mart) -> Sources:
    """Columns of a mart."""
    made = {column.name: mart.sources_of(column.name) for column in mart.table.columns}
    return {
        mine: [(mart.source.name, theirs) for theirs in sources] for mine, sources in made.items() if sources
    }


def column_lineage(sources: Sources) -> TableColumnLineage:
    """The same in Dagster's form."""
    return TableColumnLineage(
        deps_by_column={
            mine: [TableColumnDep(asset_key=asset, column_name=theirs) for asset, theirs in found]
            for mine, found in sources.items()
        }
    )


def tell_lineage(context: AssetExecutionContext) -> None:
    """Say with each materialization what its columns were made of, as the asset's definition has it.

    Dagster+ draws its graph of columns from the newest materialization. The open-source UI has no such graph:
    there, the columns' tags say it.
    """
    for key in context.selected_asset_keys:
        if found := context.assets_def.metadata_by_key.get(key, {}).get(LINEAGE):
            context.add_asset_metadata({LINEAGE: found}, asset_key=key)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
