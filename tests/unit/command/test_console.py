"""What is shown: rows as a table, JSON or CSV, in which nothing steers a terminal."""

import csv
import io
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from rich.console import Console

from command import console
from command.console import printable, show_csv, show_json, show_table, stream_csv, stream_json


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What a table's reader sees."""
    screen = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=screen, width=100))
    return screen


def test_rejects_stream_as_one_json_document_and_as_csv(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"day": "2013-01-01", "file": "k", "line": 2, "text": 'a "b"', "reason": "é,\n"},
        {"day": None, "file": "k", "line": None, "text": None, "reason": None},
    ]

    for some in (rows, rows[:1], []):
        stream_json(iter(some))
        assert json.loads(capsys.readouterr().out) == some
    stream_csv(iter(rows), list(rows[0]))
    read = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(r["file"], r["line"], r["reason"]) for r in read] == [("k", "2", "é,\n"), ("k", "", "")]


def test_what_landed_steers_no_terminal_and_is_no_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(console, "out", Console(file=shown, width=200, force_terminal=True))
    console.show_table([{"text": "\x1b]0;title\x07 [red]a[/nothing] zero\u200bwidth"}])

    assert r"\x1b]0;title\x07 [red]a[/nothing] zero\u200bwidth" in shown.getvalue()
    assert printable("Århus\t1\n2") == "Århus\\t1\n2"


@pytest.mark.parametrize(
    ("value", "cell"),
    [(1234567, "1,234,567"), (2.5, "2.50"), (Decimal("3.00"), "3"), (None, ""), (True, "True"), ("x", "x")],
)
def test_a_cell_shows_a_value_as_people_read_it(shown: io.StringIO, value: Any, cell: str) -> None:
    show_table([{"name": value}])

    assert shown.getvalue().splitlines()[3].strip("│ ") == cell


def test_a_table_of_some_columns_has_these_and_one_without_rows_says_so(shown: io.StringIO) -> None:
    show_table([{"rows_read": 1, "other": 2}], "Files", ["rows_read"])
    show_table([], "Alerts")
    show_table([])

    text = shown.getvalue()
    assert text.startswith("Files")
    assert "rows read" in text
    assert "other" not in text
    assert text.endswith("Alerts: no rows.\nNo rows.\n")


def test_json_has_days_as_iso_and_decimals_as_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    moment = datetime(2013, 1, 1, 12, tzinfo=UTC)
    show_json({"day": date(2013, 1, 1), "at": moment, "whole": Decimal(2), "part": Decimal("2.5")})

    assert json.loads(capsys.readouterr().out) == {
        "day": "2013-01-01",
        "at": "2013-01-01T12:00:00+00:00",
        "whole": 2,
        "part": 2.5,
    }


def test_csv_without_rows_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    show_csv([])
    show_csv([{"a": 1, "b": "x,y"}])

    assert capsys.readouterr().out == 'a,b\n1,"x,y"\n'
