"""Shipments: from landed JSON to totals; no warehouse has them, the lake itself answers.

Who is shipped to stays in the landing bucket: as landed, and typed beside it. From there on nobody is named.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dagster import AssetCheckResult, AssetExecutionContext, MaterializeResult, MetadataValue, asset

from airline_platform.contract.table import Table
from airline_platform.errors import LoadRefused, UnusableInput
from airline_platform.feeds.shipments import SHIPMENTS, SHIPMENTS_TYPED
from airline_platform.settings import get_settings
from assets import lineage
from assets.alerts.messages import check_failed_alerts, loaded_alert
from assets.checks import measures, rules
from assets.description import columns_metadata, describe, job_run_link, query_link, s3_link
from assets.failures import permanent_errors_end_the_step
from assets.ingest.catalog import register, register_and_confirm
from assets.ingest.daily_feed import daily, made_days, raw_asset, run_job_over_days
from assets.ingest.isolation import isolate
from assets.ingest.job_failures import cause_of_job_failure, job_words
from assets.ingest.landed import send_alerts
from assets.ingest.landed_job import LandedJob, run_job
from assets.ingest.loading import (
    MadeDay,
    RowCount,
    days_with_rejects,
    entries_of,
    first_rejects,
    not_loaded,
    overwritten_days,
    refusals_of,
)
from assets.ingest.refusals import record_refusals
from assets.ingest.totals import (
    NONE,
    TOTALS_COLUMNS,
    TOTALS_MADE_OF,
    compare,
    figures,
    judge_accounts,
    numbers,
    read_totals,
    totals_sql,
)
from resources.athena import Athena, QueryResult
from resources.catalog import parquet_table
from resources.glue import Glue, copy_manifest
from resources.lake import Lake
from resources.landing import Landing
from resources.topic import Notifier, describe_days
from resources.warehouse import ledger, outbox
from resources.warehouse.session import Warehouse

NORMALIZED = SHIPMENTS.table
TO_PARQUET_JOB, NORMALIZE_JOB = "shipments_to_parquet", "shipments_normalized"

raw_shipments = raw_asset(SHIPMENTS)


@asset(
    **daily(
        SHIPMENTS,
        deps=[raw_shipments],
        kinds={"glue", "spark", "parquet"},
        metadata=columns_metadata(
            SHIPMENTS_TYPED.columns,
            lineage.copied(SHIPMENTS_TYPED.columns, "raw_shipments", SHIPMENTS.columns),
        ),
        description=describe(
            SHIPMENTS_TYPED.description,
            source="the landed files, typed by the Glue job `shipments_to_parquet`.",
            mind=(
                "It identifies people, stands in the landing bucket beside what landed, and expires with it. "
                "What can't be a shipment is in the rejects, naming nobody: rows read = rows here + rejected."
            ),
        ),
    )
)
def shipments_parquet(  # noqa: PLR0917 - a resource each
    context: AssetExecutionContext,
    glue: Glue,
    lake: Lake,
    landing: Landing,
    warehouse: Warehouse,
    notifier: Notifier,
) -> MaterializeResult[None]:
    """Run the job over the landed files."""
    with permanent_errors_end_the_step():
        into, output = Lake(bucket=landing.bucket), SHIPMENTS.typed_prefix
        job = LandedJob(context, SHIPMENTS, TO_PARQUET_JOB, into, output, {}, glue, lake)
        run_job_over_days(context, SHIPMENTS, job, landing=landing, warehouse=warehouse, notifier=notifier)
    # A step that opened a Pipes session has to say that it made its asset.
    return MaterializeResult()


@asset(
    **daily(
        SHIPMENTS,
        deps=[shipments_parquet],
        kinds={"glue", "table"},
        metadata=columns_metadata(
            SHIPMENTS_TYPED.columns,
            lineage.copied(SHIPMENTS_TYPED.columns, "shipments_parquet", SHIPMENTS_TYPED.columns),
        ),
        description=describe(
            "One row per typed shipment, as the Data Catalog's table `shipments_parquet` shows them.",
            source=(
                "the typed Parquet, a partition per day. Columns are as declared; the crawler only confirms "
                "them, once for each declaration, and reports what differs."
            ),
            mind="Whoever may read the landing bucket sees customers here.",
        ),
    )
)
def shipments_catalog(context: AssetExecutionContext, glue: Glue, lake: Lake) -> None:
    """Keep the catalog's table of the typed shipments as declared, and their days in it."""
    with permanent_errors_end_the_step():
        made = made_days(lake, "shipments_parquet", list(context.partition_keys))
        _register(context, glue, SHIPMENTS_TYPED, [day for day, it in made.items() if it.files])


