"""Which of a stack's processes execute Dagster runs."""

from pathlib import Path

import psutil

from airline_platform.settings import Settings
from laptop import processes


def run_processes(home: Path) -> list[psutil.Process]:
    """Copies of the run server, and what the code server has started in its place; not what they start."""
    server = Settings(home=home).running_stack().get("components", {}).get("run-server", {}).get("pid")
    forked = [each for each in processes.owned_by(home, "run-server") if _runs(each, "run_server")]
    started = [each for each in processes.owned_by(home, "code-server") if _runs(each, "spawn_main")]
    return [process for process in forked + started if process.pid != server]


def _runs(process: psutil.Process, program: str) -> bool:
    try:
        return any(program in part for part in process.cmdline())
    except psutil.Error:
        return False
