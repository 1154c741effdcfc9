"""Processes come up once what they need is there, come back when they die, and end in order."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airline_platform.errors import StackUnavailable
from laptop import processes
from laptop.processes import COMPONENT_VARIABLE, OWNER_VARIABLE, Child
from laptop.supervisor import Component, Job, RestartLimit, StopRequestedError, Supervisor

SLEEP = ["sleep", "600"]
AT_ONCE = RestartLimit(deaths=2, seconds=60, longest_pause=0.01)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    processes.kill(processes.owned_by(tmp_path))


def start(home: Path, command: list[str], name: str) -> Child:
    marks = {OWNER_VARIABLE: str(home), COMPONENT_VARIABLE: name}
    return processes.start(command, log=home / f"{name}.log", environment=os.environ | marks, cwd=home)


def component(home: Path, name: str, command: list[str] = SLEEP, *after: str, **more: Any) -> Component:
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


def test_what_ends_last_is_ended_after_everything_else(home: Path) -> None:
    ended: list[str] = []

    def end(child: Child) -> None:
        processes.stop(child)
        ended.append("postgres" if child == supervisor.children["postgres"] else "daemon")

    nodes = [
        component(home, "postgres", stop=end, ends_last=True),
        component(home, "daemon", SLEEP, "postgres", stop=end),
    ]
    supervisor = Supervisor(nodes)
    supervisor.start()
    supervisor.stop()
    assert ended == ["daemon", "postgres"]


def test_a_job_that_takes_too_long_is_ended(home: Path) -> None:
    slow = replace(job(home, "deploy", SLEEP), timeout=0.2)
    supervisor = Supervisor([slow])
    with pytest.raises(StackUnavailable, match="deploy did not become ready within 0 s: it has not ended"):
        supervisor.start()
    assert processes.owned_by(home) == []


def test_a_start_of_what_is_no_program_says_so(home: Path) -> None:
    supervisor = Supervisor([component(home, "gateway", [str(home / "no-such-program")])])
    with pytest.raises(FileNotFoundError):
        supervisor.start()
    supervisor.stop()
