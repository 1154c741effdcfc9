"""Files on their way to the landing bucket: their feed, their day, the key they get."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from airline_platform.errors import WrongCall
from airline_platform.feeds import FEEDS, SUFFIXES, Feed
from airline_platform.headers import HEAD_BYTES, Accepted, judge
from airline_platform.settings import Settings
from resources.aws import make_client, reaching

UPLOADS = 8
"""Files uploaded at the same time."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Upload:
    """One file and the key it will land under."""

    path: Path
    feed: Feed
    day: str | None
    key: str


def plan_upload(path: Path, *, feed: str | None = None, day: date | None = None) -> Upload:
    """Decide where a file lands.

    Args:
        path: The file.
        feed: Its feed's name; read from the header where not given.
        day: Its day; read from the folder (`date=YYYY-MM-DD`) or the name where not given.

    Raises:
        WrongCall: The file, its feed or its day can't be told.
    """
    if not path.is_file():
        raise WrongCall(f"{path}: expected a file, found none", remedy="Check the path.")
    found = FEEDS[feed] if feed else _feed_of(path)
    if not found.daily:
        return Upload(path, found, None, found.key(path.name, None))
    if day is None and path.name in {f"{path.name[:10]}{suffix}" for suffix in SUFFIXES}:
        day = _day(path.name)
        return Upload(path, found, str(day), f"{found.prefix}{path.name}")
    day = day or _day(path.parent.name) or _day(path.name)
    if day is None:
        raise WrongCall(
            f"{path}: expected a day in the folder (date=YYYY-MM-DD) or the file's name, found none",
            remedy="Say which day the file is for: --date YYYY-MM-DD.",
        )
    return Upload(path, found, str(day), found.key(path.name, day))


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """The files named, and all files of a feed's kind below the folders named, in order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.rglob("*") if each.name.endswith(SUFFIXES))
        else:
            yield path


def upload_all(settings: Settings, uploads: list[Upload], on_done: Callable[[Upload], None]) -> None:
    """Put the files into the landing bucket, several at a time.

    Raises:
        StackUnavailable: S3 does not answer.
    """
    s3 = make_client(settings, "s3")

    def put(upload: Upload) -> Upload:
        s3.upload_file(str(upload.path), settings.landing_bucket, upload.key)
        return upload

    with reaching(settings), ThreadPoolExecutor(UPLOADS) as pool:
        for upload in pool.map(put, uploads):
            on_done(upload)


def _feed_of(path: Path) -> Feed:
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    size, gzipped = path.stat().st_size, path.name.endswith(".gz")
    verdicts = {feed: judge(feed, head, size, gzipped=gzipped) for feed in FEEDS.values()}
    found = [feed for feed, verdict in verdicts.items() if isinstance(verdict, Accepted)]
    if len(found) == 1:
        return found[0]
    reasons = "; ".join(f"not {feed.name}: {verdict}" for feed, verdict in verdicts.items())
    raise WrongCall(
        f"{path}: expected the header of a feed; {reasons}",
        remedy=f"Correct the file, or say what it is: --feed {'|'.join(FEEDS)}.",
    )


def _day(text: str) -> date | None:
    match = _DAY.search(text)
    try:
        return date.fromisoformat(match[0]) if match else None
    except ValueError:
        return None
