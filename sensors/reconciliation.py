"""The reconciliation sensor: landing compared with the ledger, whatever became of the events."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dagster import SensorEvaluationContext, SkipReason, sensor

from airline_platform.contract.feed import Feed
from airline_platform.days import last_day
from airline_platform.errors import StackNotStarted
from airline_platform.feeds import FEEDS
from airline_platform.files.keys import LandedKey, NoLanding, UnknownKey, parse_key
from airline_platform.settings import get_settings
from assets.ingest.deleted_sources import note_gone
from resources.acceptance.landed import Version
from resources.landing import Landing, Page, shared_prefix, spans
from resources.queue import LandingEvents, landing_event
from resources.topic import Notifier
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse
from sensors.landing import BY_DEFAULT
from sensors.under_way import RunUnderWay, runs_under_way

RECENT = timedelta(days=7)
"""Days before now whose keys every tick compares; late files of older ones are found by the sweep."""

FIRST_ROUND_PAGES = 20
"""Pages of the sweep a tick takes until it has once been through; one from then on."""

END = "\U0010ffff"


@dataclass(frozen=True)
class Difference:
    """Where landing and ledger differ: versions without a verdict, and keys whose source is gone."""

    missing: tuple[Version, ...]
    gone: tuple[str, ...]


def compare(
    page: Page,
    verdicts: Sequence[ledger.Verdict],
    *,
    grace: timedelta,
    under_way: Sequence[RunUnderWay] = (),
) -> Difference:
    """Compare a page of the listing with the ledger's rows of the same keys.

    Args:
        page: The listing.
        verdicts: On loaded and rejected versions between its bounds.
        grace: How long an event and its run may take; younger objects, by S3's clock, are left alone.
        under_way: The runs whose files are left to them.
    """
    # A source that was marked as gone and is there again has to be loaded again.
    known = {verdict.tag for verdict in verdicts if not (verdict.source_deleted or _claimed_since(verdict))}
    there = {version.key for version in page.objects}
    return Difference(
        missing=tuple(
            version
            for version in page.objects
            if version.tag not in known
            and page.now - version.landed_at >= grace
            and not _taken(version, under_way)
        ),
        gone=tuple(
            sorted(
                {
                    verdict.key
                    for verdict in verdicts
                    if verdict.state == "loaded" and not verdict.source_deleted and verdict.key not in there
                }
            )
        ),
    )


def _claimed_since(verdict: ledger.Verdict) -> bool:
    """Whether a feed claims the key by now: it was declared since, or keeps the key's day since."""
    return verdict.unclaimed and isinstance(_parsed(verdict.key), LandedKey)


def _taken(version: Version, under_way: Sequence[RunUnderWay]) -> bool:
    landed = _parsed(version.key)
    return isinstance(landed, LandedKey) and any(run.takes(landed) for run in under_way)


def _parsed(key: str) -> LandedKey | UnknownKey | NoLanding:
    return parse_key(key, first_day=get_settings().start_date, last_day=last_day())


def attempt(version: Version, now: datetime, grace: timedelta) -> str:
    """Name how often a version has been due to be asked for: at twice, four times, … its grace, and daily.

    Dagster starts one run per key, so a version that fails again and again does so ever more rarely.
    """
    doublings = int(math.log2(max(1.0, (now - version.landed_at) / grace)))
    return f"reconciled {doublings} {now.date()}"


@sensor(
    minimum_interval_seconds=get_settings().reconcile_every,
    default_status=BY_DEFAULT,
    description=(
        "Compares what has landed with the ledger and asks for what is missing: lost events, files older "
        "than the platform, runs that failed and may do better now. Alerts people of sources that are gone. "
        "A tick looks at the last week's keys and at one more page of 1,000 of the whole bucket; the cursor "
        "says where it is."
    ),
)
def reconciliation_sensor(
    context: SensorEvaluationContext,
    landing: Landing,
    landing_events: LandingEvents,
    warehouse: Warehouse,
    notifier: Notifier,
) -> SkipReason:
    """Ask for what is missing; the cursor holds the last key of the sweep and how many rounds it made."""
    settings = get_settings()
    grace = timedelta(seconds=settings.reconcile_every)
    cursor = json.loads(context.cursor or '{"after": "", "rounds": 0}')
    asked = gone = 0
    try:
        under_way = runs_under_way(context.instance)
        for page in _pages(landing, cursor):
            verdicts = ledger.between(warehouse, page.first, page.last or END)
            difference = compare(page, verdicts, grace=grace, under_way=under_way)
            landing_events.send(
                [
                    landing_event(
                        version.key, version.etag, attempt(version, page.now, grace), version.landed_at
                    )
                    for version in difference.missing
                ]
            )
            asked += len(difference.missing)
            gone += len(note_gone(difference.gone, landing, warehouse))
    except StackNotStarted as error:
        return SkipReason(str(error))
    # Dagster keeps no cursor of a tick that fails, and each would sweep the same pages again.
    if why := outbox.try_to_send(warehouse, notifier, at_least_old=grace):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
    context.update_cursor(json.dumps(cursor))
    return SkipReason(f"{asked} landed files without a verdict asked for, {gone} sources found gone.")


def _pages(landing: Landing, cursor: dict[str, Any]) -> Iterator[Page]:
    """Yield the pages of a tick, and move the cursor along."""
    for feed in FEEDS.values():
        if feed.daily:
            yield from recent_pages(landing.page, feed)
    for _ in range(1 if cursor["rounds"] else FIRST_ROUND_PAGES):
        page = landing.page("", cursor["after"])
        yield page
        cursor["after"] = page.last or ""
        if page.last is None:
            cursor["rounds"] += 1
            return


def recent_pages(list_page: Callable[[str, str], Page], feed: Feed) -> Iterator[Page]:
    """Yield the pages of a daily feed's last days."""
    for first, last in spans(feed, [(last_day() - RECENT).isoformat(), last_day().isoformat()]):
        yield from between(list_page, first, last)


def between(list_page: Callable[[str, str], Page], first: str, last: str) -> Iterator[Page]:
    """Yield the pages of the keys between two, and not one page more."""
    after: str | None = first
    while after is not None:
        page = list_page(shared_prefix(first, last), after)
        inside = tuple(version for version in page.objects if version.key <= last)
        ends = page.last is None or page.last > last
        yield Page(inside, page.first, last if ends else page.last, page.now)
        after = None if ends else page.last
