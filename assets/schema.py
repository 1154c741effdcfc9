"""Every table of the warehouse's schema: the feeds', the marts', and the platform's own."""

from airline_platform.feeds import FEEDS
from assets.marts.declarations import MARTS
from resources.warehouse.own_tables import ALERT_OUTBOX, INGESTED_FILES, LOAD_LOCK, SCHEMA_CHANGES

TABLES = (
    *(table for feed in FEEDS.values() for table in feed.tables),
    *(mart.table for mart in MARTS.values()),
    *(INGESTED_FILES, ALERT_OUTBOX, LOAD_LOCK, SCHEMA_CHANGES),
)
