"""Alerts are written with what they tell of, published after it, once where nothing fails, and never lost."""

import json
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError
from pydantic import PrivateAttr

from airline_platform.settings import get_settings
from resources.aws.client import make_client
from resources.topic import Alert, Notifier
from resources.warehouse import outbox
from resources.warehouse.own_tables import ALERT_OUTBOX
from resources.warehouse.resource import Warehouse

LOADED = Alert("loaded", "Loaded 3 rows", ["Rejected: 0"], feed="flights", run_id="run-1", about=["a"])
GONE = Alert("gone", "A file is gone", ["k"], about=["b"])


class Refusing(Notifier):
    """SNS, which takes so many messages and refuses the others."""

    _left: int = PrivateAttr(default=0)

    def send(self, *message: Any) -> str:
        if not self._left:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "too many"}}, "Publish")
        self._left -= 1
        return super().send(*message)


class Strict(Notifier):
    """SNS, which refuses some subjects for good."""

    _refused: tuple[str, ...] = PrivateAttr(default=())

    def send(self, subject: str, *rest: Any) -> str:
        if subject.startswith(self._refused):
            answer = {"Error": {"Code": "InvalidParameter", "Message": "Invalid parameter: Subject"}}
            raise ClientError(answer, "Publish")
        return super().send(subject, *rest)

    def refusing(self, *subjects: str) -> "Strict":
        self._refused = subjects
        return self


