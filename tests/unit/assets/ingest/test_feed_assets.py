"""A declaration alone makes a feed's assets, in the order of its lineage; none of them is written by hand."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from dagster import AssetKey, AssetSpec

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Dimension, FactTable
from airline_platform.contract.table import Column, Table
from airline_platform.feeds import FEEDS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.checks.of_feeds import checks_of
from assets.ingest.feed_assets import FEED_ASSETS, assets_of, loaded_all_the_same

TRAINS = Feed(
    name="trains",
    prefix="trains/",
    noun="rides",
    columns=(Column("ride_id", "bigint", "Names the ride."),),
    becomes=FactTable(table=Table("fact_rides", "One row per ride.", partition_column="ride_date")),
)
STATIONS = replace(
    TRAINS, name="stations", becomes=Dimension(table=Table("dim_rides", "One row."), key="ride_id")
)


def names(feed: Feed) -> list[list[str]]:
    return [sorted(key.path[-1] for key in found.keys) for found in assets_of(feed)]


@pytest.mark.parametrize(
    ("feed", "assets"),
    [
        (TRAINS, [["raw_trains"], ["trains_catalog"], ["trains_enriched"], ["fact_rides"]]),
        (STATIONS, [["raw_stations"], ["stations_catalog"], ["stations_enriched"], ["dim_rides"]]),
        (
            BOOKINGS,
            [
                ["raw_bookings"],
                ["bookings_catalog"],
                ["bookings_enriched"],
                ["fact_booking_status", "fact_bookings"],
            ],
        ),
        (
            SHIPMENTS,
            [
                ["raw_shipments"],
                ["shipments_parquet"],
                ["shipments_catalog"],
                ["shipments_normalized"],
                ["shipments_normalized_catalog"],
                ["shipping_totals"],
            ],
        ),
    ],
    ids=lambda it: it.name if isinstance(it, Feed) else "",
)
def test_a_declaration_alone_makes_the_assets(feed: Feed, assets: list[list[str]]) -> None:
    assert names(feed) == assets
    for before, after in pairwise(assets_of(feed)):
        assert set(before.keys) & {dep for deps in after.asset_deps.values() for dep in deps}


@pytest.mark.parametrize("feed", [TRAINS, STATIONS, *FEEDS.values()], ids=lambda feed: feed.name)
def test_the_last_asset_has_the_checks_and_what_they_need(feed: Feed) -> None:
    *_, last = assets_of(feed)

    assert last.node_def.name == feed.last_asset
    assert {key.name for key in last.check_keys} == {check.name for check in checks_of(feed)}
    assert {"lake", "landing", "warehouse", "notifier"} <= last.required_resource_keys
    assert ("athena" in last.required_resource_keys) == bool(feed.typed)


def test_every_feed_has_its_assets_once() -> None:
    keys = [key for found in FEED_ASSETS for key in found.keys]

    assert len(keys) == len(set(keys))
    assert {AssetKey(feed.last_asset) for feed in FEEDS.values()} <= set(keys)


def test_what_a_failing_step_has_settled_is_told_day_by_day_and_shown_on_its_first_asset() -> None:
    specs = [AssetSpec("a"), AssetSpec("b")]
    days: dict[str, dict[str, Any]] = {"2013-01-01": {"rows": 1}, "2013-01-02": {"rows": 2}}

    told = [
        (it.asset_key.path[-1], it.partition, dict(it.metadata)) for it in loaded_all_the_same(specs, days)
    ]

    assert [(name, day, len(shown)) for name, day, shown in told] == [
        ("a", "2013-01-01", 1),
        ("b", "2013-01-01", 0),
        ("a", "2013-01-02", 1),
        ("b", "2013-01-02", 0),
    ]
    assert list(loaded_all_the_same(specs, {})) == []
