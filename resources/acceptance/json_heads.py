"""The verdict on a landed JSON file: an object a line, or one array of objects, with fields of its feed.

What rows hold is the job's to judge, one by one. Here a file is refused whose rows can't be told apart.
"""

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from airline_platform.contract.feed import Feed
from airline_platform.contract.reading import Reading
from glue_jobs.records.csv_records import lines_of
from glue_jobs.records.json_records import NotAnArray, elements
from resources.acceptance.verdicts import Accepted, Refused

_WHOLE = "Land the file again, complete."
_ONE_A_LINE = "Write one object a line, or one array of objects."
_LINE_END = re.compile(r"\r\n|\r|\n")
"""As Spark ends lines."""

_BLANKS = " \t\r\n"
"""JSON's blanks."""


def judge_json(
    feed: Feed, head: bytes, texts: Iterator[bytes], reading: Reading, *, whole: bool
) -> Accepted | Refused:
    """Judge a file, reading all of it once.

    Args:
        feed: What the file should be.
        head: Its first bytes, which are text.
        texts: All of it, in any slices.
        reading: How it is written.
        whole: Whether the head is all of it.

    Returns:
        The verdict. Raises nothing for what the file holds but `csv_records.LineTooLong`.
    """
    text = head.decode("utf-8-sig", errors="replace")
    begins = text.lstrip(_BLANKS)[:1]
    if not begins:
        empty = "the file holds no text" if whole else f"{len(head):,} bytes of blanks"
        return Refused(1, empty, _wanted(feed), _WHOLE)
    line = len(_LINE_END.split(text[: text.index(begins)]))
    verdict = Accepted("", _names(feed), reading=reading)
    if begins == "[":
        refused = _judge_first(feed, reading, _first_element(head), line)
        return refused or _count_array(feed, texts, verdict)
    if begins != "{":
        remedy = f"{_ONE_A_LINE} Or land it under its own feed's prefix instead of {feed.prefix}."
        return Refused(line, "neither an object nor an array begins", _wanted(feed), remedy)
    first, *rest = _LINE_END.split(text.lstrip(_BLANKS), maxsplit=1)
    if not rest and not whole:
        return Refused(line, f"a line longer than {len(head):,} bytes", _wanted(feed), _ONE_A_LINE)
    if not isinstance(_parsed(first), dict) and _goes_on(text.lstrip(_BLANKS)):
        return Refused(line, "an object over several lines", _wanted(feed), _ONE_A_LINE)
    refused = _judge_first(feed, reading, first, line)
    return refused or _count_lines(texts, verdict)


def _count_lines(texts: Iterator[bytes], verdict: Accepted) -> Accepted:
    rows = lines = 0
    for _, some in lines_of(texts):
        if not lines:
            some[0] = some[0].removeprefix(codecs.BOM_UTF8)
        lines += len(some)
        rows += sum(1 for line in some if line and not line.isspace())
    return replace(verdict, rows=rows, lines=lines)


def _count_array(feed: Feed, pieces: Iterable[bytes], verdict: Accepted) -> Accepted | Refused:
    """Read an array to its end: where it is broken, nobody can tell what is missing."""
    rows = 0
    try:
        for _ in elements(pieces):
            rows += 1
    except NotAnArray as error:
        remedy = f"{_WHOLE} Or write one object a line: then only what is broken is rejected."
        return Refused(error.line, error.found, "a complete JSON array", remedy)
    if not rows and feed.no_rows == "refuse":
        return Refused(
            1, "an empty array", "at least one object in the array", "Land the file again, with its rows."
        )
    return replace(verdict, shape="array", rows=rows)


def _judge_first(feed: Feed, reading: Reading, first: str, line: int) -> Refused | None:
    """Refuse what is another feed's by its first object; one that can't be read is its row's fault."""
    row = _parsed(first)
    if not isinstance(row, dict) or not row:
        return None
    if {reading.column_of(name) for name in row} & {column.name for column in feed.columns}:
        return None
    return Refused(
        line,
        "none of the feed's fields in the first object",
        f"the fields {feed.header}",
        f"Name the fields so, or land the file under its own feed's prefix instead of {feed.prefix}; other "
        "names of fields can be declared (Feed.reading).",
    )


def _first_element(head: bytes) -> str:
    try:
        return next(elements([head]), "")
    except NotAnArray:
        return ""


def _parsed(text: str) -> Any:
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _goes_on(text: str) -> bool:
    """Whether an object is whole only with the lines that follow the first one."""
    try:
        _, end = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return _LINE_END.search(text, 0, end) is not None


def _names(feed: Feed) -> tuple[str, ...]:
    return tuple(column.name for column in feed.columns)


def _wanted(feed: Feed) -> str:
    return f"JSON, an object a line or one array of objects, with the fields {feed.header}"
