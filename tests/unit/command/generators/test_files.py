"""Generated files are those of their seed, what their feed declares, and as dirty as they say."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import DECIMALS, DIGITS, Column
from airline_platform.errors import AirlineError, WrongCall
from airline_platform.feeds import FEEDS, currencies
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from command import cli
from command.demo.new_york import airports
from command.generators import files as files_module
from command.generators import people as people_module
from command.generators.bookings import (
    CABINS,
    CURRENCIES,
    LASTING,
    LIVES,
    LOCATOR,
    LOCATOR_LENGTH,
    LOCATOR_STRIDE,
    Booking,
    Bookings,
)
from command.generators.dirt import DIRT, Dirt
from command.generators.files import RECIPES, Generated, Order, generate_files, summary
from command.generators.network import CARRIERS, HUBS, schedule
from command.generators.people import PEOPLE, addresses, people
from command.generators.shipments import SPELLINGS, Shipment, Shipments, as_object
from command.land import expand, plan_upload

FIRST = date(2013, 1, 1)
ROWS = {"bookings": 500, "flights": 2_000, "shipments": 500}
DAYS = 16
"""One more than the latest change of a booking comes after it was made, and one for good measure."""

generated_feeds = pytest.mark.parametrize(
    "feed", [FEEDS[name] for name in RECIPES], ids=lambda feed: feed.name
)


class Made(NamedTuple):
    """A folder of generated files, and what was told of each."""

    out: Path
    days: dict[date, Generated]


def make(out: Path, feed: Feed, first: date = FIRST, days: int = 1, **options) -> Made:
    order = Order(feed.name, first, first + timedelta(days=days - 1), out, **options)
    return Made(out, generate_files(order, lambda _: None))


def path(made: Made, feed: Feed, day: date = FIRST) -> Path:
    (found,) = (made.out / feed.prefix / f"date={day}").glob(f"{feed.name}*.{feed.format}")
    return found


def read(made: Made, feed: Feed, day: date = FIRST) -> list[dict[str, str]]:
    if feed.format == "json":
        return [row for line in data_lines(feed, path(made, feed, day)) if (row := row_of(feed, line))]
    with path(made, feed, day).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def objects(made: Made, day: date = FIRST) -> list[dict[str, Any]]:
    """Shipments as they stand in their file; numbers are exact."""
    lines = path(made, SHIPMENTS, day).read_text(encoding="utf-8").splitlines()
    return [json.loads(line, parse_float=Decimal) for line in lines]


def data_lines(feed: Feed, file: Path) -> list[bytes]:
    """The lines of a file that are neither blank nor its header."""
    lines = [line for line in file.read_bytes().splitlines() if line]
    return lines[1:] if feed.format == "csv" else lines


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    out = tmp_path_factory.mktemp("clean")
    return {name: make(out, FEEDS[name], days=DAYS, rows=ROWS[name]) for name in RECIPES}


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    out = tmp_path_factory.mktemp("dirty")
    return {name: make(out, FEEDS[name], days=2, rows=2_000, dirty=True) for name in RECIPES}


@pytest.fixture
def airline(no_stack: Settings, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Call the command; give its exit status, stdout and stderr."""
    assert no_stack.endpoint_url is None

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["airline", "generate", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, in which a.txt is a file."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "a.txt").write_text("a file")
    monkeypatch.chdir(folder)
    return folder


# --- the rules of a feed, read from its declaration


def problems(feed: Feed, row: dict[str, str]) -> list[str]:
    """What the declaration has against a row; nothing for a good one."""
    found = [f"{c.name} is {row[c.name]!r}" for c in feed.columns if not is_good(c, row[c.name])]
    if feed is BOOKINGS and not found and row["flight_date"] < row["booked_at"][:10]:
        found.append("flight_date is before booked_at")
    return found


def is_good(column: Column, text: str) -> bool:
    if text == "":
        return not column.required
    if column.one_of and text not in column.one_of:
        return False
    if column.pattern and not re.fullmatch(column.pattern[0], text):
        return False
    try:
        return READ[column.type](column, text)
    except ValueError:
        return False


def is_string(column: Column, text: str) -> bool:
    return len(text.encode()) <= column.length and text == text.strip()


def is_whole_number(column: Column, text: str) -> bool:
    return bool(re.fullmatch(r"-?\d+", text)) and (column.minimum is None or int(text) >= column.minimum)


def is_decimal(column: Column, text: str) -> bool:
    form = rf"-?\d{{1,{DIGITS - DECIMALS}}}([.]\d{{1,{DECIMALS}}})?"
    return bool(re.fullmatch(form, text)) and (column.minimum is None or Decimal(text) >= column.minimum)


def is_date(column: Column, text: str) -> bool:
    found = date.fromisoformat(text.replace(column.separator, "-"))
    return str(found).replace("-", column.separator) == text


def is_timestamp(_: Column, text: str) -> bool:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}" == text


