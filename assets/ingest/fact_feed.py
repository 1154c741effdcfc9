"""Assets for every daily feed that becomes warehouse tables: landed, cataloged, enriched, loaded.

A feed declares what differs; the mechanism stands here once: one listing, one Glue job, one load, for a day
or a range of days.
"""

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
    asset,
    multi_asset,
)

from airline_platform.contract.feed import Feed
from airline_platform.errors import UnusableInput
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.settings import get_settings
from assets import lineage
from assets.checks import rules
from assets.description import OWNERS, columns_metadata, describe, table_metadata, verdicts_table
from assets.failures import permanent_errors_end_the_step
from assets.ingest import drift
from assets.ingest.catalog import register_and_confirm
from assets.ingest.daily_feed import daily, execution, made_days, raw_asset, run_job_over_days
from assets.ingest.landed import send_alerts
from assets.ingest.landed_job import LandedJob
from assets.ingest.loading import Loaded, load_days, not_loaded
from resources.catalog import enriched_prefix, enriched_table, landing_table
from resources.glue import Glue
from resources.lake import Lake
from resources.landing import Landing
from resources.topic import Notifier, describe_days
from resources.warehouse.session import Warehouse


def fact_feed_assets(feed: Feed) -> list[AssetsDefinition]:
    """The assets of a daily feed, in the order of its lineage."""
    raw = raw_asset(feed)
    catalog = _catalog(feed, raw)
    enriched = _enriched(feed, catalog)
    return [raw, catalog, enriched, _fact(feed, enriched)]


def _catalog(feed: Feed, raw: AssetsDefinition) -> AssetsDefinition:
    @asset(
        **daily(
            feed,
            name=f"{feed.name}_catalog",
            deps=[raw],
            kinds={"glue", "table"},
            metadata=columns_metadata(
                feed.columns, lineage.copied(feed.columns, f"raw_{feed.name}", feed.columns)
            ),
            description=describe(
                f"One row per landed line of {feed.noun}, as the Data Catalog's table shows the files.",
                source=(
                    "the landed files, a partition per day. Columns are as declared, whatever has landed. "
                    "The crawler only confirms them, once for each declaration, and reports what differs."
                ),
                mind=(
                    "Values are as they landed, in the declared order of columns, also of files that were "
                    "refused. Files in the flat layout have no folder to register: the catalog shows them "
                    "once enriched."
                ),
            ),
        )
    )
    def catalog(context: AssetExecutionContext, glue: Glue, lake: Lake) -> None:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            table = landing_table(get_settings(), feed)
            folders = {
                day: table.folder(day)
                for day, files in lake.get_manifests(f"raw_{feed.name}", days).items()
                if any(f"/date={day}/" in found["key"] for found in files)
            }
            lineage.tell_lineage(context)
            told = register_and_confirm(glue, table, folders)
            for day in days:
                context.add_asset_metadata({**told, "registered": day in folders}, partition_key=day)

    return catalog


def _enriched(feed: Feed, catalog: AssetsDefinition) -> AssetsDefinition:
    job = get_settings().job_name(feed.name)

    @asset(
        **daily(
            feed,
            name=f"{feed.name}_enriched",
            deps=[catalog, AIRPORTS.table.name],
            kinds={"glue", "spark", "parquet"},
            metadata=columns_metadata(feed.table.columns, lineage.enriched(feed)),
            description=describe(
                f"One row per usable line of {feed.noun}, typed, with both airports spelled out, as Parquet.",
                source=f"the landed files and the airports' snapshot, by the Glue job `{job}`.",
                mind=(
                    "An airport that was unknown when the job ran has no name here, also later. Lines that "
                    "can't be used are in the rejects, with file, line number and reason: rows read = loaded "
                    "+ rejected."
                ),
            ),
        )
    )
    def enriched(  # noqa: PLR0917 - a resource each
        context: AssetExecutionContext,
        glue: Glue,
        lake: Lake,
        landing: Landing,
        warehouse: Warehouse,
        notifier: Notifier,
    ) -> MaterializeResult[None]:
        with permanent_errors_end_the_step():
            output, given = enriched_prefix(feed), _arguments(feed, lake)
            if evolved := drift.evolved(feed, warehouse):
                glue.declare(enriched_table(get_settings(), drift.grown(feed, evolved)))
            job = LandedJob(context, feed, feed.name, lake, output, given, glue, lake, evolved)
            run_job_over_days(context, feed, job, landing=landing, warehouse=warehouse, notifier=notifier)
        # A step that opened a Pipes session has to say that it made its asset.
        return MaterializeResult()

    return enriched


