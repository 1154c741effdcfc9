"""The code location: every room merged into one `Definitions`. It decides nothing."""

from dagster import Definitions, in_process_executor

from airline_platform.jobs import FEED_JOBS, FRESHNESS_JOB
from airline_platform.settings import Settings, get_settings
from assets.freshness import landed_in_time
from assets.ingest.feed_assets import FEED_ASSETS
from assets.marts.assets import mart_assets
from assets.report.asset import delay_report
from assets.warehouse_catalog import warehouse_catalog
from resources.athena import Athena
from resources.glue import Glue
from resources.lake import Lake
from resources.landing import Landing
from resources.queue import LandingEvents
from resources.topic import Notifier
from resources.warehouse.resource import Warehouse
from sensors.alerts import alert_sensor
from sensors.automation import automation_sensor
from sensors.landing import landing_sensor
from sensors.reconciliation import reconciliation_sensor
from sensors.schedules import feed_schedules, freshness_schedule


def resources(settings: Settings) -> dict[str, object]:
    """The resources of these settings; nothing connects before it is used."""
    return {
        "landing": Landing.of(settings),
        "lake": Lake.of(settings),
        "glue": Glue.of(settings),
        "athena": Athena.of(settings),
        "warehouse": Warehouse.of(settings),
        "notifier": Notifier.of(settings),
        "landing_events": LandingEvents.of(settings),
    }


defs = Definitions(
    assets=[*FEED_ASSETS, *mart_assets, delay_report, warehouse_catalog],
    asset_checks=[landed_in_time],
    jobs=[*FEED_JOBS.values(), FRESHNESS_JOB],
    schedules=[*feed_schedules, freshness_schedule],
    sensors=[landing_sensor, reconciliation_sensor, alert_sensor, automation_sensor],
    resources=resources(get_settings()),
    # One process per run: a step's own process costs 4 s of start-up and gains nothing here.
    executor=in_process_executor,
)
