"""The figures of a day are those the asset declares, and each says what it is made of."""

from datetime import UTC, datetime

from airline_platform.feeds.flights import FLIGHTS
from assets.report.delays import Day
from assets.report.figures import FIGURES, SOURCES
from resources.warehouse.ledger import Verdict

AT = datetime(2013, 1, 8, tzinfo=UTC)
LOADED = Verdict(
    feed="flights",
    day="2013-01-07",
    key="a",
    etag="e",
    state="loaded",
    rows_rejected=10,
    landed_at=AT,
    loaded_at=AT,
)
BUSY = Day(
    "2013-01-07",
    figures={
        "flights": 6000,
        "cancelled": 12,
        "diverted": 3,
        "delayed_flights": 1500,
        "mean_dep_delay": 12.3,
        "mean_arr_delay": -1.25,
    },
    files=[LOADED],
)


def test_the_numbers_of_a_day_are_the_figures_the_asset_declares() -> None:
    assert set(BUSY.numbers) == {figure.column.name for figure in FIGURES}
    assert BUSY.numbers["delayed_percent"] == 25.0
    assert BUSY.numbers["rows_rejected"] == 10


def test_a_figure_is_made_of_columns_that_the_flights_have() -> None:
    sources = {source for made_of in SOURCES.values() for source in made_of}

    assert {asset for asset, _ in sources} == {FLIGHTS.table.name}
    assert {column for _, column in sources} <= set(FLIGHTS.table.column_names)
