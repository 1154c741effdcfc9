"""When a mart is made anew, and which days of it."""

from typing import Any

from dagster import AssetSelection, AutomationCondition


def when_its_source_changes(source: str = "") -> AutomationCondition[Any]:
    """Ask for a day when that day of the source was made, or is there and the mart's is not; once each time.

    Each `since` has only requests to end it, and a condition on its left that knows when it came true: a load
    that ends between a request and the next look, or together with the mart's own run, is asked for again.
    `any_deps_updated()` and a reset by `newly_updated()` lose such a load: the mart would stay as it was.
    What a run has failed to make is asked for again at the full hour, until it is made.

    Args:
        source: Name of the asset that counts, of those it depends on; all of them where none is named.
    """

    def any_dep(condition: AutomationCondition[Any]) -> Any:
        matching = AutomationCondition.any_deps_match(condition)
        return matching.allow(AssetSelection.assets(source)) if source else matching

    updated = any_dep(AutomationCondition.newly_updated()).with_label("source_updated")
    unmade = (AutomationCondition.missing() & any_dep(~AutomationCondition.missing())).with_label("unmade")
    failed = AutomationCondition.execution_failed() & AutomationCondition.cron_tick_passed("0 * * * *")
    asked = AutomationCondition.newly_requested()
    return (
        (updated.since(asked) | unmade.newly_true().since(asked) | failed.since(asked))
        & ~AutomationCondition.in_progress()
        & ~any_dep(AutomationCondition.in_progress()).with_label("any_deps_in_progress")
    )
