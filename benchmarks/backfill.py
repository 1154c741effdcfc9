"""A year backfilled by one command, beside a script written for it, and a run for each of its days."""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from uuid import uuid4

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.run_tags import FEED_TAG, job_name, range_tags
from benchmarks.classic.pipeline import connect
from benchmarks.figures import Figure, Section
from benchmarks.laptop import ROWS_A_DAY, Bench
from benchmarks.records import RunRecord, records, run_ids, step_seconds
from benchmarks.script import create_script_job, keys_below, put_days, run_job, script_job
from command.dagster_client import days_between
from laptop.postgres import PostgresServer
from resources.warehouse.binary_copy import batches, binary_rows

YEAR = date(2014, 1, 1), date(2014, 12, 31)
PEERS_DAYS = date(2015, 3, 1), date(2015, 3, 10)
TARGET_SECONDS, TARGET_TIMES = 90, 1.5

COUNT = f"""
SELECT COUNT(*) AS flights, COUNT(DISTINCT flight_date) AS days FROM {FLIGHTS.table.qualified_name}
WHERE flight_date BETWEEN %(first)s AND %(last)s
"""  # noqa: S608 - our own table's name

SCRIPTS_TABLE = """
CREATE TABLE bench_year (
    carrier VARCHAR(10) NOT NULL, origin_airport_id BIGINT NOT NULL, dest_airport_id BIGINT NOT NULL,
    dep_airport VARCHAR(200), arr_airport VARCHAR(200), dep_city VARCHAR(100), arr_city VARCHAR(100),
    dep_state VARCHAR(100), arr_state VARCHAR(100), dep_delay BIGINT, arr_delay BIGINT)
"""
"""The day is not in the Parquet: it stands in the folder."""

GLUE_JOBS = """
SELECT COUNT(DISTINCT glue_job_run_id) AS jobs FROM airlines.ingested_files
WHERE partition_date BETWEEN %(first)s AND %(last)s AND state = 'loaded'
"""


@dataclass(frozen=True)
class Taken:
    """What loading days has taken: seconds by the clock on the wall, and the runs that did it."""

    seconds: float
    runs: Mapping[str, RunRecord]


def measure(bench: Bench) -> Section:
    """Backfill a year that nobody listened to, have the script load it, then ten other days in ten runs."""
    year, days = bench.flights(*YEAR), bench.flights(*PEERS_DAYS)
    with bench.nobody_listening():
        began = time.monotonic()
        bench.put(year)
        landing = time.monotonic() - began
        bench.put(days)
        ours = _backfill(bench)
        script, copied = _script(bench)
        peer = _run_per_day(bench)
    (jobs,) = bench.query(GLUE_JOBS, first=YEAR[0], last=YEAR[1])
    return Section(
        "A year's backfill",
        figures(ours, script + copied, peer, jobs["jobs"]),
        [
            (
                f"{_number(YEAR)} files of {ROWS_A_DAY:,} flights had landed while nobody listened, which "
                f"took {landing:.1f} s and is not in the figures. The clock runs from the start of the "
                f"command `airline backfill {FLIGHTS.name} --from {YEAR[0]} --to {YEAR[1]} --wait` until it "
                "returns; then every row is counted."
            ),
            (
                "The script is the one beside which the transform is measured, over the same "
                f"{_number(YEAR)} files in the lake, as one Glue job in the same warm Spark: {script:.1f} s. "
                "Then its Parquet is copied into a table without an index, in one transaction, by the "
                f"platform's own way into PostgreSQL: {copied:.1f} s. It judges no file and counts no "
                "duplicates, has no ledger, and run again it doubles the rows. Both tables have the same "
                "number of rows."
            ),
            (
                f"A run per day is extrapolated: {_number(PEERS_DAYS)} other days, a run of the same job "
                f"each, queued at once, took {peer.seconds:.1f} s until the last one ended; the year is that "
                "many times more. These runs have the same warm Spark and forked processes as ours."
            ),
            *where_time_goes(ours),
            "The marts follow by automation, which is stopped here: their time is in neither figure.",
        ],
    )


def figures(ours: Taken, script: float, peer: Taken, glue_jobs: int) -> Sequence[Figure]:
    """What is said of both."""
    days = _number(YEAR)
    extrapolated = peer.seconds / _number(PEERS_DAYS) * days
    return (
        Figure("year_backfill_s", ours.seconds, "s", f"{days} days by one command", TARGET_SECONDS),
        Figure("year_backfill_rows_s", days * ROWS_A_DAY / ours.seconds, "rows/s", "of these days"),
        Figure("year_backfill_runs", len(ours.runs), "runs", "Dagster runs it took"),
        Figure("year_backfill_glue_jobs", glue_jobs, "jobs", "Glue job runs it took"),
        Figure("year_script_s", script, "s", f"a hand-written script and COPY over the same {days} files"),
        Figure(
            "year_vs_script",
            ours.seconds / script,
            "times",
            "one backfill's time / the script's",
            TARGET_TIMES,
        ),
        Figure("run_per_day_s", extrapolated, "s", f"a run per day, {days} of them (extrapolated)"),
        Figure(
            "backfill_vs_run_per_day",
            extrapolated / ours.seconds,
            "times",
            "a run per day's time / one backfill's",
        ),
    )


