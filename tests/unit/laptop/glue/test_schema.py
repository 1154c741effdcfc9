"""What is told of a landed file: its format, columns and types."""

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
from command.generators.files import Order, generate_files
from laptop.glue.schema import (
    UNPACKED_BYTES,
    Schema,
    SchemaError,
    arrow_type,
    excluded,
    format_of,
    infer,
    spread,
    unpack,
)
from laptop.glue.staging import ObjectUri


class Bucket:
    """An S3 client that answers get_object with the one object there is."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def get_object(self, Bucket: str, Key: str, Range: str) -> dict[str, io.BytesIO]:  # noqa: N803 - boto3's own names
        del Bucket, Key
        end = int(Range.rsplit("-", 1)[1])
        return {"Body": io.BytesIO(self._body[: end + 1])}


def schema_of(key: str, body: bytes) -> Schema:
    return infer(Bucket(body), ObjectUri("b", key), len(body))  # type: ignore[arg-type]


def test_csv_has_lower_case_columns_and_types() -> None:
    schema = schema_of(
        "a.csv", b"Carrier,ID,Delay,Late,Day\nAA,1,1.5,true,2024-01-01\nBB,2,,false,2024-01-02\n"
    )
    types = [
        ("carrier", "string"),
        ("id", "bigint"),
        ("delay", "double"),
        ("late", "boolean"),
        ("day", "date"),
    ]
    assert (schema.format, list(schema.columns), schema.header) == ("csv", types, True)


@pytest.mark.parametrize("feed", [BOOKINGS, FLIGHTS], ids=lambda feed: feed.name)
@pytest.mark.parametrize("seed", range(3))
def test_dirty_rows_do_not_keep_a_file_from_being_crawled(feed: Feed, seed: int, tmp_path: Path) -> None:
    day = date(2013, 6, 1)
    generate_files(Order(feed.name, day, day, tmp_path, rows=1000, seed=seed, dirty=True), lambda _day: None)
    (path,) = tmp_path.rglob("*.csv")
    schema = schema_of("a.csv", path.read_bytes())
    assert [name for name, _ in schema.columns] == [column.name.lower() for column in feed.columns]
    assert schema.header


def test_a_failed_look_quotes_no_line_of_the_file() -> None:
    with pytest.raises(SchemaError, match="can't be read as parquet") as refused:
        schema_of("a.parquet", b"PAR1" + b"Zaphod Beeblebrox\n" * 20)
    assert "Zaphod" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("body", [b"\n \n\n", gzip.compress(b"")], ids=["blanks", "a gzip of nothing"])
def test_a_file_of_nothing_but_blanks_has_no_schema(body: bytes) -> None:
    with pytest.raises(SchemaError, match=r"s3://b/a\.csv has nothing but blanks"):
        schema_of("a.csv", body)


def test_a_gzip_bomb_is_not_unpacked_whole() -> None:
    assert len(unpack(gzip.compress(bytes(2 * UNPACKED_BYTES)))) == UNPACKED_BYTES


def test_a_gzip_that_ends_early_is_read_as_far_as_it_goes() -> None:
    body = gzip.compress(b"a,b\n" + b"1,2\n" * 999, compresslevel=0)[:-99]
    assert schema_of("a.csv.gz", body).columns == (("a", "bigint"), ("b", "bigint"))


def test_csv_without_a_header_numbers_its_columns() -> None:
    schema = schema_of("a.csv", b"1,2.5\n2,3.5\n")
    assert (schema.columns, schema.header) == ((("col0", "bigint"), ("col1", "double")), False)


def test_a_delimiter_is_told() -> None:
    assert schema_of("a.csv", b"id;city\n1;Oslo\n2;Rome\n").delimiter == ";"


def test_of_a_large_file_whole_lines_are_read() -> None:
    body = b"id,city\n" + b"1,Oslo\n" * 200_000
    assert schema_of("a.csv", body).columns == (("id", "bigint"), ("city", "string"))


def test_json_is_known_and_not_looked_into() -> None:
    assert schema_of("a.json", b'{"A": 1}\n') == Schema("json")


def test_parquet_tells_its_own_types() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"Id": pa.array([1], pa.int32()), "at": pa.array([0], pa.timestamp("us"))}), file)
    assert schema_of("x", file.getvalue()) == Schema("parquet", (("id", "int"), ("at", "timestamp")))


@pytest.mark.parametrize(
    ("key", "head", "expected"),
    [
        ("a.csv", b"x", "csv"),
        ("a.JSON.gz", b"\x1f\x8b", "json"),
        ("noname", b" {", "json"),
        ("noname", b"a,b", "csv"),
        ("json", b"a,b", "csv"),
        ("a.csv", b"PAR1", "parquet"),
    ],
)
def test_a_format_is_known_by_content_and_suffix(key: str, head: bytes, expected: str) -> None:
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
def test_exclusions_are_glues_globs(path: str, pattern: str, out: bool) -> None:
    assert excluded(path, (pattern,)) is out


def test_samples_are_spread_over_the_folder() -> None:
    assert spread(list(range(101))) == [0, 25, 50, 75, 100]
    assert spread([1, 2, 3]) == [1, 2, 3]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (pa.int64(), "bigint"),
        (pa.float32(), "float"),
        (pa.decimal128(9, 2), "decimal(9,2)"),
        (pa.date32(), "date"),
        (pa.bool_(), "boolean"),
        (pa.timestamp("ns", "UTC"), "timestamp"),
        (pa.large_string(), "string"),
    ],
)
def test_arrow_types_have_glue_names(kind: pa.DataType, expected: str) -> None:
    assert arrow_type(kind) == expected
