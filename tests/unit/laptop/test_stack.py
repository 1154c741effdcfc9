"""What the stack remembers and decides without starting anything."""

import json
import os
from pathlib import Path

import pytest

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings
from laptop import processes, stack
from laptop.plan import Plan
from laptop.ports import Ports
from laptop.processes import ProcessId
from laptop.supervisor import Component


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home", ui_port=0)


@pytest.fixture
def plan(settings: Settings) -> Plan:
    return Plan(settings, Ports(gateway=1, warehouse=2, code_server=3, ui=4))


def ignore(_line: str) -> None:
    pass


def test_postgres_and_the_gateway_outlive_what_uses_them(plan: Plan) -> None:
    last = {node.name for node in plan.nodes() if isinstance(node, Component) and node.ends_last}
    assert last == {"postgres", "gateway"}


def test_processes_of_the_stack_know_where_everything_is_and_no_command_line_tells(plan: Plan) -> None:
    environment = plan.environment("daemon")
    password = plan.server.password("dagster")
    assert environment["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environment["DAGSTER_HOME"] == str(plan.settings.home / "dagster")
    assert environment["AIRLINE_DAGSTER_PASSWORD"] == password
    assert environment[processes.OWNER_VARIABLE] == str(plan.settings.home)
    commands = [
        *plan.gateway_command(),
        *plan.deploy_command(),
        *plan.dagster.code_server_command(),
        *plan.dagster.webserver_command(4),
        *plan.dagster.daemon_command(),
        *plan.server.command(),
    ]
    assert password not in " ".join(commands)


def test_a_detached_supervisor_gets_every_setting_and_belongs_to_no_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(processes.OWNER_VARIABLE, "another stack")
    settings = Settings(home=tmp_path, ui_port=4000, gateway_port=4001, warehouse_port=4002, name="other")
    environment = stack.supervisor_environment(settings)
    assert processes.OWNER_VARIABLE not in environment
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Settings() == settings


def test_a_home_without_a_stack_is_down(settings: Settings) -> None:
    assert not stack.is_up(settings)
    assert stack.components(settings) == []
    assert stack.down(settings) is False
    assert stack.recover(settings) == []
    assert not settings.home.exists()


def test_a_record_whose_processes_are_gone_shows_them_dead(settings: Settings) -> None:
    gone = ProcessId(os.getpid(), 1.0).record()
    record = {
        "state": "ready",
        "supervisor": gone,
        "components": {"gateway": {**gone, "port": 7, "log": "/tmp/gateway.log"}},
    }
    settings.home.mkdir()
    settings.stack_file.write_text(json.dumps(record))
    assert not stack.is_up(settings)
    found = [(one.name, one.state, one.address) for one in stack.components(settings)]
    assert found == [("supervisor", "dead", None), ("gateway", "dead", "127.0.0.1:7")]


def test_up_refuses_to_run_a_laptop_s_stack_for_an_account(tmp_path: Path) -> None:
    with pytest.raises(StackUnavailable, match="the stage is 'aws'"):
        stack.up(
            Settings(home=tmp_path, stage="aws", AWS_REGION="eu-central-1"), detach=True, on_progress=ignore
        )
