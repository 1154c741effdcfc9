"""Waiting ends when all is done, when nothing more will come, or when the time is over, and says who asks."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from airline_platform import travel
from airline_platform.accounting import Account
from airline_platform.dagster_client import DagsterClient, Schedule
from airline_platform.settings import Settings
from airline_platform.travel import who_asks

SIX = datetime(2033, 6, 1, 6, tzinfo=UTC)
SOON = timedelta(seconds=0.4)


class Asked(DagsterClient):
    """A Dagster whose sensor and schedules are as given, and that has nothing to do."""

    def __init__(self, listener: str, *schedules: Schedule) -> None:
        super().__init__("http://127.0.0.1:1")
        self._listener, self._schedules = listener, schedules

    def sensors(self) -> dict[str, str]:
        return {"landing_sensor": self._listener}

    def schedules(self) -> list[Schedule]:
        return list(self._schedules)

    def unfinished_runs(self) -> int:
        return 0


def running(feed: str, at: datetime = SIX) -> Schedule:
    return Schedule(f"{feed}_schedule", "RUNNING", at)


STOPPED = Schedule("flights_schedule", "STOPPED", None)
OTHERS = [running("bookings"), Schedule("freshness_schedule", "RUNNING", SIX)]


def test_where_events_start_runs_there_is_no_hour_to_tell() -> None:
    assert who_asks(Asked("RUNNING", running("flights")), {"flights"}) is None


def test_where_nothing_waits_there_is_no_hour_to_tell() -> None:
    assert who_asks(Asked("STOPPED", running("flights")), set()) is None


def test_the_hours_of_the_feeds_that_wait_are_told_the_next_one_first() -> None:
    client = Asked("STOPPED", running("flights", SIX + timedelta(minutes=10)), running("airports"), *OTHERS)

    assert who_asks(client, {"airports", "flights"}) == (
        "landing_sensor is stopped; what waits is asked for by airports_schedule at 2033-06-01 06:00 UTC, "
        "flights_schedule at 2033-06-01 06:10 UTC."
    )


def test_that_nobody_will_ask_is_told_as_well() -> None:
    assert who_asks(Asked("STOPPED", STOPPED, *OTHERS), {"flights"}) == (
        "landing_sensor is stopped, and so is every schedule of flights."
    )


WAITING = Account("flights", "2013-01-01", "daily_flights/2013-01-01.csv", "e", SIX, "waiting")


@pytest.fixture
def seconds_waited(no_stack: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Wait for a file that nobody loads, by a queue in which its event lies; nothing is quiet for long."""

    def waited(client: DagsterClient, timeout: float) -> tuple[float, str]:
        monkeypatch.setattr(travel, "account", lambda _settings: [WAITING])
        monkeypatch.setattr(travel, "queue_depth", lambda _settings, _queue: 1)
        monkeypatch.setattr(travel, "QUIET_SECONDS", 0.1)
        monkeypatch.setattr(travel, "POLL_SECONDS", 0.01)
        began = datetime.now(UTC)
        left: Sequence[Account] = travel.wait(no_stack, client, timeout)
        assert left == [WAITING]
        return (datetime.now(UTC) - began).total_seconds(), capfd.readouterr().err

    return waited


def test_an_event_that_somebody_reads_is_waited_for(seconds_waited) -> None:
    seconds, told = seconds_waited(Asked("RUNNING"), 0.4)

    assert seconds >= 0.4
    assert "is stopped" not in told


def test_an_event_that_nobody_reads_is_not_waited_for_and_the_hour_is_told(seconds_waited) -> None:
    seconds, told = seconds_waited(Asked("STOPPED", running("flights")), 5)

    assert 0.1 <= seconds < 5
    assert "flights_schedule at 2033-06-01 06:00 UTC" in told


def test_an_hour_that_comes_in_time_is_waited_for(seconds_waited) -> None:
    seconds, _ = seconds_waited(Asked("STOPPED", running("flights", datetime.now(UTC) + SOON)), 0.6)

    assert seconds >= 0.6
