"""What rows become is declared: what is looked up, and which columns jobs look it up in."""

from dataclasses import replace

from airline_platform.contract.sink import Dimension, Lookup
from airline_platform.contract.table import LANDED_AT, SOURCE_FILE, SOURCE_LINE, Column, Table


def test_the_snapshot_of_a_dimension_has_its_key_first_and_not_where_rows_came_from() -> None:
    names = (Column("city", "string", "City."), Column("airport_id", "bigint", "Id."))
    table = Table("dim", "One row each.", (*names, LANDED_AT, SOURCE_FILE, SOURCE_LINE))

    snapshot = Dimension(table=table, key="airport_id").snapshot

    assert [column.name for column in snapshot] == ["airport_id", "city"]


def test_a_lookup_knows_where_it_is_declared_and_is_the_same_one_anywhere() -> None:
    first = Lookup("station", (("city", "city"),), "stations")
    second = Lookup("station", (("city", "city"),), "stations")

    assert "test_sink.py:" in first.declared_at
    assert first.declared_at != second.declared_at
    assert (first, repr(first)) == (second, repr(second))
    assert "test_sink.py:" in replace(first, key="other").declared_at
