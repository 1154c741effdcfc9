"""What is asked of Dagster's webserver is what its API has, and its answers are read as they are meant."""

from datetime import UTC, datetime
from typing import Any

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from command import dagster_client
from command.dagster_client import DagsterClient, Schedule

SCHEMA = create_schema().graphql_schema
QUERIES = {
    name: value
    for name, value in vars(dagster_client).items()
    if isinstance(value, str) and value.lstrip().startswith(("query", "mutation"))
} | {f"SET_SENSOR {running}": query for running, query in dagster_client.SET_SENSOR.items()}


def test_the_queries_of_status_and_wait_are_among_those_tested() -> None:
    asked = {"SENSORS", "SCHEDULES", "UNFINISHED_RUNS", "LAUNCH_RUN", "TAGGED_RUNS", "SET_SENSOR True"}
    assert asked <= QUERIES.keys()


@pytest.mark.parametrize("name", QUERIES)
def test_every_query_is_one_to_dagster(name: str) -> None:
    assert validate(SCHEMA, parse(QUERIES[name])) == []


def test_a_schedule_that_is_stopped_has_no_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(name: str, state: str, *ticks: float) -> dict[str, Any]:
        times = {"results": [{"timestamp": tick} for tick in ticks]}
        return {"name": name, "scheduleState": {"status": state}, "futureTicks": times}

    answers = [answer("b", "RUNNING", 0.0), answer("c", "RUNNING"), answer("a", "STOPPED", 0.0)]
    client = DagsterClient("http://127.0.0.1:1")
    monkeypatch.setattr(client, "_ask", lambda _query, **_variables: {"results": answers})

    assert client.schedules() == [
        Schedule("a", "STOPPED", None),
        Schedule("b", "RUNNING", datetime(1970, 1, 1, tzinfo=UTC)),
        Schedule("c", "RUNNING", None),
    ]


def test_a_run_that_was_retried_is_not_the_last_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(name: str, status: str, parent: str | None = None, **tags: str) -> dict[str, Any]:
        told = [{"key": f"dagster/{key}", "value": value} for key, value in tags.items()]
        return {"runId": name, "status": status, "parentRunId": parent, "tags": told}

    answers = [
        run("first", "FAILURE", will_retry="true"),
        run("second", "SUCCESS", parent="first"),
        run("promised", "FAILURE", will_retry="true"),
        run("failed", "FAILURE"),
        run("queued", "QUEUED"),
    ]
    client = DagsterClient("http://127.0.0.1:1")
    monkeypatch.setattr(client, "_ask", lambda _query, **_variables: {"results": answers})

    under_way = {run.run_id: run.under_way for run in client.last_attempts("tag", "value")}
    assert under_way == {"second": False, "promised": True, "failed": False, "queued": True}


def test_a_sensor_is_stopped_after_its_first_tick_and_again_when_a_tick_has_it_run_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    states = [("RUNNING", None), ("RUNNING", None), ("RUNNING", "STARTED"), ("STOPPED", "STARTED")]
    states += [("STOPPED", "SKIPPED"), ("RUNNING", "STARTED"), *[("STOPPED", "SKIPPED")] * 3, ("left", None)]
    done: list[int] = []

    def ask(query: str, **_variables: Any) -> dict[str, Any]:
        if query != dagster_client.SENSORS:
            done.append(len(states))
            return {}
        status, tick = states[0]
        ticks = [{"status": tick}] if tick else []
        return {"results": [{"name": "a", "id": "1", "sensorState": {"status": status, "ticks": ticks}}]}

    client = DagsterClient("http://127.0.0.1:1")
    monkeypatch.setattr(client, "_ask", ask)
    monkeypatch.setattr(dagster_client.time, "sleep", lambda _seconds: states.pop(0))

    client.set_sensor("a", running=False)

    assert done == [8, 5]
    assert states == [("left", None)]
