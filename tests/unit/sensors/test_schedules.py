"""At an hour, whatever has landed and has no verdict is asked for once, whoever else asks beside it."""

import json
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

import pytest
from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultScheduleStatus,
    RunRequest,
    SkipReason,
    build_schedule_context,
)
from hypothesis import given
from hypothesis import strategies as st
from pydantic import PrivateAttr

from airline_platform.contract.feed import Feed
from airline_platform.days import last_day
from airline_platform.errors import StackNotStarted
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from resources.acceptance.landed import Version
from resources.landing import Landing, Page
from resources.topic import Notifier
from resources.warehouse.ledger import JUDGED_BETWEEN_KEYS, State, Verdict
from resources.warehouse.resource import Warehouse
from sensors import schedules
from sensors.reconciliation import compare
from sensors.schedules import cron_of, due, feed_schedule, freshness_schedule, tick
from sensors.under_way import RunUnderWay

NOW = datetime.now(UTC)
SIX = datetime(2013, 6, 1, 6, tzinfo=UTC)
SETTINGS = Settings()
HOUR, SECOND = timedelta(hours=1), timedelta(seconds=1)
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


class Bucket(Landing):
    """A landing bucket that lists a few objects a page."""

    _objects: dict[str, Version] = PrivateAttr(default_factory=dict)
    _pages: list[str] = PrivateAttr(default_factory=list)
    _now: datetime = PrivateAttr(default=NOW)

    def land(self, *versions: Version) -> "Bucket":
        self._objects |= {version.key: version for version in versions}
        return self

    def page(self, prefix: str, after: str) -> Page:
        self._pages.append(after)
        left = sorted(key for key in self._objects if key.startswith(prefix) and key > after)
        objects = tuple(self._objects[key] for key in left[:3])
        return Page(objects, after, left[2] if len(left) > 3 else None, self._now)


def verdict_on(version: Version, state: State = "loaded", reason: str | None = None) -> Verdict:
    return Verdict(
        feed="flights",
        day=version.day,
        key=version.key,
        etag=version.etag,
        state=state,
        reason=reason,
        landed_at=version.landed_at,
        loaded_at=NOW,
    )


class Ledger(Warehouse):
    """A ledger that answers the one question a tick asks, where there is nothing to write."""

    _rows: list[Mapping[str, Any]] = PrivateAttr(default_factory=list)

    def judge(self, *versions: Version, reason: str | None = None) -> "Ledger":
        verdicts = (verdict_on(version, reason=reason) for version in versions)
        self._rows += [{"partition_date": row.pop("day"), **row} for row in map(asdict, verdicts)]
        return self

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        assert sql == JUDGED_BETWEEN_KEYS
        assert parameters is not None
        return [dict(row) for row in self._rows if parameters["first"] < row["key"] <= parameters["last"]]


def flights(day: int, etag: str = "e1", name: str = "flights.csv", age: timedelta = HOUR) -> Version:
    key = f"daily_flights/date=2013-01-{day:02}/{name}"
    return Version(key, f"2013-01-{day:02}", etag, None, 1, NOW - age, current=True)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    """A schedule takes no instance that lives in memory, and one on disk takes a second to make."""
    with DagsterInstance.local_temp(str(tmp_path_factory.mktemp("dagster"))) as local:
        yield local


@pytest.fixture
def instance(stored: DagsterInstance) -> DagsterInstance:
    """Without a run."""
    stored.run_storage.wipe()
    return stored


@pytest.fixture
def trigger(monkeypatch: pytest.MonkeyPatch):
    """Set what starts runs, and how many days one takes at most."""

    def given_that(value: Literal["schedule", "both"], longest: int = 92) -> None:
        made = Settings(trigger=value, max_partitions_per_run=longest)
        monkeypatch.setattr(schedules, "get_settings", lambda: made)

    given_that("schedule")
    return given_that


