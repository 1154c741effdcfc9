"""What a stop has lost is sent again: an event for every landed file without a verdict."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from airline_platform.settings import Settings
from command.deploy import recovery
from command.deploy.recovery import resend_landing_events
from resources.accounts import Account
from resources.queue import LandingEvents, read_events

AT = datetime(2013, 1, 2, tzinfo=UTC)


def test_each_landed_file_without_a_verdict_gets_an_event_that_the_sensor_reads(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"a": "loaded", "b": "waiting", "c": "rejected", "d": "waiting"}
    accounts = [
        Account(
            "flights", "2013-01-01", f"daily_flights/date=2013-01-01/{name}.csv", f"etag-{name}", AT, state
        )
        for name, state in states.items()
    ]
    sent: list[Mapping[str, object]] = []

    def send(queue: LandingEvents, events: Sequence[Mapping[str, object]]) -> None:
        assert queue.queue == no_stack.landing_queue
        sent.extend(events)

    monkeypatch.setattr(recovery, "account", lambda _settings: accounts)
    monkeypatch.setattr(LandingEvents, "send", send)

    assert resend_landing_events(no_stack) == 2

    events = [event for each in sent for event in read_events(json.dumps(each))]
    assert [(event.key[-5:], event.etag, event.at) for event in events] == [
        ("b.csv", "etag-b", AT),
        ("d.csv", "etag-d", AT),
    ]
    assert len({event.version for event in events}) == 2
