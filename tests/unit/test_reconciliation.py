"""Landing against ledger: what is asked for, what is left alone, and how often."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.landing import Page, Version
from sensors.reconciliation import Difference, attempt, compare
from sensors.under_way import RunUnderWay

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
GRACE = timedelta(seconds=30)
KEY = "daily_flights/date=2013-01-01/flights.csv"


def version(key: str = KEY, etag: str = "e1", age: timedelta = timedelta(hours=1)) -> Version:
    return Version(key, "2013-01-01", etag, None, 1, NOW - age, current=True)


def verdict(
    key: str = KEY, etag: str = "e1", state: str = "loaded", reason: str | None = None
) -> dict[str, str | None]:
    return {"key": key, "etag": etag, "state": state, "reason": reason}


def compared(
    objects: Sequence[Version], verdicts: Sequence[dict[str, str | None]], *, busy: str = "2013-02-02"
) -> Difference:
    page = Page(tuple(objects), "", None, NOW)
    run = RunUnderWay(frozenset({"flights"}), busy, busy, NOW)
    return compare(page, verdicts, grace=GRACE, under_way=[run])


def test_what_has_a_verdict_is_left_alone() -> None:
    refused = verdict("x", "e2", "rejected", "line 1: no")

    assert compared([version(), version("x", "e2")], [verdict(), refused]) == Difference((), ())


def test_a_file_the_ledger_does_not_know_is_missing() -> None:
    assert compared([version()], []).missing == (version(),)


def test_another_version_than_the_ledgers_is_missing() -> None:
    found = compared([version(etag="new")], [verdict()])

    assert found == Difference((version(etag="new"),), ())


def test_a_young_file_is_given_time_by_the_clock_of_s3() -> None:
    young = version(age=GRACE - timedelta(seconds=1))

    assert compared([young], []).missing == ()


def test_a_file_on_its_way_is_left_alone() -> None:
    assert compared([version()], [], busy="2013-01-01").missing == ()


def test_a_loaded_file_that_is_not_listed_is_gone() -> None:
    assert compared([], [verdict()]) == Difference((), (KEY,))


@pytest.mark.parametrize("row", [verdict(state="rejected"), verdict(reason="the source is gone")])
def test_a_refused_file_that_is_gone_and_one_told_of_are_no_news(row: dict[str, str | None]) -> None:
    assert compared([], [row]) == Difference((), ())


def test_a_source_that_is_back_is_asked_for() -> None:
    assert compared([version()], [verdict(reason="the source is gone")]).missing == (version(),)


@given(st.floats(30, 40 * 86_400), st.floats(0, 40 * 86_400))
def test_a_version_is_asked_for_ever_more_rarely_but_at_least_daily(age: float, later: float) -> None:
    landed = version(age=timedelta(seconds=age))
    then = NOW + timedelta(seconds=later)
    first, second = attempt(landed, NOW, GRACE), attempt(landed, then, GRACE)

    if then.date() > NOW.date() or age + later >= 2 * age + 1:
        assert first != second
    if first != second:
        assert then.date() > NOW.date() or age + later > age


def test_a_failing_file_is_asked_for_a_dozen_times_on_its_first_day() -> None:
    start = datetime(2013, 6, 1, tzinfo=UTC)
    landed = Version(KEY, "2013-01-01", "e", None, 1, start, current=True)
    asked = {attempt(landed, start + timedelta(seconds=30 * tick), GRACE) for tick in range(1, 2880)}

    assert len(asked) == 12