@asset(
    **daily(
        SHIPMENTS,
        deps=[shipments_catalog],
        kinds={"glue", "spark", "parquet"},
        metadata=columns_metadata(
            NORMALIZED.columns,
            lineage.copied(NORMALIZED.columns, "shipments_catalog", SHIPMENTS_TYPED.columns),
        ),
        description=describe(
            NORMALIZED.description,
            source=(
                "the typed shipments, by the Glue job `shipments_normalized`: without name and street, each "
                "city spelled in one way."
            ),
            mind=(
                "Of rows with the same shipping_id the newest file's last one counts; the others are "
                "counted. A day over which the job fails, or one whose file was overwritten meanwhile, keeps "
                "its old rows."
            ),
        ),
    )
)
def shipments_normalized(  # noqa: PLR0917 - a resource each
    context: AssetExecutionContext,
    glue: Glue,
    lake: Lake,
    landing: Landing,
    warehouse: Warehouse,
    notifier: Notifier,
) -> MaterializeResult[None]:
    """Run the job over the days that may replace their rows, and leave out those over which it fails."""
    with permanent_errors_end_the_step():
        days = list(context.partition_keys)
        made = made_days(lake, "shipments_parquet", days)
        if not made:
            raise UnusableInput(
                f"shipments_normalized {describe_days(days)}: expected typed shipments, found none",
                remedy="Materialize shipments_parquet for these days first.",
            )
        overwritten = overwritten_days(made, landing.versions(SHIPMENTS, sorted(made)))
        good = {day: it for day, it in made.items() if day not in overwritten}
        # Of a day this run does nothing about, an earlier run's manifest would be taken for its work.
        lake.put_manifests("shipments_normalized", _left_out(days, overwritten, {}))
        if not good:
            raise not_loaded(overwritten)
        done, failed = _normalize_apart(context, good, glue=glue, lake=lake)
        if failed:
            refusals = [refusal for day, why in failed.items() for refusal in refusals_of(made[day], why)]
            record_refusals(
                context.run, SHIPMENTS, sorted(failed), refusals, landing=landing, warehouse=warehouse
            )
            send_alerts(context, warehouse, notifier)
        lineage.tell_lineage(context)
        normalized: dict[str, Any] = {day: it.as_json() for day, it in done.items()}
        lake.put_manifests("shipments_normalized", normalized | _left_out(failed, overwritten, failed))
        if not done:
            raise not_loaded(overwritten, failed)
        for day, it in done.items():
            context.add_asset_metadata(
                {
                    **it.rows,
                    "dagster/partition_row_count": it.rows["rows_loaded"],
                    "glue_job_run": job_run_link(get_settings().job_name(NORMALIZE_JOB), it.glue_job_run_id),
                    "parquet": s3_link(lake.bucket, f"{NORMALIZED.name}/date={day}/"),
                },
                partition_key=day,
            )
    return MaterializeResult()


@asset(
    **daily(
        SHIPMENTS,
        deps=[shipments_normalized],
        kinds={"glue", "table"},
        metadata=columns_metadata(
            NORMALIZED.columns,
            lineage.copied(NORMALIZED.columns, "shipments_normalized", NORMALIZED.columns),
        ),
        description=describe(
            "One row per shipment, as the Data Catalog's table `shipments_normalized` shows them.",
            source=(
                "the normalized Parquet, a partition per day. Columns are as declared; the crawler only "
                "confirms them, once for each declaration, and reports what differs."
            ),
            mind="For a moment, while a day is replaced, a query may see some of its rows only.",
        ),
    )
)
def shipments_normalized_catalog(context: AssetExecutionContext, glue: Glue, lake: Lake) -> None:
    """Keep the catalog's table of the normalized shipments as declared, and their days in it."""
    with permanent_errors_end_the_step():
        done, _, _ = _normalized_days(lake, list(context.partition_keys))
        _register(context, glue, NORMALIZED, list(done))


