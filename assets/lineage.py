"""Which column comes from which: derived from the declarations, from the landed file to the mart.

It is about values: a column that a row is found, counted or left out by is no source of the others.
"""

from collections.abc import Iterable, Mapping, Sequence

from dagster import AssetExecutionContext, TableColumnDep, TableColumnLineage

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column
from assets.dimensions import dimension_of
from assets.marts.mart import Mart

LINEAGE = "dagster/column_lineage"

Sources = Mapping[str, Sequence[tuple[str, str]]]
"""Pairs of an asset and its column, by the column that is made of them."""


def copied(
    columns: Iterable[Column],
    asset: str,
    theirs: Iterable[Column],
    made_of: Mapping[str, str] | None = None,
) -> Sources:
    """Take columns from an asset's columns of the same name; case and underscores make no difference.

    Args:
        columns: Whose sources are asked for; one without a namesake has none.
        asset: Name of the asset they come from.
        theirs: Its columns.
        made_of: The asset's column, by the column that is made of it under another name.
    """
    names = {_plain(column.name): column.name for column in theirs}
    renamed = made_of or {}
    sources = {column.name: renamed.get(column.name, names.get(_plain(column.name))) for column in columns}
    return {mine: [(asset, source)] for mine, source in sources.items() if source}


def enriched(feed: Feed) -> Sources:
    """Take the columns of a feed's enriched rows from the landed files, and from its dimensions."""
    looked_up = {
        mine: [(dimension_of(lookup).table.name, its)]
        for lookup in feed.lookups
        for mine, its in lookup.filled
    }
    landed = copied(feed.table.columns, f"{feed.name}_catalog", feed.columns, hashed_columns(feed))
    return {**landed, **looked_up}


def hashed_columns(feed: Feed) -> Mapping[str, str]:
    """Return, by the table's column that is a keyed hash, the landed column it is the hash of."""
    return {"customer_key": "email"} if feed.hashed else {}


def of_mart(mart: Mart) -> Sources:
    """Take the columns of a mart from those of its source, as it declares."""
    by_column = {column.name: mart.sources_of(column.name) for column in mart.table.columns}
    return {
        mine: [(mart.source.name, theirs) for theirs in sources]
        for mine, sources in by_column.items()
        if sources
    }


def column_lineage(sources: Sources) -> TableColumnLineage:
    """Return the sources of columns in Dagster's form."""
    return TableColumnLineage(
        deps_by_column={
            mine: [TableColumnDep(asset_key=asset, column_name=theirs) for asset, theirs in pairs]
            for mine, pairs in sources.items()
        }
    )


def tell_lineage(context: AssetExecutionContext) -> None:
    """Say with each materialization what its columns were made of, as the asset's definition has it.

    Dagster+ draws its graph of columns from the newest materialization. The open-source UI has no such graph:
    there, the columns' tags say it.
    """
    for key in context.selected_asset_keys:
        if declared := context.assets_def.metadata_by_key.get(key, {}).get(LINEAGE):
            context.add_asset_metadata({LINEAGE: declared}, asset_key=key)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()
