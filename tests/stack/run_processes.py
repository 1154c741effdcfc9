"""Which of a stack's processes execute Dagster runs."""

from pathlib import Path

import psutil

from airline_platform.local import processes
from airline_platform.settings import Settings


def run_processes(home: Path) -> list[psutil.Process]:
    """Copies of the run server, and what the code server has started in its place."""
    server = Settings(home=home).running_stack().get("components", {}).get("run-server", {}).get("pid")
    forked = [process for process in processes.owned_by(home, "run-server") if process.pid != server]
    started = processes.owned_by(home, "code-server")
    return forked + [process for process in started if _is_multiprocessing(process)]


def _is_multiprocessing(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in part for part in process.cmdline())
    except psutil.Error:
        return False
