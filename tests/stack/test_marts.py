"""Marts follow the facts by themselves: a day once, a day again, and after their run was killed."""

from datetime import date
from typing import Any

import pytest

from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from command.dagster_client import DagsterClient
from command.generators.files import Order, generate_files

FACT = FLIGHTS.table.qualified_name
HEADER = FLIGHTS.header
MADE_OF_FLIGHTS = {
    "airport_daily_delays",
    "carrier_daily_delays",
    "delay_report",
    "long_delays",
    "route_daily_delays",
}
FIRST_DAY = "2013-01-02"

RUNS = """query { runsOrError(filter: {tags: [{key: "dagster/from_automation_condition", value: "true"}]}) {
  __typename
  ... on Runs { results { runId status assetSelection { path } tags { key value } } }
  ... on PythonError { message }
} }"""

pytestmark = pytest.mark.usefixtures("airports", "automation")


def flights_of(stack: Any, table: str, column: str = "COUNT(*)") -> dict[str, int]:
    """Flights by day, as a table has them."""
    sql = f"SELECT flight_date, {column} AS flights FROM {table} GROUP BY flight_date"
    return {str(row["flight_date"]): int(row["flights"]) for row in stack.query(sql)}


def marts_are_made(stack: Any) -> bool:
    """Whether every mart of flights has exactly what the fact has, and nothing is under way."""
    facts = flights_of(stack, FACT)
    (ranked,) = stack.query("SELECT SUM(flights) AS flights FROM airlines.carrier_on_time")
    return (
        flights_of(stack, "airlines.carrier_daily_delays", "SUM(flights)") == facts
        and flights_of(stack, "airlines.route_daily_delays", "SUM(flights)") == facts
        and flights_of(stack, "airlines.airport_daily_delays", "SUM(departures)") == facts
        and ranked["flights"] == sum(facts.values())
        and DagsterClient.of(stack.settings).unfinished_runs() == 0
    )


def automatic_runs(stack: Any, day: str | None) -> list[dict[str, Any]]:
    """Runs nobody asked for but an asset's condition: for a day alone, or of assets without days."""
    runs = stack.ask_dagster(RUNS)["results"]
    tags = [({tag["key"]: tag["value"] for tag in run["tags"]}, run) for run in runs]
    return [run for of_run, run in tags if of_run.get("dagster/partition") == day]


def assets_of(run: dict[str, Any]) -> set[str]:
    return {key["path"][-1] for key in run["assetSelection"]}


def report_of(stack: Any, day: str) -> str:
    key = f"reports/delays/date={day}.html"
    return stack.client("s3").get_object(Bucket=stack.settings.lake_bucket, Key=key)["Body"].read().decode()


@pytest.fixture(scope="module")
def first_day(stack, airports, automation, tmp_path_factory) -> int:  # noqa: ARG001
    """A day of flights and one of bookings have landed, and what follows from them is there."""
    folder, day = tmp_path_factory.mktemp("first"), date.fromisoformat(FIRST_DAY)
    for feed, rows in ((FLIGHTS, 500), (BOOKINGS, 50)):
        generate_files(Order(feed.name, day, day, folder, rows=rows), lambda _day: None)
    stack.land(folder)
    stack.wait()
    stack.until(lambda: marts_are_made(stack) and stack.query("SELECT 1 AS one FROM airlines.bookings_daily"))
    return 500


def test_one_landed_day_is_one_run_that_makes_all_its_marts_and_the_report(stack, first_day: int):
    (of_flights,) = [run for run in automatic_runs(stack, FIRST_DAY) if "delay_report" in assets_of(run)]
    assert assets_of(of_flights) >= MADE_OF_FLIGHTS
    assert flights_of(stack, FACT) == {FIRST_DAY: first_day}


def test_the_report_of_the_day_is_in_the_lake_and_its_alert_names_it(stack, first_day: int):
    assert f"{first_day}" in report_of(stack, FIRST_DAY)
    subject = f"Loaded {FLIGHTS.table.name} {FIRST_DAY}"
    (told,) = [alert for alert in stack.alerts("loaded") if alert["subject"].startswith(subject)]
    assert f"date={FIRST_DAY}.html" in told["message"]


@pytest.mark.usefixtures("first_day")
def test_the_warehouse_is_crawled_once_its_first_tables_are_loaded(stack):
    def crawled() -> list[str]:
        # Dagster asks in one run for whatever has no days and comes due together, such as `carrier_on_time`.
        return [run["status"] for run in automatic_runs(stack, None) if "warehouse_catalog" in assets_of(run)]

    stack.until(lambda: "SUCCESS" in crawled())
    assert crawled() == ["SUCCESS"]
    glue, database = stack.client("glue"), stack.settings.glue_database
    tables = glue.get_tables(DatabaseName=database)["TableList"]
    (table,) = (it for it in tables if it["Name"].endswith("_airlines_daily_flights_processed"))
    names = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
    assert sorted(names) == sorted(FLIGHTS.table.column_names)


def test_a_day_that_is_loaded_again_is_made_again_though_its_run_is_killed(stack, first_day: int):
    before = {run["runId"] for run in automatic_runs(stack, FIRST_DAY)}
    stack.put(f"daily_flights/date={FIRST_DAY}/more.csv", f"{HEADER}\nAA,12478,12892,700,3\n")

    def working() -> list[dict[str, Any]]:
        return [run for run in again() if run["status"] == "STARTED"]

    def again() -> list[dict[str, Any]]:
        return [run for run in automatic_runs(stack, FIRST_DAY) if run["runId"] not in before]

    stack.until(working)
    for process in stack.runs():
        process.kill()
    stack.until(lambda: marts_are_made(stack))
    assert flights_of(stack, "airlines.carrier_daily_delays", "SUM(flights)") == {FIRST_DAY: first_day + 1}
    assert flights_of(stack, "airlines.long_delays", "MAX(dep_delay)")[FIRST_DAY] == 700
    assert "FAILURE" in {run["status"] for run in again()}
