"""What the Markdown pages name is there: files, headings, paths, commands, settings."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from airline_platform.settings import Settings
from command.cli import app

REPOSITORY = Path(__file__).parents[2]
DOCS = REPOSITORY / "docs"
PAGES = sorted([REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *DOCS.rglob("*.md")])

ROOMS = "airline_platform|assets|benchmarks|command|docs|glue_jobs|infra|laptop|resources|sensors|tests"
"""Folders with whose names a path of this repository begins."""

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(([^()\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PATH = re.compile(rf"(?:{ROOMS})(?:/[\w.-]+)+/?")
FILE_IN_TEXT = re.compile(rf"\b(?:{ROOMS})(?:/[\w-]+)+[.](?:py|yaml|md)\b(?!:\d)")
COMMAND = re.compile(r"^(?:\S+/)?airline ([a-z]+)", re.MULTILINE)

COMMANDS = {each.name or each.callback.__name__ for each in app.registered_commands if each.callback}

LONGEST_README = 200


def prose(text: str) -> str:
    """The page without its blocks of code."""
    return FENCE.sub("", text)


def spans(text: str) -> Iterator[str]:
    """What stands in backticks, on one line each."""
    yield from (" ".join(found[2].split()) for found in SPAN.finditer(prose(text)))


def links(text: str) -> list[str]:
    """Targets of links and pictures that lead into this repository."""
    return [target for target in LINK.findall(SPAN.sub("", prose(text))) if "://" not in target]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors GitHub gives the headings of a page."""
    found: list[str] = []
    for heading in HEADING.findall(prose(page.read_text(encoding="utf-8"))):
        slug = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def broken_links(page: Path, text: str) -> list[str]:
    """Links of a page that lead to no file of this repository, or to no heading of one."""
    broken = []
    for target in links(text):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        there = file.exists() and file.is_relative_to(REPOSITORY)
        if not there or (anchor and (file.suffix != ".md" or anchor not in anchors(file))):
            broken.append(target)
    return broken


def missing_paths(text: str) -> list[str]:
    """Paths that a page names, in backticks or in a block of text, and that are not there."""
    named = [span for span in spans(text) if PATH.fullmatch(span)]
    for kind, block in FENCE.findall(text):
        named += FILE_IN_TEXT.findall(block) if kind == "text" else []
    return [path for path in named if not (REPOSITORY / path).exists()]


def named_commands(text: str) -> set[str]:
    """Commands that a page calls, in backticks or in a block of code."""
    code = [*spans(text), *(block for _, block in FENCE.findall(text))]
    return {name for each in code for name in COMMAND.findall(each)}


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_that_is_named_is_there(page: Path) -> None:
    assert missing_paths(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_that_is_called_is_there(page: Path) -> None:
    assert named_commands(page.read_text(encoding="utf-8")) - COMMANDS == set()


def test_the_page_of_commands_has_each_of_them() -> None:
    text = (DOCS / "commands.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `([a-z]+)", text, re.MULTILINE)) == COMMANDS


def test_the_page_of_settings_has_each_of_them() -> None:
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    own = {f"AIRLINE_{name.upper()}" for name, it in Settings.model_fields.items() if not it.validation_alias}

    assert set(re.findall(r"^\| `(AIRLINE_\w+)", text, re.MULTILINE)) == own


def test_who_runs_dagster_in_an_account_is_told_what_a_retry_needs() -> None:
    text = (REPOSITORY / "laptop/dagster/instance.yaml").read_text(encoding="utf-8")
    page = (DOCS / "aws.md").read_text(encoding="utf-8")

    told = {}
    for span in spans(page):
        if span.startswith(("run_retries:", "run_monitoring:")):
            told |= yaml.safe_load(span)
    here = yaml.safe_load(text)
    assert told["run_retries"] == here["run_retries"]
    assert told["run_monitoring"].items() <= here["run_monitoring"].items()


def test_the_readme_is_read_in_one_sitting() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) < LONGEST_README


def test_a_link_to_nowhere_is_found() -> None:
    page = REPOSITORY / "README.md"
    text = (
        "[a](docs/nothing.md) [b](docs/files.md#nothing) [c](#nothing) [d](../elsewhere.md)\n"
        "[e](docs/files.md#generate-files) [f](https://example.com) `[g](nothing.md)`\n"
    )

    assert broken_links(page, text) == [
        "docs/nothing.md",
        "docs/files.md#nothing",
        "#nothing",
        "../elsewhere.md",
    ]


def test_a_path_that_is_not_there_is_found() -> None:
    text = (
        "`assets/nothing.py`, `assets/marts/sql`, `assets/<feed>.py`, `daily_flights/x.csv`\n"
        "```text\n1  lists  assets/ingest/raw.py\n2  reads  sensors/nothing.py\n"
        "assets/no.py:15: a message\n```\n"
    )

    assert missing_paths(text) == ["assets/nothing.py", "sensors/nothing.py"]


def test_a_command_that_is_not_there_is_found() -> None:
    text = (
        "`airline fly` and `after the crawl, airline differs`\n"
        "```sh\nairline up\n.venv/bin/airline sink\n```\n"
    )

    assert named_commands(text) == {"fly", "up", "sink"}
