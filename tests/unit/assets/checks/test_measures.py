"""What checks judge: how many rows there were before, how many are accounted for, asked in two queries."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlglot

from airline_platform.contract.check import Limits
from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from assets.checks import measures
from assets.checks.of_feeds import KEYS_UNIQUE, ROW_COUNT, ROWS_ACCOUNTED, checks_of
from assets.checks.outcomes import outcome_of
from resources.warehouse.session import Session, to_postgres

DAY, NEXT = "2013-01-29", "2013-01-30"
LIMITS = Limits()


class Answers(Session):
    """A session with one answer."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.asked: list[tuple[str, Mapping[str, Any] | None]] = []
        self._rows = list(rows)

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self.asked.append((sql, parameters))
        return self._rows


def in_ledger(day: str, key: str, rows: int | None) -> dict[str, Any]:
    """A row of the ledger, as the warehouse answers it."""
    at = datetime(2013, 2, 1, tzinfo=UTC)
    which = {"feed": "flights", "partition_date": day, "key": key, "etag": "e", "state": "loaded"}
    return {**which, "rows_loaded": rows, "landed_at": at, "loaded_at": at}


def loaded(**rows: int) -> dict[str, dict[str, int]]:
    return {day.replace("_", "-").removeprefix("d"): {"rows_loaded": n} for day, n in rows.items()}


def test_a_weekday_is_compared_with_the_four_before_it_and_what_is_loaded_beside_it() -> None:
    standing = {"2013-01-01": 100, "2013-01-08": 90, "2013-01-15": 120, "2012-12-31": 1, "2013-01-28": 5000}

    found = measures.row_counts(LIMITS, loaded(d2013_01_22=80, d2013_01_29=70), standing)

    assert found == {"2013-01-22": (80, (45, 240)), "2013-01-29": (70, (40, 240))}
    assert measures.weekday_before(DAY, LIMITS.weeks) == [
        "2013-01-22",
        "2013-01-15",
        "2013-01-08",
        "2013-01-01",
    ]


def test_one_day_is_no_history_and_two_are() -> None:
    assert measures.row_counts(LIMITS, loaded(d2013_01_29=7), {"2013-01-22": 100}) == {DAY: (7, None)}
    assert measures.row_counts(LIMITS, loaded(d2013_01_29=7), {"2013-01-22": 100, "2013-01-01": 0}) == {
        DAY: (7, (0, 200))
    }


def test_a_days_own_old_rows_are_no_history() -> None:
    assert measures.row_counts(LIMITS, loaded(d2013_01_29=7), {DAY: 100, "2013-01-22": 100}) == {
        DAY: (7, None)
    }


def test_the_ledgers_rows_of_other_files_are_added_up_by_day() -> None:
    session = Answers(
        in_ledger(DAY, "a", 1),
        in_ledger(DAY, "b", 2),
        in_ledger(DAY, "c", 4),
        in_ledger("2013-01-22", "d", None),
    )

    assert measures.standing_rows(session, FLIGHTS, [DAY], {"a"}) == {DAY: 6, "2013-01-22": 0}
    ((_, asked),) = session.asked
    assert asked == {"feed": "flights", "days": ("2013-01-01", "2013-01-08", "2013-01-15", "2013-01-22", DAY)}


@pytest.mark.parametrize(
    ("rows", "there", "standing", "differing"),
    [
        ((10, 8, 2), 8, 0, ""),
        ((10, 8, 1), 8, 0, "found loaded or rejected 9, expected loaded or rejected 10"),
        ((10, 8, 2), 7, 0, "found in the table 7, expected in the table 8"),
        ((10, 8, 2), 16, 0, "found in the table 16, expected in the table 8"),
        # The ledger knows another file of the day, whose rows are about to be lost.
        ((10, 8, 2), 8, 3, "found in the table 8, expected in the table 11"),
    ],
)
def test_every_row_of_a_day_is_accounted_for(
    rows: tuple[int, int, int], there: int, standing: int, differing: str
) -> None:
    read, kept, rejected = rows
    of_day = {DAY: {"rows_read": read, "rows_loaded": kept, "rows_rejected": rejected}}

    outcome = outcome_of(ROWS_ACCOUNTED, measures.accounts(of_day, {DAY: there}, {DAY: standing}))

    assert [finding.sentence for finding in outcome.failed] == [differing] * bool(differing)


@pytest.mark.parametrize("feed", [FLIGHTS, BOOKINGS], ids=lambda feed: feed.name)
def test_all_measures_of_a_load_are_two_queries_that_redshift_and_postgresql_take(feed: Feed) -> None:
    session = Answers()
    rows = {day: {"rows_read": 0, "rows_loaded": 0, "rows_rejected": 0} for day in (DAY, NEXT)}

    measured = measures.of_loaded(session, feed, rows, {}, set())

    assert len(session.asked) == 2
    for sql, _ in session.asked:
        sqlglot.parse_one(to_postgres(sql), read="postgres", error_level=sqlglot.ErrorLevel.RAISE)
    judged = {check.name for check in checks_of(feed)}
    assert measured.keys() == judged


def test_a_feeds_limits_say_how_far_back_is_looked_and_how_far_rows_may_lie_from_it() -> None:
    limits = Limits(least_of_fewest=0.1, most_of_most=10, weeks=1, weeks_needed=1)
    standing = {"2013-01-22": 100, "2013-01-15": 1}

    assert measures.row_counts(limits, loaded(d2013_01_29=7), standing) == {DAY: (7, (10, 1000))}
    session = Answers()
    measures.standing_rows(session, replace(FLIGHTS, limits=limits), [DAY], set())
    assert [asked and asked["days"] for _, asked in session.asked] == [("2013-01-22", DAY)]


def test_the_rows_of_a_dimension_are_measured_by_its_key_and_by_what_was_there() -> None:
    session = Answers({"all_rows": 6, "keys": 5})

    assert measures.of_dimension(session, AIRPORTS, "airport_id", 10) == {
        KEYS_UNIQUE: {"": ({"different keys": 5}, {"different keys": 6})},
        ROW_COUNT: {"": (6, (8, float("inf")))},
    }
    ((sql, _),) = session.asked
    assert "COUNT(DISTINCT airport_id)" in sql
    assert measures.of_dimension(Answers({"all_rows": 1, "keys": 1}), AIRPORTS, "airport_id", 0)[
        ROW_COUNT
    ] == {"": (1, None)}


def test_rows_that_wait_are_counted_by_file_and_by_day_with_what_their_lookups_lack() -> None:
    session = Answers(
        {"source_file": "a", "day": DAY, "all_rows": 3, "unknown_airports": 1},
        {"source_file": "b", "day": DAY, "all_rows": 4, "unknown_airports": 0},
    )

    staged = measures.count_staged(session, FLIGHTS, "waiting", [DAY, NEXT])

    assert staged.files == {"a": 3, "b": 4}
    assert staged.days == {
        DAY: {"all_rows": 7, "unknown_airports": 1},
        NEXT: {"all_rows": 0, "unknown_airports": 0},
    }
    assert staged.lacking == [DAY]
    ((sql, _),) = session.asked
    sqlglot.parse_one(to_postgres(sql), read="postgres", error_level=sqlglot.ErrorLevel.RAISE)


def test_a_check_that_a_feed_declares_is_measured_by_its_condition() -> None:
    assert measures.kinds_of(FLIGHTS)["missing_delays"] == "dep_delay IS NULL"
    counts = {DAY: {"all_rows": 10, "missing_delays": 3}}
    assert measures.shares({"missing_delays": "x"}, counts) == {"missing_delays": {DAY: (3, 10)}}
