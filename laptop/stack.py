"""The laptop stack: what it consists of, and how it comes up, stays up and goes down.

A supervisor owns every process: `airline up` itself in the foreground, this module run as a program behind
`--detach`. It holds a lock on `home/stack.lock` for life, writes `home/stack.json`, and restarts what dies.
Order: PostgreSQL and the gateway at once; the deployment as soon as both answer; Dagster's storage as soon as
the first does, then the code server; webserver and daemon when that listens: one that finds no code server
looks again only after 10 seconds.
"""

import argparse
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, partial
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import IO, Any, ClassVar, Literal, Self

import requests

from airline_platform.errors import AirlineError, StackUnavailable
from airline_platform.settings import Settings
from laptop import processes
from laptop.dagster import dagster_home
from laptop.dagster.dagster_home import DagsterHome
from laptop.kept_secrets import kept_secret
from laptop.postgres import DAGSTER, PostgresServer
from laptop.processes import (
    COMPONENT_VARIABLE,
    OWNER_VARIABLE,
    Child,
    Component,
    Job,
    ProcessId,
    StopRequestedError,
    Supervisor,
)

GATEWAY_MODULE = "laptop.gateway"
THIS_MODULE = "laptop.stack"  # `__name__` is `__main__` when it runs as a program
HEALTH_PATH = "/_airline/health"

_START_TIMEOUT_SECONDS = 240.0
_STOP_TIMEOUT_SECONDS = 25.0
_POLL_SECONDS = 0.05
_LAST_PORT = 65535

Tell = Callable[[str], None]
State = Literal["running", "starting", "dead"]


@dataclass(frozen=True)
class StackInfo:
    """A stack that answers.

    Args:
        endpoint_url: The AWS endpoint.
        ui_url: The Dagster UI.
        home: Its state folder.
        ports: Port of each component that listens.
        already_up: Whether it ran before it was asked for.
    """

    endpoint_url: str
    ui_url: str
    home: Path
    ports: Mapping[str, int]
    already_up: bool = False

    @classmethod
    def of(cls, settings: Settings, *, already_up: bool = False) -> Self:
        """What the state file says."""
        record = settings.running_stack()
        return cls(record["endpoint_url"], record["ui_url"], settings.home, dict(record["ports"]), already_up)


@dataclass(frozen=True)
class ComponentStatus:
    """One process of the stack, as it is now.

    Args:
        name: The component.
        pid: Its process, living or not.
        address: Where it listens; None where it does not.
        state: `starting` until all of the stack is ready.
        log: Its log.
    """

    name: str
    pid: int
    address: str | None
    state: State
    log: Path | None


# --- the ports ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ports:
    """The ports of one stack, all on 127.0.0.1."""

    gateway: int
    warehouse: int
    code_server: int
    ui: int

    def by_component(self) -> dict[str, int]:
        """As the state file names them."""
        return {
            "gateway": self.gateway,
            "postgres": self.warehouse,
            "code-server": self.code_server,
            "webserver": self.ui,
        }


