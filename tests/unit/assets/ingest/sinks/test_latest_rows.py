"""The latest rows follow what their feed's table says, before and after it changes."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlglot

from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.sinks.latest_rows import following
from resources.warehouse.session import Session, to_postgres

DAYS = ("2013-01-01", "2013-01-02")


class Asked(Session):
    """A session that notes what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any] | None]] = []

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self.asked.append((sql, parameters))
        return []


def words(session: Asked) -> list[str]:
    return [" ".join(sql.split()[:2]) for sql, _ in session.asked]


def test_a_feed_without_latest_rows_asks_nothing() -> None:
    session = Asked()

    with following(session, FLIGHTS, DAYS, "waiting"):
        pass

    assert session.asked == []


@pytest.mark.parametrize(("staging", "more"), [("", []), ("waiting", ["INSERT INTO"])])
def test_what_a_change_touches_is_noted_before_it_and_merged_after_it(staging: str, more: list[str]) -> None:
    session = Asked()

    with following(session, BOOKINGS, DAYS, staging):
        before = words(session)

    assert before == ["DROP TABLE", "DROP TABLE", "CREATE TEMP", *more]
    assert words(session)[len(before) :] == ["CREATE TEMP", "MERGE INTO", "DELETE FROM"]
    assert [parameters for _, parameters in session.asked if parameters] == [{"days": DAYS}]
    for sql, _ in session.asked:
        sqlglot.parse_one(to_postgres(sql), read="postgres", error_level=sqlglot.ErrorLevel.RAISE)


def test_a_change_that_fails_merges_nothing() -> None:
    session = Asked()

    with pytest.raises(ZeroDivisionError), following(session, BOOKINGS, DAYS):
        raise ZeroDivisionError

    assert "MERGE INTO" not in words(session)


def test_what_is_later_is_as_the_feed_says() -> None:
    session = Asked()

    with following(session, BOOKINGS, DAYS):
        pass

    (newest,) = [sql for sql, _ in session.asked if "ROW_NUMBER" in sql]
    assert "PARTITION BY booking_id ORDER BY file_date DESC, landed_at DESC, source_file DESC" in newest
