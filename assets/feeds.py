"""The assets of all feeds, from their landed files to their tables."""

from dagster import AssetsDefinition

from assets.ingest.airports import airport_codes_catalog, dim_airport_codes, raw_airport_codes
from assets.ingest.bookings import bookings_assets
from assets.ingest.flights import flights_assets
from assets.ingest.shipping import shipping_assets

feed_assets: list[AssetsDefinition] = [
    raw_airport_codes,
    airport_codes_catalog,
    dim_airport_codes,
    *flights_assets,
    *bookings_assets,
    *shipping_assets,
]
