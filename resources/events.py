"""The queue of landing events: S3's `Object Created`, by way of EventBridge."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import ConfigurableResource

from airline_platform.settings import get_settings
from resources.aws import make_client, reaching

BATCH = 10
"""SQS gives, and takes back, ten messages a call."""


@dataclass(frozen=True)
class LandingEvent:
    """One message of the queue.

    Args:
        receipt: By which it is acknowledged.
        key: The object's key; None where the message is not an event of S3.
        etag: The object's entity tag.
        body: The message as it came.
        version: What tells one landing of the same bytes from the next: S3's version id or sequencer.
    """

    receipt: str
    key: str | None
    etag: str
    body: str
    version: str = ""


def parse_event(receipt: str, body: str) -> LandingEvent:
    """Read one message. Never raises: what is not an event has no key.

    The shape is EventBridge's: `{"detail": {"object": {"key": …, "etag": …}}}`, where the key is not
    URL-encoded, unlike in S3's own notifications.
    """
    try:
        found = json.loads(body)["detail"]["object"]
        version = found.get("version-id") or found.get("sequencer") or ""
        if isinstance(found["key"], str):
            return LandingEvent(receipt, found["key"], str(found.get("etag", "")), body, str(version))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return LandingEvent(receipt, None, "", body)


class LandingEvents(ConfigurableResource[Any]):
    """The SQS queue of landing events."""

    queue: str

    def receive(self, limit: int) -> list[LandingEvent]:
        """Messages waiting now, `limit` at most; each is hidden for the queue's visibility timeout.

        Raises:
            StackUnavailable: SQS does not answer.
        """
        events: list[LandingEvent] = []
        sqs = make_client(get_settings(), "sqs")
        with reaching(get_settings()):
            url = self._url()
            while len(events) < limit:
                answer = sqs.receive_message(
                    QueueUrl=url, MaxNumberOfMessages=min(BATCH, limit - len(events))
                )
                messages = answer.get("Messages", [])
                events += [parse_event(m["ReceiptHandle"], m["Body"]) for m in messages]
                if not messages:
                    break
        return events

    def acknowledge(self, receipts: Sequence[str]) -> None:
        """Delete messages; one that is gone already is no error."""
        sqs = make_client(get_settings(), "sqs")
        with reaching(get_settings()):
            url = self._url() if receipts else ""
            for some in _batches(receipts):
                entries: Any = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(some)]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def give_back(self, receipts: Sequence[str], *, seconds: int) -> None:
        """Let messages be received again, soon."""
        sqs = make_client(get_settings(), "sqs")
        with reaching(get_settings()):
            url = self._url() if receipts else ""
            for some in _batches(receipts):
                entries: Any = [
                    {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for n, receipt in enumerate(some)
                ]
                sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    def _url(self) -> str:
        sqs = make_client(get_settings(), "sqs")
        return sqs.get_queue_url(QueueName=self.queue)["QueueUrl"]


def _batches(values: Sequence[str]) -> Iterable[Sequence[str]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
