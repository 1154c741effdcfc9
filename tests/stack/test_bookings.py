"""Bookings from the landed file to the newest status of each, over HTTP against a whole laptop stack."""

import csv
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import psycopg2
import pytest

from airline_platform.feeds.bookings import BOOKINGS
from command.dagster_client import days_between

HEADER = BOOKINGS.header
NEWARK, ATLANTA, NOWHERE = "11618", "10397", "99998"

pytestmark = pytest.mark.usefixtures("airports")

GOOD = {
    "booking_id": "BK-1",
    "booked_at": "2013-05-31 10:11:12",
    "passenger_name": "Zaphod Beeblebrox",
    "email": "zaphod@heartofgold.example",
    "carrier": "UA",
    "flight_number": "1545",
    "origin_airport_id": NEWARK,
    "dest_airport_id": ATLANTA,
    "flight_date": "2013-09-01",
    "cabin": "ECONOMY",
    "fare_amount": "129.90",
    "currency": "USD",
    "status": "CONFIRMED",
}

ORACLE = """
SELECT booking_id, booked_at::TIMESTAMP AS booked_at, carrier, flight_number::BIGINT AS flight_number,
  flight_date::DATE AS flight_date, cabin, fare_amount::DECIMAL(14, 3) AS fare_amount, currency, status,
  day::DATE AS file_date
FROM (
  SELECT *, regexp_extract(filename, 'date=([0-9-]+)', 1) AS day, row_number() OVER (
    PARTITION BY booking_id ORDER BY day DESC, filename DESC
  ) AS place
  FROM read_csv($files, all_varchar = true, header = true, filename = true, hive_partitioning = false)
) WHERE place = 1 ORDER BY booking_id
"""
"""The newest row of each booking, by other means than the platform's; a file repeats no booking here."""


def line(booking: str, **values: str) -> str:
    return ",".join((GOOD | {"booking_id": booking} | values).values())


def file(*lines: str) -> str:
    return "\n".join([HEADER, *lines]) + "\n"


def key(day: str, name: str = "bookings.csv") -> str:
    return f"bookings/date={day}/{name}"


def bookings(stack: Any, prefix: str) -> dict[str, dict[str, Any]]:
    rows = stack.query(f"SELECT * FROM airlines.fact_bookings WHERE booking_id LIKE '{prefix}%'")
    found = {row["booking_id"]: row for row in rows}
    assert len(found) == len(rows)
    return found


def statuses(stack: Any, prefix: str) -> dict[str, str]:
    """The newest status of each booking."""
    return {name: row["status"] for name, row in bookings(stack, prefix).items()}


def history(stack: Any, booking: str) -> list[tuple[str, str]]:
    """What the days' files said of a booking."""
    rows = stack.query(
        f"SELECT file_date, status FROM airlines.fact_booking_status WHERE booking_id = '{booking}' "
        "ORDER BY file_date, landed_at"
    )
    return [(str(row["file_date"]), row["status"]) for row in rows]


STATES = ["PENDING", "CONFIRMED", "CANCELLED"]
MANY_DAYS = [f"2013-06-{day}" for day in range(13, 18)]

FLAT = "flat"
"""Stands for the name of a file in the flat layout."""

Files = dict[tuple[str, str], str]
"""What lies under a day and a name."""


def many(numbers: Sequence[int], fare: int) -> str:
    """A file of bookings whose status depends on the fare."""
    return file(*(line(f"I-{n}", status=STATES[(n + fare) % 3], fare_amount=str(fare)) for n in numbers))


@dataclass(frozen=True)
class Story:
    """What the tables were after everything had landed once.

    Args:
        statuses: Newest status by booking.
        arrival: City of arrival of the booking to an unknown airport.
        many: The many bookings' files, as they are in the end.
    """

    statuses: dict[str, str]
    arrival: str | None
    many: Files


