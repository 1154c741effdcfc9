"""Days: which a file can be for, and days gathered into ranges."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta


def last_day() -> date:
    """The last day a file can be for: tomorrow in UTC, because somewhere it is tomorrow already."""
    return datetime.now(UTC).date() + timedelta(days=1)


def ranges(days: Iterable[str], *, longest: int) -> list[tuple[str, str]]:
    """Gather days into runs of consecutive ones.

    Args:
        days: ISO dates in any order, repeats allowed.
        longest: Most days in one range.

    Returns:
        First and last day of each range, ascending, both inclusive.
    """
    ranges: list[tuple[date, date]] = []
    for day in sorted({date.fromisoformat(day) for day in days}):
        if ranges and day - ranges[-1][1] == timedelta(days=1) and (day - ranges[-1][0]).days < longest:
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    return [(first.isoformat(), last.isoformat()) for first, last in ranges]
