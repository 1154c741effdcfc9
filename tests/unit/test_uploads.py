"""A file's feed is read from its header and its day from its folder or name; else the call is wrong."""

import gzip
from datetime import date
from pathlib import Path

import pytest

from airline_platform.errors import WrongCall
from airline_platform.feeds import AIRPORTS, FLIGHTS, LandedKey, parse_key
from airline_platform.uploads import expand, plan_upload

FLIGHTS_CSV = b"Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay\nUA,11618,12266,2,11\n"
AIRPORTS_CSV = b"airport_id,city,state,name\n10397,Atlanta,GA,Hartsfield-Jackson\n"


def write(path: Path, body: bytes = FLIGHTS_CSV) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def test_the_feed_is_read_from_the_header(tmp_path: Path) -> None:
    flights = plan_upload(write(tmp_path / "2013-01-05.csv"))
    airports = plan_upload(write(tmp_path / "a.csv", AIRPORTS_CSV))

    assert (flights.feed, airports.feed) == (FLIGHTS, AIRPORTS)
    assert (airports.day, airports.key) == (None, "airport_codes/a.csv")


def test_the_header_is_read_through_gzip(tmp_path: Path) -> None:
    path = write(tmp_path / "2013-01-05.csv.gz", gzip.compress(FLIGHTS_CSV))

    assert plan_upload(path).key == "daily_flights/2013-01-05.csv.gz"


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("date=2013-01-05/flights.csv", "daily_flights/date=2013-01-05/flights.csv"),
        ("date=2013-01-05/flights.csv.gz", "daily_flights/date=2013-01-05/flights.csv.gz"),
        ("flights_2013-01-05.csv", "daily_flights/date=2013-01-05/flights_2013-01-05.csv"),
        ("date=2013-01-05/sent-2013-02-01.csv", "daily_flights/date=2013-01-05/sent-2013-02-01.csv"),
        ("2013-01-05.csv", "daily_flights/2013-01-05.csv"),
    ],
)
def test_the_day_is_read_from_the_folder_then_the_name(tmp_path: Path, name: str, key: str) -> None:
    body = gzip.compress(FLIGHTS_CSV) if name.endswith(".gz") else FLIGHTS_CSV

    upload = plan_upload(write(tmp_path / name, body))

    assert (upload.day, upload.key) == ("2013-01-05", key)


@pytest.mark.parametrize("name", ["flights.csv", "2012-12-12.csv", "date=2012-12-12/flights.csv"])
def test_the_day_that_was_said_wins(tmp_path: Path, name: str) -> None:
    upload = plan_upload(write(tmp_path / name), day=date(2013, 1, 5))

    assert upload.day == "2013-01-05"
    assert upload.key == f"daily_flights/date=2013-01-05/{Path(name).name}"


def test_the_feed_that_was_said_wins_over_the_header(tmp_path: Path) -> None:
    upload = plan_upload(write(tmp_path / "2013-01-05.csv", b"Carrier\n"), feed="flights")

    assert upload.feed == FLIGHTS


@pytest.mark.parametrize(
    "name", ["2013-01-05.csv", "date=2013-01-05/JFK + é.csv", "flights 2013-01-05.csv", "x.2013-01-05.csv"]
)
def test_what_is_planned_lands_where_its_feed_expects_it(tmp_path: Path, name: str) -> None:
    upload = plan_upload(write(tmp_path / name))

    found = parse_key(upload.key, first_day=date(2013, 1, 1), last_day=date(2013, 12, 31))
    assert found == LandedKey(FLIGHTS, "2013-01-05")


def test_a_file_whose_day_nobody_says_is_a_wrong_call(tmp_path: Path) -> None:
    path = write(tmp_path / "flights.csv")

    with pytest.raises(WrongCall) as wrong:
        plan_upload(path)

    assert str(path) in str(wrong.value)
    assert wrong.value.remedy == "Say which day the file is for: --date YYYY-MM-DD."


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="expected a file, found none") as wrong:
        plan_upload(tmp_path / "none.csv")

    assert wrong.value.remedy == "Check the path."


def test_a_header_of_no_feed_is_told_feed_by_feed(tmp_path: Path) -> None:
    path = write(tmp_path / "2013-01-05.csv", b"a,b\n1,2\n")

    with pytest.raises(WrongCall) as wrong:
        plan_upload(path)

    assert "not airports: line 1: columns missing 'airport_id'" in str(wrong.value)
    assert "not flights: line 1: columns missing 'Carrier'" in str(wrong.value)
    assert "--feed airports|flights" in wrong.value.remedy


def test_an_empty_file_is_told_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="the file is empty"):
        plan_upload(write(tmp_path / "2013-01-05.csv", b""))


def test_a_folder_stands_for_its_data_files_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/2.csv", "b/1.csv.gz", "a.csv", "notes.txt", "b/c.parquet"):
        write(tmp_path / name)
    named = write(tmp_path / "elsewhere" / "named.txt")

    found = list(expand([named, tmp_path / "b", tmp_path / "a.csv"]))

    assert found == [named, tmp_path / "b" / "1.csv.gz", tmp_path / "b" / "2.csv", tmp_path / "a.csv"]
