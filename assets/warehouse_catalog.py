"""The warehouse in the Data Catalog: a crawl over its tables, held against what they are declared to be."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError
from dagster import (
    AssetExecutionContext,
    AutomationCondition,
    MaterializeResult,
    MetadataValue,
    TableRecord,
    asset,
)

from airline_platform.contract.table import Column, Table
from airline_platform.errors import CrawlerFailed, UnusableInput
from airline_platform.feeds import FEEDS
from airline_platform.settings import get_settings
from assets.alerts.hooks import tell_failed
from assets.code_version import code_version_of
from assets.description import OWNERS, catalog_link, column_schema, describe
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.schema import TABLES
from resources.glue import Crawl, Glue
from resources.topic import Notifier
from resources.warehouse.resource import Warehouse

GROUP = "warehouse"
CRAWLER = "warehouse"
TABLE_PREFIX = "warehouse_"
"""What the template has the crawler put before each table's name."""

AUTOMATION_TAG = "dagster/from_automation_condition"
"""On the runs that the automation sensor asks for."""

DATABASE_NAME = "SELECT current_database() AS database_name"

CATALOG_COLUMNS = (
    Column("name", "string", "Name in the catalog: `warehouse_<database>_<schema>_<table>`."),
    Column("location", "string", "Where it is in the warehouse: `<database>.<schema>.<table>`."),
    Column("classification", "string", "Engine: `redshift`, on a laptop `postgresql`."),
    Column("columns", "bigint", "How many columns it has."),
)


def code_version() -> str:
    """Return a hash that changes with every declared table and column, and with nothing else."""
    declared = {table.name: [(column.name, column.glue_type) for column in table.columns] for table in TABLES}
    return code_version_of(json.dumps(declared, sort_keys=True))


def when_columns_change() -> AutomationCondition[Any]:
    """Ask for a crawl when none was made and a table is there, or when other columns are deployed; once each.

    A crawl bills ten minutes, and a load changes no column: that a table was loaded asks for nothing. What
    has failed is asked for again at the full hour.
    """
    loaded = AutomationCondition.any_deps_match(~AutomationCondition.missing())
    unmade = (AutomationCondition.missing() & loaded).with_label("unmade")
    changed = AutomationCondition.code_version_changed() & ~AutomationCondition.missing()
    failed = AutomationCondition.execution_failed() & AutomationCondition.cron_tick_passed("0 * * * *")
    asked = AutomationCondition.newly_requested()
    return (
        (unmade.newly_true().since(asked) | changed.since(asked) | failed.since(asked))
        & ~AutomationCondition.in_progress()
        & ~AutomationCondition.any_deps_in_progress()
    )


@asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"glue", "redshift"},
    # Not the marts: they change when their facts do, and the crawler finds them anyway.
    deps=[table.name for feed in FEEDS.values() for table in feed.tables],
    pool=GROUP,
    retry_policy=RETRIES,
    hooks={tell_failed},
    code_version=code_version(),
    output_required=False,
    metadata={"dagster/column_schema": column_schema(CATALOG_COLUMNS)},
    automation_condition=when_columns_change(),
    description=describe(
        "One table of the warehouse, as the Data Catalog has it.",
        source=(
            "the warehouse, by the crawler `<name>-warehouse`. What it registers is compared with the tables "
            "that are declared, marts and ledger among them."
        ),
        fresh=(
            "crawled when the first table is loaded and when other columns are deployed, not with each load. "
            "To have it crawled now, materialize it."
        ),
        mind=(
            "the catalog has names and columns and no rows: Athena cannot query these tables. One that was "
            "dropped stays registered. Where the stack was given no `WarehouseJdbcUrl`, there is no such "
            "crawler, and this asset stays unmade."
        ),
    ),
)
def warehouse_catalog(
    context: AssetExecutionContext, glue: Glue, warehouse: Warehouse, notifier: Notifier
) -> Iterator[MaterializeResult[None]]:
    """Crawl the warehouse and compare; a run that only the automation asked for does without a crawler."""
    del notifier  # the hook's, which tells of failures
    with permanent_errors_end_the_step():
        begun = time.monotonic()
        try:
            crawled = crawl(glue)
        except UnusableInput as error:
            if AUTOMATION_TAG not in context.run.tags:
                raise
            context.log.warning("%s", error)
            return
        tables = registered(glue, str(warehouse.query(DATABASE_NAME)[0]["database_name"]))
        if problems := differences(tables):
            raise CrawlerFailed(
                f"after the crawl, {glue.database} differs from the declared tables: {'; '.join(problems)}",
                remedy=(
                    "Run `airline deploy`, which makes missing tables and columns, and says which it can't. "
                    "Then materialize warehouse_catalog again."
                ),
            )
        metadata = _metadata(glue, tables, time.monotonic() - begun)
        yield MaterializeResult(metadata={**metadata, **crawled.cost(1)})


