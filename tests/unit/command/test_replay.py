"""A replay is one run over a day's dirty files, and shows each file's verdict before and after it."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from airline_platform.errors import AirlineError
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.run_tags import BACKFILL_TAG, FEED_TAG, days_of
from command.dagster_client import Attempt, DagsterClient
from command.rejects import Verdict
from command.replay import compared, document, require_success, start

DAY = "2013-01-01"
AT = datetime(2013, 1, 2, tzinfo=UTC)
OF_DAY: dict[str, Any] = {"feed": "flights", "day": DAY, "etag": "e", "landed_at": AT, "loaded_at": AT}


def key(name: str) -> str:
    return f"daily_flights/date={DAY}/{name}"


def loaded(name: str, *, rows: int, rejected: int = 0) -> Verdict:
    counts = {"rows_read": rows, "rows_loaded": rows - rejected, "rows_rejected": rejected}
    return Verdict(key=key(name), state="loaded", **counts, **OF_DAY)


def partly(name: str, rejected: int = 1) -> Verdict:
    return loaded(name, rows=10, rejected=rejected)


def refused(name: str, reason: str = "no header") -> Verdict:
    return Verdict(key=key(name), state="rejected", reason=reason, **OF_DAY)


class Recorded(DagsterClient):
    """A Dagster that takes down what it is to launch, and whose runs end in one way."""

    def __init__(self, status: str = "SUCCESS") -> None:
        super().__init__("http://127.0.0.1:1")
        self.launched: list[tuple[str, Mapping[str, str]]] = []
        self._status = status

    def launch(self, job: str, tags: Mapping[str, str], assets: Sequence[str] = ()) -> str:
        assert not assets
        self.launched.append((job, tags))
        return "the-run"

    def last_attempts(self, tag: str, value: str) -> list[Attempt]:
        assert (tag, value) == (BACKFILL_TAG, self.launched[0][1][BACKFILL_TAG])
        return [Attempt("its-retry", self._status, "the-run", {})]


def test_a_replay_of_a_day_is_one_run_of_the_feeds_job_over_that_day() -> None:
    client = Recorded()

    replay = start(client, FLIGHTS, DAY)

    ((job, tags),) = client.launched
    assert (job, days_of(tags), tags[FEED_TAG]) == ("flights_job", (DAY, DAY), "flights")
    assert (replay.run_id, replay.name) == ("the-run", tags[BACKFILL_TAG])


def test_a_replay_of_a_feed_without_days_has_no_day() -> None:
    client = Recorded()
    start(client, AIRPORTS, None)

    ((job, tags),) = client.launched
    assert (job, days_of(tags)) == ("airports_job", ("", ""))


def test_a_replay_whose_last_attempt_failed_names_it_and_what_to_do() -> None:
    client = Recorded("FAILURE")
    replay = start(client, FLIGHTS, DAY)

    with pytest.raises(AirlineError, match=f"flights {DAY}: run its-retry ended with FAILURE") as failed:
        require_success(client, replay)
    assert "airline rejects flights" in failed.value.remedy


def test_a_replay_whose_retry_succeeded_is_a_success() -> None:
    client = Recorded()

    require_success(client, start(client, FLIGHTS, DAY))


def test_a_replay_shows_each_file_as_before_and_after() -> None:
    before = [refused("a.csv"), partly("b.csv", rejected=2), refused("c.csv")]
    after = {
        key("a.csv"): loaded("a.csv", rows=1200),
        key("b.csv"): before[1],
        key("c.csv"): refused("c.csv", reason="still no header"),
    }

    assert [tuple(row.values()) for row in compared(before, after)] == [
        (key("a.csv"), "rejected → loaded", "- → 1,200", "- → 0", None),
        (key("b.csv"), "loaded", "8", "2", None),
        (key("c.csv"), "rejected", "-", "-", "still no header"),
    ]


def test_a_replay_that_is_not_waited_for_shows_what_it_is_about() -> None:
    assert [tuple(row.values()) for row in compared([refused("a.csv")], None)] == [
        (key("a.csv"), "rejected", "-", "-", "no header")
    ]
    figures = {"state": "rejected", "rows_loaded": None, "rows_rejected": None, "reason": "no header"}
    assert document("flights", DAY, "r", [refused("a.csv")]) == {
        "feed": "flights",
        "day": DAY,
        "run": "r",
        "files": [{"file": key("a.csv"), "before": figures, "after": None}],
    }