@pytest.fixture(scope="module")
def story(stack: Any, airports: None) -> Story:  # noqa: ARG001 - they land first
    """All files of these tests in three waves: what was there, what came later, and what came then."""
    many_files = {(day, "1.csv"): many(range(n * 20, n * 20 + 60), 10 + n) for n, day in enumerate(MANY_DAYS)}
    wave(
        stack,
        {
            ("2013-05-30", "bookings.csv"): file(line("G-1", status="PENDING")),
            ("2013-05-31", "bookings.csv"): file(line("G-1", status="CANCELLED"), line("G-2")),
            ("2013-06-01", "bookings.csv"): file(line("A-1"), line("A-2", email="", cabin="FIRST")),
            ("2013-06-02", FLAT): file(line("B-1")),
            ("2013-06-03", "bookings.csv"): file(line("C-1", status="PENDING"), line("C-2")),
            ("2013-06-06", "bookings.csv"): file(line("D-1", status="CANCELLED")),
            ("2013-06-07", "z.csv"): file(line("E-1", status="PENDING")),
            ("2013-06-08", "bookings.csv"): file(line("F-1", status="PENDING"), line("F-2")),
            ("2013-06-09", "bookings.csv"): file(line("F-1", status="CANCELLED"), line("F-3")),
            ("2013-06-12", "bookings.csv"): file(*(line("H-1", status=status) for status in STATES)),
            (MANY_DAYS[3], "1.csv"): many_files[MANY_DAYS[3], "1.csv"],
            ("2013-06-18", "bookings.csv"): file(line("J-1", dest_airport_id=NOWHERE)),
            ("2013-06-19", "bookings.csv"): file(line("K-1")),
        },
    )
    first = Story(statuses(stack, ""), bookings(stack, "J-")["J-1"]["arr_city"], many_files)
    stack.put(
        "airport_codes/one_more.csv", f"airport_id,city,state,name\n{NOWHERE},Nowhere,XX,Nowhere Field\n"
    )
    wave(
        stack,
        many_files
        | {
            ("2013-06-04", "bookings.csv"): file(line("C-1", fare_amount="99")),
            ("2013-06-05", "bookings.csv"): file(line("D-1", status="PENDING"), line("D-2")),
            ("2013-06-07", "a.csv"): file(line("E-1", status="CONFIRMED")),
            ("2013-06-09", "bookings.csv"): file(line("F-4")),
            ("2013-06-19", "bookings.csv"): file(line("K-1", status="CANCELLED"), line("K-2", status="LOST")),
        },
    )
    then = {
        (MANY_DAYS[1], "2.csv"): many(range(0, 200, 7), 50),
        (MANY_DAYS[4], "1.csv"): many(range(100, 110), 60),
    }
    stack.client("s3").delete_object(Bucket=stack.settings.landing_bucket, Key=key("2013-05-31"))
    wave(stack, then)
    many_files.update(then)
    return first


def wave(stack: Any, files: Files) -> None:
    """Land files at once, with something for each day between: one run takes them all."""
    days = [day for day, _ in files]
    with stack.nobody_listening():
        for number, day in enumerate(
            days_between(date.fromisoformat(min(days)), date.fromisoformat(max(days)))
        ):
            if day not in days:
                stack.put(key(day, f"{uuid4()}.csv"), file(line(f"Z-{day}-{number}")))
        for (day, name), text in files.items():
            stack.put(f"bookings/{day}.csv" if name == FLAT else key(day, name), text)
    stack.wait()


@pytest.mark.usefixtures("story")
def test_a_landed_day_becomes_bookings_without_people_and_an_alert(stack):
    rows = bookings(stack, "A-")
    secret = stack.client("secretsmanager").get_secret_value(SecretId=stack.settings.customer_key_secret)
    expected = hmac.new(secret["SecretString"].encode(), GOOD["email"].encode(), hashlib.sha256).hexdigest()
    assert rows["A-1"]["customer_key"] == expected
    assert rows["A-2"]["customer_key"] is None
    assert (rows["A-1"]["dep_city"], rows["A-1"]["arr_city"]) == ("Newark", "Atlanta")
    assert (str(rows["A-1"]["fare_amount"]), rows["A-1"]["currency"]) == ("129.900", "USD")
    assert str(rows["A-1"]["booked_at"]) == "2013-05-31 10:11:12"
    assert history(stack, "A-1") == [("2013-06-01", "CONFIRMED")]
    told = next(alert for alert in stack.alerts("loaded") if alert["feed"] == "bookings")
    assert "Table:     airlines.fact_booking_status, airlines.fact_bookings" in told["message"]


@pytest.mark.usefixtures("story")
def test_the_flat_layout_lands_in_its_day_too(stack):
    assert history(stack, "B-1") == [("2013-06-02", "CONFIRMED")]


def test_a_later_day_changes_a_bookings_status_and_its_history_stays(stack, story: Story):
    assert story.statuses["C-1"] == "PENDING"
    assert statuses(stack, "C-") == {"C-1": "CONFIRMED", "C-2": "CONFIRMED"}
    assert str(bookings(stack, "C-")["C-1"]["fare_amount"]) == "99.000"
    assert history(stack, "C-1") == [("2013-06-03", "PENDING"), ("2013-06-04", "CONFIRMED")]


def test_an_older_day_that_lands_late_does_not_undo_a_newer_one(stack, story: Story):
    assert story.statuses["D-1"] == "CANCELLED"
    assert statuses(stack, "D-") == {"D-1": "CANCELLED", "D-2": "CONFIRMED"}
    assert history(stack, "D-1") == [("2013-06-05", "PENDING"), ("2013-06-06", "CANCELLED")]


