"""The queue of landing events: what was received, given back, and acknowledged."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airline_platform.settings import get_settings
from resources.aws.audited import AwsConfig
from resources.aws.client import make_client
from resources.queue import LandingEvents, Message
from resources.warehouse.resource import Warehouse

KEY = "daily_flights/date=2013-01-01/JFK + LGA.csv"


@pytest.fixture
def queue(server: Warehouse) -> Iterator[LandingEvents]:
    """An empty queue of the gateway that runs beside the warehouse."""
    del server
    name = "landing-events-of-a-test"
    sqs = make_client(get_settings(), "sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    yield LandingEvents(queue=name, aws=AwsConfig.of(get_settings()))
    sqs.delete_queue(QueueUrl=url)


def receive(queue: LandingEvents, seconds: float = 10) -> list[Message]:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := queue.receive(10, wait=1):
            return found
    return []


def test_a_message_that_was_given_back_says_since_when_it_waits(queue: LandingEvents) -> None:
    record: dict[str, Any] = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"object": {"key": "daily_flights/date%3D2013-01-01/JFK+%2B+LGA.csv", "eTag": "e"}},
    }
    queue.send([{"Type": "Notification", "Message": json.dumps({"Records": [record, record]})}])
    (first,) = receive(queue)

    queue.give_back({first.receipt: 1})
    (again,) = receive(queue)

    assert [found.key for found in first.events] == [KEY, KEY]
    assert datetime.now(UTC) - first.waiting_since < timedelta(minutes=1)
    assert (again.events, again.waiting_since) == (first.events, first.waiting_since)
    queue.acknowledge([again.receipt])
    assert queue.receive(10) == []


def test_each_message_comes_again_after_its_own_time(queue: LandingEvents) -> None:
    queue.send([{"n": number} for number in range(12)])
    found = [message for _ in range(2) for message in receive(queue)]
    assert len(found) == 12

    queue.give_back({message.receipt: 0 if number % 2 else 600 for number, message in enumerate(found)})

    assert sorted(message.events[0].text for message in queue.receive(20, wait=2)) == sorted(
        message.events[0].text for message in found[1::2]
    )
