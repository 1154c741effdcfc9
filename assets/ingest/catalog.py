"""Keeps the Data Catalog as declared: its tables and days are registered, and a crawl only confirms them."""

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError
from dagster import MetadataValue, get_dagster_logger

from airline_platform.errors import CrawlerFailed
from airline_platform.settings import get_settings
from resources.catalog import CatalogTable
from resources.glue import Crawl, Glue

REPORT_LINES = 50
"""Most lines of a crawl's log that are shown."""


def register(glue: Glue, table: CatalogTable, folders: Mapping[str, str]) -> bool:
    """Have the catalog's table as it is declared, with these days; tell whether a crawl has confirmed it.

    Args:
        glue: The catalog.
        table: As it is declared.
        folders: `s3://` location by day; none for a table without days.

    Raises:
        AirlineError: Glue refused to register a day.
    """
    found = glue.declare(table)
    glue.add_partitions(found, folders)
    return table.is_confirmed(found)


def register_and_confirm(glue: Glue, table: CatalogTable, folders: Mapping[str, str]) -> dict[str, Any]:
    """Register days as `register` does, and have the table crawled once per declaration.

    A crawl takes a minute and bills ten. It adds days that were there before the table, and reports which
    files differ; what a column is, it does not decide. So one that fails stops no day: the next run asks for
    it again.

    Returns:
        Metadata: the table, what came of the crawl, and what its log warns of.
    """
    confirmed = register(glue, table, folders)
    # A daily table none of whose days has a folder has nothing in it to crawl.
    needed = not confirmed and (folders or not table.daily)
    return {
        "table": f"{glue.database}.{table.name}",
        **(_confirm(glue, table) if needed else {"crawl": "not needed"}),
    }


def _confirm(glue: Glue, table: CatalogTable) -> dict[str, Any]:
    """Crawl; return what came of it as metadata, whatever that is."""
    told: dict[str, Any] = {}
    try:
        crawl = glue.crawl(get_settings().crawler_name(table.crawler), wait_for_turn=False)
        told = _report(crawl)
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
