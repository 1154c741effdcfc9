"""Landed files in a job: a manifest names them, and their rows are judged, whatever their format."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from operator import or_
from typing import Any

import pyarrow as pa
from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.contract.drift import RESCUED, UNKNOWN_MARK
from airline_platform.contract.feed import DAY, REPEATED, Feed
from airline_platform.contract.reading import Reading
from airline_platform.contract.table import (
    DECIMALS,
    DIGITS,
    LARGEST_NUMBER,
    SOURCE_FILE,
    SOURCE_LINE,
    Column,
    ColumnType,
    Table,
)
from airline_platform.files.names import is_gzip
from glue_jobs.lake import LakePath
from glue_jobs.records.characters import composed, edge_class, hidden_class

REASON = "reject_reason"
RAW = "raw_text"
LINE = SOURCE_LINE.name
PARTITION = DAY
LANDED_AT = "landed_at"
BLOCK = "_block"
"""Where the part of a file begins that a task reads, in bytes."""

FIELDS = "_row"
"""What a format makes of a record: a struct with the text of each field, by the feed's names."""

LONGEST_LINE = 20_000
"""Most characters of a record; longer lines are cut there and rejected. Two lines of 10 MB used up the heap
of a laptop's job, DuckDB reads no JSON record of 16 MB, and Spark's parser raises at 20,480 fields."""

NOT_TEXT = "[\\x{FFFD}\\x00]"
"""What decoding puts in the place of bytes that are not UTF-8, and NUL, which no warehouse takes."""

PROVENANCE = (SOURCE_FILE.name, LINE, REASON, RAW, RESCUED.name)
"""Where a row came from, why it can't be used, what it has besides; every transform passes these through."""

UNREASONED = "no reason was asked for"
"""Stands for the reason of a row that can't be used, where only the good ones are wanted."""

WITHHELD = "***"
"""Stands for a value that identifies a person, or might: what is not what its column says can be a name."""

BATCH = 5_000
"""Rows of a whole file that go to Spark at once."""

UNSPLIT = 4 << 20
"""Bytes up to which a run's only file is given to one task, whose numbers its lines then have."""

_SAME_AS_URI = re.compile(r"[A-Za-z0-9:/=._-]+")
"""What a URI does not encode. To decode each row's costs a range of days 7 % of its time."""

_GLOB = str.maketrans({character: f"\\{character}" for character in "\\{}[]*?"})


@dataclass(frozen=True)
class LandedFile:
    """One entry of the manifest: a file, when it landed, and how its rows stand in it.

    Args:
        url: `s3://bucket/key`.
        partition: Its day; `all` for a feed without days.
        landed_at: ISO, with its offset from UTC.
        header: Header line of a CSV file.
        columns: The feed's columns in the order of a CSV file; one that the feed does not have is marked.
        shape: `lines`; `records` of CSV, which one reader takes as a whole; or `array` of JSON.
        first: Line of the first row.
        rows: How many rows it has, by the count of its lines when it was accepted.
        size: In bytes.
        ascii: Whether it has no other characters.
        reading: How it is written.
    """

    url: str
    partition: str
    landed_at: str
    header: str
    columns: tuple[str, ...]
    shape: str
    first: int
    rows: int
    size: int
    ascii: bool
    reading: Reading

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> "LandedFile":
        """Read a manifest's entry."""
        names = ("url", "partition", "landed_at", "header", "shape", "first", "rows", "size", "ascii")
        given: dict[str, Any] = {name: entry[name] for name in names}
        return cls(
            **given, columns=tuple(entry["columns"]), reading=Reading.from_json(entry.get("reading", {}))
        )


@dataclass(frozen=True)
class Batch:
    """Files that are read alike.

    Args:
        files: At least one.
        shape: Of all of them, as are their header, columns and reading. `records`: one reader takes each
            file as a whole.
    """

    files: tuple[LandedFile, ...]
    shape: str
    header: str
    columns: tuple[str, ...]
    reading: Reading

    @property
    def ascii(self) -> bool:
        """Whether none of them has other characters."""
        return all(file.ascii for file in self.files)


