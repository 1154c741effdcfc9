"""A file of every refused kind is the first that ever lands: it spoils no table, and good days load."""

import gzip
import json
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from resources.catalog import CONFIRMED, catalog_tables

ROWS = 40

GOOD_ROWS = {
    AIRPORTS.name: "{n},Nowhere,ER,Nowhere Intl",
    FLIGHTS.name: "B6,12478,12892,4,5",
    BOOKINGS.name: (
        "R-{n},2013-06-30 10:11:12,Tricia McMillan,tricia@magrathea.example,UA,1545,12478,12892,"
        "2013-09-01,ECONOMY,129.90,USD,CONFIRMED"
    ),
}
SHIPMENT = {
    "shipping_date": "2013/08/01",
    "customer_name": "Tricia McMillan",
    "street_address": "7 Magrathea Road",
    "destination_city": "newark",
    "shipping_cost": 129.9,
    "shipping_distance": 50.5,
    "quantity": 2500.0,
    "product_id": 67890,
}
FIRST_DAY = date(2014, 2, 1)
LIKE_NO_FEED = {
    "no bytes": b"",
    "blanks only": b" \n\t\n\r\n   \n",
    "NULs": bytes(4096),
    "Parquet": b"PAR1" + bytes(range(256)) * 4 + b"PAR1",
    "a spreadsheet": b"PK\x03\x04" + bytes(range(256)) * 4,
    "a web page": b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
}
OPEN = {"a sep line", "a header only", "two byte order marks"}
"""What these come to is a matter of what a feed allows; that they stop nobody is not."""


def good(feed: Feed) -> bytes:
    if feed.format == "json":
        rows = [json.dumps({"shipping_id": number} | SHIPMENT) for number in range(1, ROWS + 1)]
        return "".join(f"{row}\n" for row in rows).encode()
    rows = [GOOD_ROWS[feed.name].format(n=number) for number in range(1, ROWS + 1)]
    return "\n".join([feed.header, *rows, ""]).encode()


def refused(feed: Feed) -> dict[str, bytes]:
    """A file of each kind; the word gzip in its name has the key end in .gz."""
    body = good(feed)
    kinds = LIKE_NO_FEED | {
        "UTF-16": body.decode().encode("utf-16"),
        "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf" + body,
        "a gzip that ends early": gzip.compress(body * 50, compresslevel=0)[:-99],
        "text called gzip": body,
        "packed without saying so": gzip.compress(body),
    }
    if feed.format == "json":
        return kinds | {
            "CSV": good(FLIGHTS),
            "a word": b'"shipments"\n' * ROWS,
            "an array that ends early": b"[" + body.replace(b"\n", b",")[:-30],
            "fields of another feed": b'{"Carrier": "B6", "DepDelay": 4}\n' * ROWS,
        }
    other = AIRPORTS if feed is not AIRPORTS else FLIGHTS
    return kinds | {
        "a sep line": b"sep=,\n" + body,
        "semicolons": body.replace(b",", b";"),
        "a Latin-1 header": body.replace(feed.columns[0].name.encode(), b"A\xe9roport", 1),
        "another feed's header": good(other),
        "a column less": body.replace(f",{feed.columns[-1].name}".encode(), b"", 1),
        "no header": body.partition(b"\n")[2],
        "a header only": f"{feed.header}\n".encode(),
        "JSON": good(SHIPMENTS),
    }


def files(feed: Feed) -> dict[str, tuple[str, bytes]]:
    """Key and body of each kind; the kinds of a daily feed are a day apart."""
    made = {}
    for number, (kind, body) in enumerate(refused(feed).items()):
        name = f"{number:02}.{feed.format}" + (".gz" if "gzip" in kind else "")
        made[kind] = (feed.key(name, FIRST_DAY + timedelta(days=number)), body)
    return made


GOOD_DAY = FIRST_DAY + timedelta(days=60)
GOOD_KEYS = {feed.name: feed.key(f"good.{feed.format}", GOOD_DAY) for feed in FEEDS.values()}
CASES = [(feed, kind) for feed in FEEDS.values() for kind in refused(feed)]


@dataclass(frozen=True)
class Story:
    """What came of it: the tables at each point, and the ledger by key."""

    tables: dict[str, dict[str, Any]]
    ledger: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def stack(fresh_stack: Any) -> Any:
    """A stack of its own: alerts quote what is refused here, and the lake adds up what is loaded."""
    return fresh_stack


