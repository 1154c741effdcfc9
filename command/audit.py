"""Finds the AWS calls a run made in the log files of the trail, in an account and on a laptop alike.

Not from LookupEvents: it knows management events alone, and what a run reads and writes are objects.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, FlexibleChecksumError

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.settings import Settings
from command.console import progress, tell
from command.dagster_client import DagsterClient, RunTimes
from resources.aws import cloudtrail_log
from resources.aws.client import make_client, reaching
from resources.aws.cloudtrail_log import Call, Record

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READERS = 16
"""How many log files are read at the same time."""

CLOCKS_DIFFER = timedelta(minutes=5)
"""By so much Dagster's clock may be ahead of AWS's."""

LATE = timedelta(hours=6)
"""How long after a call its log file is looked for; most come within 15 minutes."""

DELIVERY = timedelta(minutes=15)
"""How long CloudTrail takes to deliver most calls."""

LOOK_BACK = timedelta(days=7)
"""How far back is looked where nobody says when the run was."""

LAPTOP_SECONDS = 3.0
"""How long a laptop takes to write a call into its trail."""

_RUN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Window:
    """The span of time whose log files are read: those written from `first` to `last`."""

    first: datetime
    last: datetime

    @classmethod
    def of_run(cls, run: RunTimes, now: datetime) -> "Window":
        """Return the span in which a run's calls can be delivered; the last ones come late."""
        return cls(run.began - CLOCKS_DIFFER, (run.ended or now) + LATE)

    @classmethod
    def of_day(cls, day: date) -> "Window":
        """Return the span in which the calls of a UTC day's runs can be delivered."""
        first = datetime(day.year, day.month, day.day, tzinfo=UTC)
        return cls(first, first + timedelta(days=1) + LATE)

    def __str__(self) -> str:
        """Write the span for people."""
        return f"{self.first:%Y-%m-%d %H:%M} to {self.last:%Y-%m-%d %H:%M} UTC"


@dataclass(frozen=True)
class Reading:
    """What the trail says of a run.

    Args:
        calls: In their order.
        unreadable: Keys of log files that could not be read, whatever they hold.
    """

    calls: list[Call]
    unreadable: list[str]


def require_run_id(text: str) -> str:
    """Return the text when it is a run's id.

    Raises:
        WrongCall: It is none.
    """
    if not _RUN_ID.fullmatch(text):
        raise WrongCall(
            f"expected a run's id, such as 7d1c3a52-4d2f-4c39-9f5e-0d3a7c0f1b11, got {text[:100]!r}",
            remedy="Take the whole id: it is in the address of the run's page, and in its alert.",
        )
    return text


def find_calls(settings: Settings, run_id: str, day: date | None) -> list[Call]:
    """Find the calls of a run, with a progress bar; say what may be missing.

    Args:
        settings: Whose trail.
        run_id: The run's id.
        day: The run's UTC day; Dagster is asked where left out, and else the last week is read.

    Raises:
        StackUnavailable: S3 does not answer.
        AirlineError: As `read_calls`.
    """
    make_client(settings, "s3")  # its failure is the first thing to say
    run = run_times(settings, run_id) if day is None else None
    if run is None and day is None:
        tell(f"Dagster does not say when the run was: what the last {LOOK_BACK.days} days brought is read")
    wait_for_the_laptop(settings, run)
    with progress() as bars:
        task = bars.add_task("log files", total=None)
        span = window(run, day, datetime.now(UTC))
        reading = read_calls(settings, run_id, span, lambda n, of: bars.update(task, completed=n, total=of))
    if run and not run.ended:
        tell("the run is under way: more calls will come")
    elif settings.stage == "aws" and datetime.now(UTC) < span.last - LATE + DELIVERY:
        tell("CloudTrail delivers 5 to 15 minutes after a call: the last ones may be missing")
    for key in reading.unreadable:
        tell(f"could not be read, and may hold calls of the run: s3://{settings.audit_bucket}/{key}")
    return reading.calls


def run_times(settings: Settings, run_id: str) -> RunTimes | None:
    """Ask Dagster when the run was; return None where it does not answer or does not know the run."""
    try:
        return DagsterClient.of(settings).run_times(run_id)
    except AirlineError:
        return None


