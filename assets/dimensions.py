"""Which dimension a lookup reads: what has to be there before columns can be filled in from it."""

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Lookup
from airline_platform.feeds.airports import AIRPORTS


def dimension_of(lookup: Lookup) -> Feed:
    """Return the feed whose table a lookup reads; so far there is one dimension, the airports."""
    del lookup
    return AIRPORTS


def dimensions_of(feed: Feed) -> frozenset[str]:
    """Return the names of the feeds that a feed's lookups read; none for a feed without lookups."""
    return frozenset(dimension_of(lookup).name for lookup in feed.lookups)
