"""The hook that alerts people when a step fails, and the tag of runs that need no more alerts."""

from dagster import HookContext, failure_hook

from airline_platform.run_tags import FEED_TAG
from assets.alerts.messages import failure_alert, reason_of_failure, was_alerted
from resources.warehouse import outbox

ALERTED_TAG = "airline/told"
"""On a run whose failure people were alerted of; the alert sensor looks after the others."""


@failure_hook(name="tell_failed", required_resource_keys={"notifier", "warehouse"})
def tell_failed(context: HookContext) -> None:
    """Alert people that a step failed, unless an alert has said already why."""
    if not was_alerted(context.op_exception):
        run = context.instance.get_run_by_id(context.run_id)
        feed = run.tags.get(FEED_TAG, "") if run else ""
        alert = failure_alert(
            context.instance, context.run_id, context.op.name, reason_of_failure(context.op_exception), feed
        )
        outbox.write_and_send(alert, context.resources.warehouse, context.resources.notifier)
    context.instance.add_run_tags(context.run_id, {ALERTED_TAG: "hook"})
