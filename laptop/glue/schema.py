"""Infers what a folder's files hold from a few of them: format, columns and types, as a Glue crawler does."""

import gzip
import io
import re
import tempfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from laptop.glue.staging import ObjectUri

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

SAMPLES = 5
"""Files looked into, spread over the folder."""

SAMPLE_BYTES = 1 << 20
"""Read of each text file; a schema shows early."""

UNPACKED_BYTES = 64 << 20
"""Most that is unpacked of a file: a gzip of 1 MB can hold 1 GB, and it comes from other people."""

SUFFIXES = {
    "csv": "csv", "tsv": "csv", "txt": "csv", "json": "json", "jsonl": "json", "ndjson": "json",
    "parquet": "parquet", "pq": "parquet",
}  # fmt: skip

DUCKDB_TYPES = {
    "BOOLEAN": "boolean", "TINYINT": "bigint", "SMALLINT": "bigint", "INTEGER": "bigint", "BIGINT": "bigint",
    "UTINYINT": "bigint", "USMALLINT": "bigint", "UINTEGER": "bigint", "FLOAT": "double", "DOUBLE": "double",
    "DATE": "date", "TIMESTAMP": "timestamp", "TIMESTAMP WITH TIME ZONE": "timestamp",
}  # fmt: skip
"""Glue's names of DuckDB's types; what is not here is a string."""

JSON_TYPES = {"DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"}
"""What DuckDB sees in JSON's strings; JSON itself has no dates, and the JSON SerDe reads none."""


class SchemaError(Exception):
    """The files hold nothing that is a table."""


@dataclass(frozen=True)
class Schema:
    """What a folder's files hold."""

    format: str
    columns: tuple[tuple[str, str], ...]
    compression: str = "none"
    delimiter: str = ","
    quoted: bool = False
    parameters: dict[str, str] = field(default_factory=dict)


def infer(s3: "S3Client", files: list[tuple[ObjectUri, int]]) -> Schema:
    """The schema of files, given with their sizes in bytes.

    Raises:
        SchemaError: They can't be read as CSV, JSON or Parquet.
    """
    samples = spread(files)
    first = samples[0][0]
    place = str(first) if len(samples) == 1 else f"{first} and what lies beside it"
    kind, compression = format_of(first.key, _read(s3, first, 64))
    try:
        if kind == "parquet":
            return _parquet([_read(s3, uri, size) for uri, size in samples])
        texts = [_text(s3, uri, size, whole_arrays=kind == "json") for uri, size in samples]
        if not any(text.strip() for text in texts):
            raise SchemaError(f"{place} has nothing but blanks")
        return _csv(texts, compression) if kind == "csv" else _json(texts, compression)
    except (duckdb.Error, pa.ArrowException, OSError, EOFError, zlib.error) as reason:
        # Not more of it: DuckDB quotes the line it stumbled over, which may name a person.
        why = (str(reason).splitlines() or [""])[0]
        raise SchemaError(f"{place} can't be read as {kind}: {why}") from reason


def spread(files: list[tuple[ObjectUri, int]]) -> list[tuple[ObjectUri, int]]:
    """A few of the files: the first, the last and some between."""
    if len(files) <= SAMPLES:
        return files
    return [files[round(step * (len(files) - 1) / (SAMPLES - 1))] for step in range(SAMPLES)]


def format_of(key: str, head: bytes) -> tuple[str, str]:
    """Format and compression of a file, by what it begins with where that is telling, else by its suffix."""
    compression = "gzip" if head.startswith(b"\x1f\x8b") else "none"
    if head.startswith(b"PAR1"):
        return "parquet", "none"
    suffixes = key.rsplit("/", 1)[-1].lower().removesuffix(".gz").rsplit(".", 1)
    known = SUFFIXES.get(suffixes[-1]) if len(suffixes) > 1 else None
    looks_like_json = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"["))
    return known or ("json" if looks_like_json else "csv"), compression


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


def _text(s3: "S3Client", uri: ObjectUri, size: int, *, whole_arrays: bool) -> bytes:
    """The beginning of a text file, unpacked, up to a line's end; all of a JSON array, which has no lines."""
    body = unpack(_read(s3, uri, SAMPLE_BYTES))
    if size <= SAMPLE_BYTES:
        return body
    if whole_arrays and body.lstrip().startswith(b"["):
        return unpack(_read(s3, uri, size))
    return body[: body.rfind(b"\n") + 1] or body


def unpack(body: bytes) -> bytes:
    """Gzipped bytes unpacked, also when their end is missing, up to a limit; others as they are."""
    if not body.startswith(b"\x1f\x8b"):
        return body
    unpacked = bytearray()
    with gzip.open(io.BytesIO(body)) as file:
        try:
            while len(unpacked) < UNPACKED_BYTES and (chunk := file.read1(1 << 16)):
                unpacked += chunk
        except EOFError:
            pass
    return bytes(unpacked)


