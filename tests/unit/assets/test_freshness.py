"""Which days are overdue: those whose weekday had files lately, and nobody is told of any other."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from assets import freshness
from assets.freshness import days_without, last_due, overdue_alert

SUNDAY = date(2013, 6, 30)
SATURDAY = SUNDAY - timedelta(days=1)


def before(last: date, days: Iterable[int]) -> set[date]:
    return {last - timedelta(days=n) for n in days}


def test_nothing_is_overdue_where_every_day_has_come() -> None:
    assert days_without(SUNDAY, before(SUNDAY, range(60))) == []


def test_the_day_that_has_not_come_is_overdue() -> None:
    assert days_without(SUNDAY, before(SUNDAY, range(1, 60))) == [SUNDAY]


@pytest.mark.parametrize("last", [SUNDAY, SUNDAY + timedelta(days=1), SUNDAY + timedelta(days=5)])
def test_a_feed_that_rests_on_sundays_is_not_missed_on_a_sunday(last: date) -> None:
    known = {day for day in before(last, range(60)) if day.isoweekday() != 7}

    assert days_without(last, known) == []
    assert days_without(last, known - {SATURDAY}) == [SATURDAY]


def test_a_feed_that_comes_once_a_week_is_missed_on_its_weekday_alone() -> None:
    known = before(SUNDAY, [7, 14, 21, 28])

    assert days_without(SATURDAY, known) == []
    assert days_without(SUNDAY, known) == [SUNDAY]


def test_a_new_feed_is_watched_after_a_week() -> None:
    first = SUNDAY - timedelta(days=6)

    assert days_without(SUNDAY, {first}) == []
    assert days_without(SUNDAY + timedelta(days=1), {first}) == [SUNDAY + timedelta(days=1)]


@pytest.mark.parametrize(("weeks", "overdue"), [(1, True), (4, True), (5, False)])
def test_what_has_not_come_for_more_than_four_weeks_is_not_expected(weeks: int, *, overdue: bool) -> None:
    assert days_without(SUNDAY, {SUNDAY - timedelta(weeks=weeks)}) == ([SUNDAY] if overdue else [])


@pytest.mark.parametrize(("ago", "overdue"), [(6, True), (7, False)])
def test_a_week_is_looked_at_and_not_a_day_more(ago: int, *, overdue: bool) -> None:
    day = SUNDAY - timedelta(days=ago)
    known = before(SUNDAY, range(60)) - {day}

    assert days_without(SUNDAY, known) == ([day] if overdue else [])


def test_history_that_was_loaded_years_later_is_missed_nowhere() -> None:
    assert days_without(SUNDAY, before(SUNDAY, range(365, 700))) == []


@given(st.sets(st.integers(0, 45)), st.integers(0, 60))
def test_a_feed_that_has_ended_is_missed_for_four_weeks_at_most(came: set[int], later: int) -> None:
    overdue = days_without(SUNDAY + timedelta(days=later), before(SUNDAY, came))

    assert not set(overdue) & before(SUNDAY, came)
    assert overdue == sorted(overdue)
    assert all(day <= SUNDAY + timedelta(weeks=4) for day in overdue)


@pytest.mark.parametrize(
    ("due_hour", "now", "last"),
    [
        (6, datetime(2013, 7, 1, 6, 0, tzinfo=UTC), SUNDAY),
        (6, datetime(2013, 7, 1, 5, 59, tzinfo=UTC), SATURDAY),
        (6, datetime(2013, 7, 1, 23, 59, tzinfo=UTC), SUNDAY),
        (0, datetime(2013, 7, 1, 0, 0, tzinfo=UTC), SUNDAY),
        (23, datetime(2013, 7, 1, 22, 59, tzinfo=UTC), SATURDAY),
    ],
)
def test_a_day_is_due_at_the_hour_of_the_next_one(
    monkeypatch: pytest.MonkeyPatch, due_hour: int, now: datetime, last: date
) -> None:
    monkeypatch.setattr(freshness, "get_settings", lambda: Settings(due_hour=due_hour))

    assert last_due(now) == last


def test_the_alert_says_where_files_are_expected_why_and_what_to_do() -> None:
    alert = overdue_alert(SHIPMENTS, SUNDAY, "run")

    assert (alert.event, alert.feed, alert.subject) == (
        "overdue", "shipments", "Overdue: no shipments of 2013-06-30",
    )  # fmt: skip
    assert "Expected:  shipments/date=2013-06-30/*.json by 06:00 UTC of the day after" in alert.message
    assert "files came for a Sunday within the 4 weeks before" in alert.message
    assert "What to do: ask who sends the files" in alert.message


def test_a_feeds_day_is_one_happening_whichever_run_has_found_it() -> None:
    ids = [
        overdue_alert(feed, day, run).alert_id
        for feed, day, run in [
            (FLIGHTS, SUNDAY, "one"),
            (FLIGHTS, SUNDAY, "two"),
            (FLIGHTS, SATURDAY, "one"),
            (SHIPMENTS, SUNDAY, "one"),
        ]
    ]

    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
