"""Rows of the lake are held against what the job has written, before any verdict."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airline_platform.contract.sink import LakeTable
from airline_platform.errors import LoadRefused
from airline_platform.feeds.shipments import SHIPMENTS
from assets.checks import measures
from assets.checks.outcomes import ChecksFailed
from assets.ingest.handover import MadeDay, RowCount
from assets.ingest.sinks import lake_table
from assets.ingest.sinks.lake_table import LakeTableSink
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject
from resources.athena import QueryResult

pytestmark = pytest.mark.usefixtures("no_stack")

FIRST, SECOND = "2013-01-01", "2013-01-02"


def made(**loaded: int) -> MadeDay:
    at = datetime(2013, 1, 2, tzinfo=UTC)
    files = [LandedObject("landing", f"shipments/{name}.json", FIRST, "e", 1, at) for name in loaded]
    counts = [RowCount(9, rows, 9 - rows) for rows in loaded.values()]
    return MadeDay("jr_1", (), tuple(zip(files, counts, strict=True)))


MADE = {FIRST: made(a=2, b=3), SECOND: made(a=1)}


class Counted:
    """Athena that has counted so many rows by day, and notes what it was asked."""

    def __init__(self, counted: Mapping[str | None, int]) -> None:
        self.counted = counted
        self.asked: list[str] = []

    def query(self, sql: str) -> QueryResult:
        self.asked.append(sql)
        sums = {"total_cost": "1.5", "total_distance": "2", "total_quantity": "3"}
        rows = [{"day": day, "all_rows": str(rows)} | sums for day, rows in self.counted.items()]
        return QueryResult("q", rows, 100, 1.5, "s3://x")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(lake_table, "place", lambda _step, _table, made: found.extend(made))
    return found


def sink_of(counted: Mapping[str | None, int]) -> LakeTableSink:
    has = SimpleNamespace(athena=Counted(counted), glue=None)
    assert isinstance(SHIPMENTS.becomes, LakeTable)
    return LakeTableSink(Step(cast("Any", SimpleNamespace(resources=has)), SHIPMENTS), SHIPMENTS.becomes)


def test_rows_that_are_as_many_as_the_job_wrote_are_accounted_for(registered: list[str]) -> None:
    sink = sink_of({FIRST: 5, SECOND: 1, None: 1000, "2013-01-03": 7})

    sink.prepare(MADE)

    assert not sink.accounted.failed
    assert registered == [FIRST, SECOND]
    assert [finding.day for finding in sink.accounted.findings] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("counted", "differing"),
    [
        ({FIRST: 5}, {SECOND: (0, 1)}),
        ({FIRST: 5, SECOND: 2}, {SECOND: (2, 1)}),
        ({FIRST: 10, SECOND: 1}, {FIRST: (10, 5)}),
        ({FIRST: 4, SECOND: 2}, {FIRST: (4, 5), SECOND: (2, 1)}),
    ],
)
@pytest.mark.usefixtures("registered")
def test_rows_that_are_missing_or_there_twice_are_refused_day_by_day(
    counted: dict[str | None, int], differing: dict[str, tuple[int, int]]
) -> None:
    with pytest.raises(ChecksFailed) as raised:
        sink_of({None: 6, **counted}).prepare(MADE)

    assert isinstance(raised.value, LoadRefused)
    days = "; ".join(
        f"{day}: found in the table {found}, expected in the table {expected}"
        for day, (found, expected) in differing.items()
    )
    assert raised.value.found == f"the check rows_accounted: {days}"
    assert str(raised.value).startswith(
        f"shipping_totals: the check rows_accounted: {days}. The lake has the new rows already"
    )


@pytest.mark.usefixtures("registered")
def test_what_was_counted_before_is_told_with_the_days_in_the_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(measures, "standing_rows", lambda *_: {})
    sink = sink_of({FIRST: 5, SECOND: 1, None: 6})
    sink.prepare(MADE)

    written = sink.write(cast("Any", None), MADE)

    assert written.judged == [sink.accounted]
    assert {day: rows["rows_loaded"] for day, rows in written.rows.items()} == {FIRST: 5, SECOND: 1}
    assert written.measures == {"row_count": {FIRST: (5, None), SECOND: (1, None)}}
    assert list(written.figures)[:2] == [
        f"{FIRST}: cost 1.50 USD, distance 2.0 km, quantity 3.000, 5 shipments",
        f"{SECOND}: cost 1.50 USD, distance 2.0 km, quantity 3.000, 1 shipments",
    ]
    shown = written.metadata[FIRST]
    assert (shown["shipments"], shown["total_cost"], shown["all_days_shipments"]) == (5, 1.5, 6)


@pytest.mark.usefixtures("registered")
def test_a_day_without_a_row_adds_up_to_nought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "standing_rows", lambda *_: {})
    empty = {FIRST: made(a=0)}
    sink = sink_of({None: 0})
    sink.prepare(empty)

    shown = sink.write(cast("Any", None), empty).metadata[FIRST]

    assert (shown["shipments"], shown["total_cost"]) == (0, 0.0)
