"""What is asked of the ledger is found by an index: however long it is, few of its rows are read."""

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from airline_platform.settings import get_settings
from assets.ingest import deleted_sources as gone
from resources.warehouse import ledger
from resources.warehouse.session import Warehouse, to_postgres
from sensors import reconciliation

FILES = 20_000
FILL = """
INSERT INTO airlines.ingested_files
    (feed, partition_date, bucket, key, etag, size_bytes, state, run_id, landed_at, loaded_at)
SELECT
    'flights', date '2013-01-01' + n / 10, 'landing', 'daily_flights/' || lpad(n::text, 6, '0') || '.csv',
    'e', 1, 'loaded', 'r', now(), now()
FROM generate_series(1, %(files)s) AS n
"""

KEYS = ("daily_flights/000007.csv", "daily_flights/019999.csv")
ASKED = {
    "the landing sensor's, of keys that landed": (ledger.KNOWN_VERSIONS, {"feed": "flights", "keys": KEYS}),
    "the reconciliation's, of a page of the listing": (
        reconciliation.VERDICTS,
        {"first": "daily_flights/000100.csv", "last": "daily_flights/000200.csv"},
    ),
    "a load's, of the versions it replaces": (
        ledger.FORGET_SAME_VERSIONS,
        {"feed": "flights", "keys": KEYS, "versions": tuple(f"{key} e " for key in KEYS)},
    ),
    "a load's, of older versions": (
        ledger.SUPERSEDE_OLDER_VERSIONS,
        {"feed": "flights", "keys": KEYS, "states": ("loaded", "rejected")},
    ),
    "a run's, of its days": (ledger.OF_DAYS, {"feed": "flights", "days": ("2013-01-02", "2013-01-03")}),
    "of files that are gone": (gone.STANDING, {"keys": KEYS}),
}


@pytest.fixture(scope="module")
def long_ledger(server: Warehouse) -> Iterator[Any]:
    """A cursor in whose transaction, which is never committed, the ledger is long."""
    with closing(server._connect(server._secret(get_settings()))) as connection:
        cursor = connection.cursor()
        cursor.execute(FILL, {"files": FILES})
        cursor.execute("ANALYZE airlines.ingested_files")
        yield cursor
        connection.rollback()


@pytest.mark.parametrize("who", ASKED)
def test_a_question_reads_the_rows_it_is_about_and_no_others(long_ledger: Any, who: str) -> None:
    sql, values = ASKED[who]
    long_ledger.execute(f"EXPLAIN {to_postgres(sql)}", values)
    plan = "\n".join(line for (line,) in long_ledger.fetchall())

    assert "Seq Scan" not in plan
    # By the feed alone, the index on feed and day would find all of its rows.
    assert re.search(r"Index Cond: .*\b(key|partition_date)\b", plan), plan
