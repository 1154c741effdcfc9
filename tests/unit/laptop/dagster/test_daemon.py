"""The laptop's daemon dequeues at once and looks for backfills often, by what Dagster itself waits by."""

import logging
import runpy
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._daemon import backfill, controller
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from laptop.dagster.daemon import BACKFILL_SECONDS, DequeuingAtOnce, tell_when_queued
from laptop.dagster.dagster_home import DAEMON_MODULE


class Waited(threading.Event):
    """Nobody waits, and what was asked for is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float | None] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout)
        return False


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_backfills_are_looked_for_as_often_as_the_program_says(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(*_: Any, **__: Any) -> Iterator[None]:
        yield None

    monkeypatch.setattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS", 30)
    monkeypatch.setattr(controller, "QueuedRunCoordinatorDaemon", QueuedRunCoordinatorDaemon)
    monkeypatch.setattr(QueuedRunCoordinator, "submit_run", QueuedRunCoordinator.submit_run)
    monkeypatch.setattr("dagster._daemon.cli.main", lambda: None)
    monkeypatch.setattr(backfill, "execute_backfill_iteration", look)
    runpy.run_module(DAEMON_MODULE, run_name="__main__")
    waited = Waited()

    loop = backfill.execute_backfill_iteration_loop(None, logging.getLogger(), waited)  # type: ignore[arg-type]
    while not waited.seconds:
        next(loop)

    (seconds,) = waited.seconds
    assert seconds is not None
    assert BACKFILL_SECONDS - 1 < seconds <= BACKFILL_SECONDS
    assert (
        controller.create_daemon_of_type.__globals__["QueuedRunCoordinatorDaemon"].__name__
        == "DequeuingAtOnce"
    )


def test_a_run_that_this_process_has_queued_is_looked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[float] = []

    def look(*_: Any, **__: Any) -> Iterator[None]:
        looked.append(time.monotonic())
        yield None

    monkeypatch.setattr(QueuedRunCoordinatorDaemon, "run_iteration", look)
    monkeypatch.setattr(QueuedRunCoordinator, "submit_run", lambda _self, _context: "run")
    tell_when_queued()
    dequeuer = threading.Thread(target=lambda: list(DequeuingAtOnce(60).run_iteration()))
    dequeuer.start()
    time.sleep(0.2)
    assert looked == []

    queued = time.monotonic()
    assert QueuedRunCoordinator.submit_run(None, None) == "run"  # type: ignore[arg-type,comparison-overlap]

    dequeuer.join(10)
    assert looked[0] - queued < 5


def test_a_run_that_others_have_queued_is_looked_for_after_the_interval(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(QueuedRunCoordinatorDaemon, "run_iteration", lambda _self: iter([None]))
    began = time.monotonic()

    assert list(DequeuingAtOnce(0.2).run_iteration()) == [None]
    assert time.monotonic() - began >= 0.2
