"""Dagster's daemon, as a program that waits less: it dequeues at once, and looks for backfills every 3 s.

By itself it looks into its queue once a second at the soonest (`dequeue_interval_seconds`), though most runs
are queued by threads of its own: those of the sensors and of backfills. Here these threads wake it. Runs that
others queue, such as the UI, wait up to a second as before.

For backfills it looks every 30 s by itself, by a constant that no setting of Dagster's changes: marts of
several days, and backfills from the UI, would wait for it before their first run, and once more for their end
to be seen.
"""

import threading
from typing import Any

from dagster import DagsterRun
from dagster._core.run_coordinator import QueuedRunCoordinator, SubmitRunContext
from dagster._daemon import controller
from dagster._daemon.cli import main
from dagster._daemon.daemon import DaemonIterator
from dagster._daemon.run_coordinator import queued_run_coordinator_daemon as dagsters

BACKFILL_SECONDS = 3

_queued = threading.Event()
"""A thread of this process has queued a run since the last look."""


class DequeuingAtOnce(dagsters.QueuedRunCoordinatorDaemon):
    """Looks when this process has queued a run, and after `dequeue_interval_seconds` in any case."""

    def __init__(self, interval_seconds: float) -> None:
        self._longest_wait = interval_seconds
        super().__init__(interval_seconds=0)

    def run_iteration(self, *arguments: Any, **named: Any) -> DaemonIterator:
        """Wait, and look."""
        _queued.wait(self._longest_wait)
        _queued.clear()
        yield from super().run_iteration(*arguments, **named)


def tell_when_queued() -> None:
    """Let the run coordinator say so when a run is in the queue."""
    submit = QueuedRunCoordinator.submit_run

    def submit_run(self: QueuedRunCoordinator, context: SubmitRunContext) -> DagsterRun:
        run = submit(self, context)
        _queued.set()
        return run

    QueuedRunCoordinator.submit_run = submit_run  # type: ignore[method-assign,assignment]


if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS  # read at each look
    controller.QueuedRunCoordinatorDaemon = DequeuingAtOnce  # type: ignore[attr-defined,assignment]
    tell_when_queued()
    main()
