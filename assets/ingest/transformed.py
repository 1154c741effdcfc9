"""Transformed: a feed's Glue job makes clean, typed Parquet of the landed files, and counts their rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    MaterializeResult,
    asset,
    get_dagster_logger,
)

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.errors import InputReplaced, UnusableInput
from airline_platform.feeds import FEEDS
from airline_platform.settings import get_settings
from assets import lineage
from assets.code_version import job_version
from assets.description import columns_metadata, describe, job_run_link, s3_link
from assets.failures import permanent_errors_end_the_step
from assets.ingest import drift
from assets.ingest.catalog import lake_days
from assets.ingest.handover import MadeDay, get_landed, moment, put_made
from assets.ingest.landed_job import JudgedFile, LandedJob
from assets.ingest.raw import nothing_usable
from assets.ingest.refusals import (
    DAY_REFUSED,
    Refusal,
    blocked_days,
    first_rejects,
    record_refusals,
)
from assets.ingest.sinks.dimension import snapshot_folder
from assets.ingest.step import Step, how_it_runs, what_it_is
from resources.acceptance.landed import LandedObject
from resources.catalog import enriched_prefix, enriched_table, rejects_prefix
from resources.lake_days import run_folder

NONE = "none"
"""Stands for nothing in a job's argument."""


def made_asset(feed: Feed, upstream: AssetsDefinition) -> AssetsDefinition:
    """The asset of the Parquet that a feed's job makes of its landed files.

    Args:
        feed: The feed.
        upstream: What its lineage has before it.
    """
    dimensions = [FEEDS[dimension].table.name for dimension in feed.dimensions]
    before = feed.catalog_asset if not feed.typed else feed.raw_asset

    @asset(
        name=feed.made_asset,
        deps=[upstream, *dimensions],
        kinds={"glue", "spark", "parquet"},
        code_version=job_version(feed),
        metadata=columns_metadata(feed.job_table.columns, lineage.made(feed, before)),
        description=_description(feed),
        required_resource_keys={"glue", "lake", "landing", "warehouse", "notifier"},
        **what_it_is(feed),
        **how_it_runs(feed),
    )
    def made(context: AssetExecutionContext) -> MaterializeResult[None]:
        with permanent_errors_end_the_step():
            step = Step(context, feed)
            make_days(step)
        # A step that opened a Pipes session has to say that it made its asset.
        return MaterializeResult()

    return made


def _description(feed: Feed) -> str:
    job = get_settings().job_name(feed.jobs[0].name)
    if feed.typed:
        people = "It identifies people, stands" if feed.personal else "It stands"
        expires = ", and expires with it" if feed.expires else ""
        return describe(
            feed.typed.description,
            source=f"the landed files, typed by the Glue job `{job}`.",
            mind=(
                f"{people} in the landing bucket beside what landed{expires}. What can't be used is in the "
                "rejects, naming nobody: rows read = rows here + rejected."
            ),
        )
    looked_up = ", looked up" if feed.lookups else ""
    snapshots = " and the snapshots of the dimensions" if feed.lookups else ""
    unknown = "What was unknown to a dimension when the job ran is empty here, also later. "
    return describe(
        f"One row per usable line of {feed.noun}, typed{looked_up}, as Parquet.",
        source=f"the landed files{snapshots}, by the Glue job `{job}`.",
        mind=(
            f"{unknown if feed.lookups else ''}Lines that can't be used are in the rejects, with file, line "
            "number and reason: rows read = loaded + rejected."
        ),
    )


def job_of(step: Step) -> LandedJob:
    """The job of the step's feed, with what its declaration asks for."""
    feed, lake = step.feed, step.lake
    if feed.typed:
        into = lake.with_bucket(step.landing.bucket)
        return LandedJob(step, into, run_folder(feed.typed_prefix, step.run.run_id), {})
    arguments: dict[str, str] = {}
    for dimension in feed.dimensions:
        known = lake.get_manifests(FEEDS[dimension].table.name, [WHOLE])
        arguments[dimension] = lake.uri(snapshot_folder(FEEDS[dimension])) if known else NONE
    if feed.hashed:
        arguments["customer_key"] = get_settings().customer_key_secret
    if evolved := drift.evolved(feed, step.warehouse):
        step.glue.declare(enriched_table(get_settings(), drift.grown(feed, evolved)))
    return LandedJob(step, lake, enriched_prefix(feed), arguments, evolved)


