"""The hook that alerts people when a step fails, and the tag of runs that need no more alerts."""

from dagster import DagsterRun, HookContext, failure_hook

from airline_platform.run_tags import FEED_TAG
from assets.alerts.messages import failure_alert, reason_of_failure, was_alerted
from resources.warehouse import outbox

ALERTED_TAG = "airline/told"
"""On a run that needs no more alerts, with the run's own id; the alert sensor looks after the others."""


def alerted_tag(run_id: str) -> dict[str, str]:
    """Return the tag of a run that needs no more alerts.

    Its value names the run, because a retry and a re-execution inherit their parent's tags: Dagster leaves
    out only those of its own (`TAGS_TO_MAYBE_OMIT_ON_RETRY` in `dagster/_core/storage/tags.py`).
    """
    return {ALERTED_TAG: run_id}


def needs_no_alert(run: DagsterRun) -> bool:
    """Whether a run was marked itself; a mark inherited from the run it repeats does not count."""
    return run.tags.get(ALERTED_TAG) == run.run_id


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
    context.instance.add_run_tags(context.run_id, alerted_tag(context.run_id))
