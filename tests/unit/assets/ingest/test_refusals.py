"""A verdict is on the very version that was read, says why, and what to do."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from dagster import DagsterRun

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.handover import MadeDay, RowCount
from assets.ingest.refusals import (
    DAY_REFUSED,
    Refusal,
    days_with_rejects,
    first_rejects,
    overwritten,
    why_blocked,
)
from resources.acceptance.landed import LandedObject, Version
from resources.lake import Lake
from resources.warehouse.ledger import Verdict

AT = datetime(2013, 1, 2, tzinfo=UTC)


def read(key: str = "k", etag: str = "e1", version_id: str | None = "v1") -> LandedObject:
    return LandedObject("landing", key, "2013-01-01", etag, 1, AT, version_id)


def there(
    key: str = "k", etag: str = "e1", version_id: str | None = "v1", *, current: bool = True
) -> Version:
    return Version(key, "2013-01-01", etag, version_id, 1, AT, current)


def test_the_version_that_was_read_may_be_loaded() -> None:
    assert overwritten([read()], [there(), there(etag="e0", version_id="v0", current=False)]) == []


@pytest.mark.parametrize("now", [there(etag="e2", version_id="v2"), there(version_id="v3")])
def test_another_version_is_overwritten_even_with_the_same_bytes(now: Version) -> None:
    # The same bytes again may hide others in between, which the job has read.
    assert overwritten([read()], [now, there(current=False)]) == ["k"]


def test_in_a_bucket_without_versions_the_bytes_decide() -> None:
    assert overwritten([read(version_id=None)], [there(version_id=None)]) == []
    assert overwritten([read(version_id=None)], [there(version_id=None, etag="e2")]) == ["k"]


def test_a_file_deleted_meanwhile_was_read_whole() -> None:
    assert overwritten([read()], [there(current=False)]) == []


def made(*counts: RowCount) -> MadeDay:
    return MadeDay("jr_1", (), tuple((read(str(n)), count) for n, count in enumerate(counts)))


def test_rows_that_are_only_repeated_are_not_to_be_mended() -> None:
    repeated = made(RowCount(100, 50, 50, repeated=50))

    assert days_with_rejects({"2013-01-01": repeated, "2013-01-02": made(RowCount(100, 99, 1))}) == [
        "2013-01-02"
    ]


@pytest.mark.parametrize(("rows", "counted"), [(7, (7, 0, 7)), (None, (None, None, None))])
def test_a_refused_file_is_rejected_with_all_its_rows_where_they_are_known(
    rows: int | None, counted: tuple[int | None, ...]
) -> None:
    refusal = Refusal.because(read("a"), "line 1: no", rows, "jr_1")

    entry = refusal.entry(FLIGHTS, DagsterRun("flights_job", run_id="run"))

    assert (entry.state, entry.reason, entry.run_id, entry.glue_job_run_id) == (
        "rejected",
        "line 1: no",
        "run",
        "jr_1",
    )
    assert (entry.rows_read, entry.rows_loaded, entry.rows_rejected) == counted
    assert str(refusal) == "s3://landing/a, line 1: no"


def loaded() -> Verdict:
    at = datetime(2013, 1, 2, 3, 4, tzinfo=UTC)
    return Verdict(
        feed="flights", day="2013-01-01", key="a", etag="e1", state="loaded", landed_at=at, loaded_at=at
    )


def test_why_a_day_keeps_its_rows_names_the_file_and_the_way_out() -> None:
    lands = "Land it again under the same key"
    kept = "2013-01-01 keeps its rows: a, loaded at 2013-01-02 03:04, "
    every = "; expected every file of the day. "

    assert why_blocked(loaded(), "refused") == f"{kept}has a newer version that was refused{every}{lands}."
    assert why_blocked(loaded(), "refused now") == f"{kept}is refused by now{every}{lands}."
    assert why_blocked(loaded(), "gone") == (
        f"{kept}is gone from the landing bucket{every}{lands}, or let its rows go: `airline forget 'a'`."
    )
    expired = why_blocked(loaded(), "gone", expired=True)
    assert "has expired, as its feed's files do" in expired
    assert lands not in expired


class Rejects:
    """A lake with rejected rows, of which it gives those that are wanted."""

    def __init__(self, *rows: dict[str, Any]) -> None:
        self.rows = rows
        self.asked: list[str] = []

    def first_rows(self, prefixes: list[str], most: int, *, where: Any) -> list[dict[str, Any]]:
        self.asked += prefixes
        return [row for row in self.rows if where(row)][:most]


def test_the_first_rows_that_are_to_be_mended_are_told_and_no_repeated_ones() -> None:
    lake = Rejects(
        {
            "source_file": "s3://a",
            "line_number": 2,
            "reject_reason": "booking_id is repeated further down in this file; the last row counts",
        },
        {"source_file": "s3://a", "line_number": 3, "reject_reason": "no"},
        {"source_file": "s3://b", "line_number": 4, "reject_reason": "never"},
    )

    found = first_rejects(cast("Lake", lake), FLIGHTS, ["2013-01-01"])
    of_one = first_rejects(cast("Lake", lake), AIRPORTS, ["all"], of="s3://b")

    assert found == ["s3://a, line 3: no", "s3://b, line 4: never"]
    assert of_one == ["s3://b, line 4: never"]
    assert lake.asked == ["rejects/flights/date=2013-01-01/", "rejects/airports/date=all/"]


def test_a_day_that_is_refused_as_a_whole_names_the_file_to_mend() -> None:
    assert DAY_REFUSED.format(key="k") == (
        "the day is refused as a whole because of k. Mend that file, and land it again"
    )
