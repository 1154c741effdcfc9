"""What a user does in the Dagster UI: follows the lineage, opens days, launches a backfill, sees plots."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser.chromium import find_chromium
from browser.ui import GRAPH, Ui
from playwright.sync_api import expect

from airline_platform.feeds.flights import FLIGHTS
from assets.marts.declarations import MARTS
from command.dagster_client import REPOSITORY
from command.demo.new_york import write_flights

DAYS = [date(2013, 1, day) for day in (8, 9, 10)]
UNNOTICED = [date(2013, 1, day) for day in (14, 15, 16)]
FIRST, LAST = str(DAYS[0]), str(DAYS[-1])
FACT = FLIGHTS.table.name
OF_FLIGHTS = ["raw_flights", "flights_catalog", "flights_enriched", FACT]
ON_THE_FACT = {"airport_daily_delays", "carrier_daily_delays", "long_delays", "route_daily_delays"}
LINEAGE = {
    *pairwise(OF_FLIGHTS),
    *((FACT, mart) for mart in ON_THE_FACT),
    ("dim_airport_codes", "flights_enriched"),
    ("carrier_daily_delays", "carrier_on_time"),
}
SENSORS = {
    "sensors/alert_sensor",
    "sensors/automation_sensor",
    "sensors/landing_sensor",
    "sensors/reconciliation_sensor",
}
PLOTS = {"delay_report": ("delays", "last_30_days", "rejects"), FACT: ("delays", "rejects")}

LISTED = """query($repository: RepositorySelector!) { repositoryOrError(repositorySelector: $repository) {
  __typename
  ... on Repository {
    assetNodes { assetKey { path } dependencyKeys { path } dependedByKeys { path } }
    sensors { name }
    schedules { name }
  }
  ... on PythonError { message }
} }"""

BACKFILLS = """query { partitionBackfillsOrError {
  __typename
  ... on PartitionBackfills { results { id status partitionNames assetSelection { path } } }
  ... on PythonError { message }
} }"""

pytestmark = pytest.mark.usefixtures("airports")


@dataclass(frozen=True)
class Listed:
    """What Dagster's API knows: each asset's parents and children, and names as `sensors/alert_sensor`."""

    parents: dict[str, set[str]]
    children: dict[str, set[str]]
    automation: set[str]

    @property
    def assets(self) -> set[str]:
        return set(self.parents)

    def related(self, asset: str) -> set[str]:
        """The asset, and all before and after it."""
        return _reached(asset, self.parents) | _reached(asset, self.children)


def _name(key: dict[str, list[str]]) -> str:
    return key["path"][-1]


def _reached(asset: str, following: dict[str, set[str]]) -> set[str]:
    return {asset}.union(*(_reached(each, following) for each in following[asset]))


@pytest.fixture(scope="module")
def listed(stack: Any) -> Listed:
    found = stack.ask_dagster(LISTED, repository=REPOSITORY)
    parents, children = (
        {
            each["assetKey"]["path"][-1]: {key["path"][-1] for key in each[kind]}
            for each in found["assetNodes"]
        }
        for kind in ("dependencyKeys", "dependedByKeys")
    )
    automation = {f"{kind}/{each['name']}" for kind in ("sensors", "schedules") for each in found[kind]}
    return Listed(parents, children, automation)


@pytest.fixture(scope="module")
def flights_of_day(
    stack: Any,
    airports: None,  # noqa: ARG001
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, int]:
    """Three days landed and loaded; how many flights each of them has."""
    folder: Path = tmp_path_factory.mktemp("flights")
    counts = write_flights(folder, DAYS)
    stack.land(folder)
    stack.wait()
    return {str(day): count for day, count in counts.items()}


def rows_of_day(stack: Any) -> dict[str, int]:
    rows = stack.query(
        f"SELECT flight_date, COUNT(*) AS flights FROM {FLIGHTS.table.qualified_name} "
        f"WHERE flight_date BETWEEN '{FIRST}' AND '{LAST}' GROUP BY flight_date"
    )
    return {str(row["flight_date"]): row["flights"] for row in rows}


def test_the_lineage_page_draws_every_asset_and_leads_from_raw_flights_to_the_marts(ui: Ui, listed: Listed):
    ui.open_whole_graph(len(listed.assets))
    graph = ui.graph(listed.assets)
    ui.picture("lineage", of=GRAPH)

    assert graph.assets == listed.assets
    assert set(MARTS) <= graph.assets
    assert graph.edges >= LINEAGE


def test_the_fact_s_lineage_tab_leads_from_raw_flights_to_the_marts_too(ui: Ui, listed: Listed):
    ui.open_lineage_of(FACT, len(listed.related(FACT)))
    graph = ui.graph(listed.assets)

    assert graph.assets == listed.related(FACT)
    assert "raw_shipments" not in graph.assets
    assert graph.edges >= LINEAGE


def test_a_loaded_day_opens_with_its_figures(ui: Ui, flights_of_day: dict[str, int]):
    ui.open_days(FACT, FIRST, LAST)
    ui.expect_days(3, materialized=3)
    assert ui.days_listed() == sorted(flights_of_day, reverse=True)
    ui.picture("partitions")

    ui.choose_day(FIRST)
    expect(ui.metadata("rows_loaded")).to_have_text(str(flights_of_day[FIRST]))


@pytest.fixture
def by_command(stack: Any, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`airline backfill --wait` on its way over days that landed unnoticed."""
    write_flights(tmp_path, UNNOTICED)
    with stack.nobody_listening():
        stack.land(tmp_path)
        days = ["--from", str(UNNOTICED[0]), "--to", str(UNNOTICED[-1])]
        with stack.start("backfill", FLIGHTS.name, *days, "--wait") as running:
            yield running
            running.terminate()


