"""Shipments from landed JSON to what they add up to, over HTTP against a whole laptop stack."""

import gzip
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import psycopg2
import pytest
from pyarrow import parquet
from tenacity import Retrying, retry_if_result, wait_fixed

from airline_platform.contract.sink import LakeTable
from airline_platform.feeds.shipments import SHIPMENTS
from assets.ingest.sinks.totals import Totals, read_totals, totals_sql
from command import follow
from command.dagster_client import DagsterClient, days_between
from command.generators.files import Order, generate_files, summary
from laptop.postgres import PostgresServer
from resources.athena import QueryResult
from resources.inbox import read_alerts

NAME, STREET = "Zaphod Beeblebrox", "42 Heart of Gold Street"
FIRST, LAST = "2013-01-01", "2099-12-31"
"""All days that any test of this stack lands; the totals over all days are theirs, too."""

CLEAN = ["2013-08-01", "2013-08-02", "2013-08-03"]
DIRTY = (date(2013, 8, 4), date(2013, 8, 8))
DIRTY_ROWS, SEED = 10_000, 42
LARGE_DAY, LARGE_BYTES = "2013-08-29", 100_000_000
WAVE_SECONDS = 560

Numbers = tuple[int | Decimal, ...]
"""Rows, cost, distance and quantity."""

assert isinstance(SHIPMENTS.becomes, LakeTable)
SINK = SHIPMENTS.becomes


def shipment(number: int, **values: Any) -> dict[str, Any]:
    return {
        "shipping_id": number,
        "shipping_date": "2013/08/01",
        "customer_name": NAME,
        "street_address": STREET,
        "destination_city": "newark",
        "shipping_cost": 129.9,
        "shipping_distance": 50.5,
        "quantity": 2500.0,
        "product_id": 67890,
    } | values


def lines(*rows: Any) -> str:
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


def array(*rows: Any) -> str:
    return "[" + ", ".join(row if isinstance(row, str) else json.dumps(row) for row in rows) + "]"


def key(day: str, name: str = "shipments.json") -> str:
    return f"shipments/date={day}/{name}"


GOOD = [shipment(number) for number in range(1, 41)]
FIELDS = SHIPMENTS.header
ONE_BAD = ("loaded", 41, 40, 1, None)


def refused(reason: str) -> tuple[str, None, None, None, str]:
    return ("rejected", None, None, None, reason)


def wanted(found: str, remedy: str) -> str:
    json_text = f"JSON, an object a line or one array of objects, with the fields {FIELDS}"
    return f"{found}; expected {json_text}. {remedy}"


ONE_A_LINE = "Write one object a line, or one array of objects."
WHOLE = "Land the file again, complete."
OR_LINES = f"{WHOLE} Or write one object a line: then only what is broken is rejected."

