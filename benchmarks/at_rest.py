"""What the platform takes while nothing lands, and how long its commands let people wait."""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from statistics import median

import psutil

from benchmarks.figures import Figure, Section
from benchmarks.laptop import Bench
from benchmarks.memory import idle_memory, kind_of, memory_by_kind, processes_of

DAYS = date(2018, 7, 1), date(2018, 7, 10)
COMMANDS = {
    "help": (["--help"], 0.3),
    "status": (["status"], 1.0),
    "query": (["query", "SELECT 1 AS answer"], 0.7),
}
"""Of the command line, and the seconds each is to take at most."""

REPEATS = 7
SETTLING_SECONDS = 45.0
"""Until what a load leaves behind is done: alerts, ticks that look for marts, the JVM's compilers."""

WATCHED_SECONDS = 60.0
MOST_MEMORY_MB, MOST_CPU = 1_000, 3


def measure(bench: Bench) -> Section:
    """Load some days with their marts, come to rest, and look on; then call the commands."""
    bench.sensors("automation_sensor", running=True)
    bench.land(bench.flights(*DAYS))
    bench.wait_until_quiet()
    time.sleep(SETTLING_SECONDS)
    bench.wait_until_quiet()
    cpu = _cpu(bench, WATCHED_SECONDS)
    memory, kinds = idle_memory(bench), memory_by_kind(bench)
    seconds = {name: _seconds(bench, arguments) for name, (arguments, _) in COMMANDS.items()}
    return Section(
        "At rest",
        figures(seconds, memory, sum(cpu.values())),
        [
            (
                f"Memory by process: {_listed(kinds, 'MB', 0)}; pages that several share count once. "
                f"All sensors run. CPU over {WATCHED_SECONDS:.0f} s, in seconds: {_listed(cpu, 's', 2)}."
            ),
            f"A command is a process, from its start to its end; the median of {REPEATS}.",
        ],
    )


def figures(seconds: Mapping[str, float], memory: float, cpu: float) -> Sequence[Figure]:
    """What is said of it.

    Args:
        seconds: By the name of the command.
        memory: MB of all processes.
        cpu: Seconds of CPU within `WATCHED_SECONDS`.
    """
    return (
        Figure("idle_mb", memory, "MB", "memory of all processes, nothing landing", MOST_MEMORY_MB),
        Figure("idle_cpu", 100 * cpu / WATCHED_SECONDS, "%", "of one core, nothing landing", MOST_CPU),
        *(
            Figure(f"command_{name}_s", seconds[name], "s", f"`airline {' '.join(arguments)}`", most)
            for name, (arguments, most) in COMMANDS.items()
        ),
    )


def _seconds(bench: Bench, arguments: Sequence[str]) -> float:
    taken = []
    for _ in range(REPEATS):
        began = time.monotonic()
        bench.run(*arguments)
        taken.append(time.monotonic() - began)
    return median(taken)


def _cpu(bench: Bench, seconds: float) -> dict[str, float]:
    """Seconds of CPU that each of the stack's processes takes meanwhile."""
    before = {process: _spent(process) for process in processes_of(bench)}
    time.sleep(seconds)
    taken: defaultdict[str, float] = defaultdict(float)
    for process, spent in before.items():
        with suppress(psutil.NoSuchProcess):
            taken[kind_of(process)] += _spent(process) - spent
    return taken


def _spent(process: psutil.Process) -> float:
    """Seconds of CPU since its start; of children that have ended it counts theirs, too."""
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _listed(values: Mapping[str, float], unit: str, decimals: int) -> str:
    largest = sorted(values.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value:,.{decimals}f} {unit}" for name, value in largest)
