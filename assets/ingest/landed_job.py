"""A Glue job over a feed's landed files, in which no file keeps another one from being made."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.errors import GlueJobFailed
from airline_platform.settings import get_settings
from assets.code_version import job_version
from assets.ingest.handover import RowCount, moment
from assets.ingest.refusals import Refusal
from assets.ingest.step import Step
from assets.isolation.causes import cause_of_job_failure, job_words
from assets.isolation.halving import Culprit, isolate
from resources.acceptance.landed import LandedObject
from resources.catalog import rejects_prefix
from resources.glue import PARTITIONS, WORK
from resources.lake import Lake, run_scratch

Day = tuple[LandedObject, ...]
"""The files of one day; the job replaces the day's folder as a whole."""


@dataclass(frozen=True)
class JudgedFile:
    """What a job run has made of a file.

    Args:
        file: Which one.
        rows: Its rows.
        glue_job_run_id: The job run.
        refused: Why none of its rows may be loaded; empty where they may.
        output: The `s3://` prefix below which the job run has written folders of days.
        files: Parquet of its day, as it was listed right behind the job run.
        as_of: When the job run has started, UTC.
    """

    file: LandedObject
    rows: RowCount
    glue_job_run_id: str
    refused: str
    output: str = ""
    files: tuple[dict[str, Any], ...] = ()
    as_of: str = ""


@dataclass
class LandedJob:
    """The job of a feed's landed files.

    Args:
        step: The step that runs it.
        into: The bucket it writes to.
        output: Prefix there, under which it writes folders of days.
        arguments: The job's, besides those that say what it reads and writes.
        evolved: Columns it writes besides the declared ones.
        before_start: Is called when the job is free for files of whole days, before it starts.
    """

    step: Step
    into: Lake
    output: str
    arguments: Mapping[str, str]
    evolved: tuple[str, ...] = ()
    before_start: Callable[[], None] = lambda: None
    _probes: "count[int]" = field(default_factory=count)

    @property
    def feed(self) -> Feed:
        """What the files are."""
        return self.step.feed

    @property
    def name(self) -> str:
        """The job's name, without the platform's."""
        return self.feed.jobs[0].name

    def make(self, landed: Sequence[LandedObject]) -> tuple[list[JudgedFile], list[Refusal]]:
        """Run the job over the files, day by day where it fails, and file by file within a day.

        Returns:
            What was made of the files, and those over which the job fails. Every file is in one of them.

        Raises:
            GlueJobFailed: The job fails whatever it is given, or through what it runs on.
        """
        days: defaultdict[str, list[LandedObject]] = defaultdict(list)
        for file in landed:
            days[file.day or ""].append(file)
        tried = isolate(
            [tuple(files) for files in days.values()],
            self._over_days,
            cause_of=cause_of_job_failure,
            control=self._control,
        )
        judged = [it for _, made in tried.done for it in made]
        refusals: list[Refusal] = []
        for culprit in tried.culprits:
            made, refused = self._within(culprit)
            judged += made
            refusals += refused
        return judged, refusals

    def _within(self, culprit: Culprit[Day]) -> tuple[list[JudgedFile], list[Refusal]]:
        """Find the files by which a day fails, and make the day of the others."""
        files = culprit.unit
        if len(files) == 1:
            return [], [self._refusal(files[0], culprit.error)]
        tried = isolate(files, self._probe, cause_of=cause_of_job_failure, failing=True)
        if not tried.culprits:
            return [], [self._refusal(file, culprit.error) for file in files]
        refusals = [self._refusal(it.unit, it.error) for it in tried.culprits]
        good = tuple(file for some, _ in tried.done for file in some)
        if not good or self.feed.on_refused == "refuse_day":
            self._believe(culprit.error)
            return [self._unmade(file) for file in good], refusals
        again = isolate([good], self._over_days, cause_of=cause_of_job_failure, control=self._control)
        judged = [it for _, made in again.done for it in made]
        return judged, refusals + [self._refusal(f, it.error) for it in again.culprits for f in it.unit]

    def _refusal(self, file: LandedObject, error: Exception) -> Refusal:
        words = job_words(error, personal=self.feed.personal)
        return Refusal.because(
            file,
            f"the job {get_settings().job_name(self.name)} fails over it: {words}. Mend the file and land it "
            "again, or run its day again when the job has changed",
        )

    @staticmethod
    def _unmade(file: LandedObject) -> JudgedFile:
        """A file whose day is refused as a whole, so that nothing was made of it."""
        return JudgedFile(file, RowCount(0, 0, 0), "", "")

    def _believe(self, error: Exception) -> None:
        """See that the platform works, after all that was tried has failed.

        Raises:
            Exception: It does not: the error.
        """
        try:
            self._control()
        except Exception as broken:
            raise error from broken

    def _control(self) -> None:
        """Run the job over nothing."""
        self._run([], self._scratch())

    def _probe(self, files: Sequence[LandedObject]) -> None:
        """Run the job over some files of a day, and let the day's folder be."""
        self._run(files, self._scratch())

    def _over_days(self, days: Sequence[Day]) -> list[JudgedFile]:
        """Run the job over whole days, and list what it has written before another run may replace it."""
        judged = self._run([file for files in days for file in files])
        folders = {it.file.url: f"{it.output}date={it.file.day or WHOLE}/" for it in judged}
        written = self.into.list_files(map(self.into.path, sorted(set(folders.values()))))
        return [replace(it, files=tuple(written[self.into.path(folders[it.file.url])])) for it in judged]

    def _scratch(self) -> str:
        """A prefix that nobody reads and that is deleted in time.

        What is typed and names people stays below its own prefix, in the landing bucket.
        """
        own = "" if self.into.bucket == self.step.lake.bucket else self.output
        return own + run_scratch(self.step.run.run_id, f"probe/{next(self._probes)}/")

    def _run(self, files: Sequence[LandedObject], scratch: str = "") -> list[JudgedFile]:
        run_id = self.step.run.run_id
        share = get_settings().rejected_share_allowed(self.feed.name, self.feed.max_rejected_share)
        rejects = run_scratch(run_id, "rejects/") if scratch else rejects_prefix(self.feed)
        given = {
            "output": self.into.uri(scratch or self.output),
            "rejects": self.step.lake.uri(rejects),
            "max_rejected_share": str(share),
            "evolved": ",".join(self.evolved) or "none",
            **self.arguments,
        }
        entries = [_entry(file) for file in files]
        before = self.before_start if files and not scratch else lambda: None
        run = run_job(self.step, self.name, given, entries, [file.url for file in files], before_start=before)
        return [_judged(file, run) for file in files]


