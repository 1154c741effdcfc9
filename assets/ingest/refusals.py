"""Refused files: their verdict in the ledger, and one alert for each version, however often it is met."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, Self

from dagster import DagsterRun

from airline_platform.contract.feed import REPEATED, Feed
from airline_platform.contract.table import SOURCE_FILE
from airline_platform.settings import get_settings
from assets.alerts.messages import refused_alert, replacement_refused_alert
from assets.ingest.deleted_sources import has_expired
from assets.ingest.handover import MadeDay
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject, Version
from resources.catalog import rejects_prefix
from resources.lake import Lake
from resources.topic import Alert
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse

FIRST_REJECTS = 5
"""Rejected rows that an alert or a verdict shows."""

DAY_REFUSED = "the day is refused as a whole because of {key}. Mend that file, and land it again"
"""Why a file is not loaded that has nothing wrong itself, where its feed says so."""

Lost = Literal["gone", "refused", "refused now"]
"""What became of a file whose rows stand: it is gone, its newer version is refused, or the same one is."""


@dataclass(frozen=True)
class Refusal:
    """A file that is not loaded.

    Args:
        file: With the reason in `refused`.
        rows: How many rows were read of it; none where nobody knows.
        glue_job_run_id: The job run that judged it, where one did.
    """

    file: LandedObject
    rows: int | None = None
    glue_job_run_id: str | None = None

    @classmethod
    def because(
        cls, file: LandedObject, reason: str, rows: int | None = None, glue_job_run_id: str | None = None
    ) -> Self:
        """Refuse a file for a reason."""
        return cls(replace(file, refused=reason), rows, glue_job_run_id)

    def entry(self, feed: Feed, run: DagsterRun) -> ledger.Entry:
        """Its row in the ledger."""
        return ledger.Entry.of(
            self.file,
            feed=feed.name,
            run_id=run.run_id,
            state="rejected",
            rows_read=self.rows,
            rows_loaded=None if self.rows is None else 0,
            rows_rejected=self.rows,
            glue_job_run_id=self.glue_job_run_id,
        )

    def __str__(self) -> str:
        """For alerts: which file, and why."""
        return f"{self.file.url}, {self.file.refused}"


def record_refusals(
    step: Step,
    days: Sequence[str],
    refusals: Sequence[Refusal],
    *,
    blocked: Mapping[str, str] | None = None,
    waiting: Sequence[LandedObject] = (),
) -> None:
    """Write the verdicts on refused files, and alerts of what nobody was told before, in one transaction.

    A version whose rows stand keeps its verdict, and one that was overwritten meanwhile gets none, nor an
    alert: its newer version's run says what becomes of the file.

    Args:
        step: The step that refuses them.
        days: ISO days of the files; none for a feed without days.
        refusals: The files that are not loaded.
        blocked: Days that keep their rows, and why.
        waiting: Their files that could be loaded.
    """
    run, feed = step.run, step.feed
    with step.warehouse.exclusive_transaction() as session:
        landed = step.landing.versions(feed, days)
        known = ledger.states_of(session, feed.name, {it.file.key for it in refusals})
        replaced = set(overwritten([it.file for it in refusals], landed))
        current = [it for it in refusals if it.file.key not in replaced]
        entries = [it.entry(feed, run) for it in current if known.get(it.file.tag) != "loaded"]
        ledger.record(session, entries, landed)
        news = [it for it in current if known.get(it.file.tag) != "rejected"]
        about = sorted(" ".join(it.file.tag) for it in news)
        told = [refused_alert(feed.name, [*map(str, news)], run, about)] if news else []
        outbox.put(session, [*told, *_kept_alerts(run, feed, refusals, blocked or {}, waiting)])


def _kept_alerts(
    run: DagsterRun,
    feed: Feed,
    refusals: Sequence[Refusal],
    blocked: Mapping[str, str],
    waiting: Sequence[LandedObject],
) -> list[Alert]:
    """The alert of days that keep their rows while files wait, or because one is gone; or none.

    Where nothing waits but what is refused, the refusal says all.
    """
    refused = {it.file.day for it in refusals}
    wait = {day: [file for file in waiting if file.day == day] for day in blocked}
    days = [day for day in blocked if wait[day] or day not in refused]
    if not days:
        return []
    about = sorted(" ".join(file.tag) for day in days for file in wait[day])
    reasons = [blocked[day] for day in days]
    return [replacement_refused_alert(feed.name, reasons, run, [*reasons, *about])]


def overwritten(read: Sequence[LandedObject], landed: Sequence[Version]) -> list[str]:
    """Keys of the files a run has read of which S3 now has another version; a deleted one has none."""
    current = {version.key: (version.etag, version.version_id) for version in landed if version.current}
    return [
        file.key
        for file in read
        if current.get(file.key, (file.etag, file.version_id)) != (file.etag, file.version_id)
    ]


def blocked_days(
    warehouse: Warehouse,
    feed: Feed,
    days: Sequence[str],
    refused: Sequence[LandedObject],
    there: Sequence[LandedObject] | None = None,
) -> dict[str, str]:
    """Days that can't be made anew without losing rows of a file, and why; a day is replaced as a whole.

    Args:
        warehouse: Whose ledger says which files' rows stand.
        feed: Whose files they are.
        days: ISO days.
        refused: Files that are not loaded.
        there: All files there are; not given: none is looked for.
    """
    if not days:
        return {}
    etags = {file.key: file.etag for file in refused}
    keys = None if there is None else {file.key for file in there}
    now, kept = datetime.now(UTC), get_settings().people_days
    blocked: dict[str, str] = {}
    for file in ledger.loaded_files(warehouse, feed.name, days):
        if file.key in etags:
            lost: Lost = "refused now" if file.etag == etags[file.key] else "refused"
            blocked[file.day or ""] = why_blocked(file, lost)
        elif keys is not None and file.key not in keys:
            expired = has_expired(feed, file.landed_at, now=now, days=kept)
            blocked[file.day or ""] = why_blocked(file, "gone", expired=expired)
    return blocked


_WHAT: Mapping[Lost, str] = {
    "gone": "is gone from the landing bucket",
    "refused": "has a newer version that was refused",
    "refused now": "is refused by now",
}


def why_blocked(file: ledger.Verdict, lost: Lost, *, expired: bool = False) -> str:
    """Why a day is left as it is, and what to do.

    Args:
        file: A file whose rows stand.
        lost: What became of the file.
        expired: Whether it is gone by design: then it will not come back.
    """
    what, way = _WHAT[lost], "Land it again under the same key"
    if expired:
        what = "has expired, as its feed's files do"
        way = "Land a new file under a later day (its rows have dates of their own)"
    if lost == "gone":
        way += f", or let its rows go: `airline forget '{file.key}'`"
    return (
        f"{file.day} keeps its rows: {file.key}, loaded at {file.loaded_at:%Y-%m-%d %H:%M}, "
        f"{what}; expected every file of the day. {way}."
    )


def days_with_rejects(made: Mapping[str, MadeDay]) -> list[str]:
    """Days with rows that are to be mended; what is only repeated is not."""
    rows = {day: it.rows for day, it in made.items()}
    return sorted(day for day, of in rows.items() if of["rows_rejected"] > of["rows_repeated"])


def first_rejects(lake: Lake, feed: Feed, days: Sequence[str], *, of: str = "") -> list[str]:
    """A sentence for each of the first rejected rows that are to be mended: which file and line, and why.

    Args:
        lake: Holds the rejects.
        feed: Whose they are.
        days: ISO days; `all` for a feed without days.
        of: The URL of the only file that counts; all count where none is named.
    """
    rows = lake.first_rows(
        [f"{rejects_prefix(feed)}date={day}/" for day in days],
        FIRST_REJECTS,
        where=lambda row: (
            not row["reject_reason"].endswith(REPEATED) and (not of or row[SOURCE_FILE.name] == of)
        ),
    )
    return [f"{row[SOURCE_FILE.name]}, line {row['line_number']}: {row['reject_reason']}" for row in rows]
