"""Processes of the laptop stack: started with a log of their own, watched, stopped for certain.

A process is remembered as (pid, creation time): a pid alone may belong to a stranger by the time it is used.
`Supervisor` brings up a graph of them, as parallel as their needs allow, and restarts those that die.
"""

import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from airline_platform.errors import AirlineError, StackUnavailable

LOG_LIMIT_BYTES = 10_000_000
OWNER_VARIABLE = "AIRLINE_STACK_OWNER"
"""Set to the stack's home in every process of the stack, and so inherited by run workers and JVMs."""
COMPONENT_VARIABLE = "AIRLINE_STACK_COMPONENT"
"""Set to the component's name likewise."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_END_POLL_SECONDS = 0.02
_CREATE_TIME_TOLERANCE_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessId:
    """One process, and no later one that got the same pid.

    Args:
        pid: The number the kernel gave it.
        create_time: When it was created, in seconds since the epoch, as psutil tells it.
    """

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int) -> Self:
        """Identify a living process.

        Raises:
            psutil.NoSuchProcess: There is none of this pid.
        """
        return cls(pid, psutil.Process(pid).create_time())

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Read what `record` wrote."""
        return cls(int(record["pid"]), float(record["create_time"]))

    def record(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {"pid": self.pid, "create_time": self.create_time}

    def process(self) -> psutil.Process | None:
        """The process while it lives; None when it ended, is a zombie, or the pid is another's by now."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.create_time) < _CREATE_TIME_TOLERANCE_SECONDS
        except psutil.NoSuchProcess:
            return None
        return process if same and lives(process) else None

    @property
    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process() is not None


@dataclass(frozen=True)
class Child:
    """A process this process started."""

    popen: subprocess.Popen[bytes]
    identity: ProcessId

    @property
    def exit_status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self.popen.poll()


def start(
    command: Sequence[str],
    *,
    log: Path,
    environment: Mapping[str, str],
    cwd: Path,
    **identity: Any,
) -> Child:
    """Start a child in a session of its own, with stdout and stderr at the end of `log`.

    Args:
        command: Program and arguments.
        log: Where its output goes; put aside first when it is large.
        environment: All of the child's environment.
        cwd: Its working directory.
        identity: `user`, `group` and `extra_groups` of `subprocess.Popen`, to run as another user.

    A session of its own keeps a terminal's Ctrl-C from it: whoever started it decides the order of stopping.

    Raises:
        OSError: The program cannot be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    rotate(log)
    with log.open("ab") as output, _interruptible_children():
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            **identity,
        )
    return Child(popen, ProcessId.of(popen.pid))


@contextmanager
def _interruptible_children() -> Iterator[None]:
    """Keep children from inheriting an ignored SIGINT, as a shell's background jobs have it.

    Dagster gives SIGTERM the handler of SIGINT, so such a child could be stopped by SIGKILL alone.
    """
    ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    if not ignored or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def rotate(log: Path, limit: int = LOG_LIMIT_BYTES) -> None:
    """Put a log above `limit` bytes aside as `<name>.1`, replacing the one before."""
    if log.exists() and log.stat().st_size > limit:
        log.replace(log.with_name(log.name + ".1"))


def last_lines(log: Path, count: int = 15, start: int = 0) -> list[str]:
    """The last lines of a log, of what was written after byte `start`; none where there is no log."""
    if not log.exists():
        return []
    size = log.stat().st_size
    begin = start if start <= size else 0  # it was put aside meanwhile
    with log.open("rb") as file:
        file.seek(max(begin, size - 400 * count))
        text = file.read().decode(errors="replace")
    return _COLOURS.sub("", text).splitlines()[-count:]


