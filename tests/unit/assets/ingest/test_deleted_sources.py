"""A file that is gone by design is no loss, and a day that lacks one says what can be done about it."""

from datetime import UTC, datetime, timedelta

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.ingest.deleted_sources import gone_alert, has_expired
from assets.ingest.refusals import why_blocked
from resources.warehouse.ledger import Verdict

NOW = datetime(2013, 6, 30, 12, tzinfo=UTC)
KEY = "shipments/date=2013-05-01/a.json"
LOADED_AT = datetime(2013, 5, 1, 8, 30, tzinfo=UTC)
FILE = Verdict(
    feed="shipments",
    day="2013-05-01",
    key=KEY,
    etag="e",
    state="loaded",
    landed_at=LOADED_AT,
    loaded_at=LOADED_AT,
)


@pytest.mark.parametrize(
    ("feed", "age", "expired"),
    [
        (SHIPMENTS, timedelta(days=30), True),
        (SHIPMENTS, timedelta(days=29), True),
        (SHIPMENTS, timedelta(days=29) - timedelta(seconds=1), False),
        (SHIPMENTS, timedelta(0), False),
        (BOOKINGS, timedelta(days=365), False),
        (None, timedelta(days=365), False),
    ],
)
def test_files_expire_only_where_their_feed_says_so_and_not_before_their_time(
    feed: Feed | None, age: timedelta, *, expired: bool
) -> None:
    assert has_expired(feed, NOW - age, now=NOW, days=30) is expired


def test_a_day_whose_file_has_expired_is_not_told_to_bring_it_back() -> None:
    assert why_blocked(FILE, "gone", expired=True) == (
        f"2013-05-01 keeps its rows: {KEY}, loaded at 2013-05-01 08:30, has expired, as its feed's files do; "
        "expected every file of the day. Land a new file under a later day (its rows have dates of their "
        f"own), or let its rows go: `airline forget '{KEY}'`."
    )


def test_a_day_whose_file_is_lost_is_told_both_ways_out() -> None:
    assert why_blocked(FILE, "gone") == (
        f"2013-05-01 keeps its rows: {KEY}, loaded at 2013-05-01 08:30, is gone from the landing bucket; "
        "expected every file of the day. Land it again under the same key, "
        f"or let its rows go: `airline forget '{KEY}'`."
    )


def test_rows_of_a_file_that_is_there_are_not_to_be_forgotten() -> None:
    told = why_blocked(FILE, "refused")

    assert told.endswith("expected every file of the day. Land it again under the same key.")
    assert "has a newer version that was refused" in told


def test_the_alert_speaks_of_rows_wherever_they_are() -> None:
    assert "warehouse" not in gone_alert([KEY], ["x"]).message
