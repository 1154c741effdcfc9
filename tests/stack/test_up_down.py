"""The laptop stack's life: real PostgreSQL and Dagster, mostly with a stand-in gateway and deployment."""

import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import requests
from botocore.exceptions import BotoCoreError, ClientError
from run_processes import run_processes

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings
from laptop import processes, stack
from laptop.dagster.run_server import address
from laptop.processes import ProcessId
from laptop.stack import StackInfo, log_file

STAND_IN = '''
import sys
from laptop.stack import Plan


class StandIn(Plan):
    """Real PostgreSQL and Dagster; a gateway that is only healthy, a deployment that only counts."""

    definitions = "stand_in_definitions"

    def gateway_command(self):
        return [sys.executable, "-m", "stand_in_gateway", str(self.ports.gateway)]

    def deploy_command(self):
        count = "import sys; open(sys.argv[1], 'a').write('deployed\\\\n')"
        return [sys.executable, "-c", count, str(self.settings.home / "deployments")]


class BrokenCode(StandIn):
    definitions = "stand_in_broken"


class BrokenGateway(StandIn):
    def gateway_command(self):
        return [sys.executable, "-c", "raise SystemExit('no bucket for this gateway')"]
'''
GATEWAY = """
import http.server, subprocess, sys

class Healthy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/_airline/health" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass

worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Healthy).serve_forever()
"""
DEFINITIONS = """
import time
import dagster as dg

@dg.asset
def flights(context: dg.AssetExecutionContext) -> None:
    if "dagster/retry_number" not in context.run.tags:
        time.sleep(600)

defs = dg.Definitions(assets=[flights], executor=dg.in_process_executor)
"""
BROKEN = "import no_such_airline"
COMPONENTS = {"supervisor", "postgres", "gateway", "code-server", "webserver", "daemon", "run-server"}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the stand-ins' modules, importable here and by the stack's processes."""
    folder = tmp_path_factory.mktemp("code")
    for name, text in (
        ("", STAND_IN),
        ("_gateway", GATEWAY),
        ("_definitions", DEFINITIONS),
        ("_broken", BROKEN),
    ):
        (folder / f"stand_in{name}.py").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)
        yield folder
        sys.modules.pop("stand_in", None)


@pytest.fixture(scope="module")
def stand_in(code: Path) -> Any:  # noqa: ARG001 - it lies there
    """The module with the stand-in compositions."""
    return importlib.import_module("stand_in")


@pytest.fixture
def definitions(code: Path) -> Iterator[Path]:
    """The source of the stand-in's assets, which a test may change."""
    source = code / "stand_in_definitions.py"
    yield source
    source.write_text(DEFINITIONS)