def family(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """The processes and all their descendants, each once."""
    found: dict[int, psutil.Process] = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found.setdefault(process.pid, process)
            for child in process.children(recursive=True):
                found.setdefault(child.pid, child)
    return list(found.values())


def owned_by(home: Path, component: str | None = None) -> list[psutil.Process]:
    """Every process that carries the mark of the stack of `home`, except this one and its ancestors.

    A run worker whose parent is gone belongs to nobody in the process tree; its environment still tells.

    Args:
        home: The stack's state folder.
        component: Only what this component started; everything where None.
    """
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    wanted = {OWNER_VARIABLE: str(home)} | ({COMPONENT_VARIABLE: component} if component else {})
    return [p for p in psutil.process_iter() if p.pid not in spared and _carries(p, wanted)]


def _carries(process: psutil.Process, marks: Mapping[str, str]) -> bool:
    """Whether a process has these variables; not where it does not let itself be read."""
    try:
        return marks.items() <= process.environ().items()
    except (psutil.Error, OSError):
        return False


def end(
    identities: Iterable[ProcessId], *, grace: float = 5.0, signal_number: int = signal.SIGTERM
) -> list[int]:
    """End the processes and whatever they started: ask, wait `grace` seconds, then kill.

    Descendants that outlive the request are killed as well. Never touches a pid that changed hands.

    Returns:
        The pids that lived when it was called.
    """
    roots = [process for process in (identity.process() for identity in identities) if process]
    everyone = family(roots)
    for process in roots:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal_number)
    wait_for_end(roots, grace)
    kill(everyone)
    return [process.pid for process in roots]


def kill(processes: Iterable[psutil.Process], wait: float = 5.0) -> None:
    """SIGKILL, and wait until they are gone; psutil spares a pid that changed hands."""
    targets = [process for process in processes if lives(process)]
    for process in targets:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_for_end(targets, wait)


def wait_for_end(processes: Sequence[psutil.Process], timeout: float) -> None:
    """Wait until none of them lives, or the time is over.

    A zombie counts as ended: where nobody collects orphans, as in many containers, it stays for ever. And
    nobody's exit status is taken away from the `Popen` it belongs to, as psutil's own waiting would.
    """
    deadline = time.monotonic() + timeout
    while any(map(lives, processes)) and time.monotonic() < deadline:
        time.sleep(_END_POLL_SECONDS)


