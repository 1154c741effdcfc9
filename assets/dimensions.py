"""Which dimensions a feed's lookups read: they have to be there before columns can be filled in from them."""

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Lookup
from airline_platform.feeds import FEEDS


def dimension_of(lookup: Lookup) -> Feed:
    """Return the feed whose table a lookup reads."""
    return FEEDS[lookup.dimension]


def dimensions_of(feed: Feed) -> frozenset[str]:
    """Return the names of the feeds that a feed's lookups read; none for a feed without lookups."""
    return frozenset(lookup.dimension for lookup in feed.lookups)
