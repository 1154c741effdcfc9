"""Dagster on a laptop: its instance's two files, its command lines, and what it has to be told at a start.

Run as a program it makes the storage ready: tables for this version of Dagster, and the end of every run
that an earlier life left in flight. `needs_preparation` tells without importing Dagster whether it is due.
"""

import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import yaml

from airline_platform.feeds import FEEDS
from laptop.files import write_whole
from laptop.ports import HOST

if TYPE_CHECKING:
    from dagster import DagsterInstance, DagsterRun

PREPARED = "prepared.yaml"
"""What the storage has been made ready for."""

INSTANCE = Path(__file__).with_name("instance.yaml")
DEFINITIONS_MODULE = "airline_platform.definitions"
RUN_SERVER_MODULE = "laptop.dagster.run_server"
DAEMON_MODULE = "laptop.dagster.daemon"
LOCATION = "airline_platform"
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


@dataclass(frozen=True)
class DagsterHome:
    """The Dagster instance of one stack.

    Its storage is in the warehouse's PostgreSQL. Webserver, daemon and runs share one code server, which
    loads the module `definitions`.
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
        server = {"host": HOST, "port": self.code_port, "location_name": LOCATION}
        workspace = {"load_from": [{"grpc_server": server}]}
        for file, document in ((self.folder / "dagster.yaml", self.instance()), (self.workspace, workspace)):
            write_whole(file, f"# Written by `airline up` at every start.\n{yaml.safe_dump(document)}")

    def instance(self) -> dict[str, Any]:
        """The content of `dagster.yaml`; the storage's password comes from the environment."""
        instance: dict[str, Any] = yaml.safe_load(INSTANCE.read_text())
        instance["storage"]["postgres"]["postgres_db"]["port"] = self.warehouse_port
        instance["local_artifact_storage"]["config"] = {"base_dir": str(self.folder)}
        instance["compute_logs"]["config"] = {"base_dir": str(self.folder / "logs")}
        if not FORKS_RUNS:
            del instance["run_launcher"]
        return instance

    def code_server_command(self) -> list[str]:
        """The code server that can load changed code at the UI's "Reload": a proxy with a server behind."""
        words = ("code-server", "start", "--use-python-environment-entry-point")
        options = {"module-name": self.definitions, "location-name": LOCATION}
        return _program("dagster", *words, host=HOST, port=self.code_port, **options)

    def run_server_command(self) -> list[str]:
        """The process runs are forked from."""
        return _program(RUN_SERVER_MODULE, definitions=self.definitions)

    def webserver_command(self, port: int) -> list[str]:
        """The UI and its GraphQL."""
        return _program("dagster_webserver", host=HOST, port=port, workspace=self.workspace)

    def daemon_command(self) -> list[str]:
        """Sensors, the run queue, retries, backfills."""
        return _program(DAEMON_MODULE, "run", workspace=self.workspace)


def _program(module: str, *words: str, **options: object) -> list[str]:
    """A module's command line; `options` are `--name value`."""
    pairs = [(f"--{name}", str(value)) for name, value in options.items()]
    return [sys.executable, "-m", module, *words, *(word for pair in pairs for word in pair)]


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


def needs_preparation(home: Path, connection: Mapping[str, Any]) -> bool:
    """Whether `prepare` has something to do: new storage, another Dagster, or runs an earlier life left.

    `connection` is arguments of psycopg2's `connect`.
    """
    if not _is_prepared(home):
        return True
    with closing(psycopg2.connect(**connection)) as session, session.cursor() as cursor:
        cursor.execute("SELECT to_regclass('public.runs') IS NULL")
        if cursor.fetchone() == (True,):
            return True
        cursor.execute("SELECT EXISTS (SELECT FROM runs WHERE status = ANY(%s))", (list(IN_FLIGHT),))
        return bool(cursor.fetchone() == (True,))


def _is_prepared(home: Path) -> bool:
    file = dagster_folder(home) / PREPARED
    return file.exists() and yaml.safe_load(file.read_text()) == _wanted()


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

    if not _is_prepared(home):
        instance.upgrade()
        (dagster_folder(home) / PREPARED).write_text(yaml.safe_dump(_wanted()))
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


def main() -> None:
    """Prepare the storage of the stack in the folder given."""
    from dagster import DagsterInstance  # noqa: PLC0415 - costs 1.6 s, for this program alone
    from dagster._core.instance import InstanceRef  # noqa: PLC0415 - as above

    home = Path(sys.argv[1])
    folder = dagster_folder(home)
    storage = yaml.safe_load((folder / "dagster.yaml").read_text())["storage"]
    storage["postgres"]["should_autocreate_tables"] = True
    reference = InstanceRef.from_dir(str(folder), overrides={"storage": storage})
    with DagsterInstance.from_ref(reference) as instance:
        ended = prepare(instance, home)
    sys.stdout.write("".join(f"ended run {run_id} of an earlier life\n" for run_id in ended))


if __name__ == "__main__":
    main()
