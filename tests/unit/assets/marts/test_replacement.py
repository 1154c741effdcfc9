"""Days of a mart are replaced by what its query says, and the marts' figures are counted by day."""

from dataclasses import replace

import pytest
from pydantic import ValidationError

from airline_platform.settings import Settings, get_settings
from assets.marts.declared.bookings_daily import BOOKINGS_DAILY
from assets.marts.declared.carrier_on_time import CARRIER_ON_TIME
from assets.marts.declared.long_delays import LONG_DELAYS
from assets.marts.replacement import bound, figures_of, query_of, replace_days


class Recorded:
    """A session that keeps what it is asked, and answers with given rows."""

    def __init__(self, *rows: dict[str, object]) -> None:
        self.asked: list[tuple[str, object]] = []
        self._rows = list(rows)

    def execute(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
        self.asked.append((sql, parameters))
        return self._rows


def test_a_range_of_days_is_replaced_by_two_statements(no_stack: Settings) -> None:
    session = Recorded()
    days = ["2013-01-01", "2013-01-02", "2013-01-03"]
    replace_days(session, LONG_DELAYS, days)

    (delete, deleted), (insert, inserted) = session.asked
    assert delete == "DELETE FROM airlines.long_delays WHERE flight_date IN %(days)s"
    assert insert.startswith("INSERT INTO airlines.long_delays (flight_date, carrier, ")
    assert deleted == inserted == {"days": tuple(days), "delayed": 15, "minutes": no_stack.long_delay_minutes}


def test_a_mart_without_days_is_replaced_as_a_whole() -> None:
    session = Recorded()
    replace_days(session, CARRIER_ON_TIME)

    assert session.asked[0][0] == "DELETE FROM airlines.carrier_on_time"


def test_a_mart_without_a_query_is_refused_with_the_file_that_is_expected() -> None:
    nameless = replace(LONG_DELAYS, table=replace(LONG_DELAYS.table, name="short_delays"))

    with pytest.raises(
        ValueError, match=r"mart short_delays has no query; expected the file .*/short_delays\.sql"
    ):
        query_of(nameless)


def test_the_threshold_is_a_setting(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert no_stack.long_delay_minutes == bound([])["minutes"] == 60
    monkeypatch.setenv("AIRLINE_LONG_DELAY_MINUTES", "90")
    get_settings.cache_clear()
    assert bound([])["minutes"] == 90
    monkeypatch.setenv("AIRLINE_LONG_DELAY_MINUTES", "0")
    with pytest.raises(ValidationError, match="long_delay_minutes"):
        Settings.load()


def test_a_day_without_rows_counts_none() -> None:
    session = Recorded({"day": "2013-01-02", "row_count": 3, "bookings": 7})

    assert figures_of(session, BOOKINGS_DAILY, ["2013-01-01", "2013-01-02"]) == {
        "2013-01-01": {"row_count": 0, "bookings": 0},
        "2013-01-02": {"row_count": 3, "bookings": 7},
    }
