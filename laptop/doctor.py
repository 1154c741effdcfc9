"""What is missing on this machine, and how to get it."""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import psutil
from packaging.requirements import Requirement

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings, get_settings
from laptop import postgres
from laptop.spark.java import find_java

DISTRIBUTION = "airline-platform"
INSTALL = "pip install -e '.[local]'"

_FREE_DISK_GB = 2.0
_FREE_MEMORY_GB = 3.0
_LAUNCHES = {
    "direct": "as this user",
    "namespace": "as root, in a user namespace",
    "nobody": "as root without user namespaces: it runs as `nobody`",
}
_LONGEST_HOME = 180
"""Spark and Dagster put up to 70 characters behind the home, and some tools stop at 255."""


@dataclass(frozen=True)
class Check:
    """One thing a laptop needs: what was found, whether it will do, and a remedy where it will not."""

    name: str
    ok: bool
    found: str
    remedy: str = ""


def checks(settings: Settings | None = None) -> list[Check]:
    """Look at everything; takes about a second, changes nothing and reaches no network."""
    settings = settings or get_settings()
    return [
        _python(),
        _packages(),
        _java(),
        _postgres(),
        _home(settings.home),
        _disk(settings.home),
        _memory(),
    ]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info[:2] == (3, 11)
    return Check("Python 3.11", good, found, "" if good else "Install Python 3.11 and make the venv anew")


def _packages() -> Check:
    """Packages of the `local` extra that belong on this machine."""
    needed = [Requirement(line) for line in requires(DISTRIBUTION) or []]
    mine = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": "local"})]
    wrong = [problem for problem in map(_package_problem, mine) if problem]
    found = ", ".join(wrong) or f"all {len(mine)}"
    return Check("Python packages", not wrong, found, f"Run: {INSTALL}" if wrong else "")


def _package_problem(requirement: Requirement) -> str | None:
    """What is wrong with an installed package."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name} is {installed}, not {requirement.specifier}"


def _java() -> Check:
    """Java 17 from JAVA_HOME, the PATH, or the wheel that carries one."""
    return _tried("Java 17", lambda: str(find_java()))


def _postgres() -> Check:
    """Whether the server's program runs here, the way it will be run."""
    return _tried("PostgreSQL", lambda: f"{postgres.version_check()} ({_LAUNCHES[postgres.launch_mode()]})")


def _tried(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, found=attempt())
    except AirlineError as error:
        return Check(name, ok=False, found=str(error.args[0]), remedy=error.remedy)


def _home(home: Path) -> Check:
    """Whether the state folder can be written, and its path leaves room for what goes below it."""
    parent = _nearest(home)
    if not os.access(parent, os.W_OK | os.X_OK):
        return Check("State folder", ok=False, found=f"{parent} cannot be written", remedy="Set AIRLINE_HOME")
    if len(str(home)) > _LONGEST_HOME:
        found = f"a path of {len(str(home))} characters"
        return Check("State folder", ok=False, found=found, remedy="Set AIRLINE_HOME to a shorter path")
    if os.geteuid() == 0 and postgres.launch_mode() == "nobody" and not _open_to_others(parent):
        remedy = "Set AIRLINE_HOME to a folder `nobody` may enter, for example /var/tmp/airline"
        return Check("State folder", ok=False, found=f"`nobody` cannot enter {parent}", remedy=remedy)
    return Check("State folder", ok=True, found=str(home))


def _nearest(path: Path) -> Path:
    """The path, or the closest folder above it that exists."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _open_to_others(folder: Path) -> bool:
    """Whether any user may pass through a folder and all above it."""
    return all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents))


def _disk(home: Path) -> Check:
    free = shutil.disk_usage(_nearest(home)).free / 1e9
    return _at_least("Free disk", free, _FREE_DISK_GB, "Free some disk, or set AIRLINE_HOME to another one")


def _memory() -> Check:
    free = psutil.virtual_memory().available / 1e9
    return _at_least(
        "Free memory", free, _FREE_MEMORY_GB, "Close something large; Spark alone takes 1 to 2 GB"
    )


def _at_least(name: str, free: float, needed: float, remedy: str) -> Check:
    enough = free >= needed
    return Check(name, enough, f"{free:.1f} GB of {needed:.0f} GB needed", "" if enough else remedy)
