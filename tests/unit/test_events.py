"""A message of the queue is an event with a key, or it has none; it never stops the sensor."""

import json
from datetime import UTC, datetime

import pytest

from resources.events import LandingEvent, landing_event, parse_event

# As EventBridge delivers it; keys are not URL-encoded there.
OBJECT_CREATED = {
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


def test_an_object_created_event_gives_the_key_as_it_is_and_the_entity_tag() -> None:
    body = json.dumps(OBJECT_CREATED)

    assert parse_event("receipt", body) == LandingEvent(
        "receipt",
        "daily_flights/date=2013-01-01/JFK + LGA é.csv",
        "d41d8cd9",
        body,
        size=7,
        at=datetime(2013, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def test_an_object_deleted_event_says_so() -> None:
    body = json.dumps(OBJECT_CREATED | {"detail-type": "Object Deleted"})

    assert parse_event("receipt", body).deleted


def test_an_event_of_our_own_is_read_like_one_of_s3() -> None:
    found = parse_event(
        "r", json.dumps(landing_event("k", "e", "reconciled 1", datetime(2013, 1, 1, tzinfo=UTC)))
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
        '{"Records": [{"s3": {"object": {"key": "k"}}}]}',
        '{"detail": {"object": {"key": "k"}}',
        "1" * 5000,
    ],
)
def test_what_is_no_event_has_no_key_and_keeps_its_text(body: str) -> None:
    assert parse_event("receipt", body) == LandingEvent("receipt", None, "", body)


def test_an_event_without_an_entity_tag_still_has_its_key() -> None:
    assert parse_event("r", '{"detail": {"object": {"key": "k"}}}') == LandingEvent(
        "r", "k", "", '{"detail": {"object": {"key": "k"}}}'
    )
