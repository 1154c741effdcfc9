"""Each feed has a job; a request for a run of it names its days."""

import pytest

from airline_platform.feeds import FEEDS
from airline_platform.jobs import FEED_JOBS, request_run
from airline_platform.run_tags import FEED_TAG, days_of, job_name


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feeds_job_is_named_for_it_and_tags_its_runs_with_it(feed: str) -> None:
    job = FEED_JOBS[feed]

    assert job.name == job_name(feed)
    assert job.tags == {FEED_TAG: feed}


def test_a_request_names_the_job_its_key_and_its_days() -> None:
    request = request_run("flights", "key", ("2013-01-01", "2013-01-02"))

    assert (request.job_name, request.run_key) == ("flights_job", "key")
    assert days_of(request.tags) == ("2013-01-01", "2013-01-02")
    assert request_run("airports", "key").tags == {}
