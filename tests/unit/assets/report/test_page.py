"""The page of a day holds everything itself, escapes what files say, and tells each figure."""

import base64
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest

from airline_platform.settings import Settings
from assets.report.delays import Day
from assets.report.page import MOST_FILES, Picture, page
from resources.warehouse.ledger import State, Verdict

pytestmark = pytest.mark.usefixtures("no_stack")

DAY = "2013-01-07"
NONE = "\N{EN DASH}"
DOT = b"\x89PNG dot"
PLOTS = {name: Picture(DOT, f"what {name} shows") for name in ("delays", "last_30_days", "rejects")}
NOON = datetime(2013, 1, 8, 12, 30, 15, tzinfo=UTC)
EVIL = "<b onload='x'>&\"{{ 7 * 7 }}"


def file(key: str, state: State = "loaded", **others: Any) -> Verdict:
    rows = {"rows_read": 1000, "rows_loaded": 990, "rows_rejected": 10}
    which = {"feed": "flights", "day": DAY, "key": key, "etag": "e"}
    return Verdict(**which | rows | others, state=state, landed_at=NOON, loaded_at=NOON)


BUSY = Day(
    DAY,
    figures={
        "flights": 6001,
        "cancelled": 12,
        "diverted": 3,
        "delayed_flights": 1500,
        "mean_dep_delay": Decimal("12.345"),
        "mean_arr_delay": Decimal("-1.250"),
    },
    departures={-60: 1, 0: 5000},
    arrivals={0: 4987},
    history={DAY: {"flights": 6001, "mean_dep_delay": Decimal("12.3")}},
    carriers=[
        {
            "carrier": "ZZ",
            "flights": 4321,
            "cancelled": 7,
            "diverted": 2,
            "delayed_flights": 1234,
            "avg_dep_delay": Decimal("22.000"),
            "avg_arr_delay": None,
        }
    ],
    routes=[
        {
            "origin_airport_id": 12478,
            "dest_airport_id": 99999,
            "dep_airport": "Kennedy",
            "arr_airport": None,
            "flights": 31,
            "cancelled": 5,
            "delayed_flights": 19,
            "avg_dep_delay": Decimal("77.700"),
        }
    ],
    airports=[
        {
            "airport_id": 12478,
            "airport": "Kennedy",
            "city": "New York",
            "departures": 2222,
            "cancelled_departures": 44,
            "delayed_departures": 555,
            "avg_dep_delay": Decimal("33.300"),
        }
    ],
    longest=[
        {
            "carrier": "YY",
            "origin_airport_id": 12478,
            "dest_airport_id": 10721,
            "dep_airport": "Kennedy",
            "arr_airport": "Logan",
            "dep_delay": 1301,
            "arr_delay": None,
        }
    ],
    files=[
        file(f"daily_flights/date={DAY}/{EVIL}.csv"),
        file("refused.csv", "rejected", rows_read=None, rows_loaded=None, rows_rejected=None, reason=EVIL),
    ],
    reasons={"DepDelay: expected a whole number": 6, f"expected 5 fields ({EVIL})": 4},
)