MALFORMED: dict[str, tuple[bytes | str, tuple[Any, ...]]] = {
    "a last line cut short": (lines(*GOOD) + json.dumps(shipment(41))[:99], ONE_BAD),
    "NaN in a line": (lines(*GOOD, shipment(41, quantity=float("nan"))), ONE_BAD),
    "NaN in an array": (array(*GOOD, shipment(41, quantity=float("nan"))), ONE_BAD),
    "an object in an object": (lines(*GOOD, shipment(41, customer_name={"first": NAME})), ONE_BAD),
    "text for a number": (array(*GOOD, shipment(41, quantity=NAME)), ONE_BAD),
    "an unknown field": (lines(*GOOD, shipment(41, nick_name=NAME)), ONE_BAD),
    "a shipment twice": (lines(*GOOD, shipment(40, quantity=1)), ONE_BAD),
    "a byte order mark": ("\ufeff" + array(*GOOD), ("loaded", 40, 40, 0, None)),
    "an array of many lines": (json.dumps(GOOD, indent=2), ("loaded", 40, 40, 0, None)),
    "too much that is broken": (
        lines(*GOOD[:20], *(shipment(number, quantity=NAME) for number in range(50, 60))),
        (
            "rejected", 30, 0, 30,
            (
                "expected at most 5.0% of the rows to be rejected, found 33.3% of 30; "
                "s3://airline-landing/{key}, line 21: quantity: expected a number, found text"
            ),
        ),
    ),
    "an array cut short": (
        array(*GOOD)[:-50],
        refused(f"line 1: the array ends early; expected a complete JSON array. {OR_LINES}"),
    ),
    "an array broken in the middle": (
        array(*GOOD[:20], f"\n{NAME}", *GOOD[20:]),
        refused(f"line 2: an element that is not JSON; expected a complete JSON array. {OR_LINES}"),
    ),
    "an empty array": (
        "[ ]",
        refused(
            "line 1: an empty array; expected at least one object in the array. "
            "Land the file again, with its rows."
        ),
    ),
    "UTF-16": (
        lines(*GOOD).encode("utf-16"),
        refused(
            "line 1: the file is UTF-16 or UTF-32; expected JSON text in UTF-8. "
            "Export the file as JSON in UTF-8."
        ),
    ),
    "UTF-16 without a mark": (
        array(*GOOD).encode("utf-16-le"),
        refused(
            "line 1: the file is binary data or UTF-16; expected JSON text in UTF-8. "
            "Export the file as JSON in UTF-8."
        ),
    ),
    "CSV": (
        f"{FIELDS}\n1,2013/08/01,{NAME},{STREET},Newark,1,2,3,4\n",
        refused(
            "line 1: "
            + wanted(
                "neither an object nor an array begins",
                f"{ONE_A_LINE} Or land it under its own feed's prefix instead of shipments/.",
            )
        ),
    ),
    "an object on many lines": (
        json.dumps(GOOD[0], indent=2),
        refused("line 1: " + wanted("an object over several lines", ONE_A_LINE)),
    ),
    "another feed's objects": (
        lines({"booking_id": NAME}),
        refused(
            f"line 1: none of the feed's fields in the first object; expected the fields {FIELDS}. Name the "
            "fields so, or land the file under its own feed's prefix instead of shipments/; other names of "
            "fields can be declared (Feed.reading)."
        ),
    ),
    "nothing": ("", refused(f"line 1: the file is empty; expected the fields {FIELDS}. {WHOLE}")),
    "blanks": (" \n \n", refused("line 1: " + wanted("the file holds no text", WHOLE))),
}  # fmt: skip
MALFORMED_DAYS = dict(zip(MALFORMED, days_between(date(2013, 8, 9), date(2013, 8, 28)), strict=True))


@dataclass(frozen=True)
class Story:
    """What was there when everything had landed once.

    Args:
        totals: Of the clean days.
        people: Names and streets of the fifty thousand, and of the malformed files.
        rejected: How many of the fifty thousand have to be.
    """

    totals: dict[str | None, Totals]
    people: set[str]
    rejected: int