def window(run: RunTimes | None, day: date | None, now: datetime) -> Window:
    """Choose whose log files to read: the named day's, else those of the run's life, else the last week's."""
    if day is not None:
        return Window.of_day(day)
    return Window.of_run(run, now) if run else Window(now - LOOK_BACK, now + CLOCKS_DIFFER)


def wait_for_the_laptop(settings: Settings, run: RunTimes | None) -> None:
    """Wait until the gateway has written the calls of a run that has just ended."""
    if settings.stage == "local" and run and run.ended:
        age = (datetime.now(UTC) - run.ended).total_seconds()
        time.sleep(min(max(0.0, LAPTOP_SECONDS - age), LAPTOP_SECONDS))


def read_calls(
    settings: Settings, run_id: str, span: Window, on_progress: Progress = lambda _done, _all: None
) -> Reading:
    """Read the calls of a run from the log files of a span of time.

    Args:
        settings: Whose audit bucket.
        run_id: The run's id.
        span: Which log files are read.
        on_progress: Called with how many files of how many were read.

    Raises:
        StackUnavailable: S3 does not answer.
        AirlineError: There is no audit bucket, it may not be read, or it has no call of the run.
    """
    s3 = make_client(settings, "s3")
    with reaching(settings), _explaining(settings), ThreadPoolExecutor(READERS) as pool:
        keys = list(_log_files(s3, settings, span))
        records: list[Record] = []
        unreadable = []
        files = pool.map(lambda key: _records(s3, settings, key, run_id), keys)
        for n, of_file in enumerate(files, start=1):
            records += of_file or ()
            unreadable += [keys[n - 1]] if of_file is None else []
            on_progress(n, len(keys))
    calls = cloudtrail_log.calls_of(run_id, records)
    if not calls:
        raise AirlineError(
            f"expected calls of run {run_id} in the trail, found none in {len(keys)} log files, {span}",
            remedy=(
                "Ask again later: CloudTrail delivers 5 to 15 minutes after a call, a laptop in seconds. "
                "Where Dagster cannot say when the run was, name its day with --date YYYY-MM-DD."
            ),
        )
    return Reading(calls, unreadable)


def _log_files(s3: "S3Client", settings: Settings, span: Window) -> Iterator[str]:
    """Yield the keys of the log files written in a span, in the order of their times."""
    listing, bucket = s3.get_paginator("list_objects_v2"), settings.audit_bucket
    roots = listing.paginate(Bucket=bucket, Prefix=cloudtrail_log.PREFIX, Delimiter="/")
    accounts = [each["Prefix"].split("/")[1] for page in roots for each in page.get("CommonPrefixes", ())]
    for account in accounts:
        for day in cloudtrail_log.days(span.first, span.last):
            prefix = cloudtrail_log.day_prefix(account, settings.region, day)
            for page in listing.paginate(Bucket=bucket, Prefix=prefix):
                for item in page.get("Contents", ()):
                    written = cloudtrail_log.written_at(item["Key"])
                    if written and span.first.replace(second=0, microsecond=0) <= written <= span.last:
                        yield item["Key"]


def _records(s3: "S3Client", settings: Settings, key: str, run_id: str) -> list[Record] | None:
    """Read a log file's records, if any of them may be the run's; return None for an unreadable file."""
    try:
        return cloudtrail_log.unpack(
            s3.get_object(Bucket=settings.audit_bucket, Key=key)["Body"].read(), run_id
        )
    except (ValueError, FlexibleChecksumError):
        return None


@contextmanager
def _explaining(settings: Settings) -> Iterator[None]:
    """Turn S3's refusals into errors that say what to do about them."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchBucket":
            raise AirlineError(
                f"expected the bucket {settings.audit_bucket} with the log files of CloudTrail, found none",
                remedy="Run `airline deploy`; calls are recorded from then on.",
            ) from error
        raise AirlineError(
            f"S3 does not let the audit bucket {settings.audit_bucket} be read: {error}",
            remedy="Sign in with the permissions of the statement Audit of DagsterPolicyArn.",
        ) from error
