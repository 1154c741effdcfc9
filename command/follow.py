"""Sends files and backfills on their way into the warehouse, and follows them with progress bars."""

import time
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime, timedelta

from airline_platform.contract.feed import Feed
from airline_platform.days import ranges
from airline_platform.errors import AirlineError
from airline_platform.run_tags import BACKFILL_TAG, FEED_TAG, days_of, job_name, range_tags
from airline_platform.settings import Settings
from command.console import out, progress, tell
from command.dagster_client import Attempt, DagsterClient
from command.land import Upload, upload_all
from resources.accounts import Account, account, follow_up, queue_depth
from resources.aws.client import make_client

POLL_SECONDS = 0.5
QUIET_SECONDS = 20.0
"""With nothing queued and nothing running for so long, nothing more will come: retries wait up to 10 s."""

LISTENER = "landing_sensor"
"""The sensor that reads the events of what lands; where it is stopped, they wait in the queue."""


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

    The landing bucket is listed at the beginning, and again before the wait ends: more may have landed. In
    between, the ledger is asked about nothing but what waits.

    Args:
        settings: Whose landing bucket and warehouse.
        client: Dagster, which is asked what is under way.
        timeout: Seconds to wait at most.

    Returns:
        Every landed object, as listed at the end; those `waiting` were not loaded in time.
    """
    patience = Patience(settings, client, timeout)
    accounts = account(settings)
    if not patience.listening and (hours := who_asks(client, waiting_feeds(accounts))):
        tell(hours)
    with progress() as bars:
        task = bars.add_task("in the warehouse", total=None)
        while waiting := [each for each in accounts if each.state == "waiting"]:
            while waiting:
                bars.update(task, completed=len(accounts) - len(waiting), total=len(accounts))
                if not patience.lasts(waiting):
                    break
                time.sleep(POLL_SECONDS)
                waiting = [each for each in follow_up(settings, waiting) if each.state == "waiting"]
            accounts = account(settings)
            if patience.over:
                break
        left = sum(each.state == "waiting" for each in accounts)
        bars.update(task, completed=len(accounts) - left, total=len(accounts))
    return accounts


class Patience:
    """Decides how long to wait for objects without a verdict.

    Args:
        settings: Whose landing queue.
        client: Dagster, which is asked what is under way.
        timeout: Seconds to wait at most.

    Attributes:
        listening: Whether the landing sensor reads the events of what lands.
        over: Whether the time is over, or nothing has been under way for `QUIET_SECONDS`.
    """

    def __init__(self, settings: Settings, client: DagsterClient, timeout: float) -> None:
        self._settings, self._client = settings, client
        self._deadline = time.monotonic() + timeout
        self._ends = datetime.now(UTC) + timedelta(seconds=timeout)
        self._quiet_since: float | None = None
        self.listening = client.sensors().get(LISTENER) == "RUNNING"
        self.over = False

    def lasts(self, waiting: Sequence[Account]) -> bool:
        """Return whether to ask the ledger again, without listing the landing bucket anew.

        The bucket is listed anew when the time is over, and when everything has just become quiet: an object
        that still waits then may have been deleted, and the ledger does not know that.
        """
        now, quiet = time.monotonic(), not self._something_is_under_way(waiting)
        just_quiet = quiet and self._quiet_since is None
        if just_quiet or not quiet:
            self._quiet_since = now if quiet else None
        quiet_seconds = now - self._quiet_since if self._quiet_since is not None else 0.0
        self.over = now > self._deadline or quiet_seconds > QUIET_SECONDS
        return not (self.over or just_quiet)

    def _something_is_under_way(self, waiting: Sequence[Account]) -> bool:
        if self.listening:
            asked_for = bool(queue_depth(self._settings, self._settings.landing_queue))
        else:
            asked_for = any(at <= self._ends for at, _ in next_ticks(self._client, waiting_feeds(waiting)))
        return asked_for or bool(self._client.unfinished_runs())


def waiting_feeds(accounts: Sequence[Account]) -> set[str]:
    """Return the names of the feeds of which something waits."""
    return {each.feed for each in accounts if each.state == "waiting"}


def who_asks(client: DagsterClient, feeds: Collection[str]) -> str | None:
    """Say which schedules will start runs for these feeds, and when; None where events start them."""
    if not feeds or client.sensors().get(LISTENER) == "RUNNING":
        return None
    hours = [f"{name} at {at:%Y-%m-%d %H:%M} UTC" for at, name in next_ticks(client, feeds)]
    if not hours:
        return f"{LISTENER} is stopped, and so is every schedule of {', '.join(sorted(feeds))}."
    return f"{LISTENER} is stopped; what waits is asked for by {', '.join(hours)}."


def next_ticks(client: DagsterClient, feeds: Collection[str]) -> list[tuple[datetime, str]]:
    """Return when the schedules of feeds tick next, with their names; stopped ones are left out."""
    names = {f"{feed}_schedule" for feed in feeds}
    return sorted(
        (each.next_tick, each.name)
        for each in client.schedules()
        if each.name in names and each.next_tick is not None
    )


def backfill(settings: Settings, client: DagsterClient, feed: Feed, days: Sequence[str]) -> str:
    """Ask for runs over a range of days, as few as the settings allow; return the tag they share.

    A backfill that Dagster's UI starts is cut into the same runs by its daemon, when it looks for one.
    """
    name = f"{feed.name} {days[0]}..{days[-1]} {datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    cut = ranges(days, longest=settings.max_partitions_per_run)
    for some in cut:
        client.launch(job_name(feed.name), {BACKFILL_TAG: name, FEED_TAG: feed.name, **range_tags(*some)})
    out.print(f"Backfill {name}: {len(days)} days in {len(cut)} runs")
    return name


def follow(client: DagsterClient, name: str, days: int, timeout: float) -> None:
    """Follow a backfill to its end.

    Args:
        client: Dagster.
        name: As `backfill` has returned it.
        days: How many it has.
        timeout: Seconds to wait at most.

    Raises:
        AirlineError: Some of its runs failed, or it did not end in time.
    """
    runs = until_ended(client, name, days, timeout)
    if failed := [run for run in runs if run.status != "SUCCESS"]:
        raise AirlineError(
            f"backfill {name}: {_days_done(runs)} of {days} days are done; not done: "
            + ", ".join(sorted(f"{'..'.join(days_of(run.tags))} ({run.status})" for run in failed)),
            remedy="See `airline alerts`, mend the cause, then run the backfill again for these days.",
        )


def until_ended(client: DagsterClient, name: str, days: int, timeout: float) -> list[Attempt]:
    """Wait for the runs that share the value of `BACKFILL_TAG`; return the last attempt of each.

    Args:
        client: Dagster.
        name: The tag's value.
        days: How many days the runs have together.
        timeout: Seconds to wait at most.

    Raises:
        AirlineError: They did not end in time.
    """
    deadline = time.monotonic() + timeout
    with progress() as bars:
        task = bars.add_task("backfill", total=days)
        while True:
            runs = client.last_attempts(BACKFILL_TAG, name)
            done = _days_done(runs)
            bars.update(task, completed=done)
            if not any(run.under_way for run in runs):
                return runs
            if time.monotonic() > deadline:
                raise AirlineError(
                    f"backfill {name} did not end within {timeout:.0f} s; {done} of {days} days are done",
                    remedy=f"Look at the runs with the tag {BACKFILL_TAG} in the Dagster UI; they go on.",
                )
            time.sleep(POLL_SECONDS)


def _days_done(runs: Sequence[Attempt]) -> int:
    return sum(_days_of(run) for run in runs if run.status == "SUCCESS")


def _days_of(run: Attempt) -> int:
    """Count the days of a run; one without days counts as one."""
    first, last = days_of(run.tags)
    return (date.fromisoformat(last) - date.fromisoformat(first)).days + 1 if first else 1
