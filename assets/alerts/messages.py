"""The texts of alerts: what happened, in which run, and what to do, in one form for each event."""

import time
from collections.abc import Iterator, Mapping, Sequence

from botocore.exceptions import ClientError
from dagster import DagsterInstance, DagsterRun, Failure

from airline_platform.contract.drift import evolved_name
from airline_platform.contract.feed import Feed
from airline_platform.errors import AirlineError
from airline_platform.run_tags import days_of
from airline_platform.settings import get_settings
from assets.checks.outcomes import DAYS_LISTED, Outcome
from assets.marts.declarations import MARTS
from assets.report.location import REPORTED, report_link
from resources.topic import Alert, describe_days

NOT_ALLOWED = ("AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation")
"""What S3, Glue, SNS and others call a missing permission."""


def loaded_alert(
    feed: Feed,
    rows: Mapping[str, int],
    rejects: Sequence[str],
    *,
    days: Sequence[str] = (),
    figures: Sequence[str] = (),
    run: DagsterRun,
    instance: DagsterInstance,
) -> Alert:
    """Say that a table was loaded: which days, how many rows, how long it took.

    Args:
        feed: Whose table it is.
        rows: `rows_loaded`, `rows_rejected`, and counts worth a line when they are not 0.
        rejects: Sentences about the first rejected rows.
        days: ISO days; none for a table without days.
        figures: Lines with what the rows add up to.
        run: The Dagster run.
        instance: Dagster's.
    """
    table = feed.table.name
    what = f"{table} {describe_days(days)}".strip()
    lines = [
        f"Table:     {', '.join(each.qualified_name for each in feed.tables) or _lake_table(feed)}",
        *_counts(feed, rows),
    ]
    lines += [f"Duration:  {_seconds(instance, run.run_id):.0f} s", f"Run:       {run_link(run.run_id)}"]
    if days and feed.name == REPORTED.name:
        how = "" if get_settings().stage == "local" else " (there: Open)"
        lines.append(f"Report:    {report_link(max(days))}{how}")
    if figures:
        lines += ["", *figures]
    if rejects:
        lines += [
            "",
            "The first rejected rows:",
            *rejects,
            "What to do: mend these lines and land the file again; all of them are in the rejects.",
        ]
    subject = f"Loaded {what}: {rows['rows_loaded']:,} rows"
    return Alert("loaded", subject, lines, feed.name, run.run_id, about=[root_of(run), table, *days])


def _counts(feed: Feed, rows: Mapping[str, int]) -> Iterator[str]:
    """Lines that count rows: those loaded and rejected, and others where there are any."""
    yield f"Loaded:    {rows['rows_loaded']:,} rows"
    yield f"Rejected:  {rows['rows_rejected']:,} rows"
    if repeated := rows.get("rows_repeated"):
        yield (
            f"Repeated:  {repeated:,} of these, because a later row of their "
            f"{'day' if feed.typed else 'file'} has the same {_names_a_row(feed)}"
        )
    if duplicated := rows.get("rows_duplicated"):
        yield f"Identical: {duplicated:,} rows are copies of another (kept)"
    if healed := rows.get("rows_healed"):
        yield f"Healed:    {healed:,} rows got an airport that was unknown"


def _lake_table(feed: Feed) -> str:
    return f"{get_settings().glue_database}.{feed.table.name}, in the lake"


def _names_a_row(feed: Feed) -> str:
    """Name the columns whose values no two rows of a file, or of a day, may share."""
    key = feed.latest.table.key if feed.latest else feed.table.key
    return ", ".join(name for name in key if name != feed.table.partition_column)


def refused_alert(feed: str, files: Sequence[str], run: DagsterRun, about: Sequence[str]) -> Alert:
    """Say that files can't be what their feed promises; the rest of the run goes on without them.

    Args:
        feed: The feed's name.
        files: A sentence for each: which, why, and what to do.
        run: The Dagster run.
        about: The versions of the files: however many runs refuse them, it is one alert.
    """
    subject = f"Refused {len(files)} file(s) of {feed}"
    return Alert("refused", subject, files[:100], feed, run.run_id, about=about)


def new_column_alert(feed: Feed, name: str, url: str, run: DagsterRun) -> Alert:
    """Say that files of a feed have a column that nobody has declared; its values are kept.

    Args:
        feed: Whose drift policy keeps it.
        name: The column's, as files have it.
        url: The first file that has it.
        run: The Dagster run.
    """
    where = (
        f"They stand in {feed.table.qualified_name}, in the JSON object of the column rescued."
        if feed.drift == "rescue"
        else f"They stand in the new column {evolved_name(name, feed.table)} of {feed.table.qualified_name}."
    )
    lines = [
        f"File:      {url}",
        f"Column:    {name[:100]!r}",
        f"Values:    {where}",
        f"Run:       {run_link(run.run_id)}",
        "What to do: nothing; or declare the column: then it has a type, and values are checked.",
    ]
    subject = f"New column {name[:60]!r} in files of {feed.name}"
    return Alert("new_column", subject, lines, feed.name, run.run_id, about=[feed.name, name])


