"""The load of a fact table: days replaced in one transaction, counted before the commit."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from airline_platform.errors import LoadRefused
from airline_platform.feeds import Feed
from assets import ledger
from resources.landing import LandedObject
from resources.warehouse import Session

DELETE_DAYS = "DELETE FROM {table} WHERE {partition} IN %(days)s"
INSERT_STAGED = "INSERT INTO {table} ({columns}) SELECT {columns} FROM {staging}"
COUNT_STAGED = "SELECT source_file, COUNT(*) AS staged FROM {staging} GROUP BY source_file"


@dataclass(frozen=True)
class RowCount:
    """Rows of one landed file: read = loaded + rejected."""

    read: int
    loaded: int
    rejected: int


@dataclass(frozen=True)
class EnrichedDay:
    """What the lake holds of one day: by which Glue job run, in which files, from which landed versions."""

    glue_job_run_id: str
    files: tuple[dict[str, Any], ...]
    landed: tuple[tuple[LandedObject, RowCount], ...]

    @property
    def rows(self) -> dict[str, int]:
        """`rows_read`, `rows_loaded` and `rows_rejected` of the day."""
        counts = [asdict(count) for _, count in self.landed]
        return {f"rows_{name}": sum(c[name] for c in counts) for name in ("read", "loaded", "rejected")}

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


def days_with_many_rejects(made: Mapping[str, EnrichedDay], allowed: float) -> dict[str, str]:
    """Days of which too large a share was rejected to be loaded, and why.

    Args:
        made: What is to be loaded, by day.
        allowed: Largest share of rejected rows, 0 to 1.
    """
    shares = {day: it.rows["rows_rejected"] / it.rows["rows_read"] for day, it in made.items()}
    return {
        day: (
            f"expected at most {allowed:.1%} of the rows to be rejected, found {share:.1%} of "
            f"{made[day].rows['rows_read']:,}"
        )
        for day, share in shares.items()
        if share > allowed
    }


def refuse_days(
    session: Session, feed: Feed, made: Mapping[str, EnrichedDay], reasons: Mapping[str, str], run_id: str
) -> None:
    """Write the ledger rows of days that are not loaded: their files are rejected, for the day's reason."""
    refused = {
        day: replace(
            made[day], landed=tuple((replace(found, refused=why), rows) for found, rows in made[day].landed)
        )
        for day, why in reasons.items()
    }
    ledger.record(session, _entries(feed, refused, run_id, "rejected"))


def too_many_rejects(reasons: Mapping[str, str]) -> LoadRefused:
    """The error for days that were not loaded."""
    return LoadRefused(
        "; ".join(f"{day}: {why}" for day, why in reasons.items()) + ". Not loaded, the old rows stand",
        remedy=(
            "Read the reasons in the rejects, mend the file and land it again; or raise "
            "AIRLINE_MAX_REJECTED_SHARE if they are as they should be."
        ),
    )


def replace_days(
    session: Session, feed: Feed, made: Mapping[str, EnrichedDay], manifest_uri: str, run_id: str
) -> None:
    """Replace days of a fact table by the files of a manifest, and write their ledger rows.

    Args:
        session: The transaction; the caller commits it.
        feed: Whose table it is.
        made: What the lake holds, by day.
        manifest_uri: COPY manifest of its Parquet files.
        run_id: The Dagster run, for the ledger.

    Raises:
        LoadRefused: What was staged is not what the job reported; the transaction must not commit.
    """
    table = feed.table
    staging = session.stage(table, manifest_uri)
    _compare(session.execute(COUNT_STAGED.format(staging=staging)), made, feed)
    names = {"table": table.qualified_name, "staging": staging, "columns": ", ".join(table.column_names)}
    session.execute(DELETE_DAYS.format(**names, partition=table.partition_column), {"days": tuple(made)})
    session.execute(INSERT_STAGED.format(**names))
    ledger.record(session, _entries(feed, made, run_id, "loaded"))


def _entries(
    feed: Feed, made: Mapping[str, EnrichedDay], run_id: str, state: ledger.State
) -> list[dict[str, Any]]:
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


def _compare(rows: list[dict[str, Any]], made: Mapping[str, EnrichedDay], feed: Feed) -> None:
    staged = {row["source_file"]: row["staged"] for row in rows}
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
