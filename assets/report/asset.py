"""The daily delay report: a page per day, and its plots where people look anyway."""

from datetime import UTC, datetime
from typing import Any

from dagster import AssetExecutionContext, AssetObservation, BackfillPolicy, MetadataValue, asset

from airline_platform.contract.table import Column
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets import lineage
from assets.alerts.hooks import tell_failed
from assets.description import OWNERS, columns_metadata, describe, report_link, report_path
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.marts.assets import GROUP
from assets.marts.automation_condition import when_its_source_changes
from assets.marts.declared.airport_daily_delays import AIRPORT_DAILY_DELAYS
from assets.marts.declared.carrier_daily_delays import CARRIER_DAILY_DELAYS
from assets.marts.declared.long_delays import LONG_DELAYS
from assets.marts.declared.route_daily_delays import ROUTE_DAILY_DELAYS
from assets.report.delays import Day, days_of_delays
from assets.report.page import CONTENT_TYPE, Picture, page, pictures_of
from assets.report.pictures import as_markdown
from resources.lake import Lake
from resources.topic import Notifier
from resources.warehouse.session import Warehouse

FACT, CARRIERS = FLIGHTS.table.name, CARRIER_DAILY_DELAYS.table.name
MARTS_READ = (CARRIER_DAILY_DELAYS, ROUTE_DAILY_DELAYS, AIRPORT_DAILY_DELAYS, LONG_DELAYS)

FIGURES = (
    Column("flights", "bigint", "Scheduled flights, the cancelled ones among them."),
    Column("cancelled", "bigint", "Flights that did not fly."),
    Column("diverted", "bigint", "Flights that departed and did not arrive where they were to."),
    Column("delayed_flights", "bigint", "Flights that arrived 15 minutes or more late."),
    Column("delayed_percent", "decimal", "Delayed flights in percent of the scheduled ones, 0 to 100."),
    Column("mean_dep_delay", "decimal", "Mean departure delay in minutes, early is negative."),
    Column("mean_arr_delay", "decimal", "Mean arrival delay in minutes, early is negative."),
    Column("rows_rejected", "bigint", "Rows of the day's loaded files that could not be used."),
)
"""What stands on top of a report, and in the metadata of its day."""

_BOTH = [(FACT, "dep_delay"), (FACT, "arr_delay")]
MADE_OF = {
    "cancelled": _BOTH,
    "diverted": _BOTH,
    "delayed_flights": [(FACT, "arr_delay")],
    "delayed_percent": [(FACT, "arr_delay")],
    "mean_dep_delay": [(FACT, "dep_delay")],
    "mean_arr_delay": [(FACT, "arr_delay")],
}


@asset(
    group_name=GROUP,
    owners=OWNERS,
    kinds={"html", "s3"},
    deps=[FACT, *(mart.table.name for mart in MARTS_READ)],
    partitions_def=daily_partitions(),
    backfill_policy=BackfillPolicy.multi_run(get_settings().max_partitions_per_run),
    pool=GROUP,
    retry_policy=RETRIES,
    hooks={tell_failed},
    metadata=columns_metadata(FIGURES, MADE_OF),
    automation_condition=when_its_source_changes(FACT),
    description=describe(
        "One page per day: how many flights there were, how late, where, and what was rejected.",
        source=(
            f"`{FLIGHTS.table.qualified_name}`, the marts of delays, the ledger and the rejects; "
            "`assets/templates/delay_report.html` in the lake, under `reports/delays/`."
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
        days = list(context.partition_keys)
        with warehouse.transaction(read_only=True) as session:
            found = days_of_delays(session, lake, days)
        lineage.tell_lineage(context)
        for it in found:
            plots = pictures_of(it)
            html = page(it, plots, run_id=context.run.run_id, made_at=datetime.now(UTC)).encode()
            lake.put_bytes(report_path(it.day), html, CONTENT_TYPE)
            shown = {name: as_markdown(plot.png, plot.alt) for name, plot in plots.items()}
            context.add_asset_metadata(
                {**it.numbers, "report_bytes": len(html), **_link(it), **shown}, partition_key=it.day
            )
            for observation in _observations(it, plots, newest=it.day == days[-1]):
                context.log_event(observation)


def _observations(it: Day, plots: dict[str, Picture], *, newest: bool) -> list[AssetObservation]:
    """The plots of a day for the assets people open; no observation asks for anything to be made."""
    shown = {name: as_markdown(plot.png, plot.alt) for name, plot in plots.items()}
    of_fact = {name: shown[name] for name in ("delays", "rejects")}
    found = [AssetObservation(FACT, partition=it.day, metadata={**of_fact, **_link(it)})]
    if newest:
        of_days = {"last_30_days": shown["last_30_days"]}
        found.append(AssetObservation(CARRIERS, partition=it.day, metadata=of_days))
    return found


def _link(it: Day) -> dict[str, Any]:
    link = report_link(it.day)
    return {"report": MetadataValue.url(link) if link.startswith("http") else MetadataValue.path(link)}
