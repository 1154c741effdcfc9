"""What SNS puts around a message is taken off again."""

import json

import pytest

from resources.inbox import parse_delivery

DELIVERY = {
    "Type": "Notification",
    "MessageId": "22b80b92",
    "TopicArn": "arn:aws:sns:us-east-1:000000000000:airline-alerts",
    "Subject": "Loaded daily_flights_processed 2013-01-01: 842 rows",
    "Message": "Loaded daily_flights_processed 2013-01-01: 842 rows\n\nRejected:  0 rows",
    "Timestamp": "2026-01-01T00:00:00.000Z",
    "MessageAttributes": {
        "event": {"Type": "String", "Value": "loaded"},
        "feed": {"Type": "String", "Value": "flights"},
        "run_id": {"Type": "String", "Value": "0d1f"},
    },
}


def test_a_delivery_is_the_alert_that_was_published() -> None:
    assert parse_delivery(json.dumps(DELIVERY)) == {
        "id": "22b80b92",
        "at": "2026-01-01T00:00:00.000Z",
        "event": "loaded",
        "feed": "flights",
        "run_id": "0d1f",
        "subject": DELIVERY["Subject"],
        "message": DELIVERY["Message"],
    }


@pytest.mark.parametrize(
    ("absent", "empty"), [("MessageAttributes", ["event", "feed", "run_id"]), ("Subject", ["subject"])]
)
def test_what_a_publisher_left_out_is_empty(absent: str, empty: list[str]) -> None:
    body = {name: value for name, value in DELIVERY.items() if name != absent}

    alert = parse_delivery(json.dumps(body))

    assert [name for name, value in alert.items() if value == ""] == empty


def test_an_alert_without_a_feed_has_an_empty_one() -> None:
    attributes = {"event": {"Type": "String", "Value": "unknown_key"}}

    alert = parse_delivery(json.dumps(DELIVERY | {"MessageAttributes": attributes}))

    assert (alert["event"], alert["feed"], alert["run_id"]) == ("unknown_key", "", "")
