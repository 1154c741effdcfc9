"""How much memory a stack takes: all its processes together, each page counted once, or each kind of them."""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from statistics import median

import psutil

from benchmarks.laptop import Bench

LOOK_SECONDS = 0.5
MB = 1_000_000


@dataclass
class Memory:
    """What was seen, in MB."""

    seen: list[float] = field(default_factory=list)

    @property
    def peak(self) -> float:
        """The most."""
        return max(self.seen)


KINDS = {
    "spark/worker.py": "the Glue job's Python",
    "bin/java": "Spark's JVM",
    "bin/postgres": "PostgreSQL",
    "postgres:": "PostgreSQL",
    "laptop.gateway": "the gateway",
    "laptop.dagster.run_server": "Dagster's runs",
    "laptop.dagster.daemon": "Dagster's daemon",
    "dagster_webserver": "Dagster's webserver",
    "dagster code-server": "Dagster's code server",
    "dagster api": "Dagster's code server",
}
"""What a process is, by a part of its command line."""


def processes_of(bench: Bench) -> list[psutil.Process]:
    """The supervisor and all it has started."""
    supervisor = psutil.Process(bench.settings.running_stack()["supervisor"]["pid"])
    return [supervisor, *supervisor.children(recursive=True)]


def kind_of(process: psutil.Process) -> str:
    """What a process of the stack is.

    Raises:
        psutil.NoSuchProcess: It has ended.
    """
    line = " ".join(process.cmdline())
    return next((kind for part, kind in KINDS.items() if part in line), "the supervisor")


def memory_by_kind(bench: Bench) -> dict[str, float]:
    """MB the stack's processes take now, by what they are; a page that several share counts in parts (PSS).

    Where the system does not tell that, it is what they have in memory (RSS), shared pages each time.
    """
    taken: defaultdict[str, float] = defaultdict(float)
    for process in processes_of(bench):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found = process.memory_full_info()
            taken[kind_of(process)] += getattr(found, "pss", found.rss) / MB
    return taken


def stack_memory(bench: Bench) -> float:
    """MB all of the stack's processes take now."""
    return sum(memory_by_kind(bench).values())


def idle_memory(bench: Bench, looks: int = 5) -> float:
    """MB the stack takes while nothing is asked of it."""
    found = []
    for _ in range(looks):
        found.append(stack_memory(bench))
        time.sleep(LOOK_SECONDS)
    return median(found)


@contextmanager
def watched_memory(bench: Bench) -> Iterator[Memory]:
    """Look twice a second while the block runs."""
    memory = Memory([stack_memory(bench)])
    with _looking(lambda: memory.seen.append(stack_memory(bench))):
        yield memory


@contextmanager
def watched_processes(bench: Bench) -> Iterator[dict[str, float]]:
    """Look twice a second while the block runs; the most that each kind of process takes."""
    peaks = memory_by_kind(bench)

    def look() -> None:
        for kind, taken in memory_by_kind(bench).items():
            peaks[kind] = max(peaks.get(kind, 0.0), taken)

    with _looking(look):
        yield peaks


@contextmanager
def _looking(look: Callable[[], None]) -> Iterator[None]:
    done = threading.Event()

    def look_on() -> None:
        while not done.wait(LOOK_SECONDS):
            look()

    thread = threading.Thread(target=look_on, name="memory", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