def lives(process: psutil.Process) -> bool:
    """Whether it still runs, being more than a zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(child: Child, *, grace: float = 5.0, signal_number: int = signal.SIGTERM) -> None:
    """Stop a child and whatever it started: ask, wait `grace` seconds, then kill."""
    process = child.identity.process()
    everyone = family([process]) if process else []
    if child.popen.poll() is None:
        child.popen.send_signal(signal_number)
        with suppress(subprocess.TimeoutExpired):
            child.popen.wait(grace)
    kill(everyone)
    child.popen.wait()


def this_process() -> ProcessId:
    """The process that calls."""
    return ProcessId.of(os.getpid())


class StopRequestedError(Exception):
    """Somebody asked for the end while the stack was coming up."""


@dataclass(frozen=True)
class Component:
    """A process that is to run as long as the stack does.

    Args:
        name: What people call it; also its log's name.
        start: Start it; called again after its death.
        missing: What it lacks until it is of use, None when nothing; it raises when waiting is hopeless.
            Called with the time of the start, in seconds since the epoch.
        log: Its log, shown when it fails.
        after: Names of what must be ready, or done, before it starts.
        port: Where it listens on 127.0.0.1, if it does.
        prepare: What must be done before each start.
        stop: End it cleanly.
        timeout: Seconds it may take to be ready.
        again_after_restart: Names of the jobs whose result dies with it.
        outlives_its_users: Whether what needs it must have ended before it ends.
    """

    name: str
    start: Callable[[], Child]
    missing: Callable[[float], str | None]
    log: Path
    after: tuple[str, ...] = ()
    port: int | None = None
    prepare: Callable[[], None] = lambda: None
    stop: Callable[[Child], None] = stop
    timeout: float = 120.0
    again_after_restart: tuple[str, ...] = ()
    outlives_its_users: bool = True


@dataclass(frozen=True)
class Job:
    """A process that ends before the stack is ready.

    Args:
        name: What people call it; also its log's name.
        start: Start it; None where nothing has to be done.
        log: Its log, shown when it fails.
        after: Names of what must be ready, or done, before it starts.
        timeout: Seconds it may take.
    """

    name: str
    start: Callable[[], Child | None]
    log: Path
    after: tuple[str, ...] = ()
    timeout: float = 180.0


@dataclass(frozen=True)
class RestartLimit:
    """How much dying is too much: `deaths` of one component within `seconds`."""

    deaths: int = 5
    seconds: float = 120.0
    longest_pause: float = 8.0

    def pause(self, earlier_deaths: int) -> float:
        """Seconds to wait before a restart, doubled each time."""
        return min(self.longest_pause, 0.25 * 2.0**earlier_deaths)


_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.25


@dataclass
class Supervisor:
    """Brings components and jobs up, keeps the components alive, and takes everything down.

    Args:
        nodes: What to run, in an order in which each comes after what it needs.
        tell: Told in one line what happens.
        changed: Called whenever a process began or ended.
        limit: When to give up on a component.
    """

    nodes: Sequence[Component | Job]
    tell: Callable[[str], None] = lambda _line: None
    changed: Callable[[], None] = lambda: None
    limit: RestartLimit = field(default_factory=RestartLimit)
    children: dict[str, Child] = field(default_factory=dict, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _failures: list[Exception] = field(default_factory=list, init=False)
    _deaths: dict[str, deque[float]] = field(default_factory=dict, init=False)

    @property
    def components(self) -> list[Component]:
        """The nodes that are to stay."""
        return [node for node in self.nodes if isinstance(node, Component)]

    def request_stop(self) -> None:
        """Make `start` or `watch` return soon; safe in a signal handler."""
        self._stop.set()

    def start(self) -> None:
        """Bring everything up, each node as soon as what it needs is there.

        Raises:
            AirlineError: Something did not come up; everything is to be stopped.
            StopRequestedError: Somebody asked for the end meanwhile.
        """
        done = {node.name: threading.Event() for node in self.nodes}
        threads = [
            threading.Thread(target=self._bring_up, args=(node, done), name=node.name, daemon=True)
            for node in self.nodes
        ]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads) and not self._stop.is_set():
            time.sleep(_POLL_SECONDS)
        if self._failures:
            raise self._failures[0]
        if self._stop.is_set():
            raise StopRequestedError

    def _bring_up(self, node: Component | Job, done: Mapping[str, threading.Event]) -> None:
        """The life of one node until it is ready; the first failure of any ends the waiting of all."""
        try:
            for name in node.after:
                self._until(done[name].is_set)
            begun = time.monotonic()
            self._run(node)
            done[node.name].set()
            self.tell(f"{node.name} ready after {time.monotonic() - begun:.1f} s")
        except StopRequestedError:
            return
        except Exception as error:  # noqa: BLE001 - the main thread raises it
            self._failures.append(error)
            self._stop.set()

    def _run(self, node: Component | Job) -> None:
        if isinstance(node, Job):
            self._run_job(node)
        else:
            self._run_component(node)

    def _run_component(self, component: Component) -> None:
        """Start a component and wait until it is of use."""
        component.prepare()
        written = component.log.stat().st_size if component.log.exists() else 0
        began = time.time()
        child = self._launch(component.name, component.start)
        if child is None:
            return
        deadline = time.monotonic() + component.timeout
        while missing := component.missing(began):
            if child.exit_status is not None:
                raise _died(component.name, child, component.log, written)
            if time.monotonic() > deadline:
                what = f"{component.name} did not become ready within {component.timeout:.0f} s: {missing}"
                raise _failure(what, component.log, written)
            self._pause(_POLL_SECONDS)

    def _run_job(self, job: Job) -> None:
        """Run a job to its end."""
        written = job.log.stat().st_size if job.log.exists() else 0
        child = self._launch(job.name, job.start)
        if child is None:
            return
        deadline = time.monotonic() + job.timeout
        while child.exit_status is None:
            if time.monotonic() > deadline:
                stop(child)
                raise _failure(f"{job.name} took longer than {job.timeout:.0f} s", job.log, written)
            self._pause(_POLL_SECONDS)
        with self._lock:
            del self.children[job.name]
        self.changed()
        if child.exit_status != 0:
            raise _died(job.name, child, job.log, written)

    def _launch(self, name: str, start_it: Callable[[], Child | None]) -> Child | None:
        """Start a child unless the end was asked for; afterwards `stop` knows of it in any case."""
        with self._lock:
            if self._stop.is_set():
                raise StopRequestedError
            child = start_it()
            if child is not None:
                self.children[name] = child
        self.changed()
        return child

    def _until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self._pause(_POLL_SECONDS)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise StopRequestedError

    def watch(self) -> None:
        """Restart what dies, until the end is asked for.

        Raises:
            AirlineError: A component died too often.
        """
        while not self._stop.wait(_WATCH_SECONDS):
            for component in self.components:
                child = self.children.get(component.name)
                if child is None or child.exit_status is not None:
                    with suppress(StopRequestedError):
                        self._restart(component, _ending(child))

    def _restart(self, component: Component, ending: str) -> None:
        """One attempt to bring a dead component back, with whatever died with it."""
        deaths = self._deaths.setdefault(component.name, deque())
        now = time.monotonic()
        while deaths and deaths[0] < now - self.limit.seconds:
            deaths.popleft()
        deaths.append(now)
        if len(deaths) > self.limit.deaths:
            what = f"{component.name} {ending}, {len(deaths)} times in {self.limit.seconds:.0f} s"
            raise _failure(what, component.log)
        self.tell(f"{component.name} {ending}; it is started again")
        self._pause(self.limit.pause(len(deaths) - 1))
        try:
            self._run_component(component)
            for node in self.nodes:
                if node.name in component.again_after_restart:
                    self._run(node)
        except AirlineError as error:
            self.tell(str(error))
            self._take_down(component)
            return
        self.tell(f"{component.name} is back")

    def _take_down(self, component: Component) -> None:
        with self._lock:
            child = self.children.get(component.name)
        if child is not None:
            component.stop(child)
            self.changed()

    def stop(self) -> None:
        """End everything, first what nothing else needs; what can go at once goes at once."""
        self._stop.set()
        with self._lock:
            running = dict(self.children)
        for job in (node for node in self.nodes if isinstance(node, Job) and node.name in running):
            stop(running[job.name], grace=1.0)
        for wave in stop_waves(self.nodes):
            threads = [
                threading.Thread(target=self._take_down, args=(component,), daemon=True) for component in wave
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()


def stop_waves(nodes: Sequence[Component | Job]) -> list[list[Component]]:
    """Components in the order of their end: a wave holds those that no component still running needs."""
    needs = {node.name: set(node.after) for node in nodes}
    for node in nodes:  # in order, so what a node needs is complete by now
        needs[node.name] |= {deeper for name in node.after for deeper in needs[name]}
    waves: list[list[Component]] = []
    rest = [node for node in nodes if isinstance(node, Component)]
    while rest:
        users = {node.name: any(node.name in needs[other.name] for other in rest) for node in rest}
        wave = [node for node in rest if not (node.outlives_its_users and users[node.name])]
        waves.append(wave)
        rest = [node for node in rest if node not in wave]
    return waves


def _ending(child: Child | None) -> str:
    """How a child ended, as the rest of a sentence."""
    if child is None or child.exit_status is None:
        return "is not running"
    status = child.exit_status
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _died(name: str, child: Child, log: Path, written: int) -> StackUnavailable:
    return _failure(f"{name} {_ending(child)} before it was ready", log, written)


def _failure(what: str, log: Path, written: int = 0) -> StackUnavailable:
    """A failure with the last words of the guilty, of what it wrote after byte `written`."""
    words = "\n".join(f"  {line}" for line in last_lines(log, start=written)) or "  (it wrote nothing)"
    return StackUnavailable(
        f"{what}. The end of {log}:\n{words}",
        remedy="Mend what the log names, then `airline up` again; `airline doctor` checks this machine",
    )
