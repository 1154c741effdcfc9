"""Where the seconds of a landed day went, by what Dagster's storage has of its run."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg2

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS

STAGES = {
    "event": "S3's event, until a tick of the sensor begins; none where one listens already",
    "tick": "the tick, until its run is in the queue",
    "queue": "the run's wait there",
    "launch": "its process, until the first step begins",
    "raw": "the files listed and looked at",
    "catalog": "the day registered in the Data Catalog",
    "glue": "the Glue job, with asking for it and reading what it made",
    "load": "the warehouse, until a query shows the rows",
    "rest": "between the steps",
}
"""From the PUT to the rows, in their order."""

STEPS = {
    "raw": f"raw_{FLIGHTS.name}",
    "catalog": f"{FLIGHTS.name}_catalog",
    "glue": f"{FLIGHTS.name}_enriched",
    "load": FLIGHTS.table.name,
}

RUN_OF_DAY = """
SELECT r.run_id, (SELECT min(extract(epoch FROM t.timestamp))::float8 FROM job_ticks t
    WHERE t.type = 'SENSOR' AND position(r.run_id IN t.tick_body) > 0)
FROM runs r JOIN run_tags day ON day.run_id = r.run_id
WHERE day.key = 'dagster/partition' AND day.value = %(day)s AND r.pipeline_name = %(job)s
"""
EVENTS_OF_RUN = """
SELECT dagster_event_type, coalesce(step_key, ''), extract(epoch FROM timestamp)::float8
FROM event_logs WHERE run_id = %(run_id)s
    AND dagster_event_type IN ('PIPELINE_ENQUEUED', 'PIPELINE_STARTING', 'STEP_START', 'STEP_SUCCESS')
"""


@dataclass(frozen=True)
class RecordedRun:
    """What Dagster has kept of a run; times are seconds since the epoch.

    Args:
        run_id: Names it.
        tick: When the tick that asked for it began.
        queued: When it was in the queue.
        dequeued: When it left the queue.
        steps: When each step began and when it had succeeded, by its name.
    """

    run_id: str
    tick: float
    queued: float
    dequeued: float
    steps: Mapping[str, tuple[float, float]]


def recorded_run(storage: Mapping[str, Any], day: date) -> RecordedRun:
    """The run that loaded a day of flights.

    Args:
        storage: Arguments of psycopg2's `connect` for Dagster's storage.
        day: Which one.

    Raises:
        AirlineError: Not one run has, but none or several.
    """
    with closing(psycopg2.connect(**storage)) as session, session.cursor() as cursor:
        cursor.execute(RUN_OF_DAY, {"day": str(day), "job": f"{FLIGHTS.name}_job"})
        runs = cursor.fetchall()
        if len(runs) != 1:
            raise AirlineError(
                f"expected one run of {FLIGHTS.name} {day}, found {runs}", remedy="Look at the Dagster UI."
            )
        run_id, tick = runs[0]
        cursor.execute(EVENTS_OF_RUN, {"run_id": run_id})
        times = {(kind, step): at for kind, step, at in cursor.fetchall()}
    steps = {step: (times["STEP_START", step], times["STEP_SUCCESS", step]) for step in STEPS.values()}
    queued, dequeued = times["PIPELINE_ENQUEUED", ""], times["PIPELINE_STARTING", ""]
    return RecordedRun(run_id, tick, queued, dequeued, steps)


def stages_of(put: float, seen: float, run: RecordedRun) -> dict[str, float]:
    """The seconds of each of `STAGES`; together they are those from the PUT to the rows.

    Args:
        put: When the PUT had returned.
        seen: When a query showed the rows.
        run: What loaded them.
    """
    heard = max(put, run.tick)  # a tick that listens began before the file landed
    begun = {stage: run.steps[step][0] for stage, step in STEPS.items()}
    ended = {stage: run.steps[step][1] for stage, step in STEPS.items()} | {"load": seen}
    seconds = {
        "event": heard - put,
        "tick": run.queued - heard,
        "queue": run.dequeued - run.queued,
        "launch": begun["raw"] - run.dequeued,
        **{stage: ended[stage] - begun[stage] for stage in STEPS},
    }
    return seconds | {"rest": seen - put - sum(seconds.values())}
