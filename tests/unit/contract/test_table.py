"""A column is declared once; every engine's form of it derives from that."""

import re
from dataclasses import replace
from typing import Any

import pytest

from airline_platform.contract.declaration import DeclarationError
from airline_platform.contract.feed import Feed
from airline_platform.contract.table import SOURCE_FILE, Column, Table, column_definitions
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from resources.warehouse.own_tables import INGESTED_FILES

TABLES = [INGESTED_FILES, *(table for feed in FEEDS.values() for table in feed.tables)]


@pytest.mark.parametrize(
    ("column", "redshift", "glue"),
    [
        (Column("city", "string", "City.", length=100), "VARCHAR(100)", "string"),
        (Column("city", "string", "City."), "VARCHAR(256)", "string"),
        (Column("delay", "bigint", "Minutes."), "BIGINT", "bigint"),
        (Column("day", "date", "Day."), "DATE", "date"),
        (Column("at", "timestamp", "When."), "TIMESTAMP", "timestamp"),
        (Column("at", "timestamptz", "When."), "TIMESTAMPTZ", "timestamp"),
        (Column("fare", "decimal", "Fare."), "DECIMAL(14, 3)", "decimal(14,3)"),
        (Column("fares", "decimal", "Fares.", digits=24), "DECIMAL(24, 3)", "decimal(24,3)"),
    ],
)
def test_a_column_has_a_type_in_redshift_and_in_glue(column: Column, redshift: str, glue: str) -> None:
    assert (column.redshift_type, column.glue_type) == (redshift, glue)


def test_only_required_columns_are_not_null() -> None:
    columns = (Column("id", "bigint", "Id.", required=True), Column("city", "string", "City.", length=9))

    assert column_definitions(columns) == "id BIGINT NOT NULL, city VARCHAR(9)"


def test_a_table_with_a_dist_key_is_distributed_by_it_and_sorted() -> None:
    table = Table("t", "Rows.", (Column("a", "bigint", "A."),), dist_key="a", sort_key=("a", "b"))

    assert (
        table.ddl()
        == "CREATE TABLE IF NOT EXISTS airlines.t (a BIGINT) DISTSTYLE KEY DISTKEY(a) SORTKEY(a, b)"
    )


def test_a_table_without_a_dist_key_is_copied_to_every_node() -> None:
    table = Table("t", "Rows.", (Column("a", "bigint", "A."),))

    assert table.ddl() == "CREATE TABLE IF NOT EXISTS airlines.t (a BIGINT) DISTSTYLE ALL"


def test_a_tables_key_is_declared() -> None:
    table = Table("t", "Rows.", (Column("a", "bigint", "A."),), key=("a",))

    assert table.ddl() == "CREATE TABLE IF NOT EXISTS airlines.t (a BIGINT, PRIMARY KEY (a)) DISTSTYLE ALL"


def test_the_landed_file_of_a_row_is_staged_once_and_last() -> None:
    plain = Table("t", "Rows.", (Column("a", "bigint", "A."),))
    with_it = Table("t", "Rows.", (Column("a", "bigint", "A."), SOURCE_FILE))

    assert plain.staged_columns == with_it.staged_columns == with_it.columns


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_no_table_has_a_column_that_identifies_people(feed: Feed) -> None:
    personal = {column.name for column in feed.columns if column.personal}

    assert [name for table in feed.tables for name in table.column_names if name in personal] == []


@pytest.mark.parametrize("feed", [feed for feed in FEEDS.values() if feed.latest], ids=lambda feed: feed.name)
def test_the_latest_rows_have_their_feeds_columns_and_an_order(feed: Feed) -> None:
    assert feed.latest is not None
    assert set(feed.latest.table.columns) <= set(feed.table.columns)
    assert set(feed.latest.order) <= set(feed.table.column_names)
    assert len(feed.latest.table.key) == 1


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_keys_and_partitions_are_columns_of_their_table(table: Table) -> None:
    keys = {table.dist_key, table.partition_column, *table.sort_key, *table.key} - {None}

    assert keys <= set(table.column_names)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_no_table_names_a_column_twice(table: Table) -> None:
    staged = [column.name.casefold() for column in table.staged_columns]

    assert len(staged) == len(set(staged))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_and_column_says_what_it_is(table: Table) -> None:
    assert table.description.endswith(".")
    assert [c.name for c in table.columns if not c.description.endswith(".")] == []


