"""Runs Glue Spark jobs for real: stages objects, has a warm worker run the script, stores what it wrote."""

import logging
import shutil
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from airline_platform.errors import StackUnavailable
from laptop.glue.errors import glue_error
from laptop.glue.logs import LogStream, sending
from laptop.glue.staging import Staging, StagingError, parse_uri, uris_in
from laptop.spark.pool import SHIM_FOLDER, SparkPool, Worker
from resources.aws.caller import agent_of
from resources.cost import worker_dpus

logger = logging.getLogger(__name__)

FINAL_STATES = frozenset({"SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR"})
LOG_PREFIX = "/aws-glue/jobs"
"""Log groups are `<prefix>/output` and `<prefix>/error`; a job may name another prefix.

As in Glue 5, the first has what the script writes, be it stdout or stderr, the second what Spark writes
(https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html).
"""

SECONDS_ARGUMENT = "--airline-timeout-seconds"
"""A run's limit in seconds, for tests; Glue's own Timeout counts in minutes. AWS ignores it."""

LOOK_SECONDS = 0.05
"""How often a running job is looked at for its end, a stop or its time being over."""

RUNS_KEPT = 200
"""Finished runs remembered per job; Glue keeps 90 days of them."""


class _Ended(Exception):  # noqa: N818 - it carries how a run ended, which is no error of ours
    """A run ends in `state`, for the reason in `message`."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state
        self.message = message


@dataclass
class JobRun:
    """One run of a job, with the times Glue reports as seconds since 1970."""

    job: dict[str, Any]
    request: dict[str, Any]
    id: str = field(default_factory=lambda: f"jr_{uuid.uuid4().hex}{uuid.uuid4().hex}")
    state: str = "STARTING"
    error: str = ""
    started: float = field(default_factory=time.time)
    changed: float = field(default_factory=time.time)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def name(self) -> str:
        """Name of the job."""
        return str(self.job["Name"])

    @property
    def final(self) -> bool:
        """Whether the run is over."""
        return self.state in FINAL_STATES

    @property
    def timeout_minutes(self) -> int:
        """The run's limit, from its request or its job."""
        return int(self.request.get("Timeout") or self.job.get("Timeout") or 2880)

    def arguments(self) -> dict[str, str]:
        """What the script gets: the job's defaults, replaced by the run's own, replaced by what can't be."""
        parts = (
            self.job.get("DefaultArguments"),
            self.request.get("Arguments"),
            self.job.get("NonOverridableArguments"),
        )
        return {name: str(value) for part in parts for name, value in (part or {}).items()}

    def limit_seconds(self) -> float:
        """Seconds the run may take."""
        return float(self.arguments().get(SECONDS_ARGUMENT) or self.timeout_minutes * 60)

    @property
    def log_prefix(self) -> str:
        """Where its output goes, as Glue's `--custom-logGroup-prefix` says."""
        return self.arguments().get("--custom-logGroup-prefix", LOG_PREFIX)

    def move(self, state: str, error: str = "") -> None:
        """Enter a state; a final one is never left."""
        if not self.final:
            self.state, self.error, self.changed = state, error, time.time()

    def _capacity(self) -> dict[str, Any]:
        """What the run would be billed for in an account: the workers its job asks for."""
        kind, number = self.job.get("WorkerType", "G.1X"), int(self.job.get("NumberOfWorkers", 2))
        return {
            "WorkerType": kind,
            "NumberOfWorkers": number,
            "MaxCapacity": number * worker_dpus(kind),
        }

    def describe(self) -> dict[str, Any]:
        """The run as GetJobRun answers it."""
        return {
            "Id": self.id,
            "Attempt": 0,
            "JobName": self.name,
            "JobRunState": self.state,
            "StartedOn": self.started,
            "LastModifiedOn": self.changed,
            "Arguments": self.request.get("Arguments") or {},
            "ExecutionTime": round((self.changed if self.final else time.time()) - self.started),
            "Timeout": self.timeout_minutes,
            "LogGroupName": self.log_prefix,
            **self._capacity(),
            **({"CompletedOn": self.changed} if self.final else {}),
            **({"ErrorMessage": self.error} if self.error else {}),
        }