def selected(table: Table) -> list[str]:
    """What a transform selects in the end: the table's columns, in its order, and `PROVENANCE`."""
    return [*(name for name in table.column_names if name not in PROVENANCE), *PROVENANCE]


def read_manifest(spark: SparkSession, uri: str) -> list[LandedFile]:
    """The landed files of a run: a Redshift manifest whose entries also have `LandedFile`'s fields."""
    return [LandedFile.from_json(entry) for entry in json.loads(LakePath(spark, uri).read_text())["entries"]]


def batches(files: Sequence[LandedFile]) -> list[Batch]:
    """The files in as few batches as their ways of being written allow."""
    alike: dict[Any, list[LandedFile]] = {}
    for file in files:
        alike.setdefault((_shape(file), file.header, file.columns, file.reading), []).append(file)
    return [Batch(tuple(some), *key) for key, some in alike.items()]


def _shape(file: LandedFile) -> str:
    """How a file's rows stand in it for Spark, which does not unpack what ends in `.GZ`."""
    packed = is_gzip(file.url) and not file.url.endswith(".gz")
    return "records" if packed and file.shape == "lines" else file.shape


def paths(files: Sequence[LandedFile]) -> list[str]:
    """What Spark is to read, with nothing in it that Spark takes for a pattern."""
    return [file.url.translate(_GLOB) for file in files]


def source_file(path: str, files: Sequence[LandedFile]) -> SparkColumn:
    """The file of a row, from a column in which Spark has its path as a URI."""
    if all(_SAME_AS_URI.fullmatch(file.url) for file in files):
        return F.col(path).alias(SOURCE_FILE.name)
    # In such a path a plus sign stands for itself.
    return F.expr(f"url_decode(replace({path}, '+', '%2B'))").alias(SOURCE_FILE.name)


def read_lines(spark: SparkSession, batch: Batch, is_row: Callable[[SparkColumn], SparkColumn]) -> DataFrame:
    """Read files whose rows are lines.

    Args:
        spark: The session.
        batch: The files.
        is_row: Tells whether a line behind the header is a row.

    Returns:
        source_file, partition_date, landed_at, source_line, raw_text: a row for each line that is one.
    """
    lines = spark.read.text(paths(batch.files)).select(
        "value",
        source_file("_metadata.file_path", batch.files),
        F.col("_metadata.file_block_start").alias(BLOCK),
        F.monotonically_increasing_id().alias(LINE),
    )
    first_ids = _first_ids(lines, batch.files)
    numbered = _with_manifest(lines, batch.files, first_ids).withColumn(LINE, F.col(LINE) - F.col("before"))
    first = max(file.first for file in batch.files)
    rows = numbered.where(is_row(F.col("value")))
    if first > 1:
        rows = rows.where(F.col(LINE) >= F.col("first"))
    # To count bytes costs nothing, to count characters a look at each.
    cut = F.when(F.octet_length("value") <= LONGEST_LINE, F.col("value")).otherwise(
        F.substring("value", 1, LONGEST_LINE + 1)
    )
    return rows.select(SOURCE_FILE.name, PARTITION, LANDED_AT, LINE, cut.alias(RAW))


def keep_undivided(spark: SparkSession, files: Sequence[LandedFile]) -> None:
    """Have Spark give a run's only file to one task, where it is small; to be asked before any plan is made.

    How files are divided has to be the same when their lines are counted and when they are read, so nothing
    may change it in between.
    """
    if len(files) == 1 and files[0].size <= UNSPLIT:
        spark.conf.set("spark.sql.files.openCostInBytes", UNSPLIT)


