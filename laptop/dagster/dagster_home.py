"""Dagster on a laptop: its instance's two files, its command lines, and what it has to be told at a start.

Run as a program it makes the storage ready: tables for this version of Dagster, and the end of every run
that an earlier life left in flight. `needs_preparation` tells without importing Dagster whether it is due.
"""

import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import requests
import yaml

from airline_platform.errors import StackUnavailable
from airline_platform.feeds import FEEDS
from laptop.postgres import DAGSTER

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

DEFINITIONS_MODULE = "airline_platform.definitions"
RUN_SERVER_MODULE = "laptop.dagster.run_server"
LOCATION = "airline_platform"
KEPT_CONNECTIONS = "kept_connections"
"""The entry point of `laptop.dagster.kept_connections`."""

PASSWORD_VARIABLE = "AIRLINE_DAGSTER_PASSWORD"  # noqa: S105 - the variable's name, not its value

EVENT_BATCH = 500
"""Materializations of one step that are written in one transaction; by itself Dagster takes one for each day,
which for a quarter is 3 s of every step."""

WIDER_POOLS = {feed.name: 2 for feed in FEEDS.values() if feed.daily and feed.tables}
"""Pools that take more than one run: of feeds that are loaded by day, where the next run's Glue job works
while a run loads. Of either there is only one at a time, because the next one waits for it."""

FORKS_RUNS = sys.platform == "linux"
"""Elsewhere a process that has used the system's libraries must not be copied."""

IN_FLIGHT = ("STARTING", "STARTED", "CANCELING")
"""Status of the runs that have a process; queued runs need none."""

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


@dataclass(frozen=True)
class DagsterHome:
    """The Dagster instance of one stack.

    Args:
        home: The laptop stack's state folder.
        warehouse_port: Port of the PostgreSQL server that holds its storage, on 127.0.0.1.
        code_port: Port of the one code server, which webserver, daemon and runs share.
        definitions: Import path of the module with the `Definitions`.
    """

    home: Path
    warehouse_port: int
    code_port: int
    definitions: str = DEFINITIONS_MODULE

    @property
    def folder(self) -> Path:
        """`DAGSTER_HOME`."""
        return dagster_folder(self.home)

    @property
    def workspace(self) -> Path:
        """The workspace file of the laptop: the running code server."""
        return self.folder / "workspace.yaml"

    def write(self) -> None:
        """Write both files anew; what a person wants otherwise belongs here, not there."""
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        for file, document in (
            ("dagster.yaml", self.instance()),
            ("workspace.yaml", self.workspace_document()),
        ):
            draft = self.folder / f"{file}.new"
            draft.write_text(f"# Written by `airline up` at every start.\n{yaml.safe_dump(document)}")
            draft.replace(self.folder / file)

    def instance(self) -> dict[str, Any]:
        """The content of `dagster.yaml`; the storage's password comes from the environment."""
        database = {
            # SQLAlchemy 2.1 takes psycopg 3 for plain postgresql://, with which Dagster's NOTIFY fails.
            "scheme": "postgresql+psycopg2",
            "hostname": "127.0.0.1",
            "port": self.warehouse_port,
            "db_name": DAGSTER,
            "username": DAGSTER,
            "password": {"env": PASSWORD_VARIABLE},
            "params": {"plugin": KEPT_CONNECTIONS},
        }
        return {
            # Else each tick and each run looks three times for the tables, which `prepare` makes.
            "storage": {"postgres": {"postgres_db": database, "should_autocreate_tables": False}},
            "local_artifact_storage": _class(
                "dagster._core.storage.root", "LocalArtifactStorage", base_dir=str(self.folder)
            ),
            "compute_logs": _class(
                "dagster._core.storage.local_compute_log_manager",
                "LocalComputeLogManager",
                base_dir=str(self.folder / "logs"),
            ),
            **_execution(),
            **_housekeeping(),
        } | (_forked_runs() if FORKS_RUNS else {})

    def workspace_document(self) -> dict[str, Any]:
        """The content of `workspace.yaml`."""
        server = {"host": "127.0.0.1", "port": self.code_port, "location_name": LOCATION}
        return {"load_from": [{"grpc_server": server}]}

    def code_server_command(self) -> list[str]:
        """The code server that can load changed code at the UI's "Reload": a proxy with a server behind."""
        address = ["--host", "127.0.0.1", "--port", str(self.code_port)]
        code = ["--module-name", self.definitions, "--location-name", LOCATION]
        return [
            *_dagster("dagster", "code-server", "start"),
            *address,
            *code,
            "--use-python-environment-entry-point",
        ]

    def run_server_command(self) -> list[str]:
        """The process runs are forked from."""
        return [sys.executable, "-m", RUN_SERVER_MODULE, "--definitions", self.definitions]

    def webserver_command(self, port: int) -> list[str]:
        """The UI and its GraphQL."""
        return _dagster(
            "dagster_webserver",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workspace",
            str(self.workspace),
        )

    def daemon_command(self) -> list[str]:
        """Sensors, the run queue, retries, backfills."""
        return _dagster("dagster._daemon", "run", "--workspace", str(self.workspace))


