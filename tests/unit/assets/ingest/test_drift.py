"""What a feed may declare of strange columns and refused files, and what columns that evolve are called."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from assets.ingest.landed import whole_days

from airline_platform.contract.drift import RESCUED, evolved_columns, evolved_name
from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.ingest.drift import grown
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Accepted, Refused
from resources.landing import LandedObject


@pytest.mark.parametrize(
    ("landed", "name"),
    [
        ("Tail Number", "tail_number"),
        (" gate ", "gate"),
        ("Café-Größe", "cafe_gro_e"),
        ("2nd carrier", "column_2nd_carrier"),
        ("東京", "column_e69db1e4baac"),
        ("Carrier", "landed_carrier"),
        ("source_line", "landed_source_line"),
        ("order", "landed_order"),
        ("User", "landed_user"),
        ("x" * 100, "x" * 60),
        ('"; DROP TABLE x; --', "drop_table_x"),
    ],
)
def test_an_evolved_column_has_a_name_every_engine_takes(landed: str, name: str) -> None:
    assert evolved_name(landed, FLIGHTS.table) == name


def test_a_feed_about_people_keeps_no_column_that_nobody_has_declared() -> None:
    for drift in ("rescue", "evolve"):
        with pytest.raises(ValueError, match="a column nobody has declared may name one"):
            replace(BOOKINGS, drift=drift)
    assert replace(BOOKINGS, drift="ignore").drift == "ignore"


def test_json_does_not_evolve_because_each_object_names_its_own_fields() -> None:
    columns = tuple(replace(column, personal=False) for column in SHIPMENTS.columns)

    with pytest.raises(ValueError, match="expected 'rescue'"):
        replace(SHIPMENTS, columns=columns, drift="evolve")


def test_only_facts_keep_strange_columns_and_have_days_without_rows() -> None:
    people = tuple(replace(column, personal=False) for column in SHIPMENTS.columns)
    for feed in (AIRPORTS, replace(SHIPMENTS, columns=people)):
        with pytest.raises(ValueError, match="only fact tables keep columns"):
            replace(feed, drift="rescue")
        with pytest.raises(ValueError, match="only a fact table has days without rows"):
            replace(feed, no_rows="load")


def test_a_feed_that_rescues_has_a_column_for_it_once() -> None:
    feed = replace(replace(FLIGHTS, drift="rescue"), noun="flights")

    assert feed.table.columns.count(RESCUED) == 1
    assert RESCUED not in FLIGHTS.table.columns


def test_a_grown_feeds_table_has_the_evolved_columns_behind_its_own() -> None:
    table = grown(FLIGHTS, ["gate"]).table

    assert table.column_names == (*FLIGHTS.table.column_names, "gate")
    assert not evolved_columns(["gate"])[0].required
    assert grown(FLIGHTS, []) is FLIGHTS


def verdict(feed: Feed, header: str) -> Accepted | Refused:
    body = f"{header}\n{','.join('1' * len(header.split(',')))}\n".encode()
    return judge(feed, [body], len(body))


def test_a_column_that_may_be_empty_may_be_missing_under_every_policy_but_to_refuse() -> None:
    without = FLIGHTS.header.removesuffix(",ArrDelay")
    assert isinstance(verdict(FLIGHTS, without), Refused)
    for drift in ("ignore", "rescue", "evolve"):
        feed = replace(FLIGHTS, drift=drift)
        found = verdict(feed, f"{without},gate,Gate,")
        assert isinstance(found, Accepted)
        assert found.columns[4:] == ("?gate", "?Gate", "?column_7")
        needed = verdict(feed, FLIGHTS.header.replace("Carrier,", ""))
        assert isinstance(needed, Refused)
        assert needed.found == "columns missing 'Carrier'"
        assert isinstance(verdict(feed, f"{FLIGHTS.header},carrier"), Refused)


def test_the_first_pattern_that_fits_a_key_says_how_its_file_is_written() -> None:
    semicolons, tabs = Reading(delimiter=";"), Reading(delimiter="\t")
    feed = replace(FLIGHTS, readings=(("*/a-*.csv", semicolons), ("*/a*.csv", tabs)))

    assert feed.reading_of("daily_flights/date=2013-01-01/a-1.csv") == semicolons
    assert feed.reading_of("daily_flights/date=2013-01-01/a1.csv") == tabs
    assert feed.reading_of("daily_flights/2013-01-01.csv") == Reading()


def file(day: str, name: str, refused: str | None = None) -> LandedObject:
    return LandedObject(
        "b", f"f/date={day}/{name}", day, "e", 1, datetime(2013, 1, 1, tzinfo=UTC), refused=refused
    )


def test_a_refused_file_refuses_its_day_where_the_feed_says_so() -> None:
    files = [file("2013-01-01", "good"), file("2013-01-01", "bad", "why"), file("2013-01-02", "good")]

    assert whole_days(FLIGHTS, files) == files
    refused = [found.refused for found in whole_days(replace(FLIGHTS, on_refused="refuse_day"), files)]
    assert refused == [
        "the day is refused as a whole because of f/date=2013-01-01/bad. Mend that file, and land it again",
        "why",
        None,
    ]
