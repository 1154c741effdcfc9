"""Which checks a feed has: those of its sink by its limits, those it declares, each shown on its asset."""

from dataclasses import replace
from math import inf

import pytest
from dagster import AssetCheckKey, AssetKey

from airline_platform.contract.check import NO_HISTORY, Check, Limits, Share
from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import FactTable
from airline_platform.definitions import defs
from airline_platform.errors import LoadRefused
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.checks.of_feeds import checks_of, duplicates, lacking
from assets.checks.outcomes import Measures, Outcome, judge, require, spec_of

EVERY_FEED = pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))


def names(feed: Feed) -> list[str]:
    return [check.name for check in checks_of(feed)]


def test_every_sink_has_its_checks_and_a_feeds_own_stand_among_them() -> None:
    assert names(FLIGHTS) == [
        "rows_accounted",
        "row_count",
        "unknown_airports",
        "missing_delays",
        "duplicates",
    ]
    assert names(BOOKINGS) == ["rows_accounted", "row_count", "unknown_airports", "duplicates"]
    assert names(AIRPORTS) == ["keys_unique", "row_count"]
    assert names(SHIPMENTS) == ["rows_accounted", "row_count"]


@EVERY_FEED
def test_what_would_lose_or_double_rows_blocks_and_all_else_warns(feed: Feed) -> None:
    assert {check.name for check in checks_of(feed) if check.blocking} <= {"rows_accounted", "keys_unique"}
    assert checks_of(feed)[0].blocking


def test_a_check_that_is_declared_is_one_of_its_feeds() -> None:
    mine = Check("mine", "Mine.", Share("are mine", 0.5), "Look.", where="x IS NULL")

    assert mine in checks_of(replace(FLIGHTS, checks=(mine,)))


@EVERY_FEED
def test_every_check_is_on_its_asset_and_says_what_it_wants(feed: Feed) -> None:
    specs = {spec.key: spec for spec in (spec_of(check, feed.last_asset) for check in checks_of(feed))}

    assert len(specs) == len(checks_of(feed))
    assert all(spec.description and spec.description.endswith(".") for spec in specs.values())
    assert all(check.remedy.endswith(".") for check in checks_of(feed))
    every = defs.resolve_implicit_global_asset_job_def().asset_layer.asset_graph
    assert specs.keys() <= every.asset_check_keys


@EVERY_FEED
def test_a_feeds_job_judges_what_its_steps_load(feed: Feed) -> None:
    of_job = defs.resolve_job_def(f"{feed.name}_job").asset_layer.asset_graph.asset_check_keys

    assert of_job >= {AssetCheckKey(AssetKey(feed.last_asset), check.name) for check in checks_of(feed)}


def test_the_words_of_a_check_have_the_feeds_limits() -> None:
    limits = Limits(least_of_fewest=0.25, most_of_most=3, weeks=6, weeks_needed=5, unknown=0.1, copies=0.2)
    of = {check.name: check for check in checks_of(replace(FLIGHTS, limits=limits))}

    assert of["row_count"].description == (
        "The day's rows are between 0.25 times the fewest and 3 times the most of the same weekday in the 6 "
        "weeks before, of which 5 have to be there."
    )
    assert of["unknown_airports"].description == (
        "At most 10% of the day's rows look up airports that dim_airport_codes lacks."
    )
    assert of["duplicates"].description == (
        "At most 20% of the day's rows are copies of another one; rows without dep_delay are alike by nature "
        "and are not counted."
    )
    assert of["unknown_airports"].rule == Share("look up unknown airports", 0.1)


def test_where_nothing_tells_rows_apart_every_copy_counts() -> None:
    assert duplicates(BOOKINGS).description == "At most 5% of the day's rows are copies of another one."


def test_a_feed_without_lookups_has_no_check_of_them() -> None:
    looked_up = {mine for lookup in FLIGHTS.lookups for mine, _ in lookup.filled}
    columns = tuple(column for column in FLIGHTS.table.columns if column.name not in looked_up)
    plain = FactTable(table=replace(FLIGHTS.table, columns=columns))

    assert "unknown_airports" not in names(replace(FLIGHTS, becomes=plain))


def test_an_airport_is_unknown_where_nothing_of_it_is_known() -> None:
    (unknown,) = [check for check in checks_of(FLIGHTS) if check.name == "unknown_airports"]

    assert (
        unknown.where
        == lacking(list(FLIGHTS.lookups))
        == (
            "(dep_airport IS NULL AND dep_city IS NULL AND dep_state IS NULL) OR "
            "(arr_airport IS NULL AND arr_city IS NULL AND arr_state IS NULL)"
        )
    )


def of_airports(there: int, keys: int, before: int) -> list[Outcome]:
    """What came of the checks of airports, by what a load measures."""
    measured: Measures = {
        "keys_unique": {"": ({"different keys": keys}, {"different keys": there})},
        "row_count": {"": (there, (before * AIRPORTS.limits.kept, inf) if before else None)},
    }
    return judge(checks_of(AIRPORTS), measured)


@pytest.mark.parametrize(("there", "passed"), [(80, True), (79, False), (200, True)])
def test_airports_may_be_a_fifth_less(there: int, passed: bool) -> None:
    unique, count = of_airports(there, there, 100)

    assert not unique.failed
    assert (not count.failed) is passed


def test_the_first_airports_have_nothing_to_be_compared_with() -> None:
    _, count = of_airports(1, 1, before=0)

    assert count.findings[0].expected == NO_HISTORY


def test_an_airport_that_is_there_twice_is_found() -> None:
    unique, _ = of_airports(6, 5, 5)

    (finding,) = unique.failed
    assert finding.sentence == "found different keys 5, expected different keys 6"
    with pytest.raises(LoadRefused, match="dim_airport_codes: the check keys_unique: found different keys 5"):
        require("dim_airport_codes", [unique])
