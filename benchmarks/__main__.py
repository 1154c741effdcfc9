"""The benchmarks, each on a stack of its own: python -m benchmarks [--only NAME …] [--out DIR] [--keep]."""

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.circumstances import circumstances
from benchmarks.laptop import bench
from benchmarks.picture import draw
from benchmarks.results import PICTURE_NAME, Circumstances, Outcome, Results, rows
from command.console import err, out, show_table, tell

BENCHMARKS = ("landing", "backfill", "growth", "burst", "transform", "whole_path", "large", "at_rest")
"""Modules of this package, in the order in which they run; each has `measure(bench: Bench) -> Section`."""

RESULTS = Path(__file__).with_name("results")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run benchmarks; 1 where one of them failed."""
    chosen = _parse(arguments)
    now = circumstances()
    names = [name for name in BENCHMARKS if name in (chosen.only or BENCHMARKS)]
    results = Results.read(chosen.out)
    failed = []
    for name in names:
        outcome = _measure(name, now, keep=chosen.keep)
        _show(name, outcome)
        failed += [name] if outcome.error else []
        # After each of them: what comes later may be interrupted.
        results = results.with_outcome(name, outcome).in_order([*BENCHMARKS])
        results.write(chosen.out, now)
        draw(results.figures, chosen.out / PICTURE_NAME)
    out.print(f"Written to {chosen.out}", soft_wrap=True)
    if failed:
        err.print(f"Failed: {', '.join(failed)}", style="red")
    return 1 if failed else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the platform.")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=BENCHMARKS,
        help=f"these alone, of {', '.join(BENCHMARKS)}; the others' figures stay",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument("--keep", action="store_true", help="leave the stacks' folders, with their logs")
    return parser.parse_args(arguments)


def _measure(name: str, now: Circumstances, *, keep: bool) -> Outcome:
    """Run one benchmark on a stack of its own; whatever it raises is its outcome."""
    folder = Path(tempfile.mkdtemp(prefix=f"airline-bench-{name}-"))
    tell(f"{name}: in {folder}")
    began = time.monotonic()
    try:
        measure = import_module(f"benchmarks.{name}").measure
        with bench(folder) as stack:
            section = measure(stack)
    except Exception as error:  # noqa: BLE001 - the others still run
        traceback.print_exc()
        return Outcome(now, error=f"{type(error).__name__}: {error}", seconds=time.monotonic() - began)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    return Outcome(now, section, seconds=time.monotonic() - began)


def _show(name: str, outcome: Outcome) -> None:
    if outcome.section is None:
        err.print(f"{name} failed: {outcome.error}", style="red", markup=False, soft_wrap=True)
        return
    show_table(rows(outcome.section), outcome.section.title, ("figure", "value", "target", "met"))
    for note in outcome.section.notes:
        out.print(f"- {note}", markup=False, style="dim")


if __name__ == "__main__":
    sys.exit(main())
