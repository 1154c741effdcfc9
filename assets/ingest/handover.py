"""What one asset of a feed hands to the next: documents in the lake, by day, the newest for whoever reads.

Two runs may have the same day (docs/adr/0023): a document never gives way to one of an older listing.

A feed without days has one document, for the day `all`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Self

from airline_platform.contract.feed import Feed
from airline_platform.errors import UnusableInput
from resources.acceptance.landed import LandedObject, VersionTag
from resources.lake import Lake


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
        folder: `s3://` location of the day's Parquet; empty in what earlier versions wrote down.
        as_of: When the job run over its landed files has started, UTC: it began with the newest listing. Of
            two runs' documents the later one counts, whoever writes last (docs/adr/0023). Empty likewise.
    """

    glue_job_run_id: str
    files: tuple[dict[str, Any], ...]
    landed: tuple[tuple[LandedObject, RowCount], ...]
    evolved: tuple[str, ...] = ()
    folder: str = ""
    as_of: str = ""

    @property
    def rows(self) -> dict[str, int]:
        """`rows_read`, `rows_loaded`, `rows_rejected` and `rows_repeated` of the day."""
        counts = [asdict(count) for _, count in self.landed]
        names = ("read", "loaded", "rejected", "repeated")
        return {f"rows_{name}": sum(count[name] for count in counts) for name in names}

    @property
    def keys(self) -> set[str]:
        """Keys of the landed files."""
        return {file.key for file, _ in self.landed}

    def as_json(self) -> dict[str, Any]:
        """Return the document."""
        landed = [{"object": file.as_json(), "rows": asdict(rows)} for file, rows in self.landed]
        return {
            "glue_job_run_id": self.glue_job_run_id,
            "files": self.files,
            "landed": landed,
            "evolved": self.evolved,
            "folder": self.folder,
            "as_of": self.as_of,
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read the document."""
        landed = (
            (LandedObject.from_json(each["object"]), RowCount(**each["rows"])) for each in document["landed"]
        )
        evolved = tuple(document.get("evolved", ()))
        files, folder = tuple(document["files"]), document.get("folder", "")
        as_of = document.get("as_of", "")
        return cls(document["glue_job_run_id"], files, tuple(landed), evolved, folder, as_of)


@dataclass(frozen=True)
class LeftOut:
    """Days of which nothing was made, and why.

    Args:
        overwritten: Days that were left to the run of a newer version of a file.
        refused: Days that can't be made; their files have a verdict, and people know.
    """

    overwritten: Mapping[str, str]
    refused: Mapping[str, str]

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.overwritten or self.refused)

    def with_others(self, others: "LeftOut") -> "LeftOut":
        """These days and others."""
        return LeftOut({**self.overwritten, **others.overwritten}, {**self.refused, **others.refused})


def moment(at: datetime) -> str:
    """Return a time in UTC as text that sorts as times do."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def put_landed(
    lake: Lake,
    feed: Feed,
    by_day: Mapping[str, Sequence[LandedObject]],
    *,
    began: datetime,
    listed: Collection[VersionTag] = (),
) -> dict[str, list[LandedObject]]:
    """Write down which files of each day are accepted, unless another run has listed the day later.

    It has where its document has a version that this run did not list, and that landed after this run began
    to list: in the same second at the earliest, which is how exactly S3 tells the time.

    Args:
        lake: Has the documents.
        feed: Whose files they are.
        by_day: The accepted files.
        began: When this run began to list.
        listed: All versions it has listed, accepted or not.

    Returns:
        The files that are written down now, by day: this run's, or the later run's.
    """
    since, seen = began.replace(microsecond=0), set(listed)
    later = {
        day: [LandedObject.from_json(file) for file in files]
        for day, files in lake.readable_manifests(feed.raw_asset, list(by_day)).items()
        if any(_landed_since(file, since) and (file["key"], file["etag"]) not in seen for file in files)
    }
    mine = {day: list(files) for day, files in by_day.items() if day not in later}
    lake.put_manifests(
        feed.raw_asset, {day: [file.as_json() for file in files] for day, files in mine.items()}
    )
    return {day: later.get(day, mine.get(day, [])) for day in by_day}


def _landed_since(file: Mapping[str, Any], since: datetime) -> bool:
    return "rows" in file and datetime.fromisoformat(file["landed_at"]) >= since


def get_landed(lake: Lake, feed: Feed, days: Sequence[str]) -> dict[str, list[LandedObject]]:
    """Read which files of each day are accepted; days of which nothing is written down are left out.

    Raises:
        UnusableInput: An older version of the platform wrote it down, which did not count rows.
    """
    documents = lake.get_manifests(feed.raw_asset, days)
    if any("rows" not in file for files in documents.values() for file in files):
        raise UnusableInput(
            "expected a manifest with the rows of each file, found one of an older version of "
            f"{feed.raw_asset}",
            remedy=f"Materialize {feed.raw_asset} for these days again, and what follows from it.",
        )
    return {day: [LandedObject.from_json(file) for file in files] for day, files in documents.items()}


def put_made(
    lake: Lake,
    asset: str,
    days: Sequence[str],
    made: Mapping[str, MadeDay],
    left_out: LeftOut | None = None,
    *,
    as_of: str = "",
) -> None:
    """Write down what a step has made of its days, unless another run has made it of a later listing.

    Every day gets a document, also one of which nothing was made: else what an earlier run made of it would
    be taken for this one's work.

    Args:
        lake: Has the documents.
        asset: Whose step it is.
        days: All days of the step.
        made: What was made.
        left_out: Why nothing was made of other days.
        as_of: When this run has read the listing by which nothing was made of other days, UTC.
    """
    documents: dict[str, Any] = {day: {} for day in days}
    if left_out:
        documents |= {day: {"overwritten": why} for day, why in left_out.overwritten.items()}
        documents |= {day: {"refused": why} for day, why in left_out.refused.items()}
    documents = {day: {"as_of": as_of, **it} for day, it in documents.items()}
    documents |= {day: it.as_json() for day, it in made.items()}
    there = lake.readable_manifests(asset, list(documents))
    lake.put_manifests(
        asset, {day: it for day, it in documents.items() if not _is_later(there.get(day, {}), it)}
    )


def _is_later(there: Mapping[str, Any], mine: Mapping[str, Any]) -> bool:
    return bool(mine["as_of"]) and there.get("as_of", "") > mine["as_of"]


def get_made(lake: Lake, asset: str, days: Sequence[str]) -> tuple[dict[str, MadeDay], LeftOut]:
    """Read what a job has made of days, and of which days nothing was made; of others nothing is known."""
    documents = lake.get_manifests(asset, days)
    made = {day: MadeDay.from_json(it) for day, it in documents.items() if "landed" in it}
    overwritten, refused = (_why(documents.items(), name) for name in ("overwritten", "refused"))
    return {day: it for day, it in made.items() if it.landed}, LeftOut(overwritten, refused)


def _why(documents: Iterable[tuple[str, Any]], name: str) -> dict[str, str]:
    return {day: it[name] for day, it in documents if it.get(name)}
