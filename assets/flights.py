"""Flights: from the landed file to the fact table `airlines.daily_flights_processed`."""

from airline_platform.feeds import FLIGHTS
from assets.fact_feed import fact_feed_assets

flights_assets = fact_feed_assets(FLIGHTS)
