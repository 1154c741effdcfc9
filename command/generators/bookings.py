"""Synthetic bookings: new ones every day, and those of the days before whose status has changed.

Every booking is a function of the seed, the day it was made and its number on that day. So a day's file can
say again what the files of the days before said, without them.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from random import Random
from typing import NamedTuple

from airline_platform.feeds.bookings import BOOKINGS
from command.generators.dirt import Dirt, of_csv, with_change, with_value
from command.generators.lines import Row
from command.generators.network import schedule
from command.generators.people import people
from command.generators.recipe import Recipe

CHANGED_PERCENT = 8
"""Of a day's rows, those that are bookings of the days before with another status."""

LIVES: tuple[tuple[str, dict[int, str]], ...] = (
    ("PENDING", {1: "CONFIRMED"}),
    ("PENDING", {1: "CONFIRMED"}),
    ("PENDING", {1: "CANCELLED"}),
    ("PENDING", {2: "CONFIRMED"}),
    ("CONFIRMED", {2: "CANCELLED"}),
    ("PENDING", {3: "CONFIRMED"}),
    ("CONFIRMED", {6: "CANCELLED"}),
    ("CONFIRMED", {14: "CANCELLED"}),
    ("PENDING", {1: "CONFIRMED", 9: "CANCELLED"}),
)
"""How bookings that change begin, and what they become after how many days. A day's first bookings have these
lives, one after the other and over again; all others stay what they are. A second change comes last, so that
where there is no room for all, none lacks its first."""

CHANGES = tuple(
    (number, days, status) for number, (_, then) in enumerate(LIVES) for days, status in then.items()
)

LASTING = {"CONFIRMED": 92, "CANCELLED": 5, "PENDING": 3}
"""Status of a hundred bookings that do not change."""

CABINS = {"ECONOMY": (80, 1.0), "PREMIUM_ECONOMY": (9, 1.8), "BUSINESS": (9, 3.8), "FIRST": (2, 6.5)}
"""Of a hundred bookings, and fare as a multiple of economy's."""

CURRENCIES = {
    "USD": (70, 1.0, 2),
    "EUR": (9, 0.92, 2),
    "GBP": (6, 0.79, 2),
    "CAD": (6, 1.36, 2),
    "MXN": (4, 17.1, 2),
    "JPY": (3, 149.0, 0),
    "CHF": (1, 0.88, 2),
    "KWD": (1, 0.307, 3),
}
"""Of a hundred bookings, units for a dollar, decimals (ISO 4217)."""

CABIN_SHARES = {cabin: share for cabin, (share, _) in CABINS.items()}
CURRENCY_SHARES = {currency: share for currency, (share, _, _) in CURRENCIES.items()}

TYPICAL_FARE, FARE_SPREAD = 170, 0.45
"""Median economy fare in dollars, and the standard deviation of its logarithm."""

LONGEST_AHEAD = 330
"""Days before its departure from which a flight can be booked."""

BUSIEST_SECOND = 18 * 3600
"""Of a day in UTC: early afternoon in New York, before noon in California."""

LOCATOR = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
LOCATOR_LENGTH = 6
LOCATOR_STRIDE = 387_420_489
"""Odd, and so without a common factor with the number of locators: no two numbers share one."""


class Booking(NamedTuple):
    """A row of a landing file, in the feed's order; text, as it is written."""

    booking_id: str
    booked_at: str
    passenger_name: str
    email: str
    carrier: str
    flight_number: str
    origin_airport_id: str
    dest_airport_id: str
    flight_date: str
    cabin: str
    fare_amount: str
    currency: str
    status: str