class PortClaims:
    """Ports this process means to use, so that no other stack chooses them before they are listened on.

    A claim is a locked file in a folder that all stacks of this user share; it ends with the process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or Path(tempfile.gettempdir()) / f"airline-ports-{os.getuid()}"
        self._claims = ExitStack()
        self._mine: set[int] = set()

    def __enter__(self) -> Self:
        """Hold the claims until the end of the block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of them."""
        self._claims.close()

    def take(self, port: int) -> bool:
        """Claim a port; False where somebody claims it or listens on it."""
        if port in self._mine or not _is_free(port):
            return False
        self._folder.mkdir(mode=0o700, exist_ok=True)
        lock = _lock(self._folder / f"{port}.lock")
        if lock is None:
            return False
        self._claims.enter_context(lock)
        self._mine.add(port)
        return True

    def first(self, *preferred: int) -> int:
        """The first of the preferred ports that can be had, else any free one; 0 is no preference."""
        for port in preferred:
            if port and self.take(port):
                return port
        while not self.take(port := _some_free_port()):
            pass
        return port

    def upwards(self, port: int) -> int:
        """The port, or the next above it that can be had."""
        for candidate in range(port, _LAST_PORT + 1) if port else ():
            if self.take(candidate):
                return candidate
        return self.first()


def _is_free(port: int) -> bool:
    """Whether nobody listens on a port; one that merely lingers after its use is free."""
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _some_free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def choose_ports(settings: Settings, claims: PortClaims, tell: Tell) -> Ports:
    """Ports as the settings wish, else as last time, else free ones; remembered in `home/ports.json`."""
    file = settings.home / "ports.json"
    with suppress(FileNotFoundError, ValueError):
        last = json.loads(file.read_text())
        return _remember(file, _choose(settings, claims, last), settings, tell)
    return _remember(file, _choose(settings, claims, {}), settings, tell)


def _choose(settings: Settings, claims: PortClaims, last: Mapping[str, int]) -> Ports:
    return Ports(
        gateway=claims.first(settings.gateway_port, last.get("gateway", 0)),
        warehouse=claims.first(settings.warehouse_port, last.get("postgres", 0)),
        code_server=claims.first(last.get("code-server", 0)),
        ui=claims.upwards(settings.ui_port or last.get("webserver", 0)),
    )


def _remember(file: Path, ports: Ports, settings: Settings, tell: Tell) -> Ports:
    wishes = [
        ("the Dagster UI", settings.ui_port, ports.ui),
        ("the gateway", settings.gateway_port, ports.gateway),
        ("the warehouse", settings.warehouse_port, ports.warehouse),
    ]
    for name, wished, given in wishes:
        if wished not in (0, given):
            tell(f"port {wished} is taken: {name} is on {given}")
    _write(file, ports.by_component())
    return ports


# --- what the stack consists of ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Plan:
    """The components of one life of a stack.

    Args:
        settings: The platform's settings.
        ports: The ports of this life.
    """

    settings: Settings
    ports: Ports
    definitions: ClassVar[str] = dagster_home.DEFINITIONS_MODULE
    """Import path of the module with the Dagster definitions."""

    @property
    def endpoint_url(self) -> str:
        """The AWS endpoint of this life."""
        return f"http://127.0.0.1:{self.ports.gateway}"

    @property
    def ui_url(self) -> str:
        """The Dagster UI of this life."""
        return f"http://127.0.0.1:{self.ports.ui}"

    @cached_property
    def server(self) -> PostgresServer:
        """Warehouse and Dagster's storage."""
        return PostgresServer(self.settings.home, self.ports.warehouse)

    @cached_property
    def dagster(self) -> DagsterHome:
        """The Dagster instance."""
        home = self.settings.home
        return DagsterHome(home, self.ports.warehouse, self.ports.code_server, self.definitions)

    @cached_property
    def _environment(self) -> dict[str, str]:
        settings = self.settings.model_copy(update={"endpoint_url": self.endpoint_url})
        password = self.server.password(DAGSTER)
        mine = {OWNER_VARIABLE: str(self.settings.home), "PYTHONUNBUFFERED": "1"}
        return settings.environment() | dagster_home.environment(self.settings.home, password) | mine

    def log(self, name: str) -> Path:
        """The log of a component."""
        return log_file(self.settings.home, name)

    def _start(self, name: str, command: Sequence[str]) -> Child:
        """Start one of the Python processes, in a folder of its own that hides no package."""
        cwd = self.settings.home / "run"
        cwd.mkdir(parents=True, exist_ok=True)
        environment = self._environment | {COMPONENT_VARIABLE: name}
        return processes.start(command, log=self.log(name), environment=environment, cwd=cwd)

    def gateway_command(self) -> list[str]:
        """The AWS endpoint; it answers at `/_airline/health` once it can be used."""
        state = self.settings.home / "gateway"
        return [
            *(sys.executable, "-m", GATEWAY_MODULE),
            *("--port", str(self.ports.gateway)),
            *("--state", str(state)),
        ]

    def deploy_command(self) -> list[str]:
        """What brings the gateway and the warehouse to what `infra/` says."""
        return [sys.executable, "-m", THIS_MODULE, "deploy"]

    def nodes(self) -> list[Component | Job]:
        """All of it, each after what it needs."""
        return [
            self._postgres(),
            self._gateway(),
            self._storage(),
            self._code_server(),
            self._deploy(),
            self._webserver(),
            self._daemon(),
            *([self._run_server()] if dagster_home.FORKS_RUNS else []),
        ]

    def _postgres(self) -> Component:
        environment = self._environment | {COMPONENT_VARIABLE: "postgres"}
        log = self.log("postgres")
        return Component(
            name="postgres",
            port=self.ports.warehouse,
            log=log,
            prepare=self.server.prepare,
            start=partial(self.server.start, log=log, environment=environment),
            missing=lambda _began: None if self.server.ready() else "it accepts no connection",
            stop=self.server.stop,
            timeout=60,
        )

    def _gateway(self) -> Component:
        return Component(
            name="gateway",
            port=self.ports.gateway,
            log=self.log("gateway"),
            prepare=partial(_end_leftovers, self.settings.home, "gateway"),
            start=partial(self._start, "gateway", self.gateway_command()),
            missing=lambda _began: _missing_health(self.endpoint_url),
            timeout=60,
            # Queues, topics, rules and the catalog live in its memory.
            again_after_restart=("deploy",),
        )

    def _code_server(self) -> Component:
        return Component(
            name="code-server",
            port=self.ports.code_server,
            log=self.log("code-server"),
            start=partial(self._start, "code-server", self.dagster.code_server_command()),
            missing=lambda _began: _missing_listener(self.ports.code_server),
            # Whoever opens an empty storage creates its tables; two at once fail over each other.
            after=("storage",),
            stop=partial(processes.stop, grace=3.0),
            outlives_its_users=False,
        )

    def _run_server(self) -> Component:
        return Component(
            name="run-server",
            log=self.log("run-server"),
            start=partial(self._start, "run-server", self.dagster.run_server_command()),
            # Until it listens, Dagster starts runs by itself: nobody has to wait for it.
            missing=lambda _began: None,
            stop=partial(processes.stop, grace=1.0),
            after=("code-server",),
        )

    def _deploy(self) -> Job:
        return Job(
            name="deploy",
            log=self.log("deploy"),
            start=partial(self._start, "deploy", self.deploy_command()),
            after=("postgres", "gateway"),
        )

    def _storage(self) -> Job:
        command = [sys.executable, "-m", dagster_home.__name__, str(self.settings.home)]

        def start() -> Child | None:
            due = dagster_home.needs_preparation(self.settings.home, self.server.dagster_connection())
            return self._start("storage", command) if due else None

        return Job(name="storage", log=self.log("storage"), start=start, after=("postgres",))

    def _webserver(self) -> Component:
        return Component(
            name="webserver",
            port=self.ports.ui,
            log=self.log("webserver"),
            start=partial(self._start, "webserver", self.dagster.webserver_command(self.ports.ui)),
            missing=lambda _began: dagster_home.missing_code(self.ports.ui),
            stop=partial(processes.stop, grace=3.0),
            after=("storage", "code-server"),
        )

    def _daemon(self) -> Component:
        return Component(
            name="daemon",
            log=self.log("daemon"),
            start=partial(self._start, "daemon", self.dagster.daemon_command()),
            missing=lambda began: dagster_home.missing_heartbeat(self.ports.ui, began),
            stop=partial(processes.stop, grace=3.0),
            after=("storage", "code-server", "deploy"),
        )


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
        with closing(socket.create_connection(("127.0.0.1", port), timeout=1)):
            return None
    except OSError:
        return f"nothing listens on port {port}"


