"""A day is loaded only from the very versions its run has read."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from assets.ingest.loading import MadeDay, RowCount, overwritten_days
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.errors import LoadRefused
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.refusals import overwritten
from resources.landing import LandedObject, Version, shared_prefix, spans
from resources.warehouse import ledger

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


def test_only_the_day_of_the_overwritten_file_is_refused() -> None:
    days = {
        "2013-01-01": MadeDay("jr", (), ((read("a"), RowCount(1, 1, 0)),)),
        "2013-01-02": MadeDay("jr", (), ((read("b"), RowCount(1, 1, 0)),)),
    }

    refused = overwritten_days(days, [there("a", "e9", "v9"), there("b")])

    assert list(refused) == ["2013-01-01"]
    assert "a was overwritten while its run worked" in refused["2013-01-01"]


def test_rows_that_do_not_add_up_are_never_recorded() -> None:
    entry = ledger.Entry.of(
        read(), feed="flights", run_id="r", state="loaded", rows_read=3, rows_loaded=1, rows_rejected=1
    )

    with pytest.raises(LoadRefused, match="rows read have to be rows loaded plus rows rejected"):
        ledger.record(None, [entry])  # type: ignore[arg-type]  # it must not come to the session


def test_a_reason_is_stored_whatever_was_in_the_file() -> None:
    found = replace(read(), refused="a\0b" + "x" * 9000)

    assert ledger.Entry.of(found, feed="flights", run_id="r", state="rejected").reason == "ab" + "x" * 998


def test_the_keys_of_a_range_lie_between_its_spans_in_both_layouts() -> None:
    keys = ["2013-01-02.csv", "2013-01-03.csv.gz", "date=2013-01-02/a.csv", "date=2013-01-03/z.csv"]
    beside = ["2013-01-01.csv", "2013-01-04.csv", "date=2013-01-01/a.csv", "date=2013-01-04/a.csv"]
    found = spans(FLIGHTS, ["2013-01-02", "2013-01-03"])

    def inside(key: str) -> bool:
        return any(first < FLIGHTS.prefix + key <= last for first, last in found)

    assert [key for key in keys + beside if inside(key)] == keys


def test_what_is_listed_for_a_day_is_that_days_alone() -> None:
    listed = [shared_prefix(first, last) for first, last in spans(FLIGHTS, ["2013-01-02"])]

    assert listed == ["daily_flights/2013-01-02", "daily_flights/date=2013-01-02"]
    assert [shared_prefix(first, last) for first, last in spans(FLIGHTS, ())] == ["daily_flights/"]


@given(st.lists(st.text("ab/", max_size=6), min_size=3, max_size=3))
def test_no_key_between_two_is_listed_elsewhere(keys: list[str]) -> None:
    first, key, last = sorted(keys)

    assert key.startswith(shared_prefix(first, last))
