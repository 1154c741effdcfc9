"""Dagster's daemon, as a program that looks for backfills every 3 s.

By itself it does so every 30 s, by a constant that no setting of Dagster's changes: marts of several days,
and backfills from the UI, would wait for it before their first run, and once more for their end to be seen.
"""

from dagster._daemon import controller
from dagster._daemon.cli import main

BACKFILL_SECONDS = 3


if __name__ == "__main__":
    controller.DEFAULT_DAEMON_INTERVAL_SECONDS = BACKFILL_SECONDS  # read at each look
    main()
