"""Synthetic shipments of a day, to cities that are spelled in many ways; some are sent twice."""

import json
from collections.abc import Callable, Sequence
from datetime import date
from decimal import Decimal
from random import Random
from typing import NamedTuple

from airline_platform.feeds.shipments import SHIPMENTS
from command.demo.new_york import airports
from command.generators.dirt import LIST_FOR_OBJECT, NOT_JSON, Dirt, Spoil, with_change, with_value
from command.generators.lines import Row, as_object
from command.generators.people import addresses, people
from command.generators.recipe import Recipe

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
        """Return the rows of a day; a repeated shipment comes after those it repeats, under their id."""
        chance = Random(f"{self._seed}/shipments/{day}")  # noqa: S311 - repeatable on purpose
        again = set(chance.sample(range(1, self._rows), self._rows * AGAIN_PERCENT // 100))
        rows: list[Shipment] = []
        for number in range(self._rows):
            if number in again:
                rows.append(_again(chance.choice(rows), chance))
            else:
                rows.append(self._shipment(day, number, chance))
        return rows

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
    """Write a cost near that one, in whole cents."""
    return f"{cost * chance.uniform(1 - COST_SPREAD, 1 + COST_SPREAD):.2f}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _fields(row: Row) -> list[tuple[str, str]]:
    """Return the names and values of a shipment, as they stand in JSON."""
    return list(zip(Shipment._fields, row, strict=True))


def _whole(row: Row) -> str:
    return as_object(_fields(row))


def _cut_short(row: Row, _: Row) -> str:
    """All of the object up to where its third last value should be."""
    return as_object(_fields(row)[:-2]).removesuffix("}") + ", "


def _and(name: str, value: str) -> Spoil:
    """Write one field more, behind the others."""
    return lambda row, _: as_object([*_fields(row), (name, value)])


def _without(name: str) -> Spoil:
    return lambda row, _: as_object(field for field in _fields(row) if field[0] != name)


def _forty_times(text: str) -> str:
    return f'"{text[1:-1] * 40}"'


def _exponent(number: str) -> str:
    return f"{Decimal(number):e}"


def _object(number: str) -> str:
    return f'{{"value": {number}}}'


def _name_in_parts(text: str) -> str:
    first, _, last = json.loads(text).rpartition(" ")
    return json.dumps({"first": first, "last": last}, ensure_ascii=False)


def _escaped(text: str) -> str:
    """Write the same text in JSON, with every letter as its number."""
    numbers = [f"\\u{ord(letter):04x}" for letter in json.loads(text)]
    return f'"{"".join(numbers)}"'


RECIPE = Recipe(
    rows=1_000,
    make=Shipments,
    dirt=(
        NOT_JSON,
        Dirt("object_cut_short", _cut_short, lines_only=True),
        LIST_FOR_OBJECT,
        Dirt("unknown_field", _and("carrier", '"AA"')),
        Dirt("field_twice", _and("quantity", "1")),
        Dirt("missing_shipping_id", _without("shipping_id")),
        Dirt("missing_city", with_value(SHIPMENTS, "destination_city", "null")),
        Dirt("city_too_long", with_change(SHIPMENTS, "destination_city", _forty_times)),
        Dirt("date_with_hyphens", with_change(SHIPMENTS, "shipping_date", lambda day: day.replace("/", "-"))),
        Dirt("no_such_day", with_value(SHIPMENTS, "shipping_date", '"2013/02/30"')),
        Dirt("cost_not_a_number", with_value(SHIPMENTS, "shipping_cost", '"much"')),
        Dirt("cost_is_nan", with_value(SHIPMENTS, "shipping_cost", "NaN")),
        Dirt("cost_too_large", with_value(SHIPMENTS, "shipping_cost", "123456789012.34")),
        Dirt("too_many_decimals", with_value(SHIPMENTS, "shipping_distance", "812.34567")),
        Dirt("negative_quantity", with_change(SHIPMENTS, "quantity", lambda quantity: f"-{quantity}")),
        Dirt("number_in_quotes", with_change(SHIPMENTS, "quantity", lambda quantity: f'"{quantity}"')),
        Dirt("object_for_number", with_change(SHIPMENTS, "quantity", _object)),
        Dirt("name_in_parts", with_change(SHIPMENTS, "customer_name", _name_in_parts)),
        Dirt("fields_in_another_order", lambda row, _: as_object(reversed(_fields(row))), rejected=False),
        Dirt("exponent", with_change(SHIPMENTS, "shipping_cost", _exponent), rejected=False),
        Dirt("whole_number_with_point", with_value(SHIPMENTS, "quantity", "12.0"), rejected=False),
        Dirt("null_customer_name", with_value(SHIPMENTS, "customer_name", "null"), rejected=False),
        Dirt("missing_street", _without("street_address"), rejected=False),
        Dirt("escaped_letters", with_change(SHIPMENTS, "destination_city", _escaped), rejected=False),
        Dirt("blanks_around_object", lambda row, _: f"\t {_whole(row)} ", rejected=False),
        Dirt("blank_line", lambda row, _: f"\n{_whole(row)}", rejected=False, lines_only=True),
    ),
)