class Read(HTMLParser):
    """What a browser makes of a page: its elements, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.rows: list[list[str]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        self.text += data
        inside = self.elements[-1][0] if self.elements else ""
        if inside in ("td", "th") and data.strip():
            self.rows[-1][-1] += data

    def values(self, attribute: str) -> list[str]:
        return [attributes[attribute] or "" for _, attributes in self.elements if attribute in attributes]


def read(it: Day, plots: Mapping[str, Picture] = PLOTS, run_id: str = "run-1") -> Read:
    return Read(page(it, plots, run_id=run_id, made_at=NOON))


def test_the_page_runs_nothing_and_fetches_nothing() -> None:
    found = read(BUSY)

    tags = {tag for tag, _ in found.elements}
    assert tags.isdisjoint({"script", "link", "iframe", "object", "embed", "form", "base"})
    assert all(source.startswith("data:image/png;base64,") for source in found.values("src"))
    assert found.values("href") == []
    assert [name for _, given in found.elements for name in given if name.startswith("on")] == []


def test_the_pictures_are_in_it_with_what_they_show() -> None:
    found = read(BUSY)

    images = [given for tag, given in found.elements if tag == "img"]
    assert [image["alt"] for image in images] == [plot.alt for plot in PLOTS.values()]
    assert [base64.b64decode((image["src"] or "").partition(",")[2]) for image in images] == [DOT] * 3


def test_what_files_and_reasons_say_is_text_and_nothing_else() -> None:
    found = read(BUSY)

    assert "b" not in {tag for tag, _ in found.elements}
    assert found.text.count(EVIL) == 3
    assert "49" not in found.text


def test_every_figure_is_in_it() -> None:
    found = read(BUSY)

    for figure in ("6,001", "12", "3", "1,500 (25.0 %)", "12.3 min", "-1.2 min", "10"):
        assert f">{figure}<" in page(BUSY, PLOTS, run_id="run-1", made_at=NOON)
    assert f"Delays on {DAY}" in found.text
    for row in (
        ["ZZ", "4,321", "7", "2", "1,234", "22.0", NONE],
        ["Kennedy", "airport 99999, unknown", "31", "5", "19", "77.7"],
        ["Kennedy", "New York", "2,222", "44", "555", "33.3"],
        ["YY", "Kennedy", "Logan", "1,301", NONE],
        ["DepDelay: expected a whole number", "6"],
        [BUSY.files[0].key, "loaded", "1,000", "990", "10", ""],
        ["refused.csv", "rejected", NONE, NONE, NONE, EVIL],
    ):
        assert row in found.rows


def test_it_says_what_the_figures_mean_when_it_was_made_and_by_which_run(no_stack: Settings) -> None:
    for said in ("15 minutes or more", "at least 5 flights", "2013-01-08 12:30:15 UTC", "run-1"):
        assert said in read(BUSY).text

    no_stack.home.mkdir()
    no_stack.stack_file.write_text(json.dumps({"ui_url": "http://127.0.0.1:3000"}))
    assert read(BUSY).values("href") == ["http://127.0.0.1:3000/runs/run-1"]


def test_a_day_without_flights_says_so_and_still_shows_its_files() -> None:
    none = read(Day(DAY))
    refused = read(Day(DAY, files=BUSY.files[1:]))

    for found in (none, refused):
        assert f"There is no flight of {DAY}" in found.text
        assert "Carriers" not in found.text
        assert len(found.values("src")) == 3
    assert "No file has landed" in none.text
    assert "refused.csv" in refused.text


def test_a_day_on_which_nothing_flew_has_no_means() -> None:
    figures = {name: 7 if name in ("flights", "cancelled") else 0 for name in BUSY.figures}
    it = Day(DAY, figures=figures | {"mean_dep_delay": None, "mean_arr_delay": None})

    assert read(it).text.count("none flew") == 2
    assert it.numbers == {
        "flights": 7,
        "cancelled": 7,
        "diverted": 0,
        "delayed_flights": 0,
        "delayed_percent": 0.0,
        "rows_rejected": 0,
    }


def test_a_part_of_the_rejects_is_called_one() -> None:
    whole = read(BUSY)
    part = read(replace(BUSY, files=[file("a", rows_rejected=70_000)]))

    assert "Counted from the first" not in whole.text
    assert "Counted from the first 10 of 70,000 rejected rows" in part.text


def test_of_many_files_the_first_are_listed_and_the_others_counted() -> None:
    found = read(replace(BUSY, files=[file(f"{number:04}.csv") for number in range(MOST_FILES + 23)]))

    assert len([row for row in found.rows if row[0].endswith(".csv")]) == MOST_FILES
    assert "And 23 more" in found.text
