"""Synthetic rows of any feed, made up from its declaration alone: for feeds without a module of their own.

The values are as their columns say and mean nothing. Files of all formats and readings can be made; what no
declaration can say, such as that a flight is not before its booking, is not heeded.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from random import Random

from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from airline_platform.contract.table import DECIMALS, Column
from airline_platform.errors import WrongCall
from command.generators.dirt import LIST_FOR_OBJECT, NOT_JSON, Dirt, of_csv, with_value
from command.generators.lines import Row
from command.generators.recipe import Recipe

ROWS = 1_000
"""Of a day, where nobody says how many."""

EMPTY = 0.05
"""Share of values that are empty where they may be."""

_WORDS = """
a amber ash birch blue cedar clay coral dune elm fern fir gold green hazel heath iris ivory jade lake larch
lilac linden maple moss oak olive opal pearl pine plum reed rose sage sand silver slate thyme topaz willow
"""
VOCABULARY = tuple(_WORDS.split())

SPAN = 1_000
"""From the smallest number to the largest, where the declaration leaves one of them open."""

LONGEST_AGO = 30
"""Days by which a date may lie before the day of its file."""

_NUMBERS = ("bigint", "decimal")

NO_SUCH_DAY = "2013", "02", "30"


def recipe(feed: Feed) -> Recipe:
    """Make the recipe of a feed from its declaration.

    Raises:
        WrongCall: A column has a pattern: nothing can be made up that is sure to match.
    """
    patterns = [column.name for column in feed.columns if column.pattern and not column.one_of]
    if patterns:
        raise WrongCall(
            f"expected columns whose values can be made up from their declaration, got {feed.name} with a "
            f"pattern for {', '.join(patterns)}",
            remedy=(
                f"Write command/generators/{feed.name}.py with a RECIPE, such as flights.py there has, "
                "or declare the values with `one_of`."
            ),
        )
    return Recipe(ROWS, partial(Declared, feed), tuple(_dirt(feed)))


class Declared:
    """The rows of a feed and a seed.

    Args:
        feed: Says what the columns may hold.
        seed: Other seeds have other values.
        rows: Of a day's file.
    """

    def __init__(self, feed: Feed, seed: int, rows: int) -> None:
        self._feed, self._seed, self._rows = feed, seed, rows
        keys = {*feed.table.key, *(feed.latest.table.key if feed.latest else ())}
        self._keys = [column for column in feed.columns if column.name in keys and not column.one_of]

    def day(self, day: date) -> Sequence[Row]:
        """Return the rows of a day. No two have the same key where its numbers or strings have the room."""
        chance = Random(f"{self._seed}/{self._feed.name}/{day}")  # noqa: S311 - repeatable on purpose
        return [self._row(day, number, chance) for number in range(self._rows)]

    def _row(self, day: date, number: int, chance: Random) -> Row:
        return tuple(
            _written(self._feed, self._text(column, day, number, chance), number=column.type in _NUMBERS)
            for column in self._feed.columns
        )

    def _text(self, column: Column, day: date, number: int, chance: Random) -> str:
        numbered = _numbered(column, day, number) if column in self._keys else ""
        return numbered or value(column, day, chance, self._feed.reading)


def value(column: Column, day: date, chance: Random, reading: Reading) -> str:
    """Make up a value that a column may have, as text; empty for none.

    Args:
        column: Says what it may be.
        day: Of the file; dates lie up to `LONGEST_AGO` days before it.
        chance: Decides.
        reading: How dates and decimals are written.
    """
    if not column.required and chance.random() < EMPTY:
        return ""
    if column.one_of:
        return chance.choice(column.one_of)
    return _MAKERS[column.type](column, day, chance, reading)


def bounds(column: Column) -> tuple[int, int]:
    """Return the smallest and the largest whole number to make up for a column."""
    least, most = column.minimum, column.maximum
    if least is None:
        least = 0 if most is None else min(0, most - SPAN)
    if most is None:
        most = least + SPAN
    if column.type == "decimal":
        most = min(most, 10 ** (column.digits - DECIMALS) - 1)
    return least, most


def _string(column: Column, _day: date, chance: Random, _reading: Reading) -> str:
    return chance.choice([word for word in VOCABULARY if len(word) <= column.length])


def _bigint(column: Column, _day: date, chance: Random, _reading: Reading) -> str:
    return str(chance.randint(*bounds(column)))


def _decimal(column: Column, _day: date, chance: Random, reading: Reading) -> str:
    least, most = bounds(column)
    text = str(Decimal(chance.randint(least * 100, most * 100)).scaleb(-2))
    return text.replace(".", ",") if reading.decimal_comma else text


def _date(column: Column, day: date, chance: Random, reading: Reading) -> str:
    drawn = _in_years(column, day - timedelta(days=chance.randint(0, LONGEST_AGO)))
    return _date_text(column, reading, (f"{drawn:%Y}", f"{drawn:%m}", f"{drawn:%d}"))


def _timestamp(column: Column, day: date, chance: Random, reading: Reading) -> str:
    written = _date(column, day, chance, reading)
    return f"{written} {chance.randrange(24):02}:{chance.randrange(60):02}:{chance.randrange(60):02}"


_MAKERS: dict[str, Callable[[Column, date, Random, Reading], str]] = {
    "string": _string,
    "bigint": _bigint,
    "decimal": _decimal,
    "date": _date,
    "timestamp": _timestamp,
    "timestamptz": _timestamp,
}


def _in_years(column: Column, day: date) -> date:
    first, last = column.years
    return max(date(first, 1, 1), min(day, date(last, 12, 31)))


def _date_text(column: Column, reading: Reading, parts: tuple[str, str, str]) -> str:
    if not reading.dates:
        return column.separator.join(parts)
    year, month, day = parts
    return reading.dates.replace("YYYY", year).replace("MM", month).replace("DD", day)


def _numbered(column: Column, day: date, number: int) -> str:
    """Make a value that no other row of any day has; empty for a type with which one can't count."""
    if column.type == "string":
        return f"{day:%Y%m%d}{number:06}"[-column.length :]
    if column.type == "bigint":
        least, most = bounds(column)
        most = most if column.maximum is not None else least + 10**15
        return str(least + int(f"{day:%Y%m%d}{number:06}") % (most - least + 1))
    return ""


