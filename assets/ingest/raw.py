"""Landed: which files there are for the days of a run, and which of them can be the feed's."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dagster import AssetExecutionContext, AssetsDefinition, MetadataValue, asset

from airline_platform.contract.feed import Feed
from airline_platform.errors import UnusableInput
from assets.description import column_schema, describe, s3_link
from assets.failures import permanent_errors_end_the_step
from assets.ingest import drift
from assets.ingest.handover import put_landed
from assets.ingest.refusals import DAY_REFUSED, Refusal, blocked_days, record_refusals
from assets.ingest.step import Step, how_it_runs, what_it_is
from resources.acceptance.landed import LandedObject

ROW = {"csv": "line", "json": "object"}
KEYS_SHOWN = 50


def raw_asset(feed: Feed) -> AssetsDefinition:
    """The asset of a feed's landed files."""

    @asset(
        name=feed.raw_asset,
        kinds={"s3", feed.format},
        metadata={"dagster/column_schema": column_schema(feed.columns)},
        description=describe(
            f"One row per {ROW[feed.format]} of the files of {feed.noun}, as they landed.",
            source=f"the objects under `{feed.prefix}` in the landing bucket, listed by day.",
            mind=(
                "Nothing of a row is checked yet. A file that can't be this feed's is refused here, with "
                "its reason; the others go on." + (" It identifies people." if feed.personal else "")
            ),
        ),
        required_resource_keys={"landing", "lake", "warehouse", "notifier"},
        **what_it_is(feed),
        **how_it_runs(feed),
    )
    def raw(context: AssetExecutionContext) -> None:
        with permanent_errors_end_the_step():
            step = Step(context, feed)
            by_day = list_days(step)
            for day, files in by_day.items():
                keys = "\n".join(f"- `{file.key}`" for file in files[:KEYS_SHOWN])
                step.describe(
                    day,
                    {
                        "files": len(files),
                        "bytes": sum(file.size for file in files),
                        "keys": MetadataValue.md(keys),
                        "landing": s3_link(step.landing.bucket, feed.prefix),
                    },
                )

    return raw


def list_days(step: Step) -> dict[str, list[LandedObject]]:
    """List what has landed for the days, write down what is accepted of it, and return that by day.

    Where another run has listed a day later, it is what that one has accepted.
    """
    began = datetime.now(UTC)
    landed = step.landing.manifest(step.feed, step.calendar(step.days))
    accepted = accept(step, landed)
    by_day = {day: [file for file in accepted if file.day in (day, None)] for day in step.days}
    return put_landed(step.lake, step.feed, by_day, began=began, listed=[file.tag for file in landed])


def accept(step: Step, listed: Sequence[LandedObject]) -> list[LandedObject]:
    """Refuse of what has landed for the days what can't be used, and return the rest.

    A day is replaced as a whole. So one whose rows came from a file that is gone, or whose newer version is
    refused, is left out with all its files: its rows stand.

    Raises:
        UnusableInput: Nothing can be used; the reasons of every file are in it.
    """
    feed, days = step.feed, step.calendar(step.days)
    landed = whole_days(feed, listed)
    refused = [file for file in landed if file.refused]
    blocked = blocked_days(step.warehouse, feed, days, refused, landed) if feed.daily else {}
    usable = [file for file in landed if not file.refused and (file.day or "") not in blocked]
    refusals = [Refusal(file) for file in refused]
    reasons = [*map(str, refusals), *blocked.values()]
    if reasons:
        waiting = [file for file in landed if not file.refused and (file.day or "") in blocked]
        record_refusals(step, days, refusals, blocked=blocked, waiting=waiting)
        step.send_alerts()
    if not usable:
        raise nothing_usable(step, reasons)
    drift.take_in(step.run, feed, usable, step.warehouse)
    return usable


def whole_days(feed: Feed, landed: Sequence[LandedObject]) -> list[LandedObject]:
    """Refuse the other files of a day of which one is refused, where the feed says so."""
    if feed.on_refused == "load_others":
        return list(landed)
    because = {file.day: file.key for file in reversed(landed) if file.refused}
    return [
        replace(file, refused=DAY_REFUSED.format(key=because[file.day]))
        if file.day in because and not file.refused
        else file
        for file in landed
    ]


def nothing_usable(step: Step, reasons: Sequence[str]) -> UnusableInput:
    """The error of a run of whose files none can be used.

    Args:
        step: The run's.
        reasons: Of every file, as the alert tells them; none where nothing has landed.
    """
    problem = "\n".join(["found none:", *reasons[:20]]) if reasons else "but nothing has landed for it"
    return UnusableInput(
        f"{step.name()}: expected files under {step.feed.prefix} that can be used, {problem}",
        remedy="Land the files (`airline land`), then materialize this partition again.",
        alerted=bool(reasons),
    )
