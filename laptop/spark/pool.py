"""Keeps Spark workers warm for the Glue engine: each runs one job at a time, and many after one another."""

import json
import logging
import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from airline_platform.errors import StackUnavailable
from laptop.spark.jvm import SparkJvm, session_options

logger = logging.getLogger(__name__)

JVM_MODULE = "laptop.spark.jvm"
WORKER_SCRIPT = Path(__file__).with_name("worker.py")
SHIM_FOLDER = Path(__file__).parents[1] / "glue" / "awsglue_shim"

READY_SECONDS = 120.0
"""How long a worker may take until it is ready; on two cores 3 s are normal, and 8 where it warms up."""

JOBS_PER_WORKER = 100
"""After so many jobs a worker is replaced, whatever its JVM may have gathered meanwhile."""

REPLACE_SECONDS = 1.0
"""Pause between a job's end and the start of the next worker, which takes both cores for some seconds."""

CHECK_SECONDS = 5.0
"""How often the pool looks whether an idle worker died."""

ARCHIVE_IDLE_SECONDS = 20.0
"""How long no job may have run before the class archive is built, at the lowest priority."""


class Worker:
    """One Spark worker: starting, ready, running a job, ready again, ended."""

    def __init__(self, folder: Path, environment: dict[str, str], *, warm: bool = True) -> None:
        """Start the process; it is ready when `wait_ready` says so.

        Args:
            folder: The worker's own scratch folder; made here, removed by `end`.
            environment: The process's whole environment.
            warm: Whether it warms up first, which takes longer than it spares a job that waits for it.
        """
        self.folder = folder
        self.jobs = 0
        self.spent = False
        folder.mkdir(parents=True)
        self.output = folder / "output"
        self.spark_log = folder / "spark.log"
        self._results: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._ready = threading.Event()
        self.process = self._start(environment, str(folder / "warm") if warm else "")

    def _start(self, environment: dict[str, str], warm_folder: str) -> subprocess.Popen[bytes]:
        reading, writing = os.pipe()
        options = json.dumps(session_options(self.folder))
        arguments = [str(writing), options, str(self.spark_log), warm_folder]
        self.spark_log.touch()
        with self.output.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", str(WORKER_SCRIPT), *arguments], pass_fds=[writing], cwd=self.folder,
                env=environment | {"TMPDIR": str(self.folder)}, start_new_session=True,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        os.close(writing)
        threading.Thread(target=self._listen, args=(reading,), daemon=True).start()
        return process

    def _listen(self, reading: int) -> None:
        with os.fdopen(reading) as lines:
            for line in lines:
                message = json.loads(line)
                if message["event"] == "ready":
                    self._ready.set()
                else:
                    self._results.put(message)
        self._results.put(None)
        self._ready.set()

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self.process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether the worker waits for a job."""
        return self._ready.is_set() and self.alive

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Block until the worker can take a job.

        Raises:
            StackUnavailable: It ended or was not ready in time; the message has the end of what it wrote.
        """
        if self._ready.wait(seconds) and self.alive:
            return
        reason = "ended while starting" if self._ready.is_set() else f"was not ready within {seconds:.0f} s"
        files = [file for file in (self.output, self.spark_log) if file.exists()]
        tails = [file.read_text(errors="replace")[-1500:].strip() for file in files]
        raise StackUnavailable(
            " ".join([f"The Spark worker {reason}.", *filter(None, tails)]),
            remedy="run `airline doctor`; Spark needs Java 17 and about 1 GB of free memory",
        )

    def give(self, job: dict[str, Any]) -> None:
        """Hand the worker a job; a dead worker shows in `result`."""
        self.jobs += 1
        self.spent = True  # until its result says otherwise
        stdin = self.process.stdin
        try:
            if stdin:
                stdin.write(json.dumps(job).encode() + b"\n")
                stdin.flush()
        except BrokenPipeError:
            logger.warning("Spark worker %d died before it got its job", self.process.pid)

    def result(self, seconds: float) -> str | None:
        """What went wrong with the job; None where it succeeded.

        Raises:
            TimeoutError: The job has not ended within `seconds`.
        """
        try:
            result = self._results.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None
        if result is None:
            return "The Spark process died while it ran the job: killed, or out of memory."
        self.spent = result["spent"]
        error: str | None = result["error"]
        return error

    @property
    def reusable(self) -> bool:
        """Whether another job may have this worker: the last one ended well and left nothing behind."""
        return self.alive and not self.spent and self.jobs < JOBS_PER_WORKER

    def interrupt(self) -> None:
        """End the process, its JVM and its Python workers; its log files stay."""
        _end_group(self.process)

    def end(self) -> None:
        """End the process and remove its folder."""
        self.interrupt()
        shutil.rmtree(self.folder, ignore_errors=True)


