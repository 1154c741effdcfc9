"""Synthetic landing files, laid out as they will land: the same contents for the same seed."""

import csv
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Any, TextIO

from airline_platform.contract.feed import Feed
from airline_platform.errors import AirlineError, WrongCall
from airline_platform.feeds import FEEDS
from command.generators import declared
from command.generators.dirt import FEWEST_ROWS, Dirt, soil
from command.generators.lines import Line, Row, as_object
from command.generators.recipe import Recipe

FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2099, 12, 31)
"""Days that can be generated: bookings speak of days before and after their own."""

PARTIAL = ".partial"
"""Ends the name of a file that is being written, which no feed claims."""


def recipe_of(feed: Feed) -> Recipe:
    """Find how a feed's files are generated: the `RECIPE` of the module here that has the feed's name.

    A feed without one is generated from its declaration alone.

    Raises:
        WrongCall: There is no such module, and the declaration does not say enough.
    """
    name = f"{__package__}.{feed.name}"
    own = getattr(import_module(name), "RECIPE", None) if find_spec(name) else None
    return own if isinstance(own, Recipe) else declared.recipe(feed)


def generated_feeds() -> list[str]:
    """Return the names of the feeds that can be generated: those whose files are for a day each."""
    return sorted(feed.name for feed in FEEDS.values() if feed.daily)


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
        array: Whether each file is one JSON array, instead of an object a line; JSON feeds only.

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
    array: bool = False

    def __post_init__(self) -> None:
        """Refuse what can't be done before anything is written."""
        if self.feed not in generated_feeds():
            given = f"the feed {self.feed}, which has no days" if self.feed in FEEDS else repr(self.feed)
            raise WrongCall(
                f"expected a feed that can be generated, got {given}",
                remedy=f"Name one of {', '.join(generated_feeds())}.",
            )
        if not FIRST_DAY <= self.first <= self.last <= LAST_DAY:
            raise WrongCall(
                f"expected a range of days between {FIRST_DAY} and {LAST_DAY}, "
                f"got {self.first} to {self.last}",
                remedy="Correct the range: --from must not be after --to.",
            )
        self._check_array()
        self._check_rows()
        self._check_folder()

    def _check_array(self) -> None:
        if self.array and FEEDS[self.feed].format != "json":
            of_json = ", ".join(name for name in generated_feeds() if FEEDS[name].format == "json")
            raise WrongCall(
                f"expected a feed of JSON with --array, got {self.feed}, whose files are "
                f"{FEEDS[self.feed].format.upper()}",
                remedy=f"Leave --array out, or name one of {of_json}.",
            )

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
        own = self.recipe.rows
        return own if self.rows is None else self.rows

    @property
    def kinds(self) -> list[Dirt]:
        """The kinds of dirt that its files can have."""
        return [dirt for dirt in self.recipe.dirt if not (self.array and dirt.lines_only)]

    @property
    def recipe(self) -> Recipe:
        """How the feed's files are generated."""
        return recipe_of(FEEDS[self.feed])


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
    counts = sum((file.dirty for file in files), Counter[str]())
    dirty = [
        {
            "kind": dirt.kind,
            "rows": counts[dirt.kind],
            "becomes": "rejected" if dirt.rejected else "loaded",
        }
        for dirt in order.kinds
    ]
    return {
        "feed": order.feed,
        "seed": order.seed,
        "files": len(files),
        "rows": sum(file.rows for file in files),
        "bytes": sum(file.size for file in files),
        "rejected": sum(counts[dirt.kind] for dirt in order.kinds if dirt.rejected),
        "dirty": dirty if order.dirty else [],
    }


