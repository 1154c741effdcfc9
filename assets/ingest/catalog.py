"""Cataloged: a feed's tables and days are registered as declared, and a crawl only confirms them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import ClientError
from dagster import AssetExecutionContext, AssetsDefinition, MetadataValue, asset, get_dagster_logger

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Table
from airline_platform.errors import AirlineError, CrawlerFailed, LoadRefused
from airline_platform.settings import get_settings
from assets import lineage
from assets.description import columns_metadata, describe
from assets.failures import permanent_errors_end_the_step
from assets.ingest.handover import MadeDay, get_landed, get_made
from assets.ingest.step import Step, how_it_runs, what_it_is
from resources.catalog import CatalogTable, landing_table, parquet_table
from resources.glue import Crawl, Glue
from resources.lake_days import LakeDays

CONFIRMS = (
    "Columns are as declared, whatever has landed. The crawler only confirms them, once for each "
    "declaration, and reports what differs."
)
REPORT_LINES = 50
"""Most lines of a crawl's log that are shown."""


def landing_catalog(feed: Feed, raw: AssetsDefinition) -> AssetsDefinition:
    """The asset of the catalog's table over a feed's landed files."""
    by_day = ", a partition per day" if feed.daily else ""
    flat = (
        "Files in the flat layout have no folder to register: the catalog shows them once enriched."
        if feed.daily
        else "What several files have is there as often."
    )

    @asset(
        name=feed.catalog_asset,
        deps=[raw],
        kinds={"glue", "table"},
        metadata=columns_metadata(feed.columns, lineage.copied(feed.columns, feed.raw_asset, feed.columns)),
        description=describe(
            f"One row per landed line of {feed.noun}, as the Data Catalog's table shows the files.",
            source=f"the landed files{by_day}. {CONFIRMS}",
            mind=(
                "Values are as they landed, in the declared order of columns, also of files that were "
                f"refused. {flat}"
            ),
        ),
        required_resource_keys={"glue", "lake", "warehouse", "notifier"},
        **what_it_is(feed),
        **how_it_runs(feed),
    )
    def catalog(context: AssetExecutionContext) -> None:
        with permanent_errors_end_the_step():
            step, table = Step(context, feed), landing_table(get_settings(), feed)
            landed = get_landed(step.lake, feed, step.calendar(step.days))
            days = [day for day, files in landed.items() if any(f"/date={day}/" in it.key for it in files)]
            _register_days(step, table, days)

    return catalog


def parquet_catalog(feed: Feed, table: Table, name: str, made: AssetsDefinition) -> AssetsDefinition:
    """The asset of the catalog's table over Parquet of a feed that stays in the lake.

    Args:
        feed: The feed.
        table: Its typed table, or what it becomes.
        name: The asset's.
        made: The asset of the Parquet.
    """
    people = table == feed.typed and feed.personal

    @asset(
        name=name,
        deps=[made],
        kinds={"glue", "table"},
        metadata=columns_metadata(table.columns, lineage.copied(table.columns, table.name, table.columns)),
        description=describe(
            f"{table.description.removesuffix('.')}, as the Data Catalog's table `{table.name}` shows them.",
            source=f"the Parquet of `{table.name}`, a partition per day. Columns are as declared.",
            mind=(
                f"{'Whoever may read the landing bucket sees people here. ' if people else ''}"
                "A day is replaced at once: its partition moves from one run's folder to another's."
            ),
        ),
        required_resource_keys={"glue", "lake", "warehouse", "notifier"},
        **what_it_is(feed),
        **how_it_runs(feed),
    )
    def catalog(context: AssetExecutionContext) -> None:
        with permanent_errors_end_the_step():
            step = Step(context, feed)
            made, _ = get_made(step.lake, table.name, step.days)
            moved = place(step, table, made)
            removed = sweep(step, table)
            lineage.tell_lineage(step.context)
            for day in step.days:
                step.describe(
                    day,
                    {
                        "table": f"{step.glue.database}.{table.name}",
                        "registered": day in made,
                        "replaced": day in moved,
                        **removed,
                    },
                )

    return catalog


def lake_days(step: Step, table: Table) -> LakeDays:
    """The days of a table of the step's feed that stays in the lake."""
    return LakeDays.of(step.glue, step.lake, parquet_table(get_settings(), step.feed, table))


def place(step: Step, table: Table, made: Mapping[str, MadeDay]) -> list[str]:
    """Have the catalog's table as it is declared, and its days stand where they were made.

    A table that the catalog did not have, or not like this, gets its other days, too.

    Args:
        step: The step, whose feed has the table.
        table: One that stays in the lake.
        made: What was made, by day.

    Returns:
        The days that stood elsewhere before.

    Raises:
        LoadRefused: The Parquet of a day is not there any more; the day stays where it is.
        AirlineError: Glue refused to place a day.
    """
    declared, days = parquet_table(get_settings(), step.feed, table), lake_days(step, table)
    registered = step.glue.declare(declared)
    require_there(step, table, made)
    moved = days.place({day: it.folder or declared.folder(day) for day, it in made.items()})
    if not declared.is_confirmed(registered):
        days.restore()
        step.glue.confirm(declared)
    return moved