def test_the_fact_keeps_the_columns_its_users_know_and_adds_day_and_keys() -> None:
    known = {"carrier", "dep_airport", "arr_airport", "dep_city", "arr_city", "dep_state", "arr_state"}

    assert set(FLIGHTS.table.column_names) == known | {
        "dep_delay", "arr_delay", "flight_date", "origin_airport_id", "dest_airport_id",
        "source_file", "source_line",
    }  # fmt: skip
    assert FLIGHTS.table.qualified_name == "airlines.daily_flights_processed"


def test_the_fact_holds_every_name_the_dimension_can_give_it() -> None:
    lengths = {column.name: column.length for column in FLIGHTS.table.columns}
    given = {column.name: column.length for column in AIRPORTS.table.columns}

    for end in ("dep", "arr"):
        assert lengths[f"{end}_airport"] >= given["name"]
        assert lengths[f"{end}_city"] >= given["city"]
        assert lengths[f"{end}_state"] >= given["state"]


def test_the_ledger_tells_each_version_of_each_object_apart() -> None:
    assert {"feed", "bucket", "key", "version_id", "etag"} <= set(INGESTED_FILES.column_names)


NEAREST = "timestamptz (did you mean 'timestamp'?)"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown type": (
        {"type": "timestmap"},
        "type is 'timestmap'; expected one of string, bigint, decimal, date, timestamp, " + NEAREST,
    ),
    "values of a number": (
        {"type": "bigint", "one_of": ("1", "2")},
        "one_of is ('1', '2'); expected none, because it is for strings and this is a bigint",
    ),
    "a pattern of a day": (
        {"type": "date", "pattern": ("x", "an x")},
        "pattern is ('x', 'an x'); expected none, because it is for strings and this is a date",
    ),
    "lines of a number": (
        {"type": "decimal", "several_lines": True},
        "several_lines is True; expected none, because it is for strings and this is a decimal",
    ),
    "a text that is rounded": (
        {"rounded": True},
        "rounded is True; expected False, because it is for decimals, not a string",
    ),
    "bounds of a text": (
        {"minimum": 1},
        "minimum and maximum is (1, None); expected none, because string is no number",
    ),
    "bounds the wrong way round": (
        {"type": "bigint", "minimum": 3, "maximum": 2},
        "minimum is 3; expected at most its maximum, 2",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_column_that_can_not_be_is_refused_with_file_line_and_expectation(name: str) -> None:
    options, told = WRONG[name]

    with pytest.raises(DeclarationError) as raised:
        Column(**{"name": "delay", "type": "string", "description": "Minutes."} | options)

    place, _, words = str(raised.value).partition(": ")
    assert re.fullmatch(r"\S*test_table\.py:\d+", place)
    assert words == f"column delay: {told}"


def test_a_landed_column_becomes_one_of_its_name_in_small_letters_or_of_the_one_it_is_called() -> None:
    landed = Column("DepDelay", "date", "Day.", separator="/")

    assert (landed.in_table.name, landed.in_table.separator) == ("depdelay", "-")
    called = replace(landed, called="dep_delay").in_table
    assert (called.name, called.called) == ("dep_delay", "")


def test_columns_are_added_behind_a_tables_own() -> None:
    table = Table("t", "Rows.", (Column("a", "bigint", "A."),))

    assert table.with_columns([SOURCE_FILE]).column_names == ("a", "source_file")
    assert table.column_names == ("a",)
