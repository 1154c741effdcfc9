"""One day of millions of rows in one file: how long it takes, and what each process has in memory at most."""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from benchmarks.figures import Figure, Section
from benchmarks.laptop import WAIT_SECONDS, Bench
from benchmarks.memory import MB, watched_processes
from command.land import expand

FILES = {date(2018, 5, 1): 4_000_000, date(2018, 5, 2): 25_000_000}
"""Rows by day."""

LOOK_SECONDS = 0.5

ROWS = f"""
SELECT COUNT(*) AS flights FROM {FLIGHTS.table.qualified_name} WHERE flight_date = %(day)s
"""  # noqa: S608 - our own table's name
VERDICT = "SELECT state FROM airlines.ingested_files WHERE feed = 'flights' AND partition_date = %(day)s"


@dataclass(frozen=True)
class Taken:
    """What one file has taken.

    Args:
        rows: It has.
        size: Its bytes.
        seconds: From the PUT to its rows.
        peaks: MB at most, by process.
    """

    rows: int
    size: int
    seconds: float
    peaks: Mapping[str, float]


def measure(bench: Bench) -> Section:
    """Land one file after the other.

    Raises:
        AirlineError: A file was not loaded, or not all of it.
    """
    taken = [_land(bench, day, rows) for day, rows in FILES.items()]
    return Section(
        "One large file",
        [figure for each in taken for figure in figures(each)],
        [
            (
                f"{each.rows:,} rows, {each.size / MB:,.0f} MB of CSV; in memory at most, by process: "
                f"{', '.join(f'{name} {peak:,.0f} MB' for name, peak in each.peaks.items())}."
            )
            for each in taken
        ],
    )


def figures(taken: Taken) -> Sequence[Figure]:
    """What is said of one file."""
    millions = taken.rows // 1_000_000
    of = f"a file of {millions} million rows"
    return (
        Figure(f"large_{millions}m_s", taken.seconds, "s", f"{of}: from the PUT to the rows"),
        Figure(f"large_{millions}m_rows_s", taken.rows / taken.seconds, "rows/s", f"{of}: of these"),
        Figure(
            f"large_{millions}m_peak_mb",
            max(taken.peaks.values()),
            "MB",
            f"{of}: the largest process's memory",
        ),
    )


def _land(bench: Bench, day: date, rows: int) -> Taken:
    folder = bench.flights(day, day, rows)
    (path,) = expand([folder])
    bench.wait_until_quiet()
    with watched_processes(bench) as peaks:
        began = time.monotonic()
        bench.put(folder)
        with suppress(RetryError):  # what is missing is told below
            Retrying(
                retry=retry_if_result(lambda verdict: not verdict),
                wait=wait_fixed(LOOK_SECONDS),
                stop=stop_after_delay(WAIT_SECONDS),
            )(lambda: bench.query(VERDICT, day=day))
        seconds = time.monotonic() - began
    (found,) = bench.query(ROWS, day=day)
    if found["flights"] != rows:
        raise AirlineError(
            f"{path}: expected {rows:,} rows, found {found['flights']:,}", remedy="See `airline alerts`."
        )
    return Taken(
        rows, Path(path).stat().st_size, seconds, dict(sorted(peaks.items(), key=lambda item: -item[1]))
    )