@asset(
    **daily(
        SHIPMENTS,
        deps=[shipments_normalized_catalog],
        kinds={"athena", "sql"},
        check_specs=rules.specs_of(SHIPMENTS.last_asset),
        metadata=columns_metadata(
            TOTALS_COLUMNS,
            lineage.copied(
                TOTALS_COLUMNS, "shipments_normalized_catalog", NORMALIZED.columns, TOTALS_MADE_OF
            ),
        ),
        description=describe(
            "One row per day with what its shipments add up to, and one over all days.",
            source="`shipments_normalized`, asked of Athena; the result is kept in the lake.",
            mind=(
                "The figures are told once the query has succeeded and has counted the rows that the job "
                "wrote; with them the files get their verdict in the ledger. The row over all days is as of "
                "the query."
            ),
        ),
    )
)
def shipping_totals(  # noqa: PLR0917 - a resource each
    context: AssetExecutionContext,
    athena: Athena,
    glue: Glue,
    lake: Lake,
    landing: Landing,
    warehouse: Warehouse,
    notifier: Notifier,
) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
    """Ask, compare, write the verdicts and tell the figures."""
    with permanent_errors_end_the_step():
        days = list(context.partition_keys)
        done, overwritten, refused = _normalized_days(lake, days)
        if not done:
            raise (
                not_loaded(overwritten, refused)
                if overwritten or refused
                else UnusableInput(
                    f"shipping_totals {describe_days(days)}: expected normalized shipments, found none",
                    remedy="Materialize shipments_normalized for these days first.",
                )
            )
        # A retry begins here, and a laptop that was stopped in between has forgotten the days of its tables.
        table = parquet_table(get_settings(), SHIPMENTS, NORMALIZED)
        register(glue, table, {day: table.folder(day) for day in done})
        answer = athena.query(totals_sql(min(done), max(done)))
        totals = read_totals(answer)
        accounted = judge_accounts(totals, done)
        if accounted.failed:
            yield accounted.result(SHIPMENTS.last_asset)
        compare(totals, done)
        entries, judged = _commit(context, answer, done, lake=lake, landing=landing, warehouse=warehouse)
        results = [outcome.result(SHIPMENTS.last_asset) for outcome in (accounted, *judged)]
        send_alerts(context, warehouse, notifier)
        lineage.tell_lineage(context)
        _describe(context, answer, done, entries)
        if overwritten or refused:
            yield from results
            raise not_loaded(overwritten, refused)
    yield MaterializeResult(asset_key=SHIPMENTS.last_asset)
    yield from results


shipping_assets = [
    raw_shipments,
    shipments_parquet,
    shipments_catalog,
    shipments_normalized,
    shipments_normalized_catalog,
    shipping_totals,
]


def _register(context: AssetExecutionContext, glue: Glue, declared: Table, days: Sequence[str]) -> None:
    lineage.tell_lineage(context)
    table = parquet_table(get_settings(), SHIPMENTS, declared)
    told = register_and_confirm(glue, table, {day: table.folder(day) for day in days})
    for day in context.partition_keys:
        context.add_asset_metadata({**told, "registered": day in days}, partition_key=day)


def _left_out(
    days: Iterable[str], overwritten: Mapping[str, str], refused: Mapping[str, str]
) -> dict[str, Any]:
    """What the manifests of days say of which nothing was made, and why."""
    return {day: {"overwritten": overwritten.get(day), "refused": refused.get(day)} for day in days}


def _normalize_apart(
    context: AssetExecutionContext, made: Mapping[str, MadeDay], *, glue: Glue, lake: Lake
) -> tuple[dict[str, MadeDay], dict[str, str]]:
    """Run the job over the typed days; return what it made of them, and why others can't be made."""
    tried = isolate(
        sorted(made),
        lambda days: _normalize(context, {day: made[day] for day in days}, glue=glue, lake=lake),
        cause_of=cause_of_job_failure,
        control=lambda: _normalize(context, {}, glue=glue, lake=lake),
    )
    job = get_settings().job_name(NORMALIZE_JOB)
    return {day: it for _, done in tried.done for day, it in done.items()}, {
        it.unit: (
            f"the job {job} fails over the day: {job_words(it.error, personal=SHIPMENTS.personal)}. Mend the "
            "file and land it again, or run its day again when the job has changed"
        )
        for it in tried.culprits
    }


