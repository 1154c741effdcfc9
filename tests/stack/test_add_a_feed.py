"""The page about a new feed is true: its blocks, executed on a copy of the checkout, load its rows."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs" / "add-a-feed.md"
BLOCK = re.compile(r"^```(\w+)(?: file=(\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)

DECLARATION_LINES = 60
"""What a feed without code of its own may take."""

WEATHER = """
SELECT origin, time_hour, temp, dewp, humid, wind_dir, wind_speed, wind_gust, precip, pressure, visib
FROM airlines.fact_weather ORDER BY origin, time_hour
"""
LANDED = """
SELECT origin, CAST(time_hour AS TIMESTAMP) AS time_hour, CAST(temp AS DECIMAL(14, 3)) AS temp,
    CAST(dewp AS DECIMAL(14, 3)) AS dewp, CAST(humid AS DECIMAL(14, 3)) AS humid,
    CAST(wind_dir AS BIGINT) AS wind_dir, CAST(wind_speed AS DECIMAL(14, 3)) AS wind_speed,
    CAST(wind_gust AS DECIMAL(14, 3)) AS wind_gust, CAST(precip AS DECIMAL(14, 3)) AS precip,
    CAST(pressure AS DECIMAL(14, 3)) AS pressure, CAST(visib AS DECIMAL(14, 3)) AS visib
FROM read_csv('{files}', header = true, all_varchar = true, nullstr = 'NA') ORDER BY origin, time_hour
"""


@dataclass(frozen=True)
class Block:
    """A block of the page: a program, or the contents of a file."""

    kind: str
    file: str
    text: str


@dataclass(frozen=True)
class Checkout:
    """A copy of the checkout, with a laptop stack of its own."""

    folder: Path

    def run(self, script: str) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=os.environ
            | {
                "AIRLINE_HOME": str(self.folder / ".airline"),
                "AIRLINE_UI_PORT": "0",
                "PYTHONPATH": str(self.folder),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            },
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def query(self, sql: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run(f'airline query --json "{sql}"'))
        return rows


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    folder = tmp_path_factory.mktemp("checkout")
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPOSITORY / name, folder / name)
    copy = Checkout(folder)
    yield copy
    copy.run("airline down")


def blocks() -> list[Block]:
    return [Block(kind, file, text) for kind, file, text in BLOCK.findall(PAGE.read_text(encoding="utf-8"))]


def weather_is_what_landed(checkout: Checkout) -> None:
    rows = [tuple(row.values()) for row in checkout.query(WEATHER)]
    landed = duckdb.sql(LANDED.format(files=f"{checkout.folder}/landing/weather/*/*.csv")).fetchall()

    def plain(value: Any) -> str:
        if value is None:
            return ""
        return str(value).replace("T", " ").removesuffix("+00:00") if isinstance(value, str) else f"{value:f}"

    expected = [tuple(str(v) if not isinstance(v, float) else v for v in row) for row in landed]
    assert len(rows) == len(expected) == 3 * 3 * 24
    for row, its in zip(rows, expected, strict=True):
        assert row[0] == its[0]
        assert plain(row[1]) == its[1]
        assert [None if v is None else float(v) for v in row[2:]] == [
            None if v == "None" else float(v) for v in its[2:]
        ]


def bags_are_tagged_in_capitals(checkout: Checkout) -> None:
    assert [row["tag"] for row in checkout.query("SELECT tag FROM airlines.fact_baggage ORDER BY tag")] == [
        "LH0001",
        "LH0002",
    ]


AFTERWARDS: dict[str, Callable[[Checkout], None]] = {
    "airlines.fact_weather": weather_is_what_landed,
    "airlines.fact_baggage": bags_are_tagged_in_capitals,
}
"""What has to hold after the block that asks for a table."""


@pytest.mark.timeout(600)
def test_the_page_s_blocks_add_feeds_to_a_checkout(checkout: Checkout) -> None:
    held = set()
    for block in blocks():
        if block.file:
            (checkout.folder / block.file).write_text(block.text, encoding="utf-8")
        elif block.kind == "sh":
            checkout.run(block.text)
            for table in [table for table in AFTERWARDS if table in block.text]:
                AFTERWARDS[table](checkout)
                held.add(table)

    assert held == AFTERWARDS.keys()


def test_a_feed_without_code_of_its_own_is_one_short_file() -> None:
    (declaration,) = [block for block in blocks() if block.file.endswith("feeds/weather.py")]

    assert len(declaration.text.splitlines()) <= DECLARATION_LINES
    assert [block.file for block in blocks() if block.file] == [
        "airline_platform/feeds/weather.py",
        "airline_platform/feeds/baggage.py",
        "glue_jobs/transforms/baggage.py",
    ]


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        (
            '"decimal", "Temp',
            '"decimel", "Temp',
            "type is 'decimel'; expected one of .*did you mean 'decimal'",
        ),
        ("noun=", "nuon=", "Feed has no option nuon; expected one of .*did you mean noun"),
        ('drift="ignore"', 'drift="ignored"', "drift is 'ignored'; expected one of refuse, ignore"),
    ],
)
def test_a_wrong_declaration_is_told_with_its_file_and_line(
    tmp_path: Path, right: str, wrong: str, told: str
) -> None:
    (declaration,) = [block for block in blocks() if block.file.endswith("feeds/weather.py")]
    for package in ("airline_platform", "command"):
        shutil.copytree(REPOSITORY / package, tmp_path / package)
    (tmp_path / declaration.file).write_text(declaration.text.replace(right, wrong), encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "command", "status"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert re.match(rf"airline_platform/feeds/weather\.py:\d+: .*{told}.*\nWhat to do: ", done.stderr)
