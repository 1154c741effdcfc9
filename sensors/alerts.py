"""The alert sensor: alerts people of runs that ended before they could do so, such as killed ones."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    DefaultSensorStatus,
    RunRecord,
    RunsFilter,
    SensorEvaluationContext,
    SkipReason,
    sensor,
)

from airline_platform.errors import StackNotStarted
from airline_platform.run_tags import FEED_TAG
from assets.alerts.hooks import alerted_tag, needs_no_alert
from assets.alerts.messages import failure_alert
from resources.topic import Notifier
from resources.warehouse import outbox
from resources.warehouse.resource import Warehouse

ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
RUNS_PER_TICK = 200
"""More only where so many lie within the overlap."""

OVERLAP = timedelta(seconds=10)
"""Runs that end at the same time may become visible in another order."""

FIRST_LOOK = timedelta(days=1)


@sensor(
    minimum_interval_seconds=5,
    default_status=DefaultSensorStatus.RUNNING,
    description=(
        "Publishes what a run had written into the outbox and could not send, and alerts people of failed "
        "runs that no hook spoke of. A tick that can't publish fails, and the next one begins where it "
        "stopped. Runs that will be retried are left out."
    ),
)
def alert_sensor(context: SensorEvaluationContext, warehouse: Warehouse, notifier: Notifier) -> SkipReason:
    """Send the alerts of ended runs; the cursor is the time up to which every ended run is done with."""
    now = datetime.now(UTC)
    since = datetime.fromisoformat(context.cursor) if context.cursor else now - FIRST_LOOK
    sent_for = 0
    try:
        for run, at in _ended(context.instance, since):
            if not needs_no_alert(run):
                send_alerts_of(run, context.instance, warehouse, notifier)
                sent_for += 1
            context.update_cursor(max(at, since).isoformat())
    except StackNotStarted as error:
        return SkipReason(str(error))
    return SkipReason(
        f"Sent the alerts of {sent_for} runs." if sent_for else "No ended run has alerts to send."
    )


def send_alerts_of(
    run: DagsterRun, instance: DagsterInstance, warehouse: Warehouse, notifier: Notifier
) -> None:
    """Send the alerts of an ended run that wait, or one of its failure; and mark it as done with.

    Raises:
        StackUnavailable: The warehouse or SNS does not answer.
    """
    if run.status == DagsterRunStatus.FAILURE and run.tags.get("dagster/will_retry") != "true":
        why = f"{_reason_of(instance, run.run_id)}\nWhat to do: re-execute the run when the cause is gone."
        alert = failure_alert(instance, run.run_id, run.job_name, why, run.tags.get(FEED_TAG, ""))
        outbox.write_and_send(alert, warehouse, notifier)
    else:
        outbox.send(warehouse, notifier, run.run_id)
    instance.add_run_tags(run.run_id, alerted_tag(run.run_id))


def _ended(instance: DagsterInstance, since: datetime) -> Iterator[tuple[DagsterRun, datetime]]:
    """Yield the runs that ended after a time, each with the time of its last update, the oldest first.

    A mark is an update too, so the runs of a tick lie together in the time after it; those that fill a page
    up to the cursor are read past, or no later run would ever be seen.
    """
    limit = RUNS_PER_TICK
    records = _ended_records(instance, since - OVERLAP, limit)
    while len(records) == limit and _updated(records[-1]) <= since:
        limit *= 2
        records = _ended_records(instance, since - OVERLAP, limit)
    for record in records:
        yield record.dagster_run, _updated(record)


def _ended_records(instance: DagsterInstance, since: datetime, limit: int) -> Sequence[RunRecord]:
    return instance.get_run_records(
        RunsFilter(statuses=ENDED, updated_after=since),
        limit=limit,
        order_by="update_timestamp",
        ascending=True,
    )


def _updated(record: RunRecord) -> datetime:
    at = record.update_timestamp
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _reason_of(instance: DagsterInstance, run_id: str) -> str:
    """Say why a run failed: its failed steps' errors, else what Dagster says of its end."""
    steps = instance.all_logs(run_id, of_type=DagsterEventType.STEP_FAILURE)
    errors = [entry.get_dagster_event().step_failure_data.error for entry in steps]
    messages = [(error.cause or error).message.strip() for error in errors if error]
    ends = [entry.message for entry in instance.all_logs(run_id, of_type=DagsterEventType.RUN_FAILURE)]
    return "\n".join(messages or ends[-1:]) or "no reason given"
