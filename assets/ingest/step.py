"""One step of a run over a feed's files: which days it takes, what it works with, how it runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetExecutionContext, BackfillPolicy, DagsterRun

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.partitions import daily_partitions
from airline_platform.settings import get_settings
from assets.alerts.hooks import tell_failed
from assets.description import OWNERS
from assets.failures import RETRIES
from resources.athena import Athena
from resources.glue import Glue
from resources.lake import Lake
from resources.landing import Landing
from resources.topic import Notifier, describe_days
from resources.warehouse import outbox
from resources.warehouse.resource import Warehouse


def how_it_runs(feed: Feed) -> dict[str, Any]:
    """Arguments that every asset of a feed has: days, alone or in ranges; one pool, retries, a hook."""
    by_day: dict[str, Any] = {
        "partitions_def": daily_partitions(),
        "backfill_policy": BackfillPolicy.multi_run(get_settings().max_partitions_per_run),
    }
    return {
        **(by_day if feed.daily else {}),
        "pool": feed.name,
        "retry_policy": RETRIES,
        "hooks": {tell_failed},
    }


def what_it_is(feed: Feed) -> dict[str, Any]:
    """Arguments that every spec of a feed has."""
    return {"group_name": feed.name, "owners": OWNERS}


@dataclass(frozen=True)
class Step:
    """A step that runs.

    Args:
        context: Dagster's.
        feed: Whose files they are.
    """

    context: AssetExecutionContext
    feed: Feed

    @property
    def days(self) -> list[str]:
        """ISO days, ascending; `all` alone for a feed without days."""
        return list(self.context.partition_keys) if self.feed.daily else [WHOLE]

    @property
    def run(self) -> DagsterRun:
        """The Dagster run."""
        return self.context.run

    @property
    def athena(self) -> Athena:
        """The queries of the lake."""
        athena: Athena = self.context.resources.athena
        return athena

    @property
    def glue(self) -> Glue:
        """Catalog, crawlers and jobs."""
        glue: Glue = self.context.resources.glue
        return glue

    @property
    def lake(self) -> Lake:
        """The bucket of everything derived."""
        lake: Lake = self.context.resources.lake
        return lake

    @property
    def landing(self) -> Landing:
        """The bucket in which files arrive."""
        landing: Landing = self.context.resources.landing
        return landing

    @property
    def notifier(self) -> Notifier:
        """The topic of alerts."""
        notifier: Notifier = self.context.resources.notifier
        return notifier

    @property
    def warehouse(self) -> Warehouse:
        """The warehouse, with the ledger and the outbox."""
        warehouse: Warehouse = self.context.resources.warehouse
        return warehouse

    def calendar(self, days: Sequence[str]) -> list[str]:
        """The days as the ledger and the landing bucket know them: none for a feed without days."""
        return list(days) if self.feed.daily else []

    def name(self, days: Sequence[str] | None = None) -> str:
        """The feed and days, for people."""
        return f"{self.feed.name} {describe_days(self.calendar(self.days if days is None else days))}".strip()

    def describe(self, day: str, metadata: Mapping[str, Any], asset: str | None = None) -> None:
        """Put metadata on a day's materialization, or on the one of a feed without days."""
        where: dict[str, Any] = {"partition_key": day} if self.feed.daily else {}
        if asset:
            where["asset_key"] = asset
        self.context.add_asset_metadata(dict(metadata), **where)

    def send_alerts(self) -> None:
        """Publish what this run has written into the outbox; where that fails, the alert sensor will."""
        if why := outbox.try_to_send(self.warehouse, self.notifier, self.run.run_id):
            self.context.log.warning("The alerts wait, because they could not be sent: %s", why)
