"""What people are told: one SNS message per happening, readable by a person, filterable by a machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dagster import ConfigurableResource

from airline_platform.settings import get_settings
from resources.aws import make_client, reaching

Event = Literal["loaded", "failed", "refused", "unknown_key"]

MAX_SUBJECT = 100
MAX_MESSAGE = 200_000
"""SNS takes 256 KiB, attributes included."""


@dataclass(frozen=True)
class Alert:
    """One happening.

    Args:
        event: What kind; a message attribute, so that subscriptions can filter by it.
        subject: One line.
        lines: The rest, as people read it.
        feed: The feed's name, where one is concerned.
        run_id: The Dagster run, where one is concerned.
    """

    event: Event
    subject: str
    lines: Sequence[str]
    feed: str = ""
    run_id: str = ""

    @property
    def message(self) -> str:
        """Subject and lines, as e-mail."""
        return "\n".join([self.subject, "", *self.lines])[:MAX_MESSAGE]


class Notifier(ConfigurableResource[Any]):
    """The SNS topic people subscribe to."""

    topic: str

    def publish(self, alert: Alert) -> str:
        """Publish an alert; return SNS's message id.

        Raises:
            StackUnavailable: SNS does not answer.
        """
        sns = make_client(get_settings(), "sns")
        attributes = {"event": alert.event, "feed": alert.feed, "run_id": alert.run_id}
        subject = "".join(c if c.isascii() and c.isprintable() else "?" for c in alert.subject)
        with reaching(get_settings()):
            # CreateTopic gives the ARN of the topic that exists, so no account number is ever written down.
            topic = sns.create_topic(Name=self.topic)["TopicArn"]
            return sns.publish(
                TopicArn=topic,
                Subject=subject[:MAX_SUBJECT],
                Message=alert.message,
                MessageAttributes={
                    name: {"DataType": "String", "StringValue": value}
                    for name, value in attributes.items()
                    if value
                },
            )["MessageId"]


def describe_days(days: Sequence[str]) -> str:
    """`2013-01-01`, or `14 days 2013-01-01 to 2013-01-14`; empty for none."""
    if len(days) > 1:
        return f"{len(days)} days {min(days)} to {max(days)}"
    return days[0] if days else ""
