"""Keeps Spark processes warm for the Glue engine: one job per process, a new process for every one taken."""

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
from pathlib import Path
from typing import Any, Self

from airline_platform.errors import StackUnavailable
from airline_platform.local.spark_jvm import SparkJvm, session_options

logger = logging.getLogger(__name__)

WORKER_SCRIPT = Path(__file__).with_name("spark_worker.py")
SHIM_FOLDER = Path(__file__).with_name("awsglue_shim")

READY_SECONDS = 120.0
"""How long a worker may take to warm up; 3 to 7 seconds is normal on two cores."""

REPLACE_SECONDS = 1.0
"""Pause between a job's end and the start of the next worker, which takes both cores for some seconds."""

CHECK_SECONDS = 5.0
"""How often the pool looks whether an idle worker died."""

ARCHIVE_IDLE_SECONDS = 20.0
"""How long no job may have run before the class archive is built, at the lowest priority."""


class Worker:
    """One Spark process: starting, ready, running its one job, ended."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Start the process; it is ready when `wait_ready` says so.

        Args:
            folder: The worker's own scratch folder; made here, removed by `end`.
            environment: The process's whole environment.
        """
        self.folder = folder
        folder.mkdir(parents=True)
        self.stdout = folder / "stdout"
        self.stderr = folder / "stderr"
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._ready = threading.Event()
        self._process = self._start(environment)

    def _start(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        reading, writing = os.pipe()
        command = [
            sys.executable,
            "-P",
            str(WORKER_SCRIPT),
            str(writing),
            json.dumps(session_options(self.folder)),
            str(self.folder / "warm"),
        ]
        with self.stdout.open("wb") as out, self.stderr.open("wb") as err:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=out, stderr=err, pass_fds=[writing], cwd=self.folder,
                env=environment | {"TMPDIR": str(self.folder)}, start_new_session=True,
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
                    self._messages.put(message)
        self._messages.put(None)
        self._ready.set()

    @property
    def pid(self) -> int:
        """Process id, which is also the id of the process group with its JVM in it."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    @property
    def ready(self) -> bool:
        """Whether the worker waits for a job."""
        return self._ready.is_set() and self.alive

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Block until the worker can take a job.

        Raises:
            StackUnavailable: It ended or was not ready in time; the message has the end of its stderr.
        """
        if self._ready.wait(seconds) and self.alive:
            return
        reason = "ended while starting" if self._ready.is_set() else f"was not ready within {seconds:.0f} s"
        tail = self.stderr.read_text(errors="replace")[-1500:] if self.stderr.exists() else ""
        raise StackUnavailable(
            f"The Spark worker {reason}. {tail}".strip(),
            remedy="run `airline doctor`; Spark needs Java 17 and about 1 GB of free memory",
        )

    def give(self, job: dict[str, Any]) -> None:
        """Hand the worker its one job; a dead worker shows in `result`."""
        stdin = self._process.stdin
        try:
            if stdin:
                stdin.write(json.dumps(job).encode() + b"\n")
                stdin.flush()
        except BrokenPipeError:
            logger.warning("Spark worker %d died before it got its job", self.pid)

    def result(self, seconds: float) -> dict[str, Any] | None:
        """How the job ended: `{"error": None or text}`, or None when the process died without a word.

        Raises:
            TimeoutError: Nothing came within `seconds`.
        """
        try:
            return self._messages.get(timeout=seconds)
        except queue.Empty:
            raise TimeoutError from None

    def interrupt(self) -> None:
        """End the process, its JVM and its Python workers; its log files stay."""
        _end_group(self._process)

    def end(self) -> None:
        """End the process and remove its folder."""
        self.interrupt()
        shutil.rmtree(self.folder, ignore_errors=True)


class SparkPool:
    """Warm workers, `size` of them, each good for one job."""

    def __init__(self, folder: Path, *, size: int, environment: dict[str, str], jvm_folder: Path) -> None:
        """Say what workers are to be like; none is started before `start`.

        Args:
            folder: Where the workers' scratch folders go.
            jvm_folder: Where the JVM's launcher and class archive are kept, for this and later lives.
            size: Workers kept warm; 0 starts each one when its job comes.
            environment: Environment of the workers; Java's and Spark's part is added.
        """
        self._folder = folder
        self._jvm_folder = jvm_folder
        self._builder: subprocess.Popen[bytes] | None = None
        self._quiet_since = time.monotonic()
        self._size = size
        self._environment = environment
        self._idle: list[Worker] = []
        self._taken: set[Worker] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._missing = threading.Event()

    def start(self) -> Self:
        """Start the warm workers in the background, and keep their number."""
        threading.Thread(target=self._keep_warm, daemon=True, name="spark-pool").start()
        return self

    def ready_count(self) -> int:
        """Workers that wait for a job."""
        with self._lock:
            return sum(worker.ready for worker in self._idle)

    def take(self) -> Worker:
        """A worker for one job, the warmest there is; a new one where none is idle.

        Raises:
            StackUnavailable: No Java 17, or the pool was closed.
        """
        with self._lock:
            self._drop_dead()
            self._idle.sort(key=lambda worker: not worker.ready)
            worker = self._idle.pop(0) if self._idle else self._new_worker()
            self._taken.add(worker)
            return worker

    def release(self, worker: Worker) -> None:
        """End a worker that was taken, and let a new one take its place."""
        worker.end()
        with self._lock:
            self._taken.discard(worker)
            self._quiet_since = time.monotonic()
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

    def _new_worker(self) -> Worker:
        if self._closed.is_set():
            raise StackUnavailable("The Glue engine is stopping.", remedy="start the stack: `airline up`")
        folder = self._folder / uuid.uuid4().hex[:12]
        return Worker(folder, self._environment | SparkJvm(self._jvm_folder).environment())

    def _drop_dead(self) -> None:
        for worker in [w for w in self._idle if not w.alive]:
            logger.warning("Spark worker %d died while it waited", worker.pid)
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
            self._drop_dead()
            while len(self._idle) < self._size and not self._taken and not self._closed.is_set():
                self._idle.append(self._new_worker())

    def _build_archive_when_idle(self) -> None:
        """Build the class archive once, when there is time for it."""
        with self._lock:
            if self._builder:
                self._builder.poll()  # reaps it once it has ended
                return
            quiet = time.monotonic() - self._quiet_since >= ARCHIVE_IDLE_SECONDS and not self._taken
            if self._closed.is_set() or not quiet or not self._size:
                return
            jvm = SparkJvm(self._jvm_folder)
            if jvm.archive.exists():
                return
            self._builder = subprocess.Popen(
                jvm.builder(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                env=self._environment, start_new_session=True,
            )  # fmt: skip


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process we started as a group of its own, with all that is in the group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin:
        process.stdin.close()
