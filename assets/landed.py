"""What has landed, sorted out: the files a run works on, and what is told of the others."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dagster import AssetExecutionContext

from airline_platform.errors import UnusableInput
from airline_platform.feeds import Feed
from airline_platform.settings import get_settings
from assets import ledger
from assets.alerts import refused_alert
from assets.gone import has_expired
from resources import outbox
from resources.landing import LandedObject, Landing
from resources.notifier import Notifier, describe_days
from resources.warehouse import Warehouse


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
    refused = [found for found in landed if found.refused]
    accepted = [found for found in landed if not found.refused]
    blocked = _blocked_days(warehouse, feed, days, landed) if feed.daily else {}
    usable = [found for found in accepted if found.day not in blocked]
    reasons = [f"{found.url}, {found.refused}" for found in refused] + list(blocked.values())
    if reasons:
        entries = [
            ledger.entry(found, feed=feed.name, run_id=context.run.run_id, state="rejected")
            for found in refused
        ]
        alerts = [refused_alert(feed.name, reasons, context.run)] if usable else []
        with warehouse.transaction() as session:
            session.wait_for_turn()
            ledger.record(session, entries, landing.versions(feed, days))
            outbox.put(session, alerts)
    if not usable:
        what = f"{feed.name} {describe_days(days)}".strip()
        found = "\n".join(["found none:", *reasons[:20]]) if reasons else "but nothing has landed for it"
        raise UnusableInput(
            f"{what}: expected files under {feed.prefix} that can be used, {found}",
            remedy="Land the files (`airline land`), then materialize this partition again.",
        )
    if reasons:
        send_alerts(context, warehouse, notifier)
    return usable


def send_alerts(context: AssetExecutionContext, warehouse: Warehouse, notifier: Notifier) -> None:
    """Publish what this run has written; where that fails, the alert sensor will."""
    if why := outbox.try_to_send(warehouse, notifier, context.run.run_id):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)


def _blocked_days(
    warehouse: Warehouse, feed: Feed, days: Sequence[str], landed: Sequence[LandedObject]
) -> dict[str | None, str]:
    """Days that can't be made anew without losing rows, and why."""
    usable = {found.key: found.refused for found in landed}
    now, kept = datetime.now(UTC), get_settings().people_days
    blocked: dict[str | None, str] = {}
    for row in warehouse.query(ledger.OF_DAYS, {"feed": feed.name, "days": tuple(days)}):
        if row["state"] == "loaded" and usable.get(row["key"], "gone"):
            gone = row["key"] not in usable
            expired = gone and has_expired(feed, row["landed_at"], now=now, days=kept)
            blocked[str(row["partition_date"])] = why_blocked(row, gone=gone, expired=expired)
    return blocked


def why_blocked(row: Mapping[str, Any], *, gone: bool, expired: bool = False) -> str:
    """Why a day is left as it is, and what to do.

    Args:
        row: The ledger's, of a file whose rows stand.
        gone: Whether the file is, rather than refused in a newer version.
        expired: Whether it is gone by design: then it will not come back.
    """
    what, way = "has a newer version that was refused", "Land it again under the same key"
    if expired:
        what = "has expired, as its feed's files do"
        way = "Land a new file under a later day (its rows have dates of their own)"
    elif gone:
        what = "is gone from the landing bucket"
    if gone:
        way += f", or let its rows go: `airline forget '{row['key']}'`"
    return (
        f"{row['partition_date']} keeps its rows: {row['key']}, loaded at {row['loaded_at']:%Y-%m-%d %H:%M}, "
        f"{what}; expected every file of the day. {way}."
    )
