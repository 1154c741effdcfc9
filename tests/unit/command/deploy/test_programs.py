"""What Glue runs travels as scripts and one package, which needs nothing but Python."""

import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import glue_jobs
from command.deploy.programs import PROGRAM_PACKAGE, glue_programs


def test_the_package_for_glue_needs_nothing_but_python(tmp_path: Path) -> None:
    package = tmp_path / PROGRAM_PACKAGE
    package.write_bytes(glue_programs()[f"glue_jobs/{PROGRAM_PACKAGE}"])
    script = (
        "import json, sys; sys.path.insert(0, sys.argv[1]); import airline_platform.feeds as f; "
        "import glue_jobs as j, dagster_pipes as p; print(json.dumps([it.__file__ for it in (f, j, p)]))"
    )

    # -I -S: neither this checkout nor any installed distribution is there.
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(package)], capture_output=True, text=True, check=True
    )

    found = json.loads(told.stdout)
    assert len(found) == 3
    assert all(file.startswith(str(package)) for file in found)


def test_the_package_for_glue_is_the_same_bytes_each_time_and_holds_the_jobs_imports() -> None:
    key = f"glue_jobs/{PROGRAM_PACKAGE}"
    first, second = glue_programs()[key], glue_programs()[key]

    assert first == second
    names = set(zipfile.ZipFile(io.BytesIO(first)).namelist())
    assert {
        "airline_platform/__init__.py",
        "airline_platform/feeds/flights.py",
        "airline_platform/contract/table.py",
    } <= names
    jobs = "".join(path.read_text() for path in Path(glue_jobs.__file__).parent.glob("*.py"))
    imported = set(
        re.findall(r"^\s*from (airline_platform\.\w+\.\w+|glue_jobs\.\w+) import", jobs, re.MULTILINE)
    )
    assert imported
    assert {f"{module.replace('.', '/')}.py" for module in imported} <= names
