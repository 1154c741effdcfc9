"""The Data Catalog kept true: a crawl where a table is new or its columns moved, else its days registered."""

from collections.abc import Mapping, Sequence
from typing import Any

from airline_platform.errors import CrawlerFailed
from airline_platform.feeds import Feed
from airline_platform.settings import get_settings
from airline_platform.tables import Column
from resources.glue import Glue


def landing_table(feed: Feed) -> str:
    """The name a feed's crawler gives its table: the prefix of our crawlers, then the folder's name."""
    return "landing_" + feed.prefix.rstrip("/").rpartition("/")[2]


def register(
    glue: Glue, name: str, columns: Sequence[Column], folders: Mapping[str, str], *, crawler: str
) -> bool:
    """Make a catalog table true for day folders; tell whether that took a crawl.

    Args:
        glue: The catalog.
        name: The table's.
        columns: What it must have, in this order.
        folders: `s3://` location by day; none for a table without days.
        crawler: Which one makes the table, by its name without the platform's.

    Raises:
        CrawlerFailed: The crawl failed, or its table lacks columns.
    """
    wanted = [column.name.casefold() for column in columns]
    table = glue.find_table(name)
    crawled = table is None or set(_columns(table)) != set(wanted)
    if crawled:
        glue.crawl(get_settings().crawler_name(crawler))
        table = glue.find_table(name)
        found = _columns(table)
        if table is None or not set(wanted) <= set(found):
            raise CrawlerFailed(
                f"after the crawl, {glue.database}.{name} has columns {found}; expected {', '.join(wanted)}",
                remedy=f"Move what does not belong to {crawler} out of the crawled folder, re-run this step.",
            )
        if found != wanted:
            # A stray file in the folder was crawled too; the files we accept have our columns.
            glue.set_columns(table, columns)
    if folders and table is not None:
        glue.add_partitions(table, folders)
    return crawled


def _columns(table: Mapping[str, Any] | None) -> list[str]:
    """Column names as the catalog folds them."""
    return [column["Name"].casefold() for column in table["StorageDescriptor"]["Columns"]] if table else []
