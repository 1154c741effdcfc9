"""Keys of landed objects: which feed and day one belongs to."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from airline_platform.files.markers import is_marker
from airline_platform.files.names import ends_in

_UNUSABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
"""Control characters and halves of surrogate pairs: no table, log or mail takes them."""

_DAY = r"(?P<day>\d{4}-\d{2}-\d{2})"

UNKNOWN = "unknown"
"""Stands in the ledger in a feed's place for keys no feed claims."""

LONGEST_NAME = 255
"""Bytes of a file's name that every file system takes, on which Spark's jobs may have to put it."""


@dataclass(frozen=True)
class LandedKey:
    """A key the platform knows: its feed, and the day it is for (ISO; None for feeds without days)."""

    feed: Feed
    day: str | None


@dataclass(frozen=True)
class UnknownKey:
    """A key no feed claims, and why."""

    key: str
    reason: str


@dataclass(frozen=True)
class NoLanding:
    """A key of which nobody wants to hear: a marker, or an object that the platform itself wrote."""

    key: str


def is_own(key: str) -> bool:
    """Whether the platform itself wrote an object of the landing bucket: a feed's typed rows."""
    return any(feed.typed and key.startswith(feed.typed_prefix) for feed in FEEDS.values())


def parse_key(key: str, *, first_day: date, last_day: date) -> LandedKey | UnknownKey | NoLanding:
    """Tell which feed and day an object key belongs to.

    Daily feeds land as `<prefix>date=YYYY-MM-DD/<file>.csv` or `<prefix>YYYY-MM-DD.csv`, others as
    `<prefix><file>.csv`; `.csv.gz` likewise, and `.json` where the feed is JSON. Suffixes may be in capitals.

    Args:
        key: Object key, decoded.
        first_day: First day the platform keeps.
        last_day: Last day a file can be for.

    Returns:
        The feed and day; or the reason why no feed claims the key; or that it is to be passed over in
        silence. Never raises.
    """
    if is_own(key) or is_marker(key):
        return NoLanding(key)
    feed = next((feed for feed in FEEDS.values() if key.startswith(feed.prefix)), None)
    if feed is None:
        return UnknownKey(key, f"no feed lands here; feeds land under {', '.join(_prefixes())}")
    rest = key.removeprefix(feed.prefix)
    if problem := _problem(feed, key):
        return UnknownKey(key, problem)
    if not feed.daily:
        return LandedKey(feed, None) if "/" not in rest else UnknownKey(key, _expected(feed))
    match = re.fullmatch(rf"date={_DAY}/[^/]+|{_DAY.replace('day', 'flat')}(?P<suffix>\.[^/]+)", rest)
    if match is None or (match["suffix"] or feed.suffixes[0]).lower() not in feed.suffixes:
        return UnknownKey(key, _expected(feed))
    return _landed(feed, key, match["day"] or match["flat"], first_day, last_day)


def _problem(feed: Feed, key: str) -> str | None:
    """Why no file of the feed can have this key, whatever its day."""
    if _UNUSABLE.search(key):
        return "the key has control characters"
    if not ends_in(key, feed.suffixes):
        return f"{feed.name} files end in {' or '.join(feed.suffixes)}"
    name = key.rpartition("/")[2]
    if name.startswith(("_", ".")):
        return "Spark skips files whose names start with _ or ."
    if len(name.encode()) > LONGEST_NAME:
        return f"file names have {LONGEST_NAME} bytes at most"
    return None


def _landed(feed: Feed, key: str, day: str, first_day: date, last_day: date) -> LandedKey | UnknownKey:
    try:
        parsed = date.fromisoformat(day)
    except ValueError:
        return UnknownKey(key, f"{day} is not a day of the calendar")
    if not first_day <= parsed <= last_day:
        return UnknownKey(key, f"{day} is outside the days the platform keeps, {first_day} to {last_day}")
    return LandedKey(feed, day)


def _expected(feed: Feed) -> str:
    lands = f"{feed.name} files land as {feed.prefix}"
    if not feed.daily:
        return f"{lands}<file>.{feed.format}"
    return f"{lands}date=YYYY-MM-DD/<file>.{feed.format} or {feed.prefix}YYYY-MM-DD.{feed.format}"


def _prefixes() -> Iterator[str]:
    return (feed.prefix for feed in FEEDS.values())
