"""Synthetic landing files, laid out as they will land: the same ones for the same seed."""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, Protocol

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.feeds import BOOKINGS, FEEDS, FLIGHTS, Feed
from airline_platform.generators.bookings import Bookings
from airline_platform.generators.dirt import DIRT, FEWEST_ROWS, Line, soil
from airline_platform.generators.flights import Flights
from airline_platform.generators.network import Row

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
"""Days that can be generated: bookings speak of days before and after their own."""

PARTIAL = ".partial"
"""Ends the name of a file that is being written, which no feed claims."""


class Source(Protocol):
    """The rows of one seed, day by day."""

    def day(self, day: date) -> Sequence[Row]:
        """The rows of a day's file, in the feed's order of columns."""


@dataclass(frozen=True)
class Recipe:
    """How a feed's files are generated: rows of a day where nobody says, and what makes them."""

    rows: int
    make: Callable[[int, int], Source]


RECIPES = {BOOKINGS.name: Recipe(1_000, Bookings), FLIGHTS.name: Recipe(20_000, Flights)}
"""The feeds that can be generated."""


@dataclass(frozen=True)
class Order:
    """What to generate.

    Args:
        feed: Name of the feed.
        first: First day.
        last: Last day.
        out: Folder that stands for the landing bucket.
        rows: Of each day; the feed's own number where not given.
        seed: Another one gives other files.
        dirty: Whether some of the rows are dirty.

    Raises:
        WrongCall: No such files can be generated.
    """

    feed: str
    first: date
    last: date
    out: Path
    rows: int | None = None
    seed: int = 1
    dirty: bool = False

    def __post_init__(self) -> None:
        """Refuse what can't be done before anything is written."""
        if self.feed not in RECIPES:
            found = f"the feed {self.feed}" if self.feed in FEEDS else repr(self.feed)
            raise WrongCall(
                f"expected a feed that can be generated, got {found}",
                remedy=f"Name one of {', '.join(RECIPES)}.",
            )
        if not FIRST_DAY <= self.first <= self.last <= LAST_DAY:
            raise WrongCall(
                f"expected a range of days between {FIRST_DAY} and {LAST_DAY}, "
                f"got {self.first} to {self.last}",
                remedy="Correct the range: --from must not be after --to.",
            )
        self._check_rows()
        self._check_folder()

    def _check_rows(self) -> None:
        fewest, why = (FEWEST_ROWS, " with --dirty") if self.dirty else (1, "")
        if self.rows_a_day < fewest:
            raise WrongCall(
                f"expected {fewest} rows a day or more{why}, got {self.rows_a_day}",
                remedy=f"Say --rows {fewest} or more.",
            )

    def _check_folder(self) -> None:
        standing = next(path for path in (self.out, *self.out.parents) if path.exists())
        if not standing.is_dir():
            raise WrongCall(
                f"expected a folder or a place for one, got {self.out}: {standing} is a file",
                remedy="Name another folder: --out DIR.",
            )

    @property
    def days(self) -> list[date]:
        """Every day, in order."""
        return [self.first + timedelta(days=n) for n in range((self.last - self.first).days + 1)]

    @property
    def rows_a_day(self) -> int:
        """Rows of each file."""
        return RECIPES[self.feed].rows if self.rows is None else self.rows


@dataclass(frozen=True)
class Generated:
    """A file that was written.

    Args:
        rows: Its rows, dirty ones among them.
        size: In bytes.
        dirty: How many of its rows are dirty, by kind.
    """

    rows: int
    size: int
    dirty: Counter[str]


def summary(order: Order, files: Collection[Generated]) -> dict[str, Any]:
    """What was written, in figures, for people and programs.

    Returns:
        feed, seed, files, rows, bytes, rejected (rows that the feed's job has to reject) and dirty: of each
        kind the number of rows, and whether each becomes `rejected` or `loaded`.
    """
    found = sum((file.dirty for file in files), Counter[str]())
    dirty = [
        {
            "kind": dirt.kind,
            "rows": found[dirt.kind],
            "becomes": "rejected" if dirt.rejected else "loaded",
        }
        for dirt in DIRT[order.feed]
    ]
    return {
        "feed": order.feed,
        "seed": order.seed,
        "files": len(files),
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.size for file in files),
        "rejected": sum(found[dirt.kind] for dirt in DIRT[order.feed] if dirt.rejected),
        "dirty": dirty if order.dirty else [],
    }


def generate_files(order: Order, on_done: Callable[[date], None]) -> dict[date, Generated]:
    """Write one landing file a day: `<prefix>date=YYYY-MM-DD/<feed>.csv` under the folder.

    A file depends on the feed, the seed, the day, the number of rows and `dirty`, and on no other day. Other
    versions of Faker may make up other people.

    Args:
        order: What to generate.
        on_done: Told of every day whose file is there.

    Returns:
        What was written, by day.

    Raises:
        AirlineError: A file can't be written, or Faker is not installed.
    """
    feed, source = FEEDS[order.feed], RECIPES[order.feed].make(order.seed, order.rows_a_day)
    found = {}
    for day in order.days:
        lines, dirty = _lines(order, source.day(day), day)
        size = _write(order.out / feed.key(f"{feed.name}.csv", day), feed, lines)
        found[day] = Generated(len(lines), size, dirty)
        on_done(day)
    return found


def _lines(order: Order, rows: Sequence[Row], day: date) -> tuple[list[Line], Counter[str]]:
    if not order.dirty:
        return [*rows], Counter()
    chance = Random(f"{order.seed}/dirt/{order.feed}/{day}")  # noqa: S311 - repeatable on purpose
    return soil(rows, DIRT[order.feed], chance)


def _write(path: Path, feed: Feed, lines: Iterable[Line]) -> int:
    """Write a file whole or not at all; return its size in bytes."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Half a surrogate pair stands for a byte that is not UTF-8.
        with partial.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(f"{feed.header}\n")
            fields = csv.writer(file, lineterminator="\n")
            for line in lines:
                if isinstance(line, str):
                    file.write(f"{line}\n")
                else:
                    fields.writerow(line)
        partial.replace(path)
        return path.stat().st_size
    except OSError as error:
        raise AirlineError(
            f"{path}: expected to write it: {error.strerror}", remedy="Make room, or name another folder."
        ) from error
