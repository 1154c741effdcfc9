"""Where the benchmarks run: machine, versions, commit, and how large a day is."""

import os
import platform
import subprocess
import tempfile
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from airline_platform.feeds.flights import FLIGHTS
from benchmarks.laptop import ROWS_A_DAY
from benchmarks.results import Circumstances
from command.generators.files import Order, generate_files
from laptop.postgres import version_check

REPOSITORY = Path(__file__).parents[1]
PACKAGES = ("dagster", "pyspark", "duckdb", "pandas", "dlt")
RESULTS = ":!benchmarks/results"
"""What is being written is no change of what is measured."""


def circumstances() -> Circumstances:
    """Those of now."""
    return Circumstances(
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        commit=_git("rev-parse", "--short", "HEAD"),
        dirty=bool(_git("status", "--porcelain", "--", ".", RESULTS)),
        machine=machine(),
        versions=versions(),
        data=data(),
    )


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, and memory."""
    return {
        "CPU": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Of what takes part."""
    return {
        "Python": platform.python_version(),
        "PostgreSQL": version_check().rpartition(" ")[2],
        **{name: _version(name) for name in PACKAGES},
    }


def data() -> dict[str, Any]:
    """How large a day of flights is, as it lands."""
    day = date(2013, 1, 1)
    with tempfile.TemporaryDirectory() as folder:
        order = Order(FLIGHTS.name, day, day, Path(folder), rows=ROWS_A_DAY)
        size = generate_files(order, lambda _day: None)[day].size
    return {"a day": f"{ROWS_A_DAY:,} flights, {size / 1000:,.0f} kB of CSV"}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str:
    """What git says; nothing where there is none."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
