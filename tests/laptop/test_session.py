"""Transactions on a real warehouse: exclusive ones come one by one, and those that fail leave nothing."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from queue import Queue
from typing import Any

import psycopg2
import pytest

from resources.warehouse.own_tables import ALERT_OUTBOX
from resources.warehouse.resource import Warehouse

SECONDS = 30


@pytest.fixture
def warehouse(server: Warehouse) -> Iterator[Warehouse]:
    """With an empty outbox."""
    with server.transaction() as session:
        session.execute(f"DELETE FROM {ALERT_OUTBOX.qualified_name}")
    return server


def alert(alert_id: str) -> dict[str, Any]:
    empty = dict.fromkeys(ALERT_OUTBOX.column_names)
    told = {"alert_id": alert_id, "event": "loaded", "subject": "s", "message": "m"}
    return empty | told | {"created_at": datetime.now(UTC)}


def count(warehouse: Warehouse) -> int:
    (row,) = warehouse.query(f"SELECT COUNT(*) AS n FROM {ALERT_OUTBOX.qualified_name}")
    return int(row["n"])


def test_an_exclusive_transaction_begins_when_the_one_before_has_ended_and_sees_what_it_did(
    warehouse: Warehouse,
) -> None:
    happened: Queue[str | int] = Queue()

    def second() -> None:
        with warehouse.exclusive_transaction() as session:
            (row,) = session.query("SELECT COUNT(*) AS n FROM airlines.alert_outbox")
            happened.put(int(row["n"]))

    thread = threading.Thread(target=second)
    with warehouse.exclusive_transaction() as session:
        thread.start()
        wait_until_somebody_waits(warehouse)
        session.insert(ALERT_OUTBOX, [alert("first")])
        happened.put("the first ends")
    thread.join(SECONDS)

    assert [happened.get_nowait(), happened.get_nowait()] == ["the first ends", 1]


def wait_until_somebody_waits(warehouse: Warehouse) -> None:
    for _ in range(SECONDS * 20):
        if warehouse.query("SELECT pid FROM pg_locks WHERE NOT granted"):
            return
        threading.Event().wait(0.05)
    raise AssertionError("nobody waits")


def test_readers_and_plain_transactions_do_not_wait_for_an_exclusive_one(warehouse: Warehouse) -> None:
    with warehouse.exclusive_transaction() as session:
        session.insert(ALERT_OUTBOX, [alert("of the exclusive one")])
        with warehouse.transaction() as plain:
            plain.insert(ALERT_OUTBOX, [alert("of a plain one")])
        assert count(warehouse) == 1

    assert count(warehouse) == 2


@pytest.mark.parametrize("kind", ["transaction", "exclusive_transaction"])
def test_a_transaction_that_fails_leaves_nothing_and_keeps_nobody_out(
    warehouse: Warehouse, kind: str
) -> None:
    for _ in range(2):
        with suppress(ZeroDivisionError), getattr(warehouse, kind)() as session:
            session.insert(ALERT_OUTBOX, [alert("never")])
            raise ZeroDivisionError

    assert count(warehouse) == 0


def test_a_transaction_that_only_reads_changes_nothing(warehouse: Warehouse) -> None:
    with (
        pytest.raises(psycopg2.errors.ReadOnlySqlTransaction),
        warehouse.transaction(read_only=True) as session,
    ):
        session.insert(ALERT_OUTBOX, [alert("never")])


def test_many_rows_are_inserted_and_changes_are_counted(warehouse: Warehouse) -> None:
    with warehouse.transaction() as session:
        session.insert(ALERT_OUTBOX, [alert(str(n)) for n in range(2_500)])
        changed = session.change(
            "UPDATE airlines.alert_outbox SET sent_at = %(now)s WHERE alert_id < %(id)s",
            {"now": datetime.now(UTC), "id": "1"},
        )

    assert (count(warehouse), changed) == (2_500, 1)


def test_staging_is_empty_where_nothing_is_copied_and_gone_with_its_transaction(warehouse: Warehouse) -> None:
    with warehouse.transaction() as session:
        staging = session.stage(ALERT_OUTBOX, None)
        assert session.query(f"SELECT source_file FROM {staging}") == []

    with pytest.raises(psycopg2.errors.UndefinedTable):
        warehouse.query(f"SELECT * FROM {staging}")
