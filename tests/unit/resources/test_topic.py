"""Alerts: one id for one happening, and a message that SNS and the warehouse can take whatever is in it."""

from dataclasses import replace

import boto3
import pytest
from botocore.stub import Stubber

from airline_platform.settings import Settings
from resources import topic
from resources.topic import MAX_MESSAGE_BYTES, Alert, Notifier, describe_days

ALERT = Alert("refused", "Refused: a file", ["line 1: no header"], feed="flights", run_id="r", about=["a e1"])
ARN = "arn:aws:sns:us-east-1:000000000000:airline-alerts"


def test_an_alert_about_the_same_happening_has_the_same_id_whatever_it_says() -> None:
    again = replace(ALERT, subject="Refused again", lines=["line 2"], run_id="another run")

    assert again.alert_id == ALERT.alert_id
    assert len(ALERT.alert_id) == 32


@pytest.mark.parametrize("other", [{"event": "gone"}, {"feed": "bookings"}, {"about": ["a e2"]}])
def test_another_happening_has_another_id(other: dict[str, str]) -> None:
    assert replace(ALERT, **other).alert_id != ALERT.alert_id


def test_an_alert_about_nothing_in_particular_is_told_apart_by_its_words() -> None:
    nameless = replace(ALERT, about=())

    assert replace(nameless, run_id="x").alert_id == nameless.alert_id
    assert replace(nameless, lines=["line 2"]).alert_id != nameless.alert_id


def test_a_message_is_cut_to_what_fits_and_never_inside_a_character() -> None:
    message = replace(ALERT, lines=["é" * MAX_MESSAGE_BYTES]).message

    assert MAX_MESSAGE_BYTES - 2 < len(message.encode()) <= MAX_MESSAGE_BYTES
    assert message.endswith("é")


def test_a_message_is_text_whatever_a_file_has_put_into_it() -> None:
    message = replace(ALERT, lines=["a\0b", "half a pair: \ud800"]).message

    assert message == "Refused: a file\n\nab\nhalf a pair: ?"


def test_a_message_is_sent_with_a_subject_and_attributes_that_sns_takes(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = boto3.client("sns", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(topic, "make_client", lambda *_: client)
    with Stubber(client) as stub:
        stub.add_response("create_topic", {"TopicArn": ARN}, {"Name": "airline-alerts"})
        expected = {
            "TopicArn": ARN,
            "Subject": "Zur?ck: a?b" + "x" * 88,
            "Message": "m",
            "MessageAttributes": {"event": {"DataType": "String", "StringValue": "gone"}},
        }
        stub.add_response("publish", {"MessageId": "id"}, expected)

        long = "  Zurück: a\nb" + "x" * 200
        sent = Notifier.of(no_stack).send(long, "m", {"event": "gone", "feed": ""})

        stub.assert_no_pending_responses()
    assert sent == "id"


@pytest.mark.parametrize(
    ("days", "words"),
    [
        ([], ""),
        (["2013-01-01"], "2013-01-01"),
        (["2013-01-03", "2013-01-01"], "2 days 2013-01-01 to 2013-01-03"),
    ],
)
def test_days_are_told_in_few_words(days: list[str], words: str) -> None:
    assert describe_days(days) == words
