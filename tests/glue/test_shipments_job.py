"""The shipments' jobs under real Spark: typed, then without people, each shipment once, every row counted."""

import gzip
import json
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from spark_lake import Lake, Outcome

from airline_platform.contract.feed import Feed
from airline_platform.feeds.shipments import SHIPMENTS
from glue_jobs.lake_table_job import replace_days

NewLake = Callable[[Feed], Lake]

pytestmark = [
    # PySpark leaves the socket of every collect to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    # PySpark 3.5 compares versions with it.
    pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning"),
]

NEW_YEAR, SECOND = "2013-01-01", "2013-01-02"
NAME, STREET = "Zaphod Beeblebrox", "42 Heart of Gold Street"
LATER = "2013-01-02T09:00:00+00:00"


def shipment(number: int, **values: Any) -> dict[str, Any]:
    return {
        "shipping_id": number,
        "shipping_date": "2013/01/01",
        "customer_name": NAME,
        "street_address": STREET,
        "destination_city": "Newark",
        "shipping_cost": 129.9,
        "shipping_distance": 50.5,
        "quantity": 2500.0,
        "product_id": 67890,
    } | values


def lines(*rows: Any) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def array(*rows: Any) -> str:
    return "[" + ", ".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "]"


def key(name: str, day: str = NEW_YEAR) -> str:
    return f"shipments/date={day}/{name}"


@pytest.fixture
def lake(new_lake: NewLake) -> Lake:
    return new_lake(SHIPMENTS)


FIELDS = ", ".join(column.name for column in SHIPMENTS.columns)
NOT_JSON = "expected a JSON object, found other text"
DECIMAL = "expected a number with at most 3 decimals, such as 129.90"
BAD = {
    '{"shipping_id": 1, "customer_name": "Zaphod Bee': NOT_JSON,
    "Zaphod Beeblebrox": NOT_JSON,
    "[1, 2]": "expected a JSON object, found another value",
    json.dumps(shipment(2, shipping_cost=float("nan"))): (
        "expected numbers, found NaN or Infinity, which JSON does not have"
    ),
    json.dumps(shipment(3, quantity=float("-inf"))): (
        "expected numbers, found NaN or Infinity, which JSON does not have"
    ),
    json.dumps(shipment(4, quantity={"of": [NAME]})): "quantity: expected a number, found an object",
    json.dumps(shipment(5, destination_city={"city": NAME})): (
        "destination_city: expected text in quotes, found an object"
    ),
    json.dumps(shipment(6, customer_name=["Zaphod", "Beeblebrox"])): (
        "customer_name: expected text in quotes, found an array"
    ),
    json.dumps(shipment(7, shipping_cost="12.5")): "shipping_cost: expected a number, found text",
    json.dumps(shipment(8, shipping_date=20130101)): "shipping_date: expected text in quotes, found a number",
    json.dumps(shipment(9, product_id=True)): "product_id: expected a number, found true or false",
    json.dumps(shipment(10, nick_name=NAME)): f"expected the fields {FIELDS} and no others, found 1 more",
    json.dumps(shipment(11))[:-1] + ', "quantity": 1}': "expected each field once, found one twice",
    json.dumps(shipment(12, shipping_date="2013-01-01")): "shipping_date: expected a date YYYY/MM/DD",
    json.dumps(shipment(13, shipping_date="2013/02/30")): "shipping_date: expected a date YYYY/MM/DD",
    json.dumps(shipment(14, shipping_cost=-0.01)): "shipping_cost: expected 0 or more",
    json.dumps(shipment(15, shipping_cost=1.2345)): f"shipping_cost: {DECIMAL}",
    json.dumps(shipment(16, quantity=10**12)): f"quantity: {DECIMAL}",
    json.dumps(shipment(17, product_id=1.5)): "product_id: expected a whole number",
    json.dumps(shipment(10**30)): "shipping_id: expected a whole number",
    json.dumps(shipment(18, destination_city="  ")): "destination_city is empty; a value is required",
    json.dumps(shipment(19, quantity=None)): "quantity is empty; a value is required",
    "{}": "shipping_id is empty; a value is required",
    json.dumps(shipment(20, destination_city="x" * 101)): "destination_city: expected 100 bytes at most",
    json.dumps(shipment(21, street_address="a\0b")): (
        "street_address: expected text without NUL, found other characters"
    ),
    json.dumps(shipment(22, street_address="a\ud800b")): (
        "street_address: expected text without NUL, found other characters"
    ),
    json.dumps(shipment(23, street_address="x" * 30_000)): "expected at most 20,000 characters, found more",
    '{"shipping_id": ' + "[" * 5_000 + "]" * 5_000 + "}": NOT_JSON,
}
OF_LINES_ONLY = [text for text, reason in BAD.items() if reason == NOT_JSON]
"""In an array they refuse the file, before any job."""


