"""The queue of landing events, in which S3 reports created and deleted objects in one of several forms."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self, TypeVar
from urllib.parse import unquote_plus

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings
from resources.aws.audited import AuditedResource, AwsConfig
from resources.aws.client import make_client, reaching

_T = TypeVar("_T")

BATCH = 10
"""SQS gives, and takes back, ten messages a call."""

GATHER_SECONDS = 0.1
"""After so long without a message a burst is over; a file that lands alone waits so long for others."""

GATHER_AT_MOST = 3.0
"""Seconds for which a burst that goes on is gathered."""

FIRST_RECEIVED: Literal["ApproximateFirstReceiveTimestamp"] = "ApproximateFirstReceiveTimestamp"
"""Attribute of a message: when it was received for the first time, in milliseconds since 1970."""


@dataclass(frozen=True)
class LandingEvent:
    """An event says what happened to one object; equal events are the same happening, reported again.

    Args:
        key: The object's key; None where this is not an event of S3.
        etag: The object's entity tag.
        text: What came, where it is not an event of S3; empty elsewhere.
        version: What tells one landing of the same bytes from the next: S3's version id or sequencer.
        size: The object's size in bytes.
        at: When it happened, by S3's clock; None where the event does not say.
        deleted: Whether the object was deleted, not created.
        bucket: The object's bucket; empty where the event does not say.
    """

    key: str | None
    etag: str = ""
    text: str = ""
    version: str = ""
    size: int = 0
    at: datetime | None = None
    deleted: bool = False
    bucket: str = ""


@dataclass(frozen=True)
class Message:
    """A message of the queue carries events, and is acknowledged as a whole.

    Args:
        receipt: Names it when it is acknowledged or given back.
        events: What it reports; nothing where S3 only tries whether it can write to the queue.
        waiting_since: When it was received for the first time, by SQS's clock.
    """

    receipt: str
    events: tuple[LandingEvent, ...]
    waiting_since: datetime


def read_events(body: str) -> tuple[LandingEvent, ...]:
    """Read one message. Never raises: what is not an event of S3 is one without a key.

    EventBridge's shape is `{"detail-type", "time", "detail": {"bucket": {"name"}, "object": {"key", "etag",
    "size", "version-id", "sequencer"}}}`. S3's own notifications are `{"Records": [{"eventSource": "aws:s3",
    "eventName": "ObjectCreated:Put", "eventTime", "s3": {"bucket": {"name"}, "object": {"key", "eTag",
    "size", "versionId", "sequencer"}}}]}`; there the key is URL-encoded, as in a form. SNS may have wrapped
    either one: `{"Type": "Notification", "Message"}`. When somebody asks S3 for notifications, it sends
    `{"Service": "Amazon S3", "Event": "s3:TestEvent"}`, which is no event at all.
    """
    try:
        message = json.loads(body)
        while isinstance(message, dict) and message.get("Type") == "Notification":
            message = json.loads(message["Message"])
        if _is_test(message):
            return ()
        if isinstance(message, dict) and isinstance(message.get("Records"), list) and message["Records"]:
            return tuple(_notification(record) for record in message["Records"])
        return (_event(message),)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return (LandingEvent(None, text=body),)


def _is_test(message: Any) -> bool:
    return (
        isinstance(message, dict)
        and message.get("Service") == "Amazon S3"
        and message.get("Event") == "s3:TestEvent"
    )


def _event(message: Any) -> LandingEvent:
    """Read an event in EventBridge's shape."""
    landed = message["detail"]["object"]
    return LandingEvent(
        _text(landed["key"]),
        str(landed.get("etag", "")),
        version=str(landed.get("version-id") or landed.get("sequencer") or ""),
        size=_whole_number(landed.get("size")),
        at=_moment(message.get("time")),
        deleted=message.get("detail-type") == "Object Deleted",
        bucket=_bucket(message["detail"]),
    )


DELETIONS = ("ObjectRemoved:", "LifecycleExpiration:")
"""How the names of S3's own events begin where an object is gone."""


def _notification(record: Any) -> LandingEvent:
    """Read a record of S3's own notifications; one that is none has no key."""
    try:
        name = record["eventName"]
        if record["eventSource"] != "aws:s3" or not name.startswith(("ObjectCreated:", *DELETIONS)):
            return LandingEvent(None, text=json.dumps(record))
        landed = record["s3"]["object"]
        return LandingEvent(
            # What is not UTF-8 stays what it is, and is no key of a feed.
            unquote_plus(_text(landed["key"]), errors="surrogateescape"),
            str(landed.get("eTag", "")),
            version=str(landed.get("versionId") or landed.get("sequencer") or ""),
            size=_whole_number(landed.get("size")),
            at=_moment(record.get("eventTime")),
            deleted=name.startswith(DELETIONS),
            bucket=_bucket(record["s3"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return LandingEvent(None, text=json.dumps(record))


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected text, found {type(value).__name__}")
    return value


def _bucket(detail: Mapping[str, Any]) -> str:
    bucket = detail.get("bucket")
    name = bucket.get("name") if isinstance(bucket, dict) else None
    return name if isinstance(name, str) else ""


def landing_event(key: str, etag: str, sequencer: str, landed_at: datetime) -> dict[str, object]:
    """Make an `Object Created` event in EventBridge's shape, which this platform sends instead of S3."""
    landed = {"key": key, "etag": etag, "sequencer": sequencer}
    time = landed_at.isoformat()
    return {"source": "airline", "detail-type": "Object Created", "time": time, "detail": {"object": landed}}


def _whole_number(value: object) -> int:
    return value if isinstance(value, int) and 0 <= value < 2**62 else 0


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _message(received: Any) -> Message:
    since = datetime.fromtimestamp(int(received["Attributes"][FIRST_RECEIVED]) / 1000, UTC)
    return Message(received["ReceiptHandle"], read_events(received["Body"]), since)


class LandingEvents(AuditedResource):
    """The SQS queue in which landing events wait."""

    queue: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the queue of these settings."""
        return cls(queue=settings.landing_queue, aws=AwsConfig.of(settings))

    def receive(self, limit: int, *, wait: int = 0) -> list[Message]:
        """Receive messages that wait; each is then hidden for the queue's visibility timeout.

        Files that land together are received together: the first of their messages alone would start a run
        for which the others have to wait.

        Args:
            limit: How many at most.
            wait: Seconds to wait for the first one where there is none; 20 at most.

        Raises:
            StackUnavailable: SQS does not answer.
        """
        with reaching(self.aws):
            url = self._url()
            messages = self._drain(url, limit, wait)
            gathered = time.monotonic() + GATHER_AT_MOST
            while 0 < len(messages) < limit and time.monotonic() < gathered:
                time.sleep(GATHER_SECONDS)
                more = self._drain(url, limit - len(messages))
                if not more:
                    break
                messages += more
        return messages

    def _drain(self, url: str, limit: int, wait: int = 0) -> list[Message]:
        """Receive until a call brings nothing; only the first one waits."""
        sqs = make_client(self.aws, "sqs")
        messages: list[Message] = []
        while len(messages) < limit:
            answer = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=min(BATCH, limit - len(messages)),
                WaitTimeSeconds=0 if messages else wait,
                MessageSystemAttributeNames=[FIRST_RECEIVED],
            )
            received = answer.get("Messages", [])
            messages += [_message(one) for one in received]
            if not received:
                break
        return messages

    def send(self, events: Sequence[Mapping[str, object]]) -> None:
        """Put events into the queue, as if they happened now.

        Raises:
            StackUnavailable: SQS does not answer, or did not take one of them.
        """
        sqs = make_client(self.aws, "sqs")
        with reaching(self.aws):
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
        sqs = make_client(self.aws, "sqs")
        with reaching(self.aws):
            url = self._url() if receipts else ""
            for some in _batches(receipts):
                entries: Any = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(some)]
                sqs.delete_message_batch(QueueUrl=url, Entries=entries)

    def give_back(self, waits: Mapping[str, int]) -> None:
        """Let messages be received again, each after so many seconds.

        Args:
            waits: Seconds by receipt.
        """
        sqs = make_client(self.aws, "sqs")
        with reaching(self.aws):
            url = self._url() if waits else ""
            for some in _batches(list(waits.items())):
                entries: Any = [
                    {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
                    for n, (receipt, seconds) in enumerate(some)
                ]
                sqs.change_message_visibility_batch(QueueUrl=url, Entries=entries)

    def _url(self) -> str:
        sqs = make_client(self.aws, "sqs")
        return sqs.get_queue_url(QueueName=self.queue)["QueueUrl"]


def _batches(values: Sequence[_T]) -> Iterable[Sequence[_T]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
