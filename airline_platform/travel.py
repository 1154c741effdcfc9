"""Following files on their way into the warehouse, and backfills on theirs."""

import time
from collections.abc import Callable

from airline_platform.accounting import Account, account, queue_depth
from airline_platform.dagster_client import BackfillStatus, DagsterClient
from airline_platform.errors import AirlineError
from airline_platform.settings import Settings

POLL_SECONDS = 0.5
QUIET_SECONDS = 20.0
"""With nothing queued and nothing running for so long, nothing more will come: retries wait up to 10 s."""


def wait(
    settings: Settings, client: DagsterClient, timeout: float, on_progress: Callable[[int, int], None]
) -> list[Account]:
    """Wait until every landed object is loaded or rejected.

    Returns early when nothing is under way any more that could change the rest.

    Args:
        settings: Whose landing bucket and warehouse.
        client: Dagster, which is asked what is under way.
        timeout: Seconds to wait at most.
        on_progress: Told how many objects are accounted for, of how many.

    Returns:
        Every landed object; those `waiting` were not loaded in time.
    """
    deadline = time.monotonic() + timeout
    quiet_since: float | None = None
    while True:
        accounts = account(settings)
        waiting = sum(each.state == "waiting" for each in accounts)
        on_progress(len(accounts) - waiting, len(accounts))
        now = time.monotonic()
        busy = bool(queue_depth(settings, settings.landing_queue) or client.unfinished_runs())
        quiet_since = None if busy else quiet_since or now
        gave_up = quiet_since is not None and now - quiet_since > QUIET_SECONDS
        if not waiting or gave_up or now > deadline:
            return accounts
        time.sleep(POLL_SECONDS)


def follow_backfill(
    client: DagsterClient, backfill_id: str, timeout: float, on_progress: Callable[[BackfillStatus], None]
) -> None:
    """Wait for a backfill's end.

    Raises:
        AirlineError: It failed, or did not end within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (found := client.backfill(backfill_id)).ended:
        on_progress(found)
        if time.monotonic() > deadline:
            raise AirlineError(
                f"backfill {backfill_id} did not end within {timeout:.0f} s: {found}",
                remedy="Look at it in the Dagster UI; it goes on.",
            )
        time.sleep(POLL_SECONDS)
    on_progress(found)
    if found.failed or found.error or not found.state.startswith("COMPLETED_SUCCESS"):
        raise AirlineError(
            f"backfill {backfill_id} ended with {found.state}; {found.failed} partitions failed"
            + (f": {found.error}" if found.error else ""),
            remedy="See `airline alerts`, mend the cause, then run the backfill again.",
        )