def _first_ids(lines: DataFrame, files: Sequence[LandedFile]) -> dict[tuple[str, int], int]:
    """What to take from a line's id to get its number in its file, by the file and where its part begins.

    Spark numbers the lines of a task one after the other, whosever they are.
    """
    if len(files) == 1 and lines.rdd.getNumPartitions() == 1:
        return {(files[0].url, 0): -1}
    parts = lines.groupBy(SOURCE_FILE.name, BLOCK).agg(F.min(LINE), F.count("*")).collect()
    before: dict[tuple[str, int], int] = {}
    earlier: dict[str, int] = {}
    for url, block, first_id, count in sorted(parts):
        before[url, block] = first_id - 1 - earlier.get(url, 0)
        earlier[url] = earlier.get(url, 0) + count
    return before


_FILES_SCHEMA = (
    "array<struct<url string, block bigint, before bigint, partition string, landed string, first bigint>>"
)


def _with_manifest(
    records: DataFrame, files: Sequence[LandedFile], first_ids: Mapping[tuple[str, int], int]
) -> DataFrame:
    """Add what is known of each record's file: partition_date, landed_at, first, and before."""
    by_url = {file.url: file for file in files}
    known = [
        {
            "url": url,
            "block": block,
            "before": before,
            "partition": by_url[url].partition,
            "landed": by_url[url].landed_at,
            "first": by_url[url].first,
        }
        for (url, block), before in first_ids.items()
        if url in by_url
    ]
    # A literal, because a DataFrame made of Python objects costs a job of its own.
    table = records.sparkSession.range(1).select(
        F.inline(F.from_json(F.lit(json.dumps(known)), _FILES_SCHEMA))
    )
    table = table.select(
        F.col("url").alias(SOURCE_FILE.name),
        F.col("block").alias(BLOCK),
        F.expr("try_cast(partition AS date)").alias(PARTITION),
        F.to_timestamp("landed").alias(LANDED_AT),
        "first",
        "before",
    )
    if len(known) > len(files):  # some file is read in parts
        return records.join(F.broadcast(table), [SOURCE_FILE.name, BLOCK]).drop(BLOCK)
    return records.drop(BLOCK).join(F.broadcast(table.drop(BLOCK)), SOURCE_FILE.name)


def with_manifest(records: DataFrame, files: Sequence[LandedFile]) -> DataFrame:
    """Add partition_date and landed_at to records of whole files."""
    return _with_manifest(records, files, {(file.url, 0): 0 for file in files}).drop("first", "before")


def batched(name: str, rows: Iterable[tuple[int, str]]) -> Iterator[pa.RecordBatch]:
    """Rows of a whole file for Spark: its URI, where each row begins, and its text; so many at once."""
    source = iter(rows)
    while some := list(islice(source, BATCH)):
        lines, texts = zip(*some, strict=True)
        yield pa.RecordBatch.from_arrays(
            [pa.array([name] * len(some)), pa.array(lines, pa.int64()), pa.array(texts)],
            [SOURCE_FILE.name, LINE, RAW],
        )


