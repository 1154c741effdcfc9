"""A declaration that can't be is refused where it stands: with file, line, what was found and expected."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from airline_platform.contract.check import Check, Equal, Share
from airline_platform.contract.declaration import DeclarationError
from airline_platform.contract.drift import RESCUED, evolved_columns
from airline_platform.contract.feed import DAY, Feed, Job
from airline_platform.contract.reading import Reading
from airline_platform.contract.sink import Dimension, FactTable, LakeTable, LatestRows, Lookup
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE, Column, Table
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

STATION = Column("Station", "string", "Name of the station.", required=True)
WARMTH = Column("Temp", "decimal", "Degrees.", called="degrees")
OBSERVER = Column("observer", "string", "Who looked.", personal=True)
FACT = FactTable(table=Table("fact_weather", "One row per hour.", partition_column="weather_date"))
DIMENSION = Dimension(table=Table("dim_station", "One row per station."), key="station")
COLD = Check("too_cold", "Few hours are cold.", Share("are cold", 0.1), "Look.", where="degrees < 0")
LAKE = LakeTable(
    typed=Table(
        "weather_parquet",
        "One row per hour.",
        (
            Column("weather_date", "date", "Day."),
            STATION.in_table,
            WARMTH.in_table,
            LANDED_AT,
            SOURCE_FILE,
            SOURCE_LINE,
        ),
        partition_column="weather_date",
    ),
    table=Table("weather_clean", "One row per hour.", partition_column="weather_date", key=("station",)),
    totals="weather_totals",
    sums=(),
)


def weather(**options: Any) -> Feed:
    """A feed that is as short as one can be."""
    plain = {"name": "weather", "prefix": "weather/", "noun": "hours", "columns": (STATION, WARMTH)}
    return Feed(**{**plain, "becomes": FACT, **options})


def columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "string", "It.") for name in names)


def fact(*of_table: Column, lookups: tuple[Lookup, ...] = (), **table: Any) -> FactTable:
    """A fact table with these columns."""
    by_day = replace(FACT.table, columns=of_table, **table)
    return FactTable(table=by_day, lookups=lookups)


ONE_OF = "expected one of "
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a name with a capital": (
        {"name": "Weather"},
        "a feed's name is 'Weather'; expected small letters, digits and underscores, a letter first",
    ),
    "a name with a figure first": (
        {"name": "2weather"},
        "a feed's name is '2weather'; expected small letters",
    ),
    "a name with a hyphen": ({"name": "wea-ther"}, "a feed's name is 'wea-ther'; expected small letters"),
    "no name": ({"name": ""}, "a feed's name is ''; expected small letters"),
    "a prefix without a slash": (
        {"prefix": "weather"},
        "feed weather: prefix is 'weather'; expected a prefix that ends in '/', and does not begin with it",
    ),
    "a prefix that begins with one": (
        {"prefix": "/weather/"},
        "feed weather: prefix is '/weather/'; expected",
    ),
    "no columns": ({"columns": ()}, "feed weather: columns is (); expected at least one Column"),
    "a doubled column": (
        {"columns": columns("Temp", "station", "TEMP")},
        "feed weather: columns is ['temp']; expected each name once, whatever its case",
    ),
    "a doubled column of the table": (
        {"columns": (STATION, replace(WARMTH, called="station"))},
        "feed weather: table fact_weather: columns is ['station']; expected each name once; `called` gives",
    ),
    "a column that the table has itself": (
        {"columns": columns("source_file")},
        "feed weather: table fact_weather: columns is ['source_file']; expected each name once",
    ),
    "a share of rejects above 1": (
        {"max_rejected_share": 5},
        "feed weather: max_rejected_share is 5; expected a share, 0 to 1",
    ),
    "an unknown format": (
        {"format": "cvs"},
        f"feed weather: format is 'cvs'; {ONE_OF}csv, json (did you mean 'csv'?)",
    ),
    "an unknown policy of drift": (
        {"drift": "ignored"},
        f"feed weather: drift is 'ignored'; {ONE_OF}refuse, ignore, rescue, evolve (did you mean 'ignore'?)",
    ),
    "an unknown policy of refused files": (
        {"on_refused": "x"},
        f"feed weather: on_refused is 'x'; {ONE_OF}load_others, refuse_day",
    ),
    "an unknown policy of no rows": ({"no_rows": "x"}, f"feed weather: no_rows is 'x'; {ONE_OF}refuse, load"),
    "people in a column nobody declared, rescued": (
        {"columns": (STATION, OBSERVER), "drift": "rescue"},
        "feed weather: drift is 'rescue'; expected 'refuse' or 'ignore', because its files identify people",
    ),
    "people in a column nobody declared, evolved": (
        {"columns": (STATION, OBSERVER), "drift": "evolve"},
        "feed weather: drift is 'evolve'; expected 'refuse' or 'ignore', because its files identify people",
    ),
    "JSON that evolves": (
        {"format": "json", "drift": "evolve"},
        "feed weather: drift is 'evolve'; expected 'rescue', which keeps them, because each object of JSON",
    ),
    "a dimension that rescues": (
        {"becomes": DIMENSION, "drift": "rescue"},
        "feed weather: drift is 'rescue'; expected 'refuse' or 'ignore', because only fact tables keep",
    ),
    "a lake's table that evolves": (
        {"becomes": LAKE, "drift": "evolve"},
        "feed weather: drift is 'evolve'; expected 'refuse' or 'ignore', because only fact tables keep",
    ),
    "a dimension that may be empty": (
        {"becomes": DIMENSION, "no_rows": "load"},
        "feed weather: no_rows is 'load'; expected 'refuse', because only fact tables have days without rows",
    ),
    "a lake's table that may be empty": (
        {"becomes": LAKE, "no_rows": "load"},
        "feed weather: no_rows is 'load'; expected 'refuse', because only fact tables have days without rows",
    ),
    "a dimension with checks of its own": (
        {"becomes": DIMENSION, "checks": (COLD,)},
        "feed weather: checks is ['too_cold']; expected none, because only a fact table's days are judged by",
    ),
    "a lake's table with checks of its own": (
        {"becomes": LAKE, "checks": (COLD,)},
        "feed weather: checks is ['too_cold']; expected none, because only a fact table's days are judged by",
    ),
    "a check of nobody knows which rows": (
        {"checks": (COLD, replace(COLD, name="cold", where=""))},
        "feed weather: checks is ['cold']; expected checks whose rule is a Share, with `where`",
    ),
    "a check of no share": (
        {"checks": (replace(COLD, rule=Equal()),)},
        "feed weather: checks is ['too_cold']; expected checks whose rule is a Share, with `where`",
    ),
    "facts without a day": (
        {"becomes": FactTable(table=Table("fact_weather", "One row per hour."))},
        "feed weather: table fact_weather: partition_column is None; expected the column of the day",
    ),
    "a dimension with a day": (
        {"becomes": replace(DIMENSION, table=replace(DIMENSION.table, partition_column="day"))},
        "feed weather: table dim_station: partition_column is 'day'; expected none, because a",
    ),
    "a dimension's key that is no column": (
        {"becomes": replace(DIMENSION, key="statoin")},
        f"feed weather: table dim_station: key is 'statoin'; {ONE_OF}station, degrees, landed_at",
    ),
    "a lookup's key that is no column": (
        {
            "becomes": fact(
                Column("weather_date", "date", "Day."),
                STATION.in_table,
                Column("city", "string", "City."),
                lookups=(Lookup("airport", (("city", "city"),), "airports"),),
            )
        },
        f"feed weather: table fact_weather: the key of a lookup is 'airport'; {ONE_OF}weather_date, station",
    ),
    "a lookup into columns that are derived": (
        {"becomes": replace(FACT, lookups=(Lookup("station", (("city", "city"),), "airports"),))},
        "feed weather: table fact_weather: columns is (); expected columns, which its lookups fill",
    ),
    "a hash of what is not landed": (
        {"becomes": fact(Column("who", "string", "Who.", hash_of="mail"))},
        f"feed weather: table fact_weather: hash_of of who is 'mail'; {ONE_OF}Station, Temp",
    ),
    "a column that comes from nowhere": (
        {"becomes": fact(Column("weather_date", "date", "Day."), STATION.in_table, *columns("cloudz"))},
        "feed weather: table fact_weather: columns is ['cloudz']; expected columns that are landed",
    ),
}


def refusal_of(declare: Callable[[], object]) -> str:
    with pytest.raises(DeclarationError) as raised:
        declare()
    assert isinstance(raised.value, ValueError)
    return str(raised.value)


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_is_refused_with_file_line_and_expectation(name: str) -> None:
    options, told = WRONG[name]

    message = refusal_of(lambda: weather(**options))

    line = inspect.getsourcelines(weather)[1] + 3
    place, _, words = message.partition(": ")
    assert re.fullmatch(rf"\S*test_feed\.py:{line}", place), message
    assert words.startswith(told)


def test_a_declaration_made_of_another_one_is_refused_where_it_is_made() -> None:
    line = inspect.currentframe().f_lineno + 1  # type: ignore[union-attr]
    message = refusal_of(lambda: replace(FLIGHTS, drift="ignored"))

    assert re.match(rf"\S*test_feed\.py:{line}: feed flights: drift is 'ignored'", message), message


def test_the_shortest_feed_has_a_table_of_its_day_what_lands_and_whence() -> None:
    feed = weather()

    assert feed.table.column_names == ("weather_date", "station", "degrees", "source_file", "source_line")
    assert feed.table.sort_key == ("weather_date",)
    assert dict(feed.sources) == {
        "weather_date": DAY,
        "station": "Station",
        "degrees": "Temp",
        "source_file": "source_file",
        "source_line": "source_line",
    }
    assert (feed.raw_asset, feed.catalog_asset, feed.made_asset, feed.last_asset) == (
        "raw_weather",
        "weather_catalog",
        "weather_enriched",
        "fact_weather",
    )
    assert feed.jobs == (Job("weather", "feed"),)
    assert feed.tables == (feed.table,)
    assert feed.daily
    assert not feed.personal


def test_a_derived_table_names_nobody() -> None:
    feed = weather(columns=(STATION, OBSERVER))

    assert feed.personal
    assert "observer" not in feed.table.column_names


def test_a_derived_dimension_says_when_its_rows_landed_and_has_no_day() -> None:
    feed = weather(becomes=DIMENSION)

    assert feed.table.column_names == ("station", "degrees", "landed_at", "source_file", "source_line")
    assert not feed.daily
    assert feed.key("a.csv", date(2013, 1, 1)) == "weather/a.csv"
    assert weather().key("a.csv", date(2013, 1, 1)) == "weather/date=2013-01-01/a.csv"


def test_a_feed_that_stays_in_the_lake_has_two_jobs_and_no_warehouse_table() -> None:
    feed = weather(becomes=LAKE, columns=(STATION, WARMTH, OBSERVER))

    assert feed.jobs == (Job("weather_to_parquet", "feed"), Job("weather_clean", "lake_table"))
    assert feed.tables == ()
    assert feed.job_table == LAKE.typed
    assert feed.typed_prefix == "weather/weather_parquet/"
    assert (feed.made_asset, feed.last_asset) == ("weather_parquet", "weather_totals")
    assert "observer" not in feed.table.column_names


def test_columns_that_a_transform_makes_need_come_from_nowhere() -> None:
    table = fact(Column("weather_date", "date", "Day."), *columns("clouds"))

    assert weather(becomes=replace(table, transform="weather")).transform == "weather"


def test_a_hash_of_a_landed_column_is_a_source_that_no_row_has() -> None:
    feed = weather(
        columns=(STATION, OBSERVER),
        becomes=fact(
            Column("weather_date", "date", "Day."), Column("who", "string", "Who.", hash_of="observer")
        ),
    )

    assert feed.hashed
    assert dict(feed.sources) == {"weather_date": DAY}


def test_facts_may_have_a_table_of_their_latest_rows() -> None:
    latest = LatestRows(
        table=Table("weather_now", "One row per station.", key=("station",)), order=("weather_date",)
    )
    feed = weather(becomes=replace(FACT, latest=latest))

    assert feed.tables == (feed.table, latest.table)
    assert (feed.latest, weather(becomes=DIMENSION).latest) == (latest, None)


@pytest.mark.parametrize(
    ("becomes", "option"),
    [
        (lambda: replace(FACT, told_apart_by="nowhere"), "told_apart_by"),
        (lambda: replace(FACT, table=replace(FACT.table, dist_key="nowhere")), "dist_key"),
        (lambda: replace(FACT, table=replace(FACT.table, sort_key=("nowhere",))), "sort_key"),
        (lambda: replace(FACT, table=replace(FACT.table, key=("nowhere",))), "key"),
        (lambda: replace(DIMENSION, key="nowhere"), "key"),
        (
            lambda: replace(FACT, latest=LatestRows(Table("now", "x", key=("station",)), order=("nowhere",))),
            "the order of latest rows",
        ),
    ],
)
def test_what_an_option_names_is_a_column_of_the_table(becomes: Any, option: str) -> None:
    with pytest.raises(DeclarationError, match=f"{option} is 'nowhere'; expected one of .*station"):
        weather(becomes=becomes())


def test_latest_rows_are_told_by_one_column() -> None:
    with pytest.raises(DeclarationError, match=r"latest rows now: key is .*; expected one column"):
        LatestRows(Table("now", "x", key=("station", "degrees")), order=())


@pytest.mark.parametrize("drift", ["rescue", "evolve"])
def test_a_feed_about_people_keeps_no_column_that_nobody_has_declared(drift: Any) -> None:
    with pytest.raises(DeclarationError, match="a column nobody has declared may name one"):
        replace(BOOKINGS, drift=drift)
    assert replace(BOOKINGS, drift="ignore").drift == "ignore"


def test_json_does_not_evolve_because_each_object_names_its_own_fields() -> None:
    nobody = tuple(replace(column, personal=False) for column in SHIPMENTS.columns)

    with pytest.raises(DeclarationError, match="expected 'rescue'"):
        replace(SHIPMENTS, columns=nobody, drift="evolve")


def test_only_facts_keep_strange_columns_and_have_days_without_rows() -> None:
    nobody = tuple(replace(column, personal=False) for column in SHIPMENTS.columns)
    for feed in (AIRPORTS, replace(SHIPMENTS, columns=nobody)):
        with pytest.raises(DeclarationError, match="only fact tables keep columns"):
            replace(feed, drift="rescue")
        with pytest.raises(DeclarationError, match="only fact tables have days without rows"):
            replace(feed, no_rows="load")
    assert replace(FLIGHTS, no_rows="load").no_rows == "load"


def test_a_feed_that_rescues_has_a_column_for_it_once() -> None:
    feed = replace(replace(FLIGHTS, drift="rescue"), noun="flights")

    assert feed.table.columns.count(RESCUED) == 1
    assert ("rescued", "rescued") in feed.sources
    assert RESCUED not in FLIGHTS.table.columns


def test_a_feed_whose_table_has_grown_is_not_judged_as_a_declaration() -> None:
    table = FLIGHTS.table.with_columns(evolved_columns(["gate"]))
    grown = replace(FLIGHTS, drift="evolve").with_table(table)

    assert grown.table.column_names == (*FLIGHTS.table.column_names, "gate")
    assert grown.name == FLIGHTS.name


def test_the_first_pattern_that_fits_a_key_says_how_its_file_is_written() -> None:
    semicolons, tabs = Reading(delimiter=";"), Reading(delimiter="\t")
    feed = replace(FLIGHTS, readings=(("*/a-*.csv", semicolons), ("*/a*.csv", tabs)))

    assert feed.reading_of("daily_flights/date=2013-01-01/a-1.csv") == semicolons
    assert feed.reading_of("daily_flights/date=2013-01-01/a1.csv") == tabs
    assert feed.reading_of("daily_flights/2013-01-01.csv") == Reading()


def test_the_dimension_reads_what_its_feed_declares() -> None:
    assert AIRPORTS.header == "airport_id,city,state,name"
    assert isinstance(AIRPORTS.becomes, Dimension)
    assert [column.name for column in AIRPORTS.becomes.snapshot] == ["airport_id", "city", "state", "name"]


def test_a_feed_names_the_dimensions_its_lookups_read_each_once() -> None:
    assert FLIGHTS.dimensions == BOOKINGS.dimensions == ("airports",)
    assert weather().dimensions == weather(becomes=DIMENSION).dimensions == ()
