"""What Dagster, Glue and the warehouse have written down of runs, read past the platform."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg2
from psycopg2.extras import RealDictCursor

from benchmarks.laptop import Bench
from laptop.postgres import PostgresServer

RUNS = "SELECT run_id, status FROM runs"

EVENTS = """
SELECT run_id, step_key, dagster_event_type AS kind, MIN(timestamp) AS first, MAX(timestamp) AS last
FROM event_logs WHERE run_id = ANY(%(runs)s) AND dagster_event_type = ANY(%(kinds)s)
GROUP BY run_id, step_key, dagster_event_type
"""

ENQUEUED, STARTED, ENDED = "PIPELINE_ENQUEUED", "PIPELINE_START", "PIPELINE_SUCCESS"
STEP_STARTED, STEP_ENDED = "STEP_START", "STEP_SUCCESS"
KINDS = [ENQUEUED, STARTED, ENDED, STEP_STARTED, STEP_ENDED]


@dataclass(frozen=True)
class RunRecord:
    """When a run that succeeded did what, in seconds since the epoch.

    Args:
        enqueued: It was asked for.
        started: Its process began its steps.
        ended: It was over.
        steps: Seconds each step took, by its key.
    """

    enqueued: float
    started: float
    ended: float
    steps: Mapping[str, float]

    @property
    def between_steps(self) -> float:
        """Seconds of its work that no step is charged with."""
        return self.ended - self.started - sum(self.steps.values())


def run_ids(bench: Bench) -> set[str]:
    """Every run there has been."""
    with _storage(bench) as cursor:
        cursor.execute(RUNS)
        return {row["run_id"] for row in cursor.fetchall()}


def records(bench: Bench, runs: Collection[str]) -> dict[str, RunRecord]:
    """What is written down of runs, by id; of those that have not ended well, nothing."""
    moments: defaultdict[str, dict[tuple[str, str], tuple[float, float]]] = defaultdict(dict)
    with _storage(bench) as cursor:
        cursor.execute(EVENTS, {"runs": list(runs), "kinds": KINDS})
        for row in cursor.fetchall():
            span = row["first"], row["last"]
            moments[row["run_id"]][row["kind"], row["step_key"] or ""] = (_epoch(span[0]), _epoch(span[1]))
    return {run: _record(found) for run, found in moments.items() if (ENDED, "") in found}


def _record(found: Mapping[tuple[str, str], tuple[float, float]]) -> RunRecord:
    started = found[STARTED, ""][0]
    return RunRecord(
        enqueued=found.get((ENQUEUED, ""), (started, started))[0],
        started=started,
        ended=found[ENDED, ""][1],
        steps={
            step: span[1] - found[STEP_STARTED, step][0]
            for (kind, step), span in found.items()
            if kind == STEP_ENDED
        },
    )


def step_seconds(found: Collection[RunRecord]) -> dict[str, float]:
    """Seconds of each step, summed over runs, in the order in which they first ran."""
    sums: defaultdict[str, float] = defaultdict(float)
    for record in found:
        for step, seconds in record.steps.items():
            sums[step] += seconds
    return dict(sums)


def glue_seconds(bench: Bench, job: str, run_id: str) -> float:
    """Seconds a Glue job run took, by Glue's own clock."""
    run = bench.client("glue").get_job_run(JobName=job, RunId=run_id)["JobRun"]
    return float((run["CompletedOn"] - run["StartedOn"]).total_seconds())


def server(bench: Bench) -> PostgresServer:
    """The stack's PostgreSQL."""
    return PostgresServer(bench.home, bench.settings.running_stack()["ports"]["postgres"])


@contextmanager
def warehouse(bench: Bench) -> Iterator[Any]:
    """A cursor on the warehouse that stays connected; each statement is a transaction of its own."""
    secret = server(bench).warehouse_credentials()
    login = {
        "user": secret["username"],
        **{name: secret[name] for name in ("host", "port", "dbname", "password")},
    }
    connection = psycopg2.connect(**login)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


@contextmanager
def _storage(bench: Bench) -> Iterator[Any]:
    """A cursor on Dagster's storage."""
    connection = psycopg2.connect(**server(bench).dagster_connection(), cursor_factory=RealDictCursor)
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def _epoch(moment: datetime) -> float:
    """Dagster writes UTC without saying so."""
    return moment.replace(tzinfo=UTC).timestamp()