READ = {
    "string": is_string,
    "bigint": is_whole_number,
    "decimal": is_decimal,
    "date": is_date,
    "timestamp": is_timestamp,
}


# --- the same files


@generated_feeds
def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(feed: Feed, tmp_path: Path) -> None:
    made = [
        path(make(tmp_path / str(n), feed, rows=200, seed=seed, dirty=True), feed).read_bytes()
        for n, seed in enumerate([7, 7, 8])
    ]

    assert made[0] == made[1]
    assert made[0] != made[2]


@generated_feeds
def test_no_two_days_are_alike(feed: Feed, clean: dict[str, Made]) -> None:
    assert len({path(clean[feed.name], feed, day).read_bytes() for day in clean[feed.name].days}) == DAYS


@pytest.mark.parametrize("spoilt", [False, True], ids=["clean", "dirty"])
@generated_feeds
def test_a_day_is_the_same_whatever_range_was_asked_for(feed: Feed, spoilt: bool, tmp_path: Path) -> None:
    fifth = FIRST + timedelta(days=4)

    alone = make(tmp_path / "alone", feed, fifth, rows=300, dirty=spoilt)
    month = make(tmp_path / "month", feed, FIRST, 8, rows=300, dirty=spoilt)

    assert path(alone, feed, fifth).read_bytes() == path(month, feed, fifth).read_bytes()
    assert alone.days[fifth] == month.days[fifth]


@generated_feeds
def test_another_process_with_other_hashes_gives_the_same_bytes(feed: Feed, tmp_path: Path) -> None:
    days = ["--from", str(FIRST), "--to", str(FIRST)]
    code = "from command.cli import main; main()"
    arguments = ["generate", feed.name, *days, "--out", str(tmp_path / "other"), "--rows", "200", "--dirty"]

    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "1", "AIRLINE_HOME": str(tmp_path / "home")},
    )

    here = make(tmp_path / "here", feed, rows=200, dirty=True)
    other = here._replace(out=tmp_path / "other")
    assert path(here, feed).read_bytes() == path(other, feed).read_bytes()


# --- as they land


@generated_feeds
def test_a_file_has_its_feeds_header_and_as_many_rows_and_bytes_as_told(
    feed: Feed, clean: dict[str, Made]
) -> None:
    made = clean[feed.name]

    for day, told in made.days.items():
        body = path(made, feed, day).read_bytes()
        header = f"{feed.header}\n".encode() if feed.format == "csv" else b""
        assert body.startswith(header)
        assert body.count(b"\n") - header.count(b"\n") == told.rows == ROWS[feed.name]
        assert len(body) == told.size
        assert told.dirty == Counter()


@generated_feeds
def test_every_file_lands_under_the_key_it_lies_under(
    feed: Feed, clean: dict[str, Made], dirty: dict[str, Made], no_stack: Settings
) -> None:
    for made in (clean[feed.name], dirty[feed.name]):
        files = list(expand([made.out / feed.prefix]))
        uploads = [plan_upload(file, settings=no_stack) for file in files]

        assert [upload.key for upload in uploads] == [f.relative_to(made.out).as_posix() for f in files]
        assert [(upload.feed, upload.day) for upload in uploads] == [(feed, str(day)) for day in made.days]


@generated_feeds
def test_a_file_is_there_whole_or_not_at_all(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)

    with pytest.raises(AirlineError, match="No space left") as failed:
        make(tmp_path, feed, rows=10)

    assert not isinstance(failed.value, WrongCall)
    assert [found for found in tmp_path.rglob("*") if found.is_file()] == []