@pytest.fixture(scope="module")
def story(stack: Any) -> Story:
    """All the bad files land at once on a new stack; when each has its verdict, a good one of each feed."""
    assert stack.query("SELECT key FROM airlines.ingested_files") == [], "something has landed before"
    tables = {"deployed": tables_of(stack)}
    put(stack, {key: body for feed in FEEDS.values() for key, body in files(feed).values()})
    stack.wait()
    stack.wait_until_idle()
    tables["refused"] = tables_of(stack)
    put(stack, {GOOD_KEYS[feed.name]: good(feed) for feed in FEEDS.values()})
    stack.wait()
    tables["loaded"] = tables_of(stack)
    rows = stack.query("SELECT * FROM airlines.ingested_files")
    return Story(tables, {row["key"]: row for row in rows})


def put(stack: Any, bodies: dict[str, bytes]) -> None:
    s3 = stack.client("s3")
    for key, body in bodies.items():
        s3.put_object(Bucket=stack.settings.landing_bucket, Key=key, Body=body)


def tables_of(stack: Any) -> dict[str, Any]:
    """Every table of the catalog but the warehouse's, which its own crawler makes."""
    pages = (
        stack.client("glue").get_paginator("get_tables").paginate(DatabaseName=stack.settings.glue_database)
    )
    found = {table["Name"]: table for page in pages for table in page["TableList"]}
    return {name: table for name, table in found.items() if not name.startswith("warehouse_")}


@pytest.mark.parametrize(("feed", "kind"), CASES, ids=[f"{feed.name}: {kind}" for feed, kind in CASES])
def test_what_cannot_be_its_feed_is_rejected(story: Story, feed: Feed, kind: str) -> None:
    entry = story.ledger[files(feed)[kind][0]]

    assert entry["state"] in ({"rejected", "loaded"} if kind in OPEN else {"rejected"})
    assert bool(entry["reason"]) == (entry["state"] == "rejected")


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_the_good_file_that_comes_after_them_is_loaded(story: Story, feed: Feed) -> None:
    entry = story.ledger[GOOD_KEYS[feed.name]]

    assert (entry["state"], entry["rows_loaded"], entry["rows_rejected"]) == ("loaded", ROWS, 0)


@pytest.mark.parametrize("when", ["deployed", "refused", "loaded"])
def test_the_catalogs_tables_are_as_declared_at_every_moment(stack: Any, story: Story, when: str) -> None:
    declared = {
        name: [(column.name.lower(), column.glue_type) for column in table.columns]
        for name, table in catalog_tables(stack.settings).items()
    }

    assert {name: columns(table) for name, table in story.tables[when].items()} == declared


def columns(table: dict[str, Any]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]


def test_every_table_was_confirmed_once_by_a_crawl_or_by_who_writes_it(stack: Any, story: Story) -> None:
    crawled = {name for name, table in catalog_tables(stack.settings).items() if table.crawler}

    assert {n for n, table in story.tables["loaded"].items() if CONFIRMED in table["Parameters"]} == crawled


@pytest.fixture(scope="module")
def partitions(stack: Any, story: Story) -> dict[str, dict[str, Any]]:  # noqa: ARG001 - landed
    """Storage of the good day's partition, by table."""
    glue, database = stack.client("glue"), stack.settings.glue_database
    return {
        name: glue.get_partition(DatabaseName=database, TableName=name, PartitionValues=[str(GOOD_DAY)])[
            "Partition"
        ]["StorageDescriptor"]
        for name, table in catalog_tables(stack.settings).items()
        if table.crawler and table.daily
    }


def test_the_good_day_is_a_partition_of_each_table_and_reads_like_it(
    stack: Any, story: Story, partitions: dict[str, dict[str, Any]]
) -> None:
    declared = catalog_tables(stack.settings)

    assert partitions == {
        name: story.tables["loaded"][name]["StorageDescriptor"] | {"Location": partitions[name]["Location"]}
        for name in partitions
    }
    by_run = {name for name in partitions if declared[name].by_run}
    assert {name: it["Location"] for name, it in partitions.items() if name not in by_run} == {
        name: declared[name].folder(str(GOOD_DAY)) for name in partitions.keys() - by_run
    }
    for name in by_run:
        location = partitions[name]["Location"]
        assert location.startswith(f"{declared[name].location}runs/")
        assert location.endswith(f"/date={GOOD_DAY}/")
    assert len(partitions) == 4
