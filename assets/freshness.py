"""Freshness: days whose files should have landed and have not; each is told once."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    multi_asset_check,
)

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from airline_platform.jobs import FRESHNESS_CHECKS
from airline_platform.settings import get_settings
from assets.alerts.messages import run_link
from assets.failures import RETRIES
from resources.landing import Landing
from resources.topic import Alert, Notifier
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse

DAYS_LOOKED_AT = 7
"""Up to the last one that is due."""

WEEKS_BEFORE = 4
"""In which the weekday of a day is looked for: what has stayed away for so long is not expected any more."""

WHAT_TO_DO = "ask who sends the files, and land them when they are there; nothing, if the day has none."


def last_due(now: datetime) -> date:
    """The last day whose files should be there: yesterday, from `AIRLINE_DUE_HOUR` on.

    Args:
        now: In UTC.
    """
    return (now - timedelta(hours=get_settings().due_hour)).date() - timedelta(days=1)


def days_without(last: date, known: Collection[date]) -> list[date]:
    """Days of the last week that should have a verdict and have none, ascending.

    A day should have one where the same weekday of one of the four weeks before has. So nobody is told on
    Mondays of a feed that rests on Sundays, a new feed is watched after a week, one that has ended is missed
    for four, and history that is loaded years later is missed nowhere.

    Args:
        last: The last day that is due.
        known: Days with a verdict, be it that files were loaded or that they were rejected.
    """
    week = [last - timedelta(days=n) for n in reversed(range(DAYS_LOOKED_AT))]
    before = [timedelta(weeks=n + 1) for n in range(WEEKS_BEFORE)]
    return [day for day in week if day not in known and any(day - weeks in known for weeks in before)]


def find_overdue(
    feeds: Iterable[str], last: date, warehouse: Warehouse, landing: Landing
) -> dict[str, list[date]]:
    """Days by feed that should have landed by now and have not, ascending; one query for all feeds.

    A file that waits for its run has landed: whether it is loaded, others watch.

    Args:
        feeds: Names of daily feeds.
        last: The last day that is due.
        warehouse: Whose ledger has the verdicts.
        landing: Asked only about days without one.
    """
    first = last - timedelta(days=DAYS_LOOKED_AT - 1, weeks=WEEKS_BEFORE)
    known = ledger.judged_days(warehouse, first, last)
    missing = {name: days_without(last, known.get(name, ())) for name in feeds}
    return {name: _not_landed(landing, FEEDS[name], days) for name, days in missing.items()}


def _not_landed(landing: Landing, feed: Feed, days: list[date]) -> list[date]:
    if not days:
        return []
    there = {day for _, day in landing.landed_keys(feed, [str(day) for day in days])}
    return [day for day in days if str(day) not in there]


def write_alerts(overdue: Mapping[str, Iterable[date]], warehouse: Warehouse, run_id: str) -> None:
    """Write an alert for each feed and day into the outbox, if none was ever written."""
    alerts = [overdue_alert(FEEDS[name], day, run_id) for name, days in overdue.items() for day in days]
    if not alerts:
        return
    with warehouse.exclusive_transaction() as session:
        outbox.put(session, alerts)


def overdue_alert(feed: Feed, day: date, run_id: str) -> Alert:
    """A day's files have not landed: of which feed, where they are expected, and what to do."""
    due = f"{get_settings().due_hour:02}:00 UTC of the day after"
    lines = [
        f"Expected:  {feed.key(f'*.{feed.format}', day)} by {due}",
        f"Because:   files came for a {day:%A} within the {WEEKS_BEFORE} weeks before",
        f"Run:       {run_link(run_id)}",
        f"What to do: {WHAT_TO_DO}",
    ]
    return Alert(
        "overdue", f"Overdue: no {feed.noun} of {day}", lines, feed.name, run_id, [feed.name, str(day)]
    )


@multi_asset_check(
    name="landed_in_time",
    specs=[
        AssetCheckSpec(
            key.name,
            asset=key.asset_key,
            description=(
                f"Whether {FEEDS[name].noun} have landed for each day of last week that should have some: "
                f"files came for its weekday within the {WEEKS_BEFORE} weeks before. Asked once a day."
            ),
        )
        for name, key in FRESHNESS_CHECKS.items()
    ],
    can_subset=True,
    retry_policy=RETRIES,
)
def landed_in_time(
    context: AssetCheckExecutionContext, landing: Landing, warehouse: Warehouse, notifier: Notifier
) -> Iterator[AssetCheckResult]:
    """Find what is overdue, tell of it, and say of each feed whether anything is."""
    selected = [name for name, key in FRESHNESS_CHECKS.items() if key in context.selected_asset_check_keys]
    last = last_due(datetime.now(UTC))
    overdue = find_overdue(selected, last, warehouse, landing)
    write_alerts(overdue, warehouse, context.run.run_id)
    if why := outbox.try_to_send(warehouse, notifier, context.run.run_id):
        context.log.warning("The alerts wait, because they could not be sent: %s", why)
    for name, days in overdue.items():
        yield _result(name, last, days)


def _result(name: str, last: date, overdue: list[date]) -> AssetCheckResult:
    if overdue:
        told = (
            f"No {FEEDS[name].noun} have landed for {', '.join(map(str, overdue))}. What to do: {WHAT_TO_DO}"
        )
    else:
        told = f"Of the {DAYS_LOOKED_AT} days up to {last} none is overdue."
    return AssetCheckResult(
        asset_key=FRESHNESS_CHECKS[name].asset_key,
        check_name=FRESHNESS_CHECKS[name].name,
        passed=not overdue,
        severity=AssetCheckSeverity.WARN,
        description=told,
        metadata={"last_day_due": str(last), "days_overdue": len(overdue)},
    )
