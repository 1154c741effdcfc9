"""Events become run requests: few runs, each asked for once, and no message lost or used twice."""

import json
from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
from dagster import RunRequest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds import UnknownKey
from resources.events import LandingEvent, parse_event
from sensors.landing import Plan, Version, plan, unknown_alert
from sensors.under_way import RunUnderWay

AIRPORTS_RUN = RunUnderWay(frozenset({"airports"}), "", "", datetime(2013, 1, 1, tzinfo=UTC))
DAYS = (date(2013, 1, 1), date(2013, 12, 31))
AIRPORTS_KEY = "airport_codes/airport_codes.csv"
OWN = "shipments/shipments_parquet/date=2013-01-01/part-0.parquet"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def event(key: str, etag: str = "e1", receipt: str | None = None) -> LandingEvent:
    body = json.dumps({"detail": {"object": {"key": key, "etag": etag}}})
    return parse_event(receipt or f"receipt of {key} {etag}", body)


def flights(day: int, etag: str = "e1", name: str = "flights.csv", month: int = 1) -> LandingEvent:
    return event(f"daily_flights/date=2013-{month:02}-{day:02}/{name}", etag)


def planned(
    events: Iterable[LandingEvent],
    *,
    ledger: Collection[Version] = (),
    longest: int = 92,
    airports_pending: bool = False,
    under_way: Collection[RunUnderWay] = (),
) -> Plan:
    return plan(
        list(events),
        days=DAYS,
        longest_range=longest,
        known=lambda _feed, keys: {version for version in ledger if version[0] in keys},
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
    again = event(flights(1).key or "", receipt="another receipt")

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
    assert made.later == [flights(1).receipt]


def test_flights_do_not_wait_for_airports_that_are_loaded_already() -> None:
    made = planned([flights(1), event(AIRPORTS_KEY)], ledger={(AIRPORTS_KEY, "e1")})

    assert [request.job_name for request in made.requests] == ["flights_job"]
    assert made.later == []


@pytest.mark.parametrize(
    ("key", "waits"),
    [("shipments/date=2013-01-01/a.json", False), ("bookings/date=2013-01-01/a.csv", True)],
)
def test_only_feeds_that_look_airports_up_wait_for_them(key: str, waits: bool) -> None:
    made = planned([event(key)], airports_pending=True)

    assert (len(made.requests), len(made.later)) == ((0, 1) if waits else (1, 0))


def test_a_version_the_ledger_knows_makes_no_run_and_is_acknowledged() -> None:
    made = planned([flights(1)], ledger={(flights(1).key or "", "e1")})

    assert made.requests == []
    assert made.used == [flights(1).receipt]
    assert made.known == 1


def test_known_versions_do_not_wait_for_airports() -> None:
    made = planned([flights(1)], ledger={(flights(1).key or "", "e1")}, airports_pending=True)

    assert (made.used, made.later) == ([flights(1).receipt], [])


def test_an_older_version_in_the_ledger_does_not_hide_a_newer_one() -> None:
    made = planned([flights(1, etag="new")], ledger={(flights(1).key or "", "old")})

    assert spans(made.requests) == [("2013-01-01", "2013-01-01")]
    assert made.known == 0


def test_a_key_no_feed_knows_is_told_and_acknowledged() -> None:
    made = planned([event("reports/q1.pdf"), flights(1)])

    assert [found.key for _, found in made.unknown] == ["reports/q1.pdf"]
    assert sorted(made.used) == sorted([event("reports/q1.pdf").receipt, flights(1).receipt])
    assert spans(made.requests) == [("2013-01-01", "2013-01-01")]


def test_a_message_that_is_no_event_is_told_with_its_text() -> None:
    made = planned([parse_event("r", '{"hello": "world"}')])

    assert [found for _, found in made.unknown] == [
        UnknownKey('{"hello": "world"}', "the message is not an Object Created event")
    ]
    assert made.used == ["r"]


def test_the_alert_of_unknown_keys_names_each_with_its_reason_and_what_to_do() -> None:
    alert = unknown_alert(planned([event("reports/q1.pdf"), flights(1), event("x.csv")]).unknown)

    assert (alert.event, alert.subject) == ("unknown_key", "2 landed key(s) belong to no feed")
    assert "reports/q1.pdf: no feed lands here" in alert.message
    assert "What to do: move the file" in alert.message


def test_the_ledger_is_asked_once_a_feed_for_just_the_keys_that_landed() -> None:
    asked: list[tuple[str, set[str]]] = []

    def known(feed: str, keys: Collection[str]) -> set[Version]:
        asked.append((feed, set(keys)))
        return set()

    plan(
        [flights(1), flights(2), flights(1, "e2"), event("x.csv")],
        days=DAYS,
        longest_range=92,
        known=known,
    )

    assert asked == [("unknown", {"x.csv"}), ("flights", {flights(1).key, flights(2).key})]


NOON = datetime(2013, 1, 2, 12, tzinfo=UTC)


def landed_at(moment: datetime) -> LandingEvent:
    found = {"time": moment.isoformat(), "detail": {"object": {"key": flights(2).key, "etag": "e1"}}}
    return parse_event("r", json.dumps(found))


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
    body = json.dumps({"detail-type": "Object Deleted", "detail": {"object": {"key": flights(1).key}}})

    made = planned([parse_event("r", body)])

    assert (made.requests, made.deleted, made.used) == ([], [flights(1).key], ["r"])


@pytest.mark.parametrize("key", ["invoices/x.csv", "daily_flights/a\0b.csv", ""])
def test_nothing_stands_of_a_deleted_key_no_feed_claims(key: str) -> None:
    body = json.dumps({"detail-type": "Object Deleted", "detail": {"object": {"key": key}}})

    made = planned([parse_event("r", body)])

    assert (made.deleted, made.unknown, made.used) == ([], [], ["r"])


@pytest.mark.parametrize("happened", ["Object Created", "Object Deleted"])
@pytest.mark.parametrize(
    "name", ["", "date=2013-01-01/part-0.parquet", "_SUCCESS", "date=2013-01-01/shipments.json"]
)
def test_what_the_platform_itself_writes_is_nobodys_landing(happened: str, name: str) -> None:
    found = {"key": f"shipments/shipments_parquet/{name}", "etag": "e1"}
    body = json.dumps({"detail-type": happened, "detail": {"object": found}})

    assert planned([parse_event("r", body)]) == Plan(used=["r"])


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
    events: list[LandingEvent], ledger: frozenset[Version], pending: bool, longest: int
) -> None:
    made = planned(events, ledger=ledger, airports_pending=pending, longest=longest)

    assert Counter(made.used + made.later) == Counter(found.receipt for found in events)


@given(events=BATCHES, ledger=LEDGERS, pending=st.booleans(), longest=st.integers(1, 5))
def test_every_used_version_is_unknown_or_known_or_in_exactly_one_run(
    events: list[LandingEvent], ledger: frozenset[Version], pending: bool, longest: int
) -> None:
    made = planned(events, ledger=ledger, airports_pending=pending, longest=longest)

    flown = spans(request for request in made.requests if request.job_name == "flights_job")
    unknown = {found.key for _, found in made.unknown}
    for found in events:
        key = found.key or ""
        if found.receipt in made.later or key in unknown or key == OWN or (key, found.etag) in ledger:
            continue
        if key.startswith("airport_codes/"):
            assert "airports_job" in [request.job_name for request in made.requests]
        else:
            day = key.removeprefix("daily_flights/").removeprefix("date=")[:10]
            assert len([span for span in flown if span[0] <= day <= span[1]]) == 1


@given(events=BATCHES, ledger=LEDGERS, data=st.data())
def test_the_order_of_messages_is_irrelevant(
    events: list[LandingEvent], ledger: frozenset[Version], data: st.DataObject
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
