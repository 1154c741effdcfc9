"""The run-failure sensor: tells of every failed run that no hook has told of, such as a killed process."""

from dagster import DefaultSensorStatus, RunFailureSensorContext, run_failure_sensor

from airline_platform.jobs import FEED_TAG
from assets.hooks import TOLD_TAG, failure_alert
from resources.notifier import Notifier


@run_failure_sensor(
    default_status=DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=5,
    description="Tells of failed runs that no hook has told of; runs that will be retried are not told.",
)
def run_failure_alerts(context: RunFailureSensorContext, notifier: Notifier) -> None:
    """Publish one alert for the run, unless it was told of or is to be retried."""
    run = context.instance.get_run_by_id(context.dagster_run.run_id) or context.dagster_run
    if TOLD_TAG in run.tags or run.tags.get("dagster/will_retry") == "true":
        return
    why = f"{context.failure_event.message}\nWhat to do: re-execute the run when the cause is gone."
    notifier.publish(
        failure_alert(context.instance, run.run_id, run.job_name, why, run.tags.get(FEED_TAG, ""))
    )
    context.instance.add_run_tags(run.run_id, {TOLD_TAG: "sensor"})