def log_file(home: Path, name: str) -> Path:
    """The log of a component, of a job or of the supervisor."""
    return home / "logs" / f"{name}.log"


# --- one life of it ----------------------------------------------------------------------------------------


@dataclass
class Life:
    """One life of a stack: its record on disk follows its processes.

    Args:
        plan: What runs.
        tell: Told in one line what happens.
    """

    plan: Plan
    tell: Tell
    _state: str = field(default="starting", init=False)
    _started_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(), init=False)
    _record_lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @cached_property
    def supervisor(self) -> Supervisor:
        """What starts, watches and stops the plan's components."""
        return Supervisor(self.plan.nodes(), tell=self.tell, changed=self.write)

    def write(self) -> None:
        """Write the state file."""
        with self._record_lock:
            _write(self.plan.settings.stack_file, self.record())

    def record(self) -> dict[str, Any]:
        """What the state file says."""
        listening = {component.name: component.port for component in self.supervisor.components}
        children = dict(self.supervisor.children)
        running = {node.name: children[node.name] for node in self.supervisor.nodes if node.name in children}
        return {
            "state": self._state,
            "started_at": self._started_at,
            "endpoint_url": self.plan.endpoint_url,
            "ui_url": self.plan.ui_url,
            "supervisor": processes.this_process().record(),
            "ports": self.plan.ports.by_component(),
            "components": {
                name: {
                    **child.identity.record(),
                    "port": listening.get(name),
                    "log": str(self.plan.log(name)),
                }
                for name, child in running.items()
            },
        }

    def live(self, on_ready: Callable[[StackInfo], None]) -> None:
        """Come up, stay, and go down; whatever happens, nothing is left running.

        Raises:
            AirlineError: It did not come up, or a component died too often.
        """
        after = None
        try:
            self._come_up()
            on_ready(StackInfo.of(self.plan.settings))
            self.supervisor.watch()
        except StopRequestedError:
            pass
        except AirlineError as error:
            failed_at = datetime.now(UTC).isoformat()
            after = {"state": "failed", "reason": str(error.args[0]), "failed_at": failed_at}
            raise
        finally:
            self._go_down(after)

    def _come_up(self) -> None:
        """Start everything."""
        self.plan.dagster.write()
        self.write()
        self.supervisor.start()
        self._state = "ready"
        self.write()

    def _go_down(self, after: Mapping[str, Any] | None) -> None:
        """End every process, those that Dagster started included; leave `after` as the record, or none."""
        self._state = "stopping"
        self.supervisor.stop()
        processes.kill(processes.owned_by(self.plan.settings.home))
        if after is None:
            self.plan.settings.stack_file.unlink(missing_ok=True)
        else:
            _write(self.plan.settings.stack_file, after)


