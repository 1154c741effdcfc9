"""What the assets of daily feeds have in common: partitions, landed files, a Glue job over them.

Every asset takes one day or a range of days, and works on the whole range at once.
"""

from collections.abc import Sequence
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition, BackfillPolicy, MetadataValue, asset

from airline_platform.contract.feed import Feed
from airline_platform.errors import UnusableInput
from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets import lineage
from assets.alerts.hooks import tell_failed
from assets.description import OWNERS, column_schema, describe, job_run_link, s3_link
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.ingest.landed import accept, nothing_usable, read_listed, send_alerts
from assets.ingest.landed_job import JudgedFile, LandedJob
from assets.ingest.loading import MadeDay, first_rejects
from assets.ingest.refusals import DAY_REFUSED, Refusal, blocked_days, record_refusals
from resources.catalog import rejects_prefix
from resources.lake import Lake
from resources.landing import LandedObject, Landing
from resources.topic import Notifier, describe_days
from resources.warehouse.session import Warehouse

_ROW = {"csv": "line", "json": "object"}


def daily(feed: Feed, **arguments: Any) -> dict[str, Any]:
    """What the assets have in common."""
    return {"group_name": feed.name, "owners": OWNERS, **execution(feed), **arguments}


def execution(feed: Feed) -> dict[str, Any]:
    """How each of the feed's steps runs."""
    return {
        "partitions_def": daily_partitions(),
        "backfill_policy": BackfillPolicy.multi_run(get_settings().max_partitions_per_run),
        "pool": feed.name,
        "retry_policy": RETRIES,
        "hooks": {tell_failed},
    }


def raw_asset(feed: Feed) -> AssetsDefinition:
    """A daily feed's landed files."""

    @asset(
        **daily(
            feed,
            name=f"raw_{feed.name}",
            kinds={"s3", feed.format},
            metadata={"dagster/column_schema": column_schema(feed.columns)},
            description=describe(
                f"One row per {_ROW[feed.format]} of the files of {feed.noun}, as they landed.",
                source=f"the objects under `{feed.prefix}` in the landing bucket, listed by day.",
                mind=(
                    "Nothing of a row is checked yet. A file that can't be this feed's is refused here, with "
                    "its reason; the others go on." + (" It identifies people." if feed.personal else "")
                ),
            ),
        )
    )
    def raw(
        context: AssetExecutionContext,
        landing: Landing,
        lake: Lake,
        warehouse: Warehouse,
        notifier: Notifier,
    ) -> None:
        with permanent_errors_end_the_step():
            days = list(context.partition_keys)
            accepted = accept(context, feed, days, landing=landing, warehouse=warehouse, notifier=notifier)
            by_day = {day: [found for found in accepted if found.day == day] for day in days}
            lake.put_manifests(
                f"raw_{feed.name}", {day: [f.as_json() for f in files] for day, files in by_day.items()}
            )
            for day, files in by_day.items():
                context.add_asset_metadata(
                    {
                        "files": len(files),
                        "bytes": sum(found.size for found in files),
                        "keys": MetadataValue.md("\n".join(f"- `{found.key}`" for found in files[:50])),
                        "landing": s3_link(landing.bucket, feed.prefix),
                    },
                    partition_key=day,
                )

    return raw


def landed_files(lake: Lake, feed: Feed, days: Sequence[str]) -> list[LandedObject]:
    """The landed files of days, as their raw asset has listed them.

    Raises:
        UnusableInput: It has listed none.
    """
    manifests = lake.get_manifests(f"raw_{feed.name}", days)
    listed = [found for day in days for found in manifests.get(day, ())]
    landed = read_listed(listed, f"raw_{feed.name}")
    if not landed:
        raise UnusableInput(
            f"{feed.name} {describe_days(days)}: expected a manifest of landed files, found none",
            remedy=f"Materialize raw_{feed.name} for these days first.",
        )
    return landed


def run_job_over_days(
    context: AssetExecutionContext,
    feed: Feed,
    job: LandedJob,
    *,
    landing: Landing,
    warehouse: Warehouse,
    notifier: Notifier,
) -> None:
    """Run the Glue job over the landed files of the run's days; write down what it has made of each.

    Files that the job refuses, and those over which it fails, get their verdict here; the others are made. A
    day that can't be made anew without losing rows of such a file is left out.

    Args:
        context: Of the asset that runs; the manifests bear its name.
        feed: What the files are.
        job: The feed's job.
        landing: Where the files are.
        warehouse: Whose ledger gets the verdicts.
        notifier: Tells of refused files.

    Raises:
        UnusableInput: Nothing is listed for these days, or nothing of it can be used.
        GlueJobFailed: The job fails whatever it is given, or left a file out of its report.
    """
    days = list(context.partition_keys)
    landed = landed_files(job.lake, feed, days)
    judged, refusals = job.make(landed)
    refusals = with_their_days(feed, judged, [*refusals, *refused_by_job(job.lake, feed, judged)])
    refused = [it.file for it in refusals]
    blocked = blocked_days(warehouse, feed, days, refused) if refused else {}
    left_out = {found.url for found in refused}
    good = [it for it in judged if it.file.url not in left_out and it.file.day not in blocked]
    made = _days_of(job, good, days)
    lineage.tell_lineage(context)
    job.lake.put_manifests(context.asset_key.path[-1], {day: it.as_json() for day, it in made.items()})
    if refusals:
        waiting = [it.file for it in judged if it.file.url not in left_out and it.file.day in blocked]
        record_refusals(
            context.run,
            feed,
            days,
            refusals,
            blocked=blocked,
            waiting=waiting,
            landing=landing,
            warehouse=warehouse,
        )
        send_alerts(context, warehouse, notifier)
    if not good:
        raise nothing_usable(feed, days, [*map(str, refusals), *blocked.values()])
    for day, it in made.items():
        context.add_asset_metadata(
            {
                **it.rows,
                "refused_files": sum(found.day == day for found in refused),
                "glue_job_run": job_run_link(get_settings().job_name(job.job), it.glue_job_run_id),
                "parquet": s3_link(job.into.bucket, f"{job.output}date={day}/"),
                "rejects": s3_link(job.lake.bucket, f"{rejects_prefix(feed)}date={day}/"),
            },
            partition_key=day,
        )


def _days_of(job: LandedJob, good: Sequence[JudgedFile], days: Sequence[str]) -> dict[str, MadeDay]:
    """What was made of each day; of one without good files nothing, whatever an earlier run made of it."""
    by_day = {day: [it for it in good if it.file.day == day] for day in days}
    prefixes = {day: f"{job.output}date={day}/" for day, files in by_day.items() if files}
    written = job.into.list_files(prefixes.values())
    return {
        day: MadeDay(
            files[0].glue_job_run_id if files else "",
            tuple(written[prefixes[day]]) if files else (),
            tuple((it.file, it.rows) for it in files),
            job.evolved,
        )
        for day, files in by_day.items()
    }


def refused_by_job(lake: Lake, feed: Feed, judged: Sequence[JudgedFile]) -> list[Refusal]:
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
        for rows in [first_rejects(lake, feed, [it.file.day or ""], of=it.file.url)]
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


def made_days(lake: Lake, dataset: str, days: Sequence[str]) -> dict[str, MadeDay]:
    """What a job has made of days, as the asset that ran it has written down; without those it had not."""
    found = lake.get_manifests(dataset, days)
    made = {day: MadeDay.from_json(document) for day, document in found.items()}
    return {day: it for day, it in made.items() if it.landed}
