"""The Data Catalog on a laptop: its tables stay as declared whatever lands, and a crawl confirms them."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airline_platform.contract.table import Column
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings, get_settings
from assets.ingest.catalog import register, register_and_confirm
from command.deploy.stack import deploy_stack
from resources.athena import Athena
from resources.aws.client import make_client
from resources.catalog import CatalogTable, catalog_tables, ensure_catalog_tables, landing_table
from resources.glue import Glue

GOOD = f"{FLIGHTS.header}\nB6,12478,12892,4,5\nAA,12892,12478,,\n".encode()

REFUSED = {
    "a sep line": b"sep=,\n" + GOOD,
    "semicolons": GOOD.replace(b",", b";"),
    "a Latin-1 header": "Carrier,A\u00e9roport\nB6,1\n".encode("latin-1"),
    "UTF-16": GOOD.decode().encode("utf-16"),
    "Parquet's magic": b"PAR1" + b"Zaphod Beeblebrox\n" * 20,
    "ZIP's magic": b"PK\x03\x04" + bytes(range(256)) * 4,
    "another header": b"From,To\n1,2\n",
    "no header": GOOD.partition(b"\n")[2] * 20,
    "a header only": GOOD.partition(b"\n")[0],
    "blanks only": b" \n \n\t\n",
    "a gzip that ends early": gzip.compress(GOOD * 999, compresslevel=0)[:-99],
    "no gzip at all": b"\x1f\x8b" + b"x" * 99,
    "two byte order marks": b"\xef\xbb\xbf\xef\xbb\xbf" + GOOD,
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "a web page": b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
    "JSON": b'{"Carrier": "B6"}\n',
    "an array of JSON that ends early": b'[{"Carrier": "B6"}, {"Carr',
    "NULs": bytes(4096),
    "its columns in another order": b"DepDelay,Carrier,ArrDelay,DestAirportID,OriginAirportID\n4,B6,5,1,2\n",
}

LIKE_THE_TABLE = {"a header only", "a gzip that ends early"}
"""What is wrong with them is nothing of their columns."""


@dataclass(frozen=True)
class Catalog:
    """The deployed stack's catalog, and what lands."""

    settings: Settings

    @property
    def glue(self) -> Any:
        return make_client(self.settings, "glue")

    @property
    def resource(self) -> Glue:
        return Glue.of(self.settings)

    def land(self, key: str, body: bytes = GOOD) -> None:
        make_client(self.settings, "s3").put_object(Bucket=self.settings.landing_bucket, Key=key, Body=body)

    def table(self, name: str) -> dict[str, Any]:
        return self.glue.get_table(DatabaseName=self.settings.glue_database, Name=name)["Table"]

    def columns(self, name: str) -> list[tuple[str, str]]:
        return [(c["Name"], c["Type"]) for c in self.table(name)["StorageDescriptor"]["Columns"]]

    def partitions(self, name: str) -> dict[str, dict[str, Any]]:
        pages = self.glue.get_paginator("get_partitions").paginate(
            DatabaseName=self.settings.glue_database, TableName=name
        )
        return {each["Values"][0]: each["StorageDescriptor"] for page in pages for each in page["Partitions"]}

    def crawl(self, crawler: str) -> Any:
        """The crawl, as it ended."""
        return self.resource.crawl(self.settings.crawler_name(crawler))

    def last_crawl(self, crawler: str) -> dict[str, Any]:
        return self.glue.get_crawler(Name=self.settings.crawler_name(crawler))["Crawler"].get("LastCrawl", {})

    def folders(self, table: CatalogTable, *days: str) -> dict[str, str]:
        return {day: table.folder(day) for day in days}

    @contextmanager
    def refusing(
        self, operation: str, code: str, *, service: str = "glue", times: int = 1000
    ) -> Iterator[list[str]]:
        """A call refused so often, as AWS would refuse it, before it leaves this process; lists refusals."""
        refusals: list[str] = []

        def refuse(**_: Any) -> Any:
            if len(refusals) == times:
                return None
            refusals.append(operation)
            error = {"Error": {"Code": code, "Message": "not now"}, "ResponseMetadata": {}}
            return SimpleNamespace(status_code=400), error

        events = make_client(self.settings, service).meta.events
        name = f"before-call.{'cloudwatch-logs' if service == 'logs' else service}.{operation}"
        events.register(name, refuse)
        try:
            yield refusals
        finally:
            events.unregister(name, refuse)