def make_days(step: Step) -> None:
    """Run the Glue job over the landed files of the step's days; write down what it has made of each.

    Files that the job refuses, and those over which it fails, get their verdict here; the others are made. A
    day that can't be made anew without losing rows of such a file is left out.

    Raises:
        UnusableInput: Nothing is listed for these days, or nothing of it can be used.
        GlueJobFailed: The job fails whatever it is given, or left a file out of its report.
    """
    feed, days, job = step.feed, step.days, job_of(step)
    if feed.typed:
        lake_days(step, feed.typed).note({day: f"{job.into.uri(job.output)}date={day}/" for day in days})
    job, judged, refusals, as_of = make_newest(step, job)
    refusals = with_their_days(feed, judged, [*refusals, *refused_by_job(step, judged)])
    refused = [refusal.file for refusal in refusals]
    blocked = blocked_days(step.warehouse, feed, step.calendar(days), refused) if refused else {}
    left_out = {file.url for file in refused}
    usable = [it for it in judged if it.file.url not in left_out]
    good = [it for it in usable if it.file.day not in blocked]
    made = _made_days(job, good)
    lineage.tell_lineage(step.context)
    put_made(step.lake, feed.made_asset, days, made, as_of=as_of)
    if refusals:
        waiting = [it.file for it in usable if it.file.day in blocked]
        record_refusals(step, step.calendar(days), refusals, blocked=blocked, waiting=waiting)
        step.send_alerts()
    if not good:
        raise nothing_usable(step, [*map(str, refusals), *blocked.values()])
    for day in days:
        it = made.get(day, MadeDay("", (), ()))
        step.describe(
            day,
            {
                **it.rows,
                "refused_files": sum((file.day or WHOLE) == day for file in refused),
                "glue_job_run": job_run_link(get_settings().job_name(job.name), it.glue_job_run_id),
                "parquet": s3_link(job.into.bucket, job.into.path(it.folder) or f"{job.output}date={day}/"),
                "rejects": s3_link(step.lake.bucket, f"{rejects_prefix(feed)}date={day}/"),
            },
        )


def make_newest(step: Step, job: LandedJob) -> tuple[LandedJob, list[JudgedFile], list[Refusal], str]:
    """Run the job over the newest listing of the days, anew where another run has listed one meanwhile.

    While a run waits for its job, another one may list a day, make it and load it. A job that began with the
    older listing would then replace newer Parquet. So the listing is looked at again before each start.

    Returns:
        The job, with the columns that the newer listing has brought; what it returned; and when the listing
        was read, UTC.
    """
    while True:
        as_of, landed = moment(datetime.now(UTC)), _landed(step)

        def require_newest(landed: Sequence[LandedObject] = landed) -> None:
            if _landed(step) != landed:
                raise InputReplaced(
                    f"{step.name()}: another run has listed its files anew",
                    remedy="Nothing: the job runs over the newer listing.",
                )

        try:
            return job, *replace(job, before_start=require_newest).make(landed), as_of
        except InputReplaced as replaced:
            get_dagster_logger().info("%s", replaced)
            job = job_of(step)


def _landed(step: Step) -> list[LandedObject]:
    """The landed files of the step's days, as their raw asset has listed them.

    Raises:
        UnusableInput: It has listed none.
    """
    by_day = get_landed(step.lake, step.feed, step.days)
    landed = [file for day in step.days for file in by_day.get(day, ())]
    if not landed:
        raise UnusableInput(
            f"{step.name()}: expected a manifest of landed files, found none",
            remedy=f"Materialize {step.feed.raw_asset} for these days first.",
        )
    return landed


def _made_days(job: LandedJob, good: Sequence[JudgedFile]) -> dict[str, MadeDay]:
    """What was made of each day that has a good file."""
    by_day: dict[str, list[JudgedFile]] = {}
    for it in good:
        by_day.setdefault(it.file.day or WHOLE, []).append(it)
    return {
        day: MadeDay(
            files[0].glue_job_run_id,
            files[0].files,
            tuple((it.file, it.rows) for it in files),
            job.evolved,
            f"{files[0].output}date={day}/",
            files[0].as_of,
        )
        for day, files in by_day.items()
    }


def refused_by_job(step: Step, judged: Sequence[JudgedFile]) -> list[Refusal]:
    """The files whose rows the job has left out, with the first rows that are to be mended."""
    return [
        Refusal.because(
            it.file,
            "; ".join([it.refused, *rows, "mend them and land the file again"]) if rows else it.refused,
            it.rows.read,
            it.glue_job_run_id,
        )
        for it in judged
        if it.refused
        for rows in [first_rejects(step.lake, step.feed, [it.file.day or WHOLE], of=it.file.url)]
    ]


def with_their_days(feed: Feed, judged: Sequence[JudgedFile], refusals: Sequence[Refusal]) -> list[Refusal]:
    """Refused files, and those of their days where the feed refuses a day as a whole.

    Args:
        feed: Whose policy it is.
        judged: Files the job has read.
        refusals: Files that are refused for what is in them.
    """
    if feed.on_refused == "load_others":
        return list(refusals)
    first = {it.file.day: it.file.key for it in reversed(refusals)}
    refused = {it.file.url for it in refusals}
    others = [it for it in judged if it.file.day in first and it.file.url not in refused]
    return [
        *refusals,
        *(
            Refusal.because(
                it.file,
                DAY_REFUSED.format(key=first[it.file.day]),
                it.rows.read,
                it.glue_job_run_id or None,
            )
            for it in others
        ),
    ]
