"""Finds what was rejected of a feed: rows, in the lake's rejects, and files refused whole, in the ledger."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any, Protocol

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.contract.table import SOURCE_FILE
from airline_platform.settings import Settings
from resources.aws.client import reaching
from resources.catalog import rejects_prefix
from resources.lake import Lake
from resources.landing import Landing
from resources.warehouse import ledger
from resources.warehouse.ledger import Verdict
from resources.warehouse.resource import Warehouse


@dataclass(frozen=True)
class Reject:
    """One row that was rejected, or one file that was refused whole.

    Args:
        day: ISO day; None for a feed without days.
        file: Key of the landed object.
        line: Line in the file, counted from 1; None for the whole file.
        reason: What came, and what was expected.
        text: The line, or its beginning, with what may name a person masked; None for the whole file.
    """

    day: str | None
    file: str
    line: int | None
    reason: str | None
    text: str | None


class RejectedRows(Protocol):
    """Where the rejected rows of days are: the lake."""

    def rows(self, prefix: str) -> Iterator[dict[str, Any]]:
        """Yield the rows of the JSON lines below a prefix."""

    def get_manifests(self, dataset: str, partitions: Sequence[str]) -> dict[str, Any]:
        """Return the manifests of a dataset's partitions, by partition."""


def find_rejects(settings: Settings, feed: Feed, day: str | None = None) -> Iterator[Reject]:
    """Find what was rejected of a feed, newest day first; of a day only, where one is given.

    A refused file that was deleted is left out: nobody has to do anything about it.

    Raises:
        StackUnavailable: S3 or the warehouse does not answer.
    """
    verdicts = still_landed(settings, feed, find_verdicts(settings, feed, day))
    return rejects_of(feed, verdicts, Lake.of(settings))


def find_verdicts(settings: Settings, feed: Feed, day: str | None = None) -> list[Verdict]:
    """Find the newest verdict on each file that was refused or has rejected rows; newest day first.

    Raises:
        StackUnavailable: The warehouse does not answer.
    """
    return ledger.newest_verdicts(Warehouse.of(settings), feed.name, day, with_rejects=True)


def still_landed(settings: Settings, feed: Feed, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Leave out verdicts on refused files that are not in the landing bucket any more.

    Raises:
        StackUnavailable: S3 does not answer.
    """
    refused = [verdict for verdict in verdicts if verdict.state == "rejected"]
    if not refused:
        return list(verdicts)
    days = sorted({verdict.day for verdict in refused if verdict.day})
    with reaching(settings):
        landed = {key for key, _ in Landing.of(settings).landed_keys(feed, days)}
    return [verdict for verdict in verdicts if verdict.state == "loaded" or verdict.key in landed]


def rejects_of(feed: Feed, verdicts: Iterable[Verdict], lake: RejectedRows) -> Iterator[Reject]:
    """Yield the rejects behind verdicts, read as they are asked for; of each day the refused files first.

    Args:
        feed: Whose files they are.
        verdicts: On its files, day by day.
        lake: Where the rejected rows are.
    """
    for day, of_day in groupby(verdicts, attrgetter("day")):
        files = list(of_day)
        for file in files:
            if file.state == "rejected":
                yield Reject(day, file.key, None, file.reason, None)
        yield from _rows_of_day(feed, day, files, lake)


def _rows_of_day(
    feed: Feed, day: str | None, files: Sequence[Verdict], lake: RejectedRows
) -> Iterator[Reject]:
    # A job that ran since, and was not followed by a verdict, has left the rejects of another version.
    read = _versions_read(feed, day, lake)
    current = {
        file.key for file in files if file.rows_rejected and read.get(file.key, file.etag) == file.etag
    }
    if not current:
        return
    for row in lake.rows(f"{rejects_prefix(feed)}date={day or WHOLE}/"):
        key = key_of(row[SOURCE_FILE.name])
        if key in current:
            yield Reject(day, key, row["line_number"], row["reject_reason"], row["raw_text"])


def _versions_read(feed: Feed, day: str | None, lake: RejectedRows) -> dict[str, str]:
    """By key, the etag of each version that the job read last; none where nothing says so."""
    partition = day or WHOLE
    made = lake.get_manifests(feed.made_asset, [partition]).get(partition) or {}
    return {each["object"]["key"]: each["object"]["etag"] for each in made.get("landed", ())}


def key_of(uri: str) -> str:
    """Return the key in an `s3://bucket/key`."""
    return uri.removeprefix("s3://").partition("/")[2]