@dataclass
class SparkPool:
    """Warm workers, `size` of them; none is started before `start`.

    Args:
        folder: Where the workers' scratch folders go.
        size: Workers kept warm; 0 starts each one when its job comes.
        environment: Environment of the workers; Java's and Spark's part is added.
        jvm_folder: Where the JVM's launcher and class archive are kept, for this and later lives.
    """

    folder: Path
    size: int
    environment: dict[str, str]
    jvm_folder: Path
    _builder: subprocess.Popen[bytes] | None = None
    _quiet_since: float = field(default_factory=time.monotonic)
    _idle: list[Worker] = field(default_factory=list)
    _taken: set[Worker] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: threading.Event = field(default_factory=threading.Event)
    _missing: threading.Event = field(default_factory=threading.Event)

    def start(self) -> None:
        """Start the warm workers in the background, and keep their number."""
        threading.Thread(target=self._keep_warm, daemon=True, name="spark-pool").start()

    def ready_count(self) -> int:
        """Workers that wait for a job."""
        with self._lock:
            return sum(worker.ready for worker in self._idle)

    def take(self) -> Worker:
        """A worker for a job, the warmest there is; a new one, not warmed up, where none is idle.

        Raises:
            StackUnavailable: No Java 17, or the pool was closed.
        """
        with self._lock:
            self._drop_useless()
            idle = sorted(self._idle, key=lambda worker: not worker.ready)
            worker = idle[0] if idle else self._new_worker(warm=False)
            if idle:
                self._idle.remove(worker)
            self._taken.add(worker)
            return worker

    def release(self, worker: Worker) -> None:
        """Keep a worker for the next job, or end it and let a new one take its place."""
        with self._lock:
            self._taken.discard(worker)
            self._quiet_since = time.monotonic()
            room = len(self._idle) < self.size
            if worker.reusable and room and not self._closed.is_set():
                self._idle.append(worker)
                return
        worker.end()
        self._missing.set()

    def close(self) -> None:
        """End every worker, idle or taken."""
        with self._lock:
            self._closed.set()
            workers = [*self._idle, *self._taken]
            self._idle.clear()
            self._taken.clear()
            builder = self._builder
        self._missing.set()
        if builder:
            _end_group(builder)
        for worker in workers:
            worker.end()

    def _new_worker(self, *, warm: bool = True) -> Worker:
        if self._closed.is_set():
            raise StackUnavailable("The Glue engine is stopping.", remedy="start the stack: `airline up`")
        folder = self.folder / uuid.uuid4().hex[:12]
        java = SparkJvm(self.jvm_folder).environment()
        return Worker(folder, self.environment | java, warm=warm)

    def _drop_useless(self) -> None:
        """End idle workers that have died."""
        for worker in [*self._idle]:
            if not worker.alive:
                logger.warning("Spark worker %d died while it waited", worker.process.pid)
                self._idle.remove(worker)
                worker.end()

    def _keep_warm(self) -> None:
        while not self._closed.is_set():
            try:
                self._fill()
                self._build_archive_when_idle()
            except StackUnavailable as reason:
                logger.warning("No Spark worker is kept warm: %s", reason)
                return
            self._missing.wait(CHECK_SECONDS)
            if self._missing.is_set():
                self._missing.clear()
                self._closed.wait(REPLACE_SECONDS)

    def _fill(self) -> None:
        with self._lock:
            self._drop_useless()
            missing = self.size - len(self._idle)
            if not self._taken and not self._closed.is_set():
                self._idle += [self._new_worker() for _ in range(missing)]

    def _build_archive_when_idle(self) -> None:
        """Build the class archive once, when there is time for it."""
        with self._lock:
            if self._builder:
                self._builder.poll()  # reaps it once it has ended
                return
            quiet = time.monotonic() - self._quiet_since >= ARCHIVE_IDLE_SECONDS and not self._taken
            if self._closed.is_set() or not quiet or not self.size:
                return
            if not SparkJvm(self.jvm_folder).archive.exists():
                self._builder = subprocess.Popen(
                    [sys.executable, "-m", JVM_MODULE, str(self.jvm_folder)], env=self.environment,
                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process we started as a group of its own, with all that is in the group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
