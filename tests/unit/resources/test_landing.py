"""A landed object survives its trip through a document, and what is listed for days is these days'."""

import json
from datetime import UTC, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds.flights import FLIGHTS
from resources.acceptance.landed import LandedObject
from resources.landing import shared_prefix, spans

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
LANDED = st.builds(
    LandedObject,
    bucket=TEXTS,
    key=TEXTS,
    day=st.none() | st.dates().map(str),
    etag=TEXTS,
    size=st.integers(0),
    landed_at=st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-5))])),
    version_id=st.none() | TEXTS,
    header=st.none() | TEXTS,
    columns=st.lists(TEXTS, max_size=5).map(tuple),
    refused=st.none() | TEXTS,
)


@given(LANDED)
def test_any_landed_object_comes_back_from_json_as_it_went(found: LandedObject) -> None:
    assert LandedObject.from_json(json.loads(json.dumps(found.as_json()))) == found


def test_the_keys_of_a_range_lie_between_its_spans_in_both_layouts() -> None:
    keys = ["2013-01-02.csv", "2013-01-03.csv.gz", "date=2013-01-02/a.csv", "date=2013-01-03/z.csv"]
    beside = ["2013-01-01.csv", "2013-01-04.csv", "date=2013-01-01/a.csv", "date=2013-01-04/a.csv"]
    found = spans(FLIGHTS, ["2013-01-02", "2013-01-03"])

    def inside(key: str) -> bool:
        return any(first < FLIGHTS.prefix + key <= last for first, last in found)

    assert [key for key in keys + beside if inside(key)] == keys


def test_what_is_listed_for_a_day_is_that_days_alone() -> None:
    listed = [shared_prefix(first, last) for first, last in spans(FLIGHTS, ["2013-01-02"])]

    assert listed == ["daily_flights/2013-01-02", "daily_flights/date=2013-01-02"]
    assert [shared_prefix(first, last) for first, last in spans(FLIGHTS, ())] == ["daily_flights/"]


@given(st.lists(st.text("ab/", max_size=6), min_size=3, max_size=3))
def test_no_key_between_two_is_listed_elsewhere(keys: list[str]) -> None:
    first, key, last = sorted(keys)

    assert key.startswith(shared_prefix(first, last))
