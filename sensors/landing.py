"""The landing sensor: events become runs, and are acknowledged once their runs are sure to exist."""

import hashlib
import json
import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial

from dagster import (
    DefaultSensorStatus,
    RunRequest,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    sensor,
)

from airline_platform.errors import StackNotStarted
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.files.keys import UNKNOWN, LandedKey, NoLanding, UnknownKey, parse_key
from airline_platform.jobs import FEED_JOBS, request_run
from airline_platform.partitions import last_day, ranges
from airline_platform.settings import get_settings
from assets.ingest.deleted_sources import note_gone
from resources.landing import LandedObject, Landing, VersionTag
from resources.queue import LandingEvent, LandingEvents, Message
from resources.topic import Alert, Notifier
from resources.warehouse import ledger, outbox
from resources.warehouse.session import Warehouse
from sensors.under_way import RunUnderWay, runs_under_way

MESSAGES_PER_TICK = 1000
"""Bounds a tick's time (60 s are allowed) and its cursor, which holds a receipt per message."""

LISTEN_SECONDS = 4
"""How long a tick waits for the first event. Dagster begins one every 5 s: so nearly always one listens."""

BY_DEFAULT = DefaultSensorStatus.RUNNING if get_settings().events_start_runs else DefaultSensorStatus.STOPPED
"""Where the schedule alone starts runs, events wait in the queue until somebody starts the sensor."""

LONGEST_KEY, LONGEST_ETAG = 1024, 128
"""Bytes; longer ones do not come from S3."""

Verdict = LandedKey | UnknownKey | NoLanding


SOONEST = 2
"""Seconds after which a message that waits for the airports is received again, at first."""


