"""Columns nobody has declared are told of once, and grow the table of a feed that evolves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from dagster import DagsterRun

from airline_platform.contract.drift import evolved_columns
from airline_platform.contract.feed import Feed
from airline_platform.contract.table import Column, Table
from airline_platform.feeds.flights import FLIGHTS
from assets.ingest import drift
from assets.ingest.drift import grown
from resources.acceptance.landed import LandedObject
from resources.topic import Alert
from resources.warehouse import outbox
from resources.warehouse.resource import Warehouse

RUN = DagsterRun("flights_job", run_id="run")


def test_a_grown_feeds_table_has_the_evolved_columns_behind_its_own() -> None:
    table = grown(FLIGHTS, ["gate"]).table

    assert table.column_names == (*FLIGHTS.table.column_names, "gate")
    assert not evolved_columns(["gate"])[0].required
    assert grown(FLIGHTS, []) is FLIGHTS


@dataclass
class Growing:
    """A warehouse that notes which columns it was given."""

    added: list[str] = field(default_factory=list)

    @contextmanager
    def exclusive_transaction(self) -> Iterator["Growing"]:
        yield self

    def add_columns(self, table: Table, columns: Sequence[Column]) -> None:
        self.added += [f"{table.name}.{column.name}" for column in columns]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Alert]:
    alerts: list[Alert] = []
    monkeypatch.setattr(outbox, "put", lambda _session, more: alerts.extend(more))
    return alerts


def landed(name: str, *columns: str) -> LandedObject:
    return LandedObject(
        "b", f"f/{name}", "2013-01-01", "e", 1, datetime(2013, 1, 1, tzinfo=UTC), columns=columns
    )


@pytest.mark.parametrize("policy", ["refuse", "ignore"])
def test_where_strange_columns_are_not_kept_nobody_is_told(policy: Any, told: list[Alert]) -> None:
    warehouse = Growing()

    drift.take_in(RUN, replace(FLIGHTS, drift=policy), [landed("a", "?gate")], cast("Warehouse", warehouse))

    assert (told, warehouse.added) == ([], [])


@pytest.mark.parametrize(
    ("policy", "added"),
    [
        ("rescue", []),
        ("evolve", ["daily_flights_processed.gate", "daily_flights_processed.tail_number"]),
    ],
)
def test_each_new_column_is_told_with_the_first_file_that_has_it(
    policy: Any, added: list[str], told: list[Alert]
) -> None:
    feed: Feed = replace(FLIGHTS, drift=policy)
    warehouse = Growing()
    files = [landed("a", "Carrier", "?Gate"), landed("b", "?Gate", "?Tail Number", "?tail number")]

    drift.take_in(RUN, feed, files, cast("Warehouse", warehouse))

    assert [(alert.lines[1], alert.lines[0]) for alert in told] == [
        ("Column:    'Gate'", "File:      s3://b/f/a"),
        ("Column:    'Tail Number'", "File:      s3://b/f/b"),
        ("Column:    'tail number'", "File:      s3://b/f/b"),
    ]
    assert sorted(warehouse.added) == added


def test_where_all_columns_are_declared_no_transaction_begins(told: list[Alert]) -> None:
    drift.take_in(RUN, replace(FLIGHTS, drift="evolve"), [landed("a", "Carrier")], cast("Warehouse", None))

    assert told == []
