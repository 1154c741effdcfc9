"""Real flights become landing files of exactly the documented form."""

import csv
import time
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.files.keys import LandedKey, parse_key
from command.demo.new_york import airports, write_airports, write_flights

NEW_YEAR = date(2013, 1, 1)
EMPTIEST_DAY = date(2013, 2, 8)  # the blizzard Nemo: more than half cancelled


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[date, int]]:
    out = tmp_path_factory.mktemp("year")
    return out, write_flights(out, [NEW_YEAR + timedelta(n) for n in range(365)])


def test_a_day_is_one_file_with_the_documented_header_and_every_flight(tmp_path: Path) -> None:
    assert write_flights(tmp_path, [NEW_YEAR]) == {NEW_YEAR: 842}

    (path,) = (found for found in tmp_path.rglob("*") if found.is_file())
    lines = path.read_text().splitlines()
    assert path == tmp_path / "daily_flights" / "date=2013-01-01" / "flights.csv"
    assert lines[0] == "Carrier,OriginAirportID,DestAirportID,DepDelay,ArrDelay"
    assert lines[1] == "UA,11618,12266,2,11"  # Newark to Houston, the first flight of the year
    assert len(lines) == 843


def test_the_flat_layout_holds_the_same_bytes(tmp_path: Path) -> None:
    write_flights(tmp_path, [NEW_YEAR])
    write_flights(tmp_path, [NEW_YEAR], layout="flat")

    flat = tmp_path / "daily_flights" / "2013-01-01.csv"
    folder = tmp_path / "daily_flights" / "date=2013-01-01" / "flights.csv"
    assert flat.read_bytes() == folder.read_bytes()


def test_the_year_is_complete_and_every_file_is_of_its_feed(year: tuple[Path, dict[date, int]]) -> None:
    out, rows = year

    assert len(rows) == 365
    assert sum(rows.values()) == 336_776
    for path in out.rglob("*.csv"):
        landed = parse_key(path.relative_to(out).as_posix(), first_day=NEW_YEAR, last_day=date(2013, 12, 31))
        assert isinstance(landed, LandedKey)
        assert landed.feed.name == "flights"


def test_delays_are_whole_minutes_or_empty(year: tuple[Path, dict[date, int]]) -> None:
    out, _ = year
    empty: Counter[str] = Counter()
    for path in out.rglob("*.csv"):
        for flight in read(path):
            for column in ("DepDelay", "ArrDelay"):
                if flight[column] == "":
                    empty[column] += 1
                else:
                    assert str(int(flight[column])) == flight[column]

    assert empty == {"DepDelay": 8_255, "ArrDelay": 9_430}


def test_a_cancelled_flight_has_no_delays(tmp_path: Path) -> None:
    write_flights(tmp_path, [EMPTIEST_DAY])

    flights = read(tmp_path / "daily_flights" / f"date={EMPTIEST_DAY}" / "flights.csv")
    cancelled = [flight for flight in flights if flight["DepDelay"] == ""]
    assert (len(flights), len(cancelled)) == (930, 472)
    assert {flight["ArrDelay"] for flight in cancelled} == {""}


def test_every_airport_of_the_year_is_in_the_airports_file(year: tuple[Path, dict[date, int]]) -> None:
    out, _ = year
    assert write_airports(out) == 107

    known = {airport["airport_id"] for airport in read(out / "airport_codes" / "airport_codes.csv")}
    flown = {
        flight[end]
        for path in (out / "daily_flights").rglob("*.csv")
        for flight in read(path)
        for end in ("OriginAirportID", "DestAirportID")
    }
    assert flown == known


def test_the_airports_file_has_the_documented_header_and_whole_rows(tmp_path: Path) -> None:
    write_airports(tmp_path)

    path = tmp_path / "airport_codes" / "airport_codes.csv"
    assert path.read_text().splitlines()[0] == "airport_id,city,state,name"
    rows = read(path)
    assert {
        "airport_id": "12478",
        "city": "New York",
        "state": "NY",
        "name": "John F. Kennedy International",
    } in rows
    assert all(all(row.values()) and len(row["state"]) == 2 for row in rows)


def test_codes_and_ids_are_one_to_one() -> None:
    found = airports()

    assert len({airport.iata for airport in found}) == len({airport.airport_id for airport in found}) == 107
    assert [airport.iata for airport in found] == sorted(airport.iata for airport in found)


def test_two_weeks_take_a_moment(tmp_path: Path) -> None:
    before = time.process_time()
    write_flights(tmp_path, [NEW_YEAR + timedelta(n) for n in range(14)])

    assert time.process_time() - before < 3  # it takes half a second of a core, whatever else runs


def test_a_day_outside_the_data_is_a_wrong_call(tmp_path: Path) -> None:
    with pytest.raises(WrongCall, match="2014-01-01"):
        write_flights(tmp_path, [NEW_YEAR, date(2014, 1, 1)])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("command.demo.new_york.find_spec", lambda _: None)

    with pytest.raises(AirlineError, match="pip install"):
        write_flights(tmp_path, [NEW_YEAR])