@pytest.fixture(scope="module")
def story(stack: Any, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Everything lands at once: one run takes it all."""
    folder = tmp_path_factory.mktemp("shipments")
    landed: dict[str, bytes] = {}
    for number, day in enumerate(CLEAN):
        landed |= generated(folder / day, day, rows=300, array=number == 1)
    order = Order("shipments", *DIRTY, folder / "dirty", rows=DIRTY_ROWS, seed=SEED, dirty=True)
    rejected = summary(order, generate_files(order, lambda _day: None).values())["rejected"]
    landed |= files_below(folder / "dirty")
    for case, (body, _) in MALFORMED.items():
        landed[key(str(MALFORMED_DAYS[case]))] = body.encode() if isinstance(body, str) else body
    landed[key(LARGE_DAY)] = large_array()
    landed[key("2013-08-30", "day.json.gz")] = gzip.compress(array(*GOOD).encode())
    wave(stack, landed)
    return Story(totals(stack), people_of(stack), rejected)


def generated(folder: Path, day: str, *, rows: int, array: bool = False) -> dict[str, bytes]:
    """A day's files by key, generated under a name nobody had before."""
    order = Order(
        "shipments", date.fromisoformat(day), date.fromisoformat(day), folder, rows=rows, array=array
    )
    generate_files(order, lambda _day: None)
    return files_below(folder)


def files_below(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*.json")
        if path.is_file()
    }


def large_array() -> bytes:
    """One array of a hundred megabytes, on one line; most of it blanks, because rows take time."""
    text = json.dumps(shipment(10_000_000)).replace(", ", f", {' ' * 200}")
    rows = LARGE_BYTES // (len(text) + 2) + 1
    body = ", ".join(text.replace("10000000", str(10_000_000 + number), 1) for number in range(rows))
    return f"[{body}]".encode()


def wave(stack: Any, landed: dict[str, bytes]) -> None:
    """Land files at once, so that one run takes them all."""
    s3 = stack.client("s3")
    with stack.nobody_listening():
        for place, body in landed.items():
            s3.put_object(Bucket=stack.settings.landing_bucket, Key=place, Body=body)
    accounts = follow.wait(stack.settings, DagsterClient.of(stack.settings), WAVE_SECONDS)
    assert [each.key for each in accounts if each.state == "waiting"] == []


def ask(stack: Any, sql: str) -> list[dict[str, str | None]]:
    """What Athena answers."""
    athena, settings = stack.client("athena"), stack.settings
    query = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": settings.glue_database},
        WorkGroup=settings.workgroup,
    )["QueryExecutionId"]
    status = Retrying(
        retry=retry_if_result(lambda it: it["State"] in ("QUEUED", "RUNNING")), wait=wait_fixed(0.2)
    )(lambda: athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]["Status"])
    assert status["State"] == "SUCCEEDED", status
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=query)
    header, *rows = [
        [cell.get("VarCharValue") for cell in row["Data"]]
        for page in pages
        for row in page["ResultSet"]["Rows"]
    ]
    return [dict(zip(header, row, strict=True)) for row in rows]


def totals(stack: Any) -> dict[str | None, Totals]:
    """What the lake holds, by day; over all days under None."""
    return read_totals(SINK, QueryResult("", ask(stack, totals_sql(SINK, FIRST, LAST)), 0, 0.0, ""))


ORACLE = """
WITH landed AS (
  SELECT *, regexp_extract(filename, 'date=([0-9-]+)', 1) AS day
  FROM read_json($files, filename = true, hive_partitioning = false, columns = {
    shipping_id: 'BIGINT', shipping_cost: 'DECIMAL(14, 3)', shipping_distance: 'DECIMAL(14, 3)',
    quantity: 'DECIMAL(14, 3)'
  })
), numbered AS (
  SELECT *, row_number() OVER () AS place FROM landed
), newest AS (
  SELECT *, row_number() OVER (
    PARTITION BY day, shipping_id ORDER BY list_position($files, filename) DESC, place DESC
  ) AS rank FROM numbered
)
SELECT day, count(*), sum(shipping_cost), sum(shipping_distance), sum(quantity) FROM newest WHERE rank = 1
GROUP BY day
"""
"""Totals by other means than the platform's: files in the order in which they landed, clean days only."""


def landed_of(stack: Any, day: str) -> str:
    """The key of a day's only file."""
    place = {"Bucket": stack.settings.landing_bucket, "Prefix": f"shipments/date={day}/"}
    (item,) = stack.client("s3").list_objects_v2(**place)["Contents"]
    return str(item["Key"])


def oracle(stack: Any, folder: Path, days: Sequence[str] = CLEAN) -> dict[str, Numbers]:
    """What the clean days' landed files add up to."""
    s3, bucket = stack.client("s3"), stack.settings.landing_bucket
    found = []
    for day in days:
        found += s3.list_objects_v2(Bucket=bucket, Prefix=f"shipments/date={day}/").get("Contents", [])
    paths = []
    # S3 tells whole seconds; of one second the later name counts as the later file.
    for item in sorted(found, key=lambda each: (each["LastModified"], each["Key"])):
        path = folder / item["Key"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read())
        paths.append(str(path))
    with duckdb.connect() as engine:
        rows = engine.execute(ORACLE, {"files": paths}).fetchall()
    return {row[0]: tuple(row[1:]) for row in rows}


