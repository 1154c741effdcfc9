"""The schedules: at an hour, what has landed is asked for, and what should have landed is looked for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from dagster import (
    DefaultScheduleStatus,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from airline_platform.contract.feed import Feed
from airline_platform.days import last_day
from airline_platform.errors import StackNotStarted
from airline_platform.feeds import FEEDS
from airline_platform.files.keys import LandedKey, UnknownKey, parse_key
from airline_platform.jobs import FEED_JOBS, FRESHNESS_JOB
from airline_platform.settings import get_settings
from assets.ingest.deleted_sources import note_gone
from resources.acceptance.landed import Version
from resources.landing import Landing, Page, spans
from resources.queue import LandingEvent
from resources.topic import Notifier
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse
from sensors.reconciliation import END, Difference, between, compare, recent_pages
from sensors.run_requests import request_runs
from sensors.under_way import RunUnderWay, runs_under_way
from sensors.unknown_keys import UnknownLanding, record_unknown

PAGES_PER_TICK = 60
"""Of 1,000 keys; each is a call to S3 and one to the warehouse, and a tick ends after 60 s."""

GONE_PER_TICK = 500
"""Each is one more call to S3; the others are reported at the next hour."""

MINUTES = 60
"""Of an hour."""

LEFT_TO_EVENTS = timedelta(minutes=1)
"""How long a file that has landed is its event's alone, where events start runs as well."""

AFTER_THE_DIMENSION = 10
"""Minutes by which feeds that look a dimension up come later, so that its new rows are there."""


@dataclass(frozen=True)
class Due:
    """The runs a tick asks for, and keys below the feed's prefix for which it can't ask."""

    requests: tuple[RunRequest, ...]
    unknown: tuple[UnknownLanding, ...]


def due(
    feed: Feed,
    missing: Iterable[Version],
    *,
    tick: datetime,
    days: tuple[date, date],
    longest_range: int,
    under_way: Sequence[RunUnderWay] = (),
) -> Due:
    """Return requests for runs over landed versions that have no verdict. Pure.

    The tick's time is in the run keys: what fails today is asked for again at the next hour.

    Args:
        feed: The feed.
        missing: Versions below its prefix.
        tick: The hour this tick is for.
        days: First and last day the platform keeps.
        longest_range: Most days one run takes.
        under_way: Runs; what one of them was asked for after it landed is left to it.
    """
    landings: list[tuple[str, tuple[str, ...]]] = []
    unknown: dict[str, UnknownLanding] = {}
    for version in missing:
        verdict = parse_key(version.key, first_day=days[0], last_day=days[1])
        if isinstance(verdict, UnknownKey):
            unknown[version.key] = _as_event(version), verdict
        elif isinstance(verdict, LandedKey) and not any(
            run.takes(verdict, version.landed_at) for run in under_way
        ):
            landings.append((verdict.day or "", (version.key, version.etag, tick.isoformat())))
    return Due(tuple(request_runs(feed.name, landings, longest_range)), tuple(unknown.values()))


def _as_event(version: Version) -> LandingEvent:
    return LandingEvent(version.key, version.etag, size=version.size, at=version.landed_at)


def cron_of(feed: Feed, cron: str) -> str:
    """Return when a feed's schedule ticks, as cron.

    A feed that looks a dimension up comes ten minutes later, where that is still the same hour. Elsewhere it
    comes with the dimension, whose load fills in what was unknown.

    Args:
        feed: The feed.
        cron: Five fields, as set.
    """
    minute, _, rest = cron.partition(" ")
    if feed.dimensions and minute.isdigit() and int(minute) + AFTER_THE_DIMENSION < MINUTES:
        return f"{int(minute) + AFTER_THE_DIMENSION} {rest}"
    return cron


def pages(landing: Landing, feed: Feed) -> Iterator[Page]:
    """Yield the listing below a feed's prefix: its last days first, then all of it."""
    if feed.daily:
        yield from recent_pages(landing.page, feed)
    for first, last in spans(feed, ()):
        yield from between(landing.page, first, last)