def require_there(step: Step, table: Table, made: Mapping[str, MadeDay]) -> None:
    """See that the Parquet of days is there: who comes late may find it swept away.

    Who adopts a job run may have come too late to list it at all: then its day has rows, and no file.

    Raises:
        LoadRefused: It is not.
    """
    folders = {
        day: urlsplit(it.folder)
        for day, it in made.items()
        if it.folder and (it.files or it.rows["rows_loaded"])
    }
    if not folders:
        return
    (bucket,) = {place.netloc for place in folders.values()}
    found = step.lake.with_bucket(bucket).list_files(place.path.lstrip("/") for place in folders.values())
    files = {url for entries in found.values() for url in (entry["url"] for entry in entries)}
    listed = {day: {file["url"] for file in made[day].files} for day in folders}
    if gone := [day for day, urls in listed.items() if not urls or urls - files]:
        raise LoadRefused(
            f"{table.name}: expected the Parquet of {', '.join(gone)} that was made, found it gone",
            remedy=f"Materialize {table.name} for these days again, and what follows from it.",
        )


def sweep(step: Step, table: Table) -> dict[str, Any]:
    """Delete folders of a table that were replaced longer ago than the grace time.

    What can't be deleted stops no day; it stays noted, and the next run tries again.

    Returns:
        Metadata: how many objects were deleted, or why they could not be.
    """

    def made_of(days: Sequence[str]) -> dict[str, str]:
        made, _ = get_made(step.lake, table.name, days)
        return {day: it.folder for day, it in made.items()}

    grace = timedelta(hours=get_settings().replaced_hours)
    try:
        return {"replaced_objects_removed": lake_days(step, table).sweep(grace, made_of)}
    except (AirlineError, ClientError) as error:
        get_dagster_logger().warning("What was replaced can't be removed: %s", error)
        return {"replaced_objects_removed": f"failed: {error.args[0]}"}


def _register_days(step: Step, table: CatalogTable, days: Sequence[str]) -> None:
    lineage.tell_lineage(step.context)
    metadata = register_and_confirm(
        step.glue, table, {day: table.folder(day) for day in days}, partitions=len(step.days)
    )
    for day in step.days:
        registered = {"registered": day in days} if step.feed.daily else {}
        step.describe(day, {**metadata, **registered})


def register(glue: Glue, table: CatalogTable, folders: Mapping[str, str]) -> bool:
    """Have the catalog's table as it is declared, with these days; tell whether a crawl has confirmed it.

    Args:
        glue: The catalog.
        table: As it is declared.
        folders: `s3://` location by day; none for a table without days.

    Raises:
        AirlineError: Glue refused to register a day.
    """
    registered = glue.declare(table)
    glue.add_partitions(registered, folders)
    return table.is_confirmed(registered)


def register_and_confirm(
    glue: Glue, table: CatalogTable, folders: Mapping[str, str], *, partitions: int = 1
) -> dict[str, Any]:
    """Register days as `register` does, and have the table crawled once per declaration.

    A crawl takes a minute and bills ten. It adds days that were there before the table, and reports which
    files differ; what a column is, it does not decide. So one that fails stops no day: the next run asks for
    it again.

    Args:
        glue: The catalog.
        table: As it is declared.
        folders: `s3://` location by day; none for a table without days.
        partitions: How many partitions share what a crawl costs.

    Returns:
        Metadata: the table, what came of the crawl and what it cost, and what its log warns of.
    """
    confirmed = register(glue, table, folders)
    # A daily table none of whose days has a folder has nothing in it to crawl.
    needed = not confirmed and (folders or not table.daily)
    return {
        "table": f"{glue.database}.{table.name}",
        **(_confirm(glue, table, partitions) if needed else {"crawl": "not needed"}),
    }


def _confirm(glue: Glue, table: CatalogTable, partitions: int) -> dict[str, Any]:
    """Crawl; return what came of it as metadata, whatever that is."""
    told: dict[str, Any] = {}
    try:
        crawl = glue.crawl(get_settings().crawler_name(table.crawler), wait_for_turn=False)
        told = {**crawl.cost(partitions), **_report(crawl)}
        crawl.require_success()
    except (CrawlerFailed, ClientError) as error:
        get_dagster_logger().warning("What is registered is not confirmed by a crawl: %s", error)
        return {"crawl": f"failed: {error.args[0]}", **told}
    glue.confirm(table)
    return {"crawl": "confirmed", **told}


def _report(crawl: Crawl) -> dict[str, Any]:
    """What the crawl's log warns of, as metadata; nothing where it warns of nothing."""
    try:
        warnings = crawl.warnings()
    except (ClientError, KeyError) as error:
        warnings = [f"The crawl's log can't be read: {error}"]
    if not warnings:
        return {}
    get_dagster_logger().warning("The crawl of %s warns of:\n%s", crawl.crawler, "\n".join(warnings))
    more = [f"… and {len(warnings) - REPORT_LINES} more"] if len(warnings) > REPORT_LINES else []
    return {"crawl_report": MetadataValue.text("\n".join([*warnings[:REPORT_LINES], *more]))}
