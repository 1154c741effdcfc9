"""Whatever nine files hold, the tenth is loaded, each row is accounted for, and all is as declared.

`AIRLINE_FUZZ_RUNS` says how many runs of ten files each feed gets, `AIRLINE_FUZZ_SEED` makes other files.
"""

import os
import re
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

import pytest
from fuzz import FuzzedFile, fuzzed_runs
from spark_lake import Lake

from airline_platform.contract.feed import Feed
from airline_platform.contract.table import DECIMALS, LARGEST_NUMBER, Column
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from glue_jobs.records.characters import hidden_class, trimmed
from resources.acceptance.verdicts import Refused

pytestmark = [
    pytest.mark.timeout(3600),
    # PySpark leaves the socket of every collect to the garbage collector, and compares pandas's version.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:distutils Version classes are deprecated:DeprecationWarning"),
]

RUNS = int(os.environ.get("AIRLINE_FUZZ_RUNS", "20"))
SEED = int(os.environ["AIRLINE_FUZZ_SEED"]) if "AIRLINE_FUZZ_SEED" in os.environ else None

AT_ONCE = 20
"""Runs that share one Spark job, each on a day of its own."""

FEEDS = {feed.name: feed for feed in (FLIGHTS, BOOKINGS, SHIPMENTS, AIRPORTS)}


@pytest.mark.parametrize("name", FEEDS)
def test_no_file_stops_another_one(
    new_lake: Callable[..., Lake], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    feed = FEEDS[name]
    tried: Counter[str] = Counter()
    found = fuzzed_runs(feed, RUNS, SEED)
    for number, runs in enumerate(found[start : start + AT_ONCE] for start in range(0, len(found), AT_ONCE)):
        lake = new_lake(feed)
        bodies: dict[str, FuzzedFile] = {}
        entries: dict[str, dict[str, Any]] = {}
        for place, files in enumerate(runs):
            for file in files:
                day = date(2013, 1, 1) + timedelta(place) if feed.daily else None
                key = feed.key(file.name if feed.daily else f"{place}-{file.name}", day)
                verdict = lake.judged(key, file.body)
                tried["refused" if isinstance(verdict, Refused) else "read"] += 1
                if isinstance(verdict, dict):
                    entries[verdict["url"]], bodies[verdict["url"]] = verdict, file
        share = (1.0, 0.05)[number % 2]
        counts = {count["url"]: count for count in without_error(lake, list(entries.values()), share)}
        loaded = lake.loaded()
        rows = Counter(row.source_file for row in loaded)
        for url, entry in entries.items():
            count = counts[url]
            told = (url, bodies[url].body, count)
            assert count["read"] == entry["rows"] == count["loaded"] + count["rejected"], told
            assert rows[url] == (0 if count["refused"] else count["loaded"]), told
            if bodies[url].good:
                assert (count["loaded"], count["rejected"], count["refused"]) == (2, 0, ""), told
        wrong = [problem for row in loaded for problem in problems(feed, row.asDict())]
        assert wrong == []
        tried["rows loaded"] += sum(rows.values())
        tried["rows rejected"] += sum(count["rejected"] for count in counts.values())
    assert all(tried[what] for what in ("refused", "read", "rows loaded", "rows rejected")), tried
    with capsys.disabled():
        print(f"\n{name}: {dict(tried)}")  # noqa: T201 - how much was tried is worth knowing


def without_error(lake: Lake, entries: list[dict[str, Any]], share: float) -> list[dict[str, Any]]:
    """The job's counts; where it raises, the smallest set of files for which it does is told."""
    try:
        return lake.counts(*entries, secret="secret", max_rejected_share=share)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding
        for half in (entries[: len(entries) // 2], entries[len(entries) // 2 :]):
            if 0 < len(half) < len(entries):
                without_error(lake, half, share)
        path = [lake.landing / entry["url"].removeprefix("s3://landing/") for entry in entries]
        told = [(str(file), file.read_bytes()) for file in path]
        pytest.fail(f"the job raised {str(error)[:2000]} for {told}")


# --- what is declared, said once more


def problems(feed: Feed, row: dict[str, Any]) -> list[str]:
    """What of a loaded row is not as its feed declares."""
    found = []
    mine = {theirs: name for name, theirs in feed.sources}
    for column in feed.columns:
        name = mine.get(column.name, column.name)
        if name in row and (problem := _problem(column, row[name])):
            found.append(f"{column.name} is {row[name]!r}: {problem}")
    return found


def _problem(column: Column, value: Any) -> str | None:
    if value is None:
        return "empty" if column.required else None
    judge: Callable[[Column, Any], bool] = _FITS[column.type]
    return None if judge(column, value) else "not as declared"


@cache
def _hidden(*, several_lines: bool) -> re.Pattern[str]:
    """What may not stand inside a value, as Python writes the class of characters that Java has."""
    java = hidden_class(several_lines=several_lines)
    return re.compile(re.sub(r"\\x\{(.+?)\}", lambda it: f"\\U{it[1]:0>8}", f"[{java}]"))


def _text_fits(column: Column, value: str) -> bool:
    return (
        value == trimmed(value) != ""
        and not _hidden(several_lines=column.several_lines).search(value)
        and len(value.encode()) <= column.length
        and (not column.one_of or value in column.one_of)
        and (not column.pattern or re.fullmatch(column.pattern[0], value) is not None)
    )


def _number_fits(column: Column, value: int | Decimal) -> bool:
    least = -LARGEST_NUMBER if column.minimum is None else column.minimum
    most = LARGEST_NUMBER if column.maximum is None else column.maximum
    return least <= value <= most


def _decimal_fits(column: Column, value: Decimal) -> bool:
    most = Decimal(10) ** (column.digits - DECIMALS)
    return _number_fits(column, value) and abs(value) < most and value == round(value, DECIMALS)


def _day_fits(column: Column, value: date | datetime) -> bool:
    return column.years[0] <= value.year <= column.years[1]


_FITS: dict[str, Callable[[Column, Any], bool]] = {
    "string": _text_fits,
    "bigint": _number_fits,
    "decimal": _decimal_fits,
    "date": _day_fits,
    "timestamp": _day_fits,
}
