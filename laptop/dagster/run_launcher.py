"""Dagster's run launcher for a laptop: runs are forked from a process that has imported everything."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import serialize_value

from laptop.dagster.run_server import RunServerError, address, started
from laptop.processes import ProcessId

PROCESS_TAG = ".dagster/airline_process"
"""Which process executes a run: `ProcessId.record`, as JSON. The UI hides tags that begin so."""


class ForkedRunLauncher(DefaultRunLauncher):
    """Launches runs by the stack's run server, and as Dagster's default does where that can't."""

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start the run's process; a tag names it before it begins."""
        run = context.dagster_run
        origin = run.job_code_origin
        if origin is None:
            super().launch_run(context)
            return
        arguments = ExecuteRunArgs(job_origin=origin, run_id=run.run_id, instance_ref=None)
        where = address(Path(self._instance.root_directory))
        try:
            with started(where, run.run_id, serialize_value(arguments)) as process:
                self._instance.add_run_tags(run.run_id, {PROCESS_TAG: json.dumps(process.record())})
        except RunServerError as why:
            self._instance.report_engine_event(f"Not started by fork, because {why}.", run, cls=type(self))
            super().launch_run(context)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run; False where nobody works on it any more."""
        run = self._instance.get_run_by_id(run_id)
        identity = _process_of(run.tags) if run else None
        if run is None or run.is_finished or identity is None:
            return bool(super().terminate(run_id))  # type: ignore[no-untyped-call]
        self._instance.report_run_canceling(run)
        process = identity.process()
        if process is None:
            self._instance.report_run_canceled(run, "Its process had ended already.")
            return False
        process.terminate()
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether Dagster's monitoring may ask if a run's process lives, also when the server does not."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the run's process lives; of one that Dagster's code server started, that knows."""
        identity = _process_of(run.tags)
        if identity is None or identity.alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"Its process {identity.pid} is gone.")


def _process_of(tags: Mapping[str, Any]) -> ProcessId | None:
    """The process a run's tags name."""
    record = tags.get(PROCESS_TAG)
    return ProcessId.from_record(json.loads(record)) if record else None
