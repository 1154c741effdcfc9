"""The delay report with a real warehouse and a real gateway: figures by head, a page that a browser gets."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
import requests
from dagster import AssetKey, DagsterInstance, materialize

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.marts.declarations import marts_of
from assets.marts.replacement import replace_days
from assets.report.asset import delay_report
from assets.report.delays import Day, days_of_delays
from assets.report.location import report_link
from resources.acceptance.landed import LandedObject
from resources.lake import Lake
from resources.topic import Notifier
from resources.warehouse import ledger
from resources.warehouse.resource import Warehouse

MONDAY, TUESDAY, WEDNESDAY = "2013-01-07", "2013-01-08", "2013-01-09"
JFK, BOS, NOWHERE = (12478, "Kennedy", "New York"), (10721, "Logan", "Boston"), (99999, None, None)
BROWSER = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "cross-site",
    "Referer": "http://127.0.0.1:3000/",
}
"""What a browser sends when a link of the UI is followed."""


def flight(day: str, way: tuple[tuple, tuple], dep: int | None, arr: int | None, carrier: str = "AA") -> dict:
    row = dict.fromkeys(FLIGHTS.table.column_names)
    (origin, dep_airport, dep_city), (dest, arr_airport, arr_city) = way
    return row | {
        "flight_date": day,
        "carrier": carrier,
        "origin_airport_id": origin,
        "dest_airport_id": dest,
        "dep_airport": dep_airport,
        "arr_airport": arr_airport,
        "dep_city": dep_city,
        "arr_city": arr_city,
        "dep_delay": dep,
        "arr_delay": arr,
        "source_file": "s3://airline-landing/x.csv",
    }


OUT, BACK, AWAY = (JFK, BOS), (BOS, JFK), (JFK, NOWHERE)
FLOWN = [
    *(flight(MONDAY, OUT, dep, arr) for dep, arr in [(-61, -60), (-46, -45), (-1, -16), (0, 14), (14, 15)]),
    *(flight(MONDAY, BACK, dep, 0, "UA") for dep in (15, 179, 180, 5000, 60)),
    flight(MONDAY, OUT, None, None),  # cancelled
    flight(MONDAY, BACK, 30, None, "UA"),  # diverted
    # Four departures and a cancelled one are not five.
    *(flight(MONDAY, AWAY, 900, 900) for _ in range(4)),
    flight(MONDAY, AWAY, None, None),
    flight(TUESDAY, BACK, None, None),  # a day on which nothing flew
    flight("2012-12-09", BACK, 7, 7),  # the first of the 30 days up to Monday
    flight("2012-12-08", BACK, 7, 7),  # the day before
]
REJECTS = [
    {"source_file": "s3://x/a.csv", "line_number": 2, "reject_reason": reason, "raw_text": "x"}
    for reason in (
        "DepDelay is 'late'; expected a whole number",
        "DepDelay is '1.5'; expected a whole number",
        "Carrier is empty; a value is required",
    )
]


def entry(name: str, rejected: int, day: str = MONDAY) -> ledger.Entry:
    key = f"daily_flights/date={day}/{name}.csv"
    landed = LandedObject("airline-landing", key, day, f"etag {key}", 9, datetime.now(UTC))
    rows = {"rows_read": 100, "rows_loaded": 100 - rejected, "rows_rejected": rejected}
    return ledger.Entry.of(landed, feed="flights", run_id="r", state="loaded", **rows)


@pytest.fixture(scope="module")
def warehouse(server: Warehouse) -> Warehouse:
    """Three days of flights with their marts, ledger and rejects, of which the last has nothing at all."""
    with server.transaction() as session:
        session.insert(FLIGHTS.table, FLOWN)
        ledger.record(session, [entry("a", 3), entry("b", 0), entry("c", 0, TUESDAY)])
        days = sorted({row["flight_date"] for row in FLOWN})
        for mart in marts_of(FLIGHTS.table):
            replace_days(session, mart, days)
    lines = "".join(json.dumps(row) + "\n" for row in REJECTS).encode()
    for day in (MONDAY, TUESDAY):
        Lake.of(get_settings()).put_bytes(f"rejects/flights/date={day}/part-0.json", lines)
    return server


@pytest.fixture(scope="module")
def days(warehouse: Warehouse) -> dict[str, Day]:
    with warehouse.transaction(read_only=True) as session:
        return {
            it.day: it
            for it in days_of_delays(session, Lake.of(get_settings()), [MONDAY, TUESDAY, WEDNESDAY])
        }


def test_a_days_figures_add_up_by_head(days: dict[str, Day]) -> None:
    departed = [row["dep_delay"] for row in FLOWN if row["flight_date"] == MONDAY and row["dep_delay"]] + [0]
    arrived = [row["arr_delay"] for row in FLOWN if row["flight_date"] == MONDAY]
    arrived = [delay for delay in arrived if delay is not None]

    assert (len(departed), len(arrived)) == (15, 14)
    assert dict(days[MONDAY].figures) == {
        "day": date.fromisoformat(MONDAY),
        "flights": 17,
        "cancelled": 2,
        "diverted": 1,
        "delayed_flights": 5,
        "mean_dep_delay": round(Decimal(sum(departed)) / 15, 3),
        "mean_arr_delay": round(Decimal(sum(arrived)) / 14, 3),
    }
    assert days[MONDAY].delayed_percent == 29.4
    assert days[MONDAY].rows_rejected == 3


def test_delays_fall_into_bins_and_what_is_beyond_into_the_outer_ones(days: dict[str, Day]) -> None:
    departures = days[MONDAY].departures

    assert departures == {-60: 2, -15: 1, 0: 2, 15: 1, 30: 1, 60: 1, 165: 7}
    assert days[MONDAY].arrivals == {-60: 1, -45: 1, -30: 1, 0: 6, 15: 1, 165: 4}


def test_the_month_ends_with_the_day_and_leaves_out_days_without_flights(days: dict[str, Day]) -> None:
    month = {day: (row["flights"], row["mean_dep_delay"]) for day, row in days[TUESDAY].history.items()}

    assert list(days[MONDAY].history) == ["2012-12-09", MONDAY]
    assert month == {MONDAY: (17, Decimal(598)), TUESDAY: (1, None)}


def test_the_worst_have_at_least_5_flights_that_departed(days: dict[str, Day]) -> None:
    monday = days[MONDAY]

    routes = [(row["dep_airport"], row["arr_airport"], row["avg_dep_delay"]) for row in monday.routes]
    assert routes == [
        ("Logan", "Kennedy", Decimal("910.667")),
        ("Kennedy", "Logan", Decimal("-18.800")),
    ]
    airports = [(row["airport"], row["departures"], row["cancelled_departures"]) for row in monday.airports]
    assert airports == [("Logan", 6, 0), ("Kennedy", 11, 2)]
    assert [row["carrier"] for row in monday.carriers] == ["AA", "UA"]


def test_the_longest_delays_come_first(days: dict[str, Day]) -> None:
    assert [row["dep_delay"] for row in days[MONDAY].longest] == [5000, *[900] * 4, 180, 179, 60]


def test_the_rejects_are_counted_by_reason_where_the_ledger_knows_of_any(days: dict[str, Day]) -> None:
    assert days[MONDAY].reasons == {
        "DepDelay: expected a whole number": 2,
        "Carrier is empty; a value is required": 1,
    }
    assert days[TUESDAY].reasons == {}
    assert [file.key[-5:] for file in days[MONDAY].files] == ["a.csv", "b.csv"]


def test_a_day_without_anything_is_told_as_one(days: dict[str, Day]) -> None:
    nothing = days[WEDNESDAY]

    assert not any((nothing.figures, nothing.carriers, nothing.files, nothing.departures, nothing.reasons))
    assert list(nothing.history) == [MONDAY, TUESDAY]


def test_a_range_run_writes_a_page_a_day_which_a_browser_gets(warehouse: Warehouse) -> None:
    tags = {"dagster/asset_partition_range_start": MONDAY, "dagster/asset_partition_range_end": WEDNESDAY}
    given = {"warehouse": warehouse, "lake": Lake.of(get_settings()), "notifier": Notifier.of(get_settings())}

    with DagsterInstance.ephemeral() as instance:
        run = materialize([delay_report], instance=instance, resources=given, tags=tags)
        made = {it.partition: it.materialization.metadata for it in run.get_asset_materialization_events()}
        shown = {
            name: instance.fetch_observations(AssetKey(name), limit=10).records
            for name in ("daily_flights_processed", "carrier_daily_delays")
        }

    assert sorted(made) == [MONDAY, TUESDAY, WEDNESDAY]
    monday: dict[str, Any] = {name: value.value for name, value in made[MONDAY].items()}
    assert (monday["flights"], monday["rows_rejected"], monday["delayed_percent"]) == (17, 3, 29.4)
    for name in ("delays", "last_30_days", "rejects"):
        assert "](data:image/png;base64," in monday[name]
    assert "mean_dep_delay" not in made[TUESDAY]
    assert made[WEDNESDAY]["flights"].value == 0

    assert sorted(it.partition_key or "" for it in shown["daily_flights_processed"]) == sorted(made)
    assert [it.partition_key for it in shown["carrier_daily_delays"]] == [WEDNESDAY]

    for day, said in {
        MONDAY: "<dd>5 (29.4 %)</dd>",
        TUESDAY: "none flew",
        WEDNESDAY: "is no flight of",
    }.items():
        answer = requests.get(made[day]["report"].value, headers=BROWSER, timeout=5)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert len(answer.content) == made[day]["report_bytes"].value
        assert said in answer.text
        assert run.run_id in answer.text
    assert made[MONDAY]["report"].value == report_link(MONDAY)
