"""The code location: every room merged into one `Definitions`. It decides nothing."""

from dagster import Definitions, in_process_executor
from dagster_aws.s3 import S3Resource

from airline_platform.jobs import FEED_JOBS
from airline_platform.settings import Settings, get_settings
from assets.airports import airport_codes_catalog, dim_airport_codes, raw_airport_codes
from assets.flights import flights_assets
from resources.events import LandingEvents
from resources.glue import Glue
from resources.lake import Lake
from resources.landing import Landing
from resources.notifier import Notifier
from resources.warehouse import Warehouse
from sensors.failures import run_failure_alerts
from sensors.landing import landing_sensor

NO_STACK = "http://127.0.0.1:9"
"""Where a laptop without a running stack sends its calls: the discard port, never an account."""


def resources(settings: Settings) -> dict[str, object]:
    """The resources of these settings; nothing connects before it is used."""
    endpoint = settings.endpoint_url or (NO_STACK if settings.stage == "local" else None)
    credentials = settings.credentials()
    s3 = S3Resource(
        region_name=settings.region,
        endpoint_url=endpoint,
        max_attempts=4,
        aws_access_key_id=credentials.get("aws_access_key_id"),
        aws_secret_access_key=credentials.get("aws_secret_access_key"),
    )
    return {
        "landing": Landing(s3=s3, bucket=settings.landing_bucket),
        "lake": Lake(s3=s3, bucket=settings.lake_bucket),
        "glue": Glue(s3=s3, database=settings.glue_database, pipes_bucket=settings.lake_bucket),
        "warehouse": Warehouse.of(settings),
        "notifier": Notifier(topic=settings.alerts_topic),
        "landing_events": LandingEvents(queue=settings.landing_queue),
    }


defs = Definitions(
    assets=[raw_airport_codes, airport_codes_catalog, dim_airport_codes, *flights_assets],
    jobs=list(FEED_JOBS.values()),
    sensors=[landing_sensor, run_failure_alerts],
    resources=resources(get_settings()),
    # One process per run: a step's own process costs 4 s of start-up and gains nothing here.
    executor=in_process_executor,
)
