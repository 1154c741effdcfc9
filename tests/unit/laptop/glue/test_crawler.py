"""What a crawl makes of the files it finds."""

import gzip
import io
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS, SHIPMENTS_TYPED
from airline_platform.settings import Settings
from command.generators.files import Order, generate_files
from laptop.glue.crawler import (
    CrawlError,
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
from laptop.glue.jdbc import JdbcTarget
from laptop.glue.schema import (
    UNPACKED_BYTES,
    Schema,
    SchemaError,
    arrow_type,
    excluded,
    format_of,
    glue_type,
    infer,
    spread,
    unpack,
)
from laptop.glue.staging import ObjectUri
from resources.catalog import CatalogTable, parquet_table

ROOT = ObjectUri("landing", "flights/")


class Bucket:
    """An S3 client that answers get_object from a dict."""

    def __init__(self, **objects):
        self.objects = objects

    def get_object(self, Bucket, Key, Range):  # noqa: N803 - boto3's own names
        del Bucket
        end = int(Range.rsplit("-", 1)[1])
        return {"Body": io.BytesIO(self.objects[Key][: end + 1])}

    def infer(self):
        return infer(self, [(ObjectUri("b", key), len(body)) for key, body in self.objects.items()])


def landed(*keys):
    return [landed_file("landing", "flights/", {"Key": f"flights/{key}", "Size": 1}) for key in keys]


def test_csv_has_lower_case_columns_types_and_a_header_to_skip():
    schema = Bucket(
        **{"a.csv": b"Carrier,ID,Delay,Late,Day\nAA,1,1.5,true,2024-01-01\nBB,2,,false,2024-01-02\n"}
    ).infer()
    types = [
        ("carrier", "string"),
        ("id", "bigint"),
        ("delay", "double"),
        ("late", "boolean"),
        ("day", "date"),
    ]
    assert (schema.format, list(schema.columns)) == ("csv", types)
    assert schema.parameters["skip.header.line.count"] == "1"


@pytest.mark.parametrize("feed", [BOOKINGS, FLIGHTS], ids=lambda feed: feed.name)
@pytest.mark.parametrize("seed", range(3))
def test_dirty_rows_do_not_keep_a_file_from_being_crawled(feed: Feed, seed: int, tmp_path: Path):
    day = date(2013, 6, 1)
    generate_files(Order(feed.name, day, day, tmp_path, rows=1000, seed=seed, dirty=True), lambda _day: None)
    (path,) = tmp_path.rglob("*.csv")
    schema = Bucket(**{"a.csv": path.read_bytes()}).infer()
    assert [name for name, _ in schema.columns] == [column.name.lower() for column in feed.columns]
    assert schema.parameters["skip.header.line.count"] == "1"


def test_a_failed_crawl_quotes_no_line_of_the_file():
    body = b"PAR1" + b"Zaphod Beeblebrox\n" * 20
    with pytest.raises(SchemaError) as refused:
        Bucket(**{"a.parquet": body}).infer()
    assert "Zaphod" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("body", [b"\n \n\n", gzip.compress(b"")], ids=["blanks", "a gzip of nothing"])
def test_a_file_of_nothing_but_blanks_has_no_schema(body: bytes):
    with pytest.raises(SchemaError, match=r"s3://b/a\.csv has nothing but blanks"):
        Bucket(**{"a.csv": body}).infer()


def test_a_gzip_bomb_is_not_unpacked_whole():
    assert len(unpack(gzip.compress(bytes(2 * UNPACKED_BYTES)))) < UNPACKED_BYTES + (1 << 20)


def test_csv_without_a_header_numbers_its_columns():
    schema = Bucket(**{"a.csv": b"1,2.5\n2,3.5\n"}).infer()
    assert schema.columns == (("col0", "bigint"), ("col1", "double"))
    assert "skip.header.line.count" not in schema.parameters


def test_quoted_and_gzipped_csv_is_read_and_noted():
    schema = Bucket(**{"a.csv.gz": gzip.compress(b'id,city\n1,"New York, NY"\n')}).infer()
    assert (schema.compression, schema.quoted, len(schema.columns)) == ("gzip", True, 2)


@pytest.mark.parametrize(
    "body", [b'{"A": 1, "when": "2024-01-01"}\n{"A": 2}\n', b'[{"A": 1, "when": "2024-01-01"}]']
)
def test_json_lines_and_arrays_have_the_same_columns_and_no_dates(body):
    assert Bucket(**{"a.json": body}).infer().columns == (("a", "bigint"), ("when", "string"))


def test_parquet_tells_its_own_types():
    file = io.BytesIO()
    pq.write_table(pa.table({"Id": pa.array([1], pa.int32()), "at": pa.array([0], pa.timestamp("us"))}), file)
    assert Bucket(x=file.getvalue()).infer().columns == (("id", "int"), ("at", "timestamp"))


def test_what_is_no_parquet_says_so():
    with pytest.raises(SchemaError, match="can't be read as parquet"):
        Bucket(**{"a.parquet": b"PAR1 but no more"}).infer()


@pytest.mark.parametrize(
    ("key", "head", "expected"),
    [
        ("a.csv", b"x", ("csv", "none")),
        ("a.JSON.gz", b"\x1f\x8b", ("json", "gzip")),
        ("noname", b" {", ("json", "none")),
        ("noname", b"a,b", ("csv", "none")),
        ("a.csv", b"PAR1", ("parquet", "none")),
    ],
)
def test_a_format_is_known_by_content_and_suffix(key, head, expected):
    assert format_of(key, head) == expected


@pytest.mark.parametrize(
    ("path", "pattern", "out"),
    [
        ("a.tmp", "*.tmp", True),
        ("x/a.tmp", "*.tmp", False),
        ("x/y/a.tmp", "**.tmp", True),
        ("x/a.bak", "**.{tmp,bak}", True),
        ("date=1/a", "date=[0-9]/?", True),
        ("date=1/a", "date=[!0-9]/?", False),
        ("a.csv", "a?csv.", False),
    ],
)
def test_exclusions_are_glues_globs(path, pattern, out):
    assert excluded(path, (pattern,)) is out


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
    table = table_input({"Name": "c", "TablePrefix": "raw_"}, ROOT, schema, ("date",), files)
    assert table["StorageDescriptor"]["Columns"] == [{"Name": "a", "Type": "bigint"}]
    partitions = partition_inputs(table, files)
    assert [p["Values"] for p in partitions] == [["1"], ["2"]]
    assert partitions[0]["StorageDescriptor"]["Location"] == "s3://landing/flights/date=1/"
    assert table["StorageDescriptor"]["Location"] == "s3://landing/flights/"


def test_a_new_column_makes_a_table_differ_and_a_new_count_does_not():
    one = table_input({"Name": "c"}, ROOT, Schema("json", (("a", "bigint"),)), (), landed("1.json"))
    more = table_input(
        {"Name": "c"}, ROOT, Schema("json", (("a", "bigint"),)), (), landed("1.json", "2.json")
    )
    wider = table_input(
        {"Name": "c"}, ROOT, Schema("json", (("a", "bigint"), ("b", "string"))), (), landed("1.json")
    )
    assert not differs(one, more)
    assert differs(one, wider)


# --- what a file has otherwise than a table that stays as it is


DAYS = CatalogTable(
    "landing_days", "Days.", "s3://landing/days/", "csv", FLIGHTS.columns, daily=True
).table_input
TYPED = parquet_table(Settings(), SHIPMENTS, SHIPMENTS_TYPED).table_input
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
    columns = [(column.name, column.glue_type) for column in SHIPMENTS_TYPED.columns]
    assert difference(TYPED, Schema("parquet", tuple(columns))) == ""
    columns[1] = (columns[1][0], "string")
    expected = f"has {columns[1][0]} as string, expected {SHIPMENTS_TYPED.columns[1].glue_type}"
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
        S3Target(ObjectUri("b", "x"), ("*.tmp",)),
        JdbcTarget("w", "db", "airlines", "%"),
    ]
    with pytest.raises(CrawlError, match="DynamoDB targets are crawled on AWS only"):
        targets({"Name": "c", "Targets": {"JdbcTargets": [jdbc], "DynamoDBTargets": [{"Path": "t"}]}})
    with pytest.raises(CrawlError, match="no target"):
        targets({"Name": "c", "Targets": {}})


