"""Decides which feed, day and key a file lands under, and uploads it to the landing bucket."""

import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from airline_platform.contract.feed import Feed
from airline_platform.days import last_day
from airline_platform.errors import WrongCall
from airline_platform.feeds import FEEDS, SUFFIXES
from airline_platform.files.keys import LandedKey, UnknownKey, parse_key
from airline_platform.files.markers import is_marker
from airline_platform.files.names import ends_in, is_gzip
from airline_platform.settings import Settings
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Accepted, Refused
from resources.aws.client import make_client, reaching

CHUNK = 1 << 20

UPLOADS = 8
"""How many files are uploaded at the same time."""

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Upload:
    """One file and the key it will land under."""

    path: Path
    feed: Feed
    day: str | None
    key: str


def plan_upload(
    path: Path, *, settings: Settings, feed: str | None = None, day: date | None = None
) -> Upload:
    """Decide where a file lands.

    Args:
        path: The file.
        settings: Says which days are kept.
        feed: Its feed's name; read from the file's name and its beginning where not given.
        day: Its day; read from the folder (`date=YYYY-MM-DD`) or the name where not given.

    Raises:
        WrongCall: There is no such file, its feed or its day can't be determined, or no feed claims its key.
    """
    if not path.is_file():
        raise WrongCall(f"{path}: expected a file, found none", remedy="Check the path.")
    its_feed = FEEDS[feed] if feed else _feed_of(path)
    key = _key(path, its_feed, day)
    landed = parse_key(key, first_day=settings.start_date, last_day=last_day())
    if not isinstance(landed, LandedKey):
        reason = landed.reason if isinstance(landed, UnknownKey) else "such a file is never data"
        raise WrongCall(f"{path} would land as {key}: {reason}", remedy="Rename the file, or mend its day.")
    return Upload(path, its_feed, landed.day, key)


def _key(path: Path, feed: Feed, day: date | None) -> str:
    if not feed.daily:
        return feed.key(path.name, None)
    named = _day(path.name)
    if day is None and path.name.lower() in {f"{named}{suffix}" for suffix in feed.suffixes}:
        return f"{feed.prefix}{path.name}"
    folder = path.parent.name
    day = day or (_day(folder) if folder.startswith("date=") else None) or named
    if day is None:
        raise WrongCall(
            f"{path}: expected a day in the folder (date=YYYY-MM-DD) or the file's name, found none",
            remedy="Say which day the file is for: --date YYYY-MM-DD.",
        )
    return feed.key(path.name, day)


def expand(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files named, and in order those below the folders named that some feed reads; no markers."""
    for path in paths:
        if path.is_dir():
            files = (each for each in path.rglob("*") if ends_in(each.name, SUFFIXES))
            yield from sorted(each for each in files if not is_marker(each.relative_to(path).as_posix()))
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
    possible = [feed for feed in FEEDS.values() if ends_in(path.name, feed.suffixes)]
    if not possible:
        raise WrongCall(
            f"{path}: expected a name that ends in one of {', '.join(SUFFIXES)}",
            remedy="Rename the file, or name another.",
        )
    verdicts = {feed: _judge(feed, path) for feed in possible}
    accepted = [feed for feed, verdict in verdicts.items() if isinstance(verdict, Accepted)]
    if len(accepted) == 1:
        return accepted[0]
    reasons = "; ".join(f"not {feed.name}: {verdict}" for feed, verdict in verdicts.items())
    raise WrongCall(
        f"{path}: expected a file of a feed; {reasons}",
        remedy=f"Correct the file, or say what it is: --feed {'|'.join(feed.name for feed in possible)}.",
    )


def _judge(feed: Feed, path: Path) -> Accepted | Refused:
    with path.open("rb") as file:
        pieces = iter(lambda: file.read(CHUNK), b"")
        return judge(feed, pieces, path.stat().st_size, gzipped=is_gzip(path.name))


def _day(text: str) -> date | None:
    match = _DAY.search(text)
    try:
        return date.fromisoformat(match[0]) if match else None
    except ValueError:
        return None
