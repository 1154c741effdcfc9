"""Assets for every daily feed that becomes warehouse tables: landed, cataloged, enriched, loaded.

A feed declares what differs; the mechanism stands here once. Every asset takes one day or a range of days,
and works on the whole range at once: one listing, one Glue job, one load.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    MaterializeResult,
    MetadataValue,
    asset,
    multi_asset,
)

from airline_platform.errors import CrawlerFailed, GlueJobFailed, UnusableInput
from airline_platform.feeds import AIRPORTS, Feed
from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets import ledger
from assets.description import OWNERS, column_schema, job_run_link, s3_link, table_metadata
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.hooks import tell_failed
from assets.landed import accept, send_alerts
from assets.loading import EnrichedDay, RowCount, load_days, not_loaded
from resources.catalog import enriched_prefix, rejects_prefix
from resources.glue import Glue, copy_manifest
from resources.lake import Lake
from resources.landing import LandedObject, Landing
from resources.notifier import Notifier, describe_days
from resources.warehouse import Warehouse


def fact_feed_assets(feed: Feed) -> list[AssetsDefinition]:
    """The assets of a daily feed, in the order of its lineage."""
    raw = _raw(feed)
    catalog = _catalog(feed, raw)
    enriched = _enriched(feed, catalog)
    return [raw, catalog, enriched, _fact(feed, enriched)]


def _daily(feed: Feed, **arguments: Any) -> dict[str, Any]:
    """What the assets have in common."""
    return {"group_name": feed.name, "owners": OWNERS, **_execution(feed), **arguments}


def _execution(feed: Feed) -> dict[str, Any]:
    """How each of the feed's steps runs."""
    return {
        "partitions_def": daily_partitions(),
        "backfill_policy": BackfillPolicy.multi_run(get_settings().max_partitions_per_run),
        "pool": feed.name,
        "retry_policy": RETRIES,
        "hooks": {tell_failed},
    }


def _raw(feed: Feed) -> AssetsDefinition:
    @asset(
        **_daily(
            feed,
            name=f"raw_{feed.name}",
            kinds={"s3", "csv"},
            metadata={"dagster/column_schema": column_schema(feed.columns)},
            description=(
                f"Files of {feed.noun} as they landed under `{feed.prefix}`: one row per landed line. A file "
                "whose header can't be this feed's is refused here, with its reason; the others go on."
            ),
        )
    )
    def raw(
        context: AssetExecutionContext,
        landing: Landing,
        lake: Lake,
        warehouse: Warehouse,
        notifier: Notifier,
    ) -> None:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            accepted = accept(context, feed, days, landing=landing, warehouse=warehouse, notifier=notifier)
            by_day = {day: [found for found in accepted if found.day == day] for day in days}
            lake.put_manifests(
                f"raw_{feed.name}", {day: [f.as_json() for f in files] for day, files in by_day.items()}
            )
            for day, files in by_day.items():
                context.add_asset_metadata(
                    {
                        "files": len(files),
                        "bytes": sum(found.size for found in files),
                        "keys": MetadataValue.md("\n".join(f"- `{found.key}`" for found in files[:50])),
                        "landing": s3_link(landing.bucket, feed.prefix),
                    },
                    partition_key=day,
                )

    return raw


def _catalog(feed: Feed, raw: AssetsDefinition) -> AssetsDefinition:
    @asset(
        **_daily(
            feed,
            name=f"{feed.name}_catalog",
            deps=[raw],
            kinds={"glue", "table"},
            metadata={"dagster/column_schema": column_schema(feed.columns)},
            description=(
                f"The Data Catalog's table over the landed {feed.noun}, a partition per day. The crawler "
                "runs when the table is new or its columns moved; else the day is registered directly, "
                "because a crawl takes a minute and bills ten. Files in the flat layout have no folder to "
                "register; the catalog shows them once enriched."
            ),
        )
    )
    def catalog(context: AssetExecutionContext, glue: Glue, lake: Lake, landing: Landing) -> None:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            name = landing_table(feed)
            folders = {
                day: f"s3://{landing.bucket}/{feed.prefix}date={day}/"
                for day, files in lake.get_manifests(f"raw_{feed.name}", days).items()
                if any(f"/date={day}/" in found["key"] for found in files)
            }
            crawled = register(glue, feed, name, folders) if folders else False
            for day in days:
                context.add_asset_metadata(
                    {
                        "table": f"{glue.database}.{name}",
                        "registered": day in folders,
                        "crawled": crawled,
                    },
                    partition_key=day,
                )

    return catalog


