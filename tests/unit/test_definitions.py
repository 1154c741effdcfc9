"""The code location loads with nothing running, says what each asset is, and draws the promised lineage."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    AssetsDefinition,
    DagsterInstance,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RetryPolicy,
    ScheduleDefinition,
    TableSchema,
    in_process_executor,
    materialize,
)

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column
from airline_platform.definitions import defs, resources
from airline_platform.feeds import FEEDS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings, get_settings
from assets.ingest.feed_assets import assets_of
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart
from assets.marts.replacement import query_of
from laptop.dagster.dagster_home import DagsterHome, prepare

REPOSITORY = Path(__file__).parents[2]
ROOMS = ("airline_platform", "assets", "resources", "sensors", "glue_jobs")
FLIGHTS_ASSETS = ["raw_flights", "flights_catalog", "flights_enriched", "daily_flights_processed"]
BOOKINGS_ASSETS = [
    "raw_bookings",
    "bookings_catalog",
    "bookings_enriched",
    "fact_booking_status",
    "fact_bookings",
]
SHIPMENTS_ASSETS = [
    "raw_shipments",
    "shipments_parquet",
    "shipments_catalog",
    "shipments_normalized",
    "shipments_normalized_catalog",
    "shipping_totals",
]
AIRPORTS_ASSETS = ["raw_airports", "airports_catalog", "airports_enriched", "dim_airport_codes"]
DAILY_MARTS = [
    "carrier_daily_delays",
    "route_daily_delays",
    "airport_daily_delays",
    "long_delays",
    "bookings_daily",
]
MARTS_ASSETS = [*DAILY_MARTS, "carrier_on_time", "delay_report"]
DAILY_ASSETS = [*FLIGHTS_ASSETS, *BOOKINGS_ASSETS, *SHIPMENTS_ASSETS, *DAILY_MARTS, "delay_report"]
GROUPS = {
    "flights": FLIGHTS_ASSETS,
    "bookings": BOOKINGS_ASSETS,
    "shipments": SHIPMENTS_ASSETS,
    "airports": AIRPORTS_ASSETS,
    "marts": MARTS_ASSETS,
    "warehouse": ["warehouse_catalog"],
}
GROUP_OF = {name: group for group, names in GROUPS.items() for name in names}

ASSETS: dict[str, AssetsDefinition] = {
    key.path[-1]: asset
    for asset in defs.assets or ()
    if isinstance(asset, AssetsDefinition)
    for key in asset.keys
}
SPECS = {name: ASSETS[name].get_asset_spec(AssetKey(name)) for name in ASSETS}

CHECK = "landed_in_time"

LOADING = """
import json, sys
from airline_platform.definitions import defs, resources
defs.resolve_all_job_defs()
versions = {spec.key.path[-1]: spec.code_version for spec in defs.resolve_all_asset_specs()}
print(json.dumps({"versions": versions, "modules": sorted(sys.modules)}))
"""


def test_the_feeds_assets_the_marts_and_the_catalog_are_all_there_is() -> None:
    assert sorted(ASSETS) == sorted(GROUP_OF)


def test_the_lineage_leads_from_file_to_fact_to_mart_and_through_the_dimension() -> None:
    edges = {
        (parent.path[-1], key.path[-1])
        for asset in ASSETS.values()
        for key, parents in asset.asset_deps.items()
        for parent in parents
    }

    assert edges == {
        *pairwise(AIRPORTS_ASSETS),
        ("raw_flights", "flights_catalog"),
        ("flights_catalog", "flights_enriched"),
        ("dim_airport_codes", "flights_enriched"),
        ("flights_enriched", "daily_flights_processed"),
        ("raw_bookings", "bookings_catalog"),
        ("bookings_catalog", "bookings_enriched"),
        ("dim_airport_codes", "bookings_enriched"),
        ("bookings_enriched", "fact_booking_status"),
        ("fact_booking_status", "fact_bookings"),
        *pairwise(SHIPMENTS_ASSETS),
        *(("daily_flights_processed", mart) for mart in DAILY_MARTS if mart != "bookings_daily"),
        ("fact_booking_status", "bookings_daily"),
        ("carrier_daily_delays", "carrier_on_time"),
        *(
            (parent, "delay_report")
            for parent in (FLIGHTS_ASSETS[-1], *DAILY_MARTS)
            if parent != "bookings_daily"
        ),
        *((table.name, "warehouse_catalog") for feed in FEEDS.values() for table in feed.tables),
    }


@pytest.mark.parametrize("name", GROUP_OF)
def test_every_asset_says_what_a_row_is_whence_how_fresh_what_to_mind_and_whose_it_is(name: str) -> None:
    spec = SPECS[name]

    assert list(spec.owners) == ["team:data-platform"]
    answers = [part.partition(" ")[0] for part in (spec.description or "").split("\n\n")[:5]]
    assert answers == ["One", "**From:**", "**Fresh:**", "**Mind:**", "**Owner:**"]
    assert spec.kinds
    assert spec.group_name == GROUP_OF[name]


@pytest.mark.parametrize("name", GROUP_OF)
def test_every_asset_has_columns_and_every_column_a_description(name: str) -> None:
    spec = SPECS[name]
    schema = spec.metadata["dagster/column_schema"]

    assert isinstance(schema, TableSchema)
    assert len(schema.columns) >= 4
    assert [column.name for column in schema.columns if not column.description] == []


def test_two_runs_work_at_once_on_a_feed_that_is_loaded_by_day_and_one_on_anything_else(
    tmp_path: Path,
) -> None:
    """As `airline up` makes Dagster ready; what keeps two runs of a feed apart is in ADR 0023."""
    home = DagsterHome(tmp_path, warehouse_port=5432, code_port=4266)
    home.write()
    with DagsterInstance.local_temp(str(tmp_path)) as instance:
        prepare(instance, tmp_path)
        limits = {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}
    otherwise = home.instance()["concurrency"]["pools"]["default_limit"]
    pools = {name: {op.pool for op in ASSETS[name].node_def.iterate_op_defs()} for name in GROUP_OF}

    # A step without a pool would run as often as it likes.
    assert [name for name, found in pools.items() if not found or None in found] == []
    assert {name: min(limits.get(pool, otherwise) for pool in found) for name, found in pools.items()} == {
        name: 2 if group in ("flights", "bookings") else 1 for name, group in GROUP_OF.items()
    }


@pytest.mark.parametrize("name", DAILY_ASSETS)
def test_every_day_is_a_partition_and_a_backfill_takes_a_run_per_range(name: str) -> None:
    asset = ASSETS[name]

    assert asset.partitions_def is not None
    assert asset.partitions_def.get_first_partition_key() == get_settings().start_date.isoformat()
    assert asset.backfill_policy is not None
    assert asset.backfill_policy.max_partitions_per_run == get_settings().max_partitions_per_run


@pytest.mark.parametrize("name", [*AIRPORTS_ASSETS, "carrier_on_time", "warehouse_catalog"])
def test_airports_the_ranking_and_the_catalog_have_no_partitions(name: str) -> None:
    assert ASSETS[name].partitions_def is None


TABLES = [table for feed in FEEDS.values() for table in feed.tables]


@pytest.mark.parametrize(
    "table", [*TABLES, *(mart.table for mart in MARTS.values())], ids=lambda table: table.name
)
def test_every_warehouse_table_is_an_asset_that_names_its_place_and_columns(table: Any) -> None:
    spec = SPECS[table.name]

    assert spec.metadata["dagster/relation_identifier"] == f"airlines.{table.name}"
    columns = [column.name for column in spec.metadata["dagster/column_schema"].columns]
    assert columns == list(table.column_names)


@pytest.mark.parametrize(
    ("names", "columns"),
    [
        (["raw_shipments"], SHIPMENTS.columns),
        (["shipments_parquet", "shipments_catalog"], SHIPMENTS.job_table.columns),
        (["shipments_normalized", "shipments_normalized_catalog"], SHIPMENTS.table.columns),
    ],
)
def test_the_assets_of_a_feed_that_stays_in_the_lake_have_its_tables_columns(
    names: list[str], columns: tuple[Column, ...]
) -> None:
    for name in names:
        schema = SPECS[name].metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == [column.name for column in columns]


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_no_table_that_analysts_ask_names_people(feed: Feed) -> None:
    people = {column.name for column in feed.columns if column.personal}

    for name in {feed.table.name, feed.last_asset, *(table.name for table in feed.tables)}:
        schema = SPECS[name].metadata["dagster/column_schema"]
        assert people.isdisjoint(column.name for column in schema.columns)


@pytest.mark.parametrize("name", GROUP_OF)
def test_people_hear_of_every_failure(name: str) -> None:
    assert {hook.name for hook in ASSETS[name].hook_defs} == {"tell_failed"}


@pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
def test_a_mart_names_its_source_and_shows_its_query(mart: Mart) -> None:
    description = SPECS[mart.table.name].description or ""

    for said in (mart.table.description, mart.source.qualified_name, mart.caveats, query_of(mart)):
        assert said in description


def test_a_run_is_one_process() -> None:
    assert defs.executor is in_process_executor


def test_the_sensors_run_without_being_switched_on() -> None:
    sensors = {sensor.name: sensor.default_status for sensor in defs.sensors or ()}

    names = ["landing_sensor", "reconciliation_sensor", "alert_sensor", "automation_sensor"]
    assert sensors == dict.fromkeys(names, DefaultSensorStatus.RUNNING)


def test_every_feed_has_a_job_over_its_whole_group() -> None:
    for feed in FEEDS.values():
        job = defs.resolve_job_def(f"{feed.name}_job")
        assert job.tags["airline/feed"] == feed.name
        keys = {key.path[-1] for key in job.asset_layer.executable_asset_keys}
        assert keys == set(GROUPS[feed.name])


def test_a_feeds_runs_do_not_look_for_days_that_are_overdue_and_freshness_does_nothing_else() -> None:
    daily = {f"raw_{name}" for name, feed in FEEDS.items() if feed.daily}
    jobs = {job: defs.resolve_job_def(job) for job in ("freshness_job", *(f"{name}_job" for name in FEEDS))}
    looking = {
        name: {
            key.asset_key.path[-1]
            for key in job.asset_layer.asset_graph.asset_check_keys
            if key.name == CHECK
        }
        for name, job in jobs.items()
    }

    assert {name: assets for name, assets in looking.items() if assets} == {"freshness_job": daily}
    assert not jobs["freshness_job"].asset_layer.executable_asset_keys
    assert {node.name for node in jobs["freshness_job"].nodes} == {CHECK}


def test_a_feed_has_a_schedule_that_rests_where_events_start_runs_and_freshness_has_one() -> None:
    found = {each.name: each for each in defs.schedules or () if isinstance(each, ScheduleDefinition)}

    statuses = {name: each.default_status for name, each in found.items()}
    resting = {f"{name}_schedule": DefaultScheduleStatus.STOPPED for name in FEEDS}
    assert statuses == resting | {"freshness_schedule": DefaultScheduleStatus.RUNNING}
    assert {name: each.job_name for name, each in found.items()} == {
        name: name.replace("_schedule", "_job") for name in found
    }


def environment_of_nobody(home: Path) -> dict[str, str]:
    """What a process needs to run at all, without a setting or a credential of whoever runs the tests."""
    needed = ("PATH", "PYTHONPATH", "LANG", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in needed if name in os.environ}
    return kept | {"HOME": str(home), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def loaded_alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh process finds when it loads the code location without a service or a credential."""
    home = tmp_path_factory.mktemp("nobody")
    answer = subprocess.run(
        [sys.executable, "-c", LOADING],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=environment_of_nobody(home),
    )
    assert answer.returncode == 0, answer.stderr
    assert list(home.iterdir()) == []
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def test_it_loads_from_anywhere_without_a_service_or_credentials(loaded_alone: dict[str, Any]) -> None:
    assert loaded_alone["versions"].keys() == GROUP_OF.keys()