class Bookings:
    """The bookings of a seed.

    Args:
        seed: Other seeds have other people, flights and bookings.
        rows: Of a day's file, new and changed ones together.

    Raises:
        AirlineError: Faker is not installed.
    """

    def __init__(self, seed: int, rows: int) -> None:
        self._seed = seed
        self._changes = list(_changes(rows * CHANGED_PERCENT // 100))
        self._new = rows - len(self._changes)
        self._changing = {number for number, _, _ in self._changes}
        self._people = people(seed)
        self._flights = schedule(seed)

    def day(self, day: date) -> Sequence[Row]:
        """Return the rows of a day, by the hour; a change stands at the hour of its booking."""
        new = [self._booking(day, number) for number in range(self._new)]
        changed = [
            self._booking(day - timedelta(days=days), number)._replace(status=status)
            for number, days, status in self._changes
        ]
        return sorted([*new, *changed], key=lambda booking: booking.booked_at[len("YYYY-MM-DD ") :])

    def _booking(self, day: date, number: int) -> Booking:
        """Make a booking as it was when it was made."""
        chance = Random(f"{self._seed}/bookings/{day}/{number}")  # noqa: S311 - repeatable on purpose
        status, then = (
            LIVES[number % len(LIVES)] if number in self._changing else (_drawn(LASTING, chance), {})
        )
        second = int(chance.triangular(0, 86_399, BUSIEST_SECOND))
        # Some people come back more often than others.
        person = self._people[int(len(self._people) * min(chance.random(), chance.random()))]
        # Most flights are near; none leaves before the last that is heard of the booking.
        ahead = max(int((LONGEST_AHEAD + 1) * chance.random() ** 3), *then, 0)
        flight = chance.choice(self._flights)
        cabin, currency = _drawn(CABIN_SHARES, chance), _drawn(CURRENCY_SHARES, chance)
        return Booking(
            booking_id=f"{day:%Y%m%d}-{locator(number, self._seed)}",
            booked_at=str(datetime.combine(day, time()) + timedelta(seconds=second)),
            passenger_name=person.name,
            email=person.email,
            carrier=flight.carrier,
            flight_number=flight.number,
            origin_airport_id=flight.origin,
            dest_airport_id=flight.dest,
            flight_date=str(day + timedelta(days=ahead)),
            cabin=cabin,
            fare_amount=_fare(cabin, currency, chance),
            currency=currency,
            status=status,
        )


def locator(number: int, seed: int) -> str:
    """Return the locator of a day's booking with this number; no other one of the day has it."""
    rest = number * LOCATOR_STRIDE + seed
    letters = []
    for _ in range(LOCATOR_LENGTH):
        rest, letter = divmod(rest, len(LOCATOR))
        letters.append(LOCATOR[letter])
    return "".join(letters)


def _changes(count: int) -> Iterator[tuple[int, int, str]]:
    """Yield which bookings a day's file has again: their number on their day, days since, new status."""
    for position in range(count):
        turn, change = divmod(position, len(CHANGES))
        number, days, status = CHANGES[change]
        yield turn * len(LIVES) + number, days, status


def _drawn(shares: dict[str, int], chance: Random) -> str:
    return chance.choices(list(shares), list(shares.values()))[0]


def _fare(cabin: str, currency: str, chance: Random) -> str:
    (_, factor), (_, rate, decimals) = CABINS[cabin], CURRENCIES[currency]
    dollars = chance.lognormvariate(math.log(TYPICAL_FARE), FARE_SPREAD) * factor
    return f"{dollars * rate:.{decimals}f}"


def _flight_before_booking(row: Row, _: Row) -> Row:
    booking = Booking(*row)
    before = date.fromisoformat(booking.booked_at[: len("YYYY-MM-DD")]) - timedelta(days=1)
    return booking._replace(flight_date=str(before))


def _repeated(_: Row, clean: Row) -> Row:
    """Repeat a booking of the file with another status: of the two, the one further down counts."""
    booking = Booking(*clean)
    return booking._replace(status="CONFIRMED" if booking.status == "CANCELLED" else "CANCELLED")


def _family_name_first(name: str) -> str:
    first, _, last = name.rpartition(" ")
    return f"{last}, {first}"


def _iso(timestamp: str) -> str:
    return f"{timestamp.replace(' ', 'T')}Z"


RECIPE = Recipe(
    rows=1_000,
    make=Bookings,
    dirt=(
        Dirt("fare_not_a_number", with_value(BOOKINGS, "fare_amount", "n/a")),
        Dirt("negative_fare", with_change(BOOKINGS, "fare_amount", lambda fare: f"-{fare}")),
        Dirt("unknown_currency", with_value(BOOKINGS, "currency", "XBT")),
        Dirt("flight_before_booking", _flight_before_booking),
        Dirt("no_such_day", with_value(BOOKINGS, "flight_date", "2013-02-30")),
        Dirt("missing_booking_id", with_value(BOOKINGS, "booking_id", "")),
        Dirt("unknown_status", with_value(BOOKINGS, "status", "PAID")),
        Dirt("email_without_domain", with_change(BOOKINGS, "email", lambda email: email.partition("@")[0])),
        Dirt("repeated_booking", _repeated),
        Dirt("unknown_airport", with_value(BOOKINGS, "dest_airport_id", "99999"), rejected=False),
        Dirt("missing_email", with_value(BOOKINGS, "email", ""), rejected=False),
        Dirt("email_in_capitals", with_change(BOOKINGS, "email", str.upper), rejected=False),
        Dirt("quoted_comma", with_change(BOOKINGS, "passenger_name", _family_name_first), rejected=False),
        Dirt("iso_timestamp", with_change(BOOKINGS, "booked_at", _iso), rejected=False),
        *of_csv(BOOKINGS.reading),
    ),
)