def settings_in(home: Path) -> Iterator[Settings]:
    """A home whose stack is down in the end, with all its processes."""
    found = Settings(home=home, ui_port=0)
    yield found
    stack.down(found)
    processes.kill(processes.owned_by(found.home))


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    yield from settings_in(tmp_path / "home")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The home of the tests that want a running stack and leave it running: a start costs ten seconds."""
    yield from settings_in(tmp_path_factory.mktemp("shared") / "home")


@pytest.fixture
def info(shared: Settings, stand_in: Any) -> StackInfo:
    """The shared stack, up again where the test before left it down."""
    return up(shared, stand_in.StandIn)


def up(settings: Settings, plan: type[stack.Plan], told: list[str] | None = None) -> StackInfo:
    lines = told if told is not None else []
    return stack.up(settings, detach=True, on_progress=lines.append, plan=plan)


def until(condition: Callable[[], Any], seconds: float = 300) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def everyone(settings: Settings) -> list[psutil.Process]:
    """Every process of a running stack: the recorded ones and all they started."""
    roots = [psutil.Process(component.pid) for component in stack.components(settings)]
    return processes.family(roots)


def states(settings: Settings) -> dict[str, str]:
    return {component.name: component.state for component in stack.components(settings)}


def graphql(info: StackInfo, query: str, **variables: Any) -> dict[str, Any]:
    answer = requests.post(
        f"{info.ui_url}/graphql", json={"query": query, "variables": variables}, timeout=20
    ).json()
    assert "errors" not in answer, answer
    return answer["data"]


def attempts(info: StackInfo, run_id: str) -> tuple[str, list[str]]:
    """Status of a run, and of the runs that retry it."""
    query = "{ runsOrError { ... on Runs { results { runId status parentRunId } } } }"
    found = graphql(info, query)["runsOrError"]["results"]
    (status,) = (run["status"] for run in found if run["runId"] == run_id)
    return status, [run["status"] for run in found if run["parentRunId"] == run_id]


def launch(info: StackInfo) -> str:
    mutation = """
    mutation ($params: ExecutionParams!) {
      launchRun(executionParams: $params) {
        __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
      }
    }"""
    selector = {
        "repositoryLocationName": "airline_platform",
        "repositoryName": "__repository__",
        "jobName": "__ASSET_JOB",
        "assetSelection": [{"path": ["flights"]}],
    }
    launched = graphql(info, mutation, params={"selector": selector, "runConfigData": {}})["launchRun"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    return launched["run"]["runId"]


# --- one stack for all that leave it running


CANCEL = """mutation($id: String!) { terminateRun(runId: $id) { __typename } }"""


def test_a_run_that_is_cancelled_ends_with_its_process(shared: Settings, info: StackInfo) -> None:
    run_id = launch(info)
    until(lambda: attempts(info, run_id) == ("STARTED", []))
    (process,) = until(lambda: run_processes(shared.home))
    graphql(info, CANCEL, id=run_id)
    until(lambda: not processes.lives(process))
    assert attempts(info, run_id) == ("CANCELED", [])


def test_a_reload_in_the_ui_loads_changed_code(info: StackInfo, definitions: Path) -> None:
    definitions.write_text(DEFINITIONS.replace("flights", "shipments"))
    reload_location = """
    mutation {
      reloadRepositoryLocation(repositoryLocationName: "airline_platform") {
        ... on WorkspaceLocationEntry { loadStatus }
      }
    }"""
    assert graphql(info, reload_location)["reloadRepositoryLocation"]["loadStatus"] == "LOADED"
    assets = graphql(info, "{ assetNodes { assetKey { path } } }")["assetNodes"]
    assert [node["assetKey"]["path"] for node in assets] == [["shipments"]]


@pytest.mark.usefixtures("info")
def test_down_ends_what_a_killed_supervisor_left(shared: Settings) -> None:
    alive = everyone(shared)
    psutil.Process(shared.running_stack()["supervisor"]["pid"]).kill()
    assert stack.down(shared) is True
    assert [process for process in alive if processes.lives(process)] == []
    assert not shared.stack_file.exists()


# --- stacks of their own


def ready_run_server(settings: Settings) -> psutil.Process | None:
    """The process runs are forked from, once it listens."""
    record = settings.running_stack()["components"]["run-server"]
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(address(settings.home / "dagster"))
        except OSError:
            return None
    return ProcessId.from_record(record).process()


def test_a_run_outlives_the_process_it_was_forked_from_and_is_still_watched(
    settings: Settings, stand_in: Any
) -> None:
    info = up(settings, stand_in.StandIn)
    server = until(lambda: ready_run_server(settings))
    run_id = launch(info)
    until(lambda: attempts(info, run_id) == ("STARTED", []))
    (process,) = run_processes(settings.home)
    assert process.ppid() == server.pid
    server.kill()
    until(lambda: ready_run_server(settings))
    assert processes.lives(process)
    process.kill()
    until(lambda: attempts(info, run_id) == ("FAILURE", ["SUCCESS"]))


def test_a_component_that_dies_is_started_again_and_so_is_what_it_held(
    settings: Settings, stand_in: Any
) -> None:
    info = up(settings, stand_in.StandIn)
    gateway = settings.running_stack()["components"]["gateway"]
    worker = psutil.Process(gateway["pid"]).children()[0]
    deployments = settings.home / "deployments"
    psutil.Process(gateway["pid"]).kill()

    until(lambda: deployments.read_text().count("deployed") == 2)
    until(lambda: settings.running_stack()["components"]["gateway"]["pid"] != gateway["pid"])
    assert requests.get(info.endpoint_url + "/_airline/health", timeout=5).ok
    assert not processes.lives(worker)

    postgres = settings.running_stack()["components"]["postgres"]
    psutil.Process(postgres["pid"]).kill()
    until(lambda: settings.running_stack()["components"]["postgres"]["pid"] != postgres["pid"])
    until(lambda: graphql(info, "{ instance { id } }"))
    until(lambda: set(states(settings).values()) == {"running"})


def test_a_run_executes_what_is_on_disk(settings: Settings, stand_in: Any, definitions: Path) -> None:
    info = up(settings, stand_in.StandIn)
    first = until(lambda: ready_run_server(settings))
    definitions.write_text(DEFINITIONS.replace("time.sleep(600)", "pass"))
    run_id = launch(info)
    until(lambda: attempts(info, run_id) == ("SUCCESS", []))
    until(lambda: "has changed" in log_file(settings.home, "run-server").read_text())
    assert until(lambda: ready_run_server(settings)) == first


def test_up_answers_a_second_up_is_told_so_and_down_leaves_nothing(settings: Settings, stand_in: Any) -> None:
    told: list[str] = []
    info = up(settings, stand_in.StandIn, told)
    assert graphql(info, "{ version }")["version"]
    assert requests.get(info.endpoint_url + "/_airline/health", timeout=5).ok
    assert states(settings) == dict.fromkeys(COMPONENTS, "running")
    assert stack.is_up(settings)
    assert Settings.load(home=settings.home).endpoint_url == info.endpoint_url

    before = settings.stack_file.read_text()
    again = up(settings, stand_in.StandIn, told)
    assert (again.already_up, again.ui_url) == (True, info.ui_url)
    assert told[-1] == f"already up: {info.ui_url}"
    assert settings.stack_file.read_text() == before

    alive = everyone(settings)
    assert len(alive) >= len(COMPONENTS)
    begun = time.monotonic()
    assert stack.down(settings) is True
    assert time.monotonic() - begun < 10
    assert [process for process in alive if processes.lives(process)] == []
    assert processes.owned_by(settings.home) == []
    assert not stack.is_up(settings)
    assert Settings.load(home=settings.home).endpoint_url is None
    assert stack.down(settings) is False

    assert up(settings, stand_in.StandIn).ports == info.ports


def test_two_stacks_come_up_at_once_and_end_apart(tmp_path: Path, settings: Settings, stand_in: Any) -> None:
    other = Settings(home=tmp_path / "other", ui_port=0)
    try:
        with ThreadPoolExecutor() as pool:
            first, second = pool.map(lambda one: up(one, stand_in.StandIn), (settings, other))
        assert set(first.ports.values()).isdisjoint(second.ports.values())
        stack.down(settings)
        assert graphql(second, "{ version }")["version"]
        assert states(other) == dict.fromkeys(COMPONENTS, "running")
    finally:
        stack.down(other)


def test_after_a_kill_of_everything_up_works_and_the_run_is_retried(
    settings: Settings, stand_in: Any
) -> None:
    info = up(settings, stand_in.StandIn)
    run_id = launch(info)
    until(lambda: attempts(info, run_id) == ("STARTED", []))
    workers = run_processes(settings.home)
    assert workers
    stack_alone = [ProcessId.from_record(settings.running_stack()["supervisor"])] + [
        ProcessId.from_record(entry) for entry in settings.running_stack()["components"].values()
    ]
    for process in filter(None, (identity.process() for identity in stack_alone)):
        process.kill()
    assert all(map(processes.lives, workers))
    until(lambda: not stack.is_up(settings))

    info = up(settings, stand_in.StandIn)
    assert not any(map(processes.lives, workers))
    assert attempts(info, run_id)[0] == "FAILURE"
    until(lambda: attempts(info, run_id) == ("FAILURE", ["SUCCESS"]))


@pytest.mark.parametrize(
    ("plan", "reason", "log"),
    [
        ("BrokenCode", "No module named 'no_such_airline'", None),
        ("BrokenGateway", "no bucket for this gateway", "gateway.log"),
    ],
)
def test_an_up_that_fails_says_why_and_leaves_nothing(
    settings: Settings, stand_in: Any, plan: str, reason: str, log: str | None
) -> None:
    with pytest.raises(StackUnavailable, match=reason) as caught:
        up(settings, getattr(stand_in, plan))
    assert log is None or log in str(caught.value)
    assert reason in (stack.last_failure(settings) or "")
    assert processes.owned_by(settings.home) == []
    assert not stack.is_up(settings)
    assert Settings.load(home=settings.home).endpoint_url is None


FOREGROUND = """
    import signal, sys
    from pathlib import Path
    from laptop import stack
    from airline_platform.settings import Settings
    from stand_in import StandIn

    ready = lambda info: print("answers", info.ui_url, flush=True)
    settings = Settings(home=Path(sys.argv[1]), ui_port=0)
    stack.up(settings, detach=False, on_progress=lambda line: None, on_ready=ready, plan=StandIn)
    print("down", flush=True)
