"""What a laptop stack consists of.

Order: PostgreSQL and the gateway at once; the deployment as soon as both answer; Dagster's storage as soon as
the first does, then the code server; webserver and daemon when that listens: one that finds no code server
looks again only after 10 seconds.
"""

import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import requests

from airline_platform.settings import Settings
from laptop import processes
from laptop.dagster import dagster_home, readiness
from laptop.dagster.dagster_home import DagsterHome
from laptop.ports import HEALTH_PATH, HOST, Ports
from laptop.postgres import DAGSTER, PostgresServer
from laptop.processes import COMPONENT_VARIABLE, OWNER_VARIABLE, Child
from laptop.supervisor import Component, Job, Node

GATEWAY_MODULE = "laptop.gateway"
STACK_MODULE = "laptop.stack"


@dataclass(frozen=True)
class Plan:
    """The components of one life of a stack."""

    settings: Settings
    ports: Ports
    definitions: ClassVar[str] = dagster_home.DEFINITIONS_MODULE
    """Import path of the module with the Dagster definitions."""

    @property
    def endpoint_url(self) -> str:
        """The AWS endpoint of this life."""
        return f"http://{HOST}:{self.ports.gateway}"

    @property
    def ui_url(self) -> str:
        """The Dagster UI of this life."""
        return f"http://{HOST}:{self.ports.ui}"

    @cached_property
    def server(self) -> PostgresServer:
        """Warehouse and Dagster's storage."""
        return PostgresServer(self.settings.home, self.ports.warehouse)

    @cached_property
    def dagster(self) -> DagsterHome:
        """The Dagster instance."""
        home = self.settings.home
        return DagsterHome(home, self.ports.warehouse, self.ports.code_server, self.definitions)

    def environment(self, component: str) -> dict[str, str]:
        """The whole environment of a component."""
        settings = self.settings.model_copy(update={"endpoint_url": self.endpoint_url})
        password = self.server.password(DAGSTER)
        marks = {OWNER_VARIABLE: str(self.settings.home), COMPONENT_VARIABLE: component}
        dagster = dagster_home.environment(self.settings.home, password)
        return settings.environment() | dagster | marks | {"PYTHONUNBUFFERED": "1"}

    def gateway_command(self) -> list[str]:
        """The AWS endpoint; it answers at `HEALTH_PATH` once it can be used."""
        state = str(self.settings.home / "gateway")
        return [sys.executable, "-m", GATEWAY_MODULE, "--port", str(self.ports.gateway), "--state", state]

    def deploy_command(self) -> list[str]:
        """What brings the gateway and the warehouse to what `infra/` says."""
        return [sys.executable, "-m", STACK_MODULE, "deploy"]

    def nodes(self) -> list[Node]:
        """All of it, each after what it needs."""
        return [*self._foundation(), self._storage(), *self._dagster(), *self._run_server()]

    def _foundation(self) -> list[Node]:
        return [
            Component(
                name="postgres",
                start=lambda: self.server.start(self._log("postgres"), self.environment("postgres")),
                missing=lambda _began: None if self.server.ready() else "it accepts no connection",
                log=self._log("postgres"),
                prepare=self.server.prepare,
                stop=self.server.stop,
                timeout=60,
                ends_last=True,
            ),
            self._component(
                "gateway",
                self.gateway_command(),
                lambda _began: _missing_health(self.endpoint_url),
                prepare=partial(_end_leftovers, self.settings.home, "gateway"),
                stop=partial(processes.stop, grace=5.0),
                timeout=60,
                # Queues, topics, rules and the catalog live in its memory.
                again_after_restart=("deploy",),
                ends_last=True,
            ),
            Job(
                name="deploy",
                start=partial(self._start, "deploy", self.deploy_command()),
                log=self._log("deploy"),
                after=("postgres", "gateway"),
            ),
        ]

    def _dagster(self) -> list[Node]:
        port = self.ports.ui
        return [
            self._component(
                "code-server",
                self.dagster.code_server_command(),
                lambda _began: _missing_listener(self.ports.code_server),
                # Whoever opens an empty storage creates its tables; two at once fail over each other.
                after=("storage",),
            ),
            self._component(
                "webserver",
                self.dagster.webserver_command(port),
                lambda _began: readiness.missing_code(port),
                after=("storage", "code-server"),
            ),
            self._component(
                "daemon",
                self.dagster.daemon_command(),
                partial(readiness.missing_heartbeat, port),
                after=("storage", "code-server", "deploy"),
            ),
        ]

    def _run_server(self) -> list[Component]:
        # Until it listens, Dagster starts runs by itself: nobody has to wait for it.
        command, after = self.dagster.run_server_command(), ("code-server",)
        server = self._component("run-server", command, lambda _began: None, after=after)
        return [server] if dagster_home.FORKS_RUNS else []

    def _storage(self) -> Job:
        command = [sys.executable, "-m", dagster_home.__name__, str(self.settings.home)]

        def start_if_due() -> Child | None:
            due = dagster_home.needs_preparation(self.settings.home, self.server.dagster_connection())
            return self._start("storage", command) if due else None

        return Job(name="storage", start=start_if_due, log=self._log("storage"), after=("postgres",))

    def _component(
        self, name: str, command: Sequence[str], missing: Callable[[float], str | None], **more: Any
    ) -> Component:
        start = partial(self._start, name, command)
        return Component(name=name, start=start, missing=missing, log=self._log(name), **more)

    def _log(self, name: str) -> Path:
        return log_file(self.settings.home, name)

    def _start(self, name: str, command: Sequence[str]) -> Child:
        """Start one of the Python processes, in a folder of its own that hides no package."""
        cwd = self.settings.home / "run"
        cwd.mkdir(parents=True, exist_ok=True)
        return processes.start(command, log=self._log(name), environment=self.environment(name), cwd=cwd)


def log_file(home: Path, name: str) -> Path:
    """The log of a component, of a job or of the supervisor."""
    return home / "logs" / f"{name}.log"


def _end_leftovers(home: Path, component: str) -> None:
    """End what a dead component left behind, such as a gateway's Spark workers."""
    processes.kill(processes.owned_by(home, component))


def _missing_health(endpoint_url: str) -> str | None:
    """What a gateway lacks."""
    try:
        answer = requests.get(endpoint_url + HEALTH_PATH, timeout=5)
    except requests.RequestException:
        return "it does not answer"
    return None if answer.ok else f"its health is {answer.status_code}: {answer.text[:200]}"


def _missing_listener(port: int) -> str | None:
    """What a server of which no more is known lacks."""
    try:
        with closing(socket.create_connection((HOST, port), timeout=1)):
            return None
    except OSError:
        return f"nothing listens on port {port}"