def landing_table(feed: Feed) -> str:
    """The name a feed's crawler gives its table: the prefix of our crawlers, then the folder's name."""
    return "landing_" + feed.prefix.rstrip("/").rpartition("/")[2]


def register(glue: Glue, feed: Feed, name: str, folders: Mapping[str, str]) -> bool:
    """Make a feed's catalog table true for day folders; tell whether that took a crawl.

    Raises:
        CrawlerFailed: The crawl failed, or its table has other columns than the feed.
    """
    table = glue.find_table(name)
    crawled = table is None or set(_columns(table)) != set(_columns(feed))
    if crawled:
        glue.crawl(get_settings().crawler_name(feed.name))
        table = glue.find_table(name)
        found = _columns(table)
        if table is None or not set(_columns(feed)) <= set(found):
            raise CrawlerFailed(
                f"after the crawl, {glue.database}.{name} has columns {found}; expected {feed.header}",
                remedy=f"Move what is not a file of {feed.name} out of {feed.prefix}, then re-run this step.",
            )
        if found != _columns(feed):
            # A stray file under the prefix was crawled too; the files we accept have our columns.
            glue.set_columns(table, feed.columns)
    if folders and table is not None:
        glue.add_partitions(table, folders)
    return crawled


def _columns(of: Feed | Mapping[str, Any] | None) -> list[str]:
    """Column names as the catalog folds them."""
    if of is None:
        return []
    if isinstance(of, Feed):
        return [column.name.casefold() for column in of.columns]
    return [column["Name"].casefold() for column in of["StorageDescriptor"]["Columns"]]


def _enriched(feed: Feed, catalog: AssetsDefinition) -> AssetsDefinition:
    job = get_settings().job_name(feed.name)

    @asset(
        **_daily(
            feed,
            name=f"{feed.name}_enriched",
            deps=[catalog, AIRPORTS.table.name],
            kinds={"glue", "spark", "parquet"},
            metadata={"dagster/column_schema": column_schema(feed.table.columns)},
            description=(
                f"The {feed.noun} as clean Parquet, a row per usable line: typed, with "
                "both airports spelled out (unknown ones stay, unnamed), by a Glue job. Lines that can't be "
                "used go to the rejects with file, line number and reason: rows read = loaded + rejected."
            ),
        )
    )
    def enriched(context: AssetExecutionContext, glue: Glue, lake: Lake) -> MaterializeResult[None]:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            manifests = lake.get_manifests(f"raw_{feed.name}", days)
            landed = [LandedObject.from_json(found) for day in days for found in manifests.get(day, ())]
            if not landed:
                raise UnusableInput(
                    f"{feed.name} {describe_days(days)}: expected a manifest of landed files, found none",
                    remedy=f"Materialize raw_{feed.name} for these days first.",
                )
            run, counts = _run_job(context, feed, landed, glue, lake)
            prefixes = {day: f"{enriched_prefix(feed)}date={day}/" for day in days}
            files = lake.list_files(prefixes.values())
            made = {
                day: EnrichedDay(
                    run,
                    tuple(files[prefixes[day]]),
                    tuple((found, counts[found.url]) for found in landed if found.day == day),
                )
                for day in days
            }
            lake.put_manifests(f"{feed.name}_enriched", {day: it.as_json() for day, it in made.items()})
            for day, it in made.items():
                context.add_asset_metadata(
                    {
                        **it.rows,
                        "glue_job_run": job_run_link(job, run),
                        "parquet": s3_link(lake.bucket, prefixes[day]),
                        "rejects": s3_link(lake.bucket, f"{rejects_prefix(feed)}date={day}/"),
                    },
                    partition_key=day,
                )
        # A step that opened a Pipes session has to say that it made its asset.
        return MaterializeResult()

    return enriched


