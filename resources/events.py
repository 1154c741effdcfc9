"""The queue of landing events: S3's `Object Created` and `Object Deleted`, by way of EventBridge."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from airline_platform.errors import StackUnavailable
from airline_platform.settings import get_settings
from resources.audited import AuditedResource
from resources.aws import make_client, reaching

_T = TypeVar("_T")

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
        size: The object's size in bytes.
        at: When it happened, by S3's clock; None where the message does not say.
        deleted: Whether the object was deleted, not created.
    """

    receipt: str
    key: str | None
    etag: str
    body: str
    version: str = ""
    size: int = 0
    at: datetime | None = None
    deleted: bool = False


def parse_event(receipt: str, body: str) -> LandingEvent:
    """Read one message. Never raises: what is not an event has no key.

    The shape is EventBridge's: `{"detail-type", "time", "detail": {"object": {"key", "etag", "size"}}}`; the
    key is not URL-encoded, unlike in S3's own notifications.
    """
    try:
        message = json.loads(body)
        found = message["detail"]["object"]
        if isinstance(found["key"], str):
            return LandingEvent(
                receipt,
                found["key"],
                str(found.get("etag", "")),
                body,
                version=str(found.get("version-id") or found.get("sequencer") or ""),
                size=_whole_number(found.get("size")),
                at=_moment(message.get("time")),
                deleted=message.get("detail-type") == "Object Deleted",
            )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        pass
    return LandingEvent(receipt, None, "", body)


def landing_event(key: str, etag: str, sequencer: str, landed_at: datetime) -> dict[str, object]:
    """An `Object Created` event in EventBridge's shape, of this platform instead of S3."""
    found = {"key": key, "etag": etag, "sequencer": sequencer}
    time = landed_at.isoformat()
    return {"source": "airline", "detail-type": "Object Created", "time": time, "detail": {"object": found}}


def _whole_number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**62 else 0


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


class LandingEvents(AuditedResource):
    """The SQS queue of landing events."""

    queue: str

    def receive(self, limit: int, *, wait: int = 0) -> list[LandingEvent]:
        """Messages that wait, each of which is then hidden for the queue's visibility timeout.

        Args:
            limit: How many at most.
            wait: Seconds to wait for the first one where there is none; 20 at most.

        Raises:
            StackUnavailable: SQS does not answer.
        """
        events: list[LandingEvent] = []
        sqs = make_client(get_settings(), "sqs")
        with reaching(get_settings()):
            url = self._url()
            while len(events) < limit:
                answer = sqs.receive_message(
                    QueueUrl=url,
                    MaxNumberOfMessages=min(BATCH, limit - len(events)),
                    WaitTimeSeconds=0 if events else wait,
                )
                messages = answer.get("Messages", [])
                events += [parse_event(m["ReceiptHandle"], m["Body"]) for m in messages]
                if not messages:
                    break
        return events

    def send(self, events: Sequence[Mapping[str, object]]) -> None:
        """Put events into the queue, as if they happened now.

        Raises:
            StackUnavailable: SQS does not answer, or did not take one of them.
        """
        sqs = make_client(get_settings(), "sqs")
        with reaching(get_settings()):
            url = self._url() if events else ""
            for some in _batches(events):
                entries: Any = [
                    {"Id": str(n), "MessageBody": json.dumps(event)} for n, event in enumerate(some)
                ]
                refused = sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed", [])
                if refused:
                    raise StackUnavailable(f"SQS did not take {refused}", remedy="Ask again.")

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


def _batches(values: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