@pytest.mark.usefixtures("story")
def test_of_two_files_of_a_day_the_one_that_landed_last_counts(stack):
    assert statuses(stack, "E-") == {"E-1": "CONFIRMED"}
    assert [status for _, status in history(stack, "E-1")] == ["PENDING", "CONFIRMED"]


def test_an_overwritten_day_takes_back_what_it_no_longer_says(stack, story: Story):
    before = {name: status for name, status in story.statuses.items() if name.startswith("F-")}
    assert before == {"F-1": "CANCELLED", "F-2": "CONFIRMED", "F-3": "CONFIRMED"}
    assert statuses(stack, "F-") == {"F-1": "PENDING", "F-2": "CONFIRMED", "F-4": "CONFIRMED"}
    assert history(stack, "F-3") == []


@pytest.mark.usefixtures("story")
def test_forgetting_a_day_takes_back_what_it_said(stack):
    stack.until(lambda: [alert for alert in stack.alerts("gone") if key("2013-05-31") in alert["message"]])
    assert statuses(stack, "G-") == {"G-1": "CANCELLED", "G-2": "CONFIRMED"}
    assert "2 rows of 2013-05-31 are gone" in stack.run("forget", key("2013-05-31")).stdout
    assert statuses(stack, "G-") == {"G-1": "PENDING"}


@pytest.mark.usefixtures("story")
def test_repeated_bookings_are_counted_and_the_last_one_is_loaded(stack):
    assert statuses(stack, "H-") == {"H-1": "CANCELLED"}
    (row,) = stack.query("SELECT * FROM airlines.ingested_files WHERE key = '" + key("2013-06-12") + "'")
    assert (row["state"], row["rows_read"], row["rows_loaded"], row["rows_rejected"]) == ("loaded", 3, 1, 2)
    told = next(alert for alert in stack.alerts("loaded") if alert["run_id"] == row["run_id"])
    assert (
        "Repeated:  2 of these, because a later row of their file has the same booking_id" in told["message"]
    )
    assert "What to do" not in told["message"]