def asked(
    instance: DagsterInstance, landed: Bucket, ledger: Ledger, *, feed: Feed = FLIGHTS, at: datetime = SIX
) -> list[RunRequest]:
    """What a tick asks for; one that asks for nothing says so."""
    context = build_schedule_context(instance=instance, scheduled_execution_time=at)
    found = tick(context, feed, landed, ledger, Notifier.of(SETTINGS))
    return [] if isinstance(found, SkipReason) else found


def bucket(*versions: Version) -> Bucket:
    return Bucket.of(SETTINGS).land(*versions)


def ledger(*versions: Version) -> Ledger:
    return Ledger.of(SETTINGS).judge(*versions)


def spans(requests: Sequence[RunRequest]) -> list[tuple[str, str]]:
    """First and last day of the month of each request."""
    days = [request.tags.get("dagster/partition") for request in requests]
    found = [
        (day, day) if day else (it.tags[START], it.tags[END]) for day, it in zip(days, requests, strict=True)
    ]
    return [(first[8:], last[8:]) for first, last in found]


def start(instance: DagsterInstance, requests: Sequence[RunRequest], feed: Feed = FLIGHTS) -> None:
    """The runs that were asked for, under way."""
    for request in requests:
        tags = {**request.tags, "airline/feed": feed.name}
        instance.add_run(DagsterRun(f"{feed.name}_job", status=DagsterRunStatus.STARTING, tags=tags))


@pytest.mark.usefixtures("trigger")
def test_days_in_a_row_that_have_no_verdict_are_one_run(instance: DagsterInstance) -> None:
    landed = bucket(*(flights(day) for day in (1, 2, 3, 4, 5, 8)), flights(2, name="late.csv"))

    requests = asked(instance, landed, ledger(flights(3)))

    assert spans(requests) == [("01", "02"), ("04", "05"), ("08", "08")]
    assert {request.job_name for request in requests} == {"flights_job"}


def test_a_run_takes_no_more_days_than_allowed(instance: DagsterInstance, trigger: Any) -> None:
    trigger("schedule", longest=2)

    requests = asked(instance, bucket(*(flights(day) for day in range(1, 6))), ledger())

    assert spans(requests) == [("01", "02"), ("03", "04"), ("05", "05")]


@pytest.mark.usefixtures("trigger")
def test_airports_are_one_run_without_days(instance: DagsterInstance) -> None:
    keys = ("airport_codes/a.csv", "airport_codes/b.csv")
    landed = bucket(*(Version(key, None, "e", None, 1, NOW - HOUR, current=True) for key in keys))

    (request,) = asked(instance, landed, ledger(), feed=AIRPORTS)

    assert request.job_name == "airports_job"
    assert {START, END, "dagster/partition"}.isdisjoint(request.tags)


@pytest.mark.usefixtures("trigger")
def test_a_schedule_looks_below_its_feeds_prefix_alone(instance: DagsterInstance) -> None:
    landed = bucket(flights(1))

    assert [name for name, feed in FEEDS.items() if asked(instance, landed, ledger(), feed=feed)] == [
        "flights"
    ]


@pytest.mark.usefixtures("trigger")
def test_another_version_and_one_whose_source_is_back_are_asked_for(instance: DagsterInstance) -> None:
    known = ledger(flights(1, etag="old")).judge(flights(3), reason="the source is gone")

    assert spans(asked(instance, bucket(flights(1), flights(3)), known)) == [("01", "01"), ("03", "03")]


@pytest.mark.usefixtures("trigger")
def test_what_fails_is_asked_for_again_at_the_next_hour_and_by_the_same_key_in_a_retry(
    instance: DagsterInstance,
) -> None:
    landed = bucket(flights(1), flights(5))

    first, retried, next_day = (
        asked(instance, landed, ledger(), at=at) for at in (SIX, SIX, SIX + timedelta(days=1))
    )

    keys = [{request.run_key for request in requests} for requests in (first, retried, next_day)]
    assert len(keys[0]) == 2
    assert keys[0] == keys[1]
    assert keys[0].isdisjoint(keys[2])