def generate_files(order: Order, on_done: Callable[[date], None]) -> dict[date, Generated]:
    """Write one landing file a day: `<prefix>date=YYYY-MM-DD/<feed>.csv` under the folder.

    A JSON feed's files are called `<feed>-YYYYMMDDTHHMMSS.ffffffZ.json` there, by the moment (UTC), and none
    ever takes the place of another; a CSV feed's file replaces the one before.

    What is in a file depends on the feed, the seed, the day, the number of rows, `dirty` and `array`, and on
    no other day. Other versions of Faker may make up other people.

    Args:
        order: What to generate.
        on_done: Called with every day whose file is there.

    Returns:
        What was written, by day.

    Raises:
        AirlineError: A file can't be written, or Faker is not installed.
    """
    feed, source = FEEDS[order.feed], order.recipe.make(order.seed, order.rows_a_day)
    files = {}
    for day in order.days:
        lines, dirty = _lines(order, source.day(day), day)
        size = _write(order, order.out / feed.key("", day), lines)
        files[day] = Generated(len(lines), size, dirty)
        on_done(day)
    return files


def _lines(order: Order, rows: Sequence[Row], day: date) -> tuple[list[Line], Counter[str]]:
    if not order.dirty:
        return [*rows], Counter()
    chance = Random(f"{order.seed}/dirt/{order.feed}/{day}")  # noqa: S311 - repeatable on purpose
    # A JSON file is recognised by its first object, as a CSV file is by its header.
    return soil(rows, order.kinds, chance, first=1 if FEEDS[order.feed].format == "json" else 0)


def _write(order: Order, folder: Path, lines: Iterable[Line]) -> int:
    """Write a file whole or not at all; return its size in bytes.

    Raises:
        AirlineError: It can't be written.
    """
    feed = FEEDS[order.feed]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = _new_name(folder, feed) if feed.format == "json" else folder / f"{feed.name}.csv"
        with _replacing(path, feed.reading.encoding) as file:
            if feed.format == "json":
                _write_json(file, feed, lines, array=order.array)
            else:
                _write_csv(file, feed, lines)
        return path.stat().st_size
    except OSError as error:
        raise AirlineError(
            f"{folder}: expected to write a file there: {error.strerror}",
            remedy="Make room, or name another folder.",
        ) from error


def _partial(path: Path) -> Path:
    return path.with_name(path.name + PARTIAL)


@contextmanager
def _replacing(path: Path, encoding: str) -> Iterator[TextIO]:
    """Open a file under another name, which it keeps until it is whole; after a failure, delete it."""
    partial = _partial(path)
    try:
        # Half a surrogate pair stands for a byte that is not UTF-8.
        with partial.open("w", encoding=encoding, errors="surrogateescape", newline="") as file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _new_name(folder: Path, feed: Feed) -> Path:
    """A name that nobody else has or gets: this moment's, or that of the next free microsecond."""
    moment = datetime.now(UTC)
    while not _is_ours(path := folder / f"{feed.name}-{moment:%Y%m%dT%H%M%S.%f}Z.{feed.format}"):
        moment += timedelta(microseconds=1)
    return path


def _is_ours(path: Path) -> bool:
    """Take a name, unless somebody has it: who made its partial file, and that before the file, owns it."""
    try:
        _partial(path).touch(exist_ok=False)
    except FileExistsError:
        return False
    if path.exists():
        _partial(path).unlink()
        return False
    return True


def _write_csv(file: TextIO, feed: Feed, lines: Iterable[Line]) -> None:
    reading = feed.reading
    file.write(f"{feed.noun}\n" * reading.skip_lines)
    quoting: Any = {"quotechar": reading.quote} if reading.quote else {"quoting": csv.QUOTE_NONE}
    fields = csv.writer(file, lineterminator="\n", delimiter=reading.delimiter, **quoting)
    fields.writerow(column.name for column in feed.columns)
    for line in lines:
        if isinstance(line, str):
            file.write(f"{line}\n")
        else:
            fields.writerow(line)


def _write_json(file: TextIO, feed: Feed, lines: Iterable[Line], *, array: bool) -> None:
    start, between, end = ("[\n", ",\n", "\n]\n") if array else ("", "\n", "\n")
    names = [column.name for column in feed.columns]
    file.write(start)
    for number, line in enumerate(lines):
        text = line if isinstance(line, str) else as_object(zip(names, line, strict=True))
        file.write(f"{between}{text}" if number else text)
    file.write(end)
