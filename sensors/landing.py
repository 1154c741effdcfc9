"""The landing sensor: events become runs, and are acknowledged once their runs are sure to exist."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from airline_platform.errors import StackNotStarted
from airline_platform.feeds import AIRPORTS, FEEDS, UNKNOWN, LandedKey, NoLanding, UnknownKey, parse_key
from airline_platform.jobs import FEED_JOBS, request_run
from airline_platform.partitions import last_day, ranges
from airline_platform.settings import get_settings
from assets import ledger
from assets.gone import note_gone
from resources import outbox
from resources.events import LandingEvent, LandingEvents
from resources.landing import LandedObject, Landing
from resources.notifier import Alert, Notifier
from resources.warehouse import Warehouse
from sensors.under_way import RunUnderWay, runs_under_way

MESSAGES_PER_TICK = 1000
"""Bounds a tick's time (60 s are allowed) and its cursor, which holds a receipt per message."""

LISTEN_SECONDS = 4
"""How long a tick waits for the first event. Dagster begins one every 5 s: so nearly always one listens."""

BY_DEFAULT = DefaultSensorStatus.RUNNING if get_settings().events_start_runs else DefaultSensorStatus.STOPPED
"""Where the schedule alone starts runs, events wait in the queue until somebody starts the sensor."""

LONGEST_KEY, LONGEST_ETAG = 1024, 128
"""Bytes; longer ones do not come from S3."""

Version = tuple[str, str]
"""Key and entity tag."""