@dataclass
class GlueEngine:
    """Job runs of the Glue jobs that MiniStack only pretends to run.

    Args:
        folder: Where each run's folder is made, and removed after the run.
        pool: Where workers come from.
        client: Makes a boto3 client of the gateway for a service's name and, perhaps, a user agent.
        environment: What a job finds in its environment: endpoint, region, keys.
    """

    folder: Path
    pool: SparkPool
    client: Callable[..., Any]
    environment: Mapping[str, str]
    _runs: dict[str, list[JobRun]] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _threads: ThreadPoolExecutor = field(
        default_factory=partial(ThreadPoolExecutor, 32, thread_name_prefix="glue-run"), init=False
    )

    def start(self, job: dict[str, Any], request: dict[str, Any]) -> str:
        """Begin a run, one at a time of each job; its id.

        Glue's default and the template's `MaxConcurrentRuns` are 1; MiniStack forgets what a job says of it.

        Raises:
            ClientError: ConcurrentRunsExceededException.
        """
        run = JobRun(job, request)
        with self._lock:
            runs = self._runs.setdefault(run.name, [])
            if not all(other.final for other in runs):
                message = f"Concurrent runs exceeded for {run.name}: a laptop runs a job once at a time"
                raise glue_error("StartJobRun", "ConcurrentRunsExceededException", message)
            runs.insert(0, run)
            del runs[RUNS_KEPT:]
        self._threads.submit(self._run, run)
        return run.id

    def runs(self, job_name: str) -> list[JobRun]:
        """A job's runs, newest first."""
        with self._lock:
            return list(self._runs.get(job_name, ()))

    def find(self, job_name: str, run_id: str) -> JobRun | None:
        """One run, or None where this engine never started it."""
        return next((run for run in self.runs(job_name) if run.id == run_id), None)

    def stop(self, run: JobRun) -> None:
        """Ask a run to stop: STOPPING now, STOPPED when its worker is gone."""
        run.move("STOPPING")
        run.stop.set()

    def close(self) -> None:
        """Stop every run and wait for them."""
        with self._lock:
            running = [run for runs in self._runs.values() for run in runs if not run.final]
        for run in running:
            self.stop(run)
        self.pool.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _run(self, run: JobRun) -> None:
        folder = self.folder / run.id
        try:
            self._run_in(run, folder)
            run.move("SUCCEEDED")
        except _Ended as end:
            run.move(end.state, end.message)
        except (StagingError, StackUnavailable, ClientError, BotoCoreError, OSError) as reason:
            run.move(*(("STOPPED", "") if run.stop.is_set() else ("FAILED", str(reason))))
        except Exception as surprise:
            logger.exception("Glue run %s", run.id)
            run.move("FAILED", f"The laptop's Glue engine failed: {surprise!r}")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _run_in(self, run: JobRun, folder: Path) -> None:
        """Stage, take a worker, run, store; the worker is given back whatever happens."""
        staging = Staging(self.client("s3"), folder / "s3", run.stop)
        job = self._prepare(run, folder, staging)
        worker = self.pool.take()
        try:
            worker.wait_ready()
            self._work(run, worker, job)
            staging.send()
        finally:
            self.pool.release(worker)

    def _prepare(self, run: JobRun, folder: Path, staging: Staging) -> dict[str, Any]:
        """Bring all the run needs into its folder; the message for the worker."""
        arguments = run.arguments()
        named = {"--JOB_NAME": run.name, "--JOB_RUN_ID": run.id} | arguments
        mounts = staging.mount()
        script = staging.fetch(parse_uri(run.job["Command"]["ScriptLocation"]), folder / "script")
        packages = [
            staging.fetch(uri, folder / "py") for uri in uris_in(arguments.get("--extra-py-files", ""))
        ]
        agent = agent_of(arguments.get("--conf", ""))
        if agent:  # what Spark itself reads and writes on AWS
            staging.s3 = self.client("s3", agent)
        staging.bring(arguments)
        for name in ("work", "tmp"):
            (folder / name).mkdir()
        return {
            "script": str(script),
            "argv": [word for argument in named.items() for word in argument],
            "py_files": [str(path) for path in packages],
            "shim": str(SHIM_FOLDER),
            "mounts": mounts,
            "conf": sql_options(arguments.get("--conf", "")),
            "folder": str(folder / "work"),
            "environment": {**self.environment, "TMPDIR": str(folder / "tmp")},
        }

    def _work(self, run: JobRun, worker: Worker, job: dict[str, Any]) -> None:
        """Let the worker run the job; then its output goes to CloudWatch."""
        client = self.client("logs")
        output, of_spark = (
            LogStream(client, f"{run.log_prefix}/{group}", f"{run.id}-driver")
            for group in ("output", "error")
        )
        with sending({worker.output: output, worker.spark_log: of_spark}):
            run.move("RUNNING")
            worker.give(job)
            try:
                self._await(run, worker)
            finally:
                if not worker.reusable:
                    worker.interrupt()  # before the last lines of its output are read

    def _await(self, run: JobRun, worker: Worker) -> None:
        """Return when the job has succeeded; every other end of it is raised."""
        deadline = time.monotonic() + run.limit_seconds()
        while time.monotonic() < deadline:
            if run.stop.is_set():
                raise _Ended("STOPPED", "")
            with suppress(TimeoutError):
                error = worker.result(LOOK_SECONDS)
                if error is not None:
                    raise _Ended("FAILED", error)
                return
        raise _Ended("TIMEOUT", f"The run took longer than its limit of {run.limit_seconds():.0f} s.")


def sql_options(value: str) -> dict[str, str]:
    """The `spark.sql.*` options of Glue's `--conf`: `a=1 --conf b=2`. Others are fixed once Spark runs."""
    pairs = (part.strip().partition("=") for part in value.split("--conf"))
    return {name: text for name, _, text in pairs if name.startswith("spark.sql.")}