def _arguments(feed: Feed, lake: Lake) -> dict[str, str]:
    """What the feed's job is given besides its files and where to write."""
    arguments: dict[str, str] = {}
    if feed.lookups:
        known = lake.get_manifests(AIRPORTS.table.name, ["all"])
        arguments["airports"] = lake.uri(f"{AIRPORTS.table.name}/") if known else "none"
    if feed.hashed:
        arguments["customer_key"] = get_settings().customer_key_secret
    return arguments


def _fact(feed: Feed, enriched: AssetsDefinition) -> AssetsDefinition:
    table = feed.table
    specs = [
        AssetSpec(
            table.name,
            deps=[enriched],
            group_name=feed.name,
            owners=OWNERS,
            kinds={"redshift", "table"},
            metadata=table_metadata(
                table, lineage.copied(table.columns, f"{feed.name}_enriched", table.columns)
            ),
            description=describe(
                table.description,
                source=(
                    f"`{feed.name}_enriched`, loaded by day in one transaction with its ledger rows: a day "
                    "that is loaded again replaces itself."
                ),
                mind=(
                    "A file with too many rejected rows is refused; so is a day that the warehouse or a "
                    "blocking check refuses, and its old rows stay. An airport's name is empty until the "
                    "airport is known. Equal rows of a file are all kept, and counted."
                ),
            ),
        )
    ]
    if feed.newest:
        specs.append(
            AssetSpec(
                feed.newest.table.name,
                deps=[table.name],
                group_name=feed.name,
                owners=OWNERS,
                kinds={"redshift", "table"},
                metadata=table_metadata(
                    feed.newest.table, lineage.copied(feed.newest.table.columns, table.name, table.columns)
                ),
                description=describe(
                    feed.newest.table.description,
                    source=(
                        f"`{table.name}`, merged by {', '.join(feed.newest.table.key)} in the transaction "
                        "that replaces days of it."
                    ),
                    mind=(
                        "The newest file wins, whatever order they came in; what it said before is only in "
                        f"`{table.name}`. A partition is a day whose files have been merged, not the days of "
                        "the rows."
                    ),
                ),
            )
        )

    @multi_asset(
        name=table.name,
        specs=specs,
        check_specs=rules.specs_of(table.name),
        **execution(feed),
    )
    def fact(
        context: AssetExecutionContext,
        landing: Landing,
        lake: Lake,
        warehouse: Warehouse,
        notifier: Notifier,
    ) -> Iterator[MaterializeResult[None] | AssetMaterialization | AssetCheckResult]:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            made = made_days(lake, f"{feed.name}_enriched", days)
            if not made:
                raise UnusableInput(
                    f"{table.name} {describe_days(days)}: expected enriched {feed.noun}, found none",
                    remedy=f"Materialize {feed.name}_enriched for these days first.",
                )
            done = load_days(context, feed, made, landing=landing, lake=lake, warehouse=warehouse)
            send_alerts(context, warehouse, notifier)
            results = [outcome.result(table.name) for outcome in done.outcomes]
            if done.refused or done.overwritten:
                yield from loaded_all_the_same(specs, {day: _metadata(done, day) for day in done.rows})
                yield from results
                raise not_loaded(done.overwritten, done.refused)
            lineage.tell_lineage(context)
            for day in days:
                context.add_asset_metadata(_metadata(done, day), asset_key=table.name, partition_key=day)
        for spec in specs:
            yield MaterializeResult(asset_key=spec.key)
        yield from results

    return fact


def loaded_all_the_same(
    specs: Sequence[AssetSpec], days: Mapping[str, Mapping[str, Any]]
) -> Iterator[AssetMaterialization]:
    """What a step that is about to fail has loaded, day by day: the marts wait to hear of it.

    Args:
        specs: Of the tables it loads; the metadata are of the first one.
        days: Metadata of each loaded day.
    """
    for day, metadata in days.items():
        for spec in specs:
            told = metadata if spec is specs[0] else None
            yield AssetMaterialization(spec.key, partition=day, metadata=told)


def _metadata(done: Loaded, day: str) -> dict[str, Any]:
    rows = done.rows.get(day, {})
    count = {"dagster/partition_row_count": rows["rows_loaded"]} if rows else {}
    of_day = [verdict for verdict in done.verdicts if verdict.day == day]
    return {**rows, **count, "ledger": MetadataValue.md(verdicts_table(of_day))}
