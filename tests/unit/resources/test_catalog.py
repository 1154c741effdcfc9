"""The Data Catalog's tables are what the feeds declare."""

from dataclasses import replace
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from resources.catalog import CONFIRMED, CatalogTable, catalog_tables, ensure_table, landing_table

SETTINGS = Settings(name="acme-air")
TABLES = catalog_tables(SETTINGS)
CSV = [AIRPORTS, FLIGHTS, BOOKINGS]


class Catalog:
    """Glue's tables in a dict, with what each call says of them."""

    class exceptions:  # noqa: N801 - boto3's own names
        class EntityNotFoundException(Exception): ...  # noqa: N818

        class AlreadyExistsException(Exception): ...  # noqa: N818

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []

    def get_table(self, *, DatabaseName: str, Name: str) -> dict[str, Any]:  # noqa: N803 - boto3's own names
        del DatabaseName
        if Name not in self.tables:
            raise self.exceptions.EntityNotFoundException
        # What Glue adds by itself.
        return {"Table": self.tables[Name] | {"CreateTime": 1, "VersionId": "1", "Retention": 0}}

    def create_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
        self._write("create", DatabaseName, TableInput)

    def update_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
        self._write("update", DatabaseName, TableInput)

    def delete_table(self, *, DatabaseName: str, Name: str) -> None:  # noqa: N803
        del DatabaseName, self.tables[Name]
        self.calls.append("delete")

    def _write(self, call: str, database: str, table: dict[str, Any]) -> None:
        assert database == "db"
        self.tables[table["Name"]] = table
        self.calls.append(call)

    def ensure(self, table: CatalogTable) -> Any:
        return ensure_table(self, "db", table)  # type: ignore[arg-type]  # what it calls of Glue's client


def columns(table: dict[str, Any]) -> list[tuple[str, str]]:
    return [(column["Name"], column["Type"]) for column in table["StorageDescriptor"]["Columns"]]


@pytest.mark.parametrize("feed", CSV, ids=lambda feed: feed.name)
def test_landed_csv_has_the_feeds_columns_and_types_in_its_order(feed: Feed) -> None:
    table = landing_table(SETTINGS, feed).table_input

    assert table["Name"] == f"landing_{feed.prefix.rstrip('/')}"
    assert columns(table) == [(column.name.lower(), column.glue_type) for column in feed.columns]
    assert [(key["Name"], key["Type"]) for key in table["PartitionKeys"]] == (
        [("date", "string")] if feed.daily else []
    )
    assert table["StorageDescriptor"]["Location"] == f"s3://acme-air-landing/{feed.prefix}"
    assert table["Parameters"]["skip.header.line.count"] == "1"
    assert "in another order" in table["Description"]


@pytest.mark.parametrize("feed", CSV, ids=lambda feed: feed.name)
def test_an_empty_number_of_landed_csv_is_no_error_of_a_query(feed: Feed) -> None:
    serde = landing_table(SETTINGS, feed).table_input["StorageDescriptor"]["SerdeInfo"]

    assert serde["SerializationLibrary"] == "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
    assert serde["Parameters"]["field.delim"] == ","


@pytest.mark.parametrize(
    ("table", "location", "crawler"),
    [
        (SHIPMENTS.job_table, "s3://acme-air-landing/shipments/shipments_parquet/", "shipments"),
        (SHIPMENTS.table, "s3://acme-air-lake/shipments_normalized/", "shipments_normalized"),
    ],
    ids=["typed", "normalized"],
)
def test_shipments_are_parquet_by_day_where_their_jobs_write_them(
    table: Any, location: str, crawler: str
) -> None:
    declared = TABLES[table.name]

    assert columns(declared.table_input) == [(c.name, c.glue_type) for c in table.columns]
    assert (declared.location, declared.crawler, declared.daily) == (location, crawler, True)
    assert declared.folder("2013-01-01") == f"{location}date=2013-01-01/"
    assert declared.table_input["Parameters"]["classification"] == "parquet"


def test_every_feed_has_its_tables() -> None:
    assert set(TABLES) == {
        *(f"{name}_rejects" for name in FEEDS),
        *("airports_enriched", "flights_enriched", "bookings_enriched"),
        *("landing_airport_codes", "landing_daily_flights", "landing_bookings"),
        *("shipments_parquet", "shipments_normalized"),
    }


