"""Sends again what a stop can lose: a laptop's queues live in memory."""

from uuid import uuid4

from airline_platform.settings import Settings
from resources.accounts import account
from resources.inbox import archived_ids
from resources.queue import LandingEvents, landing_event
from resources.warehouse import outbox
from resources.warehouse.resource import Warehouse


def resend_landing_events(settings: Settings) -> int:
    """Send a landing event for every landed file the ledger has no verdict on; return how many.

    An event too many does no harm: the sensor asks the ledger, and a load replaces its own rows.

    Raises:
        StackUnavailable: S3, SQS or the warehouse does not answer.
    """
    waiting = [landed for landed in account(settings) if landed.state == "waiting"]
    events = [landing_event(each.key, each.etag, uuid4().hex, each.landed_at) for each in waiting]
    LandingEvents.of(settings).send(events)
    return len(events)


def republish_alerts(settings: Settings) -> None:
    """Have the reconciliation publish again what was sent into an inbox that forgot it.

    Raises:
        StackUnavailable: S3 or the warehouse does not answer.
    """
    with Warehouse.of(settings).transaction() as session:
        outbox.forget_sent(session, archived_ids(settings))
