"""What a tick of the landing sensor does about its messages; pure, but for what the ledger is asked."""

import math
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from dagster import RunRequest

from airline_platform.feeds import FEEDS
from airline_platform.files.keys import UNKNOWN, LandedKey, NoLanding, UnknownKey, parse_key
from resources.queue import LandingEvent, Message
from sensors.run_requests import request_runs
from sensors.under_way import RunUnderWay
from sensors.unknown_keys import UnknownLanding, is_storable

Version = tuple[str, str]
"""Key and entity tag."""

Verdict = LandedKey | UnknownKey | NoLanding

Landings = Mapping[LandingEvent, LandedKey]
"""What has landed of one feed."""

KnownVersions = Callable[[str, Collection[str]], Collection[Version]]
"""Tells which of a feed's keys the ledger has, and in which version."""

SOONEST = 2
"""Seconds after which a message that waits for a dimension is received again, at first."""


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
    unknown: list[UnknownLanding] = field(default_factory=list)
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
    known: KnownVersions,
    now: datetime,
    longest_wait: timedelta,
    under_way: Sequence[RunUnderWay] = (),
) -> Plan:
    """Turn messages into run requests. Pure, but for what `known` asks.

    A dimension goes first: while it is landing, what looks it up waits, or it would be enriched without; but
    not for ever. What the platform itself wrote into the bucket is nobody's landing, nor is what tools leave
    beside their files.

    A message is acknowledged when all its events are used. One that is given back asks for the runs of its
    other events already; what no feed claims, or is gone, becomes an alert when it comes again.

    Args:
        messages: In any order, with repeats.
        bucket: The landing bucket; no other one's objects are of this platform.
        days: First and last day the platform keeps.
        longest_range: Most days one run takes.
        known: What the ledger has.
        now: The present.
        longest_wait: How long a message waits for a dimension, from when it was received first.
        under_way: Runs that need not be asked for again. What they fail to do, the reconciliation asks for.

    Returns:
        The requests, the keys nobody knows or that are gone, and the receipts to acknowledge or give back.
    """
    verdicts = {event: _judge(event, bucket, days) for message in messages for event in message.events}
    landed = _by_feed(verdicts)
    new = {
        feed: _without(landings, known(feed, {e.key or "" for e in landings}), under_way)
        for feed, landings in landed.items()
    }
    later = _pauses(messages, _waiting(new, under_way), now, longest_wait)
    used = [message for message in messages if message.receipt not in later]
    ready = {event: verdicts[event] for message in used for event in message.events}
    return Plan(
        requests=[
            request
            for feed, landings in new.items()
            for request in _requests(
                feed, landings, ready if FEEDS[feed].lookups else landings, longest_range
            )
        ],
        unknown=_unreported(ready, known),
        deleted=[
            e.key for e, verdict in ready.items() if e.deleted and e.key and isinstance(verdict, LandedKey)
        ],
        used=[message.receipt for message in used],
        later=later,
        known=sum(len(landings) - len(new[feed]) for feed, landings in landed.items()),
    )


def pause(waited: timedelta, longest: timedelta) -> int:
    """Return the seconds for which a message is given back that has waited for so long, of so long at most.

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


def _without(
    landings: Landings, known: Collection[Version], under_way: Sequence[RunUnderWay]
) -> dict[LandingEvent, LandedKey]:
    """What has no verdict, and no run that surely reads it: one that was asked for after it landed."""
    return {
        event: key
        for event, key in landings.items()
        if (event.key, event.etag) not in known
        and not (event.at and any(run.takes(key, event.at) for run in under_way))
    }


def _waiting(new: Mapping[str, Landings], under_way: Sequence[RunUnderWay]) -> set[LandingEvent]:
    """Landings of feeds that look up a dimension which is landing, or on its way."""
    arriving = {feed for feed, landings in new.items() if landings}
    arriving |= {feed for run in under_way for feed in run.feeds}
    return {
        event
        for feed, landings in new.items()
        if not arriving.isdisjoint(FEEDS[feed].dimensions)
        for event in landings
    }


def _pauses(
    messages: Sequence[Message], waiting: Collection[LandingEvent], now: datetime, longest_wait: timedelta
) -> dict[str, int]:
    """By receipt, the seconds for which messages are given back that wait, and not for too long already."""
    ages = {
        message.receipt: now - message.waiting_since
        for message in messages
        if any(event in waiting for event in message.events)
    }
    return {receipt: pause(age, longest_wait) for receipt, age in ages.items() if age < longest_wait}


def _unreported(verdicts: Mapping[LandingEvent, Verdict], known: KnownVersions) -> list[UnknownLanding]:
    """What no feed claims, but for what the ledger has: that was reported when it got there."""
    unknown = [
        (event, verdict)
        for event, verdict in verdicts.items()
        if isinstance(verdict, UnknownKey) and not event.deleted
    ]
    keys = {verdict.key for event, verdict in unknown if is_storable(event, verdict)}
    reported = known(UNKNOWN, keys) if keys else ()
    return [(event, verdict) for event, verdict in unknown if (verdict.key, event.etag) not in reported]


def _requests(
    feed: str, new: Landings, ready: Collection[LandingEvent], longest: int
) -> Iterator[RunRequest]:
    landings = ((key.day or "", (e.key or "", e.etag, e.version)) for e, key in new.items() if e in ready)
    return request_runs(feed, landings, longest)
