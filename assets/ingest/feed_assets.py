"""The assets of every feed, in the order of its lineage: landed, cataloged, transformed, settled."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetMaterialization,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    multi_asset,
)

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Dimension, LakeTable, LatestRows
from airline_platform.errors import UnusableInput
from airline_platform.feeds import FEEDS
from assets import lineage
from assets.checks.of_feeds import checks_of
from assets.checks.outcomes import ChecksFailed, spec_of
from assets.code_version import code_version_of
from assets.description import columns_metadata, describe, s3_link, table_metadata, verdicts_table
from assets.failures import permanent_errors_end_the_step
from assets.ingest.catalog import landing_catalog, parquet_catalog
from assets.ingest.cleaned import cleaned_asset
from assets.ingest.handover import get_made
from assets.ingest.raw import raw_asset
from assets.ingest.settle import Settled, not_settled, settle
from assets.ingest.sinks.dimension import snapshot_folder
from assets.ingest.sinks.totals import TOTALS_OF_DAYS, columns_of
from assets.ingest.step import Step, how_it_runs, what_it_is
from assets.ingest.transformed import made_asset
from resources.warehouse import ledger


def assets_of(feed: Feed) -> list[AssetsDefinition]:
    """The assets of a feed, in the order of its lineage."""
    raw = raw_asset(feed)
    if isinstance(feed.becomes, LakeTable):
        return _in_the_lake(feed, feed.becomes, raw)
    catalog = landing_catalog(feed, raw)
    made = made_asset(feed, catalog)
    return [raw, catalog, made, _settled(feed, _tables(feed, made), feed.made_asset)]


def _in_the_lake(feed: Feed, sink: LakeTable, raw: AssetsDefinition) -> list[AssetsDefinition]:
    typed = made_asset(feed, raw)
    catalog = parquet_catalog(feed, sink.typed, feed.catalog_asset, typed)
    cleaned = cleaned_asset(feed, catalog)
    its_catalog = parquet_catalog(feed, sink.table, f"{sink.table.name}_catalog", cleaned)
    totals = _settled(feed, [_totals(feed, sink, its_catalog)], sink.table.name)
    return [raw, typed, catalog, cleaned, its_catalog, totals]


def _settled(feed: Feed, specs: Sequence[AssetSpec], made_by: str) -> AssetsDefinition:
    """The asset with which a feed's files get their verdict.

    Args:
        feed: The feed.
        specs: Of what it writes; the first one shows the counts and has the checks.
        made_by: The asset that has made what it settles.
    """
    resources = {"lake", "landing", "warehouse", "notifier"}
    in_lake = isinstance(feed.becomes, LakeTable)

    @multi_asset(
        name=feed.last_asset,
        specs=specs,
        check_specs=[spec_of(check, feed.last_asset) for check in checks_of(feed)],
        required_resource_keys=resources | ({"athena", "glue"} if in_lake else set()),
        **how_it_runs(feed),
    )
    def settled(
        context: AssetExecutionContext,
    ) -> Iterator[MaterializeResult[None] | AssetMaterialization | AssetCheckResult]:
        with permanent_errors_end_the_step():
            step = Step(context, feed)
            made, left_out = get_made(step.lake, made_by, step.days)
            if not made:
                raise not_settled(left_out) if left_out else _nothing_made(step, made_by)
            try:
                done = settle(step, made)
            except ChecksFailed as failed:
                yield from failed.results
                raise
            results = [outcome.result(feed.last_asset) for outcome in done.outcomes]
            metadata = _metadata(step, done)
            left_out = left_out.with_others(done.left_out)
            if left_out:
                yield from loaded_all_the_same(specs, metadata)
                yield from results
                raise not_settled(left_out, written=done.left_out.refused if in_lake else ())
            lineage.tell_lineage(context)
            for day in step.days:
                step.describe(day, metadata.get(day, {}), feed.last_asset)
        for spec in specs:
            yield MaterializeResult(asset_key=spec.key)
        yield from results

    return settled


def _nothing_made(step: Step, made_by: str) -> UnusableInput:
    return UnusableInput(
        f"{step.feed.last_asset}, {step.name()}: expected Parquet of {made_by}, found none",
        remedy=f"Materialize {made_by} for these days first.",
    )


def loaded_all_the_same(
    specs: Sequence[AssetSpec], days: Mapping[str, Mapping[str, Any]]
) -> Iterator[AssetMaterialization]:
    """What a step that is about to fail has settled, day by day: the marts wait to hear of it.

    Args:
        specs: Of what it writes; the metadata are of the first one.
        days: Metadata of each settled day.
    """
    for day, metadata in days.items():
        for spec in specs:
            shown = dict(metadata) if spec is specs[0] else None
            yield AssetMaterialization(spec.key, partition=day, metadata=shown)


def _metadata(step: Step, done: Settled) -> dict[str, dict[str, Any]]:
    """What the materialization of each settled day shows."""
    if not step.feed.daily:
        link = {"snapshot": s3_link(step.lake.bucket, snapshot_folder(step.feed))}
        return {day: {**rows, **done.metadata.get(day, {}), **link} for day, rows in done.rows.items()}
    verdicts = ledger.of_days(step.warehouse, step.feed.name, tuple(done.rows))
    return {
        day: {
            **rows,
            **done.metadata.get(day, {}),
            "dagster/partition_row_count": rows["rows_loaded"],
            "ledger": MetadataValue.md(verdicts_table([it for it in verdicts if it.day == day])),
        }
        for day, rows in done.rows.items()
    }


def _tables(feed: Feed, made: AssetsDefinition) -> list[AssetSpec]:
    """Specs of a feed's warehouse tables."""
    table = feed.table
    first = AssetSpec(
        table.name,
        deps=[made],
        kinds={"redshift", "table"},
        code_version=code_version_of(repr(feed.becomes)),
        metadata=table_metadata(table, lineage.copied(table.columns, feed.made_asset, table.columns)),
        description=_of_dimension(feed) if isinstance(feed.becomes, Dimension) else _of_facts(feed),
        **what_it_is(feed),
    )
    return [first, _latest(feed, feed.latest)] if feed.latest else [first]