def where_time_goes(taken: Taken) -> Sequence[str]:
    """By the runs' own records: each step's share, and what is no step's."""
    runs = list(taken.runs.values())
    steps = ", ".join(f"{step} {seconds:.1f} s" for step, seconds in step_seconds(runs).items())
    between = sum(run.between_steps for run in runs)
    first, last = min(run.started for run in runs), max(run.ended for run in runs)
    working = sum(run.ended - run.started for run in runs)
    return [
        (
            f"The year's {len(runs)} runs, by Dagster's records: {steps}, between steps {between:.1f} s; in "
            f"all {working:.1f} s of work within {last - first:.1f} s. The other "
            f"{taken.seconds - last + first:.1f} s are the command's own start and end, and the queue. Two "
            "runs work at a time, so a step's seconds have in them what it waits for the other run's."
        )
    ]


def _backfill(bench: Bench) -> Taken:
    bench.wait_until_quiet()
    before = run_ids(bench)
    first, last = YEAR
    began = time.monotonic()
    bench.run("backfill", FLIGHTS.name, "--from", str(first), "--to", str(last), "--wait")
    seconds = time.monotonic() - began
    _require_rows(bench, YEAR)
    return Taken(seconds, records(bench, run_ids(bench) - before))


def _script(bench: Bench) -> tuple[float, float]:
    """Have the script make the year, and copy what it made; the seconds of each.

    Raises:
        AirlineError: Not all rows came.
    """
    create_script_job(bench)
    days = put_days(bench, YEAR[0], _number(YEAR))
    output = f"{days.folder}{uuid4().hex}/"
    job, arguments = script_job(bench, days, output)
    made = run_job(bench, job, arguments)
    began = time.monotonic()
    rows = _copy(bench, f"{output}good/")
    copied = time.monotonic() - began
    if rows != days.rows:
        raise AirlineError(f"expected the script to load {days.rows} rows, found {rows}", remedy="Mend it.")
    return made, copied


def _copy(bench: Bench, prefix: str) -> int:
    """Copy Parquet of the lake into a table of its own; how many rows it has then, before it is dropped."""
    s3, lake = bench.client("s3"), bench.settings.lake_bucket
    server = PostgresServer(bench.home, bench.settings.running_stack()["ports"]["postgres"])
    with closing(connect(server.warehouse_credentials())) as session, session.cursor() as cursor:
        session.autocommit = False
        cursor.execute(SCRIPTS_TABLE)
        for key in keys_below(bench, prefix):
            body = s3.get_object(Bucket=lake, Key=key)["Body"].read()
            for rows in map(binary_rows, batches(body)):
                cursor.copy_expert("COPY bench_year FROM STDIN (FORMAT binary)", BytesIO(rows), len(rows))
        session.commit()
        cursor.execute("SELECT COUNT(*) FROM bench_year")
        (found,) = cursor.fetchone()
        cursor.execute("DROP TABLE bench_year")
        session.commit()
    return int(found)


def _run_per_day(bench: Bench) -> Taken:
    """Queue a run for each of the peer's days, and wait for the last one; to ask for rows would slow them."""
    bench.wait_until_quiet()
    before = run_ids(bench)
    began = time.time()
    for day in days_between(*PEERS_DAYS):
        bench.dagster.launch(job_name(FLIGHTS.name), {FEED_TAG: FLIGHTS.name, **range_tags(day, day)})
    bench.wait_until_quiet()
    runs = records(bench, run_ids(bench) - before)
    _require_rows(bench, PEERS_DAYS)
    return Taken(max(run.ended for run in runs.values()) - began, runs)


def _require_rows(bench: Bench, span: tuple[date, date]) -> None:
    """Compare what is in the fact with what has landed.

    Raises:
        AirlineError: It is something else.
    """
    (found,) = bench.query(COUNT, first=span[0], last=span[1])
    expected = {"flights": _number(span) * ROWS_A_DAY, "days": _number(span)}
    if found != expected:
        raise AirlineError(
            f"expected {expected} from {span[0]} to {span[1]}, found {found}", remedy="See `airline alerts`."
        )


def _number(span: tuple[date, date]) -> int:
    """Days of a range."""
    return (span[1] - span[0]).days + 1
