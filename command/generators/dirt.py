"""What is wrong in files of the real world, kind by kind, and what becomes of a row that has it."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from itertools import cycle
from random import Random

from airline_platform.contract.feed import Feed
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from command.generators.bookings import Booking
from command.generators.network import Row
from command.generators.shipments import Shipment, as_object

PERCENT = 2
FEWEST_ROWS = 100 // PERCENT
"""Of a day, below which there is no dirty one."""

Line = Row | str
"""Fields, or a line as it stands, for what no writer would write."""

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
    found: Counter[str] = Counter()
    for place, dirt in zip(places, cycle(chance.sample(kinds, len(kinds))), strict=False):
        lines[place] = dirt.spoil(rows[place], chance.choice(clean))
        found[dirt.kind] += 1
    return lines, found


def _with(feed: Feed, column: str, value: str) -> Spoil:
    """Another value in a column."""
    return _changed(feed, column, lambda _: value)


def _changed(feed: Feed, column: str, change: Callable[[str], str]) -> Spoil:
    """Another value in a column, made of the one that was there."""
    place = [each.name for each in feed.columns].index(column)
    return lambda row, _: (*row[:place], change(row[place]), *row[place + 1 :])


def _joined(row: Row) -> str:
    """The row as a line without quotes."""
    return ",".join(row)


def _not_utf8(row: Row, _: Row) -> str:
    return _joined((f"\udcfc{row[0]}", *row[1:]))


def _flight_before_booking(row: Row, _: Row) -> Row:
    booking = Booking(*row)
    before = date.fromisoformat(booking.booked_at[: len("YYYY-MM-DD")]) - timedelta(days=1)
    return booking._replace(flight_date=str(before))


def _repeated(_: Row, clean: Row) -> Row:
    """A booking of the file once more, with another status: of the two, the one further down counts."""
    booking = Booking(*clean)
    return booking._replace(status="CONFIRMED" if booking.status == "CANCELLED" else "CANCELLED")


def _family_name_first(name: str) -> str:
    first, _, last = name.rpartition(" ")
    return f"{last}, {first}"


def _iso(timestamp: str) -> str:
    return f"{timestamp.replace(' ', 'T')}Z"


def _fields(row: Row) -> list[tuple[str, str]]:
    """Names and values of a shipment, as they stand in JSON."""
    return list(zip(Shipment._fields, row, strict=True))


def _whole(row: Row) -> str:
    return as_object(_fields(row))


def _cut_short(row: Row, _: Row) -> str:
    """All of the object up to where its third last value should be."""
    return as_object(_fields(row)[:-2]).removesuffix("}") + ", "


def _and(name: str, value: str) -> Spoil:
    """One field more, behind the others."""
    return lambda row, _: as_object([*_fields(row), (name, value)])


def _without(name: str) -> Spoil:
    return lambda row, _: as_object(field for field in _fields(row) if field[0] != name)


def _name_in_parts(text: str) -> str:
    first, _, last = json.loads(text).rpartition(" ")
    return json.dumps({"first": first, "last": last}, ensure_ascii=False)


def _escaped(text: str) -> str:
    """The same text in JSON, with every letter written as its number."""
    numbers = [f"\\u{ord(letter):04x}" for letter in json.loads(text)]
    return f'"{"".join(numbers)}"'


_OF_ANY_CSV = (
    Dirt("line_cut_short", lambda row, _: _joined(row[:-2])),
    Dirt("field_too_many", lambda row, _: _joined((*row, ""))),
    Dirt("odd_quote", lambda row, _: f'"{_joined(row)}'),
    Dirt("not_utf8", _not_utf8),
    Dirt("spaces_around_fields", lambda row, _: tuple(f" {field} " for field in row), rejected=False),
)

DIRT = {
    BOOKINGS.name: (
        Dirt("fare_not_a_number", _with(BOOKINGS, "fare_amount", "n/a")),
        Dirt("negative_fare", _changed(BOOKINGS, "fare_amount", lambda fare: f"-{fare}")),
        Dirt("unknown_currency", _with(BOOKINGS, "currency", "XBT")),
        Dirt("flight_before_booking", _flight_before_booking),
        Dirt("no_such_day", _with(BOOKINGS, "flight_date", "2013-02-30")),
        Dirt("missing_booking_id", _with(BOOKINGS, "booking_id", "")),
        Dirt("unknown_status", _with(BOOKINGS, "status", "PAID")),
        Dirt("email_without_domain", _changed(BOOKINGS, "email", lambda email: email.partition("@")[0])),
        Dirt("repeated_booking", _repeated),
        Dirt("unknown_airport", _with(BOOKINGS, "dest_airport_id", "99999"), rejected=False),
        Dirt("missing_email", _with(BOOKINGS, "email", ""), rejected=False),
        Dirt("email_in_capitals", _changed(BOOKINGS, "email", str.upper), rejected=False),
        Dirt("quoted_comma", _changed(BOOKINGS, "passenger_name", _family_name_first), rejected=False),
        Dirt("iso_timestamp", _changed(BOOKINGS, "booked_at", _iso), rejected=False),
        *_OF_ANY_CSV,
    ),
    FLIGHTS.name: (
        Dirt("delay_not_a_number", _with(FLIGHTS, "DepDelay", "late")),
        Dirt("delay_with_a_fraction", _with(FLIGHTS, "DepDelay", "12.5")),
        Dirt("missing_carrier", _with(FLIGHTS, "Carrier", "")),
        Dirt("missing_airport", _with(FLIGHTS, "OriginAirportID", "")),
        Dirt("airport_code_for_id", _with(FLIGHTS, "DestAirportID", "JFK")),
        Dirt("carrier_too_long", _with(FLIGHTS, "Carrier", "United Air Lines")),
        Dirt("unknown_airport", _with(FLIGHTS, "DestAirportID", "99999"), rejected=False),
        Dirt("delay_as_decimal", _with(FLIGHTS, "DepDelay", "12.0"), rejected=False),
        *_OF_ANY_CSV,
    ),
    SHIPMENTS.name: (
        Dirt("not_json", lambda _row, _clean: "ERROR: connection lost, sending again", lines_only=True),
        Dirt("object_cut_short", _cut_short, lines_only=True),
        Dirt("list_for_object", lambda row, _: f"[{_joined(row)}]"),
        Dirt("unknown_field", _and("carrier", '"AA"')),
        Dirt("field_twice", _and("quantity", "1")),
        Dirt("missing_shipping_id", _without("shipping_id")),
        Dirt("missing_city", _with(SHIPMENTS, "destination_city", "null")),
        Dirt("city_too_long", _changed(SHIPMENTS, "destination_city", lambda city: f'"{city[1:-1] * 40}"')),
        Dirt("date_with_hyphens", _changed(SHIPMENTS, "shipping_date", lambda day: day.replace("/", "-"))),
        Dirt("no_such_day", _with(SHIPMENTS, "shipping_date", '"2013/02/30"')),
        Dirt("cost_not_a_number", _with(SHIPMENTS, "shipping_cost", '"much"')),
        Dirt("cost_is_nan", _with(SHIPMENTS, "shipping_cost", "NaN")),
        Dirt("cost_too_large", _with(SHIPMENTS, "shipping_cost", "123456789012.34")),
        Dirt("too_many_decimals", _with(SHIPMENTS, "shipping_distance", "812.34567")),
        Dirt("negative_quantity", _changed(SHIPMENTS, "quantity", lambda quantity: f"-{quantity}")),
        Dirt("number_in_quotes", _changed(SHIPMENTS, "quantity", lambda quantity: f'"{quantity}"')),
        Dirt("object_for_number", _changed(SHIPMENTS, "quantity", lambda found: f'{{"value": {found}}}')),
        Dirt("name_in_parts", _changed(SHIPMENTS, "customer_name", _name_in_parts)),
        Dirt("fields_in_another_order", lambda row, _: as_object(reversed(_fields(row))), rejected=False),
        Dirt("exponent", _changed(SHIPMENTS, "shipping_cost", lambda c: f"{Decimal(c):e}"), rejected=False),
        Dirt("whole_number_with_point", _with(SHIPMENTS, "quantity", "12.0"), rejected=False),
        Dirt("null_customer_name", _with(SHIPMENTS, "customer_name", "null"), rejected=False),
        Dirt("missing_street", _without("street_address"), rejected=False),
        Dirt("escaped_letters", _changed(SHIPMENTS, "destination_city", _escaped), rejected=False),
        Dirt("blanks_around_object", lambda row, _: f"\t {_whole(row)} ", rejected=False),
        Dirt("blank_line", lambda row, _: f"\n{_whole(row)}", rejected=False, lines_only=True),
    ),
}
"""Every feed's kinds, by its name."""