@pytest.fixture(scope="module")
def stack(parts: Any) -> Iterator[Settings]:
    """The template, deployed under a name of our own; this process's settings are its."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
            patch.delenv(name)
        patch.setenv("AIRLINE_HOME", str(parts.home))
        patch.setenv("AIRLINE_NAME", "acme-catalog")
        patch.setenv("AWS_ENDPOINT_URL", parts.endpoint)
        get_settings.cache_clear()
        deploy_stack(get_settings())
        yield get_settings()
        get_settings.cache_clear()


@pytest.fixture
def catalog(stack: Settings) -> Catalog:
    """Nothing landed, and every table as declared, known to no crawl."""
    found = Catalog(stack)
    s3 = make_client(stack, "s3")
    listed = s3.list_objects_v2(Bucket=stack.landing_bucket).get("Contents", [])
    for each in listed:
        s3.delete_object(Bucket=stack.landing_bucket, Key=each["Key"])
    for table in found.glue.get_tables(DatabaseName=stack.glue_database)["TableList"]:
        found.glue.delete_table(DatabaseName=stack.glue_database, Name=table["Name"])
    ensure_catalog_tables(stack)
    return found


FLIGHTS_TABLE = "landing_daily_flights"


def declared(table: CatalogTable) -> list[tuple[str, str]]:
    return [(column.name.lower(), column.glue_type) for column in table.columns]


def test_a_deployment_makes_every_table_as_it_is_declared(catalog: Catalog) -> None:
    tables = catalog_tables(catalog.settings)

    assert FLIGHTS_TABLE in tables
    assert {name: catalog.columns(name) for name in tables} == {
        name: declared(table) for name, table in tables.items()
    }


def test_a_second_deployment_writes_no_table(catalog: Catalog) -> None:
    versions = {name: catalog.table(name)["VersionId"] for name in catalog_tables(catalog.settings)}

    ensure_catalog_tables(catalog.settings)

    assert {name: catalog.table(name)["VersionId"] for name in versions} == versions


def test_athena_shows_what_landed_and_an_empty_or_wrong_number_as_null(catalog: Catalog) -> None:
    catalog.land("daily_flights/date=2013-01-01/good.csv")
    catalog.land("daily_flights/date=2013-01-02/bad.csv", GOOD.replace(b"4,5", b"late,5"))
    athena = Athena.of(catalog.settings)
    table = landing_table(catalog.settings, FLIGHTS)
    register(catalog.resource, table, catalog.folders(table, "2013-01-01", "2013-01-02"))

    rows = athena.query(
        'SELECT "date", carrier, originairportid, depdelay FROM landing_daily_flights ORDER BY 1, 2'
    ).rows

    assert [tuple(row.values()) for row in rows] == [
        ("2013-01-01", "AA", "12892", None),
        ("2013-01-01", "B6", "12478", "4"),
        ("2013-01-02", "AA", "12892", None),
        ("2013-01-02", "B6", "12478", None),
    ]


# --- the crawler


@pytest.mark.parametrize("kind", REFUSED)
def test_no_file_that_lands_first_changes_the_table_or_stops_the_crawl(catalog: Catalog, kind: str) -> None:
    suffix = ".csv.gz" if "gzip" in kind else ".csv"
    key = f"daily_flights/date=2013-01-01/x{suffix}"
    catalog.land(key, REFUSED[kind])
    catalog.land("daily_flights/date=2013-01-02/good.csv")
    before = catalog.table(FLIGHTS_TABLE)

    crawl = catalog.crawl("flights")

    crawl.require_success()
    assert catalog.table(FLIGHTS_TABLE) == before
    warned = [line.partition(" ")[0] for line in crawl.warnings()]
    assert warned == [f"s3://acme-catalog-landing/{key}"] * (kind not in LIKE_THE_TABLE)
    assert "Zaphod" not in str(crawl.warnings())
    parts = catalog.partitions(FLIGHTS_TABLE)
    table = landing_table(catalog.settings, FLIGHTS)
    storage = before["StorageDescriptor"]
    assert parts == {day: storage | {"Location": table.folder(day)} for day in ("2013-01-01", "2013-01-02")}


def test_a_crawl_of_good_files_warns_of_nothing(catalog: Catalog) -> None:
    catalog.land("daily_flights/date=2013-01-01/good.csv")
    catalog.land("daily_flights/date=2013-01-02/good.csv.gz", gzip.compress(GOOD))

    crawl = catalog.crawl("flights")

    crawl.require_success()
    assert list(catalog.partitions(FLIGHTS_TABLE)) == ["2013-01-01", "2013-01-02"]
    assert crawl.warnings() == []


def test_what_lies_in_no_folder_of_a_day_is_left_out_and_told(catalog: Catalog) -> None:
    catalog.land("bookings/date=2013-01-01/good.csv", f"{BOOKINGS.header}\n".encode() * 2)
    for number in range(5):
        catalog.land(f"bookings/hour={number}/x.csv")

    crawl = catalog.crawl("bookings")

    crawl.require_success()
    assert "Left out 5 objects that lie in no folder date" in crawl.warnings()
    assert list(catalog.partitions("landing_bookings")) == ["2013-01-01"]


def test_an_empty_folder_is_nothing_to_confirm_and_no_failure(catalog: Catalog) -> None:
    catalog.crawl("flights").require_success()

    assert catalog.partitions(FLIGHTS_TABLE) == {}


def test_a_crawler_that_may_change_tables_still_does(catalog: Catalog) -> None:
    name = catalog.settings.crawler_name("airports")
    policy = catalog.glue.get_crawler(Name=name)["Crawler"]["SchemaChangePolicy"]
    catalog.land("airport_codes/a.csv", b"id,where\n1,x\n")
    catalog.glue.update_crawler(Name=name, SchemaChangePolicy={"UpdateBehavior": "UPDATE_IN_DATABASE"})
    try:
        catalog.crawl("airports").require_success()
    finally:
        catalog.glue.update_crawler(Name=name, SchemaChangePolicy=policy)

    assert catalog.columns("landing_airport_codes") == [("id", "bigint"), ("where", "string")]


# --- what the assets do


def test_a_table_is_crawled_once_and_what_the_crawl_warns_of_is_shown(catalog: Catalog) -> None:
    catalog.land("daily_flights/date=2013-01-01/sep.csv", REFUSED["a sep line"])
    catalog.land("daily_flights/date=2013-01-02/good.csv")
    table = landing_table(catalog.settings, FLIGHTS)

    told = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-02"))
    crawled = catalog.last_crawl("flights")["StartTime"]
    later = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-03"))

    assert (told["table"], told["crawl"]) == ("acme_catalog.landing_daily_flights", "confirmed")
    assert "date=2013-01-01/sep.csv" in told["crawl_report"].value
    assert later == {"table": told["table"], "crawl": "not needed"}
    assert catalog.last_crawl("flights")["StartTime"] == crawled
    assert list(catalog.partitions(FLIGHTS_TABLE)) == ["2013-01-02", "2013-01-01", "2013-01-03"]


def test_a_table_without_days_is_confirmed_too(catalog: Catalog) -> None:
    catalog.land("airport_codes/a.csv", b"airport_id,city,state,name\n1,x,y,z\n")
    (table,) = [t for t in catalog_tables(catalog.settings).values() if t.name == "landing_airport_codes"]

    assert register_and_confirm(catalog.resource, table, {})["crawl"] == "confirmed"
    assert register_and_confirm(catalog.resource, table, {})["crawl"] == "not needed"


def test_days_without_a_folder_are_no_reason_to_crawl(catalog: Catalog) -> None:
    table = landing_table(catalog.settings, FLIGHTS)

    assert register_and_confirm(catalog.resource, table, {})["crawl"] == "not needed"


def test_a_table_that_was_deleted_comes_back_with_all_its_days(catalog: Catalog) -> None:
    table = landing_table(catalog.settings, FLIGHTS)
    for day in ("2013-01-01", "2013-01-02"):
        catalog.land(f"daily_flights/date={day}/good.csv")
        register_and_confirm(catalog.resource, table, catalog.folders(table, day))
    catalog.glue.delete_table(DatabaseName=catalog.settings.glue_database, Name=table.name)

    told = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-02"))

    assert told["crawl"] == "confirmed"
    assert catalog.columns(table.name) == declared(table)
    assert set(catalog.partitions(table.name)) == {"2013-01-01", "2013-01-02"}


def test_a_declared_column_reaches_the_table_and_the_days_that_were_there(catalog: Catalog) -> None:
    table = landing_table(catalog.settings, FLIGHTS)
    catalog.land("daily_flights/date=2013-01-01/good.csv")
    register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-01"))
    more = replace(table, columns=(*table.columns, Column("Gate", "string", "Gate of departure.")))

    register(catalog.resource, more, {})
    kept = catalog.partitions(table.name)
    told = register_and_confirm(catalog.resource, more, catalog.folders(more, "2013-01-02"))

    assert list(kept) == ["2013-01-01"]
    assert told["crawl"] == "confirmed"
    assert "lacks gate" in told["crawl_report"].value
    assert catalog.columns(table.name)[-1] == ("gate", "string")
    storage = catalog.table(table.name)["StorageDescriptor"]
    assert catalog.partitions(table.name) == {
        day: storage | {"Location": more.folder(day)} for day in ("2013-01-01", "2013-01-02")
    }


def test_a_crawl_that_fails_stops_no_day_and_is_asked_for_again(catalog: Catalog) -> None:
    name, table = catalog.settings.crawler_name("flights"), landing_table(catalog.settings, FLIGHTS)
    targets = catalog.glue.get_crawler(Name=name)["Crawler"]["Targets"]["S3Targets"]
    elsewhere = [targets[0] | {"Path": "s3://acme-nowhere/x/"}]
    catalog.glue.update_crawler(Name=name, Targets={"S3Targets": elsewhere})
    try:
        told = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-01"))
    finally:
        catalog.glue.update_crawler(Name=name, Targets={"S3Targets": targets})

    assert told["crawl"] == f"failed: crawler {name} ended with FAILED: Bucket acme-nowhere does not exist"
    assert list(catalog.partitions(table.name)) == ["2013-01-01"]
    again = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-01"))
    assert again["crawl"] == "confirmed"


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        ("StartCrawler", "CrawlerRunningException"),
        ("StartCrawler", "AccessDeniedException"),
        ("StartCrawler", "EntityNotFoundException"),
        ("GetCrawler", "ThrottlingException"),
    ],
)
def test_a_crawl_that_cannot_be_had_stops_no_day(catalog: Catalog, operation: str, code: str) -> None:
    table = landing_table(catalog.settings, FLIGHTS)

    with catalog.refusing(operation, code):
        told = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-01"))

    assert told["crawl"].startswith("failed: ")
    assert ("busy" if code == "CrawlerRunningException" else code) in told["crawl"]
    assert list(catalog.partitions(table.name)) == ["2013-01-01"]
    assert not table.is_confirmed(catalog.table(table.name))


def test_a_crawls_log_that_cannot_be_read_is_said_and_stops_nothing(catalog: Catalog) -> None:
    table = landing_table(catalog.settings, FLIGHTS)

    with catalog.refusing("GetLogEvents", "AccessDeniedException", service="logs"):
        told = register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-01"))

    assert told["crawl"] == "confirmed"
    assert "AccessDeniedException" in told["crawl_report"].value


@pytest.mark.parametrize("operation", ["GetTable", "BatchCreatePartition"])
def test_a_catalog_that_may_not_be_written_fails_the_step(catalog: Catalog, operation: str) -> None:
    table = landing_table(catalog.settings, FLIGHTS)

    with (
        catalog.refusing(operation, "AccessDeniedException"),
        pytest.raises(ClientError, match="AccessDeniedException"),
    ):
        register_and_confirm(catalog.resource, table, catalog.folders(table, "2013-01-01"))


def test_a_crawler_that_is_busy_is_waited_for_where_its_answer_counts(catalog: Catalog) -> None:
    with catalog.refusing("StartCrawler", "CrawlerRunningException", times=3) as refusals:
        catalog.crawl("flights").require_success()

    assert len(refusals) == 3
