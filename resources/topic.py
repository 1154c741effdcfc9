"""The topic of alerts: one SNS message for each happening, which people can read and machines can filter."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from airline_platform.settings import Settings
from resources.aws.audited import AuditedResource, AwsConfig
from resources.aws.client import make_client, reaching

Event = Literal["loaded", "failed", "refused", "unknown_key", "gone", "check_failed", "overdue", "new_column"]

MAX_SUBJECT = 99
"""SNS: ASCII text that begins with no blank, without control characters, less than 100 characters long
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""

MAX_MESSAGE_BYTES = 60_000
"""SNS takes 256 KiB, a column of Redshift 64 KiB."""


@dataclass(frozen=True)
class Alert:
    """An alert tells people of one happening.

    Args:
        event: What kind; a message attribute, so that subscriptions can filter by it.
        subject: One line.
        lines: The rest, as people read it.
        feed: The feed's name, where one is concerned.
        run_id: The Dagster run, where one is concerned.
        about: What makes the happening the one it is; an alert about the same one has the same id.
    """

    event: Event
    subject: str
    lines: Sequence[str]
    feed: str = ""
    run_id: str = ""
    about: Sequence[str] = ()

    @property
    def alert_id(self) -> str:
        """Deduplication id: it is equal for every copy of one alert."""
        named = [self.event, self.feed, *(self.about or [self.message])]
        return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:32]

    @property
    def message(self) -> str:
        """The text of the e-mail: the subject, an empty line, and the lines, cut to `MAX_MESSAGE_BYTES`."""
        text = "\n".join([self.subject, "", *self.lines]).replace("\0", "").encode("utf-8", "replace")
        return text[:MAX_MESSAGE_BYTES].decode("utf-8", "ignore")


class Notifier(AuditedResource):
    """The SNS topic to which people subscribe."""

    topic: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the topic of these settings."""
        return cls(topic=settings.alerts_topic, aws=AwsConfig.of(settings))

    def publish(self, alert: Alert) -> str:
        """Publish an alert; return SNS's message id.

        Raises:
            StackUnavailable: SNS does not answer.
        """
        attributes = {
            "alert_id": alert.alert_id,
            "event": alert.event,
            "feed": alert.feed,
            "run_id": alert.run_id,
        }
        return self.send(alert.subject, alert.message, attributes)

    def send(self, subject: str, message: str, attributes: Mapping[str, str]) -> str:
        """Publish a message with the attributes that have a value; return SNS's message id."""
        sns = make_client(self.aws, "sns")
        plain = "".join(c if c.isascii() and c.isprintable() else "?" for c in subject).lstrip()
        with reaching(self.aws):
            # CreateTopic gives the ARN of the topic that exists, so no account number is ever written down.
            topic = sns.create_topic(Name=self.topic)["TopicArn"]
            return sns.publish(
                TopicArn=topic,
                Subject=plain[:MAX_SUBJECT] or "Alert",
                Message=message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                    if value
                },
            )["MessageId"]


def describe_days(days: Sequence[str]) -> str:
    """Say which days it is about: `2013-01-01`, or `14 days 2013-01-01 to 2013-01-14`; empty for none."""
    if len(days) > 1:
        return f"{len(days)} days {min(days)} to {max(days)}"
    return days[0] if days else ""
