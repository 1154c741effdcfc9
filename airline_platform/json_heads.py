"""The verdict on a landed JSON file: an object a line, or one array of objects, with fields of its feed.

What rows hold is the job's to judge, one by one. Here a file is refused whose rows can't be told apart.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from airline_platform.feeds import Feed
from airline_platform.json_records import NotAnArray, elements
from airline_platform.verdicts import Accepted, Refused

_WHOLE = "Land the file again, complete."
_ONE_A_LINE = "Write one object a line, or one array of objects."
_LINE_END = re.compile(r"\r\n|\r|\n")
"""As Spark ends lines."""


def judge_json(feed: Feed, head: bytes, *, whole: bool) -> Accepted | Refused:
    """Judge a file by its beginning; of an array, the rest is `judge_array`'s.

    Args:
        feed: What the file should be.
        head: Its first bytes, which are text.
        whole: Whether they are all.

    Returns:
        The verdict. Never raises.
    """
    text = head.decode("utf-8-sig", errors="replace")
    begins = text.lstrip()[:1]
    if not begins:
        found = "the file holds no text" if whole else f"{len(head):,} bytes of blanks"
        return Refused(1, found, _wanted(feed), _WHOLE)
    line = len(_LINE_END.split(text[: text.index(begins)]))
    if begins == "[":
        return _judge_first(feed, _first_element(head), line, Accepted("", _names(feed), "array"))
    if begins != "{":
        remedy = f"{_ONE_A_LINE} Or land it under its own feed's prefix instead of {feed.prefix}."
        return Refused(line, "neither an object nor an array begins", _wanted(feed), remedy)
    first, *rest = _LINE_END.split(text.lstrip(), maxsplit=1)
    if not rest and not whole:
        return Refused(line, f"a line longer than {len(head):,} bytes", _wanted(feed), _ONE_A_LINE)
    if not isinstance(_parsed(first), dict) and _goes_on(text.lstrip()):
        return Refused(line, "an object over several lines", _wanted(feed), _ONE_A_LINE)
    return _judge_first(feed, first, line, Accepted("", _names(feed)))


def judge_array(pieces: Iterable[bytes]) -> Refused | None:
    """Read an array to its end: where it is broken, nobody can tell what is missing.

    Args:
        pieces: All of the file, in any slices, unpacked.

    Returns:
        Why it can't be read; None where it can. Never raises.
    """
    rows = 0
    try:
        for _ in elements(pieces):
            rows += 1
    except NotAnArray as error:
        remedy = f"{_WHOLE} Or write one object a line: then only what is broken is rejected."
        return Refused(error.line, error.found, "a complete JSON array", remedy)
    if not rows:
        return Refused(
            1, "an empty array", "at least one object in the array", "Land the file again, with its rows."
        )
    return None


def _judge_first(feed: Feed, first: str, line: int, verdict: Accepted) -> Accepted | Refused:
    """Refuse what is another feed's by its first object; one that can't be read is its row's fault."""
    found = _parsed(first)
    if not isinstance(found, dict) or not found or set(found) & {column.name for column in feed.columns}:
        return verdict
    return Refused(
        line,
        "none of the feed's fields in the first object",
        f"the fields {feed.header}",
        f"Name the fields so, or land the file under its own feed's prefix instead of {feed.prefix}.",
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