@pytest.mark.usefixtures("trigger")
def test_a_tick_that_died_between_two_requests_asks_for_the_rest(instance: DagsterInstance) -> None:
    landed = bucket(flights(1), flights(5))
    start(instance, asked(instance, landed, ledger())[:1])

    assert spans(asked(instance, landed, ledger())) == [("05", "05")]


@pytest.mark.usefixtures("trigger")
def test_what_lands_while_its_day_is_running_is_asked_for(instance: DagsterInstance) -> None:
    start(instance, asked(instance, bucket(flights(1)), ledger()))

    landed = bucket(flights(1), flights(1, name="late.csv", age=NOW - datetime.now(UTC)))
    landed._now = datetime.now(UTC)

    assert spans(asked(instance, landed, ledger())) == [("01", "01")]


@pytest.mark.parametrize("value", ["schedule", "both"])
def test_a_file_whose_run_the_sensor_has_asked_for_is_left_alone(
    instance: DagsterInstance, trigger: Any, value: Any
) -> None:
    trigger(value)
    start(instance, [RunRequest(tags={"dagster/partition": "2013-01-01"})])

    assert asked(instance, bucket(flights(1)), ledger()) == []


@pytest.mark.parametrize(
    ("value", "age", "expected"),
    [
        ("both", timedelta(seconds=59), []),
        ("both", timedelta(seconds=60), [("01", "01")]),
        ("schedule", timedelta(0), [("01", "01")]),
        ("schedule", -SECOND / 2, [("01", "01")]),
    ],
)
def test_a_file_of_this_minute_is_left_to_its_event_where_events_start_runs(
    instance: DagsterInstance, trigger: Any, value: Any, age: timedelta, expected: Any
) -> None:
    trigger(value)

    assert spans(asked(instance, bucket(flights(1, age=age)), ledger())) == expected


FILES = st.builds(
    flights,
    st.integers(1, 12),
    etag=st.sampled_from(["e1", "e2"]),
    name=st.sampled_from(["a.csv", "b.csv"]),
    age=st.sampled_from([SECOND, HOUR]),
)


DAYS = st.integers(1, 12)


def over(first: int, last: int) -> RunUnderWay:
    return RunUnderWay(frozenset({"flights"}), f"2013-01-{first:02}", f"2013-01-{last:02}", NOW)


@given(landed=st.lists(FILES, unique_by=lambda it: it.key), known=st.lists(FILES), running=st.sets(DAYS))
def test_whatever_landed_and_has_no_verdict_is_asked_for_exactly_once(
    landed: list[Version], known: list[Version], running: Collection[int]
) -> None:
    under_way = [over(day, day) for day in running]
    verdicts = [verdict_on(version, "rejected", "no") for version in known]

    def days_asked() -> list[tuple[int, int]]:
        missing = compare(Page(tuple(landed), "", None, NOW), verdicts, grace=timedelta()).missing
        limits: Any = {"days": (date(2013, 1, 1), date(2013, 12, 31)), "longest_range": 3}
        found = due(FLIGHTS, missing, tick=SIX, under_way=under_way, **limits)
        assert found.unknown == ()
        return [(int(first), int(last)) for first, last in spans(found.requests)]

    requests = days_asked()
    judged = {version.tag for version in known}
    waiting = {int((it.day or "")[8:]) for it in landed if it.tag not in judged} - set(running)
    days = [day for first, last in requests for day in range(first, last + 1)]
    assert sorted(days) == sorted(waiting)
    under_way += [over(*request) for request in requests]
    assert days_asked() == []