"""


@pytest.mark.usefixtures("stand_in")
def test_in_the_foreground_it_ends_on_ctrl_c_even_where_a_shell_ignores_that(settings: Settings) -> None:
    program = textwrap.dedent(FOREGROUND)
    shell = f"trap '' INT; exec {sys.executable} -c \"$0\" {settings.home}"
    with subprocess.Popen(["/bin/sh", "-c", shell, program], stdout=subprocess.PIPE, text=True) as supervisor:
        assert supervisor.stdout is not None
        assert supervisor.stdout.readline().startswith("answers http://127.0.0.1:")
        alive = everyone(settings)
        begun = time.monotonic()
        os.kill(supervisor.pid, signal.SIGINT)
        assert supervisor.stdout.readline() == "down\n"
        assert time.monotonic() - begun < 10
        supervisor.wait(5)
    assert [process for process in alive if processes.lives(process)] == []
    assert not settings.stack_file.exists()


def test_an_up_during_an_up_waits_for_it(settings: Settings, stand_in: Any) -> None:
    settings.home.mkdir()
    command = [sys.executable, "-m", "laptop.stack", "supervise"]
    reading, writing = os.pipe()
    with subprocess.Popen(
        [*command, "--report-to", str(writing), "--plan", "stand_in:StandIn"],
        env=os.environ | {"AIRLINE_HOME": str(settings.home), "AIRLINE_UI_PORT": "0"},
        pass_fds=[writing],
        stdout=subprocess.DEVNULL,
    ) as supervisor:
        os.close(writing)
        until(settings.stack_file.exists)
        info = up(settings, stand_in.StandIn)
        assert info.already_up
        assert settings.running_stack()["supervisor"]["pid"] == supervisor.pid
        with os.fdopen(reading) as reports:
            assert json.loads(reports.readlines()[-1]) == {"ready": True}
        stack.down(settings)
        assert supervisor.wait(20) == 0


def has_landing_queue(info: StackInfo, settings: Settings) -> bool:
    sqs = boto3.client(
        "sqs", endpoint_url=info.endpoint_url, region_name=settings.region, **settings.credentials()
    )
    try:
        return bool(sqs.get_queue_url(QueueName=settings.landing_queue)["QueueUrl"])
    except (BotoCoreError, ClientError):
        return False


def test_the_platform_s_own_gateway_holds_its_resources_again_after_it_died(settings: Settings) -> None:
    info = stack.up(settings, detach=True, on_progress=lambda _line: None)
    assert has_landing_queue(info, settings)
    gateway = settings.running_stack()["components"]["gateway"]["pid"]
    psutil.Process(gateway).kill()
    until(lambda: settings.running_stack()["components"]["gateway"]["pid"] != gateway)
    until(lambda: has_landing_queue(info, settings))
    assert stack.down(settings)
    assert processes.owned_by(settings.home) == []