def _written(feed: Feed, text: str, *, number: bool) -> str:
    """Write a value as it stands in a file of the feed."""
    if feed.format == "csv":
        return text
    if not text:
        return "null"
    return text if number else json.dumps(text, ensure_ascii=False)


def _dirt(feed: Feed) -> Iterator[Dirt]:
    for column in feed.columns:
        for kind, text in _spoilt(column, feed.reading):
            number = column.type in _NUMBERS and kind != "not_a_number"
            written = _written(feed, text, number=number)
            yield Dirt(f"{column.name}_{kind}", with_value(feed, column.name, written))
    yield from of_csv(feed.reading) if feed.format == "csv" else (NOT_JSON, LIST_FOR_OBJECT)


def _spoilt(column: Column, reading: Reading) -> Iterator[tuple[str, str]]:
    """Yield the kinds of values that a column forbids, and one of each."""
    if column.required:
        yield "missing", ""
    if column.type in _NUMBERS:
        yield "not_a_number", "n/a"
    if column.minimum is not None:
        yield "below_minimum", str(column.minimum - 1)
    if column.maximum is not None:
        yield "above_maximum", str(column.maximum + 1)
    if column.one_of:
        yield "not_among", "_".join(column.one_of)[:100] + "_"
    elif column.type == "string":
        yield "too_long", "x" * (column.length + 1)
    if column.type == "date":
        yield "no_such_day", _date_text(column, reading, NO_SUCH_DAY)
    if column.type == "timestamp":
        yield "no_such_day", f"{_date_text(column, reading, NO_SUCH_DAY)} 12:00:00"
