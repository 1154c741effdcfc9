"""How much memory a stack takes: all its processes together, each page counted once."""

import threading
import time
from collections.abc import Iterator
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


def stack_memory(bench: Bench) -> float:
    """MB the stack's processes take now; a page that several share counts in parts (PSS).

    Where the system does not tell that, it is what they have in memory (RSS), shared pages each time.
    """
    supervisor = psutil.Process(bench.settings.running_stack()["supervisor"]["pid"])
    total = 0
    for process in (supervisor, *supervisor.children(recursive=True)):
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            found = process.memory_full_info()
            total += getattr(found, "pss", found.rss)
    return total / MB


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
    memory, done = Memory([stack_memory(bench)]), threading.Event()

    def look() -> None:
        while not done.wait(LOOK_SECONDS):
            memory.seen.append(stack_memory(bench))

    thread = threading.Thread(target=look, name="memory", daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        done.set()
        thread.join()
