"""Times ticks of sensors as Dagster's code server makes them, in a process whose environment names a stack.

python -m benchmarks.ticks landing --day 2014-07-01 --repeat 5
python -m benchmarks.ticks reconciliation --cursor '{"after": "", "rounds": 1}' --listing http://127.0.0.1:1234

Prints a JSON list of seconds, without the time a tick waits for somebody's file to land.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from datetime import UTC, date, datetime
from uuid import uuid4

from dagster import DagsterInstance, SensorDefinition, build_sensor_context

from airline_platform.definitions import defs, resources
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from resources.landing import Landing
from resources.queue import LandingEvents, Message, landing_event
from sensors.landing import landing_sensor
from sensors.reconciliation import reconciliation_sensor

TIMES = 5
IN_ORDER = "0 landed files without a verdict asked for, 0 sources found gone."
"""A reconciliation of a landing in which nothing is missing."""

SENSORS = {"landing": landing_sensor, "reconciliation": reconciliation_sensor}


class NobodyWaits(LandingEvents):
    """The queue, but a tick that finds it empty does not listen until something comes."""

    def receive(self, limit: int, *, wait: int = 0) -> list[Message]:
        """What is there now."""
        del wait
        return super().receive(limit)


def main() -> None:
    """Tick a sensor some times; the first time, which imports and connects, does not count."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ticks", description=__doc__)
    parser.add_argument("sensor", choices=SENSORS)
    parser.add_argument(
        "--day", type=date.fromisoformat, help="a file of flights lands for it before each tick"
    )
    parser.add_argument("--cursor", help="the sensor's before each tick")
    parser.add_argument("--listing", help="endpoint of an S3 that lists the landing bucket")
    chosen = parser.parse_args()
    settings = get_settings()
    given = resources(settings) | {"landing_events": NobodyWaits.of(settings)}
    if chosen.listing:
        given["landing"] = Landing.of(settings.model_copy(update={"endpoint_url": chosen.listing}))
    with DagsterInstance.get() as instance:
        found = [
            _tick(SENSORS[chosen.sensor], instance, given, chosen.cursor, chosen.day)
            for _ in range(TIMES + 1)
        ]
    sys.stdout.write(json.dumps(found[1:]))


def _tick(
    sensor: SensorDefinition,
    instance: DagsterInstance,
    given: Mapping[str, object],
    cursor: str | None,
    day: date | None,
) -> float:
    """Seconds of one tick. What it asks for is not started, and what it has read is acknowledged."""
    queue = NobodyWaits.of(get_settings())
    if day:
        key = FLIGHTS.key(f"{uuid4().hex}.csv", day)
        queue.send([landing_event(key, uuid4().hex, uuid4().hex, datetime.now(UTC))])
    with build_sensor_context(
        instance=instance, cursor=cursor, resources=dict(given), repository_def=defs.get_repository_def()
    ) as context:
        began = time.perf_counter()
        made = sensor.evaluate_tick(context)
        seconds = time.perf_counter() - began
    if len(made.run_requests or ()) != bool(day):
        raise RuntimeError(f"expected {int(bool(day))} run requests, got {made}")
    if sensor is landing_sensor:
        queue.acknowledge(json.loads(made.cursor or "[]"))
    elif made.skip_message != IN_ORDER:
        raise RuntimeError(f"expected '{IN_ORDER}', got {made.skip_message}")
    return seconds


if __name__ == "__main__":
    main()
