"""Hooks that tell people through SNS how an asset ended, and mark its run as told."""

import time
from collections.abc import Mapping
from typing import Any

from dagster import (
    AssetMaterialization,
    DagsterEventType,
    DagsterInstance,
    Failure,
    HookContext,
    failure_hook,
    success_hook,
)

from airline_platform.errors import AirlineError
from airline_platform.settings import get_settings
from resources.notifier import Alert, Notifier, describe_days

TOLD_TAG = "airline/told"
"""On a run whose end somebody was told of; the run-failure sensor tells the others."""

RANGE_TAGS = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")


@success_hook(name="tell_loaded", required_resource_keys={"notifier"})
def tell_loaded(context: HookContext) -> None:
    """Tell that a warehouse table was loaded: which days, how many rows, how long it took."""
    made = _materializations(context.instance, context.run_id, context.op.name)
    days = sorted(event.partition for event in made if event.partition)
    loaded, rejected = (_total(made, name) for name in ("rows_loaded", "rows_rejected"))
    what = f"{context.op.name} {describe_days(days)}".strip()
    lines = [
        f"Table:     airlines.{context.op.name}",
        f"Loaded:    {loaded:,} rows",
        f"Rejected:  {rejected:,} rows",
        f"Duration:  {_seconds(context.instance, context.run_id):.0f} s",
        f"Run:       {run_link(context.run_id)}",
    ]
    if rejected:
        lines.append("Why:       see the rejects, one row per line that could not be used, with its reason.")
    _notifier(context).publish(
        Alert("loaded", f"Loaded {what}: {loaded:,} rows", lines, _feed(context), context.run_id)
    )
    context.instance.add_run_tags(context.run_id, {TOLD_TAG: "hook"})


@failure_hook(name="tell_failed", required_resource_keys={"notifier"})
def tell_failed(context: HookContext) -> None:
    """Tell that a step failed: which step and days, why, and what to do."""
    error = context.op_exception
    alert = failure_alert(context.instance, context.run_id, context.op.name, reason(error), _feed(context))
    _notifier(context).publish(alert)
    context.instance.add_run_tags(context.run_id, {TOLD_TAG: "hook"})


def failure_alert(instance: DagsterInstance, run_id: str, step: str, why: str, feed: str = "") -> Alert:
    """The one form of a failure message, whoever sends it."""
    run = instance.get_run_by_id(run_id)
    partition = partition_of(run.tags if run else {})
    return Alert(
        "failed",
        f"FAILED {step} {partition}".strip(),
        [
            f"Step:      {step}",
            f"Partition: {partition or 'not partitioned'}",
            f"Reason:    {why}",
            f"Run:       {run_link(run_id)}",
        ],
        feed,
        run_id,
    )


def reason(error: BaseException | None) -> str:
    """What went wrong and what to do, from the exception of a step."""
    if isinstance(error, Failure):
        return error.description or "no reason given"
    if isinstance(error, AirlineError):
        return str(error)
    return f"{type(error).__name__}: {error}\nWhat to do: mend the cause, then re-run from this step."


def partition_of(tags: Mapping[str, str]) -> str:
    """The day of a run, or its range; empty where it has none."""
    if "dagster/partition" in tags:
        return tags["dagster/partition"]
    first, last = (tags.get(tag, "") for tag in RANGE_TAGS)
    return first if first == last else f"{first} to {last}"


def run_link(run_id: str) -> str:
    """The run's page where the UI's address is known, else its id."""
    ui = get_settings().running_stack().get("ui_url")
    return f"{ui.rstrip('/')}/runs/{run_id}" if ui else run_id


def _notifier(context: HookContext) -> Notifier:
    notifier: Notifier = context.resources.notifier
    return notifier


def _feed(context: HookContext) -> str:
    run = context.instance.get_run_by_id(context.run_id)
    return run.tags.get("airline/feed", "") if run else ""


def _materializations(instance: DagsterInstance, run_id: str, asset: str) -> list[AssetMaterialization]:
    entries = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    found = (entry.asset_materialization for entry in entries)
    return [event for event in found if event is not None and event.asset_key.path[-1] == asset]


def _total(made: list[AssetMaterialization], name: str) -> int:
    values: list[Any] = [event.metadata[name].value for event in made if name in event.metadata]
    return sum(values)


def _seconds(instance: DagsterInstance, run_id: str) -> float:
    record = instance.get_run_record_by_id(run_id)
    return time.time() - record.start_time if record and record.start_time else 0.0
