"""The feeds: one module each, and all of them by name."""

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

FEEDS: dict[str, Feed] = {feed.name: feed for feed in (AIRPORTS, FLIGHTS, BOOKINGS, SHIPMENTS)}

SUFFIXES = tuple(dict.fromkeys(suffix for feed in FEEDS.values() for suffix in feed.suffixes))
"""How the names of files end that some feed reads, in small or capital letters."""
