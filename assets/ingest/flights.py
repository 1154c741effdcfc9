"""Flights: from the landed file to the fact table `airlines.daily_flights_processed`."""

from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.fact_feed import fact_feed_assets

flights_assets = fact_feed_assets(FLIGHTS)
