"""What a landed day costs when there are ten days of history, and when there are a thousand."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from benchmarks.figures import Figure, Section
from benchmarks.laptop import ROWS_A_DAY, WAIT_SECONDS, Bench
from benchmarks.million_keys import FIRST_DAY as FIRST_OF_MILLION
from benchmarks.million_keys import KEYS, LEDGER, MODIFIED, key_of, million_keys
from benchmarks.records import glue_seconds, server, warehouse
from benchmarks.stages import STAGES, recorded_run, stages_of
from laptop.dagster import dagster_home
from laptop.postgres import DAGSTER

HISTORY_ROWS = 200
FEW, MANY = 10, 1_000
DAYS = 5
"""Days that are measured at each length of the history."""

TARGET = 1.15
TARGET_TICK_SECONDS = 1
STATUS_TIMES = 3
LOOK_SECONDS = 0.02

GAP = date(2014, 7, 1)
"""First of the days that are measured. The four weeks before, against which the check of a day's rows holds
it, have no history, at either length; the history lies on both sides of them."""

BEFORE, AFTER = date(2014, 5, 31), date(2014, 8, 1)
"""The last day of history before the gap, and the first one after."""

LOADED = """
SELECT glue_job_run_id FROM airlines.ingested_files
WHERE feed = 'flights' AND partition_date = %(day)s AND state = 'loaded'
"""

WHAT = {
    "land_to_loaded": "land to loaded",
    **{stage: f"of these: {what}" for stage, what in STAGES.items()},
    "glue_job": "the Glue job by its own clock",
    "tick_nothing": "a tick of the landing sensor, nothing landed",
    "tick_one_file": "a tick of the landing sensor, one file landed",
    "status": "`airline status`",
}


@dataclass(frozen=True)
class Span:
    """Days in a row."""

    first: date
    last: date


def history(few: int = FEW, many: int = MANY) -> tuple[Sequence[Span], Sequence[Span]]:
    """The days of the short history, half of them before the gap, and those that make the long one of it."""
    some, all_ = timedelta(days=few // 2), timedelta(days=many // 2)
    one = timedelta(days=1)
    short = [Span(BEFORE - some + one, BEFORE), Span(AFTER, AFTER + some - one)]
    rest = [Span(BEFORE - all_ + one, BEFORE - some), Span(AFTER + some, AFTER + all_ - one)]
    return short, rest


def measure(bench: Bench) -> Section:
    """Measure with ten days of history, then with a thousand, then with a million keys."""
    short, rest = history()
    # One day more of each, which is not counted: it finds everything else as warm as it will be.
    days = [GAP + timedelta(days=n) for n in range(2 * (DAYS + 1))]
    for day in days:
        bench.flights(day, day)
    _make_history(bench, short)
    at_few = _costs(bench, days[0::2])
    _make_history(bench, rest)
    at_many = _costs(bench, days[1::2])
    return Section(
        "Growth with history",
        [*figures(at_few, at_many), *_million(bench)],
        [*NOTES, *_grown(at_few, at_many)],
    )


NOTES = (
    (
        f"History is made by backfill, of {HISTORY_ROWS} flights a day so that it fits the time. The days "
        f"measured have {ROWS_A_DAY:,} each, the same at both lengths, and lie in a gap in the middle of the "
        f"history. A figure is the median of {DAYS} days that land one after the other on a stack at rest."
    ),
    (
        "Ticks are made as Dagster's code server makes them, with the stack's resources, and without the "
        "seconds one listens to an empty queue."
    ),
    (
        f"{KEYS:,} landed keys: PostgreSQL has a verdict on each. The listing is answered by a "
        "server that makes each page up when it is asked for it, at once; S3 itself takes some tens of "
        "milliseconds a call. "
        "MiniStack sorts all keys of a bucket for each page it lists, so it is no measure of this."
    ),
    (
        "`airline status` and `airline wait` hold all of the landing against all of the ledger: they list a "
        "page per 1,000 keys, and grow with the history by intention."
    ),
)


def figures(at_few: Mapping[str, float], at_many: Mapping[str, float]) -> Iterator[Figure]:
    """What grew, and how much."""
    for stage, what in WHAT.items():
        few, many = at_few[stage], at_many[stage]
        both = f"{what}: {few:.2f} s at {FEW} days, {many:.2f} s at {MANY:,}"
        if stage == "land_to_loaded":
            yield Figure("history_growth", many / few, "times", both, TARGET)
        else:
            # A stage nobody waits in may take no time at all.
            yield Figure(f"growth_{stage}", max(many, 0.001) / max(few, 0.001), "times", both)


def _grown(at_few: Mapping[str, float], at_many: Mapping[str, float]) -> Iterator[str]:
    """Where the difference comes from, the largest first."""
    more = sorted(((at_many[stage] - at_few[stage], stage) for stage in STAGES), reverse=True)
    told = ", ".join(f"{stage} {seconds:+.2f} s" for seconds, stage in more)
    yield f"{MANY:,} days beside {FEW}, stage by stage: {told}."


def _make_history(bench: Bench, spans: Sequence[Span]) -> None:
    with bench.nobody_listening():
        for span in spans:
            bench.put(bench.flights(span.first, span.last, rows=HISTORY_ROWS))
            bench.run("backfill", FLIGHTS.name, "--from", str(span.first), "--to", str(span.last), "--wait")
    # What nobody heard is heard now, and is known already.
    time.sleep(2)
    bench.wait_until_quiet()


def _costs(bench: Bench, days: Sequence[date]) -> dict[str, float]:
    """Medians of what landing these days costs, the first excepted, and of what does not depend on them."""
    landed = [_land(bench, day) for day in days][1:]
    with bench.nobody_listening():
        nothing = _ticks(bench, "landing")
        one_file = _ticks(bench, "landing", "--day", str(GAP + timedelta(days=20)))
    costs = {stage: median(each[stage] for each in landed) for stage in landed[0]}
    return costs | {
        "tick_nothing": median(nothing),
        "tick_one_file": median(one_file),
        "status": median(_seconds_of_status(bench) for _ in range(STATUS_TIMES)),
    }


def _land(bench: Bench, day: date) -> dict[str, float]:
    """Land one day on a stack at rest; seconds in all, of each stage, and of its Glue job."""
    folder = bench.flights(day, day)
    bench.wait_until_quiet()
    with warehouse(bench) as cursor:
        began = time.time()
        bench.put(folder)
        put = time.time()
        while not (glue_run := _glue_run_of(cursor, day)):
            if time.time() - put > WAIT_SECONDS:
                raise AirlineError(f"{day} was not loaded", remedy="See `airline alerts`.")
            time.sleep(LOOK_SECONDS)
        seen = time.time()
    bench.wait_until_quiet()
    run = recorded_run(server(bench).dagster_connection(), day)
    job = bench.settings.job_name(FLIGHTS.name)
    return {
        "land_to_loaded": seen - began,
        **stages_of(put, seen, run),
        "glue_job": glue_seconds(bench, job, glue_run),
    }


def _glue_run_of(cursor: Any, day: date) -> str | None:
    """The Glue job run that made a loaded day; None while it is not loaded."""
    cursor.execute(LOADED, {"day": day})
    row = cursor.fetchone()
    return row and str(row[0])


def _ticks(bench: Bench, *arguments: str) -> list[float]:
    """Seconds of some ticks beside a stack whose own sensors are stopped.

    Raises:
        AirlineError: They did not do what they should.
    """
    password = server(bench).password(DAGSTER)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ticks", *arguments],
        env=os.environ | bench.settings.environment() | dagster_home.environment(bench.home, password),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AirlineError(f"ticks {arguments} failed: {done.stderr}", remedy="Correct the benchmark.")
    found: list[float] = json.loads(done.stdout)
    return found


def _seconds_of_status(bench: Bench) -> float:
    began = time.monotonic()
    bench.run("status", "--json")
    return time.monotonic() - began


def _million(bench: Bench) -> Sequence[Figure]:
    """Ticks with a verdict on each of a million keys. The stack is of no use afterwards."""
    bench.sensors("landing_sensor", "reconciliation_sensor", running=False)
    _fill_ledger(bench)
    after = key_of(KEYS // 2)
    one_file = median(_ticks(bench, "landing", "--day", str(FIRST_OF_MILLION)))
    with million_keys() as listing:
        sweeps = _reconciliations(bench, after, listing.url, rounds=1)
        calls = listing.calls / (len(sweeps) + 1)  # the one that is not counted lists, too
        swept = median(sweeps)
        first = median(_reconciliations(bench, after, listing.url, rounds=0))
    what = f"at {KEYS:,} landed keys: "
    return (
        Figure(
            "tick_million_keys_s",
            max(one_file, swept),
            "s",
            f"{what}a tick of either sensor",
            TARGET_TICK_SECONDS,
        ),
        Figure("tick_million_keys_calls", calls, "calls", f"{what}pages a reconciliation lists"),
        Figure("tick_million_keys_landing_s", one_file, "s", f"{what}the landing sensor, one file landed"),
        Figure("tick_million_keys_reconciliation_s", swept, "s", f"{what}the reconciliation sensor"),
        Figure(
            "tick_million_keys_first_round_s",
            first,
            "s",
            f"{what}the reconciliation sensor in its first round, 20 pages a tick",
        ),
    )


def _reconciliations(bench: Bench, after: str, listing: str, *, rounds: int) -> list[float]:
    """Ticks of the reconciliation in the middle of the keys, the first of its sweeps or a later one."""
    cursor = json.dumps({"after": after, "rounds": rounds})
    return _ticks(bench, "reconciliation", "--cursor", cursor, "--listing", listing)


def _fill_ledger(bench: Bench) -> None:
    """Put the verdicts on a million keys in the place of those there are."""
    with warehouse(bench) as cursor:
        cursor.execute("TRUNCATE airlines.ingested_files")
        cursor.execute(LEDGER, {"landed": MODIFIED})
        # As PostgreSQL does by itself within a minute.
        cursor.execute("VACUUM ANALYZE airlines.ingested_files")
