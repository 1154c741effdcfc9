"""What Dagster's webserver and daemon lack until they are of use, as the webserver's GraphQL tells it."""

from typing import Any

import requests

from airline_platform.errors import StackUnavailable

_CODE_QUERY = """
{
  workspaceOrError {
    __typename
    ... on PythonError { className message stack cause { message stack } }
    ... on Workspace {
      locationEntries {
        locationOrLoadError {
          __typename
          ... on PythonError { className message stack cause { message stack } }
          ... on RepositoryLocation { repositories { name } }
        }
      }
    }
  }
}
"""
_DAEMON_QUERY = """
{ instance { daemonHealth { allDaemonStatuses { daemonType required lastHeartbeatTime } } } }
"""
_UNREACHABLE = "DagsterUserCodeUnreachableError"
"""The code server does not listen yet: not an error of the definitions."""


def missing_code(port: int) -> str | None:
    """What is missing until the webserver on `port` shows the repository; None when nothing is.

    Raises:
        StackUnavailable: The definitions cannot be loaded.
    """
    data = _ask(port, _CODE_QUERY)
    return code_gap(data["workspaceOrError"]) if data else "the webserver does not answer"


def missing_heartbeat(port: int, after: float) -> str | None:
    """Which required daemons have not shown life since `after`, in seconds since the epoch."""
    data = _ask(port, _DAEMON_QUERY)
    return late_daemons(data["instance"], after) if data else "the webserver does not answer"


def _ask(port: int, query: str) -> dict[str, Any] | None:
    """The data of a GraphQL query; None where the webserver does not answer (yet)."""
    try:
        answer = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=10)
        document = answer.json() if answer.ok else {}
    except (requests.RequestException, ValueError):
        return None
    data: dict[str, Any] | None = document.get("data")
    return data


def code_gap(workspace: dict[str, Any]) -> str | None:
    """What keeps the workspace of a `missing_code` query from being complete.

    Raises:
        StackUnavailable: The definitions cannot be loaded.
    """
    entries = workspace.get("locationEntries", [])
    locations = [entry["locationOrLoadError"] or {} for entry in entries] or [workspace]
    for error in (node for node in locations if node.get("__typename") == "PythonError"):
        if error["className"] != _UNREACHABLE:
            raise StackUnavailable(
                f"Dagster could not load the definitions: {_traceback(error)}",
                remedy="Correct the code that the traceback names, then `airline up` again",
            )
    loaded = entries and all(node.get("repositories") for node in locations)
    return None if loaded else "the code location is still loading"


def _traceback(error: dict[str, Any]) -> str:
    """An error's message, and the traceback of what caused it, where it says so."""
    origin = error.get("cause") or error
    return f"{error['message'].strip()}\n{''.join(origin['stack']).rstrip()}\n{origin['message'].strip()}"


def late_daemons(instance: dict[str, Any], after: float) -> str | None:
    """The required daemons that have not shown life since `after`."""
    late = [
        daemon["daemonType"]
        for daemon in instance["daemonHealth"]["allDaemonStatuses"]
        if daemon["required"] and (daemon["lastHeartbeatTime"] or float("-inf")) < after
    ]
    return f"no heartbeat yet of {', '.join(sorted(late))}" if late else None
