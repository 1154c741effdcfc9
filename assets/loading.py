"""The load of a fact table: days replaced in one transaction, counted and compared before the commit."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from dagster import AssetExecutionContext

from airline_platform.errors import LoadRefused
from airline_platform.feeds import AIRPORTS, FLIGHTS, REPEATED, Feed, Lookup
from airline_platform.settings import get_settings
from airline_platform.tables import Table
from assets import checks, ledger, measures, newest
from assets.alerts import check_failed_alerts, loaded_alert
from resources import outbox
from resources.catalog import rejects_prefix
from resources.glue import copy_manifest
from resources.lake import Lake
from resources.landing import LandedObject, Landing, Version
from resources.warehouse import Session, Warehouse

DELETE_DAYS = "DELETE FROM {table} WHERE {partition} IN %(days)s"
INSERT_STAGED = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging}"
COUNT_COPIES = """
SELECT {partition} AS day, SUM(copies - 1) AS copies, SUM(GREATEST(telling - 1, 0)) AS telling_copies
FROM (
    SELECT {partition}, COUNT(*) AS copies, COUNT({telling}) AS telling
    FROM {staging} GROUP BY {telling_apart} HAVING COUNT(*) > 1
) AS doubled
GROUP BY {partition}
"""
TELLING = {FLIGHTS.name: "dep_delay"}
"""By feed, a column without which equal rows need not be copies: cancelled flights lack the delay."""
FILL = """
UPDATE {schema}.{table} SET {filled} FROM {schema}.{dimension}
WHERE {table}.{key} = {dimension}.airport_id AND {empty}
"""
FILL_DAYS = FILL + " AND {table}.{partition} IN %(days)s"

ROW_COUNTS = ("rows_read", "rows_loaded", "rows_rejected", "rows_repeated", "rows_duplicated")
FIRST_REJECTS = 5


@dataclass(frozen=True)
class RowCount:
    """Rows of one landed file: read = loaded + rejected; of these, some only because they are repeated."""

    read: int
    loaded: int
    rejected: int
    repeated: int = 0


@dataclass(frozen=True)
class MadeDay:
    """What a Glue job made of one day: which run of it, in which files, from which landed versions."""

    glue_job_run_id: str
    files: tuple[dict[str, Any], ...]
    landed: tuple[tuple[LandedObject, RowCount], ...]

    @property
    def rows(self) -> dict[str, int]:
        """`rows_read`, `rows_loaded`, `rows_rejected` and `rows_repeated` of the day."""
        counts = [asdict(count) for _, count in self.landed]
        names = ("read", "loaded", "rejected", "repeated")
        return {f"rows_{name}": sum(count[name] for count in counts) for name in names}

    def as_json(self) -> dict[str, Any]:
        """For the lake's manifest."""
        landed = [{"object": found.as_json(), "rows": asdict(rows)} for found, rows in self.landed]
        return {"glue_job_run_id": self.glue_job_run_id, "files": self.files, "landed": landed}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Back from the lake's manifest."""
        landed = (
            (LandedObject.from_json(each["object"]), RowCount(**each["rows"])) for each in document["landed"]
        )
        return cls(document["glue_job_run_id"], tuple(document["files"]), tuple(landed))


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    Args:
        rows: Counts by day, of the days that were loaded.
        refused: Why the others were not, by day.
        ledger: The ledger's rows of all of them.
        outcomes: Of the table's checks.
    """

    rows: dict[str, dict[str, int]]
    refused: dict[str, str]
    ledger: list[dict[str, Any]] = field(default_factory=list)
    outcomes: Sequence[checks.Outcome] = ()


def load_days(
    context: AssetExecutionContext,
    feed: Feed,
    made: Mapping[str, MadeDay],
    *,
    landing: Landing,
    lake: Lake,
    warehouse: Warehouse,
) -> Loaded:
    """Replace days of a fact table, with their ledger rows and their alerts, in one transaction.

    A day keeps its rows when its file was overwritten since its manifest, too much of it was rejected, or its
    staged rows can't be true.

    Args:
        context: Of the asset that loads.
        feed: Whose table it is.
        made: What the lake holds, by day.
        landing: The bucket the days came from.
        lake: Where they are.
        warehouse: Where they go.

    Raises:
        LoadRefused: What was staged is not what the job reported; nothing was committed.
        ChecksFailed: A blocking check of the table failed; nothing was committed.
    """
    run, table = context.run, feed.table.name
    with warehouse.transaction() as session:
        session.wait_for_turn()
        landed = landing.versions(feed, sorted(made))
        # Of these the ledger says nothing yet: the newer version's load will say that they were superseded.
        overwritten = overwritten_days(made, landed)
        rest = {day: it for day, it in made.items() if day not in overwritten}
        allowed = get_settings().rejected_share_allowed(feed.name, feed.max_rejected_share)
        refused = with_first_rejects(lake, feed, rest, days_with_many_rejects(rest, allowed))
        good = {day: it for day, it in rest.items() if day not in refused}
        rows: dict[str, dict[str, int]] = {}
        outcomes: list[checks.Outcome] = []
        if good:
            files = [file for it in good.values() for file in it.files]
            manifest = lake.put_bytes(f"_tmp/{run.run_id}/{table}.manifest", copy_manifest(files))
            staging, staged = stage_days(session, feed, good, manifest)
            outcomes = checks.judge(table, measures.of_staged(feed, staged))
            refused |= leave_out(session, feed, staging, outcomes)
            good = {day: it for day, it in good.items() if day not in refused}
        ledger.record(session, refused_entries(feed, made, refused, run.run_id), landed)
        if good:
            nameless = [day for day in good if staged.days[day][checks.UNKNOWN_AIRPORTS.name]]
            rows, judged = replace_days(session, feed, good, staging, nameless)
            outcomes += judged
            ledger.record(session, entries_of(feed, good, run.run_id, "loaded"), landed)
            totals = {name: sum(of_day[name] for of_day in rows.values()) for name in ROW_COUNTS}
            rejects = first_rejects(lake, feed, good)
            alert = loaded_alert(feed, totals, rejects, days=sorted(good), run=run, instance=context.instance)
            outbox.put(session, [alert, *check_failed_alerts(table, feed.name, outcomes, run)])
        written = session.execute(ledger.OF_DAYS, {"feed": feed.name, "days": tuple(made)})
    return Loaded(rows, overwritten | refused, written, outcomes)


def overwritten_days(made: Mapping[str, MadeDay], landed: Sequence[Version]) -> dict[str, str]:
    """Days of which a file is not any more what the run has read, and which; a deleted one still counts.

    Args:
        made: What is to be loaded, by day.
        landed: What S3 has now.
    """
    changed = {day: overwritten([found for found, _ in it.landed], landed) for day, it in made.items()}
    return {
        day: f"{', '.join(keys[:20])} was overwritten while its run worked; the newer version's run loads it"
        for day, keys in changed.items()
        if keys
    }


def overwritten(read: Iterable[LandedObject], landed: Iterable[Version]) -> list[str]:
    """Keys of the files a run has read of which S3 now has another version."""
    current = {version.key: (version.etag, version.version_id) for version in landed if version.current}
    return [
        found.key
        for found in read
        if current.get(found.key, (found.etag, found.version_id)) != (found.etag, found.version_id)
    ]


def days_with_many_rejects(made: Mapping[str, MadeDay], allowed: float) -> dict[str, str]:
    """Days of which too large a share was rejected to be loaded, and why; what is repeated does no harm.

    Args:
        made: What is to be loaded, by day.
        allowed: Largest share of rejected rows, 0 to 1.
    """
    rows = {day: it.rows for day, it in made.items()}
    shares = {day: (of["rows_rejected"] - of["rows_repeated"]) / of["rows_read"] for day, of in rows.items()}
    return {
        day: (
            f"expected at most {allowed:.1%} of the rows to be rejected, found {share:.1%} of "
            f"{rows[day]['rows_read']:,} in {', '.join(found.key for found, _ in made[day].landed[:20])}"
        )
        for day, share in shares.items()
        if share > allowed
    }


def with_first_rejects(
    lake: Lake, feed: Feed, made: Mapping[str, MadeDay], reasons: Mapping[str, str]
) -> dict[str, str]:
    """Why days are refused, with the first rows that are to be mended."""
    return {
        day: "; ".join(
            [why, *first_rejects(lake, feed, {day: made[day]}), "mend them and land the file again"]
        )
        for day, why in reasons.items()
    }


def first_rejects(lake: Lake, feed: Feed, days: Mapping[str, MadeDay]) -> list[str]:
    """A sentence for each of the first rejected rows that are to be mended: which file and line, and why."""
    dirty = [day for day, it in sorted(days.items()) if it.rows["rows_rejected"] > it.rows["rows_repeated"]]
    rows = lake.first_rows(
        [f"{rejects_prefix(feed)}date={day}/" for day in dirty],
        FIRST_REJECTS,
        where=lambda row: not row["reject_reason"].endswith(REPEATED),
    )
    return [f"{row['source_file']}, line {row['line_number']}: {row['reject_reason']}" for row in rows]


def not_loaded(refused: Mapping[str, str]) -> LoadRefused:
    """The error for days that kept their old rows."""
    return LoadRefused(
        "; ".join(f"{day}: {why}" for day, why in refused.items()) + ". Not loaded, the old rows stand",
        remedy=(
            "Where rows were rejected, read their reasons in the rejects, mend the file and land it again; "
            "or raise AIRLINE_MAX_REJECTED_SHARES if they are as they should be. Where a check failed, as it "
            "says. Where a file was overwritten, nothing."
        ),
    )


def stage_days(
    session: Session, feed: Feed, made: Mapping[str, MadeDay], manifest_uri: str
) -> tuple[str, measures.Staged]:
    """Copy days into a staging table; return its name, and what is counted of its rows.

    Args:
        session: The transaction.
        feed: Whose table they are for.
        made: What the lake holds, by day.
        manifest_uri: COPY manifest of its Parquet files.

    Raises:
        LoadRefused: What was staged is not what the job reported.
    """
    staging = session.stage(feed.table, manifest_uri)
    staged = measures.count_staged(session, feed, staging, made)
    _compare(staged.files, made, feed)
    return staging, staged


def leave_out(
    session: Session, feed: Feed, staging: str, outcomes: Sequence[checks.Outcome]
) -> dict[str, str]:
    """Take days whose staged rows fail a check out of the staging table; return why, by day."""
    refused = {
        finding.day: f"{outcome.check.name}: {finding.told}. {outcome.check.remedy}"
        for outcome in outcomes
        for finding in outcome.failed
    }
    if refused:
        left_out = DELETE_DAYS.format(table=staging, partition=feed.table.partition_column)
        session.execute(left_out, {"days": tuple(refused)})
    return refused


def replace_days(
    session: Session, feed: Feed, made: Mapping[str, MadeDay], staging: str, nameless: Sequence[str]
) -> tuple[dict[str, dict[str, int]], list[checks.Outcome]]:
    """Replace days of a fact table by what is staged, before the ledger knows of their files.

    Args:
        session: The transaction; the caller commits it.
        feed: Whose table it is.
        made: What the lake holds, by day; of other days nothing is staged.
        staging: The staging table.
        nameless: Days with rows that lack an airport's names.

    Returns:
        Row counts by day, with `rows_duplicated`: rows that are copies of another one of their day. And what
        came of the table's checks.

    Raises:
        ChecksFailed: A blocking one failed; the transaction must not commit.
    """
    table = feed.table
    names = {
        "table": table.qualified_name,
        "staging": staging,
        "columns": ", ".join(table.column_names),
        "telling_apart": ", ".join(columns_telling_apart(feed)),
        "partition": table.partition_column,
        "telling": TELLING.get(feed.name, "*"),
    }
    days = {"days": tuple(made)}
    with newest.following(session, feed, tuple(made), staging):
        session.execute(DELETE_DAYS.format(**names), days)
        session.execute(INSERT_STAGED.format(**names))
        session.settle(table)
        if nameless:
            # An airport may have arrived between the job's join and this transaction.
            fill_airports(session, feed.lookups, feed.table, tuple(nameless))
    copied = {str(row["day"]): row for row in session.execute(COUNT_COPIES.format(**names))}
    every, telling = (
        {day: int(row[kind]) for day, row in copied.items()} for kind in ("copies", "telling_copies")
    )
    rows = {day: {**it.rows, "rows_duplicated": every.get(day, 0)} for day, it in made.items()}
    keys = {found.key for it in made.values() for found, _ in it.landed}
    outcomes = checks.judge(table.name, measures.of_loaded(session, feed, rows, telling, keys))
    checks.require(table.name, outcomes)
    return rows, outcomes


def columns_telling_apart(feed: Feed) -> list[str]:
    """Columns by which rows of one day differ: what a job looks up by a column is equal where that one is."""
    looked_up = {mine for lookup in feed.lookups for mine, _ in lookup.filled}
    return [name for name in feed.table.column_names if name not in looked_up]


def fill_airports(
    session: Session, lookups: Sequence[Lookup], table: Table, days: tuple[str, ...] = ()
) -> int:
    """Fill what the dimension knows into the rows of a table that lack it; return how many were filled.

    Args:
        session: The transaction.
        lookups: What is looked up.
        table: Whose columns they are.
        days: Only these; all where none is named.
    """
    filled = 0
    for lookup in lookups:
        statement = (FILL_DAYS if days else FILL).format(
            schema=table.SCHEMA,
            table=table.name,
            dimension=AIRPORTS.table.name,
            key=lookup.key,
            filled=", ".join(f"{mine} = {AIRPORTS.table.name}.{its}" for mine, its in lookup.filled),
            empty=" AND ".join(f"{table.name}.{mine} IS NULL" for mine, _ in lookup.filled),
            partition=table.partition_column,
        )
        filled += session.change(statement, {"days": days})
    return filled


def refused_entries(
    feed: Feed, made: Mapping[str, MadeDay], reasons: Mapping[str, str], run_id: str
) -> list[ledger.Entry]:
    """Ledger rows of days that are not loaded: their files are rejected, for the day's reason."""
    days = {
        day: replace(
            made[day], landed=tuple((replace(found, refused=why), rows) for found, rows in made[day].landed)
        )
        for day, why in reasons.items()
    }
    return entries_of(feed, days, run_id, "rejected")


def entries_of(
    feed: Feed, made: Mapping[str, MadeDay], run_id: str, state: ledger.State
) -> list[ledger.Entry]:
    """Ledger rows of the files that days were made of."""
    return [
        ledger.entry(
            found,
            feed=feed.name,
            run_id=run_id,
            state=state,
            rows_read=rows.read,
            rows_loaded=rows.loaded if state == "loaded" else 0,
            rows_rejected=rows.rejected if state == "loaded" else rows.read,
            glue_job_run_id=it.glue_job_run_id,
        )
        for it in made.values()
        for found, rows in it.landed
    ]


def _compare(staged: Mapping[str, int], made: Mapping[str, MadeDay], feed: Feed) -> None:
    reported = {found.url: count.loaded for it in made.values() for found, count in it.landed if count.loaded}
    if staged != reported:
        differing = {
            url: (reported.get(url, 0), staged.get(url, 0))
            for url in sorted(staged.keys() | reported.keys())
            if staged.get(url) != reported.get(url)
        }
        raise LoadRefused(
            f"{feed.table.name}: the rows the job reported and the rows staged differ, by file: {differing}",
            remedy=f"Materialize {feed.name}_enriched for these days again, then this table.",
        )
