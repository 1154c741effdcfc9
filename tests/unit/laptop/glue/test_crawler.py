"""What a crawl makes of the files it finds."""

import pytest

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from laptop.glue.crawler import (
    S3Target,
    difference,
    differs,
    inherits,
    is_data,
    landed_file,
    partition_inputs,
    partition_keys,
    table_input,
    table_name,
    targets,
)
from laptop.glue.errors import CrawlError
from laptop.glue.jdbc import JdbcTarget
from laptop.glue.schema import Schema
from laptop.glue.staging import ObjectUri
from resources.catalog import CatalogTable, parquet_table

ROOT = ObjectUri("landing", "flights/")


def landed(*keys):
    return [landed_file(ROOT, {"Key": f"flights/{key}", "Size": 1}) for key in keys]


def test_hidden_empty_and_excluded_objects_are_no_data():
    assert is_data("date=1/a.csv", 1, ())
    assert not is_data("date=1/a.csv", 0, ())
    assert not is_data("_temporary/a.csv", 1, ())
    assert not is_data("date=1/.a.csv", 1, ())
    assert not is_data("date=1/a.csv", 1, ("**.csv",))


def test_folders_become_partition_keys_and_values_are_decoded():
    assert landed("Date=2024-01-01%2000/h=1/x.csv")[0].partition == (("date", "2024-01-01 00"), ("h", "1"))
    assert landed("2024/01/x.csv")[0].partition == (("partition_0", "2024"), ("partition_1", "01"))


def test_folders_make_partitions_however_many_files_lie_outside_of_them():
    files = landed("2024-01-01.csv", "2024-01-02.csv", "date=2024-01-03/1.csv")
    assert partition_keys(files) == ("date",)


def test_files_without_folders_make_a_table_without_partitions():
    assert partition_keys(landed("1.csv", "2.csv")) == ()


def test_a_table_is_named_after_prefix_and_last_folder():
    assert table_name("raw_", ObjectUri("b", "x/Daily-Flights/")) == "raw_daily_flights"
    assert table_name("", ObjectUri("my-bucket", "")) == "my_bucket"


def test_a_table_has_its_partitions_where_their_files_lie():
    files = landed("date=2/1.csv", "date=1/1.csv", "date=1/2.csv")
    schema = Schema("csv", (("a", "bigint"), ("date", "string")))
    table = table_input({"Name": "c", "TablePrefix": "raw_"}, ROOT, schema, ("date",))
    assert table["StorageDescriptor"]["Columns"] == [{"Name": "a", "Type": "bigint"}]
    partitions = partition_inputs(table, files)
    assert [p["Values"] for p in partitions] == [["1"], ["2"]]
    assert partitions[0]["StorageDescriptor"]["Location"] == "s3://landing/flights/date=1/"
    assert table["StorageDescriptor"]["Location"] == "s3://landing/flights/"


def test_a_new_column_or_another_format_makes_a_table_differ():
    one = table_input({"Name": "c"}, ROOT, Schema("csv", (("a", "bigint"),)), ())
    wider = table_input({"Name": "c"}, ROOT, Schema("csv", (("a", "bigint"), ("b", "string"))), ())
    parquet = table_input({"Name": "c"}, ROOT, Schema("parquet", (("a", "bigint"),)), ())
    assert not differs(one, one | {"Parameters": one["Parameters"] | {"objectCount": "2"}})
    assert differs(one, wider)
    assert differs(one, parquet)


# --- what a file has otherwise than a table that stays as it is


DAYS = CatalogTable(
    "landing_days", "Days.", "s3://landing/days/", "csv", FLIGHTS.columns, daily=True
).table_input
TYPED = parquet_table(Settings(), SHIPMENTS, SHIPMENTS.job_table).table_input
NAMES = tuple(column.name.lower() for column in FLIGHTS.columns)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (Schema("csv", tuple((name, "bigint") for name in NAMES)), ""),
        (Schema("csv", tuple((name, "string") for name in (*NAMES, "date"))), ""),
        (Schema("json", tuple((name, "bigint") for name in NAMES)), "is json, expected csv"),
        (
            Schema("csv", tuple((name, "bigint") for name in NAMES), delimiter=";"),
            "has its fields parted by ';', expected ','",
        ),
        (
            Schema("csv", tuple((name, "bigint") for name in reversed(NAMES))),
            "has its columns in another order",
        ),
        (
            Schema("csv", (*((name, "string") for name in NAMES[:-2]), ("zaphod beeblebrox", "string"))),
            "lacks depdelay, arrdelay, has 1 columns the table lacks",
        ),
    ],
    ids=["the declared columns", "types and the day are guesses", "format", "delimiter", "order", "columns"],
)
def test_what_a_file_has_otherwise_is_said_without_naming_what_is_in_it(schema: Schema, expected: str):
    assert difference(DAYS, schema) == expected


def test_a_parquet_files_own_types_are_compared():
    columns = [(column.name, column.glue_type) for column in SHIPMENTS.job_table.columns]
    assert difference(TYPED, Schema("parquet", tuple(columns))) == ""
    columns[1] = (columns[1][0], "string")
    expected = f"has {columns[1][0]} as string, expected {SHIPMENTS.job_table.columns[1].glue_type}"
    assert difference(TYPED, Schema("parquet", tuple(columns))) == expected


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ({}, False),
        ({"Configuration": '{"Version": 1.0}'}, False),
        (
            {
                "Configuration": '{"CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": '
                '"InheritFromTable"}}}'
            },
            True,
        ),
    ],
)
def test_partitions_inherit_where_the_crawler_says_so(configuration: dict[str, str], expected: bool):
    assert inherits({"Name": "c"} | configuration) is expected


def test_s3_and_jdbc_targets_are_crawled_on_a_laptop_and_no_others():
    jdbc = {"ConnectionName": "w", "Path": "db/airlines/%"}
    found = targets(
        {
            "Name": "c",
            "Targets": {
                "S3Targets": [{"Path": "s3://b/x", "Exclusions": ["*.tmp"]}],
                "JdbcTargets": [jdbc],
                "CatalogTargets": [],
            },
        }
    )
    assert found == [
        S3Target(ObjectUri("b", "x/"), ("*.tmp",)),
        JdbcTarget("w", "db", "airlines", "%"),
    ]
    with pytest.raises(CrawlError, match="DynamoDB targets are crawled on AWS only"):
        targets({"Name": "c", "Targets": {"JdbcTargets": [jdbc], "DynamoDBTargets": [{"Path": "t"}]}})
    with pytest.raises(CrawlError, match="no target"):
        targets({"Name": "c", "Targets": {}})
