"""What a mart adds up to is compared with what its source adds up to, by queries that are not the mart's."""

from decimal import Decimal
from typing import Any

import pytest
import sqlglot

from assets.checks.outcomes import outcome_of
from assets.marts.declarations import MARTS
from assets.marts.declared.bookings_daily import BOOKINGS_DAILY
from assets.marts.declared.carrier_daily_delays import CARRIER_DAILY_DELAYS
from assets.marts.declared.carrier_on_time import CARRIER_ON_TIME
from assets.marts.mart import Mart
from assets.marts.replacement import bound
from assets.marts.sums import SUMS_MATCH, query_of_sums, sums_of_both
from resources.warehouse.session import to_postgres

DAY = "2013-01-29"


class Answers:
    """A session that answers one query after the other with given rows."""

    def __init__(self, *answers: list[dict[str, Any]]) -> None:
        self._answers = iter(answers)

    def execute(self, _sql: str, _parameters: object = None) -> list[dict[str, Any]]:
        return next(self._answers, [])


@pytest.mark.parametrize("mart", MARTS.values(), ids=list(MARTS))
def test_a_marts_sums_are_compared_with_a_query_of_its_source_alone(mart: Mart) -> None:
    theirs = sqlglot.parse_one(mart.sums.of_source, read="redshift")
    mine = sqlglot.parse_one(query_of_sums(mart), read="redshift")

    assert {f"{it.db}.{it.name}" for it in theirs.find_all(sqlglot.exp.Table)} == {mart.source.qualified_name}
    assert {f"{it.db}.{it.name}" for it in mine.find_all(sqlglot.exp.Table)} == {mart.table.qualified_name}
    assert {column for _, column in mart.sums.alike.values()} <= set(theirs.named_selects)
    assert set(mart.sums.alike) <= set(mine.named_selects)
    assert (
        ("day" in theirs.named_selects) == ("day" in mine.named_selects) == bool(mart.table.partition_column)
    )
    for sql in (mart.sums.of_source, query_of_sums(mart)):
        assert to_postgres(sql) % dict.fromkeys(bound([DAY]), "1")


def test_a_day_without_a_row_on_either_side_is_alike() -> None:
    sums = sums_of_both(Answers(), CARRIER_DAILY_DELAYS, [DAY])

    assert sums == {DAY: ({}, {})}
    assert not outcome_of(SUMS_MATCH, sums).failed


def test_sums_are_taken_apart_by_the_column_that_both_have() -> None:
    mine = [{"day": DAY, "currency": "EUR", "bookings": 2, "fares": Decimal("3.5")}]
    theirs = [*mine, {"day": DAY, "currency": "USD", "bookings": 1, "fares": None}]

    outcome = outcome_of(SUMS_MATCH, sums_of_both(Answers(mine, theirs), BOOKINGS_DAILY, [DAY]))

    assert [str(finding) for finding in outcome.failed] == [
        f"{DAY}: found bookings USD 0, expected bookings USD 1"
    ]


def test_a_mart_without_days_is_compared_as_a_whole() -> None:
    row = {"carriers": 2, "flights": 9, "cancelled": 1, "diverted": 0, "on_time_flights": 7, "on_time": 8}

    outcome = outcome_of(SUMS_MATCH, sums_of_both(Answers([row], [row]), CARRIER_ON_TIME))

    assert [str(finding) for finding in outcome.failed] == [
        "found on_time_flights 7, expected on_time_flights 8"
    ]
