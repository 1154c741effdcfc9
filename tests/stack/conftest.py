"""A whole laptop stack of its own for the tests that need one, driven as a person drives it: by `airline`."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import requests
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.contract.feed import Feed
from airline_platform.run_tags import job_name, range_tags
from airline_platform.settings import Settings
from command import follow
from command.dagster_client import DagsterClient
from command.demo.new_york import write_airports, write_flights
from laptop import stack as laptop
from resources.accounts import Account, queue_depth
from resources.inbox import read_alerts
from resources.warehouse.resource import Warehouse

sys.path.insert(0, str(Path(__file__).parent))

from listed_calls import KEEPING_ALL_CALLS, not_listed
from run_processes import run_processes

PATIENCE = 500
"""Seconds after which what is waited for hangs; a machine that does other work as well only takes long."""

AIRLINE = [str(Path(sys.executable).with_name("airline"))]


PLACES = {"chaos": 0, "test_refused_first.py": 0, "test_marts.py": 1, "browser": 2, "test_audit.py": 4}
"""First who wants a stack without a history, or one of its own; last who kills and restarts it."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first and last what has to be, and leave the rest in its order."""
    items.sort(key=lambda item: next((PLACES[part] for part in item.path.parts if part in PLACES), 3))


@dataclass(frozen=True)
class Laptop:
    """A running stack and the means to use it."""

    home: Path

    @property
    def settings(self) -> Settings:
        """As the stack's state file says now."""
        return Settings.load(home=self.home)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The `airline` command, on its way."""
        return subprocess.Popen(
            [*AIRLINE, *arguments],
            env=os.environ | {"AIRLINE_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The `airline` command, as a process."""
        done = subprocess.run(
            [*AIRLINE, *map(str, arguments)],
            env=os.environ | {"AIRLINE_HOME": str(self.home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done

    def json(self, *arguments: str | Path) -> Any:
        """What the command prints with `--json`."""
        return json.loads(self.run(*arguments, "--json").stdout)

    def query(self, sql: str) -> list[dict[str, Any]]:
        return Warehouse.of(self.settings).query(sql)

    def land(self, *arguments: str | Path) -> None:
        self.run("land", *arguments)

    def wait(self) -> list[Account]:
        """As the command does it, without its start."""
        accounts = follow.wait(self.settings, DagsterClient.of(self.settings), PATIENCE)
        assert [each.key for each in accounts if each.state == "waiting"] == []
        return accounts

    @staticmethod
    def until(found: Callable[[], Any], seconds: float = PATIENCE) -> Any:
        """What is found, as soon as there is something."""
        return Retrying(
            retry=retry_if_result(lambda it: not it), stop=stop_after_delay(seconds), wait=wait_fixed(0.3)
        )(found)

    @contextmanager
    def nobody_listening(self) -> Iterator[None]:
        """The landing sensor stopped; events wait in the queue, and what lands meanwhile comes at once."""
        client = DagsterClient.of(self.settings)
        client.set_sensor("landing_sensor", running=False)
        try:
            yield
        finally:
            client.set_sensor("landing_sensor", running=True)

    def wait_until_idle(self) -> None:
        """Until the sensors used every event and no run is under way: also of keys nobody waits for."""
        client = DagsterClient.of(self.settings)
        Retrying(retry=retry_if_result(bool), wait=wait_fixed(0.5), stop=stop_after_delay(PATIENCE))(
            lambda: queue_depth(self.settings, self.settings.landing_queue) + client.unfinished_runs()
        )

    def ask_dagster(self, query: str, **variables: Any) -> dict[str, Any]:
        """What Dagster's API answers: the value of the query's only field."""
        url = self.settings.running_stack()["ui_url"]
        asked = {"query": query, "variables": variables}
        answer = requests.post(f"{url}/graphql", json=asked, timeout=60).json()
        assert "errors" not in answer, answer
        (found,) = answer["data"].values()
        assert found["__typename"] != "PythonError", found
        return dict(found)

    def launch(self, feed: Feed, first: str, last: str, assets: Sequence[str] = ()) -> None:
        """What the UI sends when somebody materializes a range of days: a run at once, not by the daemon.

        Args:
            feed: Whose days.
            first: ISO day.
            last: ISO day, inclusive.
            assets: Only these; everything of the feed where none is named.
        """
        job = "__ASSET_JOB" if assets else job_name(feed.name)
        DagsterClient.of(self.settings).launch(job, range_tags(first, last), assets)

    def alerts(self, event: str) -> list[dict[str, Any]]:
        """As the command reads them, without its start."""
        return [alert for alert in read_alerts(self.settings) if alert["event"] == event]

    def runs(self) -> list[psutil.Process]:
        """The processes that execute Dagster runs."""
        return run_processes(self.home)

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.settings.endpoint_url,
            region_name=self.settings.region,
            # Not the platform's: what the tests call, the platform need not be allowed to.
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )

    def put(self, key: str, text: str) -> None:
        """Put an object into the landing bucket without asking what it is."""
        self.client("s3").put_object(Bucket=self.settings.landing_bucket, Key=key, Body=text.encode())


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def started(home: Path) -> Iterator[Laptop]:
    """A stack that is stopped in the end, with all its processes, and has called what is listed alone."""
    up = Laptop(home)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(*KEEPING_ALL_CALLS)
        up.run("up", "--detach", "--port", "0")
        pids = [component.pid for component in laptop.components(up.settings)]
        try:
            # The marts' runs would only take the others' time; `automation` lets them come.
            DagsterClient.of(up.settings).set_sensor("automation_sensor", running=False)
            yield up
        finally:
            up.run("down")
    assert [pid for pid in pids if _lives(pid)] == []
    assert not_listed(home) == [], "add them to command/deploy/permissions/ours.py, and to the policies"


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with started(tmp_path_factory.mktemp("laptop")) as up:
        yield up


@pytest.fixture(scope="module")
def fresh_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    """A stack nothing has ever landed on."""
    with started(tmp_path_factory.mktemp("fresh")) as up:
        yield up


@pytest.fixture(scope="module")
def automation(stack: Laptop) -> Iterator[None]:
    """Marts made by themselves, as where nobody stopped their sensor."""
    client = DagsterClient.of(stack.settings)
    client.set_sensor("automation_sensor", running=True)
    yield
    client.set_sensor("automation_sensor", running=False)


@pytest.fixture(scope="session")
def airports(stack: Laptop, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The airport dimension, loaded once."""
    folder = tmp_path_factory.mktemp("airports")
    write_airports(folder)
    stack.land(folder)
    stack.wait()


@pytest.fixture
def flights(tmp_path: Path) -> Callable[..., tuple[Path, int]]:
    """Writes a day of real flights; tells the file's folder and how many flights it has."""

    def write(day: date, **layout: Any) -> tuple[Path, int]:
        folder = tmp_path / f"{day}"
        return folder, write_flights(folder, [day], **layout)[day]

    return write
