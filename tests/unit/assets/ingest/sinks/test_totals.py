"""What shipments add up to: asked for the right days, held against what was written, told to people."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pytest
from assets.ingest.loading import MadeDay, RowCount
from assets.ingest.shipping import kept
from assets.ingest.totals import DAYS_TOLD, Totals, compare, figures, numbers, read_totals, totals_sql
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.contract.table import DECIMALS, DIGITS
from airline_platform.errors import LoadRefused
from resources.athena import QueryResult
from resources.landing import LandedObject

FIRST, SECOND, THIRD = "2013-01-01", "2013-01-02", "2013-01-03"
ROWS = [
    (FIRST, "10.125", "1.5", "2"),
    (FIRST, "0.375", "100000", "0.001"),
    (SECOND, "99999999999.999", "0", "3"),
    (SECOND, "0.001", "0", "4"),
    (THIRD, "5", "6", "7"),
]


def totals(shipments: int, cost: str = "0", distance: str = "0", quantity: str = "0") -> Totals:
    return Totals(shipments, Decimal(cost), Decimal(distance), Decimal(quantity))


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
        asked = lake.execute(totals_sql(first, last))
        columns = [column[0] for column in asked.description]
        # Athena gives every value as text.
        rows = [[None if value is None else str(value) for value in row] for row in asked.fetchall()]
    return read_totals(answer_of([dict(zip(columns, row, strict=True)) for row in rows]))


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
        totals_sql(day, FIRST)
    with pytest.raises(ValueError, match=r"isoformat|day is out of range"):
        totals_sql(FIRST, day)


@given(st.text(max_size=12) | st.dates().map(str))
def test_nothing_but_a_day_comes_into_the_query(text: str) -> None:
    try:
        sql = totals_sql(text, FIRST)
    except ValueError:
        return
    assert sql.count("'") == totals_sql(FIRST, FIRST).count("'")
    assert ";" not in sql


def test_sums_that_are_null_or_not_there_are_nought() -> None:
    empty = {"shipments": "0", "total_cost": None, "total_distance": None, "total_quantity": None}
    nothing = dict.fromkeys(empty)

    assert read_totals(answer_of([{"day": FIRST} | empty, {"day": None} | nothing])) == {
        FIRST: totals(0),
        None: totals(0),
    }


def made(**loaded: int) -> MadeDay:
    landed = (
        LandedObject("landing", f"shipments/{name}.json", FIRST, "e", 1, datetime(2013, 1, 2, tzinfo=UTC))
        for name in loaded
    )
    return MadeDay(
        "jr_1",
        (),
        tuple(
            (found, RowCount(9, rows, 9 - rows)) for found, rows in zip(landed, loaded.values(), strict=True)
        ),
    )


def test_rows_that_are_as_many_as_the_job_wrote_are_not_refused() -> None:
    counted = {FIRST: totals(5), SECOND: totals(1), None: totals(1000), THIRD: totals(7)}

    compare(counted, {FIRST: made(a=2, b=3), SECOND: made(a=1)})


@pytest.mark.parametrize(
    ("counted", "differing"),
    [
        ({FIRST: totals(5)}, f"{{'{SECOND}': (1, 0)}}"),
        ({FIRST: totals(5), SECOND: totals(2)}, f"{{'{SECOND}': (1, 2)}}"),
        ({FIRST: totals(10), SECOND: totals(1)}, f"{{'{FIRST}': (5, 10)}}"),
        ({FIRST: totals(4), SECOND: totals(2)}, f"{{'{FIRST}': (5, 4), '{SECOND}': (1, 2)}}"),
    ],
)
def test_rows_that_are_missing_or_there_twice_are_refused_day_by_day(
    counted: Mapping[str | None, Totals], differing: str
) -> None:
    with pytest.raises(LoadRefused) as raised:
        compare({None: totals(6)} | dict(counted), {FIRST: made(a=2, b=3), SECOND: made(a=1)})

    assert str(raised.value).startswith(
        "expected as many rows in shipments_normalized as the job wrote, and Athena counts others, "
        f"by day: {differing}"
    )
    assert "Materialize shipments_normalized for these days again" in str(raised.value)


def test_the_figures_of_a_day_are_told_with_those_of_all_days_and_their_query() -> None:
    found = {FIRST: totals(1234, "1234567.895", "50.55", "2500"), None: totals(2000, "2e7", "1", "0.001")}

    assert figures(found, [FIRST], answer_of([])) == [
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

    lines = figures(found | {None: totals(1)}, every, answer_of([]))

    assert lines[:DAYS_TOLD] == [f"{day}: {found[day]}" for day in every[:31]]
    assert lines[DAYS_TOLD:-4] == more
    assert lines[-4].startswith("All days:")


def test_totals_are_plotted_under_their_names() -> None:
    assert numbers("all_days_", totals(2, "1.5", "2.5", "3.125")) == {
        "all_days_shipments": 2,
        "all_days_total_cost": 1.5,
        "all_days_total_distance": 2.5,
        "all_days_total_quantity": 3.125,
    }


@pytest.mark.parametrize(
    ("typed", "rows", "after"),
    [
        (RowCount(10, 8, 2), 8, RowCount(10, 8, 2, 0)),
        (RowCount(10, 8, 2), 5, RowCount(10, 5, 5, 3)),
        (RowCount(10, 8, 2), 0, RowCount(10, 0, 10, 8)),
        (RowCount(3, 0, 3), 0, RowCount(3, 0, 3, 0)),
    ],
)
def test_rows_that_a_newer_one_replaces_are_counted_as_repeated(
    typed: RowCount, rows: int, after: RowCount
) -> None:
    assert kept(typed, rows) == after
    assert after.read == after.loaded + after.rejected