def _run_job(
    context: AssetExecutionContext, feed: Feed, landed: Sequence[LandedObject], glue: Glue, lake: Lake
) -> tuple[str, dict[str, RowCount]]:
    """Run the feed's Glue job over the landed files; return its run id and each file's counts by URL."""
    entries = [
        {
            "url": found.url,
            "mandatory": True,
            "partition": found.day,
            "landed_at": found.landed_at.isoformat(),
            "header": found.header,
            "columns": found.columns,
        }
        for found in landed
    ]
    job = get_settings().job_name(feed.name)
    manifest = lake.put_bytes(f"_tmp/{context.run.run_id}/{feed.name}.manifest", copy_manifest(entries))
    has_airports = lake.get_manifests(AIRPORTS.table.name, ["all"])
    arguments = {
        "manifest": manifest,
        "airports": lake.uri(f"{AIRPORTS.table.name}/") if has_airports else "none",
        "output": lake.uri(enriched_prefix(feed)),
        "rejects": lake.uri(rejects_prefix(feed)),
    }
    if feed.personal:
        arguments["customer_key"] = get_settings().customer_key_secret
    run, messages = glue.run_job(context, job, arguments)
    counts = {
        file["url"]: RowCount(file["read"], file["loaded"], file["rejected"], file["repeated"])
        for message in messages
        for file in message["files"]
    }
    missing = [found.url for found in landed if found.url not in counts]
    if missing:
        raise GlueJobFailed(
            f"Glue job {job} run {run['Id']} reported nothing of {missing[:20]}",
            remedy="Check that the deployed job is this version's (`airline deploy`), then re-run this step.",
        )
    return run["Id"], counts


def _fact(feed: Feed, enriched: AssetsDefinition) -> AssetsDefinition:
    table = feed.table
    specs = [
        AssetSpec(
            table.name,
            deps=[enriched],
            group_name=feed.name,
            owners=OWNERS,
            kinds={"redshift", "table"},
            metadata=table_metadata(table),
            description=(
                f"{table.description} Loaded by day, in one transaction with its ledger rows: a day that is "
                "loaded again replaces itself. A day with too many rejected rows is refused and the old "
                "rows stay."
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
                metadata=table_metadata(feed.newest.table),
                description=(
                    f"{feed.newest.table.description} Merged by {', '.join(feed.newest.table.key)} in the "
                    f"transaction that replaces days of {table.name}: the newest file wins, whatever order "
                    "they came in. A partition is a day whose files have been merged."
                ),
            )
        )

    @multi_asset(
        name=table.name,
        specs=specs,
        **_execution(feed),
    )
    def fact(
        context: AssetExecutionContext,
        landing: Landing,
        lake: Lake,
        warehouse: Warehouse,
        notifier: Notifier,
    ) -> Iterator[MaterializeResult[None]]:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            found = lake.get_manifests(f"{feed.name}_enriched", days)
            made = {day: EnrichedDay.from_json(document) for day, document in found.items()}
            made = {day: it for day, it in made.items() if it.landed}
            if not made:
                raise UnusableInput(
                    f"{table.name} {describe_days(days)}: expected enriched {feed.noun}, found none",
                    remedy=f"Materialize {feed.name}_enriched for these days first.",
                )
            done = load_days(context, feed, made, landing=landing, lake=lake, warehouse=warehouse)
            send_alerts(context, warehouse, notifier)
            if done.refused:
                raise not_loaded(done.refused)
            for day in days:
                rows = done.rows.get(day, {})
                count = {"dagster/partition_row_count": rows["rows_loaded"]} if rows else {}
                of_day = [row for row in done.ledger if str(row["partition_date"]) == day]
                context.add_asset_metadata(
                    {**rows, **count, "ledger": MetadataValue.md(ledger.table_of(of_day))},
                    asset_key=table.name,
                    partition_key=day,
                )
        for spec in specs:
            yield MaterializeResult(asset_key=spec.key)

    return fact