def said(found: Totals) -> str:
    """As an alert says it."""
    return found.words(SHIPMENTS.noun, SINK.sums)


def clean(found: dict[str | None, Totals]) -> dict[str, Numbers]:
    """The clean days' totals."""
    return {day: (it.rows, *it.sums) for day, it in found.items() if day in CLEAN}


def verdict(stack: Any, place: str) -> tuple[Any, ...]:
    rows = stack.query(
        "SELECT state, rows_read, rows_loaded, rows_rejected, reason FROM airlines.ingested_files "
        f"WHERE key = '{place}' AND state <> 'superseded'"
    )
    assert len(rows) == 1, rows
    return tuple(rows[0].values())


def test_the_totals_are_those_of_what_landed(stack, story: Story, tmp_path: Path):
    assert clean(story.totals) == oracle(stack, tmp_path)
    assert all(it.rows == 294 for day, it in story.totals.items() if day in CLEAN)
    all_days = [it for day, it in story.totals.items() if day]
    assert story.totals[None].rows == sum(it.rows for it in all_days)
    assert story.totals[None].sums == tuple(map(sum, zip(*(it.sums for it in all_days), strict=True)))


def test_the_alert_has_the_figures_the_query_and_its_price(stack, story: Story):
    (told,) = [a["message"] for a in stack.alerts("loaded") if f"{CLEAN[0]}: cost" in a["message"]]
    assert f"{CLEAN[0]}: {said(story.totals[CLEAN[0]])}" in told
    assert f"All days:   {said(story.totals[None])}" in told
    query = re.search(r"Query: +(\S+)", told)
    assert query
    done = stack.client("athena").get_query_execution(QueryExecutionId=query[1])["QueryExecution"]
    assert done["Status"]["State"] == "SUCCEEDED"
    assert f"Scanned:    {done['Statistics']['DataScannedInBytes']:,} bytes, about 0.0000" in told
    place = done["ResultConfiguration"]["OutputLocation"]
    assert f"Result:     {place}" in told
    bucket, _, path = place.removeprefix("s3://").partition("/")
    assert path.startswith("athena-results/")
    body = stack.client("s3").get_object(Bucket=bucket, Key=path)["Body"].read().decode()
    assert f"{CLEAN[0]},294," in body


@pytest.mark.usefixtures("story")
@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_json_gets_its_verdict(stack, case: str):
    place = key(str(MALFORMED_DAYS[case]))
    state, read, loaded, rejected, reason = MALFORMED[case][1]
    found = verdict(stack, place)
    assert found[:4] == (state, read, loaded, rejected)
    if reason is None:
        assert found[4] is None
    else:
        assert found[4].startswith(reason.replace("{key}", place))


def test_an_array_of_a_hundred_megabytes_is_loaded_whole(stack, story: Story):
    rows = story.totals[LARGE_DAY].rows
    assert verdict(stack, key(LARGE_DAY)) == ("loaded", rows, rows, 0, None)
    assert rows > LARGE_BYTES // 3_000
    assert story.totals[LARGE_DAY].sums[2] == 2500 * rows
    assert verdict(stack, key("2013-08-30", "day.json.gz")) == ("loaded", 40, 40, 0, None)


def test_every_dirty_row_is_rejected_and_no_other(stack, story: Story):
    (row,) = stack.query(
        "SELECT SUM(rows_read) AS rows_read, SUM(rows_loaded) AS loaded, SUM(rows_rejected) AS rejected "
        f"FROM airlines.ingested_files WHERE feed = 'shipments' AND partition_date BETWEEN '{DIRTY[0]}' "
        f"AND '{DIRTY[1]}'"
    )
    days = [str(day) for day in days_between(*DIRTY)]
    kept = sum(story.totals[day].rows for day in days)
    (found,) = ask(
        stack,
        f"SELECT COUNT(*) AS n FROM shipments_rejects WHERE \"date\" BETWEEN '{days[0]}' AND '{days[-1]}'",
    )
    assert row["rows_read"] == DIRTY_ROWS * len(days)
    assert row["loaded"] == kept
    assert int(found["n"] or 0) == story.rejected
    assert 0 < row["rejected"] - story.rejected <= row["rows_read"] // 50  # sent twice


