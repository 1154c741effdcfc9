"""Generated shipments go to cities spelled in many ways, some are sent twice, and some are dirty."""

import json
import re
from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airline_platform.feeds.shipments import SHIPMENTS
from command.demo.new_york import airports
from command.generators.dirt import Dirt
from command.generators.files import recipe_of
from command.generators.lines import as_object
from command.generators.shipments import SPELLINGS, Shipment, Shipments

FIRST = date(2013, 1, 1)
ROWS = {"bookings": 500, "flights": 2_000, "shipments": 500}
DAYS = 16

each_dirt = pytest.mark.parametrize("dirt", recipe_of(SHIPMENTS).dirt, ids=lambda dirt: dirt.kind)


def test_shipments_have_an_id_of_their_own_but_for_one_in_fifty_that_is_sent_again(
    clean: dict[str, Any],
) -> None:
    known: set[int] = set()
    for day in clean["shipments"].days:
        ids = {row["shipping_id"] for row in clean["shipments"].objects(day)}
        assert len(ids) == 490
        assert not ids & known
        known |= ids

    assert max(known) < 2**53


def test_a_shipment_that_is_sent_again_has_its_old_values_but_perhaps_another_cost(
    clean: dict[str, Any],
) -> None:
    costs = []
    for day in clean["shipments"].days:
        known: dict[int, dict[str, Any]] = {}
        for row in clean["shipments"].objects(day):
            before = known.setdefault(row["shipping_id"], row)
            assert {**row, "shipping_cost": 0} == {**before, "shipping_cost": 0}
            if before is not row:
                costs.append(row["shipping_cost"] == before["shipping_cost"])
            known[row["shipping_id"]] = row

    assert len(costs) == DAYS * 10
    assert 0.3 < sum(costs) / len(costs) < 0.7


def test_shipments_are_numbers_and_text_as_they_stand_in_utf8(clean: dict[str, Any]) -> None:
    body = clean["shipments"].path(SHIPMENTS).read_text(encoding="utf-8")
    rows = clean["shipments"].objects()

    assert b"\\" not in body.encode()
    assert not body.isascii()
    assert {row["shipping_date"] for row in rows} == {"2013/01/01"}
    assert {type(row[name]) for row in rows for name in ("shipping_id", "product_id")} == {int}
    assert {-row["shipping_cost"].as_tuple().exponent for row in rows} == {2}
    assert {-row["shipping_distance"].as_tuple().exponent for row in rows} == {1}
    assert {-Decimal(row["quantity"]).as_tuple().exponent for row in rows} == {0, 1, 2, 3}


def test_cities_are_those_of_airports_spelled_in_many_ways(clean: dict[str, Any]) -> None:
    known = {airport.city for airport in airports()}
    tidy = {city.casefold() for city in known}
    found = [
        row["destination_city"] for day in clean["shipments"].days for row in clean["shipments"].objects(day)
    ]

    assert {" ".join(city.replace("_", " ").split()).casefold() for city in found} == tidy
    assert 0.5 < sum(city in known for city in found) / len(found) < 0.8
    for untidy in (str.isupper, str.islower, " $", "^ ", r"\w  \w", "_"):
        sure = untidy if callable(untidy) else re.compile(untidy).search
        assert sum(bool(sure(city)) for city in found) > len(found) * 0.005


def test_shipping_costs_more_the_farther_and_the_more(clean: dict[str, Any]) -> None:
    rows = [row for day in clean["shipments"].days for row in clean["shipments"].objects(day)]
    far = [row for row in rows if row["shipping_distance"] > 2_000]
    near = [row for row in rows if row["shipping_distance"] <= 2_000]

    def mean(found: list[dict[str, Any]]) -> Decimal:
        return sum(row["shipping_cost"] for row in found) / len(found)

    assert mean(far) > 2 * mean(near)
    assert mean([row for row in far if row["quantity"] > 12]) > 2 * mean(
        [row for row in far if row["quantity"] < 6]
    )


def test_an_array_has_the_rows_of_the_lines_each_on_its_own_line(
    make, clean: dict[str, Any], tmp_path: Path
) -> None:
    array = make(tmp_path, SHIPMENTS, days=2, rows=ROWS["shipments"], array=True)

    for day, told in array.days.items():
        text = array.path(SHIPMENTS, day).read_text(encoding="utf-8")
        lines = clean["shipments"].path(SHIPMENTS, day).read_text(encoding="utf-8").splitlines()
        assert text == "[\n" + ",\n".join(lines) + "\n]\n"
        assert json.loads(text) == [json.loads(line) for line in lines]
        assert (told.rows, told.size) == (ROWS["shipments"], len(text.encode()))


def test_a_dirty_array_is_whole_and_has_no_other_rejects_than_those_announced(
    rules, make, tmp_path: Path
) -> None:
    made = make(tmp_path, SHIPMENTS, days=2, rows=2_000, dirty=True, array=True)

    for day, told in made.days.items():
        body = made.path(SHIPMENTS, day).read_bytes()
        elements = [line.removesuffix(b",") for line in body.splitlines()[1:-1]]
        assert len(json.loads(body)) == len(elements) == told.rows == 2_000
        assert rules.rejects(SHIPMENTS, elements) == rules.to_be_rejected(SHIPMENTS, told)
        assert set(told.dirty) == {dirt.kind for dirt in recipe_of(SHIPMENTS).dirt if not dirt.lines_only}


def test_a_json_files_first_object_is_clean(rules, make, tmp_path: Path) -> None:
    made = make(tmp_path, SHIPMENTS, days=300, rows=50, dirty=True)

    for day in made.days:
        first = rules.row_of(SHIPMENTS, rules.data_lines(SHIPMENTS, made.path(SHIPMENTS, day))[0])
        assert first is not None
        assert rules.problems(SHIPMENTS, first) == []


@pytest.fixture(scope="module")
def shipments() -> list[Shipment]:
    return [Shipment(*row) for row in Shipments(1, 200).day(FIRST)]


def spoilt(dirt: Dirt, shipment: Shipment) -> str:
    line = dirt.spoil(shipment, shipment)
    return line if isinstance(line, str) else as_object(zip(Shipment._fields, line, strict=True))


@each_dirt
def test_each_kind_of_dirty_shipment_becomes_what_it_says(
    rules, dirt: Dirt, shipments: list[Shipment]
) -> None:
    for shipment in shipments:
        row = rules.row_of(SHIPMENTS, spoilt(dirt, shipment).encode())
        assert (row is None or rules.problems(SHIPMENTS, row) != []) == dirt.rejected


@each_dirt
def test_no_dirt_brings_a_person_into_a_column_that_is_kept(dirt: Dirt, shipments: list[Shipment]) -> None:
    personal = {column.name for column in SHIPMENTS.columns if column.personal}

    for shipment in shipments:
        kept = json.dumps(
            {name: value for name, value in named(spoilt(dirt, shipment)) if name not in personal},
            ensure_ascii=False,
        )
        assert json.loads(shipment.customer_name) not in kept
        assert json.loads(shipment.street_address) not in kept


def named(text: str) -> Iterable[tuple[str, Any]]:
    """The fields of an object; of anything else there are none."""
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found.items() if isinstance(found, dict) else []


def test_shipments_have_the_declared_fields_and_a_spelling_for_each_of_a_hundred() -> None:
    assert Shipment._fields == tuple(column.name for column in SHIPMENTS.columns)
    assert sum(share for share, _ in SPELLINGS) == 100
