"""Thousands of files that land at once: nothing lost, few runs, bounded memory."""

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from benchmarks.figures import Figure, Section
from benchmarks.laptop import WAIT_SECONDS, Bench
from benchmarks.memory import idle_memory, watched_memory
from benchmarks.records import RunRecord, records, run_ids, step_seconds
from command.generators.files import Order, generate_files
from resources.accounts import account, queue_depth

FIRST_DAY = date(2014, 1, 1)
DAYS, FILES_A_DAY, ROWS_A_FILE = 200, 10, 200
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
FILES = DAYS * FILES_A_DAY
LOOK_SECONDS = 0.5

LOADED = """
SELECT COUNT(DISTINCT key) AS files FROM airlines.ingested_files
WHERE feed = 'flights' AND state = 'loaded'
"""

VERDICTS = """
SELECT key, COUNT(*) AS verdicts FROM airlines.ingested_files
WHERE feed = 'flights' GROUP BY key
"""

FLIGHTS_THERE = f"SELECT COUNT(*) AS flights FROM {FLIGHTS.table.qualified_name}"  # noqa: S608 - our own name


@dataclass(frozen=True)
class Burst:
    """What came of it.

    Args:
        landing: Seconds from the first PUT to the last.
        loading: Seconds from the last PUT to the last row.
        idle: MB before it.
        peak: MB at most while it lasted.
        runs: Those it took.
    """

    landing: float
    loading: float
    idle: float
    peak: float
    runs: Sequence[RunRecord]


def measure(bench: Bench) -> Section:
    """Land all files at once, wait for the last row, and count."""
    burst = _burst(bench, files(bench.scratch / "burst"))
    _require_nothing_lost(bench)
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in step_seconds(burst.runs).items())
    return Section(
        f"A burst of {FILES:,} files",
        figures(burst),
        [
            (
                f"{FILES_A_DAY} files of {ROWS_A_FILE} flights for each of {DAYS} days, PUT within "
                f"{burst.landing:.1f} s, 8 at a time. After the last row every row is counted in the fact, "
                "and every file has exactly one verdict in the ledger."
            ),
            "Files per minute count from the first PUT to the last row.",
            f"The runs' steps, by Dagster's records: {steps}.",
            (
                "Memory is the sum over all processes of the stack, runs and Spark among them, twice a "
                "second; pages they share count once."
            ),
        ],
    )


def figures(burst: Burst) -> Sequence[Figure]:
    """What is said of it."""
    minutes = (burst.landing + burst.loading) / 60
    return (
        Figure("burst_files_per_minute", FILES / minutes, "files/min", "first PUT to last row"),
        Figure("burst_seconds", burst.loading, "s", "last PUT to last row"),
        Figure("burst_runs", len(burst.runs), "runs", f"Dagster runs for {FILES:,} files of {DAYS} days"),
        Figure("burst_peak_mb", burst.peak, "MB", "memory of all processes at most"),
        Figure("burst_idle_mb", burst.idle, "MB", "memory of all processes before"),
    )


def files(folder: Path) -> Path:
    """Several files a day, each with flights of its own, in a folder laid out as they land."""
    for number in range(FILES_A_DAY):
        draft = folder.with_name(f"{folder.name} {number}")
        order = Order(FLIGHTS.name, FIRST_DAY, LAST_DAY, draft, rows=ROWS_A_FILE, seed=number)
        generate_files(order, lambda _day: None)
        for path in draft.rglob("*.csv"):
            target = folder / path.relative_to(draft).with_name(f"part-{number}.csv")
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
    return folder


def _burst(bench: Bench, folder: Path) -> Burst:
    bench.wait_until_quiet()
    idle, before = idle_memory(bench), run_ids(bench)
    with watched_memory(bench) as memory:
        began = time.monotonic()
        bench.put(folder)
        landed = time.monotonic()
        _wait_until_loaded(bench)
        loaded = time.monotonic()
        _wait_until_idle(bench)
    found = records(bench, run_ids(bench) - before)
    return Burst(landed - began, loaded - landed, idle, memory.peak, list(found.values()))


def _wait_until_loaded(bench: Bench) -> None:
    """Ask the ledger alone: a listing of the landing twice a second would take time from the runs."""
    with suppress(RetryError):  # what is missing is told by `_require_nothing_lost`
        Retrying(
            retry=retry_if_result(lambda loaded: loaded < FILES),
            wait=wait_fixed(LOOK_SECONDS),
            stop=stop_after_delay(WAIT_SECONDS),
        )(lambda: int(bench.query(LOADED)[0]["files"]))


def _wait_until_idle(bench: Bench) -> None:
    """Also what is asked for a second time belongs to the burst."""
    with suppress(RetryError):
        Retrying(retry=retry_if_result(bool), wait=wait_fixed(1), stop=stop_after_delay(WAIT_SECONDS))(
            lambda: (
                queue_depth(bench.settings, bench.settings.landing_queue) + bench.dagster.unfinished_runs()
            )
        )


def _require_nothing_lost(bench: Bench) -> None:
    """Count rows and verdicts.

    Raises:
        AirlineError: A row or a file is missing, or there twice.
    """
    (rows,) = bench.query(FLIGHTS_THERE)
    verdicts = {row["key"]: row["verdicts"] for row in bench.query(VERDICTS)}
    landed = [each for each in account(bench.settings) if each.feed == FLIGHTS.name]
    wrong = [each.key for each in landed if each.state != "loaded" or verdicts.get(each.key) != 1]
    found = rows["flights"], len(landed), len(verdicts)
    expected = FILES * ROWS_A_FILE, FILES, FILES
    if found != expected or wrong:
        raise AirlineError(
            f"expected {expected} rows, files and verdicts, found {found}; without one verdict: {wrong[:20]}",
            remedy="See `airline alerts` and the runs in the Dagster UI (`--keep`).",
        )