def judge(
    rows: DataFrame,
    feed: Feed,
    batch: Batch,
    broken: SparkColumn,
    write: Callable[[dict[str, SparkColumn]], SparkColumn],
    *,
    compose: bool,
    reasons: bool = True,
) -> DataFrame:
    """Cast the fields of each record to the feed's types, and say which rows can't be used.

    Args:
        rows: With `FIELDS`, raw_text and rescued.
        feed: Declares names, types and which values are required.
        batch: How the files are written.
        broken: Why a record is none of the format's, before any of its fields is looked at; null: it is one.
        write: Makes a record's text of its fields, in their order.
        compose: Whether texts may have to be composed (NFC).
        reasons: Whether the reasons and the text are wanted. Without them Spark's code for a row is small
            enough to be compiled by Java: to find the good rows takes a third less time.

    Returns:
        The columns of `rows`, the feed's columns typed, and reject_reason: null for a good row, else a
        sentence that names the column, what came and what was expected. Where the feed identifies people,
        no reason quotes a value, and raw_text has only values that are what their columns say. Where it is
        not asked for, reject_reason is `UNREASONED`, and raw_text is empty.
    """
    given = set(batch.columns)
    texts = {
        column.name: _text(column, batch.reading, compose=compose)
        for column in feed.columns
        if column.name in given
    }
    # Computed once, where each is asked several times.
    rows = rows.withColumns({_of(name): text for name, text in texts.items()})
    missing = {_of(c.name): F.lit(None).cast("string") for c in feed.columns if c.name not in given}
    rows = rows.withColumns(missing) if missing else rows
    judged = {column.name: F.expr(_typed(column)) for column in feed.columns}
    too_long = (F.octet_length(RAW) > LONGEST_LINE) & (F.length(RAW) > LONGEST_LINE)
    not_text = F.col(RAW).rlike(NOT_TEXT)
    too_much = F.octet_length(RESCUED.name) > RESCUED.length
    helpers = [FIELDS, *(_of(column.name) for column in feed.columns)]
    if not reasons:
        wrong = [too_long, broken.isNotNull(), not_text]
        wrong += [too_much] if _has_unknown(batch) else []
        wrong += [
            each for column in feed.columns for each, _ in _problems(column, batch.reading, reasons=False)
        ]
        judged |= {REASON: F.when(reduce(or_, wrong), F.lit(UNREASONED)), RAW: F.lit(None).cast("string")}
        return rows.withColumns(judged).drop(*helpers)
    broken = F.coalesce(
        F.when(too_long, F.lit(f"expected at most {LONGEST_LINE:,} characters, found more")),
        broken,
        F.when(
            not_text, F.lit(f"expected {batch.reading.encoding.upper()} text without NUL, found other bytes")
        ),
        F.when(too_much, F.lit(f"expected at most {RESCUED.length:,} bytes in columns nobody has declared")),
    )
    problems = {
        column.name: _reason(column, batch.reading, quote=not feed.personal) for column in feed.columns
    }
    judged |= {REASON: F.coalesce(broken, *problems.values())}
    if feed.personal:
        known = {column.name: column for column in feed.columns}
        shown = {
            name: F.when(
                problems[name].isNull(), F.coalesce(F.expr(f"{FIELDS}.`{name}`"), F.lit(""))
            ).otherwise(WITHHELD)
            if name in known and _may_be_shown(known[name])
            else F.lit(WITHHELD)
            for name in batch.columns
        }
        judged |= {RAW: F.when(broken.isNull(), write(shown)).otherwise(WITHHELD)}
    return rows.withColumns(judged).drop(*helpers)


def _has_unknown(batch: Batch) -> bool:
    """Whether records may have fields the feed does not; each object of JSON names its own."""
    return not batch.header or any(name.startswith(UNKNOWN_MARK) for name in batch.columns)


def _may_be_shown(column: Column) -> bool:
    """Whether no name can stand in the column: one that takes any text might hold one, slipped in."""
    return not column.personal and (column.type != "string" or bool(column.one_of or column.pattern))


def last_wins(rows: DataFrame, key: Sequence[str]) -> DataFrame:
    """Reject the rows of a file that have a good one with the same key further down.

    Args:
        rows: With the key's columns and `PROVENANCE`.
        key: Columns that name a thing.
    """
    good = F.col(REASON).isNull()
    below = Window.partitionBy(SOURCE_FILE.name, *key, good).orderBy(F.col(LINE).desc())
    repeated = good & (F.row_number().over(below) > 1)
    reason = F.concat(F.lit(f"{', '.join(key)} "), F.lit(REPEATED))
    return rows.withColumn(REASON, F.when(repeated, reason).otherwise(F.col(REASON)))


_EDGES = f"\\A[{edge_class()}]+|[{edge_class()}]+\\z"
"""White space and what is not seen, at both ends."""


def _composed(text: SparkColumn) -> SparkColumn:
    """A field's text composed. Spark 4 would look in a named function's type hints for pandas' columns."""
    return F.udf(lambda it: None if it is None else composed(it), "string")(text)


def _of(name: str) -> str:
    """The column with a field's text."""
    return f"_text_{name}"


