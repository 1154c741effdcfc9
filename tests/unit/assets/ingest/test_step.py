"""A step knows its days, the days of the calendar among them, and what people call it."""

from types import SimpleNamespace
from typing import Any, cast

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import get_settings
from assets.ingest.step import Step, how_it_runs, what_it_is

DAYS = ("2013-01-01", "2013-01-02")


class Shown:
    """Dagster's context, as far as metadata go."""

    partition_keys = DAYS

    def __init__(self) -> None:
        self.metadata: list[tuple[dict[str, Any], dict[str, Any]]] = []

    def add_asset_metadata(self, metadata: dict[str, Any], **where: Any) -> None:
        self.metadata.append((metadata, where))


def step_of(feed: Any) -> tuple[Step, Shown]:
    shown = Shown()
    return Step(cast("Any", shown), feed), shown


def test_a_feed_without_days_has_one_that_is_in_no_calendar() -> None:
    whole, _ = step_of(AIRPORTS)
    daily, _ = step_of(FLIGHTS)

    assert (whole.days, whole.calendar(whole.days), whole.name()) == (["all"], [], "airports")
    assert (daily.days, daily.calendar(DAYS[:1])) == ([*DAYS], ["2013-01-01"])
    assert daily.name(DAYS[:1]) == "flights 2013-01-01"
    assert daily.name() == "flights 2 days 2013-01-01 to 2013-01-02"


def test_metadata_are_a_days_where_there_are_days() -> None:
    whole, shown_whole = step_of(AIRPORTS)
    daily, shown_daily = step_of(FLIGHTS)

    whole.describe("all", {"files": 1}, "dim_airport_codes")
    daily.describe("2013-01-01", {"files": 2})

    assert shown_whole.metadata == [({"files": 1}, {"asset_key": "dim_airport_codes"})]
    assert shown_daily.metadata == [({"files": 2}, {"partition_key": "2013-01-01"})]


def test_what_it_works_with_is_what_dagster_gives_it() -> None:
    names = ("athena", "glue", "lake", "landing", "notifier", "warehouse")
    has = SimpleNamespace(**{name: f"the {name}" for name in names})
    step = Step(cast("Any", SimpleNamespace(resources=has, run="the run")), FLIGHTS)

    assert [getattr(step, name) for name in (*names, "run")] == [f"the {name}" for name in (*names, "run")]


def test_every_asset_of_a_feed_has_its_pool_its_hook_and_days_in_ranges() -> None:
    daily, whole = how_it_runs(FLIGHTS), how_it_runs(AIRPORTS)

    assert (daily["pool"], whole["pool"]) == ("flights", "airports")
    assert daily["backfill_policy"].max_partitions_per_run == get_settings().max_partitions_per_run
    assert not {"partitions_def", "backfill_policy"} & whole.keys()
    assert [hook.name for hook in whole["hooks"]] == ["tell_failed"]
    assert what_it_is(FLIGHTS)["group_name"] == "flights"