@dataclass(frozen=True)
class Plan:
    """What a tick does about its events."""

    requests: list[RunRequest] = field(default_factory=list)
    unknown: list[tuple[LandingEvent, UnknownKey]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    later: list[str] = field(default_factory=list)
    known: int = 0


def plan(
    events: Sequence[LandingEvent],
    *,
    days: tuple[date, date],
    longest_range: int,
    known: Callable[[str, Collection[str]], Collection[Version]],
    under_way: Sequence[RunUnderWay] = (),
) -> Plan:
    """Turn events into run requests. Pure, but for what `known` asks.

    The dimension goes first: while airports are landing, what looks them up waits, or it would be enriched
    without. What the platform itself wrote into the bucket is nobody's landing.

    Args:
        events: In any order, with repeats.
        days: First and last day the platform keeps.
        longest_range: Most days one run takes.
        known: Tells which of a feed's keys the ledger has, and in which version.
        under_way: Runs that need not be asked for again. What they fail to do, the reconciliation asks for.

    Returns:
        The requests, the keys nobody knows or that are gone, and the receipts to acknowledge or give back.
    """
    made = Plan()
    landed: defaultdict[str, dict[LandingEvent, LandedKey]] = defaultdict(dict)
    unknown: dict[LandingEvent, UnknownKey] = {}
    for event in events:
        verdict = _judge(event, days)
        if isinstance(verdict, NoLanding):
            made.used.append(event.receipt)
        elif event.deleted:
            made.deleted.extend([event.key] if event.key and isinstance(verdict, LandedKey) else [])
            made.used.append(event.receipt)
        elif isinstance(verdict, UnknownKey):
            unknown[event] = verdict
            made.used.append(event.receipt)
        else:
            landed[verdict.feed.name][event] = verdict
    airports_pending = any(AIRPORTS.name in run.feeds for run in under_way)
    told = (
        known(UNKNOWN, {event.key for event in unknown if event.key and _storable(event)}) if unknown else ()
    )
    made.unknown.extend((e, found) for e, found in unknown.items() if (e.key, e.etag) not in told)
    new = {
        feed: _without(found, known(feed, {e.key or "" for e in found}), under_way)
        for feed, found in landed.items()
    }
    wait = airports_pending or bool(new.get(AIRPORTS.name))
    known_count = sum(len(landed[feed]) - len(found) for feed, found in new.items())
    for feed, found in new.items():
        receipts = [event.receipt for event in landed[feed]]
        if FEEDS[feed].lookups and wait and found:
            made.later.extend(receipts)
            continue
        made.used.extend(receipts)
        landings = ((key.day or "", (e.key or "", e.etag, e.version)) for e, key in found.items())
        made.requests.extend(request_runs(feed, landings, longest_range))
    return replace(made, known=known_count)


def _judge(event: LandingEvent, days: tuple[date, date]) -> LandedKey | UnknownKey | NoLanding:
    if event.key is None:
        return UnknownKey(event.body[:500], "the message is not an Object Created event")
    return parse_key(event.key, first_day=days[0], last_day=days[1])


def _without(
    landed: Mapping[LandingEvent, LandedKey], known: Collection[Version], under_way: Sequence[RunUnderWay]
) -> dict[LandingEvent, LandedKey]:
    """What has no verdict, and no run that surely reads it: one that was asked for after it landed."""
    return {
        event: key
        for event, key in landed.items()
        if (event.key, event.etag) not in known
        and not (event.at and any(run.takes(key, event.at) for run in under_way))
    }


def request_runs(
    feed: str, landings: Iterable[tuple[str, tuple[str, ...]]], longest: int
) -> Iterator[RunRequest]:
    """Requests for the runs that read landings of a feed: one for days in a row, none where nothing landed.

    Args:
        feed: The feed's name.
        landings: Day of each (ISO; empty where the feed has none), and what tells it from any other.
        longest: Most days one run takes.
    """
    versions: defaultdict[str, set[tuple[str, ...]]] = defaultdict(set)
    for day, landing in landings:
        versions[day].add(landing)
    if not versions:
        return
    if not FEEDS[feed].daily:
        yield request_run(feed, run_key(feed, "", versions[""]))
        return
    for first, last in ranges(versions, longest=longest):
        inside = set().union(*(found for day, found in versions.items() if first <= day <= last))
        yield request_run(feed, run_key(feed, f"{first}..{last}", inside), (first, last))


def run_key(feed: str, days: str, versions: Iterable[tuple[str, ...]]) -> str:
    """Names a run by the landings it is for, so that a message that comes twice asks for the same run."""
    digest = hashlib.sha256(json.dumps(sorted(versions)).encode()).hexdigest()
    return f"{feed} {days} {digest[:16]}"


@sensor(
    jobs=list(FEED_JOBS.values()),
    minimum_interval_seconds=1,
    default_status=BY_DEFAULT,
    description=(
        "Drains the queue of landing events, maps each key to a feed and a day, and asks for runs: many days "
        "become ranges. A message is acknowledged one tick after the one that used it was committed, so a "
        "crash in between loses nothing. Keys no feed knows, and deleted files, become an alert."
    ),
)
def landing_sensor(
    context: SensorEvaluationContext,
    landing: Landing,
    landing_events: LandingEvents,
    warehouse: Warehouse,
    notifier: Notifier,
) -> SensorResult | SkipReason:
    """One tick; the cursor holds the receipts to acknowledge at the next."""
    try:
        landing_events.acknowledge(json.loads(context.cursor or "[]"))
        events = landing_events.receive(MESSAGES_PER_TICK, wait=LISTEN_SECONDS)
    except StackNotStarted as error:
        return SkipReason(str(error))
    if not events:
        context.update_cursor("[]")
        return SkipReason("Nothing has landed.")
    settings = get_settings()
    made = plan(
        events,
        days=(settings.start_date, last_day()),
        longest_range=settings.max_partitions_per_run,
        known=lambda feed, keys: _known(warehouse, feed, keys),
        under_way=runs_under_way(context.instance),
    )
    landing_events.give_back(made.later, seconds=2)
    if made.unknown:
        record_unknown(made.unknown, landing.bucket, warehouse, by="landing_sensor")
    if made.deleted:
        note_gone(set(made.deleted), landing, warehouse)
    if (made.unknown or made.deleted) and (why := outbox.try_to_send(warehouse, notifier)):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
    context.log.info(
        "%d events: %d runs, %d known or under way, %d wait for the airports, %d unknown",
        len(events),
        len(made.requests),
        made.known,
        len(made.later),
        len(made.unknown),
    )
    return SensorResult(run_requests=made.requests, cursor=json.dumps(made.used))


def _known(warehouse: Warehouse, feed: str, keys: Collection[str]) -> set[Version]:
    if not keys:
        return set()
    rows = warehouse.query(ledger.KNOWN_VERSIONS, {"feed": feed, "keys": tuple(keys)})
    return {(row["key"], row["etag"]) for row in rows}


def record_unknown(
    unknown: Sequence[tuple[LandingEvent, UnknownKey]], bucket: str, warehouse: Warehouse, *, by: str
) -> None:
    """Write the verdict on keys no feed claims, and the alert about them; `by` stands in a run's place."""
    entries = {
        (event.key, event.etag): ledger.entry(
            LandedObject(
                bucket=bucket,
                key=event.key,
                day=None,
                etag=event.etag,
                size=event.size,
                landed_at=event.at or datetime.now(UTC),
                refused=found.reason,
            ),
            feed=UNKNOWN,
            run_id=by,
            state="rejected",
        )
        for event, found in unknown
        if event.key and _storable(event)
    }
    with warehouse.transaction() as session:
        session.wait_for_turn()
        ledger.record(session, list(entries.values()))
        outbox.put(session, [unknown_alert(unknown)])


def _storable(event: LandingEvent) -> bool:
    """Whether a message's key and entity tag can be S3's; others are told, and are in no ledger."""
    try:
        sizes = len((event.key or "").encode()), len(event.etag.encode())
    except UnicodeEncodeError:
        return False
    fits = sizes[0] <= LONGEST_KEY and sizes[1] <= LONGEST_ETAG
    return fits and "\0" not in f"{event.key}{event.etag}"


def unknown_alert(unknown: Sequence[tuple[LandingEvent, UnknownKey]]) -> Alert:
    """Keys no feed claims: which, why, and what to do."""
    lines = [f"{_shown(found.key)}: {found.reason}" for _, found in unknown[:100]]
    lines += [
        "",
        "What to do: move the file to where its feed lands, or delete it; nothing was loaded from it.",
    ]
    about = sorted(f"{event.key or event.body[:500]} {event.etag} {event.version}" for event, _ in unknown)
    return Alert("unknown_key", f"{len(unknown)} landed key(s) belong to no feed", lines, about=about)


def _shown(key: str) -> str:
    return key if key.isprintable() else ascii(key)