def _text(column: Column, reading: Reading, *, compose: bool) -> SparkColumn:
    """A field's text as it counts: without what stands around it, and null where it says nothing."""
    raw = F.col(f"{FIELDS}.`{column.name}`")
    text = F.nullif(F.trim(raw), F.lit(""))
    if column.type == "string":
        clean = F.nullif(F.regexp_replace(raw, _EDGES, ""), F.lit(""))
        if column.one_of:
            text = F.when(text.isin(*column.one_of), text).otherwise(clean)
        elif column.pattern and not _admits_hidden(column):
            text = F.when(text.rlike(_whole(column.pattern[0])), text).otherwise(clean)
        else:
            text = _composed(clean) if compose else clean
    if reading.nulls:
        text = F.when(~text.isin(*reading.nulls), text)
    if reading.decimal_comma and column.type in ("decimal", "bigint"):
        text = F.translate(text, ",", ".")
    if reading.date_pattern and column.type in ("date", "timestamp"):
        pattern, iso = reading.date_pattern
        own = iso.replace("-", column.separator) if column.type == "date" else iso
        text = F.regexp_replace(text, f"\\A{pattern}(?=\\z|[ T])", own)
    return text


def _whole(expression: str) -> str:
    """A regular expression of a whole value; Java's `$` also matches before a line's end."""
    return f"\\A(?:{expression})\\z"


def _admits_hidden(column: Column) -> bool:
    """Whether characters that are not seen may match the column's pattern, which names what is not in it."""
    return column.pattern is None or "[^" in column.pattern[0]


def _typed(column: Column) -> str:
    """SQL of a field's value; null where the text is not one. `try_cast` never raises, also in ANSI mode."""
    text = f"`{_of(column.name)}`"
    if column.type == "string":
        return text
    if column.type == "date" and column.separator != "-":
        plain = f"try_cast(replace({text}, '{column.separator}', '-') as date)"
    else:
        plain = f"try_cast({text} as {column.glue_type})"
    if column.type == "bigint":
        # A whole number may come as 12.0 from tools that widen integer columns with gaps; 12.5 may not.
        return f"coalesce({plain}, try_cast(regexp_replace({text}, '[.]0+$', '') as bigint))"
    # A cast alone takes 2013 for New Year's Day, and rounds what has more decimals.
    return f"if({text} rlike '{_form(column)}', {plain}, null)"


def _reason(column: Column, reading: Reading, *, quote: bool) -> SparkColumn:
    """The sentence about a field that can't be its column's; null where it can."""
    got = F.lit(f"{column.name}: expected ")
    if quote:
        text = F.col(_of(column.name))
        got = F.concat(F.lit(f"{column.name} is '"), F.substring(text, 1, 100), F.lit("'; expected "))
    (missing, is_required), *others = _problems(column, reading, reasons=True)
    reason = F.when(missing, F.concat(F.lit(f"{column.name} "), is_required))
    if column.type == "string":
        reason = reason.when(_hidden(column), _what_is_hidden(column))
    for wrong, expected in others:
        reason = reason.when(wrong, F.concat(got, expected))
    return reason


def _hidden(column: Column) -> SparkColumn:
    """Whether a text has characters inside that are not seen."""
    return F.col(_of(column.name)).rlike(f"[{hidden_class(several_lines=column.several_lines)}]")


def _what_is_hidden(column: Column) -> SparkColumn:
    """Which is the first of them, and where."""
    inside = hidden_class(several_lines=column.several_lines)
    pattern = f"\\A([^{inside}]*)([{inside}])"
    text = F.col(_of(column.name))
    point = F.hex(F.ascii(F.regexp_extract(text, pattern, 2)))
    padded = F.when(F.length(point) < 4, F.lpad(point, 4, "0")).otherwise(point)  # noqa: PLR2004 - U+00AD
    place = F.length(F.regexp_extract(text, pattern, 1)) + 1
    return F.concat(
        F.lit(f"{column.name} has U+"),
        padded,
        F.lit(" at character "),
        place.cast("string"),
        F.lit("; expected no control and no invisible characters"),
    )


