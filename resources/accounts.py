"""Landing against ledger: what became of everything that landed, and what is still on its way."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from airline_platform.days import last_day
from airline_platform.feeds import FEEDS
from airline_platform.files.keys import LandedKey, parse_key
from airline_platform.settings import Settings
from resources.acceptance.landed import VersionTag
from resources.aws.client import make_client, reaching
from resources.warehouse import ledger
from resources.warehouse.ledger import Verdict
from resources.warehouse.session import Database

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import ObjectTypeDef


@dataclass(frozen=True)
class Account:
    """One landed object and what became of its current version.

    Args:
        state: `loaded`, `rejected` or `waiting`.
    """

    feed: str
    day: str | None
    key: str
    etag: str
    landed_at: datetime
    state: str
    reason: str | None = None
    rows_read: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0

    @property
    def tag(self) -> VersionTag:
        """Which version it is."""
        return VersionTag(self.key, self.etag)


def account(settings: Settings) -> list[Account]:
    """List every landed object of a feed, with its feed's verdict in the ledger on its current version.

    This lists the whole landing bucket and reads every verdict; `follow_up` asks about some objects alone.

    Raises:
        StackUnavailable: S3 or the warehouse does not answer.
    """
    landed = list(_landed(settings))
    judged = ledger.judged(Database.of(settings))
    verdicts = {verdict.tag: verdict for verdict in judged if not verdict.unclaimed}
    return [_judged(each, verdicts.get(each.tag)) for each in landed]


def follow_up(settings: Settings, waiting: Sequence[Account]) -> list[Account]:
    """Ask the ledger about objects that waited; the landing bucket is not listed.

    An object that was replaced is returned as its newer version, which waits. The ledger says so of a version
    that it has as superseded.

    Args:
        settings: Whose landing bucket and warehouse.
        waiting: As `account` or this function has returned them.

    Returns:
        The same objects, without those that were deleted after a newer version had been loaded.

    Raises:
        StackUnavailable: S3 or the warehouse does not answer.
    """
    verdicts: dict[VersionTag, Verdict] = {}
    for verdict in ledger.of_keys(Database.of(settings), [each.key for each in waiting]):
        # The same bytes may have landed before, and have been replaced since.
        if not verdict.unclaimed and (verdict.state != "superseded" or verdict.tag not in verdicts):
            verdicts[verdict.tag] = verdict
    return [each for known in waiting if (each := _current(settings, known, verdicts)) is not None]


def _current(settings: Settings, known: Account, verdicts: Mapping[VersionTag, Verdict]) -> Account | None:
    verdict = verdicts.get(known.tag)
    if verdict is None or verdict.state != "superseded":
        return _judged(known, verdict)
    return next((each for each in _landed_below(settings, known.key) if each.key == known.key), None)


def _judged(landed: Account, verdict: Verdict | None) -> Account:
    if verdict is None:
        return landed
    return replace(
        landed,
        state=verdict.state,
        reason=verdict.reason,
        rows_read=verdict.rows_read or 0,
        rows_loaded=verdict.rows_loaded or 0,
        rows_rejected=verdict.rows_rejected or 0,
    )


def _landed(settings: Settings) -> Iterator[Account]:
    for feed in FEEDS.values():
        yield from _landed_below(settings, feed.prefix)


def _landed_below(settings: Settings, prefix: str) -> Iterator[Account]:
    s3 = make_client(settings, "s3")
    with reaching(settings):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=settings.landing_bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                landed = parse_key(item["Key"], first_day=settings.start_date, last_day=last_day())
                if isinstance(landed, LandedKey):
                    yield _waiting(landed, item)


def _waiting(landed: LandedKey, item: "ObjectTypeDef") -> Account:
    return Account(
        feed=landed.feed.name,
        day=landed.day,
        key=item["Key"],
        etag=item["ETag"].strip('"'),
        landed_at=item["LastModified"],
        state="waiting",
    )


@dataclass(frozen=True)
class FeedStatus:
    """Days (or files, for feeds without days) by state, and the newest day loaded."""

    feed: str
    loaded: int
    rejected: int
    waiting: int
    newest: str | None


def feed_statuses(accounts: list[Account]) -> list[FeedStatus]:
    """Sum accounts up by feed; a day with several files counts as its worst one."""
    worst = {"loaded": 0, "rejected": 1, "waiting": 2}
    statuses = []
    for feed in FEEDS:
        days: dict[str, str] = {}
        for each in (each for each in accounts if each.feed == feed):
            day = each.day or each.key
            days[day] = max(days.get(day, "loaded"), each.state, key=worst.__getitem__)
        states = list(days.values())
        newest = max((day for day, state in days.items() if state == "loaded"), default=None)
        counts = {state: states.count(state) for state in worst}
        statuses.append(FeedStatus(feed, **counts, newest=newest if FEEDS[feed].daily else None))
    return statuses


def queue_depth(settings: Settings, queue: str) -> int:
    """Count the messages of a queue that wait or are being used.

    Raises:
        StackUnavailable: SQS does not answer.
    """
    sqs = make_client(settings, "sqs")
    with reaching(settings):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        depths = sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
    return sum(int(number) for number in depths.values())