def dagster_folder(home: Path) -> Path:
    """`DAGSTER_HOME` of the stack of `home`."""
    return home / "dagster"


def environment(home: Path, password: str) -> dict[str, str]:
    """What a process needs to open the stack's Dagster instance."""
    return {
        "DAGSTER_HOME": str(dagster_folder(home)),
        "DAGSTER_EVENT_BATCH_SIZE": str(EVENT_BATCH),
        PASSWORD_VARIABLE: password,
    }


def _dagster(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


def _class(module: str, name: str, **config: Any) -> dict[str, Any]:
    """A configurable class, the way `dagster.yaml` names one."""
    return {"module": module, "class": name, "config": config}


def _execution() -> dict[str, Any]:
    """How runs are queued, watched and retried."""
    return {
        "run_coordinator": _class(
            "dagster._core.run_coordinator",
            "QueuedRunCoordinator",
            dequeue_interval_seconds=1,
            dequeue_use_threads=True,
            # A run that is dequeued while the code server restarts waits instead of failing.
            max_user_code_failure_retries=5,
            user_code_failure_retry_delay=5,
        ),
        "concurrency": {
            "runs": {"max_concurrent_runs": 4},
            "pools": {"granularity": "run", "default_limit": 1},
        },
        "run_retries": {"enabled": True, "max_retries": 2, "retry_on_asset_or_op_failure": False},
        "run_monitoring": {
            "enabled": True,
            "start_timeout_seconds": 180,
            "cancel_timeout_seconds": 60,
            "poll_interval_seconds": 15,
        },
        "sensors": {"use_threads": True, "num_workers": 4},
        "schedules": {"use_threads": True, "num_workers": 2},
    }


def _forked_runs() -> dict[str, Any]:
    """How runs are launched where processes can be copied."""
    return {"run_launcher": _class("laptop.dagster.run_launcher", "ForkedRunLauncher")}


def _housekeeping() -> dict[str, Any]:
    """What is kept, and who is told."""
    days = {"skipped": 1, "success": 30, "failure": 30}
    tickers = ("sensor", "schedule", "auto_materialize")
    return {
        "retention": {ticker: {"purge_after_days": dict(days)} for ticker in tickers},
        "telemetry": {"enabled": False},
        "nux": {"enabled": False},
    }


def needs_preparation(home: Path, connection: Mapping[str, Any]) -> bool:
    """Whether `prepare` has something to do: new storage, another Dagster, or runs an earlier life left.

    Args:
        home: The laptop stack's state folder.
        connection: Arguments of psycopg2's `connect` for Dagster's storage.
    """
    if _prepared(home) != _wanted():
        return True
    with closing(psycopg2.connect(**connection)) as session, session.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.runs') IS NULL")
        if cursor.fetchone() == (True,):
            return True
        cursor.execute("SELECT EXISTS (SELECT FROM runs WHERE status = ANY(%s))", (list(IN_FLIGHT),))
        return bool(cursor.fetchone() == (True,))


def _preparation_file(home: Path) -> Path:
    return dagster_folder(home) / "prepared.yaml"


def _prepared(home: Path) -> dict[str, Any] | None:
    """What the storage has been made ready for."""
    file = _preparation_file(home)
    return yaml.safe_load(file.read_text()) if file.exists() else None


def _wanted() -> dict[str, Any]:
    """What the storage is to be ready for: this version of Dagster's tables, and these pools."""
    return {"dagster": version("dagster"), "pools": WIDER_POOLS}


def prepare(instance: "DagsterInstance", home: Path) -> list[str]:
    """Make the storage ready for this Dagster and end the runs in flight; no process may be left of them.

    A failed run is retried by the daemon, as `run_retries` says; one that was being cancelled is cancelled.

    Returns:
        The ids of the runs that were ended.
    """
    from dagster import DagsterRunStatus, RunsFilter  # noqa: PLC0415 - costs 1.6 s, for this program alone

    if _prepared(home) != _wanted():
        instance.upgrade()
        _preparation_file(home).write_text(yaml.safe_dump(_wanted()))
    # No file of Dagster's can say so; what somebody has set in the UI stands.
    limits = {pool.name for pool in instance.event_log_storage.get_pool_limits() if not pool.from_default}
    for name in WIDER_POOLS.keys() - limits:
        instance.event_log_storage.set_concurrency_slots(name, WIDER_POOLS[name])
    unfinished = instance.get_runs(RunsFilter(statuses=[DagsterRunStatus[name] for name in IN_FLIGHT]))
    for run in unfinished:
        end_run(instance, run, "Its process ended with the stack.")
    return [run.run_id for run in unfinished]


def end_run(instance: "DagsterInstance", run: "DagsterRun", why: str) -> None:
    """End a run nobody works on any more: failed, and so retried, unless it was being cancelled."""
    if run.status.value == "CANCELING":
        instance.report_run_canceled(run, why)
    else:
        instance.report_run_failed(run, why)


def missing_code(port: int) -> str | None:
    """What is missing until the webserver on `port` shows the repository; None when nothing is.

    Raises:
        StackUnavailable: The definitions cannot be loaded.
    """
    data = _ask(port, _CODE_QUERY)
    return _missing_code(data["workspaceOrError"]) if data else "the webserver does not answer"


def missing_heartbeat(port: int, after: float) -> str | None:
    """Which required daemons have not shown life since `after`, in seconds since the epoch."""
    data = _ask(port, _DAEMON_QUERY)
    return _missing_heartbeat(data["instance"], after) if data else "the webserver does not answer"


def _ask(port: int, query: str) -> dict[str, Any] | None:
    """The data of a GraphQL query; None where the webserver does not answer (yet)."""
    try:
        answer = requests.post(f"http://127.0.0.1:{port}/graphql", json={"query": query}, timeout=10)
        document = answer.json() if answer.ok else {}
    except (requests.RequestException, ValueError):
        return None
    data: dict[str, Any] | None = document.get("data")
    return data


def _missing_code(workspace: dict[str, Any]) -> str | None:
    """What keeps the workspace from being complete; raises where it is an error of the definitions."""
    entries = workspace.get("locationEntries", [])
    found = [entry["locationOrLoadError"] or {} for entry in entries] or [workspace]
    for error in (node for node in found if node.get("__typename") == "PythonError"):
        if error["className"] != _UNREACHABLE:
            raise StackUnavailable(
                f"Dagster could not load the definitions: {_traceback(error)}",
                remedy="Correct the code that the traceback names, then `airline up` again",
            )
    loaded = entries and all(node.get("repositories") for node in found)
    return None if loaded else "the code location is still loading"


def _traceback(error: dict[str, Any]) -> str:
    """An error's message, and the traceback of what caused it, where it says so."""
    origin = error.get("cause") or error
    return f"{error['message'].strip()}\n{''.join(origin['stack']).rstrip()}\n{origin['message'].strip()}"


def _missing_heartbeat(instance: dict[str, Any], after: float) -> str | None:
    """The required daemons that have not shown life since `after`."""
    late = [
        daemon["daemonType"]
        for daemon in instance["daemonHealth"]["allDaemonStatuses"]
        if daemon["required"] and (daemon["lastHeartbeatTime"] or float("-inf")) < after
    ]
    return f"no heartbeat yet of {', '.join(sorted(late))}" if late else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Prepare the storage of the stack in the folder given."""
    from dagster import DagsterInstance  # noqa: PLC0415 - costs 1.6 s, for this program alone
    from dagster._core.instance import InstanceRef  # noqa: PLC0415 - as above

    (home,) = arguments if arguments is not None else sys.argv[1:]
    folder = dagster_folder(Path(home))
    storage = yaml.safe_load((folder / "dagster.yaml").read_text())["storage"]
    storage["postgres"]["should_autocreate_tables"] = True
    reference = InstanceRef.from_dir(str(folder), overrides={"storage": storage})
    with DagsterInstance.from_ref(reference) as instance:
        ended = prepare(instance, Path(home))
    sys.stdout.write("".join(f"ended run {run_id} of an earlier life\n" for run_id in ended))
    return 0


if __name__ == "__main__":
    sys.exit(main())
