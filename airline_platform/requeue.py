"""Landed files without a verdict asked for again, as if they landed now: what a stop of the queue lost."""

import json
from uuid import uuid4

from airline_platform.accounting import account
from airline_platform.settings import Settings
from resources.aws import make_client, reaching

BATCH = 10


def requeue_waiting(settings: Settings) -> int:
    """Send a landing event for every landed object the ledger has no verdict on; return how many.

    A laptop's queue lives in memory, so a stop loses the events in it. An event too many does no harm: the
    sensor asks the ledger, and a load replaces its own rows.

    Raises:
        StackUnavailable: S3, SQS or the warehouse does not answer.
    """
    waiting = [found for found in account(settings) if found.state == "waiting"]
    sqs = make_client(settings, "sqs")
    with reaching(settings):
        url = sqs.get_queue_url(QueueName=settings.landing_queue)["QueueUrl"]
        for start in range(0, len(waiting), BATCH):
            some = waiting[start : start + BATCH]
            sqs.send_message_batch(
                QueueUrl=url,
                Entries=[
                    {"Id": str(n), "MessageBody": json.dumps(landing_event(found.key, found.etag))}
                    for n, found in enumerate(some)
                ],
            )
    return len(waiting)


def landing_event(key: str, etag: str) -> dict[str, object]:
    """An `Object Created` event in EventBridge's shape, of this platform instead of S3."""
    found = {"key": key, "etag": etag, "sequencer": uuid4().hex}
    return {"source": "airline", "detail-type": "Object Created", "detail": {"object": found}}
