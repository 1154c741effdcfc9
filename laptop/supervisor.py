"""Brings up a graph of processes, as parallel as their needs allow, and restarts those that die."""

import signal
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from airline_platform.errors import AirlineError, StackUnavailable
from laptop import processes
from laptop.processes import Child, last_lines

STOP = partial(processes.stop, grace=3.0)


class StopRequestedError(Exception):
    """Somebody asked for the end while the stack was coming up."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A process of the stack.

    Args:
        name: What people call it; also its log's name.
        start: Start it; None where nothing has to be done.
        log: Its log, shown when it fails.
        after: Names of what must be ready, or done, before it starts.
        timeout: Seconds it may take to be ready, or done.
    """

    name: str
    start: Callable[[], Child | None]
    log: Path
    after: tuple[str, ...] = ()
    timeout: float = 180.0


class Job(Node):
    """A process that ends before the stack is ready."""


@dataclass(frozen=True, kw_only=True)
class Component(Node):
    """A process that is to run as long as the stack does.

    Args:
        missing: What it lacks until it is of use, None when nothing; it raises when waiting is hopeless.
            Called with the time of the start, in seconds since the epoch.
        prepare: What must be done before each start.
        stop: End it cleanly.
        again_after_restart: Names of the jobs whose result dies with it.
        ends_last: Whether everything else must have ended before it ends.
    """

    missing: Callable[[float], str | None]
    prepare: Callable[[], None] = lambda: None
    stop: Callable[[Child], None] = STOP
    again_after_restart: tuple[str, ...] = ()
    ends_last: bool = False


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

    nodes: Sequence[Node]
    tell: Callable[[str], None] = lambda _line: None
    changed: Callable[[], None] = lambda: None
    limit: RestartLimit = field(default_factory=RestartLimit)
    children: dict[str, Child] = field(default_factory=dict, init=False)
    _stop: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _deaths: dict[str, list[float]] = field(default_factory=dict, init=False)

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
        threads = ThreadPoolExecutor(len(self.nodes))
        ways = [threads.submit(self._bring_up, node, done) for node in self.nodes]
        ended = wait(ways, return_when=FIRST_EXCEPTION).done
        threads.shutdown(wait=False)  # who still asks a process for its health gives up when it is stopped
        if failures := [error for way in ended if (error := way.exception())]:
            self._stop.set()
            raise min(failures, key=lambda error: isinstance(error, StopRequestedError))

    def _bring_up(self, node: Node, done: Mapping[str, threading.Event]) -> None:
        """The life of one node until it is ready."""
        while not all(done[name].is_set() for name in node.after):
            self._pause(_POLL_SECONDS)
        begun = time.monotonic()
        self._run(node)
        done[node.name].set()
        self.tell(f"{node.name} ready after {time.monotonic() - begun:.1f} s")

    def _run(self, node: Node) -> None:
        """Start a component and wait until it is of use, or run a job to its end."""
        if isinstance(node, Component):
            node.prepare()
        written = node.log.stat().st_size if node.log.exists() else 0
        began = time.time()
        child = self._launch(node)
        if child is None:
            return
        deadline = time.monotonic() + node.timeout
        while missing := _missing(node, child, began):
            status = child.popen.poll()
            if status or (status == 0 and isinstance(node, Component)):
                raise _failure(f"{node.name} {_ending(child)} before it was ready", node.log, written)
            if time.monotonic() > deadline:
                if isinstance(node, Job):
                    processes.stop(child)  # its next run must not meet it
                what = f"{node.name} did not become ready within {node.timeout:.0f} s: {missing}"
                raise _failure(what, node.log, written)
            self._pause(_POLL_SECONDS)
        if isinstance(node, Job):
            with self._lock:
                del self.children[node.name]
            self.changed()

    def _launch(self, node: Node) -> Child | None:
        """Start a child unless the end was asked for; afterwards `stop` knows of it in any case."""
        with self._lock:
            if self._stop.is_set():
                raise StopRequestedError
            child = node.start()
            if child is not None:
                self.children[node.name] = child
        self.changed()
        return child

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
                if child is None or child.popen.poll() is not None:
                    with suppress(StopRequestedError):
                        self._restart(component, _ending(child))

    def _restart(self, component: Component, ending: str) -> None:
        """One attempt to bring a dead component back, with whatever died with it."""
        now = time.monotonic()
        deaths = [at for at in self._deaths.get(component.name, []) if at > now - self.limit.seconds]
        self._deaths[component.name] = deaths = [*deaths, now]
        if len(deaths) > self.limit.deaths:
            what = f"{component.name} {ending}, {len(deaths)} times in {self.limit.seconds:.0f} s"
            raise _failure(what, component.log)
        self.tell(f"{component.name} {ending}; it is started again")
        self._pause(self.limit.pause(len(deaths) - 1))
        try:
            self._run(component)
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
        """End everything, at once but for what ends last."""
        self._stop.set()
        with self._lock:
            running = dict(self.children)
        for job in (node for node in self.nodes if isinstance(node, Job) and node.name in running):
            processes.stop(running[job.name], grace=1.0)
        for last in (False, True):
            with ThreadPoolExecutor() as threads:
                threads.map(self._take_down, [c for c in self.components if c.ends_last is last])


def _ending(child: Child | None) -> str:
    """How a child ended, as the rest of a sentence."""
    status = child.popen.poll() if child else None
    if status is None:
        return "is not running"
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _missing(node: Node, child: Child, began: float) -> str | None:
    """What a component lacks until it is of use, or a job until it is done; None when nothing."""
    if isinstance(node, Component):
        return node.missing(began)
    return None if child.popen.poll() == 0 else "it has not ended"


def _failure(what: str, log: Path, written: int = 0) -> StackUnavailable:
    """A failure with the last words of the guilty, of what it wrote after byte `written`."""
    words = "\n".join(f"  {line}" for line in last_lines(log, start=written)) or "  (it wrote nothing)"
    return StackUnavailable(
        f"{what}. The end of {log}:\n{words}",
        remedy="Mend what the log names, then `airline up` again; `airline doctor` checks this machine",
    )
