"""Asks a running Dagster over its GraphQL API."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import requests

from airline_platform.errors import AirlineError, StackUnavailable
from airline_platform.settings import Settings
from resources.aws.client import START_THE_STACK

REPOSITORY = {"repositoryLocationName": "airline_platform", "repositoryName": "__repository__"}
SECONDS = 30
LOOK_SECONDS = 1.0
QUIET_LOOKS = 3
"""How often in a row a sensor must be seen stopped and without a tick under way."""

FIRST_TICK_SECONDS = 60
"""How long a sensor that runs may take until it ticks; its daemon may not run."""

LAUNCH_RUN = """
mutation($run: ExecutionParams!) {
  launchRun(executionParams: $run) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""

TAGGED_RUNS = """
query($tags: [ExecutionTag!]!) { runsOrError(filter: {tags: $tags}, limit: 10000) {
  __typename
  ... on Runs { results { runId status parentRunId tags { key value } } }
  ... on PythonError { message }
} }"""

SENSORS = """
query($repository: RepositorySelector!) {
  sensorsOrError(repositorySelector: $repository) {
    __typename
    ... on Sensors { results { name id sensorState { id status ticks(limit: 1) { status } } } }
    ... on PythonError { message }
  }
}"""

SCHEDULES = """
query($repository: RepositorySelector!) {
  schedulesOrError(repositorySelector: $repository) {
    __typename
    ... on Schedules {
      results { name scheduleState { status } futureTicks(limit: 1) { results { timestamp } } }
    }
    ... on PythonError { message }
  }
}"""

SET_SENSOR = {
    True: """mutation($selector: SensorSelector!) {
      startSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
    }""",
    False: """mutation($id: String!) {
      stopSensor(id: $id) { __typename ... on PythonError { message } }
    }""",
}

RESET_SENSOR = """
mutation($selector: SensorSelector!) {
  resetSensor(sensorSelector: $selector) { __typename ... on PythonError { message } }
}"""

UNFINISHED_RUNS = """
query { runsOrError(filter: {statuses: [QUEUED, NOT_STARTED, STARTING, STARTED, CANCELING]}, limit: 1000) {
  __typename
  ... on Runs { results { runId } }
  ... on PythonError { message }
} }"""

RUN_TIMES = """
query($id: ID!) { runOrError(runId: $id) {
  __typename
  ... on Run { creationTime endTime }
  ... on PythonError { message }
} }"""


@dataclass(frozen=True)
class RunTimes:
    """The times at which a run was asked for and ended; `ended` is None while it is under way."""

    began: datetime
    ended: datetime | None


@dataclass(frozen=True)
class Schedule:
    """A schedule: its state, RUNNING or STOPPED, and when it ticks next; None while it is stopped."""

    name: str
    state: str
    next_tick: datetime | None


@dataclass(frozen=True)
class Attempt:
    """A run, as one attempt at the days its tags name; a later attempt names it as its parent."""

    run_id: str
    status: str
    parent: str | None
    tags: Mapping[str, str]

    @property
    def under_way(self) -> bool:
        """Whether it, or the retry Dagster has promised, is still to end."""
        promised = self.status == "FAILURE" and self.tags.get("dagster/will_retry") == "true"
        return promised or self.status not in ("SUCCESS", "FAILURE", "CANCELED")


class DagsterClient:
    """A Dagster webserver.

    Args:
        url: Its address, such as `http://127.0.0.1:3000`.
    """

    def __init__(self, url: str) -> None:
        self._endpoint = f"{url.rstrip('/')}/graphql"

    @classmethod
    def of(cls, settings: Settings) -> "DagsterClient":
        """Return the webserver of the running laptop stack.

        Raises:
            StackUnavailable: No stack runs.
        """
        url = settings.running_stack().get("ui_url")
        if not url:
            raise StackUnavailable(f"no laptop stack runs in {settings.home}", remedy=START_THE_STACK)
        return cls(url)

    def launch(self, job: str, tags: Mapping[str, str], assets: Sequence[str] = ()) -> str:
        """Ask for a run of a job, or of some of its assets; it waits in the queue like any. Return its id."""
        chosen = {"assetSelection": [{"path": [name]} for name in assets]} if assets else {}
        wanted = {
            "selector": REPOSITORY | {"pipelineName": job} | chosen,
            "executionMetadata": {"tags": [{"key": key, "value": value} for key, value in tags.items()]},
        }
        return str(self._ask(LAUNCH_RUN, expect="LaunchRunSuccess", run=wanted)["run"]["runId"])

    def last_attempts(self, tag: str, value: str) -> list[Attempt]:
        """Return the runs with a tag that were not tried again: the last attempt at each."""
        runs = self._ask(TAGGED_RUNS, tags=[{"key": tag, "value": value}])["results"]
        retried = {run["parentRunId"] for run in runs}
        return [
            Attempt(
                run["runId"],
                run["status"],
                run["parentRunId"],
                {tag["key"]: tag["value"] for tag in run["tags"]},
            )
            for run in runs
            if run["runId"] not in retried
        ]

    def sensors(self) -> dict[str, str]:
        """Return the state of each sensor by name: RUNNING or STOPPED."""
        return {sensor["name"]: sensor["sensorState"]["status"] for sensor in self._sensors()}

    def schedules(self) -> list[Schedule]:
        """Return each schedule, in the order of their names."""
        answer = self._ask(SCHEDULES, repository=REPOSITORY)["results"]
        return sorted(map(_schedule, answer), key=lambda each: each.name)

    def set_sensor(self, name: str, *, running: bool) -> None:
        """Start a sensor, or stop it and wait for the tick it may be in.

        Dagster's daemon writes what a tick left together with the status it had read before: what is stopped
        in between runs on. So its state is looked at, and it is stopped again. One that has just been
        deployed has its first tick first: before it, the daemon writes down that it runs.
        """
        if running:
            self._ask(SET_SENSOR[True], selector={**REPOSITORY, "sensorName": name})
            return
        deadline = time.monotonic() + FIRST_TICK_SECONDS
        while self._state(name) == ("RUNNING", None) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        idle = 0
        while idle < QUIET_LOOKS:
            status, tick = self._state(name)
            if status != "STOPPED":
                self._ask(SET_SENSOR[False], id=self._sensor(name)["id"])
            idle = idle + 1 if status == "STOPPED" and tick != "STARTED" else 0
            time.sleep(LOOK_SECONDS)

    def reset_sensor(self, name: str) -> None:
        """Forget that a sensor was started or stopped: it is as the settings have it."""
        self._ask(RESET_SENSOR, selector={**REPOSITORY, "sensorName": name})

    def _sensors(self) -> list[dict[str, Any]]:
        return list(self._ask(SENSORS, repository=REPOSITORY)["results"])

    def _sensor(self, name: str) -> dict[str, Any]:
        (sensor,) = (sensor for sensor in self._sensors() if sensor["name"] == name)
        return sensor

    def _state(self, name: str) -> tuple[str, str | None]:
        """Return the state of a sensor and that of its last tick; None where it has had none."""
        state = self._sensor(name)["sensorState"]
        return state["status"], next((tick["status"] for tick in state["ticks"]), None)

    def unfinished_runs(self) -> int:
        """Count the runs that are queued or under way."""
        return len(self._ask(UNFINISHED_RUNS)["results"])

    def run_times(self, run_id: str) -> RunTimes | None:
        """Return when a run was; None for one that Dagster does not know."""
        run = self._ask(RUN_TIMES, id=run_id)
        if run["__typename"] != "Run":
            return None
        ended = datetime.fromtimestamp(run["endTime"], UTC) if run["endTime"] else None
        return RunTimes(datetime.fromtimestamp(run["creationTime"], UTC), ended)

    def _ask(self, query: str, *, expect: str | None = None, **variables: Any) -> dict[str, Any]:
        """Send one query; return the only field's value.

        Raises:
            StackUnavailable: The webserver does not answer.
            AirlineError: It answers with an error.
        """
        try:
            answer = requests.post(
                self._endpoint, json={"query": query, "variables": variables}, timeout=SECONDS
            ).json()
        except requests.RequestException as error:
            raise StackUnavailable(
                f"Dagster does not answer at {self._endpoint}", remedy=START_THE_STACK
            ) from error
        (value,) = (answer.get("data") or {"": None}).values()
        if not value or "message" in value or (expect and value["__typename"] != expect):
            raise AirlineError(
                f"Dagster answered {value or answer}", remedy="Look at the Dagster UI and its logs."
            )
        return dict(value)


def _schedule(answer: Mapping[str, Any]) -> Schedule:
    state, ticks = answer["scheduleState"]["status"], answer["futureTicks"]["results"]
    running = state == "RUNNING" and ticks
    return Schedule(
        answer["name"], state, datetime.fromtimestamp(ticks[0]["timestamp"], UTC) if running else None
    )


def days_between(first: date, last: date) -> list[str]:
    """Return the ISO days from first to last, both inclusive."""
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