def _normalize(
    context: AssetExecutionContext, made: Mapping[str, MadeDay], *, glue: Glue, lake: Lake
) -> dict[str, MadeDay]:
    """Run the job over typed days; return what it made of them."""
    entries = [file | {"partition": day} for day, it in made.items() for file in it.files]
    typed = {found.url: rows for it in made.values() for found, rows in it.landed}
    path = f"_tmp/{context.run.run_id}/{NORMALIZE_JOB}.manifest"
    run, counts = run_job(
        context,
        NORMALIZE_JOB,
        {
            "manifest": lake.put_bytes(path, copy_manifest(entries)),
            "output": lake.uri(f"{NORMALIZED.name}/"),
        },
        sorted(made),
        [url for url, rows in typed.items() if rows.loaded],
        glue,
    )
    if wrong := {url: it["read"] for url, it in counts.items() if it["read"] != typed[url].loaded}:
        raise LoadRefused(
            f"{NORMALIZE_JOB}: expected the rows that {TO_PARQUET_JOB} wrote, found others: {wrong}",
            remedy="Materialize shipments_parquet for these days again, and what follows from it.",
        )
    return {
        day: replace(
            it,
            glue_job_run_id=run,
            landed=tuple(
                (f, kept(rows, counts[f.url]["loaded"] if rows.loaded else 0)) for f, rows in it.landed
            ),
        )
        for day, it in made.items()
    }


def kept(typed: RowCount, rows: int) -> RowCount:
    """The counts of a file of whose typed rows so many are left; the others are repeated elsewhere."""
    repeated = typed.loaded - rows
    return RowCount(typed.read, rows, typed.rejected + repeated, repeated)


def _normalized_days(
    lake: Lake, days: Sequence[str]
) -> tuple[dict[str, MadeDay], dict[str, str], dict[str, str]]:
    """What was made of days, which others were overwritten meanwhile, and which the job could not make."""
    found = lake.get_manifests("shipments_normalized", days)
    done = {day: MadeDay.from_json(it) for day, it in found.items() if "refused" not in it}
    overwritten, refused = (
        {day: it[why] for day, it in found.items() if it.get(why)} for why in ("overwritten", "refused")
    )
    return done, overwritten, refused


def _commit(
    context: AssetExecutionContext,
    answer: QueryResult,
    done: Mapping[str, MadeDay],
    *,
    lake: Lake,
    landing: Landing,
    warehouse: Warehouse,
) -> tuple[list[dict[str, Any]], list[rules.Outcome]]:
    """Write the files' verdicts and the alerts; return the days' ledger rows, and what came of checks."""
    run, days = context.run, sorted(done)
    of_days = {day: it.rows for day, it in done.items()}
    rows = list(of_days.values())
    keys = {found.key for it in done.values() for found, _ in it.landed}
    alert = loaded_alert(
        SHIPMENTS,
        {name: sum(of_day[name] for of_day in rows) for name in rows[0]},
        first_rejects(lake, SHIPMENTS, days_with_rejects(done)),
        days=days,
        figures=figures(read_totals(answer), days, answer),
        run=run,
        instance=context.instance,
    )
    with warehouse.transaction() as session:
        session.wait_for_turn()
        # A file that was overwritten meanwhile is loaded as it was: its newer version gets its own run.
        standing = measures.standing_rows(session, SHIPMENTS, days, keys)
        counted = {rules.ROW_COUNT.name: measures.row_counts(of_days, standing)}
        outcomes = rules.judge(SHIPMENTS.last_asset, counted)
        verdicts = entries_of(SHIPMENTS, done, run.run_id)
        ledger.record(session, verdicts, landing.versions(SHIPMENTS, days))
        suspect = check_failed_alerts(SHIPMENTS.last_asset, SHIPMENTS.name, outcomes, run)
        outbox.put(session, [alert, *suspect])
        return session.execute(ledger.OF_DAYS, {"feed": SHIPMENTS.name, "days": tuple(days)}), outcomes


def _describe(
    context: AssetExecutionContext,
    answer: QueryResult,
    done: Mapping[str, MadeDay],
    entries: Sequence[Mapping[str, Any]],
) -> None:
    """Put figures and query on each day's materialization."""
    totals = read_totals(answer)
    for day in done:
        of_day = [row for row in entries if str(row["partition_date"]) == day]
        context.add_asset_metadata(
            {
                **numbers("", totals.get(day, NONE)),
                **numbers("all_days_", totals[None]),
                **done[day].rows,
                "query": query_link(answer.query_id),
                "query_seconds": answer.seconds,
                "bytes_scanned": answer.bytes_scanned,
                "estimated_cost_usd": answer.cost_usd,
                "result": MetadataValue.path(answer.output),
                "ledger": MetadataValue.md(ledger.table_of(of_day)),
            },
            partition_key=day,
        )
