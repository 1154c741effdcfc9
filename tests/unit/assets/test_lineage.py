"""Column lineage: complete from the landed file to the mart, and what the queries of the marts really do."""

import logging
from collections.abc import Iterable

import pytest
import sqlglot
from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    DagsterInstance,
    MaterializeResult,
    TableColumnLineage,
    asset,
    materialize,
    multi_asset,
)
from sqlglot import exp
from sqlglot.lineage import lineage as lineage_of_query

from airline_platform.contract.feed import Feed
from airline_platform.definitions import defs
from airline_platform.feeds import FEEDS
from airline_platform.partitions import daily_partitions
from assets.lineage import LINEAGE, column_lineage, made, tell_lineage
from assets.marts.declarations import MARTS
from assets.marts.mart import Mart
from assets.marts.replacement import query_of

ASSETS = {
    key.path[-1]: found
    for found in defs.assets or ()
    if isinstance(found, AssetsDefinition)
    for key in found.keys
}
SPECS = {name: found.get_asset_spec(AssetKey(name)) for name, found in ASSETS.items()}
DECLARED: dict[str, TableColumnLineage] = {
    name: spec.metadata[LINEAGE] for name, spec in SPECS.items() if LINEAGE in spec.metadata
}
COUNTING = {"flights", "departures", "arrivals"}
"""Columns that say how many rows there are, whatever is in them."""


def sources(asset: str, column: str) -> list[tuple[str, str]]:
    deps = DECLARED[asset].deps_by_column.get(column, ()) if asset in DECLARED else ()
    return [(dep.asset_key.path[-1], dep.column_name) for dep in deps]


def origins(asset: str, column: str) -> set[tuple[str, str]]:
    """Where the values of a column begin."""
    found = sources(asset, column)
    if not found:
        return {(asset, column)}
    return {origin for parent in found for origin in origins(*parent)}


@pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
def test_what_a_mart_declares_is_what_its_query_does(mart: Mart) -> None:
    query = sqlglot.parse_one(query_of(mart), read="redshift")
    schema = {mart.source.SCHEMA: {mart.source.name: {c.name: c.redshift_type for c in mart.source.columns}}}

    def read(column: str) -> set[str]:
        nodes = lineage_of_query(column, query, schema=schema, dialect="redshift").walk()
        return {node.name.rpartition(".")[2] for node in nodes if isinstance(node.expression, exp.Table)}

    declared = {name: set(mart.sources_of(name)) for name in mart.table.column_names}
    assert declared == {name: read(name) for name in mart.table.column_names}


@pytest.mark.parametrize("name", DECLARED)
def test_every_source_is_a_column_of_an_asset_that_is_a_parent(name: str) -> None:
    parents = {key.path[-1] for key in ASSETS[name].asset_deps[AssetKey(name)]}

    for column in DECLARED[name].deps_by_column:
        assert column in columns_of(name)
        for parent, theirs in sources(name, column):
            assert parent in parents
            assert theirs in columns_of(parent)


def columns_of(name: str) -> Iterable[str]:
    return [column.name for column in SPECS[name].metadata["dagster/column_schema"].columns]


@pytest.mark.parametrize(
    ("mart", "column", "begins"),
    [
        ("carrier_daily_delays", "carrier", {("raw_flights", "Carrier")}),
        ("carrier_daily_delays", "avg_dep_delay", {("raw_flights", "DepDelay")}),
        ("carrier_on_time", "on_time_percent", {("raw_flights", "DepDelay"), ("raw_flights", "ArrDelay")}),
        (
            "airport_daily_delays",
            "airport_id",
            {("raw_flights", "OriginAirportID"), ("raw_flights", "DestAirportID")},
        ),
        ("airport_daily_delays", "city", {("raw_airports", "city")}),
        ("long_delays", "dep_airport", {("raw_airports", "name")}),
        ("bookings_daily", "fare_amount", {("raw_bookings", "fare_amount")}),
        ("fact_bookings", "customer_key", {("raw_bookings", "email")}),
        ("fact_bookings", "arr_city", {("raw_airports", "city")}),
        ("shipping_totals", "total_quantity", {("raw_shipments", "quantity")}),
        ("shipments_normalized", "destination_city", {("raw_shipments", "destination_city")}),
        ("dim_airport_codes", "name", {("raw_airports", "name")}),
    ],
)
def test_a_column_can_be_followed_from_the_mart_to_the_landed_file(
    mart: str, column: str, begins: set[tuple[str, str]]
) -> None:
    reached = origins(mart, column)

    # A count of flights begins at the mart that counts them.
    assert {origin for origin in reached if origin[1] not in COUNTING} == begins


