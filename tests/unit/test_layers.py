"""Imports run one way through the house, and what travels to Glue imports only what Glue has."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]

FLOORS = (
    {"airline_platform.errors"},
    {"airline_platform.contract"},
    {"airline_platform.feeds"},
    {"airline_platform.files", "glue_jobs.records"},
    {"airline_platform.settings"},
    {"airline_platform.days", "airline_platform.run_tags"},
    {"airline_platform.partitions", "airline_platform.jobs"},
    {"glue_jobs", "resources.aws", "resources.acceptance"},
    {"resources.landing", "resources.lake", "resources.catalog", "resources.topic", "resources.pipes"}
    | {"resources.cost"},
    {"resources.glue", "resources.athena", "resources.queue", "resources.inbox"},
    {"resources.warehouse"},
    {"resources"},
    {"assets.failures", "assets.code_version"},
    {"assets.marts.mart", "assets.marts.thresholds"},
    {"assets.marts.declared"},
    {"assets.marts.declarations", "assets.report.location"},
    {"assets.lineage", "assets.schema", "assets.marts.replacement"},
    {"assets.description", "assets.checks"},
    {"assets.alerts"},
    {"assets.isolation", "assets.freshness", "assets.warehouse_catalog"},
    {"assets.ingest"},
    {"assets.marts"},
    {"assets.report"},
    {"assets"},
    {"sensors"},
    {"airline_platform.definitions"},
    {"command.deploy"},
    {"laptop"},
    {"command"},
    {"benchmarks"},
)
"""From the ground up. A room is a module, or a package with all below it that is no room of its own; it
imports itself and what lies on the floors below, and nothing beside it."""

ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
TOP_LEVEL = {room.partition(".")[0] for room in ROOMS}

FRONT_DOOR = REPOSITORY / "airline_platform" / "__init__.py"
"""The package of the ground floors; a room itself it is not."""

TRAVELLING = ("airline_platform.contract", "airline_platform.feeds", "airline_platform.files")
"""Packages that go to Glue beside the jobs."""

STANDARD_LIBRARY_ALONE = (*TRAVELLING, "glue_jobs.records")

GLUE_HAS = {"pyspark", "pyarrow", "awsglue", "boto3", "botocore", "dagster_pipes"}

LARGEST_FOLDER = 12
"""Modules of a folder, besides its `__init__`: what a reader takes in at a glance."""


def imported(path: Path) -> Iterator[str]:
    """Full names of all that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module(path: Path) -> str:
    return path.relative_to(REPOSITORY).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def files(*packages: str) -> list[Path]:
    found = [path for name in packages for path in (REPOSITORY / name.replace(".", "/")).rglob("*.py")]
    assert found, f"{packages} are empty"
    return sorted(path for path in found if "awsglue_shim" not in path.parts)


def room_of(name: str) -> str | None:
    """The room a module, or a name in one, belongs to; None for what is not ours."""
    parts = name.split(".")
    if parts[0] not in TOP_LEVEL:
        return None
    prefixes = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in ROOMS), None)


def test_imports_anywhere_in_a_file_are_seen(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text("import a.b\nif True:\n    from c import d\ndef f():\n    from e.f import g as h\n")

    assert list(imported(path)) == ["a.b", "c.d", "e.f.g"]


def test_the_nearest_package_in_the_table_is_a_module_s_room() -> None:
    assert room_of("command.deploy.stack.Stack") == "command.deploy"
    assert room_of("command.cli") == "command"
    assert room_of("airline_platform.unheard_of") is None


@pytest.mark.parametrize("path", [path for path in files(*TOP_LEVEL) if path != FRONT_DOOR], ids=module)
def test_a_module_imports_its_own_room_and_what_lies_below(path: Path) -> None:
    name = module(path)
    room = room_of(name)
    assert room, f"{name} stands on no floor"
    ours = {other for other in imported(path) if other.partition(".")[0] in TOP_LEVEL}

    wrong = {
        other
        for other in ours
        if (its := room_of(other)) != room and (its is None or ROOMS[its] >= ROOMS[room])
    }
    assert wrong == set()


@pytest.mark.parametrize("path", files(*STANDARD_LIBRARY_ALONE), ids=module)
def test_what_travels_to_glue_needs_the_standard_library_alone(path: Path) -> None:
    others = {name for name in imported(path) if name.partition(".")[0] not in sys.stdlib_module_names}

    assert {name for name in others if not name.startswith(STANDARD_LIBRARY_ALONE)} == set()


@pytest.mark.parametrize("path", files("glue_jobs"), ids=module)
def test_a_glue_job_needs_what_glue_has_and_what_travels_with_it(path: Path) -> None:
    others = {name for name in imported(path) if name.partition(".")[0] not in sys.stdlib_module_names}
    ours = {name for name in others if name.startswith((*TRAVELLING, "glue_jobs"))}

    assert {name.partition(".")[0] for name in others - ours} <= GLUE_HAS


def test_no_folder_has_more_modules_than_a_reader_takes_in() -> None:
    folders = {path.parent for path in files(*TOP_LEVEL - {"benchmarks"})}
    sizes = {
        folder.relative_to(REPOSITORY).as_posix(): len(
            [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        )
        for folder in folders
    }

    assert {folder: size for folder, size in sizes.items() if size > LARGEST_FOLDER} == {}


def test_the_front_doors_package_is_empty() -> None:
    assert FRONT_DOOR.read_text() == ""


def test_the_composition_root_decides_nothing() -> None:
    tree = ast.parse((REPOSITORY / "airline_platform" / "definitions.py").read_text())

    assert [node for node in ast.walk(tree) if isinstance(node, ast.If | ast.IfExp | ast.Match)] == []