def test_the_table_is_what_landed_whatever_the_order_and_however_often(stack, story: Story, tmp_path: Path):
    """Five days of changing bookings: one before the others, all at once, overwritten, and once more."""
    for (day, name), text in story.many.items():
        path = tmp_path / key(day, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    with duckdb.connect() as engine:
        places = [str(path) for path in tmp_path.rglob("*.csv")]
        expected = engine.execute(ORACLE, {"files": places}).fetchall()
    names = "booking_id, booked_at, carrier, flight_number, flight_date, cabin, fare_amount, currency, status"
    sql = (
        f"SELECT {names}, file_date FROM airlines.fact_bookings WHERE booking_id LIKE 'I-%' "
        "ORDER BY booking_id"
    )
    assert [tuple(row.values()) for row in stack.query(sql)] == expected
    ran = (
        "SELECT DISTINCT run_id FROM airlines.ingested_files WHERE state = 'loaded' AND feed = 'bookings' "
        f"AND partition_date BETWEEN '{MANY_DAYS[0]}' AND '{MANY_DAYS[-1]}'"
    )
    before = stack.query(ran)
    stack.launch(BOOKINGS, MANY_DAYS[0], MANY_DAYS[-1])
    (once_more,) = stack.until(lambda: [run for run in stack.query(ran) if run not in before])
    assert stack.query(ran) == [once_more]
    assert [tuple(row.values()) for row in stack.query(sql)] == expected


def test_an_airport_that_arrives_later_is_filled_into_both_tables(stack, story: Story):
    assert story.arrival is None
    assert bookings(stack, "J-")["J-1"]["arr_city"] == "Nowhere"
    (row,) = stack.query("SELECT arr_airport FROM airlines.fact_booking_status WHERE booking_id = 'J-1'")
    assert row["arr_airport"] == "Nowhere Field"


@pytest.mark.usefixtures("story")
def test_a_day_with_too_many_bad_rows_keeps_its_old_rows(stack):
    assert statuses(stack, "K-") == {"K-1": "CONFIRMED"}
    (told,) = [alert for alert in stack.alerts("refused") if key("2013-06-19") in alert["message"]]
    assert "line 3: status: expected one of CONFIRMED, CANCELLED, PENDING" in told["message"]


def test_nothing_that_identifies_people_leaves_the_landing_bucket(stack):
    """Not by rows, rejects, reasons, alerts, Dagster's events or any log, however broken their file is."""
    person = {"passenger_name": "Slartibartfast Magrathea", "email": "slarti@fjords.example"}
    good = [line(f"L-{n}", **person) for n in range(60)]
    broken = [
        line("L-x", **person, fare_amount="-1"),
        line("Slartibartfast", **person | {"status": "Magrathea"}),
        ",".join([*list((GOOD | person).values())[1:], "Slartibartfast"]),
    ]
    stack.put(key("2013-06-20"), file(*good, *broken))
    stack.put(key("2013-06-21"), "\n".join(good) + "\n")
    stack.put(key("2013-06-22"), f"{HEADER},{person['passenger_name']}\n" + "\n".join(good))
    stack.wait()
    assert len(bookings(stack, "L-")) == 60
    states = stack.query(
        "SELECT partition_date, state, rows_rejected FROM airlines.ingested_files "
        "WHERE feed = 'bookings' AND partition_date BETWEEN '2013-06-20' AND '2013-06-22' "
        "ORDER BY partition_date"
    )
    assert [(row["state"], row["rows_rejected"]) for row in states] == [
        ("loaded", 3),
        ("rejected", None),
        ("rejected", None),
    ]
    traces = ["Slartibartfast", "Magrathea", "slarti@", "fjords.example", "Beeblebrox", "heartofgold"]
    places = []
    for place, content in _everything_but_the_landing(stack):
        found = [trace for trace in traces if trace.encode() in content]
        assert not found, f"{place} has {found}"
        places.append(place)
    assert {"an alert", "airlines.fact_bookings", "airlines.ingested_files", "public.event_logs"} <= {*places}
    assert [place for place in places if place.startswith("bookings_enriched/date=2013-06-20/")]
    assert [place for place in places if place.startswith("rejects/bookings/date=2013-06-20/")]
    assert [place for place in places if place.endswith(".log")]


def _everything_but_the_landing(stack: Any) -> Iterator[tuple[str, bytes]]:
    s3, bucket = stack.client("s3"), stack.settings.lake_bucket
    with duckdb.connect() as engine:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            for item in page.get("Versions", ()):
                body = s3.get_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])[
                    "Body"
                ].read()
                yield item["Key"], body
                if item["Key"].endswith(".parquet"):
                    path = stack.home / "look.parquet"
                    path.write_bytes(body)
                    rows = engine.execute("SELECT * FROM read_parquet($1)", [str(path)]).fetchall()
                    path.unlink()
                    yield item["Key"], repr(rows).encode()
    for alert in stack.json("alerts"):
        yield "an alert", repr(alert).encode()
    for path in stack.home.rglob("*"):
        if (
            path.is_file()
            and path.suffix in {".log", ".json", ".jsonl", ""}
            and not {"warehouse", stack.settings.landing_bucket} & set(path.parts)
        ):
            yield str(path), path.read_bytes()
    for database in ("warehouse", "dagster"):
        yield from _tables(stack, database)


def _tables(stack: Any, database: str) -> Iterator[tuple[str, bytes]]:
    password = "password" if database == "warehouse" else f"{database}.password"
    connection = psycopg2.connect(
        host="127.0.0.1",
        port=stack.settings.running_stack()["ports"]["postgres"],
        dbname=database,
        user=database,
        password=(stack.home / "warehouse" / password).read_text().strip(),
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_schema IN ('public', 'airlines')"
            )
            for schema, table in cursor.fetchall():
                cursor.execute(f'SELECT * FROM "{schema}"."{table}"')
                yield f"{schema}.{table}", repr(cursor.fetchall()).encode()
    finally:
        connection.close()


@pytest.mark.usefixtures("story")
def test_every_loaded_file_balances_and_everyone_is_in_one_table_once(stack):
    loaded = stack.query(
        "SELECT key, rows_read, rows_loaded + rows_rejected AS rows_told FROM airlines.ingested_files "
        "WHERE feed = 'bookings' AND state = 'loaded'"
    )
    assert {key("2013-06-01"), key("2013-06-12")} <= {row["key"] for row in loaded}
    assert [row for row in loaded if row["rows_read"] is None or row["rows_read"] != row["rows_told"]] == []
    assert stack.query(
        "SELECT COUNT(*) AS lacking FROM airlines.fact_bookings AS b WHERE NOT EXISTS ("
        "SELECT 1 FROM airlines.fact_booking_status AS s WHERE s.booking_id = b.booking_id)"
    ) == [{"lacking": 0}]
    assert stack.query(
        "SELECT COUNT(DISTINCT booking_id) AS bookings FROM airlines.fact_booking_status"
    ) == stack.query("SELECT COUNT(*) AS bookings FROM airlines.fact_bookings")
    assert len(next(csv.reader([HEADER]))) == len(BOOKINGS.columns)
