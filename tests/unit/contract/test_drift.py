"""What columns that evolve are called, whatever files call them."""

import pytest

from airline_platform.contract.drift import evolved_columns, evolved_name
from airline_platform.feeds.flights import FLIGHTS


@pytest.mark.parametrize(
    ("landed", "name"),
    [
        ("Tail Number", "tail_number"),
        (" gate ", "gate"),
        ("Café-Größe", "cafe_gro_e"),
        ("2nd carrier", "column_2nd_carrier"),
        ("東京", "column_e69db1e4baac"),
        ("Carrier", "landed_carrier"),
        ("source_line", "landed_source_line"),
        ("order", "landed_order"),
        ("User", "landed_user"),
        ("x" * 100, "x" * 60),
        ('"; DROP TABLE x; --', "drop_table_x"),
    ],
)
def test_an_evolved_column_has_a_name_every_engine_takes(landed: str, name: str) -> None:
    assert evolved_name(landed, FLIGHTS.table) == name


def test_an_evolved_column_is_text_that_may_be_empty() -> None:
    (column,) = evolved_columns(["gate"])

    assert (column.name, column.type, column.required) == ("gate", "string", False)
