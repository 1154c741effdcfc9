"""Starts the processes of Dagster's runs by forking one that has imported everything already.

A run process of its own making imports Dagster and the definitions anew, which takes both cores of a laptop
for 3 s. This server imports once; each run is a copy of it, made in milliseconds, that ends with its run: so
runs share no state, however one of them ends. Its copies run what its memory holds, so it starts itself anew
when a source file has changed; until it listens again, Dagster starts runs as it does everywhere.

Linux only: elsewhere a process that has used the system's libraries must not be copied.
"""

import argparse
import gc
import json
import logging
import os
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from laptop.dagster.dagster_home import end_run
from laptop.processes import ProcessId

IMPORTED_AHEAD = (
    "dagster._cli.api",
    "dagster_postgres",
    "resources.pipes",  # 0.5 s, when a run's first job starts
    "resources.warehouse.binary_copy",  # 0.4 s, when a run's first load starts
)

LOOK_SECONDS = 0.2
"""How often the server looks for runs that have ended."""

ANSWER_SECONDS = 10.0
LONGEST_REQUEST = 1 << 20
GO = b"!"
"""What a run's process waits for; without it, it ends."""

_CREDENTIALS = struct.Struct("3i")
_THIS_MODULE = "laptop.dagster.run_server"  # `__name__` is `__main__` when it runs as a program

logger = logging.getLogger(__name__)


class RunServerError(Exception):
    """The server can't start a run; Dagster's own way has to."""


def address(dagster_home: Path) -> str:
    """Where the server of a Dagster instance listens: a name in Linux's abstract namespace, as no path is."""
    return f"\0airline-runs-{sha256(str(dagster_home).encode()).hexdigest()[:32]}"


@contextmanager
def started(where: str, run_id: str, arguments: str) -> Iterator[ProcessId]:
    """Have a server start the process of a run, which begins its work when the block has ended well.

    Whoever gives up before that has started nothing: a run must not be executed a second time by other means.
    `where` is the server's `address`, and the arguments are what `dagster api execute_run` takes.

    Raises:
        RunServerError: Nobody listens there, or the server can't; nothing was started.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        try:
            connection.connect(where)
            _require_same_user(connection)
            stream = connection.makefile("rw")
            stream.write(json.dumps({"run_id": run_id, "arguments": arguments}) + "\n")
            stream.flush()
            answer = json.loads(stream.readline() or "{}")
        except (OSError, ValueError) as error:
            raise RunServerError(f"no server of run processes answers: {error}") from error
        if "pid" not in answer:
            raise RunServerError(answer.get("refused", "the server of run processes has gone"))
        yield ProcessId.from_record(answer)
        connection.sendall(GO)


def _require_same_user(connection: socket.socket) -> None:
    """Talk to processes of this user alone: an abstract name has no permissions of its own."""
    given = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _pid, user, _group = _CREDENTIALS.unpack(given)
    if user != os.getuid():
        raise ConnectionRefusedError(f"user {user} is at the other end")


@dataclass
class RunServer:
    """The server, once its modules are imported.

    Args:
        execute: Executes a run, given what `started` was; called in a process of its own.
        report: Tells Dagster that a run's process has died; called in a process of its own.
        stale: Why new processes would not run what is on disk; None while they do.
    """

    execute: Callable[[str], None]
    report: Callable[[str, str], None]
    stale: Callable[[], str | None]
    _runs: dict[int, str] = field(default_factory=dict, init=False)

    def serve(self, listener: socket.socket) -> str:
        """Start what is asked for, until it would be something old; return why it would."""
        listener.settimeout(LOOK_SECONDS)
        while True:
            self._collect()
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            reason = self.stale()
            with connection, suppress(OSError, ValueError, KeyError):
                connection.settimeout(ANSWER_SECONDS)
                _require_same_user(connection)
                with connection.makefile("rw") as stream:
                    request = json.loads(stream.readline(LONGEST_REQUEST))
                    answer = {"refused": reason} if reason else self._start(request, connection, listener)
                    stream.write(json.dumps(answer) + "\n")
            if reason:
                return reason

    def _start(
        self, request: Mapping[str, str], connection: socket.socket, listener: socket.socket
    ) -> dict[str, Any]:
        """Start one run's process; which it is."""
        run_id, arguments = request["run_id"], request["arguments"]

        def work() -> None:
            listener.close()
            connection.settimeout(None)
            with connection:
                wanted = connection.recv(len(GO)) == GO
            if wanted:
                self.execute(arguments)

        pid = _fork(work)
        self._runs[pid] = run_id
        logger.info("run %s: process %d", run_id, pid)
        return ProcessId.of(pid).record()

    def _collect(self) -> None:
        """Reap what has ended, and report the runs whose process did not end by itself."""
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                pid, status = ended
                run_id = self._runs.pop(pid, None)
                if run_id and (code := os.waitstatus_to_exitcode(status)):
                    why = f"Its process {pid} ended with {code}"
                    logger.warning("run %s: %s", run_id, why)
                    _fork(partial(self.report, run_id, why))


