"""A file's feed is read from its beginning and its day from its folder or name; else the call is wrong."""

import gzip
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airline_platform.errors import WrongCall
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.files.keys import LandedKey, parse_key
from airline_platform.files.names import is_gzip
from airline_platform.settings import Settings
from command.land import Upload, expand, plan_upload

FLIGHTS_CSV = b"Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay\nUA,11618,12266,2,11\n"
AIRPORTS_CSV = b"airport_id,city,state,name\n10397,Atlanta,GA,Hartsfield-Jackson\n"
SHIPMENT = b'{"shipping_id": 1, "shipping_date": "2013/01/05", "destination_city": "Boston"}'
OTHER = b'{"a": 1}'


def write(path: Path, body: bytes = FLIGHTS_CSV) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
    return path


def planned(path: Path, **said: Any) -> Upload:
    return plan_upload(path, settings=Settings(), **said)


def test_the_feed_is_read_from_the_header(tmp_path: Path) -> None:
    flights = planned(write(tmp_path / "2013-01-05.csv"))
    airports = planned(write(tmp_path / "a.csv", AIRPORTS_CSV))

    assert (flights.feed, airports.feed) == (FLIGHTS, AIRPORTS)
    assert (airports.day, airports.key) == (None, "airport_codes/a.csv")


def test_the_header_is_read_through_gzip(tmp_path: Path) -> None:
    path = write(tmp_path / "2013-01-05.csv.gz", gzip.compress(FLIGHTS_CSV))

    assert planned(path).key == "daily_flights/2013-01-05.csv.gz"


@pytest.mark.parametrize("body", [SHIPMENT + b"\n", b"[\n" + SHIPMENT + b"\n]\n"], ids=["lines", "array"])
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("date=2013-01-05/a.json", "shipments/date=2013-01-05/a.json"),
        ("shipments_2013-01-05.json", "shipments/date=2013-01-05/shipments_2013-01-05.json"),
        (
            "date=2013-01-05/shipments-20260102T030405.678901Z.json",
            "shipments/date=2013-01-05/shipments-20260102T030405.678901Z.json",
        ),
        ("2013-01-05.json", "shipments/2013-01-05.json"),
        ("2013-01-05.json.gz", "shipments/2013-01-05.json.gz"),
        ("2013-01-05.JSON.GZ", "shipments/2013-01-05.JSON.GZ"),
        ("date=2013-01-05/A.Json", "shipments/date=2013-01-05/A.Json"),
    ],
)
def test_shipments_are_told_by_their_objects(tmp_path: Path, name: str, key: str, body: bytes) -> None:
    upload = planned(write(tmp_path / name, gzip.compress(body) if is_gzip(name) else body))

    assert (upload.feed, upload.day, upload.key) == (SHIPMENTS, "2013-01-05", key)


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

    upload = planned(write(tmp_path / name, body))

    assert (upload.day, upload.key) == ("2013-01-05", key)


@pytest.mark.parametrize("name", ["flights.csv", "2012-12-12.csv", "date=2012-12-12/flights.csv"])
def test_the_day_that_was_said_wins(tmp_path: Path, name: str) -> None:
    upload = planned(write(tmp_path / name), day=date(2013, 1, 5))

    assert upload.day == "2013-01-05"
    assert upload.key == f"daily_flights/date=2013-01-05/{Path(name).name}"


def test_the_feed_that_was_said_wins_over_the_header(tmp_path: Path) -> None:
    upload = planned(write(tmp_path / "2013-01-05.csv", b"Carrier\n"), feed="flights")

    assert upload.feed == FLIGHTS


@pytest.mark.parametrize(
    "name", ["2013-01-05.csv", "date=2013-01-05/JFK + é.csv", "flights 2013-01-05.csv", "x.2013-01-05.csv"]
)
def test_what_is_planned_lands_where_its_feed_expects_it(tmp_path: Path, name: str) -> None:
    upload = planned(write(tmp_path / name))

    found = parse_key(upload.key, first_day=date(2013, 1, 1), last_day=date(2013, 12, 31))
    assert found == LandedKey(FLIGHTS, "2013-01-05")


def test_a_file_whose_day_nobody_says_is_a_wrong_call(tmp_path: Path) -> None:
    path = write(tmp_path / "flights.csv")

    with pytest.raises(WrongCall) as wrong:
        planned(path)

    assert str(path) in str(wrong.value)
    assert wrong.value.remedy == "Say which day the file is for: --date YYYY-MM-DD."


def test_a_file_that_is_not_there_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="expected a file, found none") as wrong:
        planned(tmp_path / "none.csv")

    assert wrong.value.remedy == "Check the path."


def test_a_header_of_no_feed_is_told_feed_by_feed(tmp_path: Path) -> None:
    path = write(tmp_path / "2013-01-05.csv", b"a,b\n1,2\n")

    with pytest.raises(WrongCall) as wrong:
        planned(path)

    assert "not airports: line 1: columns missing 'airport_id'" in str(wrong.value)
    assert "not flights: line 1: columns missing 'Carrier'" in str(wrong.value)
    assert "--feed airports|bookings|flights." in wrong.value.remedy


def test_a_file_is_judged_only_as_what_its_name_allows(tmp_path: Path) -> None:
    with pytest.raises(WrongCall) as of_csv:
        planned(write(tmp_path / "2013-01-05.csv", OTHER))
    with pytest.raises(WrongCall) as of_json:
        planned(write(tmp_path / "2013-01-05.json", OTHER))

    assert "shipments" not in f"{of_csv.value} {of_csv.value.remedy}"
    assert re.findall("not ([a-z]+): line", str(of_json.value)) == ["shipments"]
    assert of_json.value.remedy.endswith("--feed shipments.")


@pytest.mark.parametrize("name", ["2013-01-05.txt", "2013-01-05.csv.zip", "json"])
def test_a_name_that_no_feed_has_is_told_how_names_end(tmp_path: Path, name: str) -> None:
    with pytest.raises(WrongCall) as wrong:
        planned(write(tmp_path / name))

    assert "expected a name that ends in one of .csv, .csv.gz, .json, .json.gz" in str(wrong.value)
    assert wrong.value.remedy == "Rename the file, or name another."


def test_a_feed_that_was_said_still_needs_its_own_suffix(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match=r"shipments files end in \.json or \.json\.gz"):
        planned(write(tmp_path / "2013-01-05.csv"), feed="shipments")


def test_an_empty_file_is_told_to_be_empty(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="the file is empty"):
        planned(write(tmp_path / "2013-01-05.csv", b""))


def test_a_folder_stands_for_its_data_files_at_any_depth_in_order(tmp_path: Path) -> None:
    for name in ("b/2.csv", "b/1.CSV.gz", "b/3.json", "b/4.json.gz", "a.csv", "notes.txt", "b/c.parquet"):
        write(tmp_path / name)
    for marker in ("b/._2.csv", "b/_temporary/0/2.csv", "b/~$2.csv", "b/__MACOSX/2.csv"):
        write(tmp_path / marker)
    named = write(tmp_path / "elsewhere" / "named.txt")

    found = list(expand([named, tmp_path / "b", tmp_path / "a.csv"]))

    inside = [tmp_path / "b" / name for name in ("1.CSV.gz", "2.csv", "3.json", "4.json.gz")]
    assert found == [named, *inside, tmp_path / "a.csv"]


def test_a_marker_can_not_be_landed(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="such a file is never data"):
        planned(write(tmp_path / "date=2013-01-05" / "~$flights.csv"))
