"""The daily delay report: a page per day, and its plots where people look anyway."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from dagster import AssetExecutionContext, AssetObservation, BackfillPolicy, MetadataValue, asset

from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets import lineage
from assets.alerts.hooks import tell_failed
from assets.code_version import code_version_of
from assets.description import OWNERS, columns_metadata, describe
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.marts.assets import GROUP
from assets.marts.automation_condition import when_its_source_changes
from assets.marts.declared.airport_daily_delays import AIRPORT_DAILY_DELAYS
from assets.marts.declared.carrier_daily_delays import CARRIER_DAILY_DELAYS
from assets.marts.declared.long_delays import LONG_DELAYS
from assets.marts.declared.route_daily_delays import ROUTE_DAILY_DELAYS
from assets.marts.thresholds import DELAYED_MINUTES
from assets.report.delays import QUERIES, Day, days_of_delays
from assets.report.figures import FIGURES, SOURCES
from assets.report.location import REPORTED, report_link, report_path
from assets.report.page import CONTENT_TYPE, Picture, page, pictures_of, template_text
from assets.report.pictures import as_markdown
from resources.lake import Lake
from resources.topic import Notifier
from resources.warehouse.resource import Warehouse

FACT, CARRIERS = REPORTED.table.name, CARRIER_DAILY_DELAYS.table.name
MARTS_READ = (CARRIER_DAILY_DELAYS, ROUTE_DAILY_DELAYS, AIRPORT_DAILY_DELAYS, LONG_DELAYS)


@asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"html", "s3"},
    deps=[FACT, *(mart.table.name for mart in MARTS_READ)],
    code_version=code_version_of(*QUERIES, template_text(), f"delayed: {DELAYED_MINUTES}"),
    partitions_def=daily_partitions(),
    backfill_policy=BackfillPolicy.multi_run(get_settings().max_partitions_per_run),
    pool=GROUP,
    retry_policy=RETRIES,
    hooks={tell_failed},
    metadata=columns_metadata([figure.column for figure in FIGURES], SOURCES),
    automation_condition=when_its_source_changes(FACT),
    description=describe(
        "One page per day: how many flights there were, how late, where, and what was rejected.",
        source=(
            f"`{REPORTED.table.qualified_name}`, the marts of delays, the ledger and the rejects; "
            "`assets/report/templates/delay_report.html` in the lake, under `reports/delays/`."
        ),
        fresh=(
            "a day that is loaded, or loaded again, has its page a minute or two later, from the run that "
            "makes its marts. People are told when a run fails, and the old page stays."
        ),
        mind=(
            "A page is what was known when it was made, which it says at its end; a mart that is made anew "
            "by hand, or a file that is forgotten, does not change it. The reasons of very many rejected "
            "rows are counted from the first ones."
        ),
    ),
)
def delay_report(
    context: AssetExecutionContext, warehouse: Warehouse, lake: Lake, notifier: Notifier
) -> None:
    """Write the page of each day, and show its plots."""
    del notifier  # the hook's, which tells of failures
    with permanent_errors_end_the_step():
        keys = list(context.partition_keys)
        with warehouse.transaction(read_only=True) as session:
            days = days_of_delays(session, lake, keys)
        lineage.tell_lineage(context)
        for day in days:
            plots = pictures_of(day)
            html = page(day, plots, run_id=context.run.run_id, made_at=datetime.now(UTC)).encode()
            lake.put_bytes(report_path(day.day), html, CONTENT_TYPE)
            shown = {name: as_markdown(plot.png, plot.alt) for name, plot in plots.items()}
            context.add_asset_metadata(
                {**day.numbers, "report_bytes": len(html), **_link(day), **shown}, partition_key=day.day
            )
            for observation in observations(day, plots, newest=day.day == keys[-1]):
                context.log_event(observation)


def observations(day: Day, plots: Mapping[str, Picture], *, newest: bool) -> Iterator[AssetObservation]:
    """Yield the plots of a day for the assets people open; no observation asks for anything to be made."""
    shown = {name: as_markdown(plot.png, plot.alt) for name, plot in plots.items()}
    of_fact = {name: shown[name] for name in ("delays", "rejects")}
    yield AssetObservation(FACT, partition=day.day, metadata={**of_fact, **_link(day)})
    if newest:
        of_days = {"last_30_days": shown["last_30_days"]}
        yield AssetObservation(CARRIERS, partition=day.day, metadata=of_days)


def _link(day: Day) -> dict[str, Any]:
    link = report_link(day.day)
    return {"report": MetadataValue.url(link) if link.startswith("http") else MetadataValue.path(link)}