def test_an_unchanged_tree_has_the_same_code_versions_in_another_process(
    loaded_alone: dict[str, Any],
) -> None:
    assert loaded_alone["versions"] == {name: spec.code_version for name, spec in SPECS.items()}


@pytest.mark.parametrize("name", [*MARTS_ASSETS, "warehouse_catalog"])
def test_what_a_query_or_a_declaration_makes_has_a_code_version(name: str) -> None:
    assert SPECS[name].code_version


@pytest.mark.parametrize(
    "heavy", ["pyspark", "pyarrow", "duckdb", "ministack", "pandas", "uvicorn", "matplotlib", "jinja2"]
)
def test_loading_it_imports_nothing_heavy(loaded_alone: dict[str, Any], heavy: str) -> None:
    assert [name for name in loaded_alone["modules"] if name.partition(".")[0] == heavy] == []


@pytest.fixture(scope="module")
def dg(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Dagster's own command line in the repository's root, without telemetry; it may print no warning."""
    home = tmp_path_factory.mktemp("dagster_home")
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")

    def run(*arguments: str) -> str:
        answer = subprocess.run(
            [str(Path(sys.executable).with_name("dg")), *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            # As an activated environment says of itself.
            env=environment_of_nobody(home) | {"DAGSTER_HOME": str(home), "VIRTUAL_ENV": sys.prefix},
        )
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stdout
        return answer.stdout

    return run


def test_dg_takes_the_repository_for_a_project_whose_definitions_load(dg: Callable[..., str]) -> None:
    assert "All TOML configuration files are valid." in dg("check", "toml")
    assert "All definitions loaded successfully." in dg("check", "defs")


def test_dg_lists_every_asset_with_its_group(dg: Callable[..., str]) -> None:
    listed = json.loads(dg("list", "defs", "--json"))

    assert {asset["asset_key"]: asset["group_name"] for asset in listed["assets"]} == GROUP_OF


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_are_this_repositorys_and_no_other_distributions(room: str) -> None:
    assert Path(importlib.import_module(room).__file__ or "").parent == REPOSITORY / room


def test_materialising_without_the_stack_says_to_start_it(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RetryPolicy, "calculate_delay", lambda _policy, _attempt: 0)

    with DagsterInstance.ephemeral() as instance:
        result = materialize(
            assets_of(FEEDS["flights"]),
            partition_key="2013-01-01",
            selection=["raw_flights"],
            instance=instance,
            resources=resources(no_stack),
            raise_on_error=False,
        )

    assert not result.success
    error = result.failure_data_for_node("raw_flights").error
    assert error is not None
    text = error.to_string()
    assert f"no laptop stack runs in {no_stack.home}" in text
    assert "airline up" in text