def _problems(
    column: Column, reading: Reading, *, reasons: bool
) -> Iterator[tuple[SparkColumn, SparkColumn]]:
    """What can be wrong with a field, and what its reason says: that it is empty, then what was expected."""
    text = F.col(_of(column.name))
    yield text.isNull() & F.lit(column.required), F.lit("is empty; a value is required")
    if not reasons and column.type == "string" and not column.one_of and _admits_hidden(column):
        yield _hidden(column), F.lit("")
    for wrong, expected in _expectations(column, reading, text):
        yield wrong, F.lit(expected)


def _expectations(column: Column, reading: Reading, text: SparkColumn) -> Iterator[tuple[SparkColumn, str]]:
    """What can be wrong with a field's text, and what was expected of it."""
    value = F.expr(_typed(column))
    if column.type != "string":
        expected = ROUNDED if column.rounded else _EXPECTED[column.type].replace("-", column.separator)
        if reading.dates:
            expected = expected.replace("YYYY-MM-DD", reading.dates)
        yield text.isNotNull() & value.isNull(), expected
    else:
        yield F.octet_length(text) > column.length, f"{column.length} bytes at most"
    if column.one_of:
        some = ", ".join(column.one_of[:NAMED]) + (", …" if len(column.one_of) > NAMED else "")
        yield ~text.isin(*column.one_of), f"one of {some}"
    if column.pattern:
        expression, words = column.pattern
        yield ~text.rlike(_whole(expression)), words
    if column.type in ("date", "timestamp"):
        first, last = column.years
        yield ~F.year(value).between(first, last), f"a year from {first} to {last}"
    if column.type in ("bigint", "decimal"):
        yield from _bounds(column, value)


def _bounds(column: Column, value: SparkColumn) -> Iterator[tuple[SparkColumn, str]]:
    least, most = column.minimum, column.maximum
    if column.type == "bigint":
        outside = ~value.between(
            -LARGEST_NUMBER if least is None else least, LARGEST_NUMBER if most is None else most
        )
    else:
        outside = (value < least if least is not None else F.lit(False)) | (
            value > most if most is not None else F.lit(False)
        )
    if least is not None and most is not None:
        yield outside, f"{least:,} to {most:,}"
    elif least is not None:
        yield (
            outside,
            f"{least:,} or more" + (f", at most {LARGEST_NUMBER:,}" if column.type == "bigint" else ""),
        )
    elif most is not None:
        yield outside, f"{most:,} at most"
    elif column.type == "bigint":
        yield outside, f"at most {LARGEST_NUMBER:,}, without its sign"


NAMED = 8
"""Most values a reason names of those there are."""

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?"
_FORMS: dict[ColumnType, str] = {
    "decimal": f"[+-]?[0-9]{{1,{DIGITS - DECIMALS}}}([.][0-9]{{1,{DECIMALS}}})?",
    "timestamp": f"{_DATE}[ T]{_TIME}",
}


def _form(column: Column) -> str:
    """Regular expression of a whole value's text, escaped for a literal of SQL."""
    if column.rounded:
        form = _FORMS["decimal"].replace(f"{{1,{DECIMALS}}}", "+")
    elif column.type == "date":
        form = column.separator.join(("[0-9]{4}", "[0-9]{2}", "[0-9]{2}"))
    else:
        form = _FORMS[column.type]
    return f"\\\\A{form}\\\\z"


ROUNDED = f"a number, which is rounded to {DECIMALS} decimals"
_EXPECTED: dict[ColumnType, str] = {
    "bigint": "a whole number",
    "decimal": f"a number with at most {DECIMALS} decimals, such as 129.90",
    "date": "a date YYYY-MM-DD",
    "timestamp": "a timestamp YYYY-MM-DD HH:MM:SS, in UTC where it names no offset",
}
