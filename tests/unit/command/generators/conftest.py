"""What the generators' tests share: generated folders, and a feed's rules as its declaration has them."""

import csv
import json
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import DECIMALS, DIGITS, Column
from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from command import cli
from command.generators.files import Generated, Order, generate_files, recipe_of

FIRST = date(2013, 1, 1)
ROWS = {"bookings": 500, "flights": 2_000, "shipments": 500}
DAYS = 16
"""One more than the latest change of a booking comes after it was made, and one for good measure."""


@dataclass(frozen=True)
class Made:
    """A folder of generated files, and the figures of each."""

    out: Path
    days: dict[date, Generated]

    def path(self, feed: Feed, day: date = FIRST) -> Path:
        (found,) = (self.out / feed.prefix / f"date={day}").glob(f"{feed.name}*.{feed.format}")
        return found

    def read(self, feed: Feed, day: date = FIRST) -> list[dict[str, str]]:
        file = self.path(feed, day)
        if feed.format == "json":
            return [row for line in data_lines(feed, file) if (row := row_of(feed, line))]
        with file.open(encoding="utf-8", newline="") as text:
            return list(csv.DictReader(text))

    def objects(self, day: date = FIRST) -> list[dict[str, Any]]:
        """Shipments as they stand in their file; numbers are exact."""
        lines = self.path(SHIPMENTS, day).read_text(encoding="utf-8").splitlines()
        return [json.loads(line, parse_float=Decimal) for line in lines]


def generate(out: Path, feed: Feed, first: date = FIRST, days: int = 1, **options: Any) -> Made:
    order = Order(feed.name, first, first + timedelta(days=days - 1), out, **options)
    return Made(out, generate_files(order, lambda _: None))


@pytest.fixture(scope="session")
def make() -> Callable[..., Made]:
    """Generate files of a feed into a folder."""
    return generate


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    out = tmp_path_factory.mktemp("clean")
    return {name: generate(out, FEEDS[name], days=DAYS, rows=rows) for name, rows in ROWS.items()}


@pytest.fixture(scope="session")
def dirty(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Made]:
    out = tmp_path_factory.mktemp("dirty")
    return {name: generate(out, FEEDS[name], days=2, rows=2_000, dirty=True) for name in ROWS}


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


# --- the rules of a feed, read from its declaration


def data_lines(feed: Feed, file: Path) -> list[bytes]:
    """The lines of a file that are neither blank nor its header."""
    lines = [line for line in file.read_bytes().splitlines() if line]
    return lines[1:] if feed.format == "csv" else lines


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


def to_be_rejected(feed: Feed, told: Generated) -> int:
    return sum(told.dirty[dirt.kind] for dirt in recipe_of(feed).dirt if dirt.rejected)


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


@pytest.fixture(scope="session")
def rules() -> SimpleNamespace:
    """The functions above, for tests that judge rows."""
    return SimpleNamespace(
        data_lines=data_lines,
        problems=problems,
        rejects=rejects,
        row_of=row_of,
        to_be_rejected=to_be_rejected,
    )
