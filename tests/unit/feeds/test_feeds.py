"""Feeds are found by themselves, fit each other, and say where one does not."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from airline_platform.contract.declaration import DeclarationError
from airline_platform.contract.sink import FactTable, Lookup
from airline_platform.feeds import FEEDS, SUFFIXES, by_name, require_consistent
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS

REPOSITORY = Path(__file__).parents[3]

TRAINS = """
from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import FactTable, Lookup
from airline_platform.contract.table import Column, Table

TRAINS = Feed(
    name="trains",
    prefix="trains/",
    noun="trains",
    columns=(Column("ride_id", "bigint", "Names the ride."),),
    becomes=FactTable(table=Table("fact_rides", "One row per ride.", partition_column="ride_date")),
)
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of the package that declares."""
    shutil.copytree(REPOSITORY / "airline_platform", tmp_path / "airline_platform")
    return tmp_path


def declare(house: Path, text: str, name: str = "trains.py") -> subprocess.CompletedProcess[str]:
    """Write a module of feeds, and load all of them."""
    (house / "airline_platform" / "feeds" / name).write_text(text, encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-c", "from airline_platform.feeds import FEEDS; print(*FEEDS)"],
        cwd=house,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(house)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_module_that_declares_a_feed_needs_to_be_named_nowhere(house: Path) -> None:
    assert declare(house, TRAINS).stdout.split() == [*FEEDS, "trains"]


@pytest.mark.parametrize(
    ("right", "wrong", "line", "told"),
    [
        (
            "noun=",
            "noon=",
            6,
            "Feed has no option noon; expected one of name, prefix, noun, .*did you mean noun",
        ),
        ("table=Table", "tabel=Table", 11, "FactTable has no option tabel; expected .*did you mean table"),
        ('"bigint"', '"int"', 10, "column ride_id: type is 'int'; expected one of string, bigint"),
        ('"trains/"', '"trains"', 6, "feed trains: prefix is 'trains'; expected a prefix that ends in '/'"),
        ('"trains/"', '"shipments/x/"', 6, "feeds shipments and trains: prefixes are 'shipments/' and"),
        ('name="trains"', 'name="flights"', 6, "feed flights: its name is that of the one declared at"),
    ],
)
def test_a_wrong_declaration_is_told_with_its_file_and_line(
    house: Path, right: str, wrong: str, line: int, told: str
) -> None:
    done = declare(house, TRAINS.replace(right, wrong))

    last = done.stderr.strip().splitlines()[-1]
    assert re.search(rf"DeclarationError: airline_platform/feeds/trains\.py:{line}: {told}", last), (
        done.stderr
    )


def test_what_is_no_declaration_s_error_is_raised_as_it_is(house: Path) -> None:
    assert declare(house, "len(7)\n").stderr.strip().endswith("TypeError: object of type 'int' has no len()")


def test_what_is_looked_up_has_to_be_a_dimension() -> None:
    for dimension in ("airprots", "flights"):
        lookup = Lookup("origin_airport_id", (("dep_city", "city"),), dimension)
        assert isinstance(FLIGHTS.becomes, FactTable)
        feed = replace(FLIGHTS, becomes=replace(FLIGHTS.becomes, lookups=(*FLIGHTS.lookups, lookup)))

        with pytest.raises(DeclarationError) as raised:
            require_consistent(FEEDS | {"flights": feed})

        assert re.fullmatch(
            r"\S*test_feeds\.py:\d+: feed flights: the lookup by origin_airport_id: "
            rf"dimension is '{dimension}'; expected a feed that becomes a Dimension, one of airports",
            str(raised.value),
        )


def test_without_a_dimension_the_refusal_says_that_there_is_none() -> None:
    with pytest.raises(DeclarationError, match="one of none, because there is none"):
        require_consistent({"flights": FLIGHTS})


def test_what_is_filled_in_has_to_be_a_column_of_the_dimension() -> None:
    lookup = Lookup("origin_airport_id", (("dep_city", "town"),), "airports")
    assert isinstance(FLIGHTS.becomes, FactTable)
    kept = tuple(it for it in FLIGHTS.table.columns if it.name not in ("dep_airport", "dep_state"))
    table = replace(FLIGHTS.table, columns=kept)
    becomes = replace(FLIGHTS.becomes, table=table, lookups=(*FLIGHTS.lookups[1:], lookup))

    with pytest.raises(DeclarationError) as raised:
        require_consistent(FEEDS | {"flights": replace(FLIGHTS, becomes=becomes)})

    assert re.search(
        r"test_feeds\.py:\d+: feed flights: the lookup by origin_airport_id: filled from \['town'\]; "
        "expected columns of the dimension: airport_id, city, state, name",
        str(raised.value),
    )


@pytest.mark.parametrize("prefix", ["daily_flights/", "daily_flights/more/"])
def test_a_key_has_one_feed(prefix: str) -> None:
    with pytest.raises(DeclarationError, match=r"test_feeds\.py:\d+: feeds flights and trains: prefixes are"):
        require_consistent(FEEDS | {"trains": replace(AIRPORTS, name="trains", prefix=prefix)})


def test_two_feeds_of_one_name_are_refused_with_both_places() -> None:
    assert by_name(FEEDS.values()) == FEEDS
    with pytest.raises(DeclarationError) as raised:
        by_name([FLIGHTS, replace(FLIGHTS, prefix="other/")])

    assert re.fullmatch(
        r"\S*test_feeds\.py:\d+: feed flights: its name is that of the one declared at "
        r"\S*airline_platform/feeds/flights\.py:\d+; expected another one",
        str(raised.value),
    )


def test_files_of_every_feed_end_in_what_some_feed_reads() -> None:
    assert set(SUFFIXES) == {".csv", ".csv.gz", ".json", ".json.gz"}
