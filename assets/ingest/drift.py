"""Columns that files have and nobody has declared: told once each, and made columns where a feed evolves."""

from collections.abc import Sequence

from dagster import DagsterRun

from airline_platform.contract.drift import UNKNOWN_MARK, evolved_columns, evolved_name
from airline_platform.contract.feed import Feed
from assets.alerts.messages import new_column_alert
from resources.acceptance.landed import LandedObject
from resources.warehouse import outbox
from resources.warehouse.resource import Warehouse

KEPT = ("rescue", "evolve")
"""Policies of a feed under which the values of such a column are kept."""


def take_in(run: DagsterRun, feed: Feed, landed: Sequence[LandedObject], warehouse: Warehouse) -> None:
    """Tell of each new column once, and add it to the table of a feed that evolves.

    Args:
        run: The Dagster run.
        feed: Whose files they are.
        landed: Files that are accepted.
        warehouse: Has the table and the alerts.
    """
    if feed.drift not in KEPT:
        return
    first = {
        name.removeprefix(UNKNOWN_MARK): file
        for file in reversed(landed)
        for name in file.columns
        if name.startswith(UNKNOWN_MARK)
    }
    if not first:
        return
    with warehouse.exclusive_transaction() as session:
        if feed.drift == "evolve":
            names = dict.fromkeys(evolved_name(name, feed.table) for name in first)
            session.add_columns(feed.table, evolved_columns(names))
        alerts = [new_column_alert(feed, name, file.url, run) for name, file in sorted(first.items())]
        outbox.put(session, alerts)


def evolved(feed: Feed, warehouse: Warehouse) -> tuple[str, ...]:
    """Names of the columns that files have brought into a feed's table, in the table's order."""
    if feed.drift != "evolve":
        return ()
    declared = set(feed.table.column_names)
    with warehouse.transaction(read_only=True) as session:
        there = session.columns().get(feed.table.name, {})
    return tuple(name for name in there if name not in declared)


def grown(feed: Feed, names: Sequence[str]) -> Feed:
    """The feed with what its table has come to.

    Args:
        feed: As it is declared.
        names: As `evolved` gives them.
    """
    return feed.with_table(feed.table.with_columns(evolved_columns(names))) if names else feed
