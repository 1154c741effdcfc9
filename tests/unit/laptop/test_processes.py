"""Children are started, told apart from strangers, and ended with all they started."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from airline_platform.errors import StackUnavailable
from laptop import processes
from laptop.processes import (
    COMPONENT_VARIABLE,
    OWNER_VARIABLE,
    Child,
    Component,
    Job,
    ProcessId,
    RestartLimit,
    StopRequestedError,
    Supervisor,
    stop_waves,
)

SLEEP = ["sleep", "600"]
PARENT = ["sh", "-c", "trap '' TERM; sleep 600 & wait; sleep 600"]
AT_ONCE = RestartLimit(deaths=2, seconds=60, longest_pause=0.01)


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
    assert child.exit_status == -signal.SIGKILL
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


def test_a_child_takes_ctrl_c_even_when_its_parent_ignores_it(home: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = start(home, SLEEP)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    child.popen.send_signal(signal.SIGINT)
    assert child.popen.wait(5) == -signal.SIGINT


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


def component(home: Path, name: str, command: list[str] = SLEEP, *after: str, **more) -> Component:
    return Component(
        name=name,
        start=lambda: start(home, command, name),
        missing=more.pop("missing", lambda _began: None),
        log=home / f"{name}.log",
        after=after,
        **more,
    )


def job(home: Path, name: str, command: list[str], *after: str) -> Job:
    return Job(name=name, start=lambda: start(home, command, name), log=home / f"{name}.log", after=after)


def test_nodes_start_once_what_they_need_is_ready(home: Path) -> None:
    told: list[str] = []
    nodes = [
        component(home, "gateway", missing=lambda began: "young" if time.time() < began + 0.2 else None),
        job(home, "deploy", ["sh", "-c", "sleep 0.2"], "gateway"),
        component(home, "daemon", SLEEP, "deploy"),
    ]
    supervisor = Supervisor(nodes, tell=told.append)
    supervisor.start()
    assert [line.split()[0] for line in told] == ["gateway", "deploy", "daemon"]
    assert set(supervisor.children) == {"gateway", "daemon"}
    supervisor.stop()
    assert not any(child.identity.alive for child in supervisor.children.values())


def test_a_job_with_nothing_to_do_counts_as_done(home: Path) -> None:
    idle = Job(name="storage", start=lambda: None, log=home / "storage.log")
    supervisor = Supervisor([idle, component(home, "daemon", SLEEP, "storage")])
    supervisor.start()
    assert set(supervisor.children) == {"daemon"}
    supervisor.stop()


def test_the_first_failure_ends_the_start_with_the_words_of_the_guilty(home: Path) -> None:
    (home / "gateway.log").write_text("of an earlier life\n")
    failing = ["sh", "-c", "echo 'no bucket'; exit 3"]
    nodes = [
        component(home, "postgres"),
        component(home, "gateway", failing, missing=lambda _began: "it does not answer"),
        component(home, "daemon", SLEEP, "gateway"),
    ]
    supervisor = Supervisor(nodes)
    with pytest.raises(StackUnavailable, match="gateway ended with status 3 before it was ready") as caught:
        supervisor.start()
    assert "no bucket" in str(caught.value)
    assert "earlier life" not in str(caught.value)
    supervisor.stop()
    assert "daemon" not in supervisor.children
    assert processes.owned_by(home) == []


def test_what_never_becomes_ready_is_told_with_what_it_lacks(home: Path) -> None:
    slow = component(home, "gateway", missing=lambda _began: "it does not answer", timeout=0.2)
    supervisor = Supervisor([slow])
    with pytest.raises(StackUnavailable, match="did not become ready within 0 s: it does not answer"):
        supervisor.start()
    supervisor.stop()


def test_a_job_that_fails_ends_the_start(home: Path) -> None:
    supervisor = Supervisor([job(home, "deploy", ["sh", "-c", "echo 'no template'; exit 1"])])
    with pytest.raises(StackUnavailable, match="no template"):
        supervisor.start()
    supervisor.stop()


def test_an_end_that_is_asked_for_ends_a_start(home: Path) -> None:
    supervisor = Supervisor([component(home, "gateway", missing=lambda _began: "never")])

    def told() -> None:
        supervisor.request_stop()

    supervisor.changed = told
    with pytest.raises(StopRequestedError):
        supervisor.start()
    supervisor.stop()
    assert processes.owned_by(home) == []


def test_a_component_that_keeps_dying_ends_the_watch_with_the_reason(home: Path) -> None:
    told: list[str] = []
    dying = component(home, "daemon", ["sh", "-c", "echo 'out of luck'; sleep 0.1; exit 7"])
    supervisor = Supervisor([dying], tell=told.append, limit=AT_ONCE)
    supervisor.start()
    with pytest.raises(StackUnavailable, match="daemon ended with status 7, 3 times in 60 s") as caught:
        supervisor.watch()
    assert "out of luck" in str(caught.value)
    assert told.count("daemon is back") == 2
    supervisor.stop()


def test_a_component_that_died_comes_back_with_the_jobs_that_died_with_it(home: Path) -> None:
    note = home / "deployments"
    nodes = [
        component(home, "gateway", again_after_restart=("deploy",)),
        job(home, "deploy", ["sh", "-c", f"echo deployed >> {note}"], "gateway"),
    ]
    supervisor = Supervisor(nodes, limit=AT_ONCE)
    supervisor.tell = lambda line: supervisor.request_stop() if line == "gateway is back" else None
    supervisor.start()
    first = supervisor.children["gateway"]
    first.popen.kill()
    supervisor.watch()
    assert supervisor.children["gateway"].identity != first.identity
    assert note.read_text().split() == ["deployed", "deployed"]
    supervisor.stop()


def test_pauses_before_a_restart_grow_and_end_somewhere() -> None:
    pauses = [RestartLimit().pause(deaths) for deaths in range(7)]
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8]


def test_what_nothing_needs_is_ended_first(home: Path) -> None:
    nodes = [
        component(home, "postgres"),
        component(home, "gateway"),
        component(home, "code-server"),
        job(home, "deploy", SLEEP, "postgres", "gateway"),
        component(home, "daemon", SLEEP, "deploy", "code-server"),
    ]
    waves = [[node.name for node in wave] for wave in stop_waves(nodes)]
    assert waves == [["daemon"], ["postgres", "gateway", "code-server"]]


def test_a_start_of_what_is_no_program_says_so(home: Path) -> None:
    supervisor = Supervisor([component(home, "gateway", [str(home / "no-such-program")])])
    with pytest.raises(FileNotFoundError):
        supervisor.start()
    supervisor.stop()
    assert sys.executable
