"""Tags say which days a run takes."""

import pytest

from airline_platform.run_tags import FEED_TAG, days_of, range_tags

FIRST, LAST = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


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
