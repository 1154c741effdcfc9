"""The files Dagster reads, and the command lines of its processes."""

from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.utils import _get_event_batch_size

from laptop.dagster import dagster_home
from laptop.dagster.dagster_home import DagsterHome


@pytest.fixture
def home(tmp_path: Path) -> DagsterHome:
    found = DagsterHome(tmp_path, warehouse_port=5432, code_port=4266)
    found.write()
    return found


def test_dagster_accepts_its_file(home: DagsterHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(dagster_home.PASSWORD_VARIABLE, "secret")
    config, _ = dagster_instance_config(str(home.folder))
    assert config["concurrency"] == {
        "runs": {"max_concurrent_runs": 4},
        "pools": {"granularity": "run", "default_limit": 1},
    }
    assert config["run_retries"]["retry_on_asset_or_op_failure"] is False
    assert config["telemetry"] == {"enabled": False}


def test_a_pool_that_somebody_has_set_stays_as_it_is(home: DagsterHome) -> None:
    with DagsterInstance.local_temp(str(home.home)) as instance:
        instance.event_log_storage.set_concurrency_slots("bookings", 5)
        dagster_home.prepare(instance, home.home)
        limits = instance.event_log_storage.get_pool_limits()
    assert {pool.name: pool.limit for pool in limits} == {"bookings": 5, "flights": 2}


def test_the_storage_s_password_is_in_no_file(home: DagsterHome) -> None:
    database = yaml.safe_load((home.folder / "dagster.yaml").read_text())["storage"]["postgres"][
        "postgres_db"
    ]
    assert database["password"] == {"env": "AIRLINE_DAGSTER_PASSWORD"}
    assert database["scheme"] == "postgresql+psycopg2"


def test_a_step_s_materializations_are_written_together(
    home: DagsterHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in dagster_home.environment(home.home, "secret").items():
        monkeypatch.setenv(name, value)
    assert _get_event_batch_size() == dagster_home.EVENT_BATCH


def test_webserver_and_daemon_share_the_one_code_server(home: DagsterHome) -> None:
    assert yaml.safe_load(home.workspace.read_text()) == {
        "load_from": [
            {"grpc_server": {"host": "127.0.0.1", "port": 4266, "location_name": "airline_platform"}}
        ]
    }
    assert home.code_server_command()[-1] != str(home.workspace)
    assert str(home.workspace) in home.webserver_command(3000)
    assert str(home.workspace) in home.daemon_command()
