"""The bookings job under real Spark: each booking judged, a file's last row counts, nobody recognisable."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention
from spark_lake import Lake, Outcome, rows_of

from airline_platform.contract.feed import Feed
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.currencies import CURRENCIES
from glue_jobs.people import with_key_of

# PySpark leaves the socket of every collect to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

SECRET = "k" * 64
GOOD = {
    "booking_id": "BK-1",
    "booked_at": "2013-01-02 10:11:12",
    "passenger_name": "Ada Lovelace",
    "email": "ada@example.org",
    "carrier": "UA",
    "flight_number": "1545",
    "origin_airport_id": "11618",
    "dest_airport_id": "10397",
    "flight_date": "2013-02-03",
    "cabin": "ECONOMY",
    "fare_amount": "129.90",
    "currency": "USD",
    "status": "CONFIRMED",
}

NewLake = Callable[[Feed], Lake]


def line(**values: str) -> str:
    return ",".join((GOOD | values).values())


def day_file(*lines: str) -> str:
    return "\n".join([BOOKINGS.header, *lines]) + "\n"


def key(name: str = "bookings.csv", day: str = "2013-01-02") -> str:
    return f"bookings/date={day}/{name}"


@pytest.fixture
def lake(new_lake: NewLake) -> Lake:
    return new_lake(BOOKINGS)


def run(lake: Lake, *lines: str) -> dict[str, Any]:
    """Run the job over one file of lines, and give its counts."""
    (counts,) = lake.counts(lake.land(key(), day_file(*lines)), secret=SECRET)
    return counts


def expected_key(email: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), email.encode(), hashlib.sha256).hexdigest()


# --- many files, one run

BAD: list[tuple[dict[str, str], str]] = [
    ({"booking_id": ""}, "booking_id is empty; a value is required"),
    ({"booking_id": "BK 1"}, "booking_id: expected letters, digits and hyphens, among them a digit"),
    ({"booking_id": "B" * 33}, "booking_id: expected 32 bytes at most"),
    ({"booked_at": "2013-01-02"}, "booked_at: expected a timestamp YYYY-MM-DD HH:MM:SS"),
    ({"booked_at": "2013"}, "booked_at: expected a timestamp"),
    ({"booked_at": "2013-01-32 10:11:12"}, "booked_at: expected a timestamp"),
    ({"email": "ada at example.org"}, "email: expected an e-mail address"),
    ({"carrier": "United"}, "carrier: expected 3 bytes at most"),
    ({"carrier": "ua"}, "carrier: expected a carrier code such as AA"),
    ({"flight_number": "0"}, "flight_number: expected 1 or more"),
    ({"flight_number": "UA1545"}, "flight_number: expected a whole number"),
    ({"origin_airport_id": ""}, "origin_airport_id is empty; a value is required"),
    ({"dest_airport_id": "ATL"}, "dest_airport_id: expected a whole number"),
    ({"flight_date": "2013-02-30"}, "flight_date: expected a date YYYY-MM-DD"),
    ({"flight_date": "2013"}, "flight_date: expected a date YYYY-MM-DD"),
    ({"flight_date": "2013-01-01"}, "flight_date: expected the day of booked_at (in UTC) or a later one"),
    ({"cabin": "COACH"}, "cabin: expected one of ECONOMY, PREMIUM_ECONOMY, BUSINESS, FIRST"),
    ({"fare_amount": "-0.01"}, "fare_amount: expected 0 or more"),
    ({"fare_amount": "1e3"}, "fare_amount: expected a number with at most 3 decimals, such as 129.90"),
    ({"fare_amount": "12.3456"}, "fare_amount: expected a number with at most 3 decimals"),
    ({"fare_amount": "123456789012"}, "fare_amount: expected a number"),
    ({"fare_amount": "NaN"}, "fare_amount: expected a number"),
    ({"currency": "EURO"}, "currency: expected 3 bytes at most"),
    ({"currency": "XBT"}, "currency: expected one of AED, AFN, ALL, AMD, AOA, ARS, AUD, AWG, …"),
    ({"currency": "usd"}, "currency: expected one of"),
    ({"status": "REFUNDED"}, "status: expected one of CONFIRMED, CANCELLED, PENDING"),
    ({"status": ""}, "status is empty; a value is required"),
]

GOOD_LINES = [
    line(booking_id="same-day1", flight_date="2013-01-02"),
    line(booking_id="offset1", booked_at="2013-01-02T23:30:00-05:00"),
    line(booking_id="zulu1", booked_at="2013-01-02T10:11:12.5Z"),
    line(booking_id="free1", fare_amount="0"),
    line(booking_id="dinar1", fare_amount="12.345", currency="KWD"),
    line(booking_id="yen1", fare_amount="18000", currency="JPY"),
    line(booking_id="large1", fare_amount="12345678901.999"),
    line(booking_id="nameless1", passenger_name=""),
    line(booking_id="whole1", flight_number="1545.0"),
    *(line(booking_id=f"in-1-{code}", currency=code) for code in CURRENCIES),
]

FILES: dict[str, list[str]] = {
    "one.csv": [line()],
    "customers.csv": [
        line(booking_id="a1", email="Ada@Example.ORG"),
        line(booking_id="b1", email=" ada@example.org "),
        line(booking_id="c1", email="eve@example.org"),
        line(booking_id="d1", email=""),
    ],
    "bad.csv": [line(booking_id="good1"), *(line(**values) for values, _ in BAD)],
    "good.csv": GOOD_LINES,
    "repeated.csv": [
        line(booking_id="a1", status="PENDING"),
        line(booking_id="b1"),
        line(booking_id="a1", status="CONFIRMED"),
        line(booking_id="a1", status="CANCELLED"),
        line(booking_id="a1", status="NONSENSE"),
    ],
    "first.csv": [line(status="PENDING")],
    "second.csv": [line(status="CONFIRMED")],
    "shown.csv": [line(), line(booking_id="BK-2", fare_amount="-5"), "half a line, of somebody"],
}


@pytest.fixture(scope="module")
def landed(new_lake: NewLake) -> Outcome:
    """What became of all files above; the second lands an hour after the others."""
    lake = new_lake(BOOKINGS)
    entries = [
        lake.land(key(name), day_file(*lines), at=f"2013-01-02T0{1 + (name == 'second.csv')}:00:00+00:00")
        for name, lines in FILES.items()
    ]
    return lake.outcome(*entries, secret=SECRET)


def by_booking(landed: Outcome, name: str) -> dict[str, Row]:
    rows = landed.rows[name]
    found = {row.booking_id: row for row in rows.values()}
    assert len(found) == len(rows) == landed.counts[name]["loaded"]
    return found


def test_a_booking_becomes_typed_values_and_a_key_in_the_place_of_its_customer(landed: Outcome) -> None:
    (row,) = landed.rows["one.csv"].values()

    assert row.asDict() == {
        "file_date": date(2013, 1, 2),
        "booking_id": "BK-1",
        "booked_at": datetime(2013, 1, 2, 10, 11, 12),  # noqa: DTZ001 - Spark's, in UTC
        "customer_key": expected_key("ada@example.org"),
        "carrier": "UA",
        "flight_number": 1545,
        "origin_airport_id": 11618,
        "dest_airport_id": 10397,
        **dict.fromkeys(("dep_airport", "arr_airport", "dep_city", "arr_city", "dep_state", "arr_state")),
        "flight_date": date(2013, 2, 3),
        "cabin": "ECONOMY",
        "fare_amount": Decimal("129.900"),
        "currency": "USD",
        "status": "CONFIRMED",
        "landed_at": datetime(2013, 1, 2, 1),  # noqa: DTZ001
        "source_file": f"s3://landing/{key('one.csv')}",
        "source_line": 2,
        "date": date(2013, 1, 2),
    }


def test_one_customer_has_one_key_however_the_address_is_written_and_nobody_has_none(
    landed: Outcome,
) -> None:
    keys = {name: row.customer_key for name, row in by_booking(landed, "customers.csv").items()}

    assert keys["a1"] == keys["b1"] == expected_key("ada@example.org") != keys["c1"]
    assert keys["d1"] is None


@pytest.mark.parametrize(("values", "reason"), BAD)
def test_a_bad_value_is_rejected_with_its_column_and_what_was_expected_but_not_with_itself(
    landed: Outcome, values: dict[str, str], reason: str
) -> None:
    reject = landed.rejects["bad.csv"][FILES["bad.csv"].index(line(**values)) + 2]

    assert reject["reject_reason"].startswith(reason)
    (name, value) = next(iter(values.items()))
    assert value == "" or value not in reject["raw_text"].split(",") or name == "flight_date"


def test_bad_values_cost_their_own_rows_alone(landed: Outcome) -> None:
    assert landed.of("bad.csv") == (len(BAD) + 1, 1, len(BAD))


def test_good_values_of_every_kind_are_loaded(landed: Outcome) -> None:
    rows = by_booking(landed, "good.csv")

    assert landed.of("good.csv") == (len(GOOD_LINES), len(GOOD_LINES), 0)
    assert rows["offset1"].booked_at == datetime(2013, 1, 3, 4, 30)  # noqa: DTZ001 - Spark's, in UTC
    assert rows["dinar1"].fare_amount == Decimal("12.345")
    assert rows["large1"].fare_amount == Decimal("12345678901.999")


def test_of_a_booking_that_is_repeated_in_its_file_the_last_good_row_counts(landed: Outcome) -> None:
    counts, reasons = landed.counts["repeated.csv"], landed.reasons("repeated.csv")

    assert {name: row.status for name, row in by_booking(landed, "repeated.csv").items()} == {
        "a1": "CANCELLED",
        "b1": "CONFIRMED",
    }
    assert (counts["read"], counts["loaded"], counts["rejected"], counts["repeated"]) == (5, 2, 3, 2)
    assert reasons[2] == reasons[4] == "booking_id is repeated further down in this file; the last row counts"
    assert reasons[6].startswith("status: expected one of")


def test_the_same_booking_in_two_files_of_a_day_is_in_both(landed: Outcome) -> None:
    """Which of them counts is decided in the warehouse, where all days meet."""
    found = [by_booking(landed, name)["BK-1"] for name in ("first.csv", "second.csv")]

    assert [(row.status, row.landed_at.hour) for row in found] == [("PENDING", 1), ("CONFIRMED", 2)]


def test_a_reject_shows_what_is_sound_and_where_the_rest_is(landed: Outcome) -> None:
    reject, half = landed.rejects["shown.csv"].values()

    assert reject["raw_text"] == (
        "BK-2,2013-01-02 10:11:12,***,***,UA,1545,11618,10397,2013-02-03,ECONOMY,***,USD,CONFIRMED"
    )
    assert (reject["line_number"], reject["source_file"]) == (3, f"s3://landing/{key('shown.csv')}")
    assert half["raw_text"] == "***"
    assert half["reject_reason"].startswith("expected 13 fields (booking_id,")


# --- runs of their own


def test_the_last_row_counts_in_files_of_many_blocks(lake: Lake) -> None:
    """Spark reads a large file in pieces, and each piece has its own first line."""
    lake.spark.conf.set("spark.sql.files.maxPartitionBytes", "16384")
    try:
        lines = [line(booking_id=f"b{n % 300}", fare_amount=str(n)) for n in range(900)]
        counts = run(lake, *lines)
    finally:
        lake.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    fares = {row.booking_id: int(row.fare_amount) for row in lake.loaded()}

    assert fares == {f"b{n}": n + 600 for n in range(300)}
    assert (counts["loaded"], counts["repeated"]) == (300, 600)


def everything(lake: Lake, *folders: str) -> bytes:
    """All bytes under folders of the lake, with what Parquet compressed spelled out."""
    found = b""
    for folder in folders:
        for path in (lake.lake / folder).rglob("*"):
            if path.suffix == ".parquet":
                found += repr(rows_of(path)).encode()
            found += path.read_bytes() if path.is_file() else b""
    return found


def test_no_name_and_no_address_gets_into_rows_rejects_or_output(
    lake: Lake, capfd: pytest.CaptureFixture[str]
) -> None:
    """However the line is broken: values shifted, cut, doubled, or out of their columns."""
    person = {"passenger_name": "Zaphod Beeblebrox", "email": "zaphod@heartofgold.example"}
    cells = list((GOOD | person).values())
    broken = [
        line(**person),
        line(**person, fare_amount="-1"),
        line(**person, status="Zaphod"),
        line(**person, booking_id="Zaphod Beeblebrox"),
        line(**person, booking_id="Zaphod"),
        line(**person, carrier="Beeblebrox"),
        ",".join(cells[1:]),
        ",".join([*cells, "Zaphod"]),
        ",".join([cells[0], *cells[2:], "Zaphod"]),
        ",".join([cells[0], *cells[2:4], *cells[2:]][:13]),
        line(**person).replace("Zaphod B", 'Zaphod "B'),
        line(**person).replace("Zaphod", "Zaphod\0"),
        line(**person) + "," + "Zaphod " * 4000,
    ]
    counts = run(lake, line(booking_id="BK-0"), *broken)
    output = "".join(capfd.readouterr())
    found = everything(lake, "enriched", "rejects").decode("utf-8", "replace") + output

    assert counts["rejected"] == len(broken) - 1
    for trace in ("Zaphod", "Beeblebrox", "heartofgold", "Lovelace", "ada@"):
        assert trace not in found


def test_the_key_is_the_standards_hmac_for_secrets_of_every_length(spark: SparkSession) -> None:
    secrets = ("short", "k" * 64, "longer than a block of SHA-256, which is hashed first" * 3)
    rows = spark.sql("SELECT 'ada@example.org' AS email, DATE '2013-01-01' AS partition_date")
    keyed = reduce(
        lambda found, secret: with_key_of(found, secret[:9], F.col("email"), secret), secrets, rows
    )

    assert keyed.first().asDict() == {
        "email": "ada@example.org",
        "partition_date": date(2013, 1, 1),
    } | {secret[:9]: expected_key("ada@example.org", secret) for secret in secrets}


def test_the_secret_is_in_no_plan(lake: Lake) -> None:
    """Plans are logged, by Spark's own UI and with some errors."""
    rows = lake.spark.createDataFrame([("a@b.c", date(2013, 1, 1))], "email string, partition_date date")
    secret = "correct horse battery staple"
    keyed: Any = with_key_of(rows, "customer_key", F.col("email"), secret)
    plan = keyed._jdf.queryExecution().toString()
    inner = bytes(byte ^ 0x36 for byte in secret.encode())

    assert "HashAggregate" in plan or "Join" in plan
    assert secret not in plan
    assert secret.encode().hex() not in plan.lower()
    assert inner.hex() not in plan.lower()
