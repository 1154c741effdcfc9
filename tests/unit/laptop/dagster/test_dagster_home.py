"""The files Dagster reads, and what its answers mean."""

from pathlib import Path

import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.instance.config import dagster_instance_config
from dagster._core.instance.utils import _get_event_batch_size

from airline_platform.errors import StackUnavailable
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


def error(name: str) -> dict:
    return {
        "__typename": "PythonError",
        "className": name,
        "message": "it broke\n",
        "stack": ["  outer\n"],
        "cause": {"message": "no module x", "stack": ["  assets/flights.py\n"]},
    }


def entry(node: dict | None) -> dict:
    return {"locationEntries": [{"locationOrLoadError": node}]}


@pytest.mark.parametrize(
    "workspace",
    [
        entry(None),
        entry(error("DagsterUserCodeUnreachableError")),
        entry({"repositories": []}),
        {"locationEntries": []},
    ],
)
def test_a_location_that_is_not_there_yet_is_waited_for(workspace: dict) -> None:
    assert dagster_home._missing_code(workspace) == "the code location is still loading"


def test_a_loaded_repository_lacks_nothing() -> None:
    assert dagster_home._missing_code(entry({"repositories": [{"name": "__repository__"}]})) is None


@pytest.mark.parametrize("workspace", [entry(error("DagsterImportError")), error("DagsterImportError")])
def test_an_error_of_the_definitions_is_told_with_where_it_happened(workspace: dict) -> None:
    with pytest.raises(StackUnavailable) as caught:
        dagster_home._missing_code(workspace)
    assert "it broke" in str(caught.value)
    assert "assets/flights.py" in str(caught.value)


def test_only_required_daemons_that_were_not_seen_since_are_missing() -> None:
    statuses = [
        {"daemonType": "SENSOR", "required": True, "lastHeartbeatTime": 100.0},
        {"daemonType": "BACKFILL", "required": True, "lastHeartbeatTime": 50.0},
        {"daemonType": "MONITORING", "required": True, "lastHeartbeatTime": None},
        {"daemonType": "UNUSED", "required": False, "lastHeartbeatTime": None},
    ]
    instance = {"daemonHealth": {"allDaemonStatuses": statuses}}
    assert dagster_home._missing_heartbeat(instance, 60.0) == "no heartbeat yet of BACKFILL, MONITORING"
    assert dagster_home._missing_heartbeat(instance, 0.0) == "no heartbeat yet of MONITORING"


def test_a_webserver_that_does_not_answer_is_waited_for() -> None:
    assert dagster_home.missing_code(1) == "the webserver does not answer"
    assert dagster_home.missing_heartbeat(1, 0.0) == "the webserver does not answer"
