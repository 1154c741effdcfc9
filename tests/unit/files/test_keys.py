"""A key says which feed a file is and which day it is for, or why no feed claims it."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.files.keys import LandedKey, NoLanding, UnknownKey, is_own, parse_key

FIRST, LAST = date(2013, 1, 1), date(2013, 12, 31)


def parse(key: str) -> LandedKey | UnknownKey | NoLanding:
    return parse_key(key, first_day=FIRST, last_day=LAST)


@pytest.mark.parametrize(
    "key",
    [
        "daily_flights/date=2013-02-28/flights.csv",
        "daily_flights/date=2013-02-28/flights.csv.gz",
        "daily_flights/date=2013-02-28/JFK + LGA é (2).csv",
        "daily_flights/2013-02-28.csv",
        "daily_flights/2013-02-28.csv.gz",
    ],
)
def test_both_layouts_are_flights_of_their_day(key: str) -> None:
    assert parse(key) == LandedKey(FLIGHTS, "2013-02-28")


@pytest.mark.parametrize(
    ("key", "landed"),
    [
        ("daily_flights/date=2013-02-28/FLIGHTS.CSV.GZ", LandedKey(FLIGHTS, "2013-02-28")),
        ("daily_flights/date=2013-02-28/Flights.Csv", LandedKey(FLIGHTS, "2013-02-28")),
        ("daily_flights/2013-02-28.CSV", LandedKey(FLIGHTS, "2013-02-28")),
        ("bookings/2013-02-28.csv.GZ", LandedKey(BOOKINGS, "2013-02-28")),
        ("shipments/2013-02-28.JSON", LandedKey(SHIPMENTS, "2013-02-28")),
        ("airport_codes/AIRPORTS.CSV", LandedKey(AIRPORTS, None)),
    ],
)
def test_suffixes_may_be_in_capitals(key: str, landed: LandedKey) -> None:
    assert parse(key) == landed


@pytest.mark.parametrize(
    "name",
    [
        "",
        "_SUCCESS",
        "_SUCCESS.crc",
        "_started_8421437561",
        "_committed_8421437561",
        "_committed_vacuum8421437561",
        "_metadata",
        "_common_metadata",
        "_temporary/0/task_201301010000_0001_m_000000/part-00000.csv",
        ".spark-staging-0c2f/date=2013-01-01/part-00000.csv",
        "_spark_metadata/0",
        ".part-00000-1b2c3d4e.c000.csv.crc",
        "8f8c0b6a.csv.metadata",
        ".DS_Store",
        "._flights.csv",
        "__MACOSX/flights.csv",
        "Thumbs.db",
        "desktop.ini",
        "DESKTOP.INI",
        "~$flights.csv",
        ".~lock.flights.csv#",
        ".gitkeep",
    ],
)
@pytest.mark.parametrize("folder", ["daily_flights/date=2013-01-01/", "airport_codes/", "invoices/"])
def test_what_tools_leave_beside_their_files_is_passed_over_wherever_it_stands(
    folder: str, name: str
) -> None:
    assert parse(f"{folder}{name}") == NoLanding(f"{folder}{name}")


@pytest.mark.parametrize(
    "key", ["daily_flights/", "daily_flights/date=2013-01-01_$folder$", "daily_flights_$folder$", "x//"]
)
def test_what_stands_for_a_folder_is_passed_over(key: str) -> None:
    assert parse(key) == NoLanding(key)


@pytest.mark.parametrize(
    "name",
    [
        "_flights.csv",
        ".flights.csv",
        "SUCCESS",
        "_SUCCESS.csv",
        "_started",
        "_metadata.json",
        "x.crc",
        ".csv",
    ],
)
def test_what_only_looks_like_a_marker_is_still_told(name: str) -> None:
    assert isinstance(parse(f"daily_flights/date=2013-01-01/{name}"), UnknownKey)


@pytest.mark.parametrize(
    "name", ["f_$folder$.csv", "SUCCESS.csv", "thumbs.db.csv", "a~$b.csv", "x_temporary.csv"]
)
def test_a_file_whose_name_has_a_markers_in_it_is_a_file(name: str) -> None:
    assert parse(f"daily_flights/date=2013-01-01/{name}") == LandedKey(FLIGHTS, "2013-01-01")


@pytest.mark.parametrize("name", ["airport_codes.csv", "airport_codes.csv.gz", "2013-02-28.csv"])
def test_airports_have_no_day_whatever_the_file_is_called(name: str) -> None:
    assert parse(f"airport_codes/{name}") == LandedKey(AIRPORTS, None)


@pytest.mark.parametrize(
    "day", ["2013-02-29", "2013-13-01", "2013-00-10", "0000-01-01", "201\uff13-01-01"],
)  # fmt: skip
@pytest.mark.parametrize("layout", ["daily_flights/date={}/x.csv", "daily_flights/{}.csv"])
def test_a_day_no_calendar_has_is_named(layout: str, day: str) -> None:
    found = parse(layout.format(day))

    assert isinstance(found, UnknownKey)
    assert found.reason == f"{day} is not a day of the calendar"


@pytest.mark.parametrize("day", ["2012-12-31", "2014-01-01"])
def test_a_day_outside_the_days_kept_is_told_with_those_days(day: str) -> None:
    found = parse(f"daily_flights/date={day}/x.csv")

    assert isinstance(found, UnknownKey)
    assert found.reason == f"{day} is outside the days the platform keeps, 2013-01-01 to 2013-12-31"


@pytest.mark.parametrize("day", ["2013-01-01", "2013-12-31"])
def test_the_first_and_the_last_day_are_kept(day: str) -> None:
    assert parse(f"daily_flights/{day}.csv") == LandedKey(FLIGHTS, day)


@pytest.mark.parametrize(
    "key", ["", "flights/2013-01-01.csv", "daily_flights.csv", "Daily_flights/2013-01-01.csv"]
)
def test_a_key_under_no_feeds_prefix_is_told_where_feeds_land(key: str) -> None:
    found = parse(key)

    assert isinstance(found, UnknownKey)
    assert found.key == key
    assert all(feed.prefix in found.reason for feed in FEEDS.values())


@pytest.mark.parametrize(
    "name", ["flights.parquet", "flights.csv.zip", "flights.c\u017fv", "flights", "flights.csv.tmp"]
)
def test_another_kind_of_file_is_told_which_kinds_land(name: str) -> None:
    found = parse(f"daily_flights/date=2013-01-01/{name}")

    assert isinstance(found, UnknownKey)
    assert found.reason == "flights files end in .csv or .csv.gz"


@pytest.mark.parametrize(
    "key",
    [
        "daily_flights/flights.csv",
        "daily_flights/2013-01-01/flights.csv",
        "daily_flights/date=2013-01-01/hour=01/flights.csv",
        "daily_flights/date=2013-1-1/flights.csv",
        "daily_flights/x2013-01-01.csv",
        "daily_flights/2013-01-01x.csv",
        "daily_flights//date=2013-01-01/flights.csv",
        "airport_codes/old/airport_codes.csv",
    ],
)
def test_a_key_in_neither_layout_is_told_the_layouts(key: str) -> None:
    found = parse(key)

    assert isinstance(found, UnknownKey)
    assert " files land as " in found.reason


@pytest.mark.parametrize(
    ("key", "own"),
    [
        ("shipments/shipments_parquet/", True),
        ("shipments/shipments_parquet/date=2013-01-01/part-0.parquet", True),
        ("shipments/shipments_parquet_old/part-0.parquet", False),
        ("shipments/date=2013-01-01/shipments_parquet.json", False),
        ("bookings/shipments_parquet/x.parquet", False),
        ("", False),
    ],
)
def test_the_platforms_own_keys_are_those_of_typed_rows(key: str, *, own: bool) -> None:
    assert is_own(key) is own
    assert not own or parse(key) == NoLanding(key)


def test_the_documented_header_is_the_columns_in_their_order() -> None:
    assert FLIGHTS.header == "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay"
    assert AIRPORTS.header == "airport_id,city,state,name"


@given(
    feed=st.sampled_from(sorted(FEEDS.values(), key=lambda feed: feed.name)),
    name=st.text(st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="/"), min_size=1),
    days=st.integers(0, (LAST - FIRST).days),
)
def test_the_key_a_feed_gives_a_file_is_that_feeds(feed: Feed, name: str, days: int) -> None:
    day = FIRST + timedelta(days)

    found = parse(feed.key(f"x{name}{feed.suffixes[0]}", day if feed.daily else None))

    assert found == LandedKey(feed, day.isoformat() if feed.daily else None)
