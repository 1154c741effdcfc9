"""The warehouse's catalog is crawled when columns may have changed, and says what differs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    AssetSelection,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    Definitions,
    evaluate_automation_conditions,
)
from dagster._core.storage.tags import AUTOMATION_CONDITION_TAG

from airline_platform.contract.table import Column, Table
from airline_platform.definitions import defs
from airline_platform.feeds.airports import AIRPORTS
from assets import warehouse_catalog
from assets.alerts.messages import stage_of
from assets.warehouse_catalog import AUTOMATION_TAG, TABLES, code_version, differences
from resources.warehouse.own_tables import INGESTED_FILES
from sensors.automation import automation_sensor

CATALOG, FACT, DIMENSION = "warehouse_catalog", "daily_flights_processed", "dim_airport_codes"
DAY, OTHER = "2013-01-05", "2014-03-09"


def entry(table: Table, **other: str) -> dict[str, Any]:
    """A table as a crawl registers it, with other columns where named."""
    columns = {column.name: column.glue_type for column in table.columns} | other
    return {"StorageDescriptor": {"Columns": [{"Name": n, "Type": t} for n, t in columns.items() if t]}}


def catalog(**other: Mapping[str, Any] | None) -> dict[str, Mapping[str, Any] | None]:
    return {table.name: entry(table) for table in TABLES} | other


class Looks:
    """Whether the automation sensor asks for a crawl, look after look."""

    def __init__(self) -> None:
        self.instance = DagsterInstance.ephemeral()
        self._cursor = None

    def made(self, asset: str, *days: str) -> None:
        for day in days or (None,):
            self.instance.report_runless_asset_event(AssetMaterialization(asset_key=asset, partition=day))

    def look(self, at: datetime | None = None, location: Definitions = defs) -> bool:
        result = evaluate_automation_conditions(
            location,
            self.instance,
            asset_selection=AssetSelection.assets(CATALOG),
            evaluation_time=at,
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        return result.total_requested > 0

    def begin(self, job: str, *assets: str, day: str = "") -> DagsterRun:
        """A run that works on assets."""
        selection = {AssetKey(name) for name in assets} or None
        run = self.instance.create_run_for_job(
            job_def=defs.resolve_job_def(job).get_subset(asset_selection=selection),
            tags={"dagster/partition": day} if day else {},
            asset_selection=selection,
        )
        for event in (DagsterEventType.RUN_STARTING, DagsterEventType.RUN_START):
            self.instance.report_dagster_event(DagsterEvent(event.value, run.job_name), run_id=run.run_id)
        return run

    def succeed(self, run: DagsterRun) -> None:
        event = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name)
        self.instance.report_dagster_event(event, run_id=run.run_id)


@pytest.fixture
def looks() -> Iterator[Looks]:
    found = Looks()
    with found.instance:
        assert not found.look()
        yield found


def with_other_columns() -> Definitions:
    """The code location after a deployment that changed a column."""
    other = warehouse_catalog.warehouse_catalog.map_asset_specs(
        lambda spec: spec.replace_attributes(code_version="another")
    )
    assets = [asset for asset in defs.assets or () if asset is not warehouse_catalog.warehouse_catalog]
    return Definitions(assets=[*assets, other], resources=defs.resources)


def test_the_first_table_that_is_loaded_asks_for_a_crawl_and_only_once(looks: Looks) -> None:
    looks.made(DIMENSION)

    assert [looks.look() for _ in range(3)] == [True, False, False]
    looks.made(FACT, DAY)
    assert [looks.look() for _ in range(3)] == [False] * 3


def test_a_load_asks_for_nothing_when_it_has_been_crawled(looks: Looks) -> None:
    looks.made(FACT, DAY)
    assert looks.look()
    looks.made(CATALOG)
    for _ in range(3):
        looks.made(FACT, DAY, OTHER)
        looks.made(DIMENSION)
        assert [looks.look() for _ in range(2)] == [False] * 2


def test_what_was_loaded_before_there_was_a_catalog_asks_at_the_first_look() -> None:
    looks = Looks()
    with looks.instance:
        looks.made(FACT, DAY)

        assert [looks.look() for _ in range(3)] == [True, False, False]


def test_no_table_asks_for_nothing(looks: Looks) -> None:
    looks.made("raw_flights", DAY)
    looks.made("flights_enriched", DAY)
    looks.made("carrier_on_time")

    assert not looks.look()


def test_other_columns_ask_for_a_crawl_once(looks: Looks) -> None:
    looks.made(FACT, DAY)
    looks.look()
    looks.made(CATALOG)
    looks.look()

    after = with_other_columns()

    assert [looks.look(location=after) for _ in range(3)] == [True, False, False]


def test_other_columns_ask_for_nothing_where_nothing_was_ever_crawled(looks: Looks) -> None:
    looks.made(FACT, DAY)
    assert [looks.look() for _ in range(2)] == [True, False]

    after = with_other_columns()

    assert [looks.look(location=after) for _ in range(3)] == [False] * 3


@pytest.mark.parametrize(
    ("job", "assets", "day"),
    [("flights_job", (), DAY), ("__ASSET_JOB", (CATALOG,), "")],
    ids=["a load", "a crawl"],
)
def test_what_is_under_way_is_waited_for(looks: Looks, job: str, assets: tuple[str, ...], day: str) -> None:
    looks.made(FACT, DAY)
    run = looks.begin(job, *assets, day=day)

    assert [looks.look() for _ in range(2)] == [False] * 2

    looks.instance.report_run_canceled(run)
    assert looks.look()


def test_a_crawl_that_failed_is_asked_for_again_at_the_full_hour_until_it_is_made(looks: Looks) -> None:
    quarter_past = datetime.now(UTC).replace(minute=15) + timedelta(days=1)
    looks.made(FACT, DAY)
    assert looks.look(quarter_past)
    for hour in range(1, 4):
        looks.instance.report_run_failed(looks.begin("__ASSET_JOB", CATALOG))
        at = quarter_past + timedelta(hours=hour)
        assert [looks.look(at - timedelta(minutes=30)), looks.look(at)] == [False, True]
    made = looks.begin("__ASSET_JOB", CATALOG)
    looks.made(CATALOG)
    looks.succeed(made)

    assert not any(looks.look(quarter_past + timedelta(hours=hour)) for hour in range(4, 7))


def test_a_run_that_ended_without_a_crawler_is_not_asked_for_again(looks: Looks) -> None:
    quarter_past = datetime.now(UTC).replace(minute=15) + timedelta(days=1)
    looks.made(FACT, DAY)
    assert looks.look(quarter_past)
    looks.succeed(looks.begin("__ASSET_JOB", CATALOG))

    for hour in range(1, 4):
        looks.made(FACT, DAY)
        assert not looks.look(quarter_past + timedelta(hours=hour))


def test_the_automation_sensor_looks_at_it_and_tags_its_runs_as_it_expects() -> None:
    assert AssetKey(CATALOG) in automation_sensor.asset_selection.resolve(defs.resolve_asset_graph())
    assert AUTOMATION_TAG == AUTOMATION_CONDITION_TAG


def test_a_failure_is_told_as_one_of_the_catalogs() -> None:
    assert stage_of(CATALOG) == "crawler and catalog"


def test_the_version_changes_with_a_column_and_with_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    before = code_version()
    first, *others = TABLES
    versions = []
    for changed in (
        replace(first, description="Said otherwise."),
        replace(first, columns=(*first.columns, Column("new", "date", "New."))),
        replace(first, columns=(replace(first.columns[0], type="date"), *first.columns[1:])),
    ):
        monkeypatch.setattr(warehouse_catalog, "TABLES", (changed, *others))
        versions.append(code_version())

    assert versions[0] == before
    assert len({*versions}) == 3


def test_a_catalog_that_has_every_declared_column_has_no_difference() -> None:
    assert differences(catalog()) == []


def test_a_column_that_nothing_declares_is_no_difference() -> None:
    kept = entry(AIRPORTS.table, icao="string")

    assert differences(catalog(**{AIRPORTS.table.name: kept})) == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, "airlines.dim_airport_codes is missing"),
        (entry(AIRPORTS.table, city=""), "airlines.dim_airport_codes lacks city string"),
        (entry(AIRPORTS.table, airport_id="int"), "airlines.dim_airport_codes has airport_id int"),
        (
            entry(AIRPORTS.table, city="", town="string"),
            "airlines.dim_airport_codes lacks city string",
        ),
    ],
)
def test_a_table_that_is_missing_or_has_other_columns_is_named(
    found: Mapping[str, Any] | None, said: str
) -> None:
    assert differences(catalog(dim_airport_codes=found)) == [said]


def test_the_order_and_the_case_of_columns_and_the_type_of_a_zoned_time_do_not_count() -> None:
    ledger = entry(INGESTED_FILES, landed_at="string")
    ledger["StorageDescriptor"]["Columns"].reverse()
    airports = entry(AIRPORTS.table, city="", CITY="string")

    assert differences(catalog(ingested_files=ledger, dim_airport_codes=airports)) == []
