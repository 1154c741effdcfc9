"""Landed files in a job: told by a manifest, judged row by row, whatever their format."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import reduce
from operator import or_

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - PySpark's own convention

from airline_platform.feeds import REPEATED, Feed
from airline_platform.tables import DECIMALS, DIGITS, SOURCE_FILE, Column, ColumnType, Table
from glue_jobs.lake import LakePath

REASON = "reject_reason"
RAW = "raw_text"
LINE = "line_number"
PARTITION = "partition_date"
LANDED_AT = "landed_at"
POSITION = "position"
"""Orders the rows of a file as they stand in it; means nothing else."""

FIELDS = "_row"
"""What a format makes of a record: a struct with the text of each field, by the feed's names."""

LONGEST_LINE = 20_000
"""Most characters of a record; longer lines are cut there and rejected. Two lines of 10 MB used up the heap
of a laptop's job, DuckDB reads no JSON record of 16 MB, and Spark's parser raises at 20,480 fields."""

NOT_TEXT = "[\\x{FFFD}\\x00]"
"""What decoding puts in the place of bytes that are not UTF-8, and NUL, which no warehouse takes."""

PROVENANCE = (SOURCE_FILE.name, POSITION, LINE, REASON, RAW)
"""Where a row came from and why it can't be used; every transform passes these columns through."""

UNTOLD = "not told"
"""Stands for the reason of a row that can't be used, where only the good ones are wanted."""

WITHHELD = "***"
"""Stands for a value that identifies a person, or might: what is not what its column says can be a name."""

_FILES_SCHEMA = (
    "array<struct<url string, partition string, landed_at string, header string, columns array<string>>>"
)

_SAME_AS_URI = re.compile(r"[A-Za-z0-9:/=._-]+")
"""What a URI does not encode. To decode each row's costs a range of days 7 % of its time."""

_GLOB = str.maketrans({character: f"\\{character}" for character in "\\{}[]*?"})


@dataclass(frozen=True)
class LandedFile:
    """One entry of the manifest: its URI, its day and when it landed (ISO), and how its rows stand in it.

    Args:
        url: `s3://bucket/key`.
        partition: Its day.
        landed_at: With its offset from UTC.
        header: First line of a CSV file.
        columns: The feed's columns in the order of a CSV file.
        shape: `lines`, or `array` for a JSON file that is one.
    """

    url: str
    partition: str
    landed_at: str
    header: str
    columns: tuple[str, ...]
    shape: str


def selected(table: Table) -> list[str]:
    """What a transform selects in the end: the table's columns, in its order, and `PROVENANCE`."""
    return [*(name for name in table.column_names if name not in PROVENANCE), *PROVENANCE]


def read_manifest(spark: SparkSession, uri: str) -> list[LandedFile]:
    """The landed files of a run: a Redshift manifest whose entries also have `LandedFile`'s fields."""
    entries = json.loads(LakePath(spark, uri).read_text())["entries"]
    return [
        LandedFile(
            found["url"],
            found["partition"],
            found["landed_at"],
            found["header"],
            tuple(found["columns"]),
            found["shape"],
        )
        for found in entries
    ]


def paths(files: Sequence[LandedFile]) -> list[str]:
    """What Spark is to read, with nothing in it that Spark takes for a pattern."""
    return [file.url.translate(_GLOB) for file in files]


def source_file(path: str, files: Sequence[LandedFile]) -> SparkColumn:
    """The file of a row, from a column in which Spark has its path as a URI."""
    if all(_SAME_AS_URI.fullmatch(file.url) for file in files):
        return F.col(path).alias(SOURCE_FILE.name)
    # In such a path a plus sign stands for itself.
    return F.expr(f"url_decode(replace({path}, '+', '%2B'))").alias(SOURCE_FILE.name)


def read_lines(spark: SparkSession, files: Sequence[LandedFile]) -> DataFrame:
    """One row per line: source_file, position, raw_text, and line_number, which stays empty."""
    return spark.read.text(paths(files)).select(
        # To count bytes costs nothing, to count characters a look at each.
        F.when(F.octet_length("value") <= LONGEST_LINE, F.col("value"))
        .otherwise(F.substring("value", 1, LONGEST_LINE + 1))
        .alias(RAW),
        source_file("_metadata.file_path", files),
        F.struct("_metadata.file_block_start", F.monotonically_increasing_id()).alias(POSITION),
        F.lit(None).cast("int").alias(LINE),
    )


def number_lines(lines: DataFrame) -> DataFrame:
    """Count line_number from 1 in each file, which costs a shuffle."""
    in_file = Window.partitionBy(SOURCE_FILE.name).orderBy(POSITION)
    return lines.withColumn(LINE, F.row_number().over(in_file))


def with_manifest(records: DataFrame, files: Sequence[LandedFile]) -> DataFrame:
    """Add what the manifest says of each record's file: partition_date, landed_at, header, columns."""
    # A literal, because a DataFrame made of Python objects costs a job of its own.
    text = F.lit(json.dumps([asdict(file) for file in files]))
    known = records.sparkSession.range(1).select(F.inline(F.from_json(text, _FILES_SCHEMA)))
    known = known.select(
        F.col("url").alias(SOURCE_FILE.name),
        F.to_date("partition").alias(PARTITION),
        F.to_timestamp(LANDED_AT).alias(LANDED_AT),
        "header",
        "columns",
    )
    return records.join(F.broadcast(known), SOURCE_FILE.name)


