"""Days in a row are one run, which is named by the landings it is for."""

import pytest

from sensors.run_requests import request_runs, run_key

FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def test_days_in_a_row_are_one_run_and_a_gap_begins_another() -> None:
    landings = [(f"2013-01-{day:02}", (f"key {day}", "e1")) for day in (4, 1, 2, 3, 7)]

    requests = list(request_runs("flights", landings, longest=3))

    assert [
        tags.get("dagster/partition") or (tags[FIRST], tags[LAST]) for tags in (it.tags for it in requests)
    ] == [("2013-01-01", "2013-01-03"), "2013-01-04", "2013-01-07"]
    assert {request.job_name for request in requests} == {"flights_job"}
    assert len({request.run_key for request in requests}) == 3


def test_a_feed_without_days_has_one_run_and_nothing_landed_has_none() -> None:
    landings = [("", ("airport_codes/a.csv", "e1")), ("", ("airport_codes/b.csv", "e1"))]

    (request,) = request_runs("airports", landings, longest=3)

    assert "dagster/partition" not in request.tags
    assert list(request_runs("airports", [], longest=3)) == []


@pytest.mark.parametrize(
    "other",
    [("bookings", "d", [("k", "e1")]), ("flights", "x", [("k", "e1")]), ("flights", "d", [("k", "e2")])],
)
def test_another_feed_other_days_and_another_version_are_another_run(other) -> None:
    assert run_key("flights", "d", [("k", "e1")]) != run_key(*other)


def test_the_order_in_which_files_landed_is_irrelevant() -> None:
    assert run_key("flights", "d", [("a", "1"), ("b", "2")]) == run_key(
        "flights", "d", [("b", "2"), ("a", "1")]
    )