class Inbox:
    """A queue that is subscribed to the topic of the alerts."""

    def __init__(self) -> None:
        self._sqs, sns = (make_client(get_settings(), name) for name in ("sqs", "sns"))
        self._url = self._sqs.create_queue(QueueName="inbox-of-a-test")["QueueUrl"]
        attributes = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        topic = sns.create_topic(Name=get_settings().alerts_topic)["TopicArn"]
        sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=attributes["Attributes"]["QueueArn"])

    def read(self) -> list[dict[str, Any]]:
        """What has come since the last time."""
        found: list[dict[str, Any]] = []
        while messages := self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get(
            "Messages"
        ):
            found += [json.loads(message["Body"]) for message in messages]
            for message in messages:
                self._sqs.delete_message(QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def subjects(self) -> list[str]:
        return [message["Subject"] for message in self.read()]

    def close(self) -> None:
        self._sqs.delete_queue(QueueUrl=self._url)


@pytest.fixture(scope="module")
def inbox(server: Warehouse) -> Iterator[Inbox]:
    del server
    found = Inbox()
    yield found
    found.close()


@pytest.fixture
def warehouse(server: Warehouse, inbox: Inbox) -> Warehouse:
    """With an empty outbox, and nothing on its way."""
    with server.transaction() as session:
        session.execute(f"DELETE FROM {ALERT_OUTBOX.qualified_name}")
    inbox.read()
    return server


@pytest.fixture
def notifier() -> Notifier:
    return Notifier.of(get_settings())


def put(warehouse: Warehouse, *alerts: Alert) -> None:
    with warehouse.transaction() as session:
        outbox.put(session, alerts)


def waiting(warehouse: Warehouse) -> list[str]:
    sql = "SELECT subject FROM airlines.alert_outbox WHERE sent_at IS NULL ORDER BY subject"
    return [row["subject"] for row in warehouse.query(sql)]


def test_an_alert_is_published_once_with_what_machines_filter_by(
    warehouse: Warehouse, notifier: Notifier, inbox: Inbox
) -> None:
    put(warehouse, LOADED, LOADED)
    put(warehouse, LOADED)

    assert (outbox.send(warehouse, notifier), outbox.send(warehouse, notifier)) == (1, 0)
    (message,) = inbox.read()
    assert (message["Subject"], message["Message"]) == ("Loaded 3 rows", LOADED.message)
    assert {name: value["Value"] for name, value in message["MessageAttributes"].items()} == {
        "alert_id": LOADED.alert_id,
        "event": "loaded",
        "feed": "flights",
        "run_id": "run-1",
    }


def test_an_alert_of_a_transaction_that_was_rolled_back_did_not_happen(
    warehouse: Warehouse, notifier: Notifier
) -> None:
    with suppress(ZeroDivisionError), warehouse.transaction() as session:
        outbox.put(session, [LOADED])
        raise ZeroDivisionError

    assert outbox.send(warehouse, notifier) == 0


def test_a_run_sends_its_own_and_the_sensor_what_has_waited_long_enough(
    warehouse: Warehouse, notifier: Notifier, inbox: Inbox
) -> None:
    put(warehouse, LOADED, GONE)

    assert outbox.send(warehouse, notifier, at_least_old=timedelta(hours=1)) == 0
    assert outbox.send(warehouse, notifier, "run-1") == 1
    assert (inbox.subjects(), waiting(warehouse)) == (["Loaded 3 rows"], ["A file is gone"])
    assert outbox.send(warehouse, notifier) == 1


def test_what_sns_refuses_waits_and_is_sent_the_next_time(
    warehouse: Warehouse, notifier: Notifier, inbox: Inbox
) -> None:
    put(warehouse, LOADED, GONE)
    refusing = Refusing.of(get_settings())
    refusing._left = 1

    why = outbox.try_to_send(warehouse, refusing)

    assert why is not None
    assert "too many" in why
    assert len(waiting(warehouse)) == 1
    assert outbox.try_to_send(warehouse, notifier) is None
    assert sorted(inbox.subjects()) == ["A file is gone", "Loaded 3 rows"]


def test_an_alert_that_sns_never_takes_is_set_aside_told_of_and_holds_up_no_other(
    warehouse: Warehouse, inbox: Inbox
) -> None:
    put(warehouse, LOADED)
    put(warehouse, GONE)
    strict = Strict.of(get_settings()).refusing("Loaded")

    assert outbox.try_to_send(warehouse, strict) is None
    assert outbox.try_to_send(warehouse, strict) is None

    told, gone = inbox.read()
    assert (told["Subject"], gone["Subject"]) == ("FAILED to send an alert: loaded flights", "A file is gone")
    assert "Invalid parameter: Subject" in told["Message"]
    assert f"WHERE alert_id = '{LOADED.alert_id}'" in told["Message"]
    sql = "SELECT subject, refusal FROM airlines.alert_outbox WHERE sent_at IS NULL"
    ((subject, refusal),) = ((row["subject"], row["refusal"]) for row in warehouse.query(sql))
    assert subject == "Loaded 3 rows"
    assert "Invalid parameter: Subject" in refusal


def test_where_sns_takes_no_alert_at_all_none_is_set_aside(
    warehouse: Warehouse, notifier: Notifier, inbox: Inbox
) -> None:
    put(warehouse, LOADED, GONE)
    why = outbox.try_to_send(warehouse, Strict.of(get_settings()).refusing(""))

    assert why is not None
    assert "InvalidParameter" in why
    assert outbox.send(warehouse, notifier) == 2
    assert sorted(inbox.subjects()) == ["A file is gone", "Loaded 3 rows"]


def test_an_alert_is_published_also_where_the_warehouse_is_what_fails(
    warehouse: Warehouse, notifier: Notifier, inbox: Inbox
) -> None:
    nowhere = Warehouse(secret_id="there/is/none", aws=warehouse.aws)

    outbox.write_and_send(LOADED, nowhere, notifier)
    outbox.write_and_send(GONE, warehouse, notifier)

    assert sorted(inbox.subjects()) == ["A file is gone", "Loaded 3 rows"]
    assert waiting(warehouse) == []


def test_what_never_arrived_after_a_recovery_is_sent_again(warehouse: Warehouse, notifier: Notifier) -> None:
    put(warehouse, LOADED, GONE)
    outbox.send(warehouse, notifier)

    with warehouse.transaction() as session:
        outbox.forget_sent(session, [GONE.alert_id])

    assert waiting(warehouse) == ["Loaded 3 rows"]
