"""Imports run one way through the house, and what travels to Glue imports only what Glue has."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
FOUNDATION = {
    *("settings", "errors", "jobs", "partitions"),
    *("characters", "csv_records", "currencies", "feeds", "markers", "marts", "reading", "tables"),
    *("headers", "json_heads", "json_records", "verdicts"),
}
"""Modules of airline_platform on which every room may stand."""

TRAVELS = {"characters", "csv_records", "currencies", "feeds", "json_records", "markers", "reading", "tables"}
"""Those that go to Glue beside the jobs."""

# Each room, and the rooms it may import besides itself and the foundation.
BELOW = {
    "resources": set(),
    "assets": {"resources"},
    "sensors": {"assets", "resources"},
}  # type: dict[str, set[str]]
ROOMS = {"airline_platform", "assets", "resources", "sensors", "glue_jobs"}


def imported(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[Path]:
    found = sorted((REPOSITORY / room).glob("*.py"))
    assert found, f"{room} is empty"
    return found


def rooms_of(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imported(path)} & ROOMS


def platform_modules(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imported(path) if name.startswith("airline_platform.")}


def name(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def test_imports_anywhere_in_a_file_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import a.b\nif True:\n    from c import d\ndef f():\n    from e.f import g as h\n")

    assert list(imported(path)) == ["a.b", "c.d", "e.f.g"]


@pytest.mark.parametrize("path", [path for room in BELOW for path in files(room)], ids=name)
def test_a_room_imports_only_rooms_below_it_and_the_foundation(path: Path) -> None:
    room = path.parent.name

    assert rooms_of(path) - {room, "airline_platform"} <= BELOW[room]
    assert platform_modules(path) <= FOUNDATION


@pytest.mark.parametrize("module", sorted(FOUNDATION))
def test_the_foundation_imports_no_room_and_nothing_above_itself(module: str) -> None:
    path = REPOSITORY / "airline_platform" / f"{module}.py"

    assert rooms_of(path) <= {"airline_platform"}
    assert platform_modules(path) <= FOUNDATION


@pytest.mark.parametrize("module", sorted(TRAVELS))
def test_what_travels_to_glue_with_the_jobs_needs_the_standard_library_alone(module: str) -> None:
    path = REPOSITORY / "airline_platform" / f"{module}.py"
    others = {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names

    assert others <= {"airline_platform"}
    assert platform_modules(path) <= TRAVELS


@pytest.mark.parametrize("path", files("glue_jobs"), ids=name)
def test_a_glue_job_knows_neither_dagster_nor_the_rooms(path: Path) -> None:
    others = {name.partition(".")[0] for name in imported(path)} - sys.stdlib_module_names

    assert others <= {
        "airline_platform",
        "glue_jobs",
        "pyspark",
        # Glue has it, for PySpark hands batches to Python in it.
        "pyarrow",
        "awsglue",
        "boto3",
        "botocore",
        "dagster_pipes",
    }
    assert platform_modules(path) <= TRAVELS


def test_nothing_but_the_front_door_starts_the_laptop() -> None:
    rooms = [path for room in (*BELOW, "glue_jobs") for path in files(room)]
    definitions = REPOSITORY / "airline_platform" / "definitions.py"

    assert [name(path) for path in (*rooms, definitions) if "local" in platform_modules(path)] == []


def test_the_front_doors_package_is_empty() -> None:
    assert (REPOSITORY / "airline_platform" / "__init__.py").read_text() == ""


def test_the_composition_root_decides_nothing() -> None:
    tree = ast.parse((REPOSITORY / "airline_platform" / "definitions.py").read_text())

    assert [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.IfExp | ast.Match)] == []
