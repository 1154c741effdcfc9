"""Each verdict has a value for every column of the ledger, and only rows that add up are recorded."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from airline_platform.errors import LoadRefused
from airline_platform.feeds.flights import FLIGHTS
from resources.acceptance.landed import LandedObject
from resources.warehouse import ledger
from resources.warehouse.own_tables import INGESTED_FILES


def landed(key: str = "daily_flights/2013-01-01.csv", *, refused: str | None = None) -> LandedObject:
    return LandedObject(
        bucket="airline-landing",
        key=key,
        day="2013-01-01",
        etag="d41d8cd9",
        size=1234,
        landed_at=datetime(2013, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
        version_id="v1",
        header=FLIGHTS.header,
        columns=tuple(column.name for column in FLIGHTS.columns),
        refused=refused,
    )


def test_a_ledger_entry_has_a_value_for_every_column_of_the_ledger() -> None:
    before = datetime.now(UTC)
    row = ledger.Entry.of(landed(), feed="flights", run_id="run", state="loaded", rows_read=3).as_row()

    assert row.keys() == set(INGESTED_FILES.column_names)
    assert before <= row["loaded_at"] <= datetime.now(UTC)
    assert (row["partition_date"], row["version_id"], row["rows_read"]) == ("2013-01-01", "v1", 3)


def test_a_refused_files_entry_says_why_and_counts_nothing() -> None:
    entry = ledger.Entry.of(landed(refused="line 1: no"), feed="flights", run_id="run", state="rejected")

    assert (entry.state, entry.reason) == ("rejected", "line 1: no")
    assert (entry.rows_read, entry.rows_loaded, entry.rows_rejected) == (None, None, None)


def test_rows_that_do_not_add_up_are_never_recorded() -> None:
    entry = ledger.Entry.of(
        landed(), feed="flights", run_id="r", state="loaded", rows_read=3, rows_loaded=1, rows_rejected=1
    )

    with pytest.raises(LoadRefused, match="rows read have to be rows loaded plus rows rejected"):
        ledger.record(None, [entry])  # type: ignore[arg-type]  # it must not come to the session


def test_a_reason_is_stored_whatever_was_in_the_file() -> None:
    found = replace(landed(), refused="a\0b" + "x" * 9000)

    assert ledger.Entry.of(found, feed="flights", run_id="r", state="rejected").reason == "ab" + "x" * 998
