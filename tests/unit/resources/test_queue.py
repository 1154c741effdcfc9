"""A message of the queue is an event with a key, or it has none; it never stops the sensor."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from resources.queue import LandingEvent, landing_event, read_events

# As EventBridge delivers it; keys are not URL-encoded there.
OBJECT_CREATED: dict[str, Any] = {
    "version": "0",
    "source": "aws.s3",
    "time": "2013-01-02T03:04:05Z",
    "detail-type": "Object Created",
    "detail": {
        "bucket": {"name": "airline-landing"},
        "object": {"key": "daily_flights/date=2013-01-01/JFK + LGA é.csv", "size": 7, "etag": "d41d8cd9"},
        "reason": "PutObject",
    },
}


EVENT = LandingEvent(
    "daily_flights/date=2013-01-01/JFK + LGA é.csv",
    "d41d8cd9",
    size=7,
    at=datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC),
    bucket="airline-landing",
)

# As S3 itself delivers it.
RECORD: dict[str, Any] = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "us-east-1",
    "eventTime": "2013-01-02T03:04:05.000Z",
    "eventName": "ObjectCreated:Put",
    "s3": {
        "s3SchemaVersion": "1.0",
        "bucket": {"name": "airline-landing", "arn": "arn:aws:s3:::airline-landing"},
        "object": {
            "key": "daily_flights/date%3D2013-01-01/JFK+%2B+LGA+%C3%A9.csv",
            "size": 7,
            "eTag": "d41d8cd9",
        },
    },
}
TEST_EVENT = {
    "Service": "Amazon S3",
    "Event": "s3:TestEvent",
    "Time": "2013-01-02T03:04:05.000Z",
    "Bucket": "airline-landing",
    "RequestId": "5582815E1AEA5ADF",
    "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR+YstdA6Knx4Ip8EXAMPLE",
}


def by_sns(message: object) -> dict[str, str]:
    """What SNS makes of a message where raw delivery is off."""
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:us-east-1:airline:landed",
        "Subject": "Amazon S3 Notification",
        "Message": json.dumps(message),
        "Timestamp": "2013-01-02T03:04:06.000Z",
    }


@pytest.mark.parametrize("message", [OBJECT_CREATED, {"Records": [RECORD]}])
@pytest.mark.parametrize("wrap", [dict, by_sns, lambda message: by_sns(by_sns(message))])
def test_an_event_is_the_same_in_whichever_form_it_comes(
    message: dict[str, Any], wrap: Callable[[object], object]
) -> None:
    assert read_events(json.dumps(wrap(message))) == (EVENT,)


@pytest.mark.parametrize(
    ("ids", "version"),
    [
        ({"version-id": "v1", "versionId": "v1", "sequencer": "0055"}, "v1"),
        ({"sequencer": "0055"}, "0055"),
        ({}, ""),
    ],
)
def test_both_forms_tell_one_version_from_the_next_alike(ids: dict[str, str], version: str) -> None:
    detail = OBJECT_CREATED["detail"] | {"object": {"key": "k"} | ids}
    record = RECORD | {"s3": RECORD["s3"] | {"object": {"key": "k"} | ids}}

    for message in (OBJECT_CREATED | {"detail": detail}, {"Records": [record]}):
        assert [found.version for found in read_events(json.dumps(message))] == [version]


def test_a_notification_gives_as_many_events_as_it_has_records() -> None:
    other = RECORD | {"eventName": "ObjectRemoved:DeleteMarkerCreated"}
    nothing = [{"eventSource": "aws:sns", "Sns": {}}, None, RECORD | {"eventName": "ObjectTagging:Put"}]

    found = read_events(json.dumps({"Records": [RECORD, other, *nothing]}))

    assert [event.key for event in found] == [EVENT.key, EVENT.key, None, None, None]
    assert [event.deleted for event in found] == [False, True, False, False, False]
    assert [json.loads(event.text) for event in found[2:]] == nothing


@pytest.mark.parametrize(
    ("name", "deleted"),
    [
        ("ObjectCreated:CompleteMultipartUpload", False),
        ("ObjectRemoved:Delete", True),
        ("ObjectRemoved:DeleteMarkerCreated", True),
        ("LifecycleExpiration:Delete", True),
    ],
)
def test_a_notification_says_whether_the_object_is_gone(name: str, deleted: bool) -> None:
    (found,) = read_events(json.dumps({"Records": [RECORD | {"eventName": name}]}))

    assert (found.key, found.deleted) == (EVENT.key, deleted)


@pytest.mark.parametrize(
    ("encoded", "key"),
    [("a%2Bb+c%25.csv", "a+b c%.csv"), ("100%", "100%"), ("%E6%9D%B1.csv", "東.csv"), ("a%FF", "a\udcff")],
)
def test_the_key_of_a_notification_is_decoded_once(encoded: str, key: str) -> None:
    record = RECORD | {"s3": {"object": {"key": encoded}}}

    assert [found.key for found in read_events(json.dumps({"Records": [record]}))] == [key]


@pytest.mark.parametrize("wrap", [dict, by_sns])
def test_s3_trying_the_queue_is_no_event(wrap: Callable[[object], object]) -> None:
    assert read_events(json.dumps(wrap(TEST_EVENT))) == ()


def test_an_object_deleted_event_says_so() -> None:
    (found,) = read_events(json.dumps(OBJECT_CREATED | {"detail-type": "Object Deleted"}))

    assert found.deleted


def test_an_event_of_our_own_is_read_like_one_of_s3() -> None:
    (found,) = read_events(
        json.dumps(landing_event("k", "e", "reconciled 1", datetime(2013, 1, 1, tzinfo=UTC)))
    )

    assert (found.key, found.etag, found.version, found.deleted) == ("k", "e", "reconciled 1", False)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "null",
        "[]",
        "1",
        '"detail"',
        "{}",
        '{"detail": null}',
        '{"detail": {"object": null}}',
        '{"detail": {"object": []}}',
        '{"detail": {"object": "key"}}',
        '{"detail": {"object": {"etag": "e"}}}',
        '{"Records": []}',
        '{"Records": {"s3": 1}}',
        '{"Type": "Notification", "Message": "hello"}',
        '{"Type": "Notification", "Message": null}',
        '{"Type": "SubscriptionConfirmation", "Message": "{}"}',
        '{"Event": "s3:TestEvent"}',
        '{"detail": {"object": {"key": "k"}}',
        "1" * 5000,
    ],
)
def test_what_is_no_event_has_no_key_and_keeps_its_text(body: str) -> None:
    assert read_events(body) == (LandingEvent(None, text=body),)


def test_an_event_without_an_entity_tag_still_has_its_key() -> None:
    assert read_events('{"detail": {"object": {"key": "k"}}}') == (LandingEvent("k"),)
