"""Events become run requests: few runs, each asked for once, and no message lost or used twice."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote_plus

import pytest
from dagster import RunRequest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.files.keys import UnknownKey
from resources.queue import Message, read_events
from sensors.landing_plan import Plan, Version, pause, plan
from sensors.under_way import RunUnderWay

AIRPORTS_RUN = RunUnderWay(frozenset({"airports"}), "", "", datetime(2013, 1, 1, tzinfo=UTC))
DAYS = (date(2013, 1, 1), date(2013, 12, 31))
AIRPORTS_KEY = "airport_codes/airport_codes.csv"
OWN = "shipments/shipments_parquet/date=2013-01-01/part-0.parquet"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


NOW = datetime(2013, 6, 1, tzinfo=UTC)
LONGEST_WAIT = timedelta(seconds=120)


def message(receipt: str, body: object, *, waited: timedelta = timedelta()) -> Message:
    return Message(receipt, read_events(json.dumps(body)), NOW - waited)


def event(key: str, etag: str = "e1", receipt: str | None = None, **more: Any) -> Message:
    body = {"detail": {"object": {"key": key, "etag": etag}}}
    return message(receipt or f"receipt of {key} {etag}", body, **more)


def flights_key(day: int, name: str = "flights.csv", month: int = 1) -> str:
    return f"daily_flights/date=2013-{month:02}-{day:02}/{name}"


def flights(day: int, etag: str = "e1", name: str = "flights.csv", month: int = 1) -> Message:
    return event(flights_key(day, name, month), etag)


def planned(
    messages: Iterable[Message],
    *,
    ledger: Collection[Version] = (),
    longest: int = 92,
    airports_pending: bool = False,
    under_way: Collection[RunUnderWay] = (),
) -> Plan:
    return plan(
        list(messages),
        bucket="landing",
        days=DAYS,
        longest_range=longest,
        known=lambda _feed, keys: {version for version in ledger if version[0] in keys},
        now=NOW,
        longest_wait=LONGEST_WAIT,
        under_way=[*under_way, *([AIRPORTS_RUN] if airports_pending else [])],
    )


def spans(requests: Iterable[RunRequest]) -> list[tuple[str, str]]:
    """First and last day of each request, which says a single day as a partition and several as a range."""
    found = []
    for request in requests:
        day = request.tags.get("dagster/partition")
        found.append((day, day) if day else (request.tags[START], request.tags[END]))
    return found


def test_one_file_is_one_run_for_its_day() -> None:
    made = planned([flights(1)])

    (request,) = made.requests
    assert request.job_name == "flights_job"
    assert request.tags == {"dagster/partition": "2013-01-01"}
    assert made.used == [flights(1).receipt]


def test_many_days_become_ranges_not_a_run_each() -> None:
    made = planned([flights(day) for day in (1, 2, 3, 5, 6, 20)])

    assert spans(made.requests) == [
        ("2013-01-01", "2013-01-03"),
        ("2013-01-05", "2013-01-06"),
        ("2013-01-20", "2013-01-20"),
    ]
    assert START not in made.requests[2].tags


def test_both_layouts_of_a_day_are_one_run() -> None:
    made = planned([flights(1), event("daily_flights/2013-01-01.csv")])

    assert spans(made.requests) == [("2013-01-01", "2013-01-01")]
    assert len(made.used) == 2


def test_a_run_takes_no_more_days_than_allowed() -> None:
    made = planned([flights(day) for day in range(1, 11)], longest=4)

    assert spans(made.requests) == [
        ("2013-01-01", "2013-01-04"),
        ("2013-01-05", "2013-01-08"),
        ("2013-01-09", "2013-01-10"),
    ]


def test_a_message_that_comes_again_asks_for_the_same_run() -> None:
    again = event(flights_key(1), receipt="another receipt")

    first, second, both = (planned(events) for events in ([flights(1)], [again], [flights(1), again]))

    assert {made.requests[0].run_key for made in (first, second, both)} == {first.requests[0].run_key}
    assert sorted(both.used) == sorted([flights(1).receipt, "another receipt"])


def test_another_content_another_file_or_another_day_asks_for_another_run() -> None:
    asked = [
        planned(events).requests[0].run_key
        for events in (
            [flights(1)],
            [flights(1, etag="e2")],
            [flights(1, name="late.csv")],
            [flights(1), flights(1, name="late.csv")],
            [flights(2)],
        )
    ]

    assert len(set(asked)) == 5


def test_airports_go_first_and_flights_are_given_back() -> None:
    made = planned([flights(1), event(AIRPORTS_KEY), flights(2)])

    assert [request.job_name for request in made.requests] == ["airports_job"]
    assert made.requests[0].tags == {}
    assert made.used == [event(AIRPORTS_KEY).receipt]
    assert sorted(made.later) == sorted([flights(1).receipt, flights(2).receipt])


def test_flights_wait_for_airports_that_are_on_their_way() -> None:
    made = planned([flights(1)], airports_pending=True)

    assert made.requests == []
    assert list(made.later) == [flights(1).receipt]


def test_flights_do_not_wait_for_airports_that_are_loaded_already() -> None:
    made = planned([flights(1), event(AIRPORTS_KEY)], ledger={(AIRPORTS_KEY, "e1")})

    assert [request.job_name for request in made.requests] == ["flights_job"]
    assert made.later == {}


@pytest.mark.parametrize(
    ("key", "waits"),
    [("shipments/date=2013-01-01/a.json", False), ("bookings/date=2013-01-01/a.csv", True)],
)
def test_only_feeds_that_look_airports_up_wait_for_them(key: str, waits: bool) -> None:
    made = planned([event(key)], airports_pending=True)

    assert (len(made.requests), len(made.later)) == ((0, 1) if waits else (1, 0))


def test_a_version_the_ledger_knows_makes_no_run_and_is_acknowledged() -> None:
    made = planned([flights(1)], ledger={(flights_key(1), "e1")})

    assert made.requests == []
    assert made.used == [flights(1).receipt]
    assert made.known == 1


def test_known_versions_do_not_wait_for_airports() -> None:
    made = planned([flights(1)], ledger={(flights_key(1), "e1")}, airports_pending=True)

    assert (made.used, made.later) == ([flights(1).receipt], {})


def test_an_older_version_in_the_ledger_does_not_hide_a_newer_one() -> None:
    made = planned([flights(1, etag="new")], ledger={(flights_key(1), "old")})

    assert spans(made.requests) == [("2013-01-01", "2013-01-01")]
    assert made.known == 0


def test_a_key_no_feed_knows_is_told_and_acknowledged() -> None:
    made = planned([event("reports/q1.pdf"), flights(1)])

    assert [found.key for _, found in made.unknown] == ["reports/q1.pdf"]
    assert sorted(made.used) == sorted([event("reports/q1.pdf").receipt, flights(1).receipt])
    assert spans(made.requests) == [("2013-01-01", "2013-01-01")]


def test_a_message_that_is_no_event_is_told_with_its_text() -> None:
    made = planned([message("r", {"hello": "world"})])

    assert [found for _, found in made.unknown] == [
        UnknownKey('{"hello": "world"}', "the message is not an Object Created event")
    ]
    assert made.used == ["r"]


def test_each_message_that_is_no_event_is_told() -> None:
    made = planned([message("r", {"hello": "world"}), message("s", {"Records": [{"n": 1}, {"n": 2}]})])

    assert [found.key for _, found in made.unknown] == ['{"hello": "world"}', '{"n": 1}', '{"n": 2}']
    assert made.used == ["r", "s"]


def test_the_ledger_is_asked_once_a_feed_for_just_the_keys_that_landed() -> None:
    asked: list[tuple[str, set[str]]] = []

    def known(feed: str, keys: Collection[str]) -> set[Version]:
        asked.append((feed, set(keys)))
        return set()

    plan(
        [flights(1), flights(2), flights(1, "e2"), event("x.csv")],
        bucket="landing",
        days=DAYS,
        longest_range=92,
        known=known,
        now=NOW,
        longest_wait=LONGEST_WAIT,
    )

    assert asked == [("flights", {flights_key(1), flights_key(2)}), ("unknown", {"x.csv"})]


NOON = datetime(2013, 1, 2, 12, tzinfo=UTC)


def landed_at(moment: datetime) -> Message:
    found = {"time": moment.isoformat(), "detail": {"object": {"key": flights_key(2), "etag": "e1"}}}
    return message("r", found)


def run_over(first: str, last: str, feed: str = "flights") -> RunUnderWay:
    return RunUnderWay(frozenset({feed}), first, last, NOON)


def test_a_file_that_a_younger_run_reads_is_not_asked_for_again() -> None:
    made = planned([landed_at(NOON - timedelta(seconds=1))], under_way=[run_over("2013-01-01", "2013-01-03")])

    assert (made.requests, made.used, made.known) == ([], ["r"], 1)


@pytest.mark.parametrize(
    ("moment", "run"),
    [
        (NOON, run_over("2013-01-02", "2013-01-02")),
        (NOON - timedelta(hours=1), run_over("2013-01-03", "2013-01-09")),
        (NOON - timedelta(hours=1), run_over("2013-01-02", "2013-01-02", "bookings")),
        (NOON - timedelta(hours=1), run_over("", "")),
    ],
)
def test_an_older_run_and_one_for_something_else_do_not_stop_a_request(
    moment: datetime, run: RunUnderWay
) -> None:
    assert spans(planned([landed_at(moment)], under_way=[run]).requests) == [("2013-01-02", "2013-01-02")]


def test_a_key_nobody_knows_is_told_once() -> None:
    made = planned([event("x.csv")], ledger={("x.csv", "e1")})

    assert made.unknown == []
    assert made.used == [event("x.csv").receipt]


def test_a_deleted_file_starts_no_run() -> None:
    body = {"detail-type": "Object Deleted", "detail": {"object": {"key": flights_key(1)}}}

    made = planned([message("r", body)])

    assert (made.requests, made.deleted, made.used) == ([], [flights_key(1)], ["r"])


@pytest.mark.parametrize("key", ["invoices/x.csv", "daily_flights/a\0b.csv", ""])
def test_nothing_stands_of_a_deleted_key_no_feed_claims(key: str) -> None:
    body = {"detail-type": "Object Deleted", "detail": {"object": {"key": key}}}

    made = planned([message("r", body)])

    assert (made.deleted, made.unknown, made.used) == ([], [], ["r"])


@pytest.mark.parametrize("happened", ["Object Created", "Object Deleted"])
@pytest.mark.parametrize(
    "name", ["", "date=2013-01-01/part-0.parquet", "_SUCCESS", "date=2013-01-01/shipments.json"]
)
def test_what_the_platform_itself_writes_is_nobodys_landing(happened: str, name: str) -> None:
    found = {"key": f"shipments/shipments_parquet/{name}", "etag": "e1"}
    body = {"detail-type": happened, "detail": {"object": found}}

    assert planned([message("r", body)]) == Plan(used=["r"])


@pytest.mark.parametrize("happened", ["Object Created", "Object Deleted"])
@pytest.mark.parametrize(
    "key", ["daily_flights/date=2013-01-01/", "invoices/_SUCCESS", "daily_flights/date=2013-01-01_$folder$"]
)
def test_a_marker_is_acknowledged_in_silence(happened: str, key: str) -> None:
    body = {"detail-type": happened, "detail": {"object": {"key": key, "etag": "e1"}}}

    assert planned([message("r", body)]) == Plan(used=["r"])


def test_the_event_by_which_s3_tries_the_queue_is_acknowledged_in_silence() -> None:
    assert planned([message("r", {"Service": "Amazon S3", "Event": "s3:TestEvent"})]) == Plan(used=["r"])


def notification(*keys: str, bucket: str = "landing", name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": name,
                "s3": {"bucket": {"name": bucket}, "object": {"key": quote_plus(key), "eTag": "e1"}},
            }
            for key in keys
        ]
    }


def test_a_message_of_several_events_is_used_once_for_all_of_them() -> None:
    made = planned([message("r", notification(flights_key(1), "x.csv", flights_key(2), "a/_SUCCESS"))])

    assert spans(made.requests) == [("2013-01-01", "2013-01-02")]
    assert [found.key for _, found in made.unknown] == ["x.csv"]
    assert made.used == ["r"]


def test_one_event_told_in_two_ways_is_one_run() -> None:
    by_event_bridge = message(
        "e", {"detail": {"bucket": {"name": "landing"}, "object": {"key": flights_key(1), "etag": "e1"}}}
    )
    by_s3 = message("n", notification(flights_key(1)))

    keys = {made.requests[0].run_key for made in map(planned, ([by_event_bridge], [by_s3]))}
    both = planned([by_event_bridge, by_s3])

    assert keys == {both.requests[0].run_key}
    assert sorted(both.used) == ["e", "n"]


def test_a_message_waits_if_one_of_its_events_does_and_the_others_are_asked_for() -> None:
    several = notification(AIRPORTS_KEY, flights_key(1), "shipments/2013-01-01.json")

    made = planned([message("r", several)])

    assert [request.job_name for request in made.requests] == ["airports_job", "shipments_job"]
    assert (made.used, list(made.later)) == ([], ["r"])


def test_what_is_unknown_or_gone_in_a_message_that_waits_is_told_when_it_comes_again() -> None:
    several = notification(flights_key(1), "x.csv")
    several["Records"] += notification(flights_key(2), name="ObjectRemoved:Delete")["Records"]

    early = planned([message("r", several)], airports_pending=True)
    later = planned([message("r", several, waited=LONGEST_WAIT)], airports_pending=True)

    assert (early.unknown, early.deleted) == ([], [])
    assert [found.key for _, found in later.unknown] == ["x.csv"]
    assert later.deleted == [flights_key(2)]


@pytest.mark.parametrize("key", [flights_key(1), "x.csv"])
def test_an_object_of_another_bucket_is_told_with_its_bucket_and_starts_no_run(key: str) -> None:
    by_event_bridge = {"detail": {"bucket": {"name": "elsewhere"}, "object": {"key": key, "etag": "e1"}}}

    for body in (by_event_bridge, notification(key, bucket="elsewhere")):
        made = planned([message("r", body)])

        assert [found for _, found in made.unknown] == [
            UnknownKey(f"s3://elsewhere/{key}", "it is in another bucket; files land in landing")
        ]
        assert (made.requests, made.used) == ([], ["r"])
        assert planned([message("r", body)], ledger={(f"s3://elsewhere/{key}", "e1")}).unknown == []


def test_what_is_deleted_in_another_bucket_is_gone_from_nowhere() -> None:
    body = notification(flights_key(1), bucket="elsewhere", name="ObjectRemoved:Delete")

    assert planned([message("r", body)]) == Plan(used=["r"])


def test_flights_wait_for_the_airports_no_longer_than_declared() -> None:
    just, over = (event(flights_key(1), waited=LONGEST_WAIT - timedelta(seconds=n)) for n in (1, 0))

    assert list(planned([just], airports_pending=True).later) == [just.receipt]
    made = planned([over, flights(2)], airports_pending=True)
    assert spans(made.requests) == [("2013-01-01", "2013-01-01")]
    assert (made.used, list(made.later)) == ([over.receipt], [flights(2).receipt])


@pytest.mark.parametrize("longest", [0, 1, 120, 1800])
def test_a_message_that_waits_is_received_in_the_end_and_not_too_often(longest: int) -> None:
    waited, times = 0, 1
    while waited < longest:
        waited += pause(timedelta(seconds=waited), timedelta(seconds=longest))
        times += 1

    # SQS takes it for dead when it is received for the 21st time.
    assert times <= 20
    assert longest <= waited <= longest + 2


KEYS = st.one_of(
    st.builds(
        "daily_flights/date=2013-{:02}-{:02}/{}.csv".format,
        st.integers(1, 13),
        st.integers(1, 31),
        st.sampled_from("ab"),
    ),
    st.builds("daily_flights/2013-{:02}-{:02}.csv".format, st.integers(1, 3), st.integers(1, 28)),
    st.sampled_from([AIRPORTS_KEY, "airport_codes/more.csv", "unknown/x.csv", "daily_flights/x.csv", OWN]),
)
VERSIONS = st.tuples(KEYS, st.sampled_from(["e1", "e2"]))
BATCHES = st.lists(VERSIONS, max_size=30).map(
    lambda versions: [event(key, etag, receipt=str(n)) for n, (key, etag) in enumerate(versions)]
)
LEDGERS = st.frozensets(VERSIONS, max_size=10)


@given(events=BATCHES, ledger=LEDGERS, pending=st.booleans(), longest=st.integers(1, 5))
def test_every_receipt_is_either_used_or_given_back(
    events: list[Message], ledger: frozenset[Version], pending: bool, longest: int
) -> None:
    made = planned(events, ledger=ledger, airports_pending=pending, longest=longest)

    assert Counter([*made.used, *made.later]) == Counter(found.receipt for found in events)


@given(events=BATCHES, ledger=LEDGERS, pending=st.booleans(), longest=st.integers(1, 5))
def test_every_used_version_is_unknown_or_known_or_in_exactly_one_run(
    events: list[Message], ledger: frozenset[Version], pending: bool, longest: int
) -> None:
    made = planned(events, ledger=ledger, airports_pending=pending, longest=longest)

    flown = spans(request for request in made.requests if request.job_name == "flights_job")
    unknown = {found.key for _, found in made.unknown}
    for message, (found,) in ((one, one.events) for one in events):
        key = found.key or ""
        if message.receipt in made.later or key in unknown or key == OWN or (key, found.etag) in ledger:
            continue
        if key.startswith("airport_codes/"):
            assert "airports_job" in [request.job_name for request in made.requests]
        else:
            day = key.removeprefix("daily_flights/").removeprefix("date=")[:10]
            assert len([span for span in flown if span[0] <= day <= span[1]]) == 1


@given(events=BATCHES, ledger=LEDGERS, data=st.data())
def test_the_order_of_messages_is_irrelevant(
    events: list[Message], ledger: frozenset[Version], data: st.DataObject
) -> None:
    one = planned(events, ledger=ledger)
    other = planned(data.draw(st.permutations(events)), ledger=ledger)

    assert {r.run_key for r in one.requests} == {r.run_key for r in other.requests}
    assert (sorted(one.used), sorted(one.later)) == (sorted(other.used), sorted(other.later))


@pytest.mark.parametrize("longest", [1, 3, 92])
def test_ranges_of_a_year_fit_the_longest_and_leave_no_day_out(longest: int) -> None:
    events = [flights(day, month=month) for month in range(1, 13) for day in range(1, 29)]

    days = 0
    for first, last in spans(planned(events, longest=longest).requests):
        length = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        assert length <= longest
        days += length
    assert days == len(events)
