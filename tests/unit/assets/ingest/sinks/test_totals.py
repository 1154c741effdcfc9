"""What rows of the lake add up to: asked for the right days, and told to people."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.contract.sink import LakeTable
from airline_platform.contract.table import DECIMALS, DIGITS
from airline_platform.feeds.shipments import SHIPMENTS
from assets.ingest.sinks.totals import DAYS_TOLD, Totals, columns_of, figures, read_totals, totals_sql
from resources.athena import QueryResult

SINK = SHIPMENTS.becomes
assert isinstance(SINK, LakeTable)
FIRST, SECOND, THIRD = "2013-01-01", "2013-01-02", "2013-01-03"
ROWS = [
    (FIRST, "10.125", "1.5", "2"),
    (FIRST, "0.375", "100000", "0.001"),
    (SECOND, "99999999999.999", "0", "3"),
    (SECOND, "0.001", "0", "4"),
    (THIRD, "5", "6", "7"),
]


def totals(shipments: int, cost: str = "0", distance: str = "0", quantity: str = "0") -> Totals:
    return Totals(shipments, (Decimal(cost), Decimal(distance), Decimal(quantity)))


def answer_of(rows: list[dict[str, str | None]]) -> QueryResult:
    return QueryResult("4d8c1a9e", rows, 123_456_789, 1.5, "s3://airline-lake/athena-results/4d8c1a9e.csv")


def ask(written: Sequence[tuple[str, ...]], first: str, last: str) -> dict[str | None, Totals]:
    """What DuckDB answers where these rows are written, as far as the query looks at them."""
    number = f"DECIMAL({DIGITS}, {DECIMALS})"
    with duckdb.connect() as lake:
        lake.execute(
            f'CREATE TABLE shipments_normalized ("date" VARCHAR, shipping_cost {number}, '
            f"shipping_distance {number}, quantity {number})"
        )
        for row in written:
            lake.execute("INSERT INTO shipments_normalized VALUES (?, ?, ?, ?)", row)
        asked = lake.execute(totals_sql(SINK, first, last))
        columns = [column[0] for column in asked.description]
        # Athena gives every value as text.
        rows = [[None if value is None else str(value) for value in row] for row in asked.fetchall()]
    return read_totals(SINK, answer_of([dict(zip(columns, row, strict=True)) for row in rows]))


@pytest.mark.parametrize(
    ("first", "last", "days"), [(FIRST, FIRST, [FIRST]), (FIRST, SECOND, [FIRST, SECOND]), (THIRD, FIRST, [])]
)
def test_the_days_asked_for_are_added_up_and_all_days_beside_them(
    first: str, last: str, days: list[str]
) -> None:
    found = ask(ROWS, first, last)

    of_days = {
        FIRST: totals(2, "10.5", "100001.5", "2.001"),
        # More digits than the column has.
        SECOND: totals(2, "100000000000.000", "0", "7"),
    }
    assert found == {day: of_days[day] for day in days} | {
        None: totals(5, "100000000015.5", "100007.5", "16.001")
    }


def test_a_lake_without_shipments_adds_up_to_nought() -> None:
    assert ask([], FIRST, THIRD) == {None: totals(0)}


@pytest.mark.parametrize(
    "day",
    [
        "",
        "today",
        "2013-02-30",
        "2013-1-1",
        "2013-01-01' OR '1' = '1",
        "'; DROP TABLE shipments_normalized --",
    ],
)
def test_what_is_no_day_is_never_asked_for(day: str) -> None:
    with pytest.raises(ValueError, match=r"isoformat|day is out of range"):
        totals_sql(SINK, day, FIRST)
    with pytest.raises(ValueError, match=r"isoformat|day is out of range"):
        totals_sql(SINK, FIRST, day)


@given(st.text(max_size=12) | st.dates().map(str))
def test_nothing_but_a_day_comes_into_the_query(text: str) -> None:
    try:
        sql = totals_sql(SINK, text, FIRST)
    except ValueError:
        return
    assert sql.count("'") == totals_sql(SINK, FIRST, FIRST).count("'")
    assert ";" not in sql


def test_sums_that_are_null_or_not_there_are_nought() -> None:
    empty = {"all_rows": "0", "total_cost": None, "total_distance": None, "total_quantity": None}
    nothing = dict.fromkeys(empty)

    assert read_totals(SINK, answer_of([{"day": FIRST} | empty, {"day": None} | nothing])) == {
        FIRST: totals(0),
        None: totals(0),
    }


def test_the_figures_of_a_day_are_told_with_those_of_all_days_and_their_query() -> None:
    found = {FIRST: totals(1234, "1234567.895", "50.55", "2500"), None: totals(2000, "2e7", "1", "0.001")}

    assert figures(SHIPMENTS, SINK, found, [FIRST], answer_of([])) == [
        "2013-01-01: cost 1,234,567.90 USD, distance 50.6 km, quantity 2,500.000, 1,234 shipments",
        "All days:   cost 20,000,000.00 USD, distance 1.0 km, quantity 0.001, 2,000 shipments",
        "Query:      4d8c1a9e",
        "Scanned:    123,456,789 bytes, about 0.000561 USD",
        "Result:     s3://airline-lake/athena-results/4d8c1a9e.csv",
    ]


@pytest.mark.parametrize(("days", "more"), [(31, []), (40, ["… and 9 more days, in the query's result."])])
def test_of_many_days_the_first_are_told_and_the_others_counted(days: int, more: list[str]) -> None:
    every = [f"day {number}" for number in range(days)]
    found: dict[str | None, Totals] = {day: totals(number) for number, day in enumerate(every)}

    lines = figures(SHIPMENTS, SINK, found | {None: totals(1)}, every, answer_of([]))

    assert lines[:DAYS_TOLD] == [f"{day}: {found[day].words('shipments', SINK.sums)}" for day in every[:31]]
    assert lines[DAYS_TOLD:-4] == more
    assert lines[-4].startswith("All days:")


def test_totals_are_plotted_under_their_names() -> None:
    assert totals(2, "1.5", "2.5", "3.125").numbers("all_days_", "shipments", SINK.sums) == {
        "all_days_shipments": 2,
        "all_days_total_cost": 1.5,
        "all_days_total_distance": 2.5,
        "all_days_total_quantity": 3.125,
    }


def test_the_answer_has_a_column_for_the_day_the_rows_and_each_sum() -> None:
    columns = columns_of(SHIPMENTS, SINK)

    assert [column.name for column in columns] == [
        "day",
        "shipments",
        "total_cost",
        "total_distance",
        "total_quantity",
    ]
    assert all(column.description.endswith(".") for column in columns)


def test_only_the_sums_that_are_declared_are_asked_for_and_told() -> None:
    counted = replace(SINK, sums=(SINK.sums[0],))

    assert "SUM(quantity)" not in totals_sql(counted, FIRST, FIRST)
    assert Totals(3, (Decimal(2),)).words("shipments", counted.sums) == "cost 2.00 USD, 3 shipments"
