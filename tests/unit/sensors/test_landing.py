"""A tick of the landing sensor asks for runs, and acknowledges only what the tick before it has used."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dagster import DagsterInstance, ResourceDefinition, SensorResult, SkipReason, build_sensor_context
from pydantic import PrivateAttr

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings, get_settings
from resources.landing import Landing
from resources.queue import LandingEvents, Message, read_events
from resources.topic import Notifier
from resources.warehouse.resource import Warehouse
from sensors.landing import landing_sensor

pytestmark = pytest.mark.usefixtures("no_stack")


class Queue(LandingEvents):
    """A queue that holds given messages, and keeps what becomes of them."""

    _messages: list[Message] = PrivateAttr(default_factory=list)
    _acknowledged: list[str] = PrivateAttr(default_factory=list)
    _later: dict[str, int] = PrivateAttr(default_factory=dict)
    _receptions: int = PrivateAttr(default=0)

    def hold(self, *keys: str) -> "Queue":
        for key in keys:
            body = json.dumps({"detail": {"object": {"key": key, "etag": "e1"}}})
            self._messages.append(Message(f"receipt of {key}", read_events(body), datetime.now(UTC)))
        return self

    def receive(self, limit: int, *, wait: int = 0) -> list[Message]:  # noqa: ARG002 - nothing to wait for
        self._receptions += 1
        return self._messages[:limit]

    def acknowledge(self, receipts: Sequence[str]) -> None:
        self._acknowledged += receipts

    def give_back(self, waits: Mapping[str, int]) -> None:
        self._later |= waits

    @property
    def acknowledged(self) -> list[str]:
        return self._acknowledged

    @property
    def receptions(self) -> int:
        return self._receptions

    @property
    def later(self) -> dict[str, int]:
        return self._later


class Ledger(Warehouse):
    """A ledger that knows no file."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        return []


class Away(Ledger):
    """A warehouse that does not answer."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        raise StackUnavailable("the warehouse does not answer", remedy="Wait.")


class Unasked(Ledger):
    """A warehouse that must not be woken up."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        pytest.fail(f"the warehouse was asked {sql}")


FLIGHTS, AIRPORTS = "daily_flights/date=2013-01-01/flights.csv", "airport_codes/airport_codes.csv"


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def tick(
    instance: DagsterInstance,
    queue: LandingEvents,
    cursor: str | None = None,
    warehouse: type[Warehouse] = Ledger,
) -> Any:
    resources = {
        "landing": Landing.of(get_settings()),
        "landing_events": queue,
        "warehouse": warehouse.of(get_settings()),
        "notifier": Notifier.of(get_settings()),
    }
    hardcoded = {name: ResourceDefinition.hardcoded_resource(it) for name, it in resources.items()}
    context = build_sensor_context(instance=instance, cursor=cursor, resources=hardcoded)
    done = landing_sensor(context)
    return done, context.cursor


def test_what_landed_is_asked_for_and_its_receipt_is_kept_for_the_next_tick(
    instance: DagsterInstance,
) -> None:
    queue = Queue.of(get_settings()).hold(FLIGHTS)
    done, _ = tick(instance, queue)

    assert isinstance(done, SensorResult)
    assert [request.job_name for request in done.run_requests or ()] == ["flights_job"]
    assert queue.acknowledged == []
    assert json.loads(done.cursor or "") == [f"receipt of {FLIGHTS}"]


def test_what_the_tick_before_has_used_is_acknowledged_and_forgotten(instance: DagsterInstance) -> None:
    queue = Queue.of(get_settings())
    done, cursor = tick(instance, queue, cursor='["used"]', warehouse=Unasked)

    assert queue.acknowledged == ["used"]
    assert (done, cursor) == (SkipReason("Nothing has landed."), "[]")


def test_what_waits_for_a_dimension_is_given_back_and_not_acknowledged(instance: DagsterInstance) -> None:
    queue = Queue.of(get_settings()).hold(FLIGHTS, AIRPORTS)
    done, _ = tick(instance, queue)

    assert [request.job_name for request in done.run_requests] == ["airports_job"]
    assert json.loads(done.cursor) == [f"receipt of {AIRPORTS}"]
    assert list(queue.later) == [f"receipt of {FLIGHTS}"]
    assert timedelta(seconds=queue.later[f"receipt of {FLIGHTS}"]) < timedelta(minutes=5)


def test_while_the_warehouse_is_away_no_message_is_received_twice_and_all_are_used_when_it_is_back(
    instance: DagsterInstance,
) -> None:
    queue, cursor = Queue.of(get_settings()).hold(FLIGHTS), '["used"]'
    for _ in range(50):
        done, cursor = tick(instance, queue, cursor, Away)
        assert "the warehouse does not answer" in (done.skip_message or "")

    assert queue.receptions == 1
    assert queue.later == {f"receipt of {FLIGHTS}": 0}
    assert queue.acknowledged == ["used"]
    done, _ = tick(instance, queue, cursor)
    assert [request.job_name for request in done.run_requests] == ["flights_job"]
    assert json.loads(done.cursor) == [f"receipt of {FLIGHTS}"]


def test_without_a_stack_a_tick_says_so(instance: DagsterInstance, no_stack: Settings) -> None:
    done, _ = tick(instance, LandingEvents.of(get_settings()))

    assert isinstance(done, SkipReason)
    assert f"no laptop stack runs in {no_stack.home}" in (done.skip_message or "")