def crawl(glue: Glue) -> Crawl:
    """Crawl the warehouse; return the crawl.

    Raises:
        UnusableInput: The stack has no crawler for it.
        CrawlerFailed: The crawl failed.
    """
    name = get_settings().crawler_name(CRAWLER)
    try:
        crawled = glue.crawl(name)
    except ClientError as error:
        if error.response["Error"]["Code"] != "EntityNotFoundException":
            raise
        raise UnusableInput(
            f"expected a crawler {name} over the warehouse, found none: the stack has no WarehouseJdbcUrl",
            remedy=(
                "Give the CloudFormation stack the parameters that begin with Warehouse, as docs/aws.md says "
                "(laptop: `airline down`, `airline up`), then materialize warehouse_catalog once."
            ),
        ) from error
    crawled.require_success()
    return crawled


def registered(glue: Glue, database: str) -> dict[str, Mapping[str, Any] | None]:
    """Return the catalog's entry of each declared table, by the table's name; None of what it lacks.

    Args:
        glue: The catalog.
        database: The warehouse's own database, which the names in the catalog begin with.
    """
    prefix = f"{TABLE_PREFIX}{database}_{Table.SCHEMA}_".lower()
    return {table.name: glue.find_table(f"{prefix}{table.name}") for table in TABLES}


def differences(entries: Mapping[str, Mapping[str, Any] | None]) -> list[str]:
    """Say what the catalog lacks of the declared tables or has otherwise, a sentence for each table.

    A column that nothing declares is no difference: a table keeps what an earlier declaration gave it.
    """
    return [problem for table in TABLES if (problem := _difference(table, entries[table.name]))]


def _difference(table: Table, entry: Mapping[str, Any] | None) -> str:
    if entry is None:
        return f"{table.qualified_name} is missing"
    has, known = catalog_columns(entry), {column.name.lower(): column for column in table.columns}
    lacking = [f"{name} {column.glue_type}" for name, column in known.items() if name not in has]
    other = [f"{name} {kind}" for name, kind in has.items() if name in known and not _is(known[name], kind)]
    problems = [
        f"{verb} {', '.join(columns)}" for verb, columns in (("lacks", lacking), ("has", other)) if columns
    ]
    return f"{table.qualified_name} {' and '.join(problems)}" if problems else ""


def _is(column: Column, kind: str) -> bool:
    """Whether a Glue type is a column's; AWS does not document what a crawler makes of times with a zone."""
    return kind == column.glue_type or column.type == "timestamptz"


def catalog_columns(entry: Mapping[str, Any]) -> dict[str, str]:
    """Return the Glue type by name of a catalog table's columns."""
    return {column["Name"].lower(): column["Type"] for column in entry["StorageDescriptor"]["Columns"]}


def _metadata(glue: Glue, entries: Mapping[str, Mapping[str, Any] | None], seconds: float) -> dict[str, Any]:
    tables = [entry for entry in entries.values() if entry]
    rows = [
        {
            "name": table["Name"],
            "location": table["StorageDescriptor"]["Location"],
            "classification": table["Parameters"]["classification"],
            "columns": len(catalog_columns(table)),
        }
        for table in tables
    ]
    return {
        "dagster/row_count": len(rows),
        "registered": MetadataValue.table([TableRecord(row) for row in rows]),
        "columns": sum(len(catalog_columns(table)) for table in tables),
        "catalog": catalog_link(glue.database),
        "seconds": round(seconds, 1),
    }