def test_backfills_of_three_days_launched_from_the_page_and_by_the_command_succeed(
    ui: Ui, stack: Any, flights_of_day: dict[str, int], by_command: subprocess.Popen[str]
):
    assert rows_of_day(stack) == flights_of_day
    ui.ask_for_backfill(FLIGHTS.name, FIRST, LAST)
    ui.expect_days_asked_for(3)
    ui.picture("backfill_dialog")
    backfill = ui.launch_backfill()
    ui.picture("backfill_launched")
    ui.expect_backfill("Succeeded", seconds=400)
    _, complaints = by_command.communicate(timeout=400)
    assert by_command.returncode == 0, complaints

    found = stack.ask_dagster(BACKFILLS)["results"]
    of_flights = {
        each["id"]: each for each in found if set(map(_name, each["assetSelection"])) == set(OF_FLIGHTS)
    }
    assert {each["status"] for each in of_flights.values()} == {"COMPLETED_SUCCESS"}
    assert sorted(of_flights[backfill]["partitionNames"]) == sorted(flights_of_day)
    # Nothing has changed where everything was loaded, and a range is one run and one job.
    assert rows_of_day(stack) == flights_of_day
    assert stack.query(
        "SELECT COUNT(*) AS files, COUNT(DISTINCT run_id) AS runs, COUNT(DISTINCT glue_job_run_id) AS jobs "
        "FROM airlines.ingested_files WHERE state = 'loaded' "
        f"AND partition_date BETWEEN '{UNNOTICED[0]}' AND '{UNNOTICED[-1]}'"
    ) == [{"files": 3, "runs": 1, "jobs": 1}]


@pytest.mark.usefixtures("flights_of_day")
def test_a_day_shows_its_plots_and_its_report(ui: Ui, stack: Any):
    # In one run, and not when their automation gets to it: a loaded day hides the plots it had before.
    stack.launch(FLIGHTS, FIRST, LAST, [*sorted(ON_THE_FACT), "delay_report"])
    stack.wait_until_idle()

    for asset, plots in PLOTS.items():
        ui.open_days(asset, FIRST, LAST)
        ui.choose_day(LAST)
        for plot in plots:
            image = ui.open_plot(plot)
            assert image.get_attribute("alt")
            ui.picture(f"{asset}_{plot}")
            ui.close_dialog()
    ui.open_link("report")
    expect(ui.page).to_have_title(re.compile(LAST))


@pytest.mark.usefixtures("automation")
def test_the_automation_page_lists_every_sensor_and_schedule_and_the_sensors_run(ui: Ui, listed: Listed):
    assert ui.open_automation(len(listed.automation)) == listed.automation
    for sensor in SENSORS:
        ui.expect_running(sensor)


def test_a_missing_browser_fails_and_says_how_to_get_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(pytest.fail.Exception, match="make chromium"):
        find_chromium()