@pytest.mark.parametrize("feed", [BOOKINGS, FLIGHTS], ids=lambda feed: feed.name)
def test_a_csv_file_takes_the_place_of_the_one_before(feed: Feed, tmp_path: Path) -> None:
    make(tmp_path, feed, rows=30)
    second = make(tmp_path, feed, rows=20)

    assert path(second, feed).name == f"{feed.name}.csv"
    assert len(read(second, feed)) == 20


def test_shipments_that_are_generated_again_lie_beside_the_first_ones(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    first = path(make(tmp_path, SHIPMENTS, rows=30), SHIPMENTS)
    body = first.read_bytes()

    make(tmp_path, SHIPMENTS, rows=30)

    files = sorted(expand([tmp_path]))
    moments = [datetime.strptime(file.name, "shipments-%Y%m%dT%H%M%S.%f%z.json") for file in files]
    assert files[0] == first
    assert before <= moments[0] < moments[1] <= datetime.now(UTC)
    assert [file.read_bytes() for file in files] == [body, body]


class StoppedClock(datetime):
    """Always shows the same moment."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "StoppedClock":
        return cls(2026, 1, 2, 3, 4, 59, 999_998, tz)


def test_a_name_that_is_taken_or_being_taken_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "datetime", StoppedClock)
    first = path(make(tmp_path, SHIPMENTS, rows=30), SHIPMENTS)
    body = first.read_bytes()
    being_written = first.with_name("shipments-20260102T030459.999999Z.json.partial")
    being_written.write_text("somebody else's")

    make(tmp_path, SHIPMENTS, rows=20)

    assert first.name == "shipments-20260102T030459.999998Z.json"
    assert [file.name for file in expand([tmp_path])] == [
        first.name,
        "shipments-20260102T030500.000000Z.json",
    ]
    assert (first.read_bytes(), being_written.read_text()) == (body, "somebody else's")


# --- what is in them


@generated_feeds
def test_every_clean_row_is_good_by_its_feeds_declaration(feed: Feed, clean: dict[str, Made]) -> None:
    rows = [row for day in clean[feed.name].days for row in read(clean[feed.name], feed, day)]

    assert len(rows) == DAYS * ROWS[feed.name]
    assert [found for row in rows if (found := problems(feed, row))] == []


@pytest.mark.parametrize("count", [1, 2, 12, 13, 60, 137])
@generated_feeds
def test_a_day_of_any_size_has_that_many_rows(feed: Feed, count: int, tmp_path: Path) -> None:
    made = make(tmp_path, feed, rows=count)

    assert len(read(made, feed)) == made.days[FIRST].rows == count


def test_what_is_drawn_from_is_declared_and_exists() -> None:
    columns = {column.name: column for column in BOOKINGS.columns}
    statuses = {status for starts, then in LIVES for status in (starts, *then.values())}

    assert Booking._fields == tuple(columns)
    assert Shipment._fields == tuple(column.name for column in SHIPMENTS.columns)
    assert sum(share for share, _ in SPELLINGS) == 100
    assert tuple(CABINS) == columns["cabin"].one_of
    assert set(CURRENCIES) <= set(currencies.CURRENCIES)
    assert columns["currency"].one_of == (*currencies.CURRENCIES, *currencies.WITHDRAWN)
    assert statuses | set(LASTING) == set(columns["status"].one_of)
    assert {airport.iata for airport in airports()} >= HUBS


def test_a_schedule_has_every_carrier_known_airports_and_no_flight_number_twice() -> None:
    flights = schedule(1)
    known = {airport.airport_id for airport in airports()}

    assert {flight.carrier for flight in flights} == set(CARRIERS)
    assert len({(flight.carrier, flight.number) for flight in flights}) == len(flights)
    assert all({flight.origin, flight.dest} <= known and flight.origin != flight.dest for flight in flights)


def test_no_two_people_share_an_address_and_none_is_anybodys() -> None:
    found = people(1)

    assert len({person.email for person in found}) == len(found) == PEOPLE
    assert all(re.fullmatch(r"[a-z]+[.][a-z]+[.]\d+@example[.](com|net|org)", each.email) for each in found)
    assert any(not person.name.isascii() for person in found)


def test_every_customer_has_a_street_on_one_line() -> None:
    found = addresses(1)

    assert len(found) == PEOPLE
    assert all(address.strip() and address.isprintable() for address in found)
    assert any(not address.isascii() for address in found)
    assert addresses(1) == found != addresses(2)


def test_flights_are_seldom_cancelled_or_diverted_and_mostly_early(clean: dict[str, Made]) -> None:
    rows = [row for day in clean["flights"].days for row in read(clean["flights"], FLIGHTS, day)]
    cancelled = [row for row in rows if row["DepDelay"] == ""]
    diverted = [row for row in rows if row["DepDelay"] and row["ArrDelay"] == ""]
    delays = sorted(int(row["DepDelay"]) for row in rows if row["DepDelay"])

    assert {row["ArrDelay"] for row in cancelled} == {""}
    assert 0.01 < len(cancelled) / len(rows) < 0.05
    assert 0.002 < len(diverted) / len(rows) < 0.006
    assert -4 <= delays[len(delays) // 2] <= 0
    assert 40 < delays[len(delays) * 9 // 10] < 60


# --- bookings over the days


def new(made: Made, day: date) -> dict[str, dict[str, str]]:
    return {row["booking_id"]: row for row in read(made, BOOKINGS, day) if row["booked_at"][:10] == str(day)}


def again(made: Made, day: date) -> dict[str, dict[str, str]]:
    return {row["booking_id"]: row for row in read(made, BOOKINGS, day) if row["booked_at"][:10] < str(day)}


def test_a_day_has_new_bookings_and_a_share_of_older_ones(clean: dict[str, Made]) -> None:
    made = clean["bookings"]

    for day in made.days:
        assert len(new(made, day)) == 460
        assert len(again(made, day)) == 40


def test_a_booking_that_comes_again_has_another_status_and_else_its_old_values(
    clean: dict[str, Made],
) -> None:
    made, known = clean["bookings"], {}
    turns: Counter[tuple[str, str]] = Counter()
    for day in made.days:
        for booking_id, row in again(made, day).items():
            if date.fromisoformat(row["booked_at"][:10]) < FIRST:
                continue  # its first file was not asked for
            before = known[booking_id]
            assert {**row, "status": ""} == {**before, "status": ""}
            assert row["flight_date"] >= str(day)
            turns[before["status"], row["status"]] += 1
            known[booking_id] = row
        assert not known.keys() & new(made, day).keys()
        known |= new(made, day)

    assert set(turns) == {
        ("PENDING", "CONFIRMED"),
        ("PENDING", "CANCELLED"),
        ("CONFIRMED", "CANCELLED"),
    }


def test_a_booking_can_be_confirmed_and_cancelled_later(clean: dict[str, Made]) -> None:
    made = clean["bookings"]
    told: dict[str, list[str]] = {}
    for day in made.days:
        for row in read(made, BOOKINGS, day):
            told.setdefault(row["booking_id"], []).append(row["status"])

    assert ["PENDING", "CONFIRMED", "CANCELLED"] in told.values()


def test_customers_come_back_on_other_days(clean: dict[str, Made]) -> None:
    made = clean["bookings"]
    days: dict[str, set[date]] = {}
    for day in made.days:
        for row in new(made, day).values():
            days.setdefault(row["email"], set()).add(day)

    assert sum(len(found) > 1 for found in days.values()) > 1_000
    assert max(len(found) for found in days.values()) < DAYS


def test_fares_follow_cabin_and_currency(clean: dict[str, Made]) -> None:
    rows = [row for day in clean["bookings"].days for row in read(clean["bookings"], BOOKINGS, day)]
    dollars = {
        cabin: [Decimal(r["fare_amount"]) for r in rows if (r["cabin"], r["currency"]) == (cabin, "USD")]
        for cabin in CABINS
    }
    means = [sum(fares) / len(fares) for fares in dollars.values()]
    decimals = {(row["currency"], len(row["fare_amount"].partition(".")[2])) for row in rows}

    assert means == sorted(means)
    assert decimals == {(currency, count) for currency, (_, _, count) in CURRENCIES.items()}


def test_most_flights_are_near_and_none_is_more_than_330_days_ahead(clean: dict[str, Made]) -> None:
    rows = [row for day in clean["bookings"].days for row in read(clean["bookings"], BOOKINGS, day)]
    ahead = sorted(
        (date.fromisoformat(row["flight_date"]) - date.fromisoformat(row["booked_at"][:10])).days
        for row in rows
    )

    assert ahead[0] == 0
    assert 300 < ahead[-1] <= 330
    assert 20 < ahead[len(ahead) // 2] < 60


def test_no_number_of_a_day_has_the_locator_of_another() -> None:
    bookings = Bookings(3, rows=1)

    assert len({bookings._locator(number) for number in range(40_000)}) == 40_000
    assert math.gcd(LOCATOR_STRIDE, len(LOCATOR) ** LOCATOR_LENGTH) == 1


# --- shipments


def test_shipments_have_an_id_of_their_own_but_for_one_in_fifty_that_is_sent_again(
    clean: dict[str, Made],
) -> None:
    known: set[int] = set()
    for day in clean["shipments"].days:
        ids = {row["shipping_id"] for row in objects(clean["shipments"], day)}
        assert len(ids) == 490
        assert not ids & known
        known |= ids

    assert max(known) < 2**53


def test_a_shipment_that_is_sent_again_has_its_old_values_but_perhaps_another_cost(
    clean: dict[str, Made],
) -> None:
    costs = []
    for day in clean["shipments"].days:
        known: dict[int, dict[str, Any]] = {}
        for row in objects(clean["shipments"], day):
            before = known.setdefault(row["shipping_id"], row)
            assert {**row, "shipping_cost": 0} == {**before, "shipping_cost": 0}
            if before is not row:
                costs.append(row["shipping_cost"] == before["shipping_cost"])
            known[row["shipping_id"]] = row

    assert len(costs) == DAYS * 10
    assert 0.3 < sum(costs) / len(costs) < 0.7


def test_shipments_are_numbers_and_text_as_they_stand_in_utf8(clean: dict[str, Made]) -> None:
    body = path(clean["shipments"], SHIPMENTS).read_text(encoding="utf-8")
    rows = objects(clean["shipments"])

    assert b"\\" not in body.encode()
    assert not body.isascii()
    assert {row["shipping_date"] for row in rows} == {"2013/01/01"}
    assert {type(row[name]) for row in rows for name in ("shipping_id", "product_id")} == {int}
    assert {-row["shipping_cost"].as_tuple().exponent for row in rows} == {2}
    assert {-row["shipping_distance"].as_tuple().exponent for row in rows} == {1}
    assert {-Decimal(row["quantity"]).as_tuple().exponent for row in rows} == {0, 1, 2, 3}


def test_cities_are_those_of_airports_spelled_in_many_ways(clean: dict[str, Made]) -> None:
    known = {airport.city for airport in airports()}
    tidy = {city.casefold() for city in known}
    found = [
        row["destination_city"] for day in clean["shipments"].days for row in objects(clean["shipments"], day)
    ]

    assert {" ".join(city.replace("_", " ").split()).casefold() for city in found} == tidy
    assert 0.5 < sum(city in known for city in found) / len(found) < 0.8
    for untidy in (str.isupper, str.islower, " $", "^ ", r"\w  \w", "_"):
        sure = untidy if callable(untidy) else re.compile(untidy).search
        assert sum(bool(sure(city)) for city in found) > len(found) * 0.005


def test_shipping_costs_more_the_farther_and_the_more(clean: dict[str, Made]) -> None:
    rows = [row for day in clean["shipments"].days for row in objects(clean["shipments"], day)]
    far = [row for row in rows if row["shipping_distance"] > 2_000]
    near = [row for row in rows if row["shipping_distance"] <= 2_000]

    def mean(found: list[dict[str, Any]]) -> Decimal:
        return sum(row["shipping_cost"] for row in found) / len(found)

    assert mean(far) > 2 * mean(near)
    assert mean([row for row in far if row["quantity"] > 12]) > 2 * mean(
        [row for row in far if row["quantity"] < 6]
    )


def test_an_array_has_the_rows_of_the_lines_each_on_its_own_line(
    clean: dict[str, Made], tmp_path: Path
) -> None:
    array = make(tmp_path, SHIPMENTS, days=2, rows=ROWS["shipments"], array=True)

    for day, told in array.days.items():
        text = path(array, SHIPMENTS, day).read_text(encoding="utf-8")
        lines = path(clean["shipments"], SHIPMENTS, day).read_text(encoding="utf-8").splitlines()
        assert text == "[\n" + ",\n".join(lines) + "\n]\n"
        assert json.loads(text) == [json.loads(line) for line in lines]
        assert (told.rows, told.size) == (ROWS["shipments"], len(text.encode()))


# --- dirty ones


@generated_feeds
def test_two_percent_are_dirty_of_every_kind_alike(feed: Feed, dirty: dict[str, Made]) -> None:
    for told in dirty[feed.name].days.values():
        assert sum(told.dirty.values()) == 40
        assert told.rows == 2_000
        assert set(told.dirty) == {dirt.kind for dirt in DIRT[feed.name]}
        assert max(told.dirty.values()) - min(told.dirty.values()) <= 1


@generated_feeds
def test_dirty_files_differ_from_clean_ones_in_their_dirty_lines_alone(
    feed: Feed, dirty: dict[str, Made], tmp_path: Path
) -> None:
    clean = make(tmp_path, feed, rows=2_000)
    lines = [data_lines(feed, path(made, feed)) for made in (clean, dirty[feed.name])]

    blank = dirty[feed.name].days[FIRST].dirty["blank_line"]
    assert sum(one != other for one, other in zip(*lines, strict=True)) == 40 - blank


@generated_feeds
def test_the_declaration_finds_exactly_the_rows_that_are_to_be_rejected(
    feed: Feed, dirty: dict[str, Made]
) -> None:
    for day, told in dirty[feed.name].days.items():
        lines = data_lines(feed, path(dirty[feed.name], feed, day))

        assert rejects(feed, lines) == to_be_rejected(feed, told)


def test_a_dirty_array_is_whole_and_has_no_other_rejects_than_those_announced(tmp_path: Path) -> None:
    made = make(tmp_path, SHIPMENTS, days=2, rows=2_000, dirty=True, array=True)

    for day, told in made.days.items():
        body = path(made, SHIPMENTS, day).read_bytes()
        elements = [line.removesuffix(b",") for line in body.splitlines()[1:-1]]
        assert len(json.loads(body)) == len(elements) == told.rows == 2_000
        assert rejects(SHIPMENTS, elements) == to_be_rejected(SHIPMENTS, told)
        assert set(told.dirty) == {dirt.kind for dirt in DIRT["shipments"] if not dirt.lines_only}


def test_a_json_files_first_object_is_clean(tmp_path: Path) -> None:
    made = make(tmp_path, SHIPMENTS, days=300, rows=50, dirty=True)

    for day in made.days:
        first = row_of(SHIPMENTS, data_lines(SHIPMENTS, path(made, SHIPMENTS, day))[0])
        assert first is not None
        assert problems(SHIPMENTS, first) == []


each_dirt = pytest.mark.parametrize("dirt", DIRT["shipments"], ids=lambda dirt: dirt.kind)


@pytest.fixture(scope="module")
def shipments() -> list[Shipment]:
    return [Shipment(*row) for row in Shipments(1, 200).day(FIRST)]


def spoilt(dirt: Dirt, shipment: Shipment) -> str:
    line = dirt.spoil(shipment, shipment)
    return line if isinstance(line, str) else as_object(zip(Shipment._fields, line, strict=True))


@each_dirt
def test_each_kind_of_dirty_shipment_becomes_what_it_says(dirt: Dirt, shipments: list[Shipment]) -> None:
    for shipment in shipments:
        row = row_of(SHIPMENTS, spoilt(dirt, shipment).encode())
        assert (row is None or problems(SHIPMENTS, row) != []) == dirt.rejected


@each_dirt
def test_no_dirt_brings_a_person_into_a_column_that_is_kept(dirt: Dirt, shipments: list[Shipment]) -> None:
    personal = {column.name for column in SHIPMENTS.columns if column.personal}

    for shipment in shipments:
        kept = json.dumps(
            {name: value for name, value in named(spoilt(dirt, shipment)) if name not in personal},
            ensure_ascii=False,
        )
        assert json.loads(shipment.customer_name) not in kept
        assert json.loads(shipment.street_address) not in kept


def named(text: str) -> Iterable[tuple[str, Any]]:
    """The fields of an object; of anything else there are none."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found.items() if isinstance(found, dict) else []


def to_be_rejected(feed: Feed, told: Generated) -> int:
    return sum(told.dirty[dirt.kind] for dirt in DIRT[feed.name] if dirt.rejected)


def rejects(feed: Feed, lines: list[bytes]) -> int:
    """Rows a reader of lines can't use, by the rules of the README and the feed's declaration."""
    good = [row for line in lines if (row := row_of(feed, line)) is not None and not problems(feed, row)]
    repeated = len(good) - len({row["booking_id"] for row in good}) if feed is BOOKINGS else 0
    return len(lines) - len(good) + repeated


def row_of(feed: Feed, line: bytes) -> dict[str, str] | None:
    return row_of_object(feed, line) if feed.format == "json" else row_of_fields(feed, line)


class Number(str):
    """A JSON number as it is written."""

    __slots__ = ()


def row_of_object(feed: Feed, line: bytes) -> dict[str, str] | None:
    """The text of each value; nothing where it is no object of the feed's fields and of their types."""
    columns = {column.name: column for column in feed.columns}
    try:
        pairs = json.loads(
            line, object_pairs_hook=tuple, parse_int=Number, parse_float=Number, parse_constant=lambda _: None
        )
    except ValueError:
        return None
    if (
        not isinstance(pairs, tuple)
        or len(dict(pairs)) != len(pairs)
        or not dict(pairs).keys() <= columns.keys()
    ):
        return None
    row = dict.fromkeys(columns, "")
    for name, value in pairs:
        wanted = Number if columns[name].type in ("bigint", "decimal") else str
        if value is not None and type(value) is not wanted:
            return None
        row[name] = "" if value is None else f"{Decimal(value):f}" if wanted is Number else value.strip()
    return row


def row_of_fields(feed: Feed, line: bytes) -> dict[str, str] | None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return None
    (fields,) = csv.reader([text])
    if text.count('"') % 2 or len(fields) != len(feed.columns):
        return None
    row = {column.name: field.strip() for column, field in zip(feed.columns, fields, strict=True)}
    # What a reader takes besides the documented forms.
    for name in {"DepDelay"} & row.keys():
        row[name] = row[name].removesuffix(".0")
    if re.search(r"T.*Z$", row.get("booked_at", "")):
        row["booked_at"] = row["booked_at"].replace("T", " ").removesuffix("Z")
    return row


def test_a_day_never_has_so_many_rejects_that_it_is_not_loaded(tmp_path: Path) -> None:
    for feed in (FEEDS[name] for name in RECIPES):
        for count in (50, 51, 99, 1_000):
            order = Order(feed.name, FIRST, FIRST, tmp_path, rows=count, dirty=True)
            document = summary(order, generate_files(order, lambda _: None).values())
            assert 0 < sum(dirt["rows"] for dirt in document["dirty"]) <= 0.02 * count
            assert document["rejected"] / count < feed.max_rejected_share


# --- the command


@pytest.mark.parametrize("options", [[], ["--array"]], ids=["lines", "array"])
def test_shipments_are_objects_a_line_or_one_array(airline, options: list[str], tmp_path: Path) -> None:
    days = ["--from", "2013-01-01", "--to", "2013-01-02", "--rows", "20"]

    status, out, _ = airline("shipments", *days, "--out", str(tmp_path), "--json", *options)

    files = list(expand([tmp_path]))
    assert (status, len(files)) == (0, 2)
    assert json.loads(out)["bytes"] == sum(file.stat().st_size for file in files)
    assert [file.read_bytes()[:1] for file in files] == [b"[" if options else b"{"] * 2


def test_the_figures_of_a_dirty_array_leave_out_what_only_lines_can_have(airline, tmp_path: Path) -> None:
    days = ["--from", "2013-01-01", "--to", "2013-01-01"]

    _, out, _ = airline("shipments", *days, "--out", str(tmp_path), "--dirty", "--array", "--json")

    kinds = {dirt["kind"] for dirt in json.loads(out)["dirty"]}
    assert kinds == {dirt.kind for dirt in DIRT["shipments"] if not dirt.lines_only}


def test_the_command_tells_files_rows_and_bytes(airline, tmp_path: Path) -> None:
    arguments = ["--from", "2013-01-01", "--to", "2013-01-03", "--out", str(tmp_path / "out"), "--rows", "20"]

    status, out, err = airline("flights", *arguments)

    files = list(expand([tmp_path / "out"]))
    size = sum(file.stat().st_size for file in files)
    assert (status, len(files)) == (0, 3)
    assert out == f"Generated in {tmp_path / 'out'}: files 3, rows 60, bytes {size:,}\n"
    assert "generating" in err


def test_the_command_tells_the_dirty_rows_by_kind(airline, tmp_path: Path) -> None:
    status, out, _ = airline(
        "bookings", "--from", "2013-01-01", "--to", "2013-01-01", "--out", str(tmp_path), "--dirty"
    )

    assert status == 0
    assert [dirt.kind for dirt in DIRT["bookings"] if dirt.kind not in out] == []
    assert out.splitlines()[-1].startswith(f"Generated in {tmp_path}: files 1, rows 1,000, bytes ")
    assert re.search(r"; rows to be rejected 1\d$", out.rstrip())


@pytest.mark.parametrize("options", [[], ["--dirty"]], ids=["clean", "dirty"])
def test_json_is_one_document_with_the_figures(airline, options: list[str], tmp_path: Path) -> None:
    arguments = ["--from", "2013-01-01", "--to", "2013-01-02", "--out", str(tmp_path), "--seed", "5"]

    status, out, err = airline("bookings", *arguments, *options, "--json")

    document = json.loads(out)
    assert status == 0
    assert "generating" in err
    assert document["bytes"] == sum(file.stat().st_size for file in expand([tmp_path]))
    assert {name: document[name] for name in ("feed", "seed", "files", "rows")} == {
        "feed": "bookings",
        "seed": 5,
        "files": 2,
        "rows": 2_000,
    }
    rows = {dirt["becomes"]: 0 for dirt in document["dirty"]}
    for dirt in document["dirty"]:
        rows[dirt["becomes"]] += dirt["rows"]
    assert sum(rows.values()) == (40 if options else 0)
    assert document["rejected"] == rows.get("rejected", 0)


@pytest.mark.parametrize(
    ("arguments", "told", "remedy"),
    [
        (
            ["trains"],
            "expected a feed that can be generated, got 'trains'",
            "Name one of bookings, flights, shipments.",
        ),
        (
            ["flights", "--array"],
            "expected a feed of JSON with --array, got flights, whose files are CSV",
            "Leave --array out, or name one of shipments.",
        ),
        (
            ["airports"],
            "expected a feed that can be generated, got the feed airports",
            "Name one of bookings",
        ),
        (["flights", "--to", "2012-12-31"], "expected a range of days", "--from must not be after --to"),
        (["flights", "--to", "2100-01-01"], "expected a range of days between 1970-01-01 and", "range"),
        (["flights", "--rows", "0"], "expected 1 rows a day or more, got 0", "--rows 1 or more"),
        (["flights", "--rows", "49", "--dirty"], "expected 50 rows a day or more with --dirty", "--rows 50"),
        (["flights", "--out", "a.txt"], "expected a folder or a place for one, got a.txt", "--out DIR"),
        (["flights", "--out", "a.txt/b/c"], "expected a folder or a place for one, got a.txt/b/c", "--out"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_call_is_status_2_with_the_expectation_and_the_remedy_and_writes_nothing(
    airline, here: Path, arguments: list[str], told: str, remedy: str
) -> None:
    common = ["--from", "2013-01-01", "--to", "2013-01-02", "--out", "out"]

    status, out, err = airline(arguments[0], *common, *arguments[1:])

    assert (status, out) == (2, "")
    assert err.startswith(told)
    assert "What to do: " in err
    assert remedy in err
    assert [found.name for found in here.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("missing", ["--from", "--to", "--out"])
def test_a_range_and_a_folder_must_be_named(airline, missing: str) -> None:
    options = {"--from": "2013-01-01", "--to": "2013-01-01", "--out": "out"}
    options.pop(missing)

    status, out, err = airline("flights", *(word for pair in options.items() for word in pair))

    assert (status, out) == (2, "")
    assert missing in err


@pytest.mark.parametrize("feed", ["bookings", "shipments"])
def test_without_faker_a_feed_of_people_fails_with_the_command_that_installs_it(
    airline, feed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)

    status, out, err = airline(feed, "--from", "2013-01-01", "--to", "2013-01-01", "--out", str(tmp_path))

    assert (status, out) == (1, "")
    assert "Faker, which makes up the people, is not installed" in err
    assert "pip install" in err


def test_faker_is_imported_only_where_people_are_made_up() -> None:
    code = "import sys, command.cli, airline_platform.definitions; sys.exit('faker' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
    assert not hasattr(people_module, "Faker")
