"""Which column comes from which: derived from the declarations, from the landed file to the mart.

It is about values: a column that a row is found, counted or left out by is no source of the others.
"""

from collections.abc import Iterable, Mapping, Sequence

from dagster import AssetExecutionContext, TableColumnDep, TableColumnLineage

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import LakeTable
from airline_platform.contract.table import Column
from airline_platform.feeds import FEEDS
from assets.marts.mart import Mart

LINEAGE = "dagster/column_lineage"

Sources = Mapping[str, Sequence[tuple[str, str]]]
"""Pairs of an asset and its column, by the column that is made of them."""


def copied(columns: Iterable[Column], asset: str, theirs: Iterable[Column]) -> Sources:
    """Columns that come from an asset's columns of the same name.

    Args:
        columns: Whose sources are asked for; one without a namesake has none.
        asset: Name of the asset they come from.
        theirs: Its columns.
        made_of: The asset's column, by the column that is made of it under another name.
    """
    names = {column.name for column in theirs}
    return {column.name: [(asset, column.name)] for column in columns if column.name in names}


def made(feed: Feed, before: str) -> Sources:
    """Columns of what a feed's job makes: from the landed files, and from dimensions.

    Args:
        feed: The feed.
        before: Name of the asset that has the landed columns.
    """
    landed = {column.name for column in feed.columns}
    taken = {mine: theirs for mine, theirs in feed.sources if theirs in landed}
    hashed = {column.name: column.hash_of for column in feed.job_table.columns if column.hash_of}
    looked_up = {
        mine: [(FEEDS[lookup.dimension].table.name, its)]
        for lookup in feed.lookups
        for mine, its in lookup.filled
    }
    return {**{mine: [(before, theirs)] for mine, theirs in {**taken, **hashed}.items()}, **looked_up}


def of_totals(feed: Feed, sink: LakeTable, before: str) -> Sources:
    """Columns of what Athena adds up."""
    day = feed.table.partition_column or ""
    return {"day": [(before, day)], **{each.name: [(before, each.column)] for each in sink.sums}}


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
        if columns := context.assets_def.metadata_by_key.get(key, {}).get(LINEAGE):
            context.add_asset_metadata({LINEAGE: columns}, asset_key=key)
