"""Figures are kept until they are measured anew, say where they are from, and never outlive a failure."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

# The benchmarks are no part of the distribution: they run where they stand.
sys.path.append(str(Path(__file__).parents[3]))
from benchmarks import __main__ as program
from benchmarks.figures import Figure, Section
from benchmarks.laptop import Bench
from benchmarks.picture import draw
from benchmarks.results import JSON_NAME, MARKDOWN_NAME, Circumstances, Outcome, Results

NOW = Circumstances(
    "2026-11-22T10:00:00+00:00", "abc1234", False, {"CPU": "x", "cores": 2}, {"Python": "3.11.7"}
)
EARLIER = replace(NOW, date="2026-11-01T08:30:00+00:00", commit="old5678", dirty=True)


def section(key: str, value: float, target: float | None = None, *, at_least: bool = False) -> Section:
    return Section(key.title(), [Figure(key, value, "s", f"what {key} is", target, at_least)], ["Said once."])


def markdown(results: Results) -> str:
    return results.as_markdown(NOW)


def test_a_program_finds_every_figure_by_its_key_beside_where_it_was_measured(tmp_path: Path) -> None:
    Results({"landing": Outcome(NOW, section("land_s", 4.25))}).write(tmp_path, NOW)

    found = json.loads((tmp_path / JSON_NAME).read_text())
    assert found["land_s"] == 4.25
    assert (found["commit"], found["machine"]["cores"], found["versions"]["Python"]) == (
        "abc1234",
        2,
        "3.11.7",
    )


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    results = Results({"a": Outcome(EARLIER, section("a_s", 1.0, 2.0)), "b": Outcome(NOW, error="no")})
    results.write(tmp_path, NOW)

    assert markdown(Results.read(tmp_path)) == markdown(results)
    assert Results.read(tmp_path).figures == results.figures
    assert Results.read(tmp_path / "nowhere").outcomes == {}


def test_figures_that_are_not_measured_again_say_of_what_day_and_commit_they_are() -> None:
    old = Results({"landing": Outcome(EARLIER, section("land_s", 4.0)), "burst": Outcome(EARLIER, error="x")})
    results = old.with_outcome("burst", Outcome(NOW, section("burst_s", 9.0)))

    page = markdown(results)
    landing, burst = page.index("## Land_S"), page.index("## Burst_S")
    assert (
        "Measured 2026-11-01 08:30 UTC at old5678 with changes that are in no commit." in page[landing:burst]
    )
    assert "Measured" not in page[burst:]
    assert {figure.key for figure in results.figures} == {"land_s", "burst_s"}


def test_a_figure_of_another_machine_names_that_machine() -> None:
    other = replace(EARLIER, machine={"CPU": "y", "cores": 64})

    assert "on CPU y, cores 64." in markdown(Results({"a": Outcome(other, section("a_s", 1.0))}))


def test_a_benchmark_that_fails_loses_its_old_figures_and_shows_why(tmp_path: Path) -> None:
    old = Results({"landing": Outcome(EARLIER, section("land_s", 4.0))})
    failed = old.with_outcome("landing", Outcome(NOW, error="AirlineError: not loaded"))
    failed.write(tmp_path, NOW)

    assert "land_s" not in json.loads((tmp_path / JSON_NAME).read_text())
    assert "AirlineError: not loaded" in (tmp_path / MARKDOWN_NAME).read_text()


@pytest.mark.parametrize(
    ("value", "at_least", "said"),
    [(3.0, False, "| at most 5.00 | yes |"), (7.0, False, "| NO |"), (7.0, True, "| at least 5.00 | yes |")],
)
def test_the_page_says_whether_a_target_is_kept(value: float, at_least: bool, said: str) -> None:
    assert said in markdown(Results({"a": Outcome(NOW, section("a_s", value, 5.0, at_least=at_least))}))


def test_what_is_drawn_are_the_ratios_and_stages_there_are(tmp_path: Path) -> None:
    picture = tmp_path / "latest.svg"
    stage = Figure("land_stage_load_s", 0.6, "s", "the load")
    draw([Figure("land_vs_peer", 0.5, "times", "beside a peer", 0.7), stage], picture)
    assert "<svg" in picture.read_text()

    draw([Figure("land_s", 4.0, "s", "no ratio")], picture)
    assert not picture.exists()


def test_one_benchmark_that_fails_keeps_no_other_from_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(name: str, _now: Circumstances, *, keep: bool) -> Outcome:
        assert not keep
        return Outcome(NOW, error="broken") if name == "landing" else Outcome(NOW, section("burst_s", 9.0))

    monkeypatch.setattr(program, "circumstances", lambda: NOW)
    monkeypatch.setattr(program, "_measure", measure)

    assert program.main(["--only", "burst", "landing", "--out", str(tmp_path)]) == 1
    assert json.loads((tmp_path / JSON_NAME).read_text())["burst_s"] == 9.0
    assert "landing failed: broken" in capsys.readouterr().err


def test_what_a_benchmark_raises_is_its_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_stack(_folder: Path) -> Bench:
        raise OSError("no stack")

    monkeypatch.setattr(program, "bench", no_stack)

    assert program._measure("burst", NOW, keep=False).error == "OSError: no stack"
