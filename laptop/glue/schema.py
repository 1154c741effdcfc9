"""Tells what a landed file holds, as a Glue crawler does: its format, and the columns of CSV and Parquet."""

import re
import tempfile
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from laptop.glue.errors import CrawlError
from laptop.glue.staging import ObjectUri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

SAMPLES = 5
"""Files looked into, spread over the folder."""

SAMPLE_BYTES = 1 << 20
"""Read of each text file; a schema shows early."""

UNPACKED_BYTES = 4 << 20
"""Most that is unpacked of a file: a gzip of 1 MB can hold 1 GB, and it comes from other people."""

GZIP = b"\x1f\x8b"

Format = Literal["csv", "json", "parquet"]

SUFFIXES: dict[str, Format] = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "json": "json", "jsonl": "json", "ndjson": "json",
    "parquet": "parquet", "pq": "parquet",
}  # fmt: skip

CSV_TYPES = {
    "BOOLEAN": "boolean", "BIGINT": "bigint", "DOUBLE": "double", "DATE": "date", "TIMESTAMP": "timestamp",
}  # fmt: skip
"""Glue's names of the types DuckDB sees in CSV; what is not here is a string."""

PARQUET_TYPES = {
    "bool": "boolean", "int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint",
    "float": "float", "double": "double", "date32[day]": "date", "binary": "binary",
}  # fmt: skip
"""Glue's names of Arrow types; what is neither here nor a decimal or a timestamp is a string."""


class SchemaError(CrawlError):
    """A file holds nothing that is a table."""


@dataclass(frozen=True)
class Schema:
    """What a file holds.

    Args:
        format: `csv`, `json` or `parquet`.
        columns: Name and Glue type of each; none of JSON, which is not looked into.
        delimiter: Between the fields of CSV.
        header: Whether the first line of CSV names its columns.
    """

    format: Format
    columns: tuple[tuple[str, str], ...] = ()
    delimiter: str = ","
    header: bool = True


def infer(s3: "S3Client", uri: ObjectUri, size: int) -> Schema:
    """The schema of a file of `size` bytes.

    Raises:
        SchemaError: It can't be read as CSV or Parquet.
    """
    kind = format_of(uri.key, _read(s3, uri, 64))
    try:
        if kind == "parquet":
            return _parquet(_read(s3, uri, size))
        text = unpack(_read(s3, uri, SAMPLE_BYTES))
        if not text.strip():
            raise SchemaError(f"{uri} has nothing but blanks")
        whole_lines = text if size <= SAMPLE_BYTES else text[: text.rfind(b"\n") + 1] or text
        return _csv(whole_lines) if kind == "csv" else Schema(kind)
    except (duckdb.Error, pa.ArrowException, OSError, zlib.error) as reason:
        # Not more of it: DuckDB quotes the line it stumbled over, which may name a person.
        why = (str(reason).splitlines() or [""])[0]
        raise SchemaError(f"{uri} can't be read as {kind}: {why}") from reason


def spread(files: list[T]) -> list[T]:
    """A few of the files: the first, the last and some between."""
    if len(files) <= SAMPLES:
        return files
    return [files[round(step * (len(files) - 1) / (SAMPLES - 1))] for step in range(SAMPLES)]


def format_of(key: str, head: bytes) -> Format:
    """Format of a file, by what it begins with where that is telling, else by its suffix."""
    if head.startswith(b"PAR1"):
        return "parquet"
    _, dot, suffix = key.rsplit("/", 1)[-1].lower().removesuffix(".gz").rpartition(".")
    looks_like_json = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    return SUFFIXES.get(suffix if dot else "") or ("json" if looks_like_json else "csv")


def excluded(relative: str, patterns: tuple[str, ...]) -> bool:
    """Whether a path below a target matches one of Glue's exclude patterns."""
    return any(re.fullmatch(glob_pattern(pattern), relative) for pattern in patterns)


def glob_pattern(glob: str) -> str:
    """Glue's glob as a regular expression: `*` stays within a folder, `**` doesn't, `{a,b}` is either."""
    tokens = re.findall(r"\*\*|\[!?[^]]+]|\\.|.", glob, re.DOTALL)
    meanings = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")", ",": "|" if "{" in glob else ","}
    return "".join(meanings.get(token) or _literal(token) for token in tokens)


def _literal(token: str) -> str:
    if token.startswith("[") and len(token) > 1:
        return token.replace("[!", "[^", 1)
    return re.escape(token.removeprefix("\\") or token)


def _read(s3: "S3Client", uri: ObjectUri, size: int) -> bytes:
    """The first `size` bytes of an object."""
    ranged = f"bytes=0-{max(size, 1) - 1}"
    return s3.get_object(Bucket=uri.bucket, Key=uri.key, Range=ranged)["Body"].read()


def unpack(body: bytes) -> bytes:
    """Gzipped bytes unpacked, also when their end is missing, up to a limit; others as they are."""
    if not body.startswith(GZIP):
        return body
    return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, UNPACKED_BYTES)


def _parquet(body: bytes) -> Schema:
    fields = pq.read_schema(pa.BufferReader(body))
    return Schema("parquet", tuple((field.name.lower(), arrow_type(field.type)) for field in fields))


def _csv(text: bytes) -> Schema:
    with tempfile.NamedTemporaryFile(suffix=".csv") as file, duckdb.connect() as connection:
        file.write(text.decode("utf-8", "replace").encode())
        file.flush()
        # A crawl is about columns: rows that can't be read are the job's to judge.
        delimiter, header, columns = connection.execute(
            "SELECT Delimiter, HasHeader, Columns FROM sniff_csv(?, ignore_errors = true, sample_size = -1)",
            [file.name],
        ).fetchall()[0]
    names = [column["name"].strip().lower() if header else f"col{n}" for n, column in enumerate(columns)]
    types = [CSV_TYPES.get(column["type"], "string") for column in columns]
    return Schema("csv", tuple(zip(names, types, strict=True)), delimiter, header)


def arrow_type(kind: pa.DataType) -> str:
    """Glue's name of an Arrow type, as Parquet files carry it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    return "timestamp" if pa.types.is_timestamp(kind) else PARQUET_TYPES.get(str(kind), "string")