def test_only_what_no_crawler_confirms_has_projected_days() -> None:
    projected = {name for name, table in TABLES.items() if "projection.enabled" in _parameters(table)}

    assert projected == {name for name, table in TABLES.items() if table.daily and not table.crawler}


def _parameters(table: CatalogTable) -> Any:
    return table.table_input["Parameters"]


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_a_table_as_declared_is_left_alone(table: CatalogTable) -> None:
    catalog = Catalog()
    catalog.ensure(table)
    catalog.tables[table.name]["Parameters"] |= {"last_modified_by": "hadoop", "CRAWL_RUN_ID": "1"}

    found = catalog.ensure(table)

    assert catalog.calls == ["create"]
    assert found["Parameters"]["CRAWL_RUN_ID"] == "1"


SPOILED = {
    "columns of another": lambda table: table["StorageDescriptor"].update(
        Columns=[{"Name": f"col{n}", "Type": "string"} for n in range(5)]
    ),
    "a column less": lambda table: table["StorageDescriptor"]["Columns"].pop(),
    "another type": lambda table: table["StorageDescriptor"]["Columns"][0].update(Type="double"),
    "another place": lambda table: table["StorageDescriptor"].update(Location="s3://elsewhere/"),
    "another SerDe": lambda table: table["StorageDescriptor"].update(SerdeInfo={"SerializationLibrary": "x"}),
    "a header that is not skipped": lambda table: table["Parameters"].pop("skip.header.line.count"),
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=list(SPOILED))
def test_a_table_that_somebody_changed_is_mended_and_keeps_its_partitions(spoil: Any) -> None:
    catalog, table = Catalog(), TABLES["landing_daily_flights"]
    catalog.ensure(table)
    spoil(catalog.tables[table.name])

    found = catalog.ensure(table)

    assert catalog.calls == ["create", "update"]  # a table that is deleted loses its partitions
    assert found == catalog.tables[table.name] == table.table_input


def test_a_table_with_other_partition_keys_is_made_anew() -> None:
    catalog, table = Catalog(), TABLES["landing_daily_flights"]
    catalog.tables[table.name] = table.table_input | {"PartitionKeys": [{"Name": "partition_0"}]}

    catalog.ensure(table)

    assert catalog.calls == ["delete", "create"]
    assert catalog.tables[table.name] == table.table_input


def test_two_runs_that_make_a_table_at_once_both_have_it() -> None:
    class Late(Catalog):
        def create_table(self, *, DatabaseName: str, TableInput: dict[str, Any]) -> None:  # noqa: N803
            super().create_table(DatabaseName=DatabaseName, TableInput=TableInput)
            raise self.exceptions.AlreadyExistsException

    table = TABLES["landing_bookings"]

    assert Late().ensure(table) == table.table_input


def test_what_a_crawl_has_confirmed_stays_so_until_the_declaration_changes() -> None:
    catalog, table = Catalog(), TABLES["landing_daily_flights"]
    catalog.ensure(table)
    catalog.tables[table.name]["Parameters"][CONFIRMED] = table.fingerprint
    described = replace(table, description="Flights, in other words.")
    more = replace(table, columns=(*table.columns, Column("Gate", "string", "Gate.")))

    assert described.is_confirmed(catalog.ensure(described))
    assert not more.is_confirmed(catalog.ensure(more))
    assert columns(catalog.tables[table.name])[-1] == ("gate", "string")
    assert table.is_confirmed(catalog.ensure(table)), "back to what was confirmed"


@pytest.mark.parametrize(
    "change",
    [
        {"columns": FLIGHTS.columns[:-1]},
        {"columns": (*FLIGHTS.columns[:-1], Column(FLIGHTS.columns[-1].name, "string", "The same one."))},
        {"columns": FLIGHTS.columns[::-1]},
        {"location": "s3://elsewhere/"},
        {"format": "parquet"},
    ],
    ids=["a column less", "another type", "another order", "another place", "another format"],
)
def test_what_a_file_can_contradict_is_confirmed_anew(change: dict[str, Any]) -> None:
    table = TABLES["landing_daily_flights"]

    assert replace(table, **change).fingerprint != table.fingerprint