def _write(file: Path, document: Mapping[str, Any]) -> None:
    """Write JSON so that a reader sees the old document or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.{os.getpid()}")
    draft.write_text(json.dumps(document, indent=2) + "\n")
    draft.replace(file)


def _lock(file: Path) -> IO[bytes] | None:
    """Lock a file for as long as it is open in this process; None where another process has it."""
    stream = file.open("ab")
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        return None
    return stream


# --- what the command line calls ---------------------------------------------------------------------------


def is_up(settings: Settings) -> bool:
    """Whether a supervisor runs the stack of this home, ready or still starting."""
    return _supervisor(settings) is not None


def _supervisor(settings: Settings) -> ProcessId | None:
    """The living supervisor of this home."""
    record = settings.running_stack().get("supervisor")
    identity = ProcessId.from_record(record) if record else None
    return identity if identity and identity.alive else None


def components(settings: Settings) -> list[ComponentStatus]:
    """Every process of the stack of this home, supervisor first; none where none was started."""
    record = settings.running_stack()
    if "supervisor" not in record:
        return []
    supervisor = {**record["supervisor"], "port": None, "log": None}
    known = {"supervisor": supervisor} | record["components"]
    starting = record["state"] == "starting" and is_up(settings)
    return [_status(name, entry, starting=starting) for name, entry in known.items()]


def _status(name: str, entry: Mapping[str, Any], *, starting: bool) -> ComponentStatus:
    alive = ProcessId.from_record(entry).alive
    state: State = ("starting" if starting else "running") if alive else "dead"
    address = f"127.0.0.1:{entry['port']}" if entry["port"] else None
    return ComponentStatus(name, entry["pid"], address, state, Path(entry["log"]) if entry["log"] else None)


def last_failure(settings: Settings) -> str | None:
    """Why the last life of the stack ended, where it did not end on request."""
    reason: str | None = settings.running_stack().get("reason")
    return reason


def up(
    settings: Settings,
    *,
    detach: bool,
    on_progress: Tell,
    on_ready: Callable[[StackInfo], None] = lambda _info: None,
    plan: type[Plan] | None = None,
) -> StackInfo:
    """Start the stack, or find that it runs.

    In the foreground this process is the supervisor: the call returns after SIGINT, SIGTERM or SIGHUP, when
    everything is down. Detached, it returns as soon as everything answers.

    Args:
        settings: The platform's settings; `endpoint_url` is the new gateway's, whatever they say.
        detach: Leave the supervisor running in the background.
        on_progress: Told in one line what happens.
        on_ready: Called once everything answers.
        plan: Another composition of the stack; importable, as a detached supervisor imports it by its name.

    Raises:
        StackUnavailable: It did not come up, with the last lines of the guilty log; nothing is left running.
    """
    if settings.stage != "local":
        raise StackUnavailable(
            f"`up` runs the stack of a laptop, and the stage is {settings.stage!r}",
            remedy="Unset AIRLINE_STAGE, or use `airline deploy` for an account",
        )
    settings.home.mkdir(parents=True, exist_ok=True)
    if is_up(settings):
        return _join(settings, on_progress, on_ready)
    begin = _detached if detach else _foreground
    info = begin(settings, on_progress, on_ready, plan or Plan)
    return info or _join(settings, on_progress, on_ready)


def _join(settings: Settings, tell: Tell, on_ready: Callable[[StackInfo], None]) -> StackInfo:
    """Wait for a stack that somebody else started."""
    deadline = time.monotonic() + _START_TIMEOUT_SECONDS
    while (record := settings.running_stack()).get("state") != "ready" or not is_up(settings):
        if "reason" in record or time.monotonic() > deadline:
            raise StackUnavailable(
                f"The other `airline up` in {settings.home} failed: {record.get('reason', 'it hangs')}",
                remedy="`airline down`, then `airline up` again",
            )
        time.sleep(_POLL_SECONDS)
    info = StackInfo.of(settings, already_up=True)
    tell(f"already up: {info.ui_url}")
    on_ready(info)
    return info


def _foreground(
    settings: Settings, tell: Tell, on_ready: Callable[[StackInfo], None], composition: type[Plan]
) -> StackInfo | None:
    """Be the supervisor until somebody asks for the end; None where another process is it already."""
    lock = _lock(settings.home / "stack.lock")
    if lock is None:
        return None
    with lock, PortClaims() as claims:
        if ended := recover(settings):
            tell(f"ended {len(ended)} processes of an earlier life")
        plan = composition(settings, choose_ports(settings, claims, tell))
        life = Life(plan, tell)
        with _stop_signals(life.supervisor):
            life.live(on_ready)
    return StackInfo(plan.endpoint_url, plan.ui_url, settings.home, plan.ports.by_component())


@contextmanager
def _stop_signals(supervisor: Supervisor) -> Iterator[None]:
    """Let a signal ask for a clean end; a second one changes nothing.

    That SIGINT has a handler here also keeps children from inheriting that a shell ignores it.
    """

    def ask(_number: int, _frame: FrameType | None) -> None:
        supervisor.request_stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _detached(
    settings: Settings, tell: Tell, on_ready: Callable[[StackInfo], None], composition: type[Plan]
) -> StackInfo | None:
    """Start a supervisor in the background, and pass on what it tells until it is ready."""
    log = log_file(settings.home, "supervisor")
    reading, writing = os.pipe()
    with os.fdopen(reading) as reports:
        try:
            supervisor = _spawn_supervisor(settings, composition, log, writing)
        finally:
            os.close(writing)
        try:
            info = _follow(reports, settings, tell, on_ready, log)
        except BaseException:
            supervisor.terminate()
            supervisor.wait()
            raise
    threading.Thread(target=supervisor.wait, daemon=True).start()  # it leaves no zombie while this lives
    return info


def _spawn_supervisor(
    settings: Settings, composition: type[Plan], log: Path, report_to: int
) -> subprocess.Popen[bytes]:
    """This module as a program, in a session of its own."""
    log.parent.mkdir(parents=True, exist_ok=True)
    processes.rotate(log)
    command = [sys.executable, "-m", THIS_MODULE, "supervise"]
    plan = f"{composition.__module__}:{composition.__qualname__}"
    options = ["--report-to", str(report_to), "--plan", plan]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=_supervisor_environment(settings),
            cwd=settings.home,
            start_new_session=True,
            pass_fds=(report_to,),
        )


def _supervisor_environment(settings: Settings) -> dict[str, str]:
    """All the settings, for a process that parses them anew; it belongs to no stack yet."""
    return {
        name: value
        for name, value in settings.environment().items()
        if name not in (OWNER_VARIABLE, COMPONENT_VARIABLE, "AWS_ENDPOINT_URL")
    }


def _follow(
    reports: IO[str], settings: Settings, tell: Tell, on_ready: Callable[[StackInfo], None], log: Path
) -> StackInfo | None:
    """Read what a supervisor reports, one JSON document a line, until it is ready or gives up."""
    for line in reports:
        report: dict[str, Any] = json.loads(line)
        if "told" in report:
            tell(report["told"])
        elif "reason" in report:
            raise StackUnavailable(report["reason"], remedy=report["remedy"])
        elif report["ready"]:
            info = StackInfo.of(settings)
            on_ready(info)
            return info
        else:
            return None
    words = "\n".join(f"  {line}" for line in processes.last_lines(log))
    raise StackUnavailable(
        f"The supervisor ended before the stack was ready. The end of {log}:\n{words}",
        remedy="Mend what the log names, then `airline up` again",
    )


def down(settings: Settings) -> bool:
    """Stop the stack of this home, and whatever a life of it left running; nothing else.

    Returns:
        Whether there was anything to stop.
    """
    supervisor = _supervisor(settings)
    stopped = bool(processes.end([supervisor], grace=_STOP_TIMEOUT_SECONDS)) if supervisor else False
    lock = _lock(settings.home / "stack.lock") if settings.home.exists() else None
    if lock is None:
        return stopped
    with lock:
        left = recover(settings)
        settings.stack_file.unlink(missing_ok=True)
    return stopped or bool(left)


def recover(settings: Settings) -> list[int]:
    """End every process an earlier life of this stack left behind, when its supervisor was killed.

    Recorded processes are asked first, so that PostgreSQL can write what it holds; run workers and JVMs are
    found by the mark in their environment. Their runs are reported failed before the daemon starts, by the
    `storage` job. Does nothing while a supervisor other than this process lives.

    Returns:
        The pids that were ended.
    """
    supervisor = _supervisor(settings)
    if supervisor and supervisor.pid != os.getpid():
        return []
    workers = processes.owned_by(settings.home)
    record = settings.running_stack().get("components", {})
    recorded = {name: ProcessId.from_record(entry) for name, entry in record.items()}
    database = [recorded[name] for name in recorded if name == "postgres"]
    others = [recorded[name] for name in recorded if name != "postgres"]
    ended = {process.pid for process in workers} | {i.pid for i in recorded.values() if i.alive}
    processes.end(others, grace=2.0)
    processes.kill([process for process in workers if process.pid not in {i.pid for i in database}])
    processes.end(database, signal_number=signal.SIGINT)
    return sorted(ended)


# --- the programs ------------------------------------------------------------------------------------------


def _supervise(report_to: int, composition: type[Plan]) -> int:
    """Be the supervisor of a detached stack; tell whoever started it over a pipe, and the log."""
    reports = os.fdopen(report_to, "w", buffering=1)

    def report(document: Mapping[str, Any]) -> None:
        with suppress(BrokenPipeError, ValueError):  # nobody listens any more
            reports.write(json.dumps(document) + "\n")

    def tell(line: str) -> None:
        sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {line}\n")
        sys.stdout.flush()
        report({"told": line})

    def ready(_info: StackInfo) -> None:
        tell("ready")
        report({"ready": True})
        reports.close()

    try:
        if _foreground(Settings.load(), tell, ready, composition) is None:
            report({"ready": False})
    except AirlineError as error:
        tell(f"failed: {error}")
        report({"reason": str(error.args[0]), "remedy": error.remedy})
        return 1
    tell("down")
    return 0


def _deploy() -> int:
    """Deploy what the running gateway and warehouse are to hold, and ask again for what a stop lost."""
    from command.deploy.deploy import deploy  # noqa: PLC0415 - boto3 is for this program alone
    from command.deploy.recovery import republish_alerts, resend_landing_events  # noqa: PLC0415

    settings = Settings.load()
    port = settings.running_stack()["ports"]["postgres"]
    server = PostgresServer(settings.home, port)
    try:
        customer_key = kept_secret(settings.home / "customer.key")
        deploy(settings, warehouse=server.warehouse_credentials(), customer_key=customer_key)
        resend_landing_events(settings)
        republish_alerts(settings)
    except AirlineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the supervisor of a detached stack, or as its deployment."""
    parser = argparse.ArgumentParser(prog=f"python -m {THIS_MODULE}", description=__doc__)
    programs = parser.add_subparsers(dest="program", required=True)
    supervise = programs.add_parser("supervise", help="run a stack; what `airline up --detach` starts")
    supervise.add_argument("--report-to", type=int, required=True, help="file descriptor for progress")
    supervise.add_argument("--plan", required=True, help="what to run, as module:class")
    programs.add_parser("deploy", help="deploy to the running stack; the supervisor starts it")
    chosen = parser.parse_args(arguments)
    if chosen.program == "deploy":
        return _deploy()
    module, _, name = chosen.plan.partition(":")
    return _supervise(chosen.report_to, getattr(import_module(module), name))


if __name__ == "__main__":
    sys.exit(main())