def _of_facts(feed: Feed) -> str:
    looked_up = "What a dimension does not know yet is empty until it does. " if feed.lookups else ""
    return describe(
        feed.table.description,
        source=(
            f"`{feed.made_asset}`, loaded by day in one transaction with its ledger rows: a day that is "
            "loaded again replaces itself."
        ),
        mind=(
            "A file with too many rejected rows is refused; so is a day that the warehouse or a blocking "
            f"check refuses, and its old rows stay. {looked_up}Equal rows of a file are kept, and counted."
        ),
    )


def _of_dimension(feed: Feed) -> str:
    return describe(
        feed.table.description,
        source=(
            f"all landed files of {feed.noun}; every load replaces the whole table, and its Parquet snapshot "
            "in the lake, which Glue jobs look up."
        ),
        mind=(
            "Where several files have a key, the one that landed last counts. Facts and marts that lacked a "
            "row get its values in the same transaction; a value that was corrected is not corrected there "
            "until the day is loaded again."
        ),
    )


def _latest(feed: Feed, latest: LatestRows) -> AssetSpec:
    table = feed.table
    return AssetSpec(
        latest.table.name,
        deps=[table.name],
        kinds={"redshift", "table"},
        code_version=code_version_of(repr(latest)),
        metadata=table_metadata(
            latest.table, lineage.copied(latest.table.columns, table.name, table.columns)
        ),
        description=describe(
            latest.table.description,
            source=(
                f"`{table.name}`, merged by {', '.join(latest.table.key)} in the transaction that replaces "
                "days of it."
            ),
            mind=(
                "The newest file wins, whatever order they came in; what it said before is only in "
                f"`{table.name}`. A partition is a day whose files have been merged, and not a day of the "
                "rows."
            ),
        ),
        **what_it_is(feed),
    )


def _totals(feed: Feed, sink: LakeTable, catalog: AssetsDefinition) -> AssetSpec:
    columns = columns_of(feed, sink)
    return AssetSpec(
        sink.totals,
        deps=[catalog],
        kinds={"athena", "sql"},
        code_version=code_version_of(TOTALS_OF_DAYS, repr(sink)),
        metadata=columns_metadata(columns, lineage.of_totals(feed, sink, f"{sink.table.name}_catalog")),
        description=describe(
            f"One row per day with what its {feed.noun} add up to, and one over all days.",
            source=f"`{sink.table.name}`, asked of Athena; the result is kept in the lake.",
            mind=(
                "The figures are told once the query has succeeded and has counted the rows that the job "
                "wrote; with them the files get their verdict in the ledger. The row over all days is as of "
                "the query."
            ),
        ),
        **what_it_is(feed),
    )


FEED_ASSETS = [each for feed in FEEDS.values() for each in assets_of(feed)]
