"""The automation sensor: finds marts that are behind their facts, and has them made anew."""

from dagster import AssetSelection, AutomationConditionSensorDefinition, DefaultSensorStatus

from assets import warehouse_catalog
from assets.marts.assets import GROUP

automation_sensor = AutomationConditionSensorDefinition(
    "automation_sensor",
    target=AssetSelection.groups(GROUP, warehouse_catalog.GROUP),
    minimum_interval_seconds=5,
    default_status=DefaultSensorStatus.RUNNING,
    description=(
        "Asks for a mart's day when that day of its source was loaded: one day as a run at once, several as "
        "a backfill of ranges. What is loading is left alone until it has ended. Asks for a crawl of the "
        "warehouse when its tables may have other columns."
    ),
)
