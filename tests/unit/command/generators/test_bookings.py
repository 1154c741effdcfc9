"""Generated bookings come again with another status, and cost what their cabin and currency cost."""

import math
from collections import Counter
from datetime import date
from decimal import Decimal
from typing import Any

from airline_platform.feeds import currencies
from airline_platform.feeds.bookings import BOOKINGS
from command.generators.bookings import (
    CABINS,
    CURRENCIES,
    LASTING,
    LIVES,
    LOCATOR,
    LOCATOR_LENGTH,
    LOCATOR_STRIDE,
    Booking,
    locator,
)

FIRST = date(2013, 1, 1)
DAYS = 16


def new(made: Any, day: date) -> dict[str, dict[str, str]]:
    return {row["booking_id"]: row for row in made.read(BOOKINGS, day) if row["booked_at"][:10] == str(day)}


def again(made: Any, day: date) -> dict[str, dict[str, str]]:
    return {row["booking_id"]: row for row in made.read(BOOKINGS, day) if row["booked_at"][:10] < str(day)}


def test_a_day_has_new_bookings_and_a_share_of_older_ones(clean: dict[str, Any]) -> None:
    made = clean["bookings"]

    for day in made.days:
        assert len(new(made, day)) == 460
        assert len(again(made, day)) == 40


def test_a_booking_that_comes_again_has_another_status_and_else_its_old_values(
    clean: dict[str, Any],
) -> None:
    made, known = clean["bookings"], {}
    turns: Counter[tuple[str, str]] = Counter()
    for day in made.days:
        for booking_id, row in again(made, day).items():
            if date.fromisoformat(row["booked_at"][:10]) < FIRST:
                continue  # its first file was not asked for
            before = known[booking_id]
            assert {**row, "status": ""} == {**before, "status": ""}
            assert row["flight_date"] >= str(day)
            turns[before["status"], row["status"]] += 1
            known[booking_id] = row
        assert not known.keys() & new(made, day).keys()
        known |= new(made, day)

    assert set(turns) == {
        ("PENDING", "CONFIRMED"),
        ("PENDING", "CANCELLED"),
        ("CONFIRMED", "CANCELLED"),
    }


def test_a_booking_can_be_confirmed_and_cancelled_later(clean: dict[str, Any]) -> None:
    made = clean["bookings"]
    told: dict[str, list[str]] = {}
    for day in made.days:
        for row in made.read(BOOKINGS, day):
            told.setdefault(row["booking_id"], []).append(row["status"])

    assert ["PENDING", "CONFIRMED", "CANCELLED"] in told.values()


def test_customers_come_back_on_other_days(clean: dict[str, Any]) -> None:
    made = clean["bookings"]
    days: dict[str, set[date]] = {}
    for day in made.days:
        for row in new(made, day).values():
            days.setdefault(row["email"], set()).add(day)

    assert sum(len(found) > 1 for found in days.values()) > 1_000
    assert max(len(found) for found in days.values()) < DAYS


def test_fares_follow_cabin_and_currency(clean: dict[str, Any]) -> None:
    rows = [row for day in clean["bookings"].days for row in clean["bookings"].read(BOOKINGS, day)]
    dollars = {
        cabin: [Decimal(r["fare_amount"]) for r in rows if (r["cabin"], r["currency"]) == (cabin, "USD")]
        for cabin in CABINS
    }
    means = [sum(fares) / len(fares) for fares in dollars.values()]
    decimals = {(row["currency"], len(row["fare_amount"].partition(".")[2])) for row in rows}

    assert means == sorted(means)
    assert decimals == {(currency, count) for currency, (_, _, count) in CURRENCIES.items()}


def test_most_flights_are_near_and_none_is_more_than_330_days_ahead(clean: dict[str, Any]) -> None:
    rows = [row for day in clean["bookings"].days for row in clean["bookings"].read(BOOKINGS, day)]
    ahead = sorted(
        (date.fromisoformat(row["flight_date"]) - date.fromisoformat(row["booked_at"][:10])).days
        for row in rows
    )

    assert ahead[0] == 0
    assert 300 < ahead[-1] <= 330
    assert 20 < ahead[len(ahead) // 2] < 60


def test_no_number_of_a_day_has_the_locator_of_another() -> None:
    assert len({locator(number, seed=3) for number in range(40_000)}) == 40_000
    assert math.gcd(LOCATOR_STRIDE, len(LOCATOR) ** LOCATOR_LENGTH) == 1


def test_what_bookings_are_drawn_from_is_declared() -> None:
    columns = {column.name: column for column in BOOKINGS.columns}
    statuses = {status for starts, then in LIVES for status in (starts, *then.values())}

    assert Booking._fields == tuple(columns)
    assert tuple(CABINS) == columns["cabin"].one_of
    assert set(CURRENCIES) <= set(currencies.CURRENCIES)
    assert columns["currency"].one_of == (*currencies.CURRENCIES, *currencies.WITHDRAWN)
    assert statuses | set(LASTING) == set(columns["status"].one_of)
