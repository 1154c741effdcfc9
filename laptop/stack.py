"""The laptop stack: how it comes up, stays up and goes down.

A supervisor owns every process: `airline up` itself in the foreground, this module run as a program behind
`--detach`. It holds a lock on `home/stack.lock` for life, writes `home/stack.json`, and restarts what dies.
"""

import argparse
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Literal, Self

from airline_platform.errors import AirlineError, StackUnavailable
from airline_platform.settings import Settings
from laptop import files, processes
from laptop.plan import STACK_MODULE, Plan, log_file
from laptop.ports import PortClaims, choose_ports
from laptop.postgres import PostgresServer
from laptop.processes import COMPONENT_VARIABLE, OWNER_VARIABLE, ProcessId
from laptop.supervisor import StopRequestedError, Supervisor

_START_TIMEOUT_SECONDS = 240.0
_STOP_TIMEOUT_SECONDS = 25.0
_POLL_SECONDS = 0.05

Tell = Callable[[str], None]
OnReady = Callable[["StackInfo"], None]
State = Literal["running", "starting", "dead"]


@dataclass(frozen=True)
class StackInfo:
    """A stack that answers: where its parts are, and whether it ran before it was asked for."""

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
    """One process of the stack as it is now; it is `starting` until all of the stack is ready."""

    name: str
    pid: int
    address: str | None
    state: State
    log: Path | None


@dataclass
class Life:
    """One life of a stack: its record on disk follows its processes."""

    plan: Plan
    tell: Tell
    _state: str = field(default="starting", init=False)
    _record_lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @cached_property
    def supervisor(self) -> Supervisor:
        """What starts, watches and stops the plan's components."""
        return Supervisor(self.plan.nodes(), tell=self.tell, changed=self.write)

    def write(self) -> None:
        """Write the state file."""
        with self._record_lock:
            files.write_whole(self.plan.settings.stack_file, json.dumps(self.record(), indent=2))

    def record(self) -> dict[str, Any]:
        """What the state file says."""
        ports = self.plan.ports.by_component()
        children = dict(self.supervisor.children)
        running = {node: children[node.name] for node in self.supervisor.nodes if node.name in children}
        return {
            "state": self._state,
            "endpoint_url": self.plan.endpoint_url,
            "ui_url": self.plan.ui_url,
            "supervisor": ProcessId.of(os.getpid()).record(),
            "ports": ports,
            "components": {
                node.name: child.identity.record() | {"port": ports.get(node.name), "log": str(node.log)}
                for node, child in running.items()
            },
        }

    def live(self, on_ready: OnReady) -> None:
        """Come up, stay, and go down; whatever happens, nothing is left running.

        Raises:
            AirlineError: It did not come up, or a component died too often.
        """
        after = None
        try:
            self.plan.dagster.write()
            self.write()
            self.supervisor.start()
            self._state = "ready"
            self.write()
            on_ready(StackInfo.of(self.plan.settings))
            self.supervisor.watch()
        except StopRequestedError:
            pass
        except AirlineError as error:
            after = {"state": "failed", "reason": str(error.args[0])}
            raise
        finally:
            self._go_down(after)

    def _go_down(self, after: Mapping[str, Any] | None) -> None:
        """End every process, those that Dagster started included; leave `after` as the record, or none."""
        self._state = "stopping"
        self.supervisor.stop()
        processes.kill(processes.owned_by(self.plan.settings.home))
        if after is None:
            self.plan.settings.stack_file.unlink(missing_ok=True)
        else:
            files.write_whole(self.plan.settings.stack_file, json.dumps(after))


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
    living: State = "starting" if record["state"] == "starting" and is_up(settings) else "running"
    return [
        ComponentStatus(
            name,
            entry["pid"],
            address=f"127.0.0.1:{entry['port']}" if entry["port"] else None,
            state=living if ProcessId.from_record(entry).alive else "dead",
            log=Path(entry["log"]) if entry["log"] else None,
        )
        for name, entry in known.items()
    ]


def last_failure(settings: Settings) -> str | None:
    """Why the last life of the stack ended, where it did not end on request."""
    reason: str | None = settings.running_stack().get("reason")
    return reason


def up(
    settings: Settings,
    *,
    detach: bool,
    on_progress: Tell,
    on_ready: OnReady = lambda _info: None,
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


def _join(settings: Settings, tell: Tell, on_ready: OnReady) -> StackInfo:
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
    settings: Settings, tell: Tell, on_ready: OnReady, composition: type[Plan]
) -> StackInfo | None:
    """Be the supervisor until somebody asks for the end; None where another process is it already."""
    lock = files.lock(settings.home / "stack.lock")
    if lock is None:
        return None
    with lock, PortClaims() as claims:
        if ended := recover(settings):
            tell(f"ended {len(ended)} processes of an earlier life")
        plan = composition(settings, choose_ports(settings, claims, tell))
        life = Life(plan, tell)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # A clean end is asked for; and children do not inherit that a shell ignores SIGINT.
            signal.signal(number, lambda *_: life.supervisor.request_stop())
        life.live(on_ready)
    return StackInfo(plan.endpoint_url, plan.ui_url, settings.home, plan.ports.by_component())


def _detached(settings: Settings, tell: Tell, on_ready: OnReady, composition: type[Plan]) -> StackInfo | None:
    """Start a supervisor in the background, and pass on what it tells until it is ready."""
    log = log_file(settings.home, "supervisor")
    reading, writing = os.pipe()
    plan = f"{composition.__module__}:{composition.__qualname__}"
    command = [sys.executable, "-m", STACK_MODULE, "supervise", "--report-to", str(writing), "--plan", plan]
    environment = supervisor_environment(settings)
    with os.fdopen(reading) as reports:
        try:
            child = processes.start(
                command, log=log, environment=environment, cwd=settings.home, pass_fds=(writing,)
            )
        finally:
            os.close(writing)
        try:
            info = _follow(reports, settings, tell, on_ready, log)
        except BaseException:
            child.popen.terminate()
            child.popen.wait()
            raise
    threading.Thread(target=child.popen.wait, daemon=True).start()  # it leaves no zombie while this lives
    return info


def supervisor_environment(settings: Settings) -> dict[str, str]:
    """All the settings, for a process that parses them anew; it belongs to no stack yet."""
    return {
        name: value
        for name, value in settings.environment().items()
        if name not in (OWNER_VARIABLE, COMPONENT_VARIABLE, "AWS_ENDPOINT_URL")
    }


def _follow(
    reports: IO[str], settings: Settings, tell: Tell, on_ready: OnReady, log: Path
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
    lock = files.lock(settings.home / "stack.lock") if settings.home.exists() else None
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
    marked = processes.owned_by(settings.home)
    record = settings.running_stack().get("components", {})
    recorded = {name: ProcessId.from_record(entry) for name, entry in record.items()}
    database = [recorded.pop("postgres")] if "postgres" in recorded else []
    ended = processes.end(recorded.values(), grace=2.0)
    processes.kill([process for process in marked if process.pid not in {i.pid for i in database}])
    ended += processes.end(database, signal_number=signal.SIGINT)
    return sorted({*ended, *(process.pid for process in marked)})


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
        customer_key = files.kept_secret(settings.home / "customer.key")
        deploy(settings, warehouse=server.warehouse_credentials(), customer_key=customer_key)
        resend_landing_events(settings)
        republish_alerts(settings)
    except AirlineError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the supervisor of a detached stack, or as its deployment."""
    parser = argparse.ArgumentParser(prog=f"python -m {STACK_MODULE}", description=__doc__)
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
