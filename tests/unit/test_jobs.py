"""Each feed has a job, and tags say which days a run takes."""

import pytest

from airline_platform.feeds import FEEDS
from airline_platform.jobs import FEED_JOBS, FEED_TAG, days_of, job_name, range_tags, request_run

FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feeds_job_is_named_for_it_and_tags_its_runs_with_it(feed: str) -> None:
    job = FEED_JOBS[feed]

    assert job.name == job_name(feed)
    assert job.tags == {FEED_TAG: feed}


@pytest.mark.parametrize(
    ("first", "last", "tags"),
    [
        ("2013-01-01", "2013-01-01", {"dagster/partition": "2013-01-01"}),
        ("2013-01-01", "2013-01-31", {FIRST: "2013-01-01", LAST: "2013-01-31"}),
    ],
)
def test_the_days_of_a_run_are_read_from_the_tags_that_say_them(
    first: str, last: str, tags: dict[str, str]
) -> None:
    assert range_tags(first, last) == tags
    assert days_of(tags) == (first, last)


def test_a_run_without_days_has_none() -> None:
    assert days_of({FEED_TAG: "airports"}) == ("", "")


def test_a_request_names_the_job_its_key_and_its_days() -> None:
    request = request_run("flights", "key", ("2013-01-01", "2013-01-02"))

    assert (request.job_name, request.run_key) == ("flights_job", "key")
    assert days_of(request.tags) == ("2013-01-01", "2013-01-02")
    assert request_run("airports", "key").tags == {}
