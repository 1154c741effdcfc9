"""Generated files are those of their seed, what their feed declares, and as dirty as they say."""

import csv
import json
import math
import os
import re
import subprocess
import sys
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from airline_platform import cli
from airline_platform.demo_data import airports
from airline_platform.errors import AirlineError, WrongCall
from airline_platform.feeds import BOOKINGS, FEEDS, FLIGHTS, Feed
from airline_platform.generators import people as people_module
from airline_platform.generators.bookings import (
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
from airline_platform.generators.dirt import DIRT
from airline_platform.generators.files import RECIPES, Generated, Order, generate_files, summary
from airline_platform.generators.network import CARRIERS, HUBS, schedule
from airline_platform.generators.people import PEOPLE, people
from airline_platform.settings import Settings
from airline_platform.tables import DECIMALS, DIGITS, Column
from airline_platform.uploads import expand, plan_upload

FIRST = date(2013, 1, 1)
ROWS = {"bookings": 500, "flights": 2_000}
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
    return made.out / feed.prefix / f"date={day}" / f"{feed.name}.csv"


def read(made: Made, feed: Feed, day: date = FIRST) -> list[dict[str, str]]:
    with path(made, feed, day).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


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


def is_date(_: Column, text: str) -> bool:
    return str(date.fromisoformat(text)) == text


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
    code = "from airline_platform.cli import main; main()"
    arguments = ["generate", feed.name, *days, "--out", str(tmp_path / "other"), "--rows", "200", "--dirty"]

    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONHASHSEED": "1", "AIRLINE_HOME": str(tmp_path / "home")},
    )

    here = path(make(tmp_path / "here", feed, rows=200, dirty=True), feed)
    assert here.read_bytes() == (tmp_path / "other" / here.relative_to(tmp_path / "here")).read_bytes()


# --- as they land


@generated_feeds
def test_a_file_has_its_feeds_header_and_as_many_rows_and_bytes_as_told(
    feed: Feed, clean: dict[str, Made]
) -> None:
    made = clean[feed.name]

    for day, told in made.days.items():
        body = path(made, feed, day).read_bytes()
        assert body.startswith(f"{feed.header}\n".encode())
        assert body.count(b"\n") - 1 == told.rows == ROWS[feed.name]
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
    assert list(expand([tmp_path])) == []


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
    assert tuple(CABINS) == columns["cabin"].one_of
    assert set(CURRENCIES) <= set(columns["currency"].one_of)
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
    lines = [path(made, feed).read_bytes().split(b"\n") for made in (clean, dirty[feed.name])]

    assert sum(one != other for one, other in zip(*lines, strict=True)) == 40


@generated_feeds
def test_the_declaration_finds_exactly_the_rows_that_are_to_be_rejected(
    feed: Feed, dirty: dict[str, Made]
) -> None:
    for day, told in dirty[feed.name].days.items():
        text = path(dirty[feed.name], feed, day).read_bytes().splitlines()[1:]
        rejected = {dirt.kind for dirt in DIRT[feed.name] if dirt.rejected}

        assert rejects(feed, text) == sum(told.dirty[kind] for kind in rejected)


def rejects(feed: Feed, lines: list[bytes]) -> int:
    """Rows a reader of lines can't use, by the rules of the README and the feed's declaration."""
    good = [row for line in lines if (row := row_of(feed, line)) is not None and not problems(feed, row)]
    repeated = len(good) - len({row["booking_id"] for row in good}) if feed is BOOKINGS else 0
    return len(lines) - len(good) + repeated


def row_of(feed: Feed, line: bytes) -> dict[str, str] | None:
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
        (["trains"], "expected a feed that can be generated, got 'trains'", "Name one of bookings, flights."),
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


def test_without_faker_bookings_fail_with_the_command_that_installs_it(
    airline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "faker", None)

    status, out, err = airline(
        "bookings", "--from", "2013-01-01", "--to", "2013-01-01", "--out", str(tmp_path)
    )

    assert (status, out) == (1, "")
    assert "Faker, which makes up the people, is not installed" in err
    assert "pip install" in err


def test_faker_is_imported_only_where_people_are_made_up() -> None:
    code = "import sys, airline_platform.cli, airline_platform.definitions; sys.exit('faker' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0
    assert not hasattr(people_module, "Faker")
