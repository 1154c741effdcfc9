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
_MORE_DISK = "Free some disk, or set AIRLINE_HOME to another one"
_MORE_MEMORY = "Close something large; Spark alone takes 1 to 2 GB"
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
        _tried("Java 17", lambda: str(find_java())),
        _tried("PostgreSQL", lambda: f"{postgres.version_check()} ({_LAUNCHES[postgres.launch_mode()]})"),
        home_check(settings.home),
        at_least("Free disk", shutil.disk_usage(_nearest(settings.home)).free, _FREE_DISK_GB, _MORE_DISK),
        at_least("Free memory", psutil.virtual_memory().available, _FREE_MEMORY_GB, _MORE_MEMORY),
    ]


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    remedy = "" if good else "Install Python 3.11, 3.12 or 3.13 and make the venv anew"
    return Check("Python", good, version, remedy)


def _packages() -> Check:
    """Packages of the `local` extra that belong on this machine."""
    needed = [Requirement(line) for line in requires(DISTRIBUTION) or []]
    mine = [r for r in needed if r.marker is None or r.marker.evaluate({"extra": "local"})]
    wrong = [problem for problem in map(package_problem, mine) if problem]
    found = ", ".join(wrong) or f"all {len(mine)}"
    return Check("Python packages", not wrong, found, f"Run: {INSTALL}" if wrong else "")


def package_problem(requirement: Requirement) -> str | None:
    """What is wrong with an installed package."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    return f"{requirement.name} is {installed}, not {requirement.specifier}"


def _tried(name: str, attempt: Callable[[], str]) -> Check:
    try:
        return Check(name, ok=True, found=attempt())
    except AirlineError as error:
        return Check(name, ok=False, found=str(error.args[0]), remedy=error.remedy)


def home_check(home: Path) -> Check:
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


def at_least(name: str, free: float, needed: float, remedy: str) -> Check:
    """Whether of something there is enough: bytes that are free, and GB that are needed."""
    enough = free >= needed * 1e9
    return Check(name, enough, f"{free / 1e9:.1f} GB of {needed:.0f} GB needed", "" if enough else remedy)
