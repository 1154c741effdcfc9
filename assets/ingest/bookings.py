"""Bookings: from the landed file to `airlines.fact_booking_status` and `airlines.fact_bookings`."""

from airline_platform.feeds.bookings import BOOKINGS
from assets.ingest.fact_feed import fact_feed_assets

bookings_assets = fact_feed_assets(BOOKINGS)
