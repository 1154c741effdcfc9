"""What is waited for until Dagster is of use."""

from typing import Any

import pytest

from airline_platform.errors import StackUnavailable
from laptop.dagster import readiness


def error(name: str) -> dict[str, Any]:
    return {
        "__typename": "PythonError",
        "className": name,
        "message": "it broke\n",
        "stack": ["  outer\n"],
        "cause": {"message": "no module x", "stack": ["  assets/flights.py\n"]},
    }


def entry(node: dict[str, Any] | None) -> dict[str, Any]:
    return {"locationEntries": [{"locationOrLoadError": node}]}


@pytest.mark.parametrize(
    "workspace",
    [
        entry(None),
        entry(error("DagsterUserCodeUnreachableError")),
        entry({"repositories": []}),
        {"locationEntries": []},
    ],
)
def test_a_location_that_is_not_there_yet_is_waited_for(workspace: dict[str, Any]) -> None:
    assert readiness.code_gap(workspace) == "the code location is still loading"


def test_a_loaded_repository_lacks_nothing() -> None:
    assert readiness.code_gap(entry({"repositories": [{"name": "__repository__"}]})) is None


@pytest.mark.parametrize("workspace", [entry(error("DagsterImportError")), error("DagsterImportError")])
def test_an_error_of_the_definitions_is_told_with_where_it_happened(workspace: dict[str, Any]) -> None:
    with pytest.raises(StackUnavailable) as caught:
        readiness.code_gap(workspace)
    assert "it broke" in str(caught.value)
    assert "assets/flights.py" in str(caught.value)


def test_only_required_daemons_that_were_not_seen_since_are_missing() -> None:
    statuses = [
        {"daemonType": "SENSOR", "required": True, "lastHeartbeatTime": 100.0},
        {"daemonType": "BACKFILL", "required": True, "lastHeartbeatTime": 50.0},
        {"daemonType": "MONITORING", "required": True, "lastHeartbeatTime": None},
        {"daemonType": "UNUSED", "required": False, "lastHeartbeatTime": None},
    ]
    instance = {"daemonHealth": {"allDaemonStatuses": statuses}}
    assert readiness.late_daemons(instance, 60.0) == "no heartbeat yet of BACKFILL, MONITORING"
    assert readiness.late_daemons(instance, 0.0) == "no heartbeat yet of MONITORING"


def test_a_webserver_that_does_not_answer_is_waited_for() -> None:
    assert readiness.missing_code(1) == "the webserver does not answer"
    assert readiness.missing_heartbeat(1, 0.0) == "the webserver does not answer"
