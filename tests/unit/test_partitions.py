"""The calendar of the assets ends with the last day a file can be for."""

from datetime import UTC, datetime

from airline_platform.days import last_day
from airline_platform.partitions import daily_partitions
from airline_platform.settings import Settings


def test_the_calendar_runs_from_the_configured_day_to_the_last_day_a_file_can_be_for(
    no_stack: Settings,
) -> None:
    keys = daily_partitions().get_partition_keys(current_time=datetime.now(UTC))

    assert keys[0] == no_stack.start_date.isoformat() == "2013-01-01"
    assert keys[-1] == last_day().isoformat()