def replacement_refused_alert(
    feed: str, reasons: Sequence[str], run: DagsterRun, about: Sequence[str]
) -> Alert:
    """Say that days are not replaced, because rows of a file would be lost; what has landed for them waits.

    Args:
        feed: The feed's name.
        reasons: A sentence for each day: why, and what to do.
        run: The Dagster run.
        about: The reasons, and the versions that wait: while these stay, it is one alert.
    """
    subject = f"Refused to replace {len(reasons)} day(s) of {feed}"
    return Alert("refused", subject, reasons[:100], feed, run.run_id, about=about)


def check_failed_alerts(asset: str, feed: str, outcomes: Sequence[Outcome], run: DagsterRun) -> list[Alert]:
    """Say which checks failed of rows that were loaded all the same; no alert where none did.

    Args:
        asset: Whose checks they are.
        feed: The feed's name.
        outcomes: Of all its checks.
        run: The Dagster run.
    """
    failed = [outcome for outcome in outcomes if outcome.failed and not outcome.check.blocking]
    if not failed:
        return []
    names = [outcome.check.name for outcome in failed]
    days = sorted({finding.day for outcome in failed for finding in outcome.failed} - {""})
    lines = [line for outcome in failed for line in (*_what_failed(outcome), "")]
    subject = " ".join(filter(None, ("Checks failed on", asset, describe_days(days))))
    return [
        Alert(
            "check_failed",
            f"{subject}: {', '.join(names)}",
            [*lines, f"Run:       {run_link(run.run_id)}"],
            feed,
            run.run_id,
            about=[root_of(run), asset, *names, *days],
        )
    ]


def _what_failed(outcome: Outcome) -> list[str]:
    """Lines about a check that failed: its first days, how many more there are, and what to do."""
    lines = [f"{outcome.check.name}: {finding}" for finding in outcome.failed[:DAYS_LISTED]]
    if (more := len(outcome.failed) - DAYS_LISTED) > 0:
        lines.append(f"{outcome.check.name}: … and {more} more days.")
    return [*lines, f"What to do: {outcome.check.remedy}"]


def failure_alert(instance: DagsterInstance, run_id: str, step: str, why: str, feed: str = "") -> Alert:
    """Say that a step or a run failed: which, for which days, why, and what to do."""
    run = instance.get_run_by_id(run_id)
    partition = partition_of(run.tags if run else {})
    return Alert(
        "failed",
        f"FAILED {step} {partition}".strip(),
        [
            f"Stage:     {stage_of(step)}",
            f"Step:      {step}",
            f"Partition: {partition or 'not partitioned'}",
            f"Reason:    {why}",
            f"Run:       {run_link(run_id)}",
        ],
        feed,
        run_id,
        about=[run_id, step],
    )


def stage_of(step: str) -> str:
    """Name the part of the way from landed file to table that a step is."""
    if step.startswith("raw_"):
        return "landed files"
    if step.endswith("_catalog"):
        return "crawler and catalog"
    if step.endswith(("_enriched", "_parquet", "_normalized")):
        return "Glue job"
    if step.endswith("_totals"):
        return "Athena query"
    if step in MARTS or step.endswith("_report"):
        return "mart" if step in MARTS else "report"
    return "run" if step.endswith("_job") else "load into the warehouse"


def reason_of_failure(error: BaseException | None) -> str:
    """Say what went wrong and what to do, from the exception that ended a step."""
    if isinstance(error, Failure):
        return error.description or "no reason given"
    if isinstance(error, AirlineError):
        return str(error)
    remedy = "mend the cause, then re-run from this step."
    if isinstance(error, ClientError) and error.response["Error"]["Code"] in NOT_ALLOWED:
        remedy = (
            "give the role that runs Dagster this permission (the stack's DagsterPolicy has all it needs), "
            "then re-run from this step."
        )
    return f"{type(error).__name__}: {error}\nWhat to do: {remedy}"


def was_alerted(error: BaseException | None) -> bool:
    """Whether an alert has said already why a step failed."""
    if isinstance(error, Failure):
        error = error.__cause__
    return isinstance(error, AirlineError) and error.alerted


def root_of(run: DagsterRun) -> str:
    """Return the id of the first of the runs that retry each other: their alerts are about the same."""
    return run.root_run_id or run.run_id


def partition_of(tags: Mapping[str, str]) -> str:
    """Return the day of a run, or its range; empty where it has none."""
    first, last = days_of(tags)
    return first if first == last else f"{first} to {last}"


def run_link(run_id: str) -> str:
    """Return the address of a run's page where the UI's is known, else the run's id."""
    ui = get_settings().running_stack().get("ui_url")
    return f"{ui.rstrip('/')}/runs/{run_id}" if ui else run_id


def _seconds(instance: DagsterInstance, run_id: str) -> float:
    record = instance.get_run_record_by_id(run_id)
    return time.time() - record.start_time if record and record.start_time else 0.0