def _parquet(bodies: list[bytes]) -> Schema:
    columns: dict[str, str] = {}
    for body in bodies:
        for column in pq.read_schema(pa.BufferReader(body)):
            columns.setdefault(column.name.lower(), arrow_type(column.type))
    return Schema("parquet", tuple(columns.items()))


def _csv(texts: list[bytes], compression: str) -> Schema:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        # A crawl is about columns: rows that can't be read are the job's to judge.
        paths = _write([text.decode("utf-8", "replace").encode() for text in texts], Path(folder), "csv")
        delimiter, header = connection.execute(
            "SELECT Delimiter, HasHeader FROM sniff_csv(?, ignore_errors = true)", [paths[0]]
        ).fetchall()[0]
        options = "union_by_name = true, sample_size = -1, ignore_errors = true, delim = ?, header = ?"
        reading = f"DESCRIBE SELECT * FROM read_csv(?, {options})"  # noqa: S608 - nothing but constants
        described = connection.execute(reading, [paths, delimiter, header]).fetchall()
    names = [row[0] if header else f"col{position}" for position, row in enumerate(described)]
    columns = tuple(
        (_column_name(name), glue_type(row[1])) for name, row in zip(names, described, strict=True)
    )
    parameters = {"delimiter": delimiter, "columnsOrdered": "true"} | (
        {"skip.header.line.count": "1"} if header else {}
    )
    quoted = any(b'"' in text for text in texts)
    return Schema(
        "csv", columns, compression, delimiter, quoted, parameters | {"areColumnsQuoted": str(quoted).lower()}
    )


def _json(texts: list[bytes], compression: str) -> Schema:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        paths = _write(texts, Path(folder), "json")
        reading = "DESCRIBE SELECT * FROM read_json(?, union_by_name = true, maximum_object_size = 67108864)"
        described = connection.execute(reading, [paths]).fetchall()
    columns = tuple(
        (row[0].lower(), "string" if row[1] in JSON_TYPES else glue_type(row[1])) for row in described
    )
    return Schema("json", columns, compression)


def _write(texts: list[bytes], folder: Path, suffix: str) -> list[str]:
    paths = [folder / f"{position}.{suffix}" for position, text in enumerate(texts) if text.strip()]
    for path, text in zip(paths, (text for text in texts if text.strip()), strict=True):
        path.write_bytes(text)
    return [str(path) for path in paths]


def _column_name(name: str) -> str:
    return name.strip().lower()


def glue_type(duckdb_type: str) -> str:
    """Glue's name of a DuckDB type: `STRUCT(a BIGINT)[]` is `array<struct<a:bigint>>`."""
    if duckdb_type.endswith("[]"):
        return f"array<{glue_type(duckdb_type[:-2])}>"
    if duckdb_type.startswith("STRUCT("):
        fields = _struct_fields(duckdb_type[len("STRUCT(") : -1])
        return "struct<" + ",".join(f"{name}:{glue_type(kind)}" for name, kind in fields) + ">"
    if duckdb_type.startswith("DECIMAL"):
        return "double"
    return DUCKDB_TYPES.get(duckdb_type, "string")


def _struct_fields(text: str) -> list[tuple[str, str]]:
    """`a BIGINT, "b c" STRUCT(d VARCHAR)` as names and types; commas inside parentheses belong to a type."""
    parts: list[str] = []
    depth = 0
    for piece in re.split(r"([(),])", text):
        depth += (piece == "(") - (piece == ")")
        if piece == "," and depth == 0:
            parts.append("")
        else:
            parts[-1:] = [(parts[-1] if parts else "") + piece]
    pairs = (re.match(r'\s*("(?:[^"]|"")*"|\S+)\s+(.*)', part, re.DOTALL) for part in parts)
    return [(pair[1].strip('"').lower(), pair[2].strip()) for pair in pairs if pair]


ARROW_TYPES: tuple[tuple[Any, str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_int8, "tinyint"),
    (pa.types.is_int16, "smallint"),
    (pa.types.is_int32, "int"),
    (pa.types.is_integer, "bigint"),
    (pa.types.is_float32, "float"),
    (pa.types.is_floating, "double"),
    (pa.types.is_date, "date"),
    (pa.types.is_timestamp, "timestamp"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_large_binary, "binary"),
)


def arrow_type(kind: Any) -> str:
    """Glue's name of an Arrow type, as Parquet files carry it."""
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return f"array<{arrow_type(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{arrow_type(kind.key_type)},{arrow_type(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return "struct<" + ",".join(f"{part.name}:{arrow_type(part.type)}" for part in kind) + ">"
    if pa.types.is_dictionary(kind):
        return arrow_type(kind.value_type)
    return next((name for test, name in ARROW_TYPES if test(kind)), "string")
