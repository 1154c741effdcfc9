"""Synthetic shipments of a day, to cities that are spelled in many ways; some are sent twice."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from random import Random
from typing import NamedTuple

from command.demo.new_york import airports
from command.generators.network import Row
from command.generators.people import addresses, people

AGAIN_PERCENT = 2
"""Of a day's rows, those that repeat an earlier shipment of the day."""

ANOTHER_COST = 0.5
"""Share of the repeated shipments that have another cost than before."""

SPELLINGS: tuple[tuple[int, Callable[[str], str]], ...] = (
    (60, str),
    (11, str.upper),
    (10, str.lower),
    (6, lambda city: city.replace(" ", "_")),
    (5, lambda city: city.replace(" ", "  ")),
    (5, lambda city: f"{city} "),
    (3, lambda city: f"  {city}"),
)
"""How cities are spelled, and how many of a hundred are."""

NEAREST, FARTHEST, ACROSS_TOWN = 80, 4_300, 40
"""Kilometres to the cities, and at most through one of them."""

WHOLE = 0.8
"""Share of the shipments whose quantity is a whole number; the others have one to three decimals."""

TYPICAL_QUANTITY = 12

HANDLING, A_KILOMETRE, A_UNIT_AND_KILOMETRE, COST_SPREAD = 4.0, 0.004, 0.0006, 0.1
"""What goes into the cost, in dollars, and the share by which it is more or less."""

PRODUCTS = range(1_000, 1_400)


class Shipment(NamedTuple):
    """A row of a landing file, in the feed's order; every value as it stands in JSON."""

    shipping_id: str
    shipping_date: str
    customer_name: str
    street_address: str
    destination_city: str
    shipping_cost: str
    shipping_distance: str
    quantity: str
    product_id: str


class City(NamedTuple):
    """Where shipments go: its spellings, each as often as it occurs, and how far it is in kilometres."""

    spellings: list[str]
    distance: float


def as_object(fields: Iterable[tuple[str, str]]) -> str:
    """A JSON object on one line, of names and values that are JSON already."""
    return "{" + ", ".join([f'"{name}": {value}' for name, value in fields]) + "}"


class Shipments:
    """The shipments of a seed.

    Args:
        seed: Other seeds have other customers, distances and shipments, under the same ids.
        rows: Of a day's file.

    Raises:
        AirlineError: Faker is not installed.
    """

    def __init__(self, seed: int, rows: int) -> None:
        self._seed = seed
        self._rows = rows
        names = (person.name for person in people(seed))
        self._customers = [(_text(n), _text(a)) for n, a in zip(names, addresses(seed), strict=True)]
        self._cities = _cities(seed)

    def day(self, day: date) -> Sequence[Row]:
        """The rows of a day; a repeated shipment comes after those it repeats, under their id."""
        chance = Random(f"{self._seed}/shipments/{day}")  # noqa: S311 - repeatable on purpose
        again = set(chance.sample(range(1, self._rows), self._rows * AGAIN_PERCENT // 100))
        told: list[Shipment] = []
        for number in range(self._rows):
            if number in again:
                told.append(_again(chance.choice(told), chance))
            else:
                told.append(self._shipment(day, number, chance))
        return told

    def _shipment(self, day: date, number: int, chance: Random) -> Shipment:
        name, address = chance.choice(self._customers)
        city = chance.choice(self._cities)
        distance = city.distance + chance.uniform(0, ACROSS_TOWN)
        quantity = _quantity(chance)
        cost = HANDLING + distance * (A_KILOMETRE + A_UNIT_AND_KILOMETRE * float(quantity))
        return Shipment(
            # Below 2 ** 53: whoever reads numbers as doubles finds the same ids.
            shipping_id=f"{day:%Y%m%d}{number:08}",
            shipping_date=f'"{day:%Y/%m/%d}"',
            customer_name=name,
            street_address=address,
            destination_city=chance.choice(city.spellings),
            shipping_cost=_about(cost, chance),
            shipping_distance=f"{distance:.1f}",
            quantity=quantity,
            product_id=str(chance.choice(PRODUCTS)),
        )


def _cities(seed: int) -> list[City]:
    chance = Random(f"{seed}/cities")  # noqa: S311 - repeatable on purpose
    names = dict.fromkeys(airport.city for airport in airports())
    return [City(_spellings(name), chance.uniform(NEAREST, FARTHEST)) for name in names]


def _spellings(name: str) -> list[str]:
    return [_text(spelled(name)) for share, spelled in SPELLINGS for _ in range(share)]


def _again(shipment: Shipment, chance: Random) -> Shipment:
    if chance.random() < ANOTHER_COST:
        return shipment._replace(shipping_cost=_about(float(shipment.shipping_cost), chance))
    return shipment


def _quantity(chance: Random) -> str:
    drawn = chance.expovariate(1 / TYPICAL_QUANTITY)
    return str(1 + int(drawn)) if chance.random() < WHOLE else f"{1 + drawn:.{chance.randint(1, 3)}f}"


def _about(cost: float, chance: Random) -> str:
    """A cost near that one, in whole cents."""
    return f"{cost * chance.uniform(1 - COST_SPREAD, 1 + COST_SPREAD):.2f}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