@dataclass(frozen=True)
class Plan:
    """What a tick does about its messages.

    Args:
        requests: Runs to ask for.
        unknown: What no feed claims, and why.
        deleted: Keys of feeds that are gone.
        used: Receipts to acknowledge.
        later: Receipts to give back, and after how many seconds they are to come again.
        known: How many landings need no run: the ledger has them, or a run is under way.
    """

    requests: list[RunRequest] = field(default_factory=list)
    unknown: list[tuple[LandingEvent, UnknownKey]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    used: list[str] = field(default_factory=list)
    later: dict[str, int] = field(default_factory=dict)
    known: int = 0


def plan(
    messages: Sequence[Message],
    *,
    bucket: str,
    days: tuple[date, date],
    longest_range: int,
    known: Callable[[str, Collection[str]], Collection[VersionTag]],
    now: datetime,
    longest_wait: timedelta,
    under_way: Sequence[RunUnderWay] = (),
) -> Plan:
    """Turn messages into run requests. Pure, but for what `known` asks.

    The dimension goes first: while airports are landing, what looks them up waits, or it would be enriched
    without; but not for ever. What the platform itself wrote into the bucket is nobody's landing, nor is what
    tools leave beside their files.

    A message is acknowledged when all its events are used. One that is given back asks for the runs of its
    other events already, and is told of, with what no feed claims or is gone, when it comes again.

    Args:
        messages: In any order, with repeats.
        bucket: The landing bucket; no other one's objects are of this platform.
        days: First and last day the platform keeps.
        longest_range: Most days one run takes.
        known: Tells which of a feed's keys the ledger has, and in which version.
        now: The present.
        longest_wait: How long a message waits for the airports, from when it was received first.
        under_way: Runs that need not be asked for again. What they fail to do, the reconciliation asks for.

    Returns:
        The requests, the keys nobody knows or that are gone, and the receipts to acknowledge or give back.
    """
    verdicts = {event: _judge(event, bucket, days) for message in messages for event in message.events}
    landed = _by_feed(verdicts)
    new = {
        feed: _without(found, known(feed, {e.key or "" for e in found}), under_way)
        for feed, found in landed.items()
    }
    later = {}
    if new.get(AIRPORTS.name) or any(AIRPORTS.name in run.feeds for run in under_way):
        look_up = {event for feed, found in new.items() if FEEDS[feed].lookups for event in found}
        waiting = (message for message in messages if not look_up.isdisjoint(message.events))
        waited = {message.receipt: now - message.waiting_since for message in waiting}
        later = {receipt: pause(age, longest_wait) for receipt, age in waited.items() if age < longest_wait}
    used = [message for message in messages if message.receipt not in later]
    ready = {event: verdicts[event] for message in used for event in message.events}
    return Plan(
        requests=[
            request
            for feed, found in new.items()
            for request in _requests(feed, found, ready if FEEDS[feed].lookups else found, longest_range)
        ],
        unknown=_untold(ready, known),
        deleted=[
            e.key for e, verdict in ready.items() if e.deleted and e.key and isinstance(verdict, LandedKey)
        ],
        used=[message.receipt for message in used],
        later=later,
        known=sum(len(found) - len(new[feed]) for feed, found in landed.items()),
    )


def pause(waited: timedelta, longest: timedelta) -> int:
    """Seconds for which a message is given back that has waited for so long, of so long at most.

    Ever more, because SQS takes a message that was received 20 times for one nobody can use.
    """
    return max(SOONEST, math.ceil(min(waited / 2, longest - waited).total_seconds()))


def _judge(event: LandingEvent, bucket: str, days: tuple[date, date]) -> Verdict:
    if event.key is None:
        return UnknownKey(event.text[:500], "the message is not an Object Created event")
    if event.bucket and event.bucket != bucket:
        return UnknownKey(
            f"s3://{event.bucket}/{event.key}", f"it is in another bucket; files land in {bucket}"
        )
    return parse_key(event.key, first_day=days[0], last_day=days[1])


def _by_feed(verdicts: Mapping[LandingEvent, Verdict]) -> dict[str, dict[LandingEvent, LandedKey]]:
    """What has landed, by its feed's name."""
    landed: defaultdict[str, dict[LandingEvent, LandedKey]] = defaultdict(dict)
    for event, verdict in verdicts.items():
        if isinstance(verdict, LandedKey) and not event.deleted:
            landed[verdict.feed.name][event] = verdict
    return landed


def _untold(
    verdicts: Mapping[LandingEvent, Verdict], known: Callable[[str, Collection[str]], Collection[VersionTag]]
) -> list[tuple[LandingEvent, UnknownKey]]:
    """What no feed claims, but for what the ledger has: people were told of that."""
    unknown = [
        (event, verdict)
        for event, verdict in verdicts.items()
        if isinstance(verdict, UnknownKey) and not event.deleted
    ]
    keys = {found.key for event, found in unknown if _storable(event, found)}
    told = known(UNKNOWN, keys) if keys else ()
    return [(event, found) for event, found in unknown if (found.key, event.etag) not in told]


def _without(
    landed: Mapping[LandingEvent, LandedKey], known: Collection[VersionTag], under_way: Sequence[RunUnderWay]
) -> dict[LandingEvent, LandedKey]:
    """What has no verdict, and no run that surely reads it: one that was asked for after it landed."""
    return {
        event: key
        for event, key in landed.items()
        if (event.key, event.etag) not in known
        and not (event.at and any(run.takes(key, event.at) for run in under_way))
    }


def _requests(
    feed: str, new: Mapping[LandingEvent, LandedKey], ready: Collection[LandingEvent], longest: int
) -> Iterator[RunRequest]:
    landings = ((key.day or "", (e.key or "", e.etag, e.version)) for e, key in new.items() if e in ready)
    return request_runs(feed, landings, longest)


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
        messages = landing_events.receive(MESSAGES_PER_TICK, wait=LISTEN_SECONDS)
    except StackNotStarted as error:
        return SkipReason(str(error))
    if not messages:
        context.update_cursor("[]")
        return SkipReason("Nothing has landed.")
    settings = get_settings()
    made = plan(
        messages,
        bucket=landing.bucket,
        days=(settings.start_date, last_day()),
        longest_range=settings.max_partitions_per_run,
        known=partial(ledger.known_versions, warehouse),
        now=datetime.now(UTC),
        longest_wait=timedelta(seconds=settings.wait_for_airports),
        under_way=runs_under_way(context.instance),
    )
    landing_events.give_back(made.later)
    if made.unknown:
        record_unknown(made.unknown, landing.bucket, warehouse, by="landing_sensor")
    if made.deleted:
        note_gone(set(made.deleted), landing, warehouse)
    if (made.unknown or made.deleted) and (why := outbox.try_to_send(warehouse, notifier)):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
    context.log.info(
        "%d messages: %d runs, %d known or under way, %d wait for the airports, %d unknown",
        len(messages),
        len(made.requests),
        made.known,
        len(made.later),
        len(made.unknown),
    )
    return SensorResult(run_requests=made.requests, cursor=json.dumps(made.used))


def record_unknown(
    unknown: Sequence[tuple[LandingEvent, UnknownKey]], bucket: str, warehouse: Warehouse, *, by: str
) -> None:
    """Write the verdict on keys no feed claims, and the alert about them; `by` stands in a run's place."""
    entries = {
        (found.key, event.etag): ledger.Entry.of(
            LandedObject(
                bucket=event.bucket or bucket,
                key=found.key,
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
        if _storable(event, found)
    }
    with warehouse.exclusive_transaction() as session:
        ledger.record(session, list(entries.values()))
        outbox.put(session, [unknown_alert(unknown)])


def _storable(event: LandingEvent, found: UnknownKey) -> bool:
    """Whether an event's key and entity tag can be S3's; others are told, and are in no ledger."""
    try:
        sizes = len(found.key.encode()), len(event.etag.encode())
    except UnicodeEncodeError:
        return False
    fits = sizes[0] <= LONGEST_KEY and sizes[1] <= LONGEST_ETAG
    return bool(event.key) and fits and "\0" not in f"{found.key}{event.etag}"


def unknown_alert(unknown: Sequence[tuple[LandingEvent, UnknownKey]]) -> Alert:
    """Keys no feed claims: which, why, and what to do."""
    lines = [f"{_shown(found.key)}: {found.reason}" for _, found in unknown[:100]]
    lines += [
        "",
        "What to do: move the file to where its feed lands, or delete it; nothing was loaded from it.",
    ]
    about = sorted(f"{found.key} {event.etag} {event.version}" for event, found in unknown)
    return Alert("unknown_key", f"{len(unknown)} landed key(s) belong to no feed", lines, about=about)


def _shown(key: str) -> str:
    return key if key.isprintable() else ascii(key)
