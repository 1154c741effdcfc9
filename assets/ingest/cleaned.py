"""Cleaned: a second Glue job makes the table of a feed that stays in the lake, without whom its rows name."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from dagster import AssetExecutionContext, AssetsDefinition, MaterializeResult, asset

from airline_platform.contract.feed import Feed
from airline_platform.errors import LoadRefused, UnusableInput
from airline_platform.settings import get_settings
from assets import lineage
from assets.code_version import job_version
from assets.description import columns_metadata, describe, job_run_link, s3_link
from assets.failures import permanent_errors_end_the_step
from assets.ingest.catalog import lake_days, require_there
from assets.ingest.handover import LeftOut, MadeDay, RowCount, get_made, moment, put_made
from assets.ingest.landed_job import run_job
from assets.ingest.refusals import record_refusals
from assets.ingest.settle import not_settled, overwritten_days, refusals_of
from assets.ingest.step import Step, how_it_runs, what_it_is
from assets.isolation.causes import cause_of_job_failure, job_words
from assets.isolation.halving import isolate
from resources.lake_days import run_folder


def cleaned_asset(feed: Feed, catalog: AssetsDefinition) -> AssetsDefinition:
    """The asset of the Parquet that a feed's second job makes of its typed rows.

    Args:
        feed: A feed that stays in the lake.
        catalog: What its lineage has before it.
    """
    table = feed.table

    @asset(
        name=table.name,
        deps=[catalog],
        kinds={"glue", "spark", "parquet"},
        code_version=job_version(feed),
        metadata=columns_metadata(
            table.columns, lineage.copied(table.columns, feed.catalog_asset, feed.job_table.columns)
        ),
        description=describe(
            table.description,
            source=f"the typed {feed.noun}, by the Glue job `{get_settings().job_name(feed.jobs[1].name)}`.",
            mind=(
                f"Of rows with the same {', '.join(table.key)} the newest file's last one counts; the others "
                "are counted. A day over which the job fails, or one whose file was overwritten meanwhile, "
                "keeps its old rows."
            ),
        ),
        required_resource_keys={"glue", "lake", "landing", "warehouse", "notifier"},
        **what_it_is(feed),
        **how_it_runs(feed),
    )
    def cleaned(context: AssetExecutionContext) -> MaterializeResult[None]:
        with permanent_errors_end_the_step():
            clean_days(Step(context, feed))
        return MaterializeResult()

    return cleaned


def clean_days(step: Step) -> None:
    """Run the job over the days that may replace their rows, and leave out those over which it fails.

    Raises:
        UnusableInput: Nothing was made of the days.
        LoadRefused: No day may be replaced, none can be made, or the typed Parquet of one is gone.
    """
    feed, days = step.feed, step.days
    as_of = moment(datetime.now(UTC))
    typed, _ = get_made(step.lake, feed.made_asset, days)
    if not typed:
        raise UnusableInput(
            f"{feed.table.name}, {step.name()}: expected typed {feed.noun}, found none",
            remedy=f"Materialize {feed.made_asset} for these days first.",
        )
    overwritten = overwritten_days(typed, step.landing.versions(feed, sorted(typed)))
    good = {day: it for day, it in typed.items() if day not in overwritten}
    if not good:
        put_made(step.lake, feed.table.name, days, {}, LeftOut(overwritten, {}), as_of=as_of)
        raise not_settled(LeftOut(overwritten, {}))
    # Typed rows that expired or were swept away are no file's fault: Spark would only say PATH_NOT_FOUND.
    require_there(step, feed.job_table, good)
    output = step.lake.uri(run_folder(f"{feed.table.name}/", step.run.run_id))
    lake_days(step, feed.table).note({day: f"{output}date={day}/" for day in good})
    cleaned, failed = _clean_apart(step, good, output)
    if failed:
        refusals = [refusal for day, why in failed.items() for refusal in refusals_of(typed[day], why)]
        record_refusals(step, sorted(failed), refusals)
        step.send_alerts()
    lineage.tell_lineage(step.context)
    left_out = LeftOut(overwritten, failed)
    put_made(step.lake, feed.table.name, days, cleaned, left_out, as_of=as_of)
    if not cleaned:
        raise not_settled(left_out)
    for day, it in cleaned.items():
        step.describe(
            day,
            {
                **it.rows,
                "dagster/partition_row_count": it.rows["rows_loaded"],
                "glue_job_run": job_run_link(get_settings().job_name(feed.jobs[1].name), it.glue_job_run_id),
                "parquet": s3_link(step.lake.bucket, step.lake.path(it.folder)),
            },
        )


def _clean_apart(
    step: Step, typed: Mapping[str, MadeDay], output: str
) -> tuple[dict[str, MadeDay], dict[str, str]]:
    """Run the job over typed days; return what it made of them, and why others can't be made."""
    tried = isolate(
        sorted(typed),
        lambda days: _clean(step, {day: typed[day] for day in days}, output),
        cause_of=cause_of_job_failure,
        control=lambda: _clean(step, {}, output),
    )
    job = get_settings().job_name(step.feed.jobs[1].name)
    return {day: it for _, done in tried.done for day, it in done.items()}, {
        it.unit: (
            f"the job {job} fails over the day: {job_words(it.error, personal=step.feed.personal)}. Mend the "
            "file and land it again, or run its day again when the job has changed"
        )
        for it in tried.culprits
    }


def _clean(step: Step, typed: Mapping[str, MadeDay], output: str) -> dict[str, MadeDay]:
    """Run the job over typed days; return what it made of them.

    Args:
        step: The step.
        typed: The days.
        output: `s3://` prefix of this run; an adopted job has written below another one.

    Raises:
        GlueJobFailed: The job failed, or left a file out of its report.
        LoadRefused: It has read other rows than the first job wrote.
    """
    job = step.feed.jobs[1].name
    entries = [file | {"partition": day} for day, it in typed.items() for file in it.files]
    rows_of = {file.url: rows for it in typed.values() for file, rows in it.landed}
    urls = [url for url, rows in rows_of.items() if rows.loaded]
    run = run_job(step, job, {"output": output}, entries, urls)
    counts = run.counts
    if wrong := {url: it["read"] for url, it in counts.items() if it["read"] != rows_of[url].loaded}:
        raise LoadRefused(
            f"{job}: expected the rows that {step.feed.jobs[0].name} wrote, found others: {wrong}",
            remedy=f"Materialize {step.feed.made_asset} for these days again, and what follows from it.",
        )
    folders = {day: f"{run.output}date={day}/" for day in typed}
    written = step.lake.list_files(map(step.lake.path, folders.values()))
    return {
        day: replace(
            it,
            glue_job_run_id=run.id,
            files=tuple(written[step.lake.path(folders[day])]),
            folder=folders[day],
            landed=tuple(
                (file, kept(rows, counts[file.url]["loaded"] if rows.loaded else 0))
                for file, rows in it.landed
            ),
        )
        for day, it in typed.items()
    }


def kept(typed: RowCount, rows: int) -> RowCount:
    """The counts of a file of whose typed rows so many are left; the others are repeated elsewhere."""
    repeated = typed.loaded - rows
    return RowCount(typed.read, rows, typed.rejected + repeated, repeated)