def test_samples_are_spread_over_the_folder():
    files = [(ObjectUri("b", str(number)), 1) for number in range(101)]
    assert [int(uri.key) for uri, _ in spread(files)] == [0, 25, 50, 75, 100]
    assert spread(files[:3]) == files[:3]


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [
        ("HUGEINT", "string"),
        ("TIMESTAMP WITH TIME ZONE", "timestamp"),
        ("DECIMAL(10,2)", "double"),
        ("BIGINT[]", "array<bigint>"),
        (
            'STRUCT(a BIGINT, "B c" STRUCT(d VARCHAR, e DATE[]))',
            "struct<a:bigint,b c:struct<d:string,e:array<date>>>",
        ),
        ("STRUCT(a DECIMAL(4,1))[]", "array<struct<a:double>>"),
    ],
)
def test_duckdb_types_have_glue_names(duckdb_type, expected):
    assert glue_type(duckdb_type) == expected


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int64(), "bigint"),
        (pa.float32(), "float"),
        (pa.decimal128(9, 2), "decimal(9,2)"),
        (pa.date32(), "date"),
        (pa.list_(pa.struct([("a", pa.string())])), "array<struct<a:string>>"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
    ],
)
def test_arrow_types_have_glue_names(kind, expected):
    assert arrow_type(kind) == expected
