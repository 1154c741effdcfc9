"""How files are written is declared, for a feed or for some keys; and what strange columns come to."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from spark_lake import Lake

from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

NewLake = Callable[[Feed], Lake]

pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    # PySpark compares pandas's version with it.
    pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning"),
]

DAY = "2013-01-01"
ROW = ("UA", 1, 2, 3, 4)


def key(name: str) -> str:
    return f"daily_flights/date={DAY}/{name}"


HEADER = FLIGHTS.header
READINGS: dict[str, tuple[Reading, bytes]] = {
    "semicolons": (Reading(delimiter=";"), f"{HEADER.replace(',', ';')}\nUA;1;2;3;4\n".encode()),
    "tabs": (Reading(delimiter="\t"), f"{HEADER}\nUA,1,2,3,4\n".replace(",", "\t").encode()),
    "single quotes": (Reading(quote="'"), f"{HEADER}\n'UA','1',2,3,4\n".encode()),
    "no quotes": (Reading(quote=""), f"{HEADER}\nUA,1,2,3,4\n".encode()),
    "latin-1": (Reading(encoding="latin-1"), f"{HEADER}\n\u00a0UA\u00a0,1,2,3,4\n".encode("latin-1")),
    "utf-16": (Reading(encoding="utf-16"), f"{HEADER}\r\nUA,1,2,3,4\r\n".encode("utf-16")),
    "nulls": (Reading(nulls=("NA", "\\N")), f"{HEADER}\nUA,1,2,NA,\\N\n".encode()),
    "decimal comma": (
        Reading(delimiter=";", decimal_comma=True),
        f"{HEADER.replace(',', ';')}\nUA;1,0;2;3,00;4\n".encode(),
    ),
    "skipped lines": (Reading(skip_lines=2), f"Report\n\n{HEADER}\nUA,1,2,3,4\n".encode()),
    "Excel's hint": (Reading(), f"sep=,\r\n{HEADER}\r\nUA,1,2,3,4\r\n".encode()),
    "other names": (
        Reading(names=(("Carrier", "op carrier"), ("DepDelay", "Late"))),
        b"OP Carrier,OriginAirportID,DestAirportID,late,ArrDelay\nUA,1,2,3,4\n",
    ),
}


def test_files_are_read_as_their_feed_declares_by_key(new_lake: NewLake) -> None:
    names = {name: name.replace(" ", "-").replace("'", "") for name in READINGS}
    feed = replace(
        FLIGHTS, readings=tuple((f"*/{names[name]}.csv", how) for name, (how, _) in READINGS.items())
    )
    lake = new_lake(feed)
    counts = lake.run(*(lake.land(key(f"{names[name]}.csv"), body) for name, (_, body) in READINGS.items()))

    assert counts == {key(f"{name}.csv"): (1, 1, 0) for name in names.values()}
    found = {row.source_file.rpartition("/")[2].removesuffix(".csv"): row for row in lake.loaded()}
    for name, row in found.items():
        values = (row.carrier, row.origin_airport_id, row.dest_airport_id, row.dep_delay, row.arr_delay)
        assert values == (("UA", 1, 2, None, None) if name == "nulls" else ROW), name
    assert found["skipped-lines"].source_line == 4
    assert found["Excels-hint"].source_line == 3


BOOKING = (
    "B1;05.01.2013 10:00:00;Jörg Müller;Jo\u0308rg@Example.COM\u200b;UA;1;1;2;31.12.2013;ECONOMY;129,90;EUR;"
    "CONFIRMED"
)


def booking_key(name: str) -> str:
    return f"bookings/date={DAY}/{name}"


def test_dates_decimals_and_line_breaks_in_quotes_of_another_coding(new_lake: NewLake) -> None:
    reading = Reading(delimiter=";", decimal_comma=True, dates="DD.MM.YYYY")
    lake = new_lake(replace(BOOKINGS, reading=reading))
    header = BOOKINGS.header.replace(",", ";")
    second = (
        BOOKING.replace("B1;", "B2;").replace("Jörg Müller", '"Jörg\nMüller"').replace("Jo\u0308rg", "jörg")
    )
    third = BOOKING.replace("B1;", "B3;").replace("31.12.2013", "2013-12-31").replace("31.12", "12-31")
    body = "\r\n".join([header, BOOKING, second, BOOKING.replace("B1;", "B4;").replace("31.", "32."), third])
    counts = lake.run(lake.land(booking_key("a.csv"), body), secret="secret")

    assert counts == {booking_key("a.csv"): (4, 3, 1)}
    rows = {row.booking_id: row for row in lake.loaded()}
    assert rows["B1"].customer_key == rows["B2"].customer_key
    assert (rows["B1"].fare_amount, rows["B1"].flight_date) == (Decimal("129.900"), date(2013, 12, 31))
    assert rows["B1"].booked_at.replace(tzinfo=UTC) == datetime(2013, 1, 5, 10, tzinfo=UTC)
    assert (rows["B1"].source_line, rows["B2"].source_line, rows["B3"].source_line) == (2, 3, 6)
    (reject,) = lake.rejects()
    assert (reject["line_number"], reject["reject_reason"]) == (5, "flight_date: expected a date DD.MM.YYYY")


def test_a_name_may_be_empty_in_a_file_that_has_other_letters_than_ascii(new_lake: NewLake) -> None:
    lake = new_lake(BOOKINGS)
    line = "B{},2013-01-01 10:00:00,{},a@b.org,UA,1,1,2,2013-12-31,ECONOMY,129.90,USD,CONFIRMED"
    rows = [line.format(n, name) for n, name in enumerate(["Zoë", "", " \u200b"])]
    counts = lake.run(lake.land(booking_key("a.csv"), "\n".join([BOOKINGS.header, *rows])), secret="secret")

    assert counts == {booking_key("a.csv"): (3, 3, 0)}


ODD_BOOKINGS = {
    "0001-01-01 00:00:00": "booked_at: expected a year from 1900 to 2100",
    "1899-12-30 00:00:00": "booked_at: expected a year from 1900 to 2100",
    "0000-01-01 00:00:00": "booked_at: expected a",
    "2101-01-01 00:00:00": "booked_at: expected a year from 1900 to 2100",
    "1900-01-01 00:00:00+05:00": "booked_at: expected a year from 1900 to 2100",
}


def test_times_that_no_calendar_of_aviation_has_are_rejects_of_their_rows(new_lake: NewLake) -> None:
    lake = new_lake(BOOKINGS)
    line = "B{},{},A B,a@b.org,UA,1,1,2,2013-12-31,ECONOMY,129.90,USD,CONFIRMED"
    rows = [line.format(n, at) for n, at in enumerate(["1900-01-01 00:00:00", *ODD_BOOKINGS])]
    counts = lake.run(lake.land(booking_key("a.csv"), "\n".join([BOOKINGS.header, *rows])), secret="secret")

    assert counts == {booking_key("a.csv"): (len(rows), 1, len(rows) - 1)}
    reasons = [reject["reject_reason"] for reject in lake.rejects()]
    assert [
        told for told, begins in zip(reasons, ODD_BOOKINGS.values(), strict=True) if begins not in told
    ] == []


def test_unknown_columns_are_left_out_or_rescued_as_the_feed_says(new_lake: NewLake) -> None:
    header = f"{HEADER.removesuffix(',ArrDelay')},Tail Number,gate"
    body = f'{header}\nUA,1,2,3,N123,\nAA,1,2,3,,\nDL,1,2,3,"a""b",G7\n'
    lake = new_lake(replace(FLIGHTS, drift="ignore"))
    assert lake.run(lake.land(key("a.csv"), body)) == {key("a.csv"): (3, 3, 0)}
    assert {row.arr_delay for row in lake.loaded()} == {None}
    assert "rescued" not in lake.loaded()[0]

    lake = new_lake(replace(FLIGHTS, drift="rescue"))
    assert lake.run(lake.land(key("a.csv"), body)) == {key("a.csv"): (3, 3, 0)}
    rescued = {row.carrier: row.rescued and json.loads(row.rescued) for row in lake.loaded()}
    assert rescued == {"UA": {"Tail Number": "N123"}, "AA": None, "DL": {"Tail Number": 'a"b', "gate": "G7"}}


def test_an_evolved_column_is_written_for_files_with_and_without_it(new_lake: NewLake) -> None:
    feed = replace(FLIGHTS, drift="evolve")
    lake = new_lake(feed)
    counts = lake.counts(
        lake.land(key("new.csv"), f"{HEADER},Tail Number\nUA,1,2,3,4,N123\n"),
        lake.land(key("old.csv"), f"{HEADER}\nAA,1,2,3,4\n"),
        evolved="tail_number",
    )

    assert [count["loaded"] for count in counts] == [1, 1]
    assert {(row.carrier, row.tail_number) for row in lake.loaded()} == {("UA", "N123"), ("AA", None)}
    assert lake.loaded()[0].__fields__[-2] == "tail_number"


def test_unknown_fields_of_json_objects_are_rescued_where_the_feed_names_nobody(new_lake: NewLake) -> None:
    columns = tuple(replace(column, personal=False) for column in SHIPMENTS.columns)
    shipments = replace(
        SHIPMENTS, columns=columns, drift="ignore", reading=Reading(names=(("quantity", "qty"),))
    )
    lake = new_lake(shipments)
    row = {
        "shipping_id": 1,
        "shipping_date": "2013/01/01",
        "destination_city": "Newark",
        "shipping_cost": 1.5,
        "shipping_distance": 2,
        "qty": 3,
        "product_id": 4,
        "colour": "red",
    }
    name = f"shipments/date={DAY}/a.json"
    assert lake.run(lake.land(name, json.dumps(row))) == {name: (1, 1, 0)}
    assert lake.loaded()[0].quantity == 3


CITIES = {
    "_": None,
    "\u00a0": None,
    " - ": None,
    "\u200bNewark\u3000": "Newark",
    "Zu\u0308rich": "Zürich",
    "A\u200bB": None,
}


def test_a_city_is_a_name_with_a_letter_trimmed_and_composed(new_lake: NewLake) -> None:
    lake = new_lake(SHIPMENTS)
    rows = [
        {
            "shipping_id": n,
            "shipping_date": "2013/01/01",
            "destination_city": city,
            "shipping_cost": 1.5,
            "shipping_distance": 2,
            "quantity": 3,
            "product_id": 4,
        }
        for n, city in enumerate(CITIES)
    ]
    name = f"shipments/date={DAY}/a.json.gz"
    lake.run(lake.land(name, gzip.compress("\n".join(map(json.dumps, rows)).encode())))

    loaded = {row.shipping_id: row.destination_city for row in lake.loaded()}
    assert loaded == {n: city for n, city in enumerate(CITIES.values()) if city}
    assert lake.spark.read.parquet("s3://lake/enriched/").where(F.col("source_line").isNull()).count() == 0


def test_a_date_with_a_separator_of_its_own_is_read_as_the_files_write_it(new_lake: NewLake) -> None:
    shipment = {
        "shipping_id": 1,
        "shipping_date": "31.12.2013",
        "customer_name": "A",
        "street_address": "B",
        "destination_city": "Rome",
        "shipping_cost": 1,
        "shipping_distance": 2,
        "quantity": 3,
        "product_id": 4,
    }
    lake = new_lake(replace(SHIPMENTS, reading=Reading(dates="DD.MM.YYYY")))
    at = f"shipments/date={DAY}/a.json"

    assert lake.run(lake.land(at, json.dumps(shipment).encode())) == {at: (1, 1, 0)}
    assert [row.shipping_date for row in lake.loaded()] == [date(2013, 12, 31)]
