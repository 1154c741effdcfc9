"""`airline rejects` and `airline replay` over a real ledger, lake and landing bucket, without runs."""

import csv
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from airline_platform.settings import get_settings
from command import cli
from resources.acceptance.landed import LandedObject
from resources.aws.client import make_client
from resources.lake import Lake
from resources.warehouse import ledger
from resources.warehouse.resource import Warehouse

LANDED_AT = datetime(2013, 1, 1, tzinfo=UTC)


class Files:
    """Files that have landed, and what became of them."""

    def __init__(self, warehouse: Warehouse) -> None:
        self.warehouse = warehouse
        self.minutes = 0

    def _record(self, feed: str, key: str, day: str | None, state: ledger.State, rows: tuple, **what) -> str:
        make_client(get_settings(), "s3").put_object(Bucket="airline-landing", Key=key, Body=b"x")
        self.minutes += 1
        at = LANDED_AT + timedelta(minutes=self.minutes)
        landed = LandedObject("airline-landing", key, day, f"etag {self.minutes}", 1, at, **what)
        counts = dict(zip(("rows_read", "rows_loaded", "rows_rejected"), rows, strict=True)) if rows else {}
        with self.warehouse.transaction() as session:
            entry = ledger.Entry.of(landed, feed=feed, run_id="r", state=state, **counts)
            ledger.record(session, [entry])
        return key

    def refuse(self, key: str, day: str | None, reason: str, feed: str = "flights") -> str:
        return self._record(feed, key, day, "rejected", (), refused=reason)

    def load(self, key: str, day: str | None, rejected: int = 0, feed: str = "flights") -> str:
        return self._record(feed, key, day, "loaded", (10, 10 - rejected, rejected))


def write_rejects(path: str, key: str, *lines: int) -> None:
    rows = [
        {
            "source_file": f"s3://airline-landing/{key}",
            "line_number": line,
            "reject_reason": "dep_delay is 'x'",
            "raw_text": f'UA,"{line}", [red]x[/]',
        }
        for line in lines
    ]
    Lake.of(get_settings()).put_bytes(path, b"".join(json.dumps(row).encode() + b"\n" for row in rows))


@pytest.fixture(scope="module")
def files(server: Warehouse) -> Files:
    """Three days of flights and a file of airports, with rejects of each kind."""
    made = Files(server)
    made.load("daily_flights/2013-01-01.csv", "2013-01-01")
    partly = made.load("daily_flights/date=2013-01-02/partly.csv", "2013-01-02", rejected=2)
    made.refuse("daily_flights/date=2013-01-02/refused.csv", "2013-01-02", "line 1: no header")
    deleted = made.refuse("daily_flights/date=2013-01-02/deleted.csv", "2013-01-02", "line 1: empty")
    make_client(get_settings(), "s3").delete_object(Bucket="airline-landing", Key=deleted)
    replaced = made.load("daily_flights/date=2013-01-03/replaced.csv", "2013-01-03", rejected=1)
    made.refuse(replaced, "2013-01-03", "line 1: binary data")
    airports = made.load("airport_codes/airports.csv", None, rejected=1, feed="airports")

    write_rejects("rejects/flights/date=2013-01-02/part-0.json", partly, 3, 5)
    write_rejects("rejects/flights/date=2013-01-03/part-0.json", replaced, 2)
    write_rejects("rejects/airports/date=all/part-0.json", airports, 4)
    return made


@pytest.fixture
def airline(files: Files, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    """Call the command; give its exit status, stdout and stderr."""
    assert files.minutes

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["airline", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


Airline = Callable[..., tuple[int, str, str]]


def test_the_rejects_of_a_feed_are_told_with_the_newest_day_first(airline: Airline) -> None:
    status, out, _ = airline("rejects", "flights", "--json")

    assert status == 0
    assert [(r["file"].rpartition("/")[2], r["line"], r["reason"]) for r in json.loads(out)] == [
        ("replaced.csv", None, "line 1: binary data"),
        ("refused.csv", None, "line 1: no header"),
        ("partly.csv", 3, "dep_delay is 'x'"),
        ("partly.csv", 5, "dep_delay is 'x'"),
    ]


def test_the_rejects_of_a_day_come_as_csv_with_the_text_as_it_landed(airline: Airline) -> None:
    _, out, _ = airline("rejects", "flights", "--date", "2013-01-02", "--csv")

    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(row["line"], row["text"]) for row in rows] == [
        ("", ""),
        ("3", 'UA,"3", [red]x[/]'),
        ("5", 'UA,"5", [red]x[/]'),
    ]
    assert {row["day"] for row in rows} == {"2013-01-02"}


def test_the_airports_rejects_have_no_day(airline: Airline) -> None:
    _, out, _ = airline("rejects", "airports", "--json")

    assert [(row["day"], row["file"], row["line"]) for row in json.loads(out)] == [
        (None, "airport_codes/airports.csv", 4)
    ]


def test_a_screen_has_the_newest_of_them_and_says_where_the_others_are(
    airline: Airline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "SCREEN_ROWS", 2)
    _, out, _ = airline("rejects", "flights")

    assert "binary data" in out
    assert "dep_delay" not in out
    assert "the newest 2; all of them: --csv or --json" in out
    assert "all of them" not in airline("rejects", "airports")[1]


@pytest.mark.parametrize("arguments", [("flights", "--date", "2013-01-01"), ("bookings",)])
def test_where_nothing_was_rejected_it_says_so(airline: Airline, arguments: tuple[str, ...]) -> None:
    assert airline("rejects", *arguments)[:2] == (0, f"Rejects of {arguments[0]}: no rows.\n")
    assert json.loads(airline("rejects", *arguments, "--json")[1]) == []


def test_a_day_without_rejects_is_not_replayed(airline: Airline) -> None:
    day = ("replay", "flights", "--date", "2013-01-01")

    assert airline(*day)[:2] == (0, "Nothing of flights 2013-01-01 is refused or rejected.\n")
    status, out, _ = airline(*day, "--wait", "--json")
    assert (status, json.loads(out)) == (
        0,
        {"feed": "flights", "day": "2013-01-01", "run": None, "files": []},
    )


def test_a_day_with_rejects_needs_a_dagster(airline: Airline) -> None:
    status, out, err = airline("replay", "flights", "--date", "2013-01-02")

    assert (status, out) == (1, "")
    assert err.startswith("no laptop stack runs in")
