"""What waits is asked about alone: neither the landing bucket nor the ledger is read whole for it."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from airline_platform.feeds import FEEDS
from airline_platform.files.keys import UNKNOWN
from airline_platform.settings import Settings
from resources import accounts
from resources.accounts import Account, account, follow_up
from resources.warehouse import ledger
from resources.warehouse.session import Database

AT = datetime(2013, 2, 1, tzinfo=UTC)


class Counted:
    """A landing bucket and a ledger, which count how often they are asked and what they hand out."""

    def __init__(self) -> None:
        self.landed: dict[str, str] = {}
        self.ledger: list[dict[str, Any]] = []
        self.listings = self.listed = self.statements = self.rows = 0

    def land(self, key: str, etag: str = "a") -> None:
        self.landed[key] = etag

    def record(self, key: str, state: str, etag: str = "a", feed: str = "flights") -> None:
        figures = {"rows_read": 1, "rows_loaded": 1, "rows_rejected": 0, "reason": None}
        which = {"feed": feed, "partition_date": AT.date(), "key": key, "etag": etag}
        self.ledger.append({**which, **figures, "state": state, "landed_at": AT, "loaded_at": AT})

    def get_paginator(self, _operation: str) -> "Counted":
        return self

    def paginate(self, **asked: str) -> Iterator[dict[str, Any]]:
        self.listings += 1
        keys = [key for key in sorted(self.landed) if key.startswith(asked["Prefix"])]
        self.listed += len(keys)
        yield {"Contents": [{"Key": k, "ETag": f'"{self.landed[k]}"', "LastModified": AT} for k in keys]}

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        self.statements += 1
        keys = (parameters or {}).get("keys")
        states = ("loaded", "rejected") if sql == ledger.JUDGED else ("loaded", "rejected", "superseded")
        rows = [r for r in self.ledger if r["state"] in states and (keys is None or r["key"] in keys)]
        self.rows += len(rows)
        return rows

    def take_figures(self) -> tuple[int, int, int, int]:
        """Listings, objects listed, statements and rows since the last time."""
        figures = self.listings, self.listed, self.statements, self.rows
        self.listings = self.listed = self.statements = self.rows = 0
        return figures


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counted:
    platform = Counted()

    monkeypatch.setattr(accounts, "make_client", lambda _settings, _service: platform)
    monkeypatch.setattr(Database, "query", lambda _self, *asked: platform.execute(*asked))
    return platform


def key(number: int) -> str:
    return f"daily_flights/date=2013-01-01/{number:06}.csv"


def of_keys(found: list[Account]) -> dict[str, tuple[str, str]]:
    return {each.key: (each.etag, each.state) for each in found}


def test_every_landed_object_has_an_account(counted: Counted, no_stack: Settings) -> None:
    for number, state in enumerate(("loaded", "rejected", "superseded")):
        counted.land(key(number))
        counted.record(key(number), state)

    assert of_keys(account(no_stack)) == {
        key(0): ("a", "loaded"),
        key(1): ("a", "rejected"),
        key(2): ("a", "waiting"),
    }


def test_that_no_feed_claimed_a_key_says_nothing_of_a_file_whose_feed_does(
    counted: Counted, no_stack: Settings
) -> None:
    for number in range(2):
        counted.land(key(number))
        counted.record(key(number), "rejected", feed=UNKNOWN)
    waiting = account(no_stack)
    counted.record(key(0), "loaded")
    counted.ledger.reverse()  # it is read in any order

    assert of_keys(waiting) == {key(0): ("a", "waiting"), key(1): ("a", "waiting")}
    assert of_keys(account(no_stack)) == {key(0): ("a", "loaded"), key(1): ("a", "waiting")}
    assert follow_up(no_stack, waiting) == account(no_stack)


def test_following_up_costs_in_proportion_to_what_waits(counted: Counted, no_stack: Settings) -> None:
    for number in range(5_000):
        counted.land(key(number))
        if number >= 10:
            counted.record(key(number), "loaded")
    waiting = [each for each in account(no_stack) if each.state == "waiting"]
    whole = counted.take_figures()
    counted.record(key(0), "loaded")

    followed = follow_up(no_stack, waiting)

    assert whole == (len(FEEDS), 5_000, 1, 4_990)
    assert counted.take_figures() == (0, 0, 1, 1)
    assert [each.state for each in followed] == ["loaded"] + ["waiting"] * 9


def test_a_statement_names_a_thousand_keys_at_most(counted: Counted, no_stack: Settings) -> None:
    for number in range(2_500):
        counted.land(key(number))
    waiting = account(no_stack)
    counted.take_figures()

    assert follow_up(no_stack, waiting) == waiting
    assert counted.take_figures() == (0, 0, 3, 0)


def test_an_object_that_was_replaced_waits_or_is_judged_as_its_newer_version(
    counted: Counted, no_stack: Settings
) -> None:
    counted.land(key(0))
    waiting = account(no_stack)
    counted.land(key(0), "b")
    counted.record(key(0), "superseded", "a")
    counted.record(key(0), "loaded", "b")

    waiting = follow_up(no_stack, waiting)

    assert of_keys(waiting) == {key(0): ("b", "waiting")}
    assert of_keys(follow_up(no_stack, waiting)) == {key(0): ("b", "loaded")}


def test_an_object_that_was_replaced_and_deleted_waits_no_longer(
    counted: Counted, no_stack: Settings
) -> None:
    counted.land(key(0))
    waiting = account(no_stack)
    counted.landed.clear()
    counted.record(key(0), "superseded")

    assert follow_up(no_stack, waiting) == []


def test_bytes_that_landed_once_before_are_judged_by_the_verdict_and_not_by_their_first_version(
    counted: Counted, no_stack: Settings
) -> None:
    counted.land(key(0))
    waiting = account(no_stack)
    counted.record(key(0), "loaded")
    counted.record(key(0), "superseded")

    assert of_keys(follow_up(no_stack, waiting)) == {key(0): ("a", "loaded")}