SHAPES = {"lines": lines, "array": array}
EVERY = shipment(1), shipment(2, shipping_cost=15000000.0, customer_name=None), shipment(3)
BAD_OF = {shape: [text for text in BAD if shape == "lines" or text not in OF_LINES_ONLY] for shape in SHAPES}


def latin_1(write: Callable[..., str]) -> bytes:
    """Three shipments, one of which has a byte that is not UTF-8."""
    text = write(shipment(1), shipment(2, street_address="X"), shipment(3))
    return text.encode().replace(b"X", b"\xff")


FILES: dict[str, bytes | str] = {
    **{f"every-{shape}.json": write(*EVERY) for shape, write in SHAPES.items()},
    **{f"every-{shape}.json.gz": gzip.compress(write(*EVERY).encode()) for shape, write in SHAPES.items()},
    **{
        f"bad-{shape}.json": write(shipment(100), *BAD_OF[shape], shipment(101))
        for shape, write in SHAPES.items()
    },
    **{f"latin-1-{shape}.json": latin_1(write) for shape, write in SHAPES.items()},
    "odd.json": lines(
        "\ufeff" + json.dumps(shipment(3)),
        dict(reversed(shipment(1).items())),
        "",
        "  \t ",
        json.dumps(shipment(2)).replace("2500.0", "1.5E+3"),
    ),
}


@pytest.fixture(scope="module")
def landed(new_lake: NewLake) -> Outcome:
    """What became of all of them, in one run."""
    lake = new_lake(SHIPMENTS)
    return lake.outcome(*(lake.land(key(name), body) for name, body in FILES.items()))


