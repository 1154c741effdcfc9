"""What an hour finds out: a gateway, a warehouse, a ledger by hand, and who is told of what, how often."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from dagster import (
    AssetCheckEvaluation,
    AssetCheckKey,
    AssetSpec,
    DagsterInstance,
    Definitions,
    RunRequest,
    SkipReason,
    build_schedule_context,
)

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.files.keys import UNKNOWN
from airline_platform.jobs import FRESHNESS_CHECKS, FRESHNESS_JOB
from airline_platform.settings import Settings, get_settings
from assets.freshness import find_overdue, landed_in_time, last_due, write_alerts
from resources.acceptance.landed import LandedObject
from resources.aws.client import make_client
from resources.landing import Landing
from resources.topic import Notifier
from resources.warehouse import ledger
from resources.warehouse.own_tables import ALERT_OUTBOX, INGESTED_FILES
from resources.warehouse.resource import Warehouse
from sensors import schedules
from sensors.schedules import tick

SUNDAY = date(2013, 6, 30)
DAY = timedelta(days=1)


@pytest.fixture
def warehouse(server: Warehouse) -> Warehouse:
    """With nothing in its ledger and outbox, and nothing landed."""
    with server.transaction() as session:
        for table in (INGESTED_FILES, ALERT_OUTBOX):
            session.execute(f"DELETE FROM {table.qualified_name}")
    s3 = make_client(get_settings(), "s3")
    for item in s3.list_objects_v2(Bucket=get_settings().landing_bucket).get("Contents", ()):
        s3.delete_object(Bucket=get_settings().landing_bucket, Key=item["Key"])
    return server


def judge(warehouse: Warehouse, feed: Feed, days: Iterable[date], state: ledger.State = "loaded") -> None:
    """Verdicts on files that are for these days."""
    entries = [
        ledger.Entry.of(
            LandedObject(
                get_settings().landing_bucket, feed.key("f.csv", day), str(day), "e", 1, datetime.now(UTC)
            ),
            feed=feed.name,
            run_id="run",
            state=state,
        )
        for day in days
    ]
    with warehouse.transaction() as session:
        ledger.record(session, entries)


def land(key: str) -> None:
    make_client(get_settings(), "s3").put_object(Bucket=get_settings().landing_bucket, Key=key, Body=b"x")


def days_before(last: date, *ago: int) -> list[date]:
    return [last - n * DAY for n in ago]


def outbox_of(warehouse: Warehouse) -> list[tuple[str, str, bool]]:
    rows = warehouse.query(f"SELECT * FROM {ALERT_OUTBOX.qualified_name} ORDER BY created_at, subject")
    return [(row["event"], row["subject"], row["sent_at"] is not None) for row in rows]


def test_each_feed_is_held_against_its_own_weeks(warehouse: Warehouse) -> None:
    judge(warehouse, FLIGHTS, days_before(SUNDAY, *range(1, 40)))
    judge(warehouse, BOOKINGS, days_before(SUNDAY, *range(3, 8)))
    judge(warehouse, SHIPMENTS, days_before(SUNDAY, *range(400, 500)))

    found = find_overdue(FRESHNESS_CHECKS, SUNDAY, warehouse, Landing.of(get_settings()))

    assert found == {"flights": [SUNDAY], "bookings": [SUNDAY], "shipments": []}


def test_a_refused_file_is_an_answer_and_one_that_is_forgotten_is_none(warehouse: Warehouse) -> None:
    judge(warehouse, FLIGHTS, days_before(SUNDAY, 7, 8))
    judge(warehouse, FLIGHTS, days_before(SUNDAY, 0), "rejected")
    judge(warehouse, FLIGHTS, days_before(SUNDAY, 1), "superseded")

    assert find_overdue(["flights"], SUNDAY, warehouse, Landing.of(get_settings())) == {
        "flights": days_before(SUNDAY, 1)
    }
    with warehouse.transaction() as session:
        session.execute(f"UPDATE {INGESTED_FILES.qualified_name} SET state = 'superseded'")
    assert find_overdue(["flights"], SUNDAY, warehouse, Landing.of(get_settings())) == {"flights": []}


@pytest.mark.parametrize(
    ("key", "overdue"),
    [
        ("daily_flights/date=2013-06-30/flights.csv", []),
        ("daily_flights/2013-06-30.csv", []),
        ("daily_flights/date=2013-06-30/flights.pdf", [SUNDAY]),
        ("daily_flights/date=2013-06-29/flights.csv", [SUNDAY]),
    ],
)
def test_a_file_that_waits_for_its_run_has_landed(
    warehouse: Warehouse, key: str, overdue: list[date]
) -> None:
    judge(warehouse, FLIGHTS, days_before(SUNDAY, 7))
    land(key)

    assert find_overdue(["flights"], SUNDAY, warehouse, Landing.of(get_settings())) == {"flights": overdue}


def test_a_day_is_told_once_and_the_next_one_beside_it(warehouse: Warehouse) -> None:
    judge(warehouse, FLIGHTS, days_before(SUNDAY, *range(1, 10)))

    for ago in (0, 0, -1, -2):
        overdue = find_overdue(["flights"], SUNDAY - ago * DAY, warehouse, Landing.of(get_settings()))
        write_alerts(overdue, warehouse, f"run {ago}")

    told = [subject for _, subject, _ in outbox_of(warehouse)]
    assert told == [f"Overdue: no flights of 2013-{day}" for day in ("06-30", "07-01", "07-02")]


def definitions(warehouse: Warehouse) -> Definitions:
    return Definitions(
        assets=[AssetSpec(key.asset_key) for key in FRESHNESS_CHECKS.values()],
        asset_checks=[landed_in_time],
        jobs=[FRESHNESS_JOB],
        resources={
            "landing": Landing.of(get_settings()),
            "warehouse": warehouse,
            "notifier": Notifier.of(get_settings()),
        },
    )


def look(warehouse: Warehouse, *feeds: str) -> dict[str, AssetCheckEvaluation]:
    """What the job says of each feed."""
    job = definitions(warehouse).resolve_job_def("freshness_job")
    keys: list[AssetCheckKey] = [FRESHNESS_CHECKS[name] for name in feeds]
    with DagsterInstance.ephemeral() as instance:
        chosen = job.get_subset(asset_check_selection=set(keys)) if keys else job
        found = chosen.execute_in_process(instance=instance).get_asset_check_evaluations()
    return {each.asset_key.path[-1].removeprefix("raw_"): each for each in found}


def test_the_job_warns_of_what_is_overdue_tells_it_once_and_is_content_when_it_has_come(
    warehouse: Warehouse,
) -> None:
    last = last_due(datetime.now(UTC))
    judge(warehouse, FLIGHTS, days_before(last, *range(2, 30)))
    judge(warehouse, BOOKINGS, days_before(last, *range(30)))

    found = look(warehouse)

    assert {name: each.passed for name, each in found.items()} == {
        "flights": False, "bookings": True, "shipments": True,
    }  # fmt: skip
    assert found["flights"].severity.value == "WARN"
    assert found["flights"].metadata["days_overdue"].value == 2
    assert (found["flights"].description or "").startswith(
        f"No flights have landed for {last - DAY}, {last}. "
    )
    alerts = [("overdue", f"Overdue: no flights of {day}", True) for day in (last - DAY, last)]
    assert outbox_of(warehouse) == alerts

    judge(warehouse, FLIGHTS, [last - DAY])
    assert look(warehouse)["flights"].metadata["days_overdue"].value == 1
    judge(warehouse, FLIGHTS, [last])
    assert all(each.passed for each in look(warehouse).values())
    assert outbox_of(warehouse) == alerts


def test_a_run_over_one_feed_looks_at_that_one_alone(warehouse: Warehouse) -> None:
    for feed in (FLIGHTS, BOOKINGS):
        judge(warehouse, feed, days_before(last_due(datetime.now(UTC)), 7))

    assert list(look(warehouse, "bookings")) == ["bookings"]
    assert [subject.split()[2] for _, subject, _ in outbox_of(warehouse)] == ["bookings"]


def test_a_schedules_tick_tells_once_of_a_key_nobody_knows_and_of_a_file_that_is_gone(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = Settings(trigger="schedule", endpoint_url=get_settings().endpoint_url)
    monkeypatch.setattr(schedules, "get_settings", lambda: made)
    land("daily_flights/flights of june.csv")
    land("daily_flights/2013-06-29.csv")
    judge(warehouse, FLIGHTS, [SUNDAY])

    def ask() -> list[RunRequest] | SkipReason:
        with DagsterInstance.local_temp(str(tmp_path)) as instance:
            context = build_schedule_context(instance, datetime.now(UTC))
            return tick(
                context, FEEDS["flights"], Landing.of(get_settings()), warehouse, Notifier.of(get_settings())
            )

    first, second = ask(), ask()

    for found in (first, second):
        assert isinstance(found, list)
        assert [request.tags for request in found] == [{"dagster/partition": "2013-06-29"}]
    assert sorted(outbox_of(warehouse)) == [
        ("gone", "The source of 1 loaded file(s) is gone", True),
        ("unknown_key", "1 landed key(s) belong to no feed", True),
    ]
    (row,) = warehouse.query(f"SELECT * FROM {INGESTED_FILES.qualified_name} WHERE feed = '{UNKNOWN}'")
    assert (row["key"], row["run_id"]) == ("daily_flights/flights of june.csv", "flights_schedule")
