"""Runs refused and partly rejected files again, after rules or code have changed; compares the verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from airline_platform.contract.feed import Feed
from airline_platform.errors import AirlineError
from airline_platform.run_tags import BACKFILL_TAG, FEED_TAG, job_name, range_tags
from airline_platform.settings import Settings
from command import follow
from command.dagster_client import DagsterClient
from command.rejects import find_verdicts, still_landed
from resources.warehouse import ledger
from resources.warehouse.ledger import Verdict
from resources.warehouse.session import Database

COMPARED = ("state", "rows_loaded", "rows_rejected")
"""The fields of a verdict that people compare."""


@dataclass(frozen=True)
class Replay:
    """A run over files that were refused or partly rejected.

    Args:
        feed: The feed.
        day: Its ISO day; None for a feed without days.
        name: Value of the tag its attempts share.
        run_id: The run that was asked for; a retry has another id.
    """

    feed: Feed
    day: str | None
    name: str
    run_id: str


def to_replay(settings: Settings, feed: Feed, day: str | None) -> tuple[Verdict, ...]:
    """Find the verdicts on files that were refused or partly rejected, of a day where the feed has days.

    Raises:
        StackUnavailable: S3 or the warehouse does not answer.
    """
    return tuple(still_landed(settings, feed, find_verdicts(settings, feed, day)))


def start(client: DagsterClient, feed: Feed, day: str | None) -> Replay:
    """Ask for one run of the feed's job: over the day, because a day is judged and loaded as a whole.

    Raises:
        StackUnavailable: Dagster does not answer.
    """
    name = f"replay {feed.name} {day or 'all'} {datetime.now(UTC):%Y%m%dT%H%M%S.%f}"
    tags = {BACKFILL_TAG: name, FEED_TAG: feed.name, **(range_tags(day, day) if day else {})}
    return Replay(feed, day, name, client.launch(job_name(feed.name), tags))


def wait(settings: Settings, client: DagsterClient, replay: Replay, timeout: float) -> dict[str, Verdict]:
    """Wait until the run and its retries have ended.

    Returns:
        The verdicts after it, by key: they stand whether the run succeeded or not.

    Raises:
        AirlineError: It did not end in time.
    """
    follow.until_ended(client, replay.name, 1, timeout)
    verdicts = ledger.newest_verdicts(Database.of(settings), replay.feed.name, replay.day)
    return {verdict.key: verdict for verdict in verdicts}


def require_success(client: DagsterClient, replay: Replay) -> None:
    """Return when the run's last attempt succeeded.

    Raises:
        AirlineError: It did not: every file was refused again, or a step failed.
    """
    failed = [each for each in client.last_attempts(BACKFILL_TAG, replay.name) if each.status != "SUCCESS"]
    if failed:
        raise AirlineError(
            f"{' '.join(filter(None, (replay.feed.name, replay.day)))}: run {failed[0].run_id} ended with "
            f"{failed[0].status}",
            remedy=f"See `airline alerts`, mend what they name, land the files again or replay again. "
            f"What was rejected: `airline rejects {replay.feed.name}`.",
        )


def document(
    feed: str,
    day: str | None,
    run_id: str | None,
    before: Sequence[Verdict],
    after: Mapping[str, Verdict] | None = None,
) -> dict[str, Any]:
    """Make the document of `--json`: the run, None where nothing was to be done, and each file's verdicts."""
    files = [
        {"file": each.key, "before": _figures(each), "after": _figures((after or {}).get(each.key))}
        for each in before
    ]
    return {"feed": feed, "day": day, "run": run_id, "files": files}


def compared(before: Sequence[Verdict], after: Mapping[str, Verdict] | None) -> list[dict[str, str | None]]:
    """Make a row for each file: what changed as `before → after`, one value where nothing did; its reason.

    Args:
        before: The verdicts the replay began with.
        after: Those it ended with, by key; None where it was not waited for.
    """
    rows: list[dict[str, str | None]] = []
    for verdict in before:
        now = verdict if after is None else after.get(verdict.key)
        changes = {name: _change(getattr(verdict, name), getattr(now, name, None)) for name in COMPARED}
        rows.append({"file": verdict.key, **changes, "reason": now.reason if now else None})
    return rows


def _figures(verdict: Verdict | None) -> dict[str, Any] | None:
    return {name: getattr(verdict, name) for name in (*COMPARED, "reason")} if verdict else None


def _change(before: str | int | None, after: str | int | None) -> str:
    was, now = _shown(before), _shown(after)
    return was if was == now else f"{was} → {now}"


def _shown(value: str | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else value
