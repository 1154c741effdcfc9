"""Files on their way into the warehouse, and backfills on theirs, sent and followed with progress bars."""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from airline_platform.accounting import Account, account, queue_depth
from airline_platform.console import out, progress, tell
from airline_platform.dagster_client import DagsterClient
from airline_platform.errors import AirlineError
from airline_platform.feeds import Feed
from airline_platform.settings import Settings
from airline_platform.uploads import Upload, upload_all
from resources.aws import make_client

POLL_SECONDS = 0.5
QUIET_SECONDS = 20.0
"""With nothing queued and nothing running for so long, nothing more will come: retries wait up to 10 s."""

LISTENER = "landing_sensor"
"""Reads the events of what lands; where it is stopped, they wait in the queue."""


def land(settings: Settings, uploads: list[Upload]) -> None:
    """Put files into the landing bucket."""
    make_client(settings, "s3")  # its failure is the first thing to say
    with progress() as bars:
        task = bars.add_task("landing", total=len(uploads))
        upload_all(settings, uploads, lambda _upload: bars.advance(task))


def wait(settings: Settings, client: DagsterClient, timeout: float) -> list[Account]:
    """Wait until every landed object is loaded or rejected.

    Returns early when nothing is under way any more that could change the rest: no run, no event that
    somebody reads, and no schedule that asks for it before the time is over.

    Args:
        settings: Whose landing bucket and warehouse.
        client: Dagster, which is asked what is under way.
        timeout: Seconds to wait at most.

    Returns:
        Every landed object; those `waiting` were not loaded in time.
    """
    deadline = time.monotonic() + timeout
    ends = datetime.now(UTC) + timedelta(seconds=timeout)
    quiet_since: float | None = None
    listening = client.sensors().get(LISTENER) == "RUNNING"
    if not listening and (hours := who_asks(client, waiting_feeds(account(settings)))):
        tell(hours)
    with progress() as bars:
        task = bars.add_task("in the warehouse", total=None)
        while True:
            accounts = account(settings)
            waiting = sum(each.state == "waiting" for each in accounts)
            bars.update(task, completed=len(accounts) - waiting, total=len(accounts))
            now = time.monotonic()
            if listening:
                asked_for = bool(queue_depth(settings, settings.landing_queue))
            else:
                asked_for = any(at <= ends for at, _ in next_ticks(client, waiting_feeds(accounts)))
            busy = asked_for or bool(client.unfinished_runs())
            quiet_since = None if busy else quiet_since or now
            gave_up = quiet_since is not None and now - quiet_since > QUIET_SECONDS
            if not waiting or gave_up or now > deadline:
                return accounts
            time.sleep(POLL_SECONDS)


def waiting_feeds(accounts: Sequence[Account]) -> set[str]:
    """Names of the feeds of which something waits."""
    return {each.feed for each in accounts if each.state == "waiting"}


def who_asks(client: DagsterClient, feeds: Collection[str]) -> str | None:
    """Who asks for runs over what waits, and when; None where events do, or nothing waits."""
    if not feeds or client.sensors().get(LISTENER) == "RUNNING":
        return None
    hours = [f"{name} at {at:%Y-%m-%d %H:%M} UTC" for at, name in next_ticks(client, feeds)]
    if not hours:
        return f"{LISTENER} is stopped, and so is every schedule of {', '.join(sorted(feeds))}."
    return f"{LISTENER} is stopped; what waits is asked for by {', '.join(hours)}."


def next_ticks(client: DagsterClient, feeds: Collection[str]) -> list[tuple[datetime, str]]:
    """When the schedules of feeds tick next, and their names; those that are stopped do not."""
    names = {f"{feed}_schedule" for feed in feeds}
    return sorted(
        (each.next_tick, each.name)
        for each in client.schedules()
        if each.name in names and each.next_tick is not None
    )


def backfill(client: DagsterClient, feed: Feed, days: Sequence[str], timeout: float) -> None:
    """Launch a backfill of all a feed's assets; with a timeout in seconds, follow it to its end.

    Raises:
        AirlineError: It failed, or did not end in time.
    """
    backfill_id = client.launch_backfill(feed, days)
    out.print(f"Backfill {backfill_id}: {feed.name} {days[0]} to {days[-1]}, {len(days)} days")
    deadline = time.monotonic() + timeout
    if not timeout:
        return
    with progress() as bars:
        task = bars.add_task("backfill", total=None)
        while True:
            found = client.backfill(backfill_id)
            bars.update(task, completed=found.materialized + found.failed, total=found.targeted or None)
            if found.ended:
                break
            if time.monotonic() > deadline:
                raise AirlineError(
                    f"backfill {backfill_id} did not end within {timeout:.0f} s: {found}",
                    remedy="Look at it in the Dagster UI; it goes on.",
                )
            time.sleep(POLL_SECONDS)
    if found.failed or found.error or not found.state.startswith("COMPLETED_SUCCESS"):
        raise AirlineError(
            f"backfill {backfill_id} ended with {found.state}; {found.failed} partitions failed"
            + (f": {found.error}" if found.error else ""),
            remedy="See `airline alerts`, mend the cause, then run the backfill again.",
        )
