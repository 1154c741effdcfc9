"""Two in a hundred rows are dirty, of every kind alike, and each becomes what its kind says."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds import FEEDS
from command.generators.files import Order, generate_files, generated_feeds, recipe_of, summary

FIRST = date(2013, 1, 1)

each_feed = pytest.mark.parametrize(
    "feed", [FEEDS[name] for name in generated_feeds()], ids=lambda feed: feed.name
)


@each_feed
def test_two_percent_are_dirty_of_every_kind_alike(feed: Feed, dirty: dict[str, Any]) -> None:
    for told in dirty[feed.name].days.values():
        assert sum(told.dirty.values()) == 40
        assert told.rows == 2_000
        assert set(told.dirty) == {dirt.kind for dirt in recipe_of(feed).dirt}
        assert max(told.dirty.values()) - min(told.dirty.values()) <= 1


@each_feed
def test_dirty_files_differ_from_clean_ones_in_their_dirty_lines_alone(
    rules, make, feed: Feed, dirty: dict[str, Any], tmp_path: Path
) -> None:
    clean = make(tmp_path, feed, rows=2_000)
    lines = [rules.data_lines(feed, made.path(feed)) for made in (clean, dirty[feed.name])]

    blank = dirty[feed.name].days[FIRST].dirty["blank_line"]
    assert sum(one != other for one, other in zip(*lines, strict=True)) == 40 - blank


@each_feed
def test_the_declaration_finds_exactly_the_rows_that_are_to_be_rejected(
    rules, feed: Feed, dirty: dict[str, Any]
) -> None:
    for day, told in dirty[feed.name].days.items():
        lines = rules.data_lines(feed, dirty[feed.name].path(feed, day))

        assert rules.rejects(feed, lines) == rules.to_be_rejected(feed, told)


def test_a_day_never_has_so_many_rejects_that_it_is_not_loaded(tmp_path: Path) -> None:
    for feed in (FEEDS[name] for name in generated_feeds()):
        for count in (50, 51, 99, 1_000):
            order = Order(feed.name, FIRST, FIRST, tmp_path, rows=count, dirty=True)
            document = summary(order, generate_files(order, lambda _: None).values())
            assert 0 < sum(dirt["rows"] for dirt in document["dirty"]) <= 0.02 * count
            assert document["rejected"] / count < feed.max_rejected_share
