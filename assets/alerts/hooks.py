"""The hook that tells people why a step failed, and the mark of runs of which everything was told."""

from dagster import HookContext, failure_hook

from airline_platform.jobs import FEED_TAG
from assets.alerts.messages import failure_alert, is_told, reason
from resources.warehouse import outbox

TOLD_TAG = "airline/told"
"""On a run of which everything was told; the alert sensor tells what is missing of the others."""


@failure_hook(name="tell_failed", required_resource_keys={"notifier", "warehouse"})
def tell_failed(context: HookContext) -> None:
    """Tell that a step failed: which step and days, why, and what to do; unless people know it already."""
    if not is_told(context.op_exception):
        run = context.instance.get_run_by_id(context.run_id)
        feed = run.tags.get(FEED_TAG, "") if run else ""
        alert = failure_alert(
            context.instance, context.run_id, context.op.name, reason(context.op_exception), feed
        )
        outbox.write_and_send(alert, context.resources.warehouse, context.resources.notifier)
    context.instance.add_run_tags(context.run_id, {TOLD_TAG: "hook"})
