"""The laptop's daemon looks for backfills often; the constant it changes is the one that Dagster waits by."""

import logging
import runpy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from dagster._daemon import backfill, controller

from laptop.dagster.daemon import BACKFILL_SECONDS
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
