"""Processes of the laptop stack: started with a log of their own, told apart, stopped for certain.

A process is remembered as (pid, creation time): a pid alone may belong to a stranger by the time it is used.
"""

import re
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import psutil

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
    """One process, and no later one that got the same pid; its times are psutil's, since the epoch."""

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


def start(
    command: Sequence[str], *, log: Path, environment: Mapping[str, str], cwd: Path, **more: Any
) -> Child:
    """Start a child in a session of its own, with stdout and stderr at the end of `log`.

    The session keeps a terminal's Ctrl-C from it: whoever started it decides the order of stopping. A log
    that has become large is put aside first. `more` are arguments of `subprocess.Popen`, such as `user`.

    Raises:
        OSError: The program cannot be executed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    rotate(log)
    with log.open("ab") as output:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            **more,
        )
    return Child(popen, ProcessId.of(popen.pid))


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
    everyone: dict[psutil.Process, None] = {}
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            everyone |= dict.fromkeys([process, *process.children(recursive=True)])
    return list(everyone)


def owned_by(home: Path, component: str | None = None) -> list[psutil.Process]:
    """Every process that carries the mark of the stack of `home`, except this one and its ancestors.

    A run worker whose parent is gone belongs to nobody in the process tree; its environment still tells.
    Where a component is named, only what this one started.
    """
    me = psutil.Process()
    spared = {me.pid, *(parent.pid for parent in me.parents())}
    marks = {OWNER_VARIABLE: str(home)} | ({COMPONENT_VARIABLE: component} if component else {})
    everyone = psutil.process_iter(["environ"])  # None of a process that does not let itself be read
    marked = [each for each in everyone if marks.items() <= (each.info["environ"] or {}).items()]
    return [process for process in marked if process.pid not in spared]


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
    """Stop a child and whatever it started, as `end` does, and take its exit status."""
    end([child.identity], grace=grace, signal_number=signal_number)
    child.popen.wait()
