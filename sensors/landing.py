"""The landing sensor: events become runs, and are acknowledged once their runs are sure to exist."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

from dagster import DefaultSensorStatus, SensorEvaluationContext, SensorResult, SkipReason, sensor

from airline_platform.days import last_day
from airline_platform.errors import StackNotStarted, StackUnavailable
from airline_platform.jobs import FEED_JOBS
from airline_platform.settings import get_settings
from assets.ingest.deleted_sources import note_gone
from resources.landing import Landing
from resources.queue import LandingEvents
from resources.topic import Notifier
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse
from sensors.landing_plan import Plan, plan
from sensors.under_way import runs_under_way
from sensors.unknown_keys import record_unknown

MESSAGES_PER_TICK = 1000
"""Bounds a tick's time (60 s are allowed) and its cursor, which holds a receipt per message."""

LISTEN_SECONDS = 4
"""How long a tick waits for the first event. Dagster begins one every 5 s: so nearly always one listens."""

AWAY = "away"
"""Cursor of a tick that found the warehouse away: it has used nothing, and the next one asks the warehouse
before it receives anything. SQS moves what was received twenty times to the dead-letter queue, and a tick
receives every five seconds."""

BY_DEFAULT = DefaultSensorStatus.RUNNING if get_settings().events_start_runs else DefaultSensorStatus.STOPPED
"""Where the schedule alone starts runs, events wait in the queue until somebody starts the sensor."""


@sensor(
    jobs=list(FEED_JOBS.values()),
    minimum_interval_seconds=1,
    default_status=BY_DEFAULT,
    description=(
        "Drains the queue of landing events, maps each key to a feed and a day, and asks for runs: many days "
        "become ranges. A message is acknowledged one tick after the one that used it was committed, so a "
        "crash in between loses nothing. While the warehouse is away, messages wait in the queue. Keys no "
        "feed knows, and deleted files, become an alert."
    ),
)
def landing_sensor(
    context: SensorEvaluationContext,
    landing: Landing,
    landing_events: LandingEvents,
    warehouse: Warehouse,
    notifier: Notifier,
) -> SensorResult | SkipReason:
    """Ask for runs; the cursor holds the receipts to acknowledge at the next tick, or `AWAY`."""
    try:
        if context.cursor != AWAY:
            landing_events.acknowledge(json.loads(context.cursor or "[]"))
        elif why := _why_away(warehouse):
            return SkipReason(f"Messages wait in the queue: {why}")
        messages = landing_events.receive(MESSAGES_PER_TICK, wait=LISTEN_SECONDS)
    except StackNotStarted as error:
        return SkipReason(str(error))
    if not messages:
        # Nor was the warehouse asked: one that sleeps when nobody asks goes on sleeping.
        context.update_cursor("[]")
        return SkipReason("Nothing has landed.")
    if why := _why_away(warehouse):
        landing_events.give_back({message.receipt: 0 for message in messages})
        context.update_cursor(AWAY)
        return SkipReason(f"{len(messages)} messages were given back to the queue: {why}")
    settings = get_settings()
    planned = plan(
        messages,
        bucket=landing.bucket,
        days=(settings.start_date, last_day()),
        longest_range=settings.max_partitions_per_run,
        known=partial(ledger.known_versions, warehouse),
        now=datetime.now(UTC),
        longest_wait=timedelta(seconds=settings.wait_for_airports),
        under_way=runs_under_way(context.instance),
    )
    landing_events.give_back(planned.later)
    if why := _report(planned, landing, warehouse, notifier):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
    context.log.info(
        "%d messages: %d runs, %d known or under way, %d wait for a dimension, %d unknown",
        *(len(messages), len(planned.requests), planned.known, len(planned.later), len(planned.unknown)),
    )
    return SensorResult(run_requests=planned.requests, cursor=json.dumps(planned.used))


def _why_away(warehouse: Warehouse) -> str | None:
    """Return why the warehouse does not answer; None where it does."""
    try:
        warehouse.query("SELECT 1 AS answer")
    except StackNotStarted:
        raise
    except StackUnavailable as error:
        return str(error)
    return None


def _report(planned: Plan, landing: Landing, warehouse: Warehouse, notifier: Notifier) -> str | None:
    """Record what no feed claims and what is gone; return why the alerts of it could not be sent, if so."""
    if planned.unknown:
        record_unknown(planned.unknown, landing.bucket, warehouse, by="landing_sensor")
    if planned.deleted:
        note_gone(set(planned.deleted), landing, warehouse)
    return outbox.try_to_send(warehouse, notifier) if planned.unknown or planned.deleted else None
