"""Landing against ledger: what became of everything that landed, and what is still on its way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from airline_platform.contract.table import INGESTED_FILES
from airline_platform.feeds import FEEDS
from airline_platform.files.keys import LandedKey, parse_key
from airline_platform.partitions import last_day
from airline_platform.settings import Settings
from resources.aws.client import make_client, reaching
from resources.warehouse.session import Warehouse

VERDICTS = f"""
SELECT feed, partition_date, key, etag, state, reason, rows_read, rows_loaded, rows_rejected
FROM {INGESTED_FILES.qualified_name} WHERE state IN ('loaded', 'rejected')
"""  # noqa: S608 - our own table's name


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


def account(settings: Settings) -> list[Account]:
    """Every landed object of a feed, with the ledger's verdict on its current version.

    Raises:
        StackUnavailable: S3 or the warehouse does not answer.
    """
    landed = list(_landed(settings))
    verdicts = {(row["key"], row["etag"]): row for row in Warehouse.of(settings).query(VERDICTS)}
    return [replace(found, **_verdict(verdicts.get((found.key, found.etag)))) for found in landed]


def _verdict(row: dict[str, Any] | None) -> dict[str, Any]:
    if row is None:
        return {}
    rows = {name: row[name] or 0 for name in ("rows_read", "rows_loaded", "rows_rejected")}
    return {"state": row["state"], "reason": row["reason"], **rows}


def _landed(settings: Settings) -> Iterator[Account]:
    s3 = make_client(settings, "s3")
    with reaching(settings):
        for feed in FEEDS.values():
            pages = s3.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=settings.landing_bucket, Prefix=feed.prefix):
                for item in page.get("Contents", ()):
                    found = parse_key(item["Key"], first_day=settings.start_date, last_day=last_day())
                    if isinstance(found, LandedKey):
                        yield Account(
                            feed=found.feed.name,
                            day=found.day,
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
    """Messages of a queue that wait or are being used.

    Raises:
        StackUnavailable: SQS does not answer.
    """
    sqs = make_client(settings, "sqs")
    with reaching(settings):
        url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
        found = sqs.get_queue_attributes(
            QueueUrl=url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
    return sum(int(number) for number in found.values())
