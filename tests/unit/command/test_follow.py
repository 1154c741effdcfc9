"""Waiting ends when all is done, when nothing more will come, or when the time is over, and says who asks."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.run_tags import days_of, range_tags
from airline_platform.settings import Settings
from command import follow
from command.dagster_client import Attempt, DagsterClient, Schedule
from command.follow import who_asks
from resources.accounts import Account

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
LATER = replace(WAITING, key="daily_flights/2013-01-02.csv", day="2013-01-02")


def done(*accounts: Account) -> list[Account]:
    return [replace(each, state="loaded") for each in accounts]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the queue lies an event, and nothing is quiet for long."""
    monkeypatch.setattr(follow, "queue_depth", lambda _settings, _queue: 1)
    monkeypatch.setattr(follow, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.01)


@pytest.fixture
def seconds_waited(no_stack: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Wait for a file that nobody loads."""

    def waited(client: DagsterClient, timeout: float) -> tuple[float, str]:
        monkeypatch.setattr(follow, "account", lambda _settings: [WAITING])
        monkeypatch.setattr(follow, "follow_up", lambda _settings, waiting: waiting)
        began = datetime.now(UTC)
        left: Sequence[Account] = follow.wait(no_stack, client, timeout)
        assert left == [WAITING]
        return (datetime.now(UTC) - began).total_seconds(), capfd.readouterr().err

    return waited


class Looks:
    """What listings of the landing bucket show, one after the other, and how often each place is asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *listings: list[Account]) -> None:
        self._listings, self.listed, self.asked = list(listings), 0, [0]
        self.loaded_after = 3
        monkeypatch.setattr(follow, "account", self.account)
        monkeypatch.setattr(follow, "follow_up", self.follow_up)

    def account(self, _settings: Settings) -> list[Account]:
        self.listed += 1
        return self._listings.pop(0) if len(self._listings) > 1 else self._listings[0]

    def follow_up(self, _settings: Settings, waiting: Sequence[Account]) -> list[Account]:
        self.asked.append(len(waiting))
        return done(*waiting) if len(self.asked) > self.loaded_after else list(waiting)


def test_the_bucket_is_listed_twice_however_long_something_waits(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch, [*done(LATER), WAITING], done(LATER, WAITING))
    looks.loaded_after = 20

    assert follow.wait(no_stack, Asked("RUNNING"), 60) == done(LATER, WAITING)

    assert (looks.listed, looks.asked) == (2, [0] + [1] * 20)


def test_what_lands_during_the_wait_is_waited_for_too(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch, [WAITING], [*done(WAITING), LATER], done(WAITING, LATER))

    assert follow.wait(no_stack, Asked("RUNNING"), 60) == done(WAITING, LATER)
    assert looks.listed == 3


def test_where_nothing_waits_the_bucket_is_listed_once(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = Looks(monkeypatch, done(WAITING))

    assert follow.wait(no_stack, Asked("RUNNING"), 60) == done(WAITING)
    assert (looks.listed, looks.asked) == (1, [0])


def test_what_was_deleted_is_not_waited_for_once_everything_is_quiet(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "queue_depth", lambda _settings, _queue: 0)
    monkeypatch.setattr(follow, "QUIET_SECONDS", 60)
    looks = Looks(monkeypatch, [WAITING], [])

    assert follow.wait(no_stack, Asked("RUNNING"), 60) == []
    assert looks.listed == 2


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


DAYS = range_tags("2013-01-01", "2013-01-03")


class Backfilled(DagsterClient):
    """A Dagster that took down what it was to launch, and whose runs end one way or another."""

    def __init__(self, *statuses: str) -> None:
        super().__init__("http://127.0.0.1:1")
        self.launched: list[tuple[str, Mapping[str, str]]] = []
        self._statuses = statuses

    def launch(self, job: str, tags: Mapping[str, str], assets: Sequence[str] = ()) -> str:
        assert not assets
        self.launched.append((job, tags))
        return str(len(self.launched))

    def last_attempts(self, tag: str, value: str) -> list[Attempt]:
        return [
            Attempt(str(number), status, None, {tag: value, **DAYS})
            for number, status in enumerate(self._statuses)
        ]


def test_a_backfill_is_as_few_runs_as_the_settings_allow_and_all_share_a_tag(no_stack: Settings) -> None:
    settings = no_stack.model_copy(update={"max_partitions_per_run": 2})
    client = Backfilled()
    name = follow.backfill(settings, client, FLIGHTS, ["2013-01-01", "2013-01-02", "2013-01-03"])

    assert [job for job, _ in client.launched] == ["flights_job", "flights_job"]
    assert {tags["airline/backfill"] for _, tags in client.launched} == {name}
    assert [days_of(tags) for _, tags in client.launched] == [
        ("2013-01-01", "2013-01-02"),
        ("2013-01-03", "2013-01-03"),
    ]


def test_a_backfill_of_which_a_run_failed_says_which_days_are_not_done() -> None:
    expected = r"3 of 6 days are done; not done: 2013-01-01..2013-01-03 \(FAILURE\)"
    with pytest.raises(AirlineError, match=expected):
        follow.follow(Backfilled("SUCCESS", "FAILURE"), "name", 6, timeout=10)


def test_a_backfill_that_is_still_under_way_goes_on_without_whoever_waited() -> None:
    with pytest.raises(AirlineError, match="did not end within 0 s; 3 of 6 days are done"):
        follow.follow(Backfilled("SUCCESS", "STARTED"), "name", 6, timeout=0)


def test_a_backfill_all_of_whose_runs_succeeded_is_done() -> None:
    follow.follow(Backfilled("SUCCESS", "SUCCESS"), "name", 6, timeout=10)
