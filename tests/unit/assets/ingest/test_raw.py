"""A refused file refuses its day where the feed says so; a run without a usable file says why."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest.raw import nothing_usable, whole_days
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject


def file(day: str, name: str, refused: str | None = None) -> LandedObject:
    return LandedObject(
        "b", f"f/date={day}/{name}", day, "e", 1, datetime(2013, 1, 1, tzinfo=UTC), refused=refused
    )


def test_a_refused_file_refuses_its_day_where_the_feed_says_so() -> None:
    files = [file("2013-01-01", "good"), file("2013-01-01", "bad", "why"), file("2013-01-02", "good")]

    assert whole_days(FLIGHTS, files) == files
    refused = [found.refused for found in whole_days(replace(FLIGHTS, on_refused="refuse_day"), files)]
    assert refused == [
        "the day is refused as a whole because of f/date=2013-01-01/bad. Mend that file, and land it again",
        "why",
        None,
    ]


def step_of(*days: str) -> Step:
    return Step(cast("Any", SimpleNamespace(partition_keys=days)), FLIGHTS)


def test_a_run_for_which_nothing_has_landed_says_where_files_were_expected() -> None:
    nothing = nothing_usable(step_of("2013-01-01"), [])

    assert str(nothing).startswith(
        "flights 2013-01-01: expected files under daily_flights/ that can be used, but nothing has landed "
        "for it"
    )
    assert not nothing.alerted


def test_a_run_whose_files_are_all_refused_has_their_reasons_and_people_know() -> None:
    reasons = [f"file {number}: no" for number in range(30)]
    nothing = nothing_usable(step_of("2013-01-01"), reasons)

    assert str(nothing).split("\n")[:21] == [
        "flights 2013-01-01: expected files under daily_flights/ that can be used, found none:",
        *reasons[:20],
    ]
    assert nothing.alerted
    whole = nothing_usable(Step(cast("Any", None), AIRPORTS), reasons)
    assert str(whole).startswith(
        "airports: expected files under airport_codes/ that can be used, found none:"
    )