def feed_schedule(feed: Feed) -> ScheduleDefinition:
    """Make the schedule of a feed, which runs where the settings say so."""
    settings = get_settings()

    @schedule(
        name=f"{feed.name}_schedule",
        job=FEED_JOBS[feed.name],
        cron_schedule=cron_of(feed, settings.schedule),
        execution_timezone="UTC",
        default_status=_status(running=settings.schedule_starts_runs),
        description=(
            f"Asks for runs over everything of {feed.name} that has landed and has no verdict in the ledger: "
            "days in a row are one run, and what a run is under way for is left alone. Alerts people of keys "
            "no feed knows, and of deleted files. Is on where AIRLINE_TRIGGER is `schedule` or `both`."
        ),
    )
    def landed_without_verdict(
        context: ScheduleEvaluationContext, landing: Landing, warehouse: Warehouse, notifier: Notifier
    ) -> list[RunRequest] | SkipReason:
        return tick(context, feed, landing, warehouse, notifier)

    return landed_without_verdict


def tick(
    context: ScheduleEvaluationContext,
    feed: Feed,
    landing: Landing,
    warehouse: Warehouse,
    notifier: Notifier,
) -> list[RunRequest] | SkipReason:
    """Ask for runs over what has landed of a feed and has no verdict; report unknown keys and lost files."""
    settings = get_settings()
    # Before the verdicts are read: a run that ends in between has written its own.
    under_way = runs_under_way(context.instance)
    try:
        difference = _compare(context, feed, landing, warehouse)
        asked = due(
            feed,
            difference.missing,
            tick=context.scheduled_execution_time,
            days=(settings.start_date, last_day()),
            longest_range=settings.max_partitions_per_run,
            under_way=under_way,
        )
        if asked.unknown:
            record_unknown(asked.unknown, landing.bucket, warehouse, by=f"{feed.name}_schedule")
        note_gone(difference.gone[:GONE_PER_TICK], landing, warehouse)
    except StackNotStarted as error:
        return SkipReason(str(error))
    if (asked.unknown or difference.gone) and (why := outbox.try_to_send(warehouse, notifier)):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
    return list(asked.requests) or SkipReason(f"Nothing of {feed.name} has to be asked for.")


def _compare(
    context: ScheduleEvaluationContext, feed: Feed, landing: Landing, warehouse: Warehouse
) -> Difference:
    """Compare landing with ledger, as far as a tick gets."""
    # Not zero: S3 tells the time in seconds, and what landed in this one seems to land in the future.
    grace = LEFT_TO_EVENTS if get_settings().events_start_runs else timedelta.min
    missing: set[Version] = set()
    gone: set[str] = set()
    for number, page in enumerate(pages(landing, feed)):
        if number == PAGES_PER_TICK:
            context.log.warning(
                "%d pages of %s were compared with the ledger, the last to %s. What lies behind it and is "
                "older than a week is found by the reconciliation_sensor, or taken by `airline backfill %s`.",
                *(number, feed.prefix, page.first, feed.name),
            )
            break
        difference = compare(page, ledger.between(warehouse, page.first, page.last or END), grace=grace)
        missing.update(difference.missing)
        gone.update(difference.gone)
    return Difference(tuple(sorted(missing, key=lambda version: version.key)), tuple(sorted(gone)))


def _status(*, running: bool) -> DefaultScheduleStatus:
    return DefaultScheduleStatus.RUNNING if running else DefaultScheduleStatus.STOPPED


feed_schedules = [feed_schedule(feed) for feed in FEEDS.values()]

freshness_schedule = ScheduleDefinition(
    name="freshness_schedule",
    job=FRESHNESS_JOB,
    # Five minutes after the hour: who is punctual is not late yet.
    cron_schedule=f"5 {get_settings().due_hour} * * *",
    execution_timezone="UTC",
    default_status=_status(running=True),
    description="Looks once a day for days whose files should have landed and have not, and says which.",
)