def judge(
    rows: DataFrame,
    feed: Feed,
    broken: SparkColumn,
    order: Sequence[str],
    write: Callable[[dict[str, SparkColumn]], SparkColumn],
    *,
    told: bool = True,
) -> DataFrame:
    """Cast the fields of each record to the feed's types, and say which rows can't be used.

    Args:
        rows: With `FIELDS` and raw_text.
        feed: Declares names, types and which values are required.
        broken: Why a record is none of the format's, before any of its fields is looked at; null: it is one.
        order: The columns, as the record has them.
        write: Makes a record's text of its fields, in their order.
        told: Whether the reasons and the text are wanted. Without them Spark's code for a row is small enough
            to be compiled by Java: to find the good rows takes a third less time.

    Returns:
        The columns of `rows`, the feed's columns typed, and reject_reason: null for a good row, else a
        sentence that names the column, what came and what was expected. Where the feed identifies people,
        no reason quotes a value, and raw_text has only values that are what their columns say. Where it is
        not told, reject_reason is `UNTOLD`, and raw_text is empty.
    """
    found = {column.name: F.expr(_typed(column)) for column in feed.columns}
    too_long = (F.octet_length(RAW) > LONGEST_LINE) & (F.length(RAW) > LONGEST_LINE)
    not_text = F.col(RAW).rlike(NOT_TEXT)
    if not told:
        wrong = [too_long, broken.isNotNull(), not_text]
        wrong += [each for column in feed.columns for each, _ in _problems(column)]
        found |= {REASON: F.when(reduce(or_, wrong), F.lit(UNTOLD)), RAW: F.lit(None).cast("string")}
        return rows.withColumns(found).drop(FIELDS)
    broken = F.coalesce(
        F.when(too_long, F.lit(f"expected at most {LONGEST_LINE:,} characters, found more")),
        broken,
        F.when(not_text, F.lit("expected UTF-8 text without NUL, found other bytes")),
    )
    problems = {column.name: _reason(column, quote=not feed.personal) for column in feed.columns}
    found |= {REASON: F.coalesce(broken, *problems.values())}
    if feed.personal:
        masked = {column.name: F.lit(WITHHELD) for column in feed.columns if not _may_be_shown(column)}
        shown = {
            name: masked.get(
                name,
                F.when(
                    problems[name].isNull(), F.coalesce(F.expr(f"{FIELDS}.`{name}`"), F.lit(""))
                ).otherwise(WITHHELD),
            )
            for name in order
        }
        found |= {RAW: F.when(broken.isNull(), write(shown)).otherwise(WITHHELD)}
    return rows.withColumns(found).drop(FIELDS)


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
    below = Window.partitionBy(SOURCE_FILE.name, *key, good).orderBy(F.col(POSITION).desc())
    repeated = good & (F.row_number().over(below) > 1)
    reason = F.concat(F.lit(f"{', '.join(key)} "), F.lit(REPEATED))
    return rows.withColumn(REASON, F.when(repeated, reason).otherwise(F.col(REASON)))


def _text(column: Column) -> str:
    """SQL of a field's text, empty as null. Names are our own declarations'."""
    return f"nullif(trim({FIELDS}.`{column.name}`), '')"


def _typed(column: Column) -> str:
    """SQL of a field's value; null where the text is not one. `try_cast` never raises, also in ANSI mode."""
    text = _text(column)
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


def _reason(column: Column, *, quote: bool) -> SparkColumn:
    """The sentence about a field that can't be its column's; null where it can."""
    got = F.lit(f"{column.name}: expected ")
    if quote:
        text = F.expr(_text(column))
        got = F.concat(F.lit(f"{column.name} is '"), F.substring(text, 1, 100), F.lit("'; expected "))
    (missing, is_required), *others = _problems(column)
    reason = F.when(missing, F.lit(f"{column.name} {is_required}"))
    for wrong, expected in others:
        reason = reason.when(wrong, F.concat(got, F.lit(expected)))
    return reason


def _problems(column: Column) -> Iterator[tuple[SparkColumn, str]]:
    """What can be wrong with a field, and how it is told: that it is empty, then what was expected of it."""
    text = F.expr(_text(column))
    yield text.isNull() & F.lit(column.required), "is empty; a value is required"
    yield from _expectations(column, text)


def _expectations(column: Column, text: SparkColumn) -> Iterator[tuple[SparkColumn, str]]:
    """What can be wrong with a field's text, and what was expected of it."""
    if column.type != "string":
        expected = _EXPECTED[column.type].replace("-", column.separator)
        yield text.isNotNull() & F.expr(_typed(column)).isNull(), expected
    else:
        yield F.octet_length(text) > column.length, f"{column.length} bytes at most"
    if column.one_of:
        some = ", ".join(column.one_of[:NAMED]) + (", …" if len(column.one_of) > NAMED else "")
        yield ~text.isin(*column.one_of), f"one of {some}"
    if column.pattern:
        expression, words = column.pattern
        yield ~text.rlike(f"^(?:{expression})$"), words
    if column.minimum is not None:
        yield F.expr(_typed(column)) < column.minimum, f"{column.minimum} or more"


NAMED = 8
"""Most values a reason names of those there are."""

_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})?"
_FORMS: dict[ColumnType, str] = {
    "decimal": f"^[+-]?[0-9]{{1,{DIGITS - DECIMALS}}}([.][0-9]{{1,{DECIMALS}}})?$",
    "timestamp": f"^{_DATE}[ T]{_TIME}$",
}


def _form(column: Column) -> str:
    """Regular expression of a value's text."""
    if column.type == "date":
        return column.separator.join(("^[0-9]{4}", "[0-9]{2}", "[0-9]{2}$"))
    return _FORMS[column.type]


_EXPECTED: dict[ColumnType, str] = {
    "bigint": "a whole number",
    "decimal": f"a number with at most {DECIMALS} decimals, such as 129.90",
    "date": "a date YYYY-MM-DD",
    "timestamp": "a timestamp YYYY-MM-DD HH:MM:SS, in UTC where it names no offset",
}
