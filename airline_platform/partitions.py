"""The daily partitions of Dagster's assets."""

from dagster import DailyPartitionsDefinition

from airline_platform.settings import get_settings


def daily_partitions() -> DailyPartitionsDefinition:
    """Days from the configured start to `days.last_day`, as ISO dates."""
    return DailyPartitionsDefinition(start_date=get_settings().start_date.isoformat(), end_offset=2)
