"""A feed waits for the dimensions its lookups read, and for no other."""

import pytest

from airline_platform.feeds import FEEDS
from assets.dimensions import dimensions_of


@pytest.mark.parametrize(
    ("feed", "dimensions"),
    [("flights", {"airports"}), ("bookings", {"airports"}), ("shipments", set()), ("airports", set())],
)
def test_a_feed_has_the_dimensions_of_its_lookups(feed: str, dimensions: set[str]) -> None:
    assert dimensions_of(FEEDS[feed]) == dimensions
