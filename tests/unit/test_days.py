"""Days are gathered into ranges that cover them exactly; tomorrow is the last one a file can be for."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from airline_platform.days import last_day, ranges


def test_consecutive_days_become_one_range_and_a_gap_starts_another() -> None:
    days = ["2013-01-01", "2013-01-02", "2013-01-03", "2013-01-05"]

    assert ranges(days, longest=92) == [("2013-01-01", "2013-01-03"), ("2013-01-05", "2013-01-05")]


def test_order_and_repeats_do_not_matter() -> None:
    assert ranges(["2013-01-02", "2013-01-01", "2013-01-02"], longest=92) == [("2013-01-01", "2013-01-02")]


def test_months_years_and_leap_days_are_consecutive() -> None:
    days = ["2015-12-31", "2016-01-01", "2016-02-28", "2016-02-29", "2016-03-01"]

    assert ranges(days, longest=92) == [("2015-12-31", "2016-01-01"), ("2016-02-28", "2016-03-01")]


def test_a_long_stretch_is_cut_at_the_longest_range() -> None:
    days = [f"2013-01-{day:02}" for day in range(1, 8)]

    assert ranges(days, longest=3) == [
        ("2013-01-01", "2013-01-03"),
        ("2013-01-04", "2013-01-06"),
        ("2013-01-07", "2013-01-07"),
    ]


def test_no_days_are_no_ranges() -> None:
    assert ranges([], longest=92) == []


@given(days=st.lists(st.dates(date(2012, 12, 1), date(2013, 3, 31)), max_size=60), longest=st.integers(1, 10))
def test_ranges_cover_exactly_the_days_once_and_none_is_too_long(days: list[date], longest: int) -> None:
    found = ranges([day.isoformat() for day in days], longest=longest)

    covered = []
    for first, last in found:
        length = (date.fromisoformat(last) - date.fromisoformat(first)).days + 1
        assert 1 <= length <= longest
        covered += [date.fromisoformat(first) + timedelta(n) for n in range(length)]
    assert covered == sorted(set(days))


def test_the_last_day_a_file_can_be_for_is_tomorrow_in_utc() -> None:
    before = datetime.now(UTC).date()
    found = last_day()
    after = datetime.now(UTC).date()

    assert found - timedelta(days=1) in (before, after)