def test_it_goes_step_by_step_as_the_assets_do() -> None:
    way = ["flights_catalog", "flights_enriched", "daily_flights_processed"]

    assert [sources(name, "arr_delay") for name in way[1:]] == [
        [("flights_catalog", "ArrDelay")],
        [("flights_enriched", "arr_delay")],
    ]
    assert sources("flights_catalog", "ArrDelay") == [("raw_flights", "ArrDelay")]


def test_of_a_feed_that_stays_in_the_lake_it_goes_through_the_typed_rows_and_both_catalogs() -> None:
    way = ["shipments_parquet", "shipments_catalog", "shipments_normalized", "shipments_normalized_catalog"]

    steps = [sources(name, "shipping_cost") for name in way]
    assert steps == [[(name, "shipping_cost")] for name in ("raw_shipments", *way[:-1])]
    assert sources("shipping_totals", "total_cost") == [(way[-1], "shipping_cost")]


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_only_what_comes_from_the_key_of_a_file_has_no_source(feed: Feed) -> None:
    columns = set(feed.job_table.column_names)
    without = columns - set(made(feed, feed.raw_asset))

    of_the_object = {feed.table.partition_column, "landed_at", "source_file", "source_line"}
    assert without == of_the_object & columns


def test_the_columns_say_in_their_tags_what_they_are_made_of() -> None:
    schema = SPECS["airport_daily_delays"].metadata["dagster/column_schema"]
    tags = {column.name: list(column.tags) for column in schema.columns}

    fact = "daily_flights_processed"
    assert tags["airport_id"] == [f"from {fact}.origin_airport_id", f"from {fact}.dest_airport_id"]
    assert tags["departures"] == []


def test_every_materialization_of_a_range_says_it(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR, "dagster")
    declared = {LINEAGE: column_lineage({"city": [("dim_airport_codes", "city")]})}
    by_day = {"partitions_def": daily_partitions(), "backfill_policy": BackfillPolicy.single_run()}

    @asset(metadata=declared, **by_day)
    def one(context: AssetExecutionContext) -> None:
        tell_lineage(context)
        context.add_asset_metadata({"rows": 1}, partition_key="2013-01-02")

    @multi_asset(specs=[AssetSpec("two", metadata=declared), AssetSpec("three")], **by_day)
    def several(context: AssetExecutionContext):
        tell_lineage(context)
        yield from (MaterializeResult(asset_key=name) for name in ("two", "three"))

    @asset(metadata=declared)
    def whole(context: AssetExecutionContext) -> None:
        tell_lineage(context)
        context.add_output_metadata({"rows": 1})

    tags = {
        "dagster/asset_partition_range_start": "2013-01-01",
        "dagster/asset_partition_range_end": "2013-01-02",
    }
    with DagsterInstance.ephemeral() as instance:
        made = [
            *materialize([one, several], instance=instance, tags=tags).get_asset_materialization_events(),
            *materialize([whole], instance=instance).get_asset_materialization_events(),
        ]

    told = [
        (event.asset_key.path[-1], event.partition, LINEAGE in event.materialization.metadata)
        for event in made
    ]
    days = ("2013-01-01", "2013-01-02")
    assert sorted(told, key=str) == sorted(
        [
            *((name, day, name != "three") for name in ("one", "two", "three") for day in days),
            ("whole", None, True),
        ],
        key=str,
    )
    (rows,) = [event.materialization.metadata.keys() for event in made if event.asset_key.path[-1] == "whole"]
    assert {"rows", LINEAGE} <= rows