@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("every")])
def test_every_shipment_is_typed_with_its_people_and_its_place(landed: Outcome, name: str) -> None:
    found = landed.rows[name]

    assert landed.of(name) == (3, 3, 0)
    assert found[1].asDict() == {
        "file_date": date(2013, 1, 1),
        "shipping_id": 1,
        "shipping_date": date(2013, 1, 1),
        "customer_name": NAME,
        "street_address": STREET,
        "destination_city": "Newark",
        "shipping_cost": Decimal("129.900"),
        "shipping_distance": Decimal("50.500"),
        "quantity": Decimal("2500.000"),
        "product_id": 67890,
        "landed_at": datetime(2013, 1, 2, 3, 4, 5),  # noqa: DTZ001 - Spark's, in UTC
        "source_file": f"s3://landing/{key(name)}",
        "source_line": 1,
        "date": date(2013, 1, 1),
    }
    assert (found[2].shipping_cost, found[2].customer_name) == (Decimal("15000000.000"), None)
    assert [found[place].shipping_id for place in (1, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_no_shipment_is_rejected_with_its_place_and_reason_and_names_nobody(
    landed: Outcome, shape: str
) -> None:
    name, bad = f"bad-{shape}.json", BAD_OF[shape]

    assert landed.of(name) == (len(bad) + 2, 2, len(bad))
    assert dict(sorted(landed.reasons(name).items())) == {
        number: BAD[text] for number, text in enumerate(bad, start=2)
    }
    told = json.dumps(list(landed.rejects[name].values()))
    for secret in (*NAME.split(), "Heart of Gold", "Newark"):
        assert secret not in told
    (negative,) = [
        json.loads(each["raw_text"])
        for each in landed.rejects[name].values()
        if "or more" in each["reject_reason"]
    ]
    assert negative == {
        "shipping_id": "14",
        "shipping_date": "2013/01/01",
        "customer_name": "***",
        "street_address": "***",
        "destination_city": "***",
        "shipping_cost": "***",
        "shipping_distance": "50.5",
        "quantity": "2500.0",
        "product_id": "67890",
    }


@pytest.mark.parametrize("shape", SHAPES)
def test_a_byte_that_is_not_utf_8_costs_its_row_alone(landed: Outcome, shape: str) -> None:
    name = f"latin-1-{shape}.json"

    assert landed.of(name) == (3, 2, 1)
    assert sorted(row.shipping_id for row in landed.rows[name].values()) == [1, 3]


def test_numbers_may_have_exponents_and_fields_any_order(landed: Outcome) -> None:
    found = {row.shipping_id: row.quantity for row in landed.rows["odd.json"].values()}

    assert landed.of("odd.json") == (3, 3, 0)
    assert found == {1: Decimal("2500.000"), 2: Decimal("1500.000"), 3: Decimal("2500.000")}


# --- normalized


def normalized(lake: Lake, *entries: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Run both jobs; rows read and loaded by key."""
    lake.run(*entries)
    urls = [
        {"url": f"s3://lake/{path.relative_to(lake.lake)}", "partition": day}
        for day in {entry["partition"] for entry in entries}
        for path in (lake.lake / "enriched" / f"date={day}").glob("*.parquet")
    ]
    counts = replace_days(lake.spark, SHIPMENTS, lake.manifest(urls), "s3://lake/normalized/")
    return {
        str(count["url"]).removeprefix("s3://landing/"): (count["read"], count["loaded"])  # type: ignore[misc]
        for count in counts
    }


def rows_of(spark: SparkSession) -> list[Row]:
    return spark.read.parquet("s3://lake/normalized/").orderBy("date", "shipping_id").collect()


def test_over_no_files_the_second_job_runs_and_leaves_what_is_there(lake: Lake, spark: SparkSession) -> None:
    normalized(lake, lake.land(key("day.json"), lines(shipment(1))))

    assert replace_days(spark, SHIPMENTS, lake.manifest([]), "s3://lake/normalized/") == []
    assert len(rows_of(spark)) == 1


def test_people_are_gone_and_cities_are_spelled_in_one_way(lake: Lake, spark: SparkSession) -> None:
    spelled = ["newark", "NEW YORK", " San\u00a0 Juan ", "winston-SALEM", "st. john's", "serverless_island"]
    rows = [shipment(number, destination_city=city) for number, city in enumerate(spelled)]

    assert normalized(lake, lake.land(key("day.json"), lines(*rows))) == {key("day.json"): (6, 6)}
    found = rows_of(spark)
    assert [row.destination_city for row in found] == [
        "Newark", "New York", "San Juan", "Winston-Salem", "St. John's", "Serverless Island",
    ]  # fmt: skip
    assert found[0].asDict().keys() == {*SHIPMENTS.table.column_names, "date"}
    kept = b"".join(path.read_bytes() for path in (lake.lake / "normalized").rglob("*.parquet"))
    assert b"Beeblebrox" not in kept
    assert b"Heart of Gold" not in kept


def test_of_a_days_shipment_the_newest_row_counts_and_the_others_are_counted(
    lake: Lake, spark: SparkSession
) -> None:
    old = lake.land(
        key("z-old.json"),
        lines(shipment(1, quantity=1), shipment(1, quantity=2), shipment(2, quantity=3)),
    )
    new = lake.land(key("a-new.json"), array(shipment(2, quantity=4)), at=LATER)
    other_day = lake.land(key("day.json", SECOND), lines(shipment(1, quantity=5)))

    assert normalized(lake, old, new, other_day) == {
        key("z-old.json"): (3, 1),
        key("a-new.json"): (1, 1),
        key("day.json", SECOND): (1, 1),
    }
    found = [(str(row.file_date), row.shipping_id, int(row.quantity)) for row in rows_of(spark)]
    assert found == [(NEW_YEAR, 1, 2), (NEW_YEAR, 2, 4), (SECOND, 1, 5)]


def test_a_day_that_comes_again_replaces_itself_alone(lake: Lake, spark: SparkSession) -> None:
    entries = [lake.land(key("day.json", day), lines(shipment(1), shipment(2))) for day in (NEW_YEAR, SECOND)]
    normalized(lake, *entries)

    normalized(lake, lake.land(key("day.json"), lines(shipment(3))))

    assert [(str(row.file_date), row.shipping_id) for row in rows_of(spark)] == [
        (NEW_YEAR, 3), (SECOND, 1), (SECOND, 2),
    ]  # fmt: skip
