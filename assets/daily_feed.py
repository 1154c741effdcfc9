"""What the assets of daily feeds have in common: partitions, landed files, a Glue job over them.

Every asset takes one day or a range of days, and works on the whole range at once.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dagster import AssetExecutionContext, AssetsDefinition, BackfillPolicy, MetadataValue, asset

from airline_platform.errors import GlueJobFailed, UnusableInput
from airline_platform.feeds import Feed
from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets import lineage
from assets.description import OWNERS, column_schema, describe, job_run_link, s3_link
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.hooks import tell_failed
from assets.landed import accept
from assets.loading import MadeDay, RowCount
from resources.catalog import rejects_prefix
from resources.glue import PARTITIONS, Glue, copy_manifest
from resources.lake import Lake
from resources.landing import LandedObject, Landing
from resources.notifier import Notifier, describe_days
from resources.warehouse import Warehouse

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
    landed = [LandedObject.from_json(found) for day in days for found in manifests.get(day, ())]
    if not landed:
        raise UnusableInput(
            f"{feed.name} {describe_days(days)}: expected a manifest of landed files, found none",
            remedy=f"Materialize raw_{feed.name} for these days first.",
        )
    return landed


def run_job_over_days(
    context: AssetExecutionContext,
    feed: Feed,
    job: str,
    output: str,
    arguments: Mapping[str, str] | None = None,
    *,
    into: Lake,
    glue: Glue,
    lake: Lake,
) -> None:
    """Run the Glue job over the landed files of the run's days; write down what it has made of each.

    Args:
        context: Of the asset that runs; the manifests bear its name.
        feed: What the files are.
        job: The job's name, without the platform's.
        output: Prefix under which the job writes folders of days.
        arguments: The job's, besides `manifest`, `output` and `rejects`.
        into: The bucket of that prefix.
        glue: Runs the job.
        lake: Where the manifests and the rejects go.

    Raises:
        UnusableInput: Nothing is listed for these days.
        GlueJobFailed: The job failed, or left a file out of its report.
    """
    days = list(context.partition_keys)
    landed = landed_files(lake, feed, days)
    given = {"output": into.uri(output), **(arguments or {})}
    run, counts = _run_landed_job(context, feed, job, landed, given, glue=glue, lake=lake)
    prefixes = {day: f"{output}date={day}/" for day in days}
    files = into.list_files(prefixes.values())
    made = {
        day: MadeDay(
            run,
            tuple(files[prefixes[day]]),
            tuple((found, counts[found.url]) for found in landed if found.day == day),
        )
        for day in days
    }
    lineage.tell_lineage(context)
    lake.put_manifests(context.asset_key.path[-1], {day: it.as_json() for day, it in made.items()})
    for day, it in made.items():
        context.add_asset_metadata(
            {
                **it.rows,
                "glue_job_run": job_run_link(get_settings().job_name(job), run),
                "parquet": s3_link(into.bucket, prefixes[day]),
                "rejects": s3_link(lake.bucket, f"{rejects_prefix(feed)}date={day}/"),
            },
            partition_key=day,
        )


def _run_landed_job(
    context: AssetExecutionContext,
    feed: Feed,
    job: str,
    landed: Sequence[LandedObject],
    arguments: Mapping[str, str],
    *,
    glue: Glue,
    lake: Lake,
) -> tuple[str, dict[str, RowCount]]:
    """Run the Glue job that reads a feed's landed files; return its run id and each file's counts by URL."""
    entries = [
        {
            "url": found.url,
            "mandatory": True,
            "partition": found.day,
            "landed_at": found.landed_at.isoformat(),
            "header": found.header,
            "columns": found.columns,
            "shape": found.shape,
        }
        for found in landed
    ]
    manifest = lake.put_bytes(f"_tmp/{context.run.run_id}/{job}.manifest", copy_manifest(entries))
    given = {"manifest": manifest, "rejects": lake.uri(rejects_prefix(feed)), **arguments}
    run, counts = run_job(context, job, given, [found.url for found in landed], glue)
    return run, {
        url: RowCount(file["read"], file["loaded"], file["rejected"], file["repeated"])
        for url, file in counts.items()
    }


def run_job(
    context: AssetExecutionContext, job: str, arguments: Mapping[str, str], urls: Sequence[str], glue: Glue
) -> tuple[str, dict[str, dict[str, Any]]]:
    """Run a Glue job that writes the run's days; return its run id, and its report of each file by URL.

    Raises:
        GlueJobFailed: The job failed, or left one of the files out of its report.
    """
    name = get_settings().job_name(job)
    days = ",".join(f"date={day}" for day in context.partition_keys)
    run, messages = glue.run_job(context, name, {**arguments, PARTITIONS: days})
    counts = {file["url"]: file for message in messages for file in message["files"]}
    if missing := [url for url in urls if url not in counts]:
        raise GlueJobFailed(
            f"Glue job {name} run {run['Id']} reported nothing of {missing[:20]}",
            remedy="Check that the deployed job is this version's (`airline deploy`), then re-run this step.",
        )
    return run["Id"], counts


def made_days(lake: Lake, dataset: str, days: Sequence[str]) -> dict[str, MadeDay]:
    """What a job has made of days, as the asset that ran it has written down; without those it had not."""
    found = lake.get_manifests(dataset, days)
    made = {day: MadeDay.from_json(document) for day, document in found.items()}
    return {day: it for day, it in made.items() if it.landed}
