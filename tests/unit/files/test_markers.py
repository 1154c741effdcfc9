"""Objects that tools leave behind are known by their names, and no data is taken for one."""

import pytest

from airline_platform.feeds import FEEDS
from airline_platform.files.markers import MARKERS, is_marker


@pytest.mark.parametrize(
    "key",
    [
        "daily_flights/",
        "daily_flights/date=2013-01-01/_SUCCESS",
        "daily_flights/date=2013-01-01/_success",
        "daily_flights/_temporary/0/part-0.csv",
        "daily_flights/.part-0.csv.crc",
        "daily_flights_$folder$",
        "__MACOSX/daily_flights/2013-01-01.csv",
        "daily_flights/~$2013-01-01.csv",
        "daily_flights/.DS_Store",
    ],
)
def test_what_a_tool_leaves_is_a_marker_in_whichever_folder(key: str) -> None:
    assert is_marker(key)


@pytest.mark.parametrize("key", ["", "SUCCESS", "f/success.csv", "x_temporary/a.csv", "_temporarily.csv"])
def test_what_is_only_called_like_one_is_none(key: str) -> None:
    assert not is_marker(key)


@pytest.mark.parametrize("feed", FEEDS.values(), ids=list(FEEDS))
def test_no_file_of_a_feed_is_a_marker(feed) -> None:
    for suffix in feed.suffixes:
        assert not is_marker(f"{feed.prefix}date=2013-01-01/a{suffix}")
        assert not is_marker(f"{feed.prefix}2013-01-01{suffix.upper()}")


def test_every_marker_says_who_leaves_it() -> None:
    assert [marker for marker in MARKERS if not marker.left_by or not marker.names] == []
