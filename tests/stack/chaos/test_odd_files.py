"""Files of any bytes land on a whole stack at once: each gets a verdict, and the good ones are loaded."""

import sys
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS

sys.path.insert(0, str(Path(__file__).parents[2] / "glue"))

from fuzz import fuzzed_runs

RUNS = 2
"""Of ten files each, for every feed."""

FIRST = date(2013, 6, 1)


@pytest.mark.timeout(1200)
def test_of_ten_odd_files_a_day_the_good_one_is_loaded_and_each_has_a_verdict(
    fresh_stack, capsys: pytest.CaptureFixture[str]
) -> None:
    s3, bucket = fresh_stack.client("s3"), fresh_stack.settings.landing_bucket
    good = set()
    with fresh_stack.nobody_listening():
        for feed in (AIRPORTS, FLIGHTS, BOOKINGS, SHIPMENTS):
            for place, files in enumerate(fuzzed_runs(feed, RUNS, 7)):
                day = FIRST + timedelta(place) if feed.daily else None
                for file in files:
                    name = file.name if feed.daily else f"{place}-{file.name}"
                    s3.put_object(Bucket=bucket, Key=(key := feed.key(name, day)), Body=file.body)
                    good |= {key} if file.good else set()

    accounts = {each.key: each for each in fresh_stack.wait()}

    assert len(accounts) == 4 * RUNS * 10
    assert {key: (accounts[key].state, accounts[key].rows_loaded) for key in good} == dict.fromkeys(
        good, ("loaded", 2)
    )
    assert [
        each for each in accounts.values() if each.rows_read != each.rows_loaded + each.rows_rejected
    ] == []
    with capsys.disabled():
        print(f"\nodd files: {dict(Counter(each.state for each in accounts.values()))}")  # noqa: T201
