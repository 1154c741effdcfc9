"""How a feed's files are generated: what each module of a feed declares as its `RECIPE`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from command.generators.dirt import Dirt
from command.generators.lines import Row


class Source(Protocol):
    """The rows of one seed, day by day."""

    def day(self, day: date) -> Sequence[Row]:
        """Return the rows of a day's file, in the feed's order of columns."""


@dataclass(frozen=True)
class Recipe:
    """How a feed's files are generated.

    Args:
        rows: Rows of a day where nobody says how many.
        make: Makes the source of a seed whose days have a number of rows.
        dirt: The kinds of dirt its files can have.
    """

    rows: int
    make: Callable[[int, int], Source]
    dirt: tuple[Dirt, ...]
