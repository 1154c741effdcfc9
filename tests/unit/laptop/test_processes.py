"""Children are started, told apart from strangers, and ended with all they started."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from laptop import processes
from laptop.processes import COMPONENT_VARIABLE, OWNER_VARIABLE, Child, ProcessId

SLEEP = ["sleep", "600"]
PARENT = ["sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.kill(processes.owned_by(tmp_path))


def start(home: Path, command: list[str], name: str = "some") -> Child:
    marks = {OWNER_VARIABLE: str(home), COMPONENT_VARIABLE: name}
    return processes.start(command, log=home / f"{name}.log", environment=os.environ | marks, cwd=home)


def children_of(child: Child) -> list[psutil.Process]:
    deadline = time.monotonic() + 10
    while not (found := psutil.Process(child.identity.pid).children()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def test_a_pid_that_belongs_to_another_by_now_is_not_the_process_and_is_not_ended(home: Path) -> None:
    child = start(home, SLEEP)
    earlier = ProcessId(child.identity.pid, child.identity.create_time - 100)
    assert not earlier.alive
    assert processes.end([earlier]) == []
    assert child.identity.alive
    processes.stop(child)


def test_an_identity_survives_its_record(home: Path) -> None:
    child = start(home, SLEEP)
    assert ProcessId.from_record(child.identity.record()) == child.identity
    processes.stop(child)
    assert not child.identity.alive


def test_a_stop_kills_what_ignores_the_request_and_what_it_started(home: Path) -> None:
    child = start(home, PARENT)
    below = children_of(child)
    processes.stop(child, grace=0.2)
    assert child.popen.poll() == -signal.SIGKILL
    assert not any(map(processes.lives, below))


def test_the_end_of_a_stranger_s_child_includes_what_it_started(home: Path) -> None:
    child = start(home, PARENT)
    below = children_of(child)
    assert processes.end([child.identity], grace=0.2) == [child.identity.pid]
    assert not child.identity.alive
    assert not any(map(processes.lives, below))
    child.popen.wait()


def test_an_orphan_is_found_by_its_mark_and_only_by_its_own(home: Path) -> None:
    child = start(home, PARENT, "gateway")
    (orphan,) = children_of(child)
    child.popen.kill()
    child.popen.wait()
    assert processes.owned_by(home) == [orphan]
    assert processes.owned_by(home, "gateway") == [orphan]
    assert processes.owned_by(home, "daemon") == []
    assert processes.owned_by(home / "elsewhere") == []
    processes.kill([orphan])


def test_a_child_has_a_session_of_its_own(home: Path) -> None:
    child = start(home, SLEEP)
    assert os.getsid(child.identity.pid) == child.identity.pid
    processes.stop(child)


def test_a_large_log_is_put_aside_and_a_small_one_continued(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("earlier\n")
    processes.rotate(log, limit=100)
    assert log.read_text() == "earlier\n"
    log.write_text("x" * 101)
    processes.rotate(log, limit=100)
    assert not log.exists()
    assert (tmp_path / "some.log.1").stat().st_size == 101


def test_last_lines_are_those_of_this_life_without_colours(tmp_path: Path) -> None:
    log = tmp_path / "some.log"
    log.write_text("of an earlier life\n\x1b[32mone\x1b[0m\ntwo\nthree\n")
    assert processes.last_lines(log, start=19) == ["one", "two", "three"]
    assert processes.last_lines(log, count=2) == ["two", "three"]
    assert processes.last_lines(tmp_path / "none.log") == []
