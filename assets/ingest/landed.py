"""What has landed, sorted out: the files a run works on, and what is told of the others."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from dagster import AssetExecutionContext

from airline_platform.contract.feed import Feed
from airline_platform.errors import UnusableInput
from assets.ingest import drift
from assets.ingest.refusals import DAY_REFUSED, Refusal, blocked_days, record_refusals
from resources.landing import LandedObject, Landing
from resources.topic import Notifier, describe_days
from resources.warehouse import outbox
from resources.warehouse.session import Warehouse


def accept(
    context: AssetExecutionContext,
    feed: Feed,
    days: Sequence[str],
    *,
    landing: Landing,
    warehouse: Warehouse,
    notifier: Notifier,
) -> list[LandedObject]:
    """List what has landed for the days, refuse what can't be used, and return the rest.

    A day is replaced as a whole. So one whose rows came from a file that is gone, or whose newer version is
    refused, is left out with all its files: its rows stand.

    Args:
        context: Of the asset that runs.
        feed: The feed.
        days: ISO days, ascending; none for a feed without days.
        landing: Where the files are.
        warehouse: Whose ledger gets the verdicts.
        notifier: Tells of refused files.

    Raises:
        UnusableInput: Nothing can be used; the reasons of every file are in it.
    """
    landed = landing.manifest(feed, days)
    landed = whole_days(feed, landed)
    refused = [found for found in landed if found.refused]
    blocked = blocked_days(warehouse, feed, days, refused, landed) if feed.daily else {}
    usable = [found for found in landed if not found.refused and (found.day or "") not in blocked]
    reasons = [*map(str, refusals := [Refusal(found) for found in refused]), *blocked.values()]
    if reasons:
        waiting = [found for found in landed if not found.refused and (found.day or "") in blocked]
        record_refusals(
            context.run,
            feed,
            days,
            refusals,
            blocked=blocked,
            waiting=waiting,
            landing=landing,
            warehouse=warehouse,
        )
        send_alerts(context, warehouse, notifier)
    if not usable:
        raise nothing_usable(feed, days, reasons)
    drift.take_in(context.run, feed, usable, warehouse)
    return usable


def whole_days(feed: Feed, landed: Sequence[LandedObject]) -> list[LandedObject]:
    """Refuse the other files of a day of which one is refused, where the feed says so."""
    if feed.on_refused == "load_others":
        return list(landed)
    because = {found.day: found.key for found in reversed(landed) if found.refused}
    return [
        replace(found, refused=DAY_REFUSED.format(key=because[found.day]))
        if found.day in because and not found.refused
        else found
        for found in landed
    ]


def nothing_usable(feed: Feed, days: Sequence[str], reasons: Sequence[str]) -> UnusableInput:
    """The error of a run of whose files none can be used.

    Args:
        feed: The feed.
        days: The run's.
        reasons: Of every file, as the alert tells them; none where nothing has landed.
    """
    what = f"{feed.name} {describe_days(days)}".strip()
    found = "\n".join(["found none:", *reasons[:20]]) if reasons else "but nothing has landed for it"
    return UnusableInput(
        f"{what}: expected files under {feed.prefix} that can be used, {found}",
        remedy="Land the files (`airline land`), then materialize this partition again.",
        told=bool(reasons),
    )


def read_listed(documents: Sequence[dict[str, Any]], asset: str) -> list[LandedObject]:
    """The files that a raw asset has listed.

    Args:
        documents: Of its manifest.
        asset: Its name.

    Raises:
        UnusableInput: An older version of the platform listed them, which did not count their rows.
    """
    if any("rows" not in document for document in documents):
        raise UnusableInput(
            f"expected a manifest with the rows of each file, found one of an older version of {asset}",
            remedy=f"Materialize {asset} for these days again, and what follows from it.",
        )
    return [LandedObject.from_json(document) for document in documents]


def send_alerts(context: AssetExecutionContext, warehouse: Warehouse, notifier: Notifier) -> None:
    """Publish what this run has written; where that fails, the alert sensor will."""
    if why := outbox.try_to_send(warehouse, notifier, context.run.run_id):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
