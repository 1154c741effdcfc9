"""What is wrong in files of the real world, kind by kind, and what becomes of a row that has it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle
from random import Random

from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from command.generators.lines import Line, Row, joined

PERCENT = 2
FEWEST_ROWS = 100 // PERCENT
"""Of a day, below which there is no dirty one."""

Spoil = Callable[[Row, Row], Line]
"""Takes the row to be replaced, and a clean row of the same file; gives what stands in the row's place."""


@dataclass(frozen=True)
class Dirt:
    """One kind of dirty row.

    Args:
        kind: Its name.
        spoil: Makes one.
        rejected: Whether it sends a row to the rejects; else the row is loaded, and the job copes with it.
        lines_only: Whether it would break a JSON array, and with it all of the array's rows.
    """

    kind: str
    spoil: Spoil
    rejected: bool = True
    lines_only: bool = False


def soil(
    rows: Sequence[Row], kinds: Sequence[Dirt], chance: Random, *, first: int = 0
) -> tuple[list[Line], Counter[str]]:
    """Replace 2 % of the rows by dirty ones, of all kinds alike.

    Args:
        rows: Of one file.
        kinds: The file's.
        chance: Decides which rows.
        first: Place of the first row that may be replaced, from 0.

    Returns:
        As many rows as came in, and how many there are of each kind.
    """
    lines: list[Line] = list(rows)
    places = chance.sample(range(first, len(rows)), len(rows) * PERCENT // 100)
    soiled = set(places)
    clean = [row for place, row in enumerate(rows) if place not in soiled]
    counts: Counter[str] = Counter()
    for place, dirt in zip(places, cycle(chance.sample(kinds, len(kinds))), strict=False):
        lines[place] = dirt.spoil(rows[place], chance.choice(clean))
        counts[dirt.kind] += 1
    return lines, counts


def with_value(feed: Feed, column: str, value: str) -> Spoil:
    """Put another value into a column."""
    return with_change(feed, column, lambda _: value)


def with_change(feed: Feed, column: str, change: Callable[[str], str]) -> Spoil:
    """Put another value into a column, made of the one that was there."""
    place = [each.name for each in feed.columns].index(column)
    return lambda row, _: (*row[:place], change(row[place]), *row[place + 1 :])


def of_csv(reading: Reading) -> tuple[Dirt, ...]:
    """Return the kinds of dirt that every CSV file can have which is written in this way."""
    delimiter, quote = reading.delimiter, reading.quote
    broken = [
        Dirt("line_cut_short", lambda row, _: joined(row[:-2], delimiter)),
        Dirt("field_too_many", lambda row, _: joined((*row, ""), delimiter)),
    ]
    if quote:
        broken.append(Dirt("odd_quote", lambda row, _: f"{quote}{joined(row, delimiter)}"))
    if reading.is_utf_8:
        broken.append(Dirt("not_utf8", lambda row, _: joined((f"\udcfc{row[0]}", *row[1:]), delimiter)))
    spaces = Dirt("spaces_around_fields", lambda row, _: tuple(f" {field} " for field in row), rejected=False)
    return (*broken, spaces)


NOT_JSON = Dirt("not_json", lambda _row, _clean: "ERROR: connection lost, sending again", lines_only=True)
LIST_FOR_OBJECT = Dirt("list_for_object", lambda row, _: f"[{joined(row)}]")
"""Kinds that every JSON file can have."""
