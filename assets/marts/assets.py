"""The assets of the marts: what people look at, made anew by day when the facts of the day change."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetExecutionContext,
    AssetMaterialization,
    AssetsDefinition,
    BackfillPolicy,
    MaterializeResult,
    asset,
)

from airline_platform.contract.table import column_definitions
from airline_platform.errors import LoadRefused
from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets import lineage
from assets.alerts.hooks import tell_failed
from assets.checks.outcomes import Outcome, merged, outcome_of, outcomes_of, require, spec_of
from assets.code_version import code_version_of
from assets.description import OWNERS, describe, table_metadata
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.isolation.causes import cause_of_load_failure, load_words
from assets.isolation.halving import isolate
from assets.marts.automation_condition import when_its_source_changes
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart
from assets.marts.replacement import figures_of, query_of, replace_days
from assets.marts.sums import SUMS_MATCH, sums_of_both
from assets.marts.thresholds import DELAYED_MINUTES
from resources.topic import Notifier
from resources.warehouse.resource import Warehouse

GROUP = "marts"

MartEvent = MaterializeResult[None] | AssetMaterialization | AssetCheckResult


def version_of(mart: Mart, query: str) -> str:
    """Return a mart's code version, which changes with its query, its columns and what counts as delayed."""
    return code_version_of(query, column_definitions(mart.table.columns), f"delayed: {DELAYED_MINUTES}")


def mart_asset(mart: Mart) -> AssetsDefinition:
    """Make the asset of a mart: one transaction replaces its days, however many, with one query."""
    table = mart.table
    by_day: dict[str, Any] = {
        "partitions_def": daily_partitions(),
        "backfill_policy": BackfillPolicy.multi_run(get_settings().max_partitions_per_run),
    }

    @asset(
        name=table.name,
        group_name=GROUP,
        owners=OWNERS,
        kinds={"redshift", "sql"},
        deps=[mart.source.name],
        code_version=version_of(mart, query_of(mart)),
        pool=GROUP,
        retry_policy=RETRIES,
        hooks={tell_failed},
        check_specs=[spec_of(SUMS_MATCH, table.name)],
        metadata=table_metadata(table, lineage.of_mart(mart)),
        automation_condition=when_its_source_changes(),
        description=_description(mart),
        **(by_day if table.partition_column else {}),
    )
    def made(context: AssetExecutionContext, warehouse: Warehouse, notifier: Notifier) -> Iterator[MartEvent]:
        del notifier  # the hook's, which alerts people of failures
        with permanent_errors_end_the_step():
            yield from _materialize(context, warehouse, mart)

    return made


def _materialize(context: AssetExecutionContext, warehouse: Warehouse, mart: Mart) -> Iterator[MartEvent]:
    """Make the days of a run, and yield what Dagster is to know, also of days made beside one that failed."""
    table = mart.table
    days = list(context.partition_keys) if table.partition_column else [""]
    done = make_days(warehouse, mart, days)
    results = [outcome.result(table.name) for outcome in done.outcomes]
    if done.failed:
        for day, figures in done.figures.items():
            yield AssetMaterialization(table.name, partition=day, metadata=_metadata(mart, figures))
        yield from results
        raise not_made(mart, done.failed)
    lineage.tell_lineage(context)
    if not table.partition_column:
        context.add_asset_metadata({"dagster/row_count": done.figures[""]["row_count"]})
    for day in filter(None, days):
        context.add_asset_metadata(_metadata(mart, done.figures[day]), partition_key=day)
    yield MaterializeResult(asset_key=table.name)
    yield from results


@dataclass(frozen=True)
class MadeDays:
    """What became of days of a mart.

    Args:
        figures: Figures of each day that was made.
        failed: By day that was not made, why; it keeps its rows.
        outcomes: Outcomes of the mart's checks.
    """

    figures: dict[str, dict[str, int]]
    failed: dict[str, Exception]
    outcomes: list[Outcome]


def make_days(warehouse: Warehouse, mart: Mart, days: Sequence[str]) -> MadeDays:
    """Replace the days of a mart that can be made; the whole of it, as the day "", where it has no days."""
    tried = isolate(
        days,
        lambda some: _make(warehouse, mart, some),
        cause_of=cause_of_load_failure,
        control=warehouse.require_turn,
    )
    failed = {culprit.unit: culprit.error for culprit in tried.culprits}
    return MadeDays(
        {day: of_day for _, (figures, _) in tried.done for day, of_day in figures.items()},
        failed,
        merged([*(judged for _, (_, judged) in tried.done), *outcomes_of(failed.values())]),
    )


def not_made(mart: Mart, failed: Mapping[str, Exception]) -> LoadRefused:
    """Return the error for days of a mart that could not be made."""
    why = {day: load_words(error, personal=False) for day, error in failed.items()}
    return LoadRefused(
        f"{mart.table.name}: "
        + "; ".join(f"{day}: {words}" if day else words for day, words in why.items())
        + ". Not made, the old rows stand",
        remedy="Mend what the reason names; it is asked for again at every full hour.",
    )


def _make(
    warehouse: Warehouse, mart: Mart, days: Sequence[str]
) -> tuple[dict[str, dict[str, int]], list[Outcome]]:
    """Replace all of the days of a mart, or none; return their figures, and what came of the mart's checks.

    Raises:
        ChecksFailed: The mart says something else than its source; nothing was committed.
    """
    days = [day for day in days if day]
    with warehouse.exclusive_transaction() as session:
        replace_days(session, mart, days)
        outcomes = [outcome_of(SUMS_MATCH, sums_of_both(session, mart, days))]
        require(mart.table.name, outcomes)
        figures = figures_of(session, mart, days)
        return figures if days else {"": figures["all"]}, outcomes


def _metadata(mart: Mart, figures: Mapping[str, int]) -> dict[str, Any]:
    # A day keeps the threshold it was made with, so its metadata tells which that was.
    threshold = {"minutes": get_settings().long_delay_minutes} if "%(minutes)s" in query_of(mart) else {}
    rest = {name: value for name, value in figures.items() if name != "row_count"}
    return {"dagster/partition_row_count": figures["row_count"], **rest, **threshold}


def _description(mart: Mart) -> str:
    fresh = "a day that is loaded, or loaded again, is here a minute or two later."
    if not mart.table.partition_column:
        fresh = "made anew, as a whole, a minute or two after days of its source have changed."
    answers = describe(
        mart.table.description,
        source=f"`{mart.source.qualified_name}`, by `assets/marts/sql/{mart.table.name}.sql`.",
        fresh=f"{fresh} People are told when a run fails, and the old rows stay.",
        mind=mart.caveats,
    )
    return f"{answers}\n\n```sql\n{query_of(mart)}```"


mart_assets = [mart_asset(mart) for mart in MARTS.values()]
