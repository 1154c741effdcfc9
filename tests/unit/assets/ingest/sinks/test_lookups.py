"""What a dimension knows is filled in where all of it is lacking, by statements that both engines take."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlglot

from airline_platform.contract.sink import Lookup
from airline_platform.contract.table import Table
from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.sinks.lookups import fill_in, looking_up
from assets.marts.declarations import MARTS
from resources.warehouse.session import Session, to_postgres


class Changes(Session):
    """A session that notes what it is to change, and says that it was two rows."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, Any] | None]] = []

    def change(self, sql: str, parameters: Mapping[str, Any] | None = None) -> int:
        self.asked.append((sql, parameters))
        return 2


TABLES = [
    *((table, feed.lookups) for feed in FEEDS.values() for table in feed.tables if feed.lookups),
    *((mart.table, mart.lookups) for mart in MARTS.values() if mart.lookups),
]


@pytest.mark.parametrize(("table", "lookups"), TABLES, ids=[table.name for table, _ in TABLES])
def test_every_table_that_looks_something_up_can_be_filled(table: Table, lookups: tuple[Lookup, ...]) -> None:
    session = Changes()

    assert fill_in(session, lookups, table) == 2 * len(lookups)

    for (sql, _), lookup in zip(session.asked, lookups, strict=True):
        statement = sqlglot.parse_one(to_postgres(sql), read="postgres", error_level=sqlglot.ErrorLevel.RAISE)
        assert isinstance(statement, sqlglot.exp.Update)
        for mine, _ in lookup.filled:
            assert f"{table.name}.{mine} IS NULL" in sql
        assert f"{table.name}.{lookup.key} = dim_airport_codes.airport_id" in sql


def test_of_some_days_only_their_rows_are_filled() -> None:
    session = Changes()

    fill_in(session, FLIGHTS.lookups[:1], FLIGHTS.table, ("2013-01-01",))

    ((sql, parameters),) = session.asked
    assert "daily_flights_processed.flight_date IN %(days)s" in sql
    assert parameters == {"days": ("2013-01-01",)}


def test_only_lookups_of_the_dimension_are_filled_from_it() -> None:
    other = Lookup("carrier", (("carrier_name", "name"),), "carriers")

    assert looking_up([*BOOKINGS.lookups, other], "carriers") == [other]
    assert looking_up(BOOKINGS.lookups, "airports") == list(BOOKINGS.lookups)
    assert looking_up((), "airports") == []