@pytest.mark.usefixtures("trigger")
def test_the_last_week_comes_first_and_a_tick_that_has_looked_long_enough_says_where_it_stopped(
    instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schedules, "PAGES_PER_TICK", 3)
    today = (last_day() - timedelta(days=1)).isoformat()
    new = Version(f"daily_flights/date={today}/f.csv", today, "e", None, 1, NOW - HOUR, current=True)
    landed = bucket(*(flights(day) for day in range(1, 9)), new)

    requests = asked(instance, landed, ledger())

    assert [it.tags.get("dagster/partition", it.tags.get(START)) for it in requests] == ["2013-01-01", today]
    assert landed._pages[2:] == ["daily_flights/", flights(3).key]
    told = capfd.readouterr().err
    assert f"3 pages of daily_flights/ were compared with the ledger, the last to {flights(3).key}. " in told


@pytest.mark.usefixtures("trigger")
def test_without_a_stack_a_tick_says_so(instance: DagsterInstance, no_stack: Settings) -> None:
    with pytest.raises(StackNotStarted):
        Landing.of(no_stack).page("", "")

    context = build_schedule_context(instance=instance, scheduled_execution_time=SIX)
    found = tick(context, FLIGHTS, Landing.of(no_stack), ledger(), Notifier.of(no_stack))

    assert isinstance(found, SkipReason)
    assert f"no laptop stack runs in {no_stack.home}" in (found.skip_message or "")


@pytest.mark.parametrize(
    ("cron", "later"),
    [
        ("0 6 * * *", "10 6 * * *"),
        ("49 6 * * mon-fri", "59 6 * * mon-fri"),
        ("50 6 * * *", "50 6 * * *"),
        ("*/5 * * * *", "*/5 * * * *"),
        ("0,30 6 * * *", "0,30 6 * * *"),
    ],
)
def test_what_looks_airports_up_comes_ten_minutes_later_within_the_hour(cron: str, later: str) -> None:
    assert [cron_of(feed, cron) for feed in (AIRPORTS, SHIPMENTS)] == [cron, cron]
    assert [cron_of(feed, cron) for feed in (FLIGHTS, BOOKINGS)] == [later, later]


@pytest.mark.parametrize(
    ("value", "status"),
    [
        ("events", DefaultScheduleStatus.STOPPED),
        ("schedule", DefaultScheduleStatus.RUNNING),
        ("both", DefaultScheduleStatus.RUNNING),
    ],
)
def test_the_feeds_schedules_run_where_the_setting_says_so(
    monkeypatch: pytest.MonkeyPatch, value: Any, status: DefaultScheduleStatus
) -> None:
    monkeypatch.setattr(schedules, "get_settings", lambda: Settings(trigger=value, schedule="30 4 * * 1"))
    made = [feed_schedule(feed) for feed in FEEDS.values()]

    assert {it.name: (it.cron_schedule, it.execution_timezone) for it in made} == {
        "airports_schedule": ("30 4 * * 1", "UTC"),
        "flights_schedule": ("40 4 * * 1", "UTC"),
        "bookings_schedule": ("40 4 * * 1", "UTC"),
        "shipments_schedule": ("30 4 * * 1", "UTC"),
    }
    assert {it.default_status for it in made} == {status}


def test_freshness_is_looked_at_five_minutes_after_the_hour_at_which_files_are_due() -> None:
    assert (freshness_schedule.cron_schedule, freshness_schedule.execution_timezone) == ("5 6 * * *", "UTC")
    assert freshness_schedule.default_status == DefaultScheduleStatus.RUNNING


SENSORS = """
import json
from sensors.landing import landing_sensor
from sensors.reconciliation import reconciliation_sensor
print(json.dumps([found.default_status.value for found in (landing_sensor, reconciliation_sensor)]))
"""


@pytest.mark.parametrize(("value", "status"), [("schedule", "STOPPED"), ("both", "RUNNING")])
def test_events_start_nothing_where_the_schedule_alone_does(value: str, status: str) -> None:
    kept = {
        name: os.environ[name] for name in ("PATH", "LANG", "HOME", "LD_LIBRARY_PATH") if name in os.environ
    }
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SENSORS],
        capture_output=True,
        text=True,
        check=True,
        env=kept | {"AIRLINE_TRIGGER": value},
    )

    assert json.loads(told.stdout) == [status, status]
