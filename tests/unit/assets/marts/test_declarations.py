"""The marts are declared so that what is derived from them holds together."""

import pytest
from pydantic import ValidationError

from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings, get_settings
from assets.marts.declarations import BOOKINGS_DAILY, CARRIER_ON_TIME, LONG_DELAYS, MARTS, Mart, marts_of
from assets.marts.replacement import bound, figures_of, refresh

EVERY_MART = pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
NUMBERS = ("bigint", "decimal")


class Recorded:
    """A session that keeps what it is asked, and answers with given rows."""

    def __init__(self, *rows: dict[str, object]) -> None:
        self.asked: list[tuple[str, object]] = []
        self._rows = list(rows)

    def execute(self, sql: str, parameters: object = None) -> list[dict[str, object]]:
        self.asked.append((sql, parameters))
        return self._rows


def test_what_follows_from_the_flights_is_in_the_order_to_make_it_in() -> None:
    names = [mart.table.name for mart in marts_of(FLIGHTS.table)]

    assert names.index("carrier_daily_delays") < names.index("carrier_on_time")
    assert {*names, "bookings_daily"} == MARTS.keys()
    assert marts_of(BOOKINGS.table) == [BOOKINGS_DAILY]
    assert marts_of(SHIPMENTS.table) == []


@EVERY_MART
def test_a_mart_has_a_name_of_its_own_and_is_replaced_by_the_days_of_its_source(mart: Mart) -> None:
    others = [table.name for feed in FEEDS.values() for table in feed.tables]

    assert mart.table.name not in others
    if mart.table.partition_column:
        assert mart.table.partition_column == mart.source.partition_column
        assert mart.table.partition_column in mart.table.key or not mart.table.key


@EVERY_MART
def test_a_mart_speaks_only_of_columns_there_are(mart: Mart) -> None:
    mine = {column.name: column for column in mart.table.columns}

    assert {*mart.made_of, *mart.table.key, *mart.table.sort_key, *mart.figures} <= mine.keys()
    assert mart.table.dist_key is None or mart.table.dist_key in mine
    assert {theirs for made in mart.made_of.values() for theirs in made} <= set(mart.source.column_names)
    assert {mine[name].type for name in mart.figures} <= {"bigint"}
    for lookup in mart.lookups:
        assert lookup.key in mine
        assert {theirs for _, theirs in lookup.filled} <= set(AIRPORTS.table.column_names)
        assert not any(mine[name].required for name, _ in lookup.filled)


@EVERY_MART
def test_every_number_tells_its_unit_or_what_it_counts(mart: Mart) -> None:
    said = ("minutes", "how many", "flights", "arrivals", "departures", "units", "percent", "id of", "1 for")
    numbers = [column for column in mart.table.columns if column.type in NUMBERS]

    assert [c.name for c in numbers if not any(word in c.description.lower() for word in said)] == []


@EVERY_MART
def test_what_a_mart_has_of_a_source_column_is_no_wider_there(mart: Mart) -> None:
    theirs = {column.name: column for column in mart.source.columns}

    for column in mart.table.columns:
        source = theirs.get(column.name)
        if source and column.type == "string":
            assert column.length >= source.length


def test_a_sum_of_fares_has_more_digits_than_a_fare() -> None:
    (fares,) = [column for column in BOOKINGS_DAILY.table.columns if column.name == "fare_amount"]
    (fare,) = [column for column in BOOKINGS.table.columns if column.name == "fare_amount"]

    assert (fare.redshift_type, fares.redshift_type) == ("DECIMAL(14, 3)", "DECIMAL(24, 3)")


def test_a_range_of_days_is_replaced_by_two_statements(no_stack: Settings) -> None:
    session = Recorded()
    days = ["2013-01-01", "2013-01-02", "2013-01-03"]
    refresh(session, LONG_DELAYS, days)

    (delete, deleted), (insert, inserted) = session.asked
    assert delete == "DELETE FROM airlines.long_delays WHERE flight_date IN %(days)s"
    assert insert.startswith("INSERT INTO airlines.long_delays (flight_date, carrier, ")
    assert deleted == inserted == {"days": tuple(days), "delayed": 15, "minutes": no_stack.long_delay_minutes}


def test_a_mart_without_days_is_replaced_as_a_whole() -> None:
    session = Recorded()
    refresh(session, CARRIER_ON_TIME)

    assert session.asked[0][0] == "DELETE FROM airlines.carrier_on_time"


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