# --- people


def people_of(stack: Any) -> set[str]:
    """Names and streets of everybody who landed, as the typed rows have them."""
    columns = ["customer_name", "street_address"]
    found: set[str] = set()
    for path, body in objects(stack, stack.settings.landing_bucket, SHIPMENTS.typed_prefix):
        table = parquet.read_table(io.BytesIO(body), columns=columns)
        assert path.endswith(".parquet")
        found |= {value for name in columns for value in table[name].unique().to_pylist() if value}
    return found


def objects(stack: Any, bucket: str, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    s3 = stack.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for item in page.get("Contents", ()):
            yield item["Key"], s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()


def everything_but_the_landing(stack: Any) -> Iterator[tuple[str, str]]:
    """Every text there is anywhere: where, and what."""
    for bucket in (stack.settings.lake_bucket, stack.settings.audit_bucket):
        for place, body in objects(stack, bucket):
            if place.endswith(".parquet"):
                table = parquet.read_table(io.BytesIO(body))
                yield place, "\n".join(json.dumps(row, default=str) for row in table.to_pylist())
            unpacked = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
            yield place, unpacked.decode("utf-8", "replace")
    yield from databases(stack)
    yield "inbox", json.dumps(read_alerts(stack.settings))
    logs = stack.client("logs")
    for group in logs.describe_log_groups()["logGroups"]:
        name = group["logGroupName"]
        for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
            yield name, "\n".join(event["message"] for event in page["events"])
    for path in stack.home.rglob("*.log"):
        yield str(path), path.read_text(errors="replace")


def databases(stack: Any) -> Iterator[tuple[str, str]]:
    """Every row of the warehouse and of Dagster's storage: events, runs, ticks."""
    server = PostgresServer(stack.home, stack.settings.running_stack()["ports"]["postgres"])
    secret = server.warehouse_credentials()
    warehouse = {name: secret[name] for name in ("host", "port", "dbname", "password")} | {
        "user": secret["username"]
    }
    for connection in (warehouse, server.dagster_connection()):
        with psycopg2.connect(**connection) as session, session.cursor() as cursor:
            cursor.execute(
                "SELECT quote_ident(schemaname) || '.' || quote_ident(tablename) FROM pg_tables "
                "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            )
            for (table,) in cursor.fetchall():
                cursor.execute(f"SELECT t::text FROM {table} AS t")
                yield table, "\n".join(row[0] for row in cursor.fetchall())
        session.close()


WORD = re.compile(r"\w+")


def pairs(text: str) -> set[tuple[str, str]]:
    """Words beside each other."""
    return set(pairwise(WORD.findall(text)))


def seen(people: set[str], text: str) -> list[str]:
    """Who is in a text, however JSON writes the letters."""
    plain = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    beside = pairs(plain)
    return [person for person in people if pairs(person) <= beside and person in plain]


def test_nobody_is_named_anywhere_but_in_the_landing_bucket(stack, story: Story):
    assert {NAME, STREET} <= story.people
    assert len(story.people) > 9_000
    days = [f"shipments/date={day}/" for day in days_between(*DIRTY)]
    landed = b"".join(body for day in days for _, body in objects(stack, stack.settings.landing_bucket, day))
    assert len(seen(story.people, landed.decode("utf-8", "replace"))) > 9_000

    places = []
    for place, text in everything_but_the_landing(stack):
        assert not (named := seen(story.people, text)), f"{place} names {named[:3]}"
        places.append(place)

    assert any(place.startswith("shipments_normalized/") for place in places)
    assert any(place.startswith("rejects/shipments/") for place in places)
    assert {"inbox", "public.event_logs", "airlines.ingested_files", "airlines.alert_outbox"} <= {*places}
    assert any("/glue-jobs/" in place for place in places)


@pytest.mark.usefixtures("story")
def test_the_catalog_has_both_tables_and_only_the_typed_one_has_people(stack):
    glue, database = stack.client("glue"), stack.settings.glue_database
    columns = {}
    for name in ("shipments_parquet", "shipments_normalized"):
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
        columns[name] = [column["Name"] for column in table["StorageDescriptor"]["Columns"]]
        assert [each["Name"] for each in table["PartitionKeys"]] == ["date"]
        pages = glue.get_paginator("get_partitions").paginate(DatabaseName=database, TableName=name)
        values = {partition["Values"][0] for page in pages for partition in page["Partitions"]}
        assert {*CLEAN, LARGE_DAY} <= values
    assert columns["shipments_parquet"] == list(SHIPMENTS.typed.column_names)
    assert columns["shipments_normalized"] == list(SHIPMENTS.table.column_names)
    assert not {"customer_name", "street_address"} & set(columns["shipments_normalized"])


# --- again and again; these tests change what is there, in this order


@pytest.mark.usefixtures("story")
def test_landed_again_overwritten_and_backfilled_the_totals_are_still_those_of_what_landed(
    stack, tmp_path: Path
):
    again = generated(tmp_path / "again", CLEAN[0], rows=300)
    before = oracle(stack, tmp_path / "before")
    overwritten, broken = (landed_of(stack, day) for day in CLEAN[1:])
    other = lines(*(shipment(number, shipping_cost=number / 8) for number in range(100)))
    wave(stack, again | {overwritten: other.encode(), broken: array(*GOOD)[:-50].encode()})

    found = clean(totals(stack))
    landed = oracle(stack, tmp_path / "landed", CLEAN[:2])
    assert found == landed | {CLEAN[2]: before[CLEAN[2]]}
    assert found[CLEAN[0]] == before[CLEAN[0]]
    assert found[CLEAN[1]][0] == 100
    states = f"SELECT state FROM airlines.ingested_files WHERE key = '{broken}' ORDER BY landed_at"
    assert [row["state"] for row in stack.query(states)] == ["loaded", "rejected"]
    (place,) = again
    assert verdict(stack, place)[:4] == ("loaded", 300, 294, 6)
    first = [
        row["rows_loaded"]
        for row in stack.query(
            f"SELECT rows_loaded FROM airlines.ingested_files WHERE partition_date = '{CLEAN[0]}' "
            f"AND key <> '{place}' AND state = 'loaded'"
        )
    ]
    assert first == [0]

    told = len(stack.alerts("loaded"))
    stack.launch(SHIPMENTS, CLEAN[0], CLEAN[2])
    stack.until(lambda: len(stack.alerts("loaded")) > told)
    stack.wait_until_idle()
    assert clean(totals(stack)) == found
    assert [row["state"] for row in stack.query(states)] == ["loaded", "rejected"]


@pytest.mark.usefixtures("story")
def test_a_query_that_fails_is_told_with_athenas_reason_and_no_figures(stack):
    s3, lake = stack.client("s3"), stack.settings.lake_bucket
    standing = stack.client("glue").get_partition(
        DatabaseName=stack.settings.glue_database,
        TableName="shipments_normalized",
        PartitionValues=[CLEAN[0]],
    )["Partition"]["StorageDescriptor"]["Location"]
    broken = standing.removeprefix(f"s3://{lake}/") + "broken.parquet"
    s3.put_object(Bucket=lake, Key=broken, Body=b"this is no Parquet")
    day = "2013-08-30"
    place = key(day, "one_more.json")
    written = f"SELECT state FROM airlines.ingested_files WHERE key = '{place}'"
    stack.put(place, lines(shipment(41)))

    (told,) = stack.until(
        lambda: [a["message"] for a in stack.alerts("failed") if f"Partition: {day}" in a["message"]]
    )
    assert "Stage:     Athena query" in told
    assert "ended with FAILED: " in told
    assert "broken.parquet" in told
    assert "What to do:" in told
    assert not stack.query(written)

    s3.delete_object(Bucket=lake, Key=broken)
    stack.launch(SHIPMENTS, day, day)
    stack.until(lambda: stack.query(written))
    assert verdict(stack, place)[:4] == ("loaded", 1, 1, 0)
    assert totals(stack)[day].rows == 41
