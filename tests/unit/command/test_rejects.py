"""Which rejects stand behind the newest verdicts on files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from command.rejects import Reject, rejects_of
from resources.warehouse.ledger import State, Verdict

DAY, LATER = "2013-01-01", "2013-01-02"
AT = datetime(2013, 1, 3, tzinfo=UTC)


def key(name: str, day: str = DAY) -> str:
    return f"daily_flights/date={day}/{name}"


def verdict(key: str, state: State, reason: str | None = None, rows: tuple = (None, None, None)) -> Verdict:
    read, loaded, rejected = rows
    return Verdict(
        feed="flights",
        day=DAY,
        key=key,
        etag="e",
        state=state,
        reason=reason,
        rows_read=read,
        rows_loaded=loaded,
        rows_rejected=rejected,
        landed_at=AT,
        loaded_at=AT,
    )


def partly(name: str, day: str = DAY, etag: str = "e", rejected: int = 1) -> Verdict:
    file = verdict(key(name, day), "loaded", rows=(10, 10 - rejected, rejected))
    return replace(file, day=day, etag=etag)


def refused(name: str, day: str = DAY, reason: str = "no header") -> Verdict:
    return replace(verdict(key(name, day), "rejected", reason), day=day)


class InMemory:
    """A lake with rejects under prefixes, and with the versions that jobs have read."""

    def __init__(self, rejects: dict[str, list[dict[str, Any]]], **read: dict[str, dict[str, str]]) -> None:
        self._rejects, self._read = rejects, read
        self.opened: list[str] = []

    def rows(self, prefix: str) -> Iterator[dict[str, Any]]:
        self.opened.append(prefix)
        yield from self._rejects.get(prefix, ())

    def get_manifests(self, dataset: str, partitions: Sequence[str]) -> dict[str, Any]:
        of_days = {day: self._read.get(dataset, {}).get(day) for day in partitions}
        return {
            day: {"landed": [{"object": {"key": k, "etag": e}, "rows": {}} for k, e in read.items()]}
            for day, read in of_days.items()
            if read
        }


def row(name: str, line: int, day: str = DAY, text: str = "x") -> dict[str, Any]:
    url = f"s3://airline-landing/{key(name, day)}"
    return {"source_file": url, "line_number": line, "reject_reason": "odd", "raw_text": text}


def of(lake: InMemory, *verdicts: Verdict, feed: Feed = FLIGHTS) -> list[tuple[str, int | None, str | None]]:
    return [(r.file.rpartition("/")[2], r.line, r.reason) for r in rejects_of(feed, verdicts, lake)]


def test_a_refused_file_is_a_row_without_a_line_and_a_rejected_row_has_line_and_text() -> None:
    lake = InMemory({f"rejects/flights/date={DAY}/": [row("b.csv", 7, text="a,b")]})

    assert list(rejects_of(FLIGHTS, [refused("a.csv"), partly("b.csv")], lake)) == [
        Reject(DAY, key("a.csv"), None, "no header", None),
        Reject(DAY, key("b.csv"), 7, "odd", "a,b"),
    ]


def test_a_day_that_was_refused_for_its_rejects_has_the_files_and_their_rows() -> None:
    lake = InMemory({f"rejects/flights/date={DAY}/": [row("a.csv", 2), row("a.csv", 3)]})
    day_refused = verdict(key("a.csv"), "rejected", "too many", (3, 0, 3))

    assert of(lake, day_refused) == [("a.csv", None, "too many"), ("a.csv", 2, "odd"), ("a.csv", 3, "odd")]


def test_rows_of_a_file_whose_newest_version_was_refused_are_left_out() -> None:
    lake = InMemory({f"rejects/flights/date={DAY}/": [row("a.csv", 2), row("b.csv", 5)]})

    assert of(lake, refused("a.csv"), partly("b.csv")) == [("a.csv", None, "no header"), ("b.csv", 5, "odd")]


@pytest.mark.parametrize(
    ("feed", "dataset"), [(FLIGHTS, "flights_enriched"), (SHIPMENTS, "shipments_parquet")]
)
def test_rows_of_a_version_without_a_verdict_are_left_out(feed: Feed, dataset: str) -> None:
    rejects = {f"rejects/{feed.name}/date={DAY}/": [row("a.csv", 2), row("b.csv", 5)]}
    lake = InMemory(rejects, **{dataset: {DAY: {key("a.csv"): "newer", key("b.csv"): "e"}}})

    assert of(lake, partly("a.csv"), partly("b.csv"), feed=feed) == [("b.csv", 5, "odd")]


def test_a_day_is_opened_when_it_is_asked_for_and_only_where_rows_were_rejected() -> None:
    rejects = {f"rejects/flights/date={day}/": [row("a.csv", 2, day)] for day in (DAY, LATER)}
    lake = InMemory(rejects)
    found = rejects_of(FLIGHTS, [partly("a.csv", LATER), refused("r.csv"), partly("a.csv")], lake)

    assert (next(found).day, lake.opened) == (LATER, [f"rejects/flights/date={LATER}/"])
    assert next(found).line is None
    assert len(lake.opened) == 1
    assert len(list(found)) == 1
    assert of(lake, refused("r.csv")) == [("r.csv", None, "no header")]
    assert len(lake.opened) == 2


def test_airports_have_no_day() -> None:
    file = replace(verdict("airport_codes/a.csv", "loaded", rows=(3, 2, 1)), day=None)
    url = "s3://airline-landing/airport_codes/a.csv"
    rejected = {"source_file": url, "line_number": 3, "reject_reason": "odd", "raw_text": "x"}

    assert list(rejects_of(AIRPORTS, [file], InMemory({"rejects/airports/date=all/": [rejected]}))) == [
        Reject(None, "airport_codes/a.csv", 3, "odd", "x")
    ]
