"""Runs are forked, reported when they die, and never started twice."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest

from laptop.dagster.run_server import IMPORTED_AHEAD, RunServerError, address, started
from laptop.processes import ProcessId

SERVER = """
import os, signal, socket, sys
from pathlib import Path
from laptop.dagster.run_server import RunServer, address

folder = Path(sys.argv[1])
count = 0

def execute(arguments):
    global count
    count += 1
    (folder / arguments).write_text(f"{count} {os.getpid()}")
    if arguments == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if arguments == "raising":
        raise RuntimeError("a bug")

def report(run_id, why):
    (folder / f"reported {run_id}").write_text(why)

with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(address(folder))
    listener.listen()
    print("listening", flush=True)
    stale = lambda: "its source has changed" if (folder / "changed").exists() else None
    print(RunServer(execute, report, stale).serve(listener), flush=True)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "listening\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.parametrize("module", IMPORTED_AHEAD)
def test_what_is_imported_ahead_is_there(module: str) -> None:
    """Else the server starts no run, and Dagster starts each in 3 s."""
    assert find_spec(module)


def start_run(where: str, run_id: str, arguments: str) -> ProcessId:
    with started(where, run_id, arguments) as process:
        return process


def written(file: Path) -> str:
    return until(lambda: file.exists() and file.read_text())


def until(found: Callable[[], str | bool]) -> str:
    deadline = time.monotonic() + 20
    while not (it := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return str(it)


@pytest.mark.usefixtures("server")
def test_every_run_has_a_process_of_its_own_that_shares_nothing(tmp_path: Path) -> None:
    first = start_run(address(tmp_path), "one", "first")
    second = start_run(address(tmp_path), "two", "second")
    assert written(tmp_path / "first") == f"1 {first.pid}"
    assert written(tmp_path / "second") == f"1 {second.pid}"
    assert len({first.pid, second.pid, os.getpid()}) == 3


@pytest.mark.usefixtures("server")
@pytest.mark.parametrize(("how", "status"), [("killed", -9), ("raising", 1)])
def test_a_run_whose_process_dies_is_reported(tmp_path: Path, how: str, status: int) -> None:
    process = start_run(address(tmp_path), "one", how)
    assert written(tmp_path / "reported one") == f"Its process {process.pid} ended with {status}"


@pytest.mark.usefixtures("server")
def test_a_run_that_ends_by_itself_is_reaped_and_not_reported(tmp_path: Path) -> None:
    process = start_run(address(tmp_path), "one", "first")
    until(lambda: not psutil.pid_exists(process.pid))
    assert not (tmp_path / "reported one").exists()


def test_a_changed_source_starts_no_run(tmp_path: Path, server: subprocess.Popen[str]) -> None:
    (tmp_path / "changed").touch()
    with pytest.raises(RunServerError, match="its source has changed"):
        start_run(address(tmp_path), "one", "first")
    assert server.stdout
    assert server.stdout.readline() == "its source has changed\n"
    assert not (tmp_path / "first").exists()


def test_where_nobody_listens_no_run_is_started(tmp_path: Path) -> None:
    with pytest.raises(RunServerError, match="no server of run processes answers"):
        start_run(address(tmp_path), "one", "first")


@pytest.mark.usefixtures("server")
def test_who_gives_up_before_the_go_has_started_nothing(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError), started(address(tmp_path), "one", "first") as process:
        raise TimeoutError
    until(lambda: not psutil.pid_exists(process.pid))
    assert not (tmp_path / "first").exists()
    assert not (tmp_path / "reported one").exists()