_AS_ACCEPTED = ("landed_at", "header", "columns", "shape", "first", "rows", "size", "ascii", "reading")
"""What a job is told of a file besides its URL and its day."""


def _entry(file: LandedObject) -> dict[str, Any]:
    """The file in a job's manifest."""
    document = file.as_json()
    told = {name: document[name] for name in _AS_ACCEPTED}
    return {"url": file.url, "mandatory": True, "partition": file.day or WHOLE, **told}


def _judged(file: LandedObject, run: "ReportedRun") -> JudgedFile:
    told = run.counts[file.url]
    rows = RowCount(told["read"], told["loaded"], told["rejected"], told["repeated"])
    return JudgedFile(file, rows, run.id, told.get("refused", ""), run.output, (), run.as_of)


@dataclass(frozen=True)
class ReportedRun:
    """A Glue job run that has succeeded.

    Args:
        id: Glue's.
        output: The `s3://` prefix it has written below: another one than was asked for, where the run was
            adopted that an earlier Dagster run had started.
        as_of: When it has started, UTC; such times are compared as text.
        counts: Its report of each file, by URL.
    """

    id: str
    output: str
    as_of: str
    counts: Mapping[str, Mapping[str, Any]]


def run_job(
    step: Step,
    job: str,
    arguments: Mapping[str, str],
    entries: Sequence[Mapping[str, Any]],
    urls: Sequence[str],
    *,
    before_start: Callable[[], None] = lambda: None,
) -> ReportedRun:
    """Have a Glue job make days; a retry takes what the run before it has started (docs/adr/0031).

    Args:
        step: The step that needs it.
        job: Its name without the platform's.
        arguments: Its arguments, besides manifest and days; at least `output`.
        entries: Its manifest's, each with its day as `partition`: it writes to the folders of these.
        urls: Files it has to report of.
        before_start: Is called when the job is free, before it starts.

    Raises:
        GlueJobFailed: The job failed, or left one of the files out of its report.
    """
    name = get_settings().job_name(job)
    folders = sorted({f"date={entry['partition']}" for entry in entries})
    given = {**arguments, PARTITIONS: ",".join(folders) or "none"}
    if entries:  # one over nothing asks whether the job works now, not whether it ever did
        given[WORK] = work_digest(step, job, given, entries)
    manifest = step.lake.put_run_manifest(step.run.run_id, job, entries)
    run, messages = step.glue.run_job(step.context, name, {**given, "manifest": manifest}, before_start)
    counts = {file["url"]: file for message in messages for file in message["files"]}
    if missing := [url for url in urls if url not in counts]:
        raise GlueJobFailed(
            f"Glue job {name} run {run['Id']} reported nothing of {missing[:20]}",
            remedy="Check that the deployed job is this version's (`airline deploy`), then re-run this step.",
        )
    output = run.get("Arguments", {}).get("--output", given["output"])
    return ReportedRun(run["Id"], output, moment(run.get("StartedOn", datetime.now(UTC))), counts)


def work_digest(
    step: Step, job: str, arguments: Mapping[str, str], entries: Sequence[Mapping[str, Any]]
) -> str:
    """Return a digest of all that decides what a job run makes: equal for a run and its retry.

    These are the job, its program and the feed's declaration, the manifest's content, and the arguments. The
    id of the Dagster run, after which a run's own folders are named, is no part of it.
    """
    told = {name: value.replace(step.run.run_id, "<run>") for name, value in arguments.items()}
    files = sorted(json.dumps(entry, sort_keys=True) for entry in entries)
    document = json.dumps([job, job_version(step.feed), files, told], sort_keys=True)
    return hashlib.sha256(document.encode()).hexdigest()[:32]