def _fork(work: Callable[[], object]) -> int:
    """Do something in a copy of this process, which ends with it; the copy's pid."""
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - nothing of the server may go on in its copy
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _execute(arguments: str) -> None:
    """What the processes of Dagster's other launchers do."""
    from dagster._cli.api import execute_run_command  # noqa: PLC0415 - imported ahead, by `_import_all`

    execute_run_command.main([arguments], standalone_mode=False)


def _report(run_id: str, why: str) -> None:
    """Fail a run that nobody works on any more; Dagster's retries see to the rest."""
    from dagster import DagsterInstance  # noqa: PLC0415 - imported ahead, by `_import_all`

    with DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            end_run(instance, run, f"{why} before the run was over.")


def _import_all(definitions: str) -> None:
    """Import and resolve what any run needs, and leave no thread, connection or garbage behind."""
    for module in IMPORTED_AHEAD:
        import_module(module)
    repository = import_module(definitions).defs.get_repository_def()
    repository.load_all_definitions()
    if threading.active_count() > 1:
        raise RunServerError(f"expected no thread but the main one, found {threading.enumerate()}")
    gc.collect()
    gc.freeze()


def _sources() -> dict[Path, float]:
    """When each imported source file was changed that is of no installed distribution."""
    installed = (sys.prefix, sys.base_prefix)
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    own = {Path(file) for file in files if file and not file.startswith(installed)}
    return {file: file.stat().st_mtime for file in own if file.exists()}


def _changed(sources: Mapping[Path, float]) -> str | None:
    """Which source file is not what was imported."""
    for file, imported in sources.items():
        if not file.exists() or file.stat().st_mtime != imported:
            return f"{file} has changed"
    return None


def main() -> NoReturn:
    """Import everything, then serve until something of it has changed; then begin again."""
    parser = argparse.ArgumentParser(prog=f"python -m {_THIS_MODULE}", description=__doc__)
    parser.add_argument("--definitions", required=True, help="module with Dagster's Definitions")
    chosen = parser.parse_args()
    logging.basicConfig(format="%(asctime)s %(message)s")
    logger.setLevel(logging.INFO)
    began = time.monotonic()
    broken = None
    try:
        _import_all(chosen.definitions)
    except Exception as error:
        logger.exception("Dagster starts runs by itself, until the definitions can be imported")
        broken = f"it could not be imported: {error!r}"
    sources = _sources()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address(Path(os.environ["DAGSTER_HOME"])))
        listener.listen()
        logger.info("ready after %.1f s", time.monotonic() - began)
        reason = RunServer(_execute, _report, lambda: broken or _changed(sources)).serve(listener)
    logger.info("starting anew: %s", reason)
    # Another process with the same pid, whose children are still its own.
    os.execv(sys.executable, [sys.executable, "-m", _THIS_MODULE, *sys.argv[1:]])  # noqa: S606 - itself


if __name__ == "__main__":
    main()
