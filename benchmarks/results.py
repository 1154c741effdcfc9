"""What the benchmarks have found, kept: `latest.json` for programs, `latest.md` for people.

A benchmark that is not measured again keeps its figures, each with the date and the commit they are from. One
that failed has none: its old ones would pass for new.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from benchmarks.figures import Figure, Section, Unit

JSON_NAME, MARKDOWN_NAME, PICTURE_NAME = "latest.json", "latest.md", "latest.svg"

DECIMALS: Mapping[Unit, int] = {"s": 2, "%": 1, "times": 2}
"""Of the units that have some."""


@dataclass(frozen=True)
class Circumstances:
    """Where and when something was measured.

    Args:
        date: ISO, in UTC.
        commit: Short; empty where there is no git.
        dirty: Whether the tree had changes that are in no commit.
        machine: Processor, cores and memory.
        versions: Of what takes part, by name.
        data: What is said of the data's sizes, by name.
    """

    date: str
    commit: str
    dirty: bool
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """One line."""
        at = f"{datetime.fromisoformat(self.date).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        commit = f" at {self.commit}" if self.commit else ""
        return f"{at}{commit}{' with changes that are in no commit' if self.dirty else ''}"


@dataclass(frozen=True)
class Outcome:
    """What came of one benchmark.

    Args:
        at: Where and when.
        section: What it says; None where it failed.
        error: Why it failed.
        seconds: It took, its stack's start and end among them.
    """

    at: Circumstances
    section: Section | None = None
    error: str | None = None
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """For `latest.json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Back from `latest.json`."""
        found = document["section"]
        section = found and Section(
            found["title"], [Figure(**each) for each in found["figures"]], tuple(found["notes"])
        )
        return cls(Circumstances(**document["at"]), section, document["error"], document["seconds"])


@dataclass(frozen=True)
class Results:
    """Outcomes by the benchmark's name, in the order in which they are shown."""

    outcomes: Mapping[str, Outcome]

    @property
    def figures(self) -> list[Figure]:
        """All there are."""
        return [figure for it in self.outcomes.values() if it.section for figure in it.section.figures]

    def with_outcome(self, name: str, outcome: Outcome) -> "Results":
        """With another outcome of one benchmark, and the others as they are."""
        return Results({**self.outcomes, name: outcome})

    def in_order(self, names: list[str]) -> "Results":
        """In the order of these names; benchmarks that are no more are left out."""
        return Results({name: self.outcomes[name] for name in names if name in self.outcomes})

    def as_json(self, now: Circumstances) -> dict[str, Any]:
        """Every figure by its key, then where it was measured and by which benchmark."""
        return {
            **{figure.key: round(figure.value, 4) for figure in self.figures},
            "date": now.date,
            "commit": now.commit,
            "dirty": now.dirty,
            "machine": dict(now.machine),
            "versions": dict(now.versions),
            "data": dict(now.data),
            "sections": {name: it.as_json() for name, it in self.outcomes.items()},
        }

    def as_markdown(self, now: Circumstances) -> str:
        """A page: the circumstances, then a table for each benchmark."""
        parts = [_head(now), *(_part(name, outcome, now) for name, outcome in self.outcomes.items())]
        return "\n\n".join(parts) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What an earlier run has written there; nothing where none has."""
        try:
            document = json.loads((folder / JSON_NAME).read_text())
        except FileNotFoundError:
            return cls({})
        return cls({name: Outcome.from_json(it) for name, it in document["sections"].items()})

    def write(self, folder: Path, now: Circumstances) -> None:
        """Replace what stands in a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / JSON_NAME, json.dumps(self.as_json(now), indent=1) + "\n")
        _replace(folder / MARKDOWN_NAME, self.as_markdown(now))


def shown(value: float, unit: Unit) -> str:
    """A value as people read it, without its unit."""
    return f"{value:,.{DECIMALS.get(unit, 0)}f}"


def verdict(figure: Figure) -> str:
    """Whether a figure keeps its target, in a word; empty where it has none."""
    return {None: "", True: "yes", False: "NO"}[figure.met]


def target(figure: Figure) -> str:
    """A figure's target as people read it."""
    if figure.target is None:
        return ""
    return f"{'at least' if figure.at_least else 'at most'} {shown(figure.target, figure.unit)}"


def rows(section: Section) -> list[dict[str, str]]:
    """A section's figures as a table for people."""
    return [
        {
            "figure": figure.what,
            "value": f"{shown(figure.value, figure.unit)} {figure.unit}",
            "target": target(figure),
            "met": verdict(figure),
            "key": figure.key,
        }
        for figure in section.figures
    ]


def _head(now: Circumstances) -> str:
    facts = {**now.machine, **now.versions, **now.data, "measured": now}
    lines = ["# Benchmarks", "", f"![Ratios and stages]({PICTURE_NAME})", "", "| | |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {_cell(str(value))} |" for name, value in facts.items())])


def _part(name: str, outcome: Outcome, now: Circumstances) -> str:
    section = outcome.section
    lines = [f"## {section.title if section else name}", ""]
    if outcome.at.date != now.date or outcome.at.machine != now.machine:
        where = "" if outcome.at.machine == now.machine else f" on {_machine(outcome.at)}"
        lines += [f"Measured {outcome.at}{where}.", ""]
    if section is None:
        return "\n".join(
            [*lines, "It failed, so there are no figures:", "", "```", outcome.error or "", "```"]
        )
    header = ("figure", "value", "target", "met", "key")
    lines += ["| " + " | ".join(header) + " |", "|---|---:|---:|---|---|"]
    lines += [
        "| " + " | ".join(f"`{row[n]}`" if n == "key" else _cell(row[n]) for n in header) + " |"
        for row in rows(section)
    ]
    return "\n".join([*lines, "", *(f"- {note}" for note in section.notes)]).rstrip()


def _machine(at: Circumstances) -> str:
    return ", ".join(f"{name} {value}" for name, value in at.machine.items())


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _replace(file: Path, text: str) -> None:
    draft = file.with_name(f"{file.name}.new")
    draft.write_text(text)
    draft.replace(file)
