"""What there is to tell of days is one query of a kind, and rejects are counted by kind of reason."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from assets.report.delays import QUERIES, REJECTS_READ, WORST, Day, days_of_delays, kind_of
from resources.warehouse.ledger import State, Verdict

pytestmark = pytest.mark.usefixtures("no_stack")

DAY = "2013-01-07"
AT = datetime(2013, 1, 8, tzinfo=UTC)


def file(key: str, state: str = "loaded", **others: Any) -> dict[str, Any]:
    row = {"partition_date": DAY, "key": key, "etag": "e", "state": state, "reason": None}
    row |= {"landed_at": AT, "loaded_at": AT}
    return row | {"rows_read": 1000, "rows_loaded": 990, "rows_rejected": 10} | others


def test_rows_of_a_file_that_was_not_loaded_are_no_rejected_rows_of_the_day() -> None:
    files = [verdict("a"), verdict("b", "rejected", rows_rejected=1000), verdict("c", "superseded")]

    assert Day(DAY, files=files).rows_rejected == 10


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("OriginAirportID is 'EWR'; expected a whole number", "OriginAirportID: expected a whole number"),
        ("Carrier is 'OverTenLetters'; expected 10 bytes at most", "Carrier: expected 10 bytes at most"),
        ("X is 'a'; expected b'; expected c", "X: expected c"),
        ("X is 'two\nlines'; expected c", "X: expected c"),
        ("Carrier is empty; a value is required", "Carrier is empty; a value is required"),
        ("passenger_name: expected 200 bytes at most", "passenger_name: expected 200 bytes at most"),
        ("expected 5 fields (a,b)", "expected 5 fields (a,b)"),
    ],
)
def test_a_kind_of_reason_is_without_the_value(reason: str, kind: str) -> None:
    assert kind_of(reason) == kind


def verdict(key: str, state: State = "loaded", **others: Any) -> Verdict:
    row = file(key, state, **others)
    return Verdict(feed="flights", day=row.pop("partition_date"), **row)


class Asked:
    """A session and a lake that count what they are asked, and know a dirty file and a clean one."""

    def __init__(self) -> None:
        self.queries: list[str] = []
        self.read: list[tuple[list[str], int]] = []

    def execute(self, sql: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        assert sql % dict.fromkeys(parameters, "1")
        self.queries.append(sql)
        clean = file("b.csv", partition_date="2013-02-01", rows_rejected=0)
        dirty = file("a.csv")
        return [{"feed": "flights", **row} for row in (dirty, clean)] if "ingested_files" in sql else []

    query = execute

    def first_rows(self, prefixes: list[str], limit: int, where: Any) -> list[dict[str, Any]]:
        self.read.append((prefixes, limit))
        rows = [{"reject_reason": f"DepDelay is '{n}.5'; expected a whole number"} for n in range(3)]
        return list(filter(where, rows))


def test_a_backfill_asks_each_query_once_and_reads_the_rejects_of_dirty_days_only() -> None:
    asked: Any = Asked()
    days = [DAY, *(f"2013-02-{day:02}" for day in range(1, 29))]
    found = days_of_delays(asked, asked, days)

    assert [it.day for it in found] == days
    assert asked.queries[:-1] == list(QUERIES)
    assert len(asked.queries) == len(set(asked.queries)) == 8
    assert asked.read == [([f"rejects/flights/date={DAY}/"], REJECTS_READ)]
    assert found[0].reasons == {"DepDelay: expected a whole number": 3}
    assert found[1].reasons == {}
    assert WORST == 10
