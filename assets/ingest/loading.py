"""The load of a fact table: days replaced in one transaction, counted and compared before the commit."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from dagster import AssetExecutionContext

from airline_platform.contract.feed import REPEATED, Feed, Lookup
from airline_platform.contract.table import SOURCE_FILE, SOURCE_LINE, Table
from airline_platform.errors import LoadRefused
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from assets.alerts.messages import check_failed_alerts, loaded_alert
from assets.checks import measures, rules
from assets.ingest import drift, latest_rows
from assets.ingest.isolation import isolate
from assets.ingest.job_failures import cause_of_load_failure, load_words
from assets.ingest.refusals import Refusal, overwritten, record_refusals
from resources.catalog import rejects_prefix
from resources.lake import Lake
from resources.landing import LandedObject, Landing, Version
from resources.warehouse import ledger, outbox
from resources.warehouse.session import Session, Warehouse

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
    """What a Glue job made of one day.

    Args:
        glue_job_run_id: Which run of it.
        files: Parquet, with its URL and size.
        landed: From which landed versions, and how many rows of each.
        evolved: Columns the Parquet has besides the declared ones.
    """

    glue_job_run_id: str
    files: tuple[dict[str, Any], ...]
    landed: tuple[tuple[LandedObject, RowCount], ...]
    evolved: tuple[str, ...] = ()

    @property
    def rows(self) -> dict[str, int]:
        """`rows_read`, `rows_loaded`, `rows_rejected` and `rows_repeated` of the day."""
        counts = [asdict(count) for _, count in self.landed]
        names = ("read", "loaded", "rejected", "repeated")
        return {f"rows_{name}": sum(count[name] for count in counts) for name in names}

    def as_json(self) -> dict[str, Any]:
        """For the lake's manifest."""
        landed = [{"object": found.as_json(), "rows": asdict(rows)} for found, rows in self.landed]
        return {
            "glue_job_run_id": self.glue_job_run_id,
            "files": self.files,
            "landed": landed,
            "evolved": self.evolved,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Back from the lake's manifest."""
        landed = (
            (LandedObject.from_json(each["object"]), RowCount(**each["rows"])) for each in document["landed"]
        )
        evolved = tuple(document.get("evolved", ()))
        return cls(document["glue_job_run_id"], tuple(document["files"]), tuple(landed), evolved)


@dataclass(frozen=True)
class Loaded:
    """What a load did.

    Args:
        rows: Counts by day, of the days that were loaded.
        overwritten: Why days were left to the run of a newer version, by day.
        refused: Why days can't be loaded, by day; their files have a verdict, and people know.
        verdicts: On the files of all of them.
        outcomes: Of the table's checks.
    """

    rows: dict[str, dict[str, int]]
    overwritten: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    verdicts: list[ledger.Verdict] = field(default_factory=list)
    outcomes: Sequence[rules.Outcome] = ()


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

    A day keeps its rows when its file was overwritten since its manifest. It keeps them, and its files are
    rejected, when the warehouse or a blocking check refuses it, or what was staged of it is not what the job
    reported: then the others are loaded by halves.

    Args:
        context: Of the asset that loads.
        feed: Whose table it is.
        made: What the lake holds, by day.
        landing: The bucket the days came from.
        lake: Where they are.
        warehouse: Where they go.
    """

    def load(days: Sequence[str]) -> Loaded:
        some = {day: made[day] for day in days}
        return _load(context, feed, some, landing=landing, lake=lake, warehouse=warehouse)

    tried = isolate(
        sorted(made), load, cause_of=cause_of_load_failure, control=lambda: require_warehouse(warehouse)
    )
    failed = [culprit.error for culprit in tried.culprits]
    refused = {it.unit: load_words(it.error, personal=feed.personal) for it in tried.culprits}
    if refused:
        refusals = [refusal for day, why in refused.items() for refusal in refusals_of(made[day], why)]
        record_refusals(context.run, feed, sorted(refused), refusals, landing=landing, warehouse=warehouse)
    done = [loaded for _, loaded in tried.done]
    return Loaded(
        rows={day: rows for it in done for day, rows in it.rows.items()},
        overwritten={day: why for it in done for day, why in it.overwritten.items()},
        refused=refused,
        verdicts=ledger.of_days(warehouse, feed.name, made),
        outcomes=rules.merged([*(it.outcomes for it in done), *rules.outcomes_of(failed)]),
    )


def require_warehouse(warehouse: Warehouse) -> None:
    """See that the warehouse lets a load begin.

    Raises:
        StackUnavailable: It does not answer.
    """
    with warehouse.exclusive_transaction():
        pass


def _load(
    context: AssetExecutionContext,
    feed: Feed,
    made: Mapping[str, MadeDay],
    *,
    landing: Landing,
    lake: Lake,
    warehouse: Warehouse,
) -> Loaded:
    """Replace all of the days, or none, but for those whose files were overwritten.

    Raises:
        LoadRefused: What was staged is not what the job reported; nothing was committed.
        ChecksFailed: A blocking check of the table failed; nothing was committed.
    """
    run, table = context.run, feed.table.name
    with warehouse.exclusive_transaction() as session:
        landed = landing.versions(feed, sorted(made))
        # Of these the ledger says nothing yet: the newer version's load will say that they were superseded.
        changed = overwritten_days(made, landed)
        good = {day: it for day, it in made.items() if day not in changed}
        if not good:
            return Loaded({}, changed)
        feed = drift.grown(feed, evolved_alike(good))
        staging, staged = stage_days(session, lake, feed, good, run.run_id)
        nameless = [day for day in good if staged.days[day][rules.UNKNOWN_AIRPORTS.name]]
        rows, outcomes = replace_days(session, feed, good, staging, nameless)
        ledger.record(session, entries_of(feed, good, run.run_id), landed)
        totals = {name: sum(of_day[name] for of_day in rows.values()) for name in ROW_COUNTS}
        rejects = first_rejects(lake, feed, days_with_rejects(good))
        alert = loaded_alert(feed, totals, rejects, days=sorted(good), run=run, instance=context.instance)
        outbox.put(session, [alert, *check_failed_alerts(table, feed.name, outcomes, run)])
    return Loaded(rows, changed, outcomes=outcomes)


def evolved_alike(made: Mapping[str, MadeDay]) -> tuple[str, ...]:
    """The columns that the Parquet of all days has besides the declared ones.

    Raises:
        LoadRefused: It differs from day to day, because a column came in between; each alone can be loaded.
    """
    found = {it.evolved for it in made.values()}
    if len(found) > 1:
        raise LoadRefused(
            f"expected the Parquet of all days to have the same columns, found {sorted(found)}",
            remedy="Nothing: the days are loaded apart.",
        )
    return found.pop()


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


def days_with_rejects(made: Mapping[str, MadeDay]) -> list[str]:
    """Days with rows that are to be mended; what is only repeated is not."""
    rows = {day: it.rows for day, it in made.items()}
    return sorted(day for day, of in rows.items() if of["rows_rejected"] > of["rows_repeated"])


def first_rejects(lake: Lake, feed: Feed, days: Sequence[str], *, of: str = "") -> list[str]:
    """A sentence for each of the first rejected rows that are to be mended: which file and line, and why.

    Args:
        lake: Holds the rejects.
        feed: Whose they are.
        days: ISO days.
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


def not_loaded(overwritten: Mapping[str, str], refused: Mapping[str, str] | None = None) -> LoadRefused:
    """The error for days that kept their old rows.

    Args:
        overwritten: Why days were left to the run of a newer version, by day.
        refused: Why days can't be loaded, by day; people know.
    """
    days = {**overwritten, **(refused or {})}
    return LoadRefused(
        "; ".join(f"{day}: {why}" for day, why in days.items()) + ". Not loaded, the old rows stand",
        remedy=(
            "Where a file was overwritten, nothing. Else mend what the reason names and land the day's files "
            "again; or run the day again when the cause is gone."
        ),
        told=not overwritten,
    )


def stage_days(
    session: Session, lake: Lake, feed: Feed, made: Mapping[str, MadeDay], run_id: str
) -> tuple[str, measures.Staged]:
    """Copy days into a staging table; return its name, and what is counted of its rows.

    Args:
        session: The transaction.
        lake: Where the days are.
        feed: Whose table they are for.
        made: What the lake holds, by day; all of it may be without a row.
        run_id: The run, whose COPY manifest it is.

    Raises:
        LoadRefused: What was staged is not what the job reported.
    """
    files = [file for it in made.values() for file in it.files]
    manifest = lake.put_run_manifest(run_id, feed.table.name, files) if files else None
    staging = session.stage(feed.table, manifest)
    staged = measures.count_staged(session, feed, staging, made)
    _compare(staged.files, made, feed)
    return staging, staged


def replace_days(
    session: Session, feed: Feed, made: Mapping[str, MadeDay], staging: str, nameless: Sequence[str]
) -> tuple[dict[str, dict[str, int]], list[rules.Outcome]]:
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
    with latest_rows.following(session, feed, tuple(made), staging):
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
    outcomes = rules.judge(table.name, measures.of_loaded(session, feed, rows, telling, keys))
    rules.require(table.name, outcomes)
    return rows, outcomes


def columns_telling_apart(feed: Feed) -> list[str]:
    """Columns by which rows of one day differ: what a job looks up by a column is equal where that one is."""
    same = {mine for lookup in feed.lookups for mine, _ in lookup.filled} | {SOURCE_LINE.name}
    if SOURCE_FILE.name not in feed.table.key:
        same.add(SOURCE_FILE.name)  # the same rows under two names are copies
    return [name for name in feed.table.column_names if name not in same]


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


def refusals_of(made: MadeDay, why: str) -> list[Refusal]:
    """All files of a day that is not loaded, for the day's reason."""
    return [Refusal.because(found, why, rows.read, made.glue_job_run_id) for found, rows in made.landed]


def entries_of(feed: Feed, made: Mapping[str, MadeDay], run_id: str) -> list[ledger.Entry]:
    """Ledger rows of the files that loaded days were made of."""
    return [
        ledger.Entry.of(
            found,
            feed=feed.name,
            run_id=run_id,
            state="loaded",
            rows_read=rows.read,
            rows_loaded=rows.loaded,
            rows_rejected=rows.rejected,
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
