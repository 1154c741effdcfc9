"""A day is judged at its limits, and what was found is told in words."""

import re
from decimal import Decimal

import pytest

from airline_platform.contract.check import NO_HISTORY, Between, Equal, Finding, Share
from airline_platform.contract.declaration import DeclarationError

DAY = "2013-01-29"


@pytest.mark.parametrize(
    ("part", "rows", "passed"), [(0, 0, True), (2, 100, True), (3, 100, False), (201, 10_000, False)]
)
def test_a_share_is_fine_up_to_its_limit(part: int, rows: int, passed: bool) -> None:
    assert Share("x", 0.02).judge(DAY, part, rows).passed is passed


@pytest.mark.parametrize(("rows", "passed"), [(49, False), (50, True), (240, True), (241, False)])
def test_a_number_of_rows_may_be_at_its_bounds(rows: int, passed: bool) -> None:
    finding = Between("for a reason").judge(DAY, rows, (50, 240))

    assert (finding.passed, finding.measured) == (passed, rows)
    assert finding.sentence == f"found {rows} rows, expected 50 to 240 (for a reason)"


def test_a_bound_between_two_numbers_is_told_as_the_nearest_one_inside() -> None:
    finding = Between("so").judge(DAY, 1, (50.5, 2001.5))

    assert finding.expected == "51 to 2,001 (so)"


def test_what_has_no_history_passes_and_says_so() -> None:
    finding = Between("so").judge(DAY, 7, None)

    assert finding.passed
    assert finding.sentence == f"found 7 rows, expected {NO_HISTORY}"


def test_figures_that_differ_are_told_and_no_others() -> None:
    finding = Equal.judge(
        DAY, {"flights": 12, "fares": Decimal("1.5")}, {"flights": 10, "fares": Decimal("1.50")}
    )

    assert (finding.passed, finding.measured) == (False, 1)
    assert finding.sentence == "found flights 12, expected flights 10"


def test_a_figure_that_one_side_lacks_is_nought_there() -> None:
    assert Equal.judge(DAY, {}, {"fares EUR": 3}).sentence == "found fares EUR 0, expected fares EUR 3"
    assert Equal.judge(DAY, {"fares EUR": 3}, {}).sentence == "found fares EUR 3, expected fares EUR 0"
    assert Equal.judge(DAY, {"fares EUR": 0}, {}).passed


def test_findings_are_told_by_day() -> None:
    assert (
        str(Finding(DAY, passed=True, measured=1, found="a", expected="b")) == f"{DAY}: found a, expected b"
    )
    assert str(Finding("", passed=True, measured=1, found="a", expected="b")) == "found a, expected b"


@pytest.mark.parametrize("share", [-0.01, 1.01, 2])
def test_a_share_that_is_none_is_refused_where_it_is_declared(share: float) -> None:
    with pytest.raises(DeclarationError) as raised:
        Share("have no delay", share)

    assert re.fullmatch(
        rf"\S*test_check[.]py:\d+: the share of rows that have no delay is {share!r}; expected 0 to 1",
        str(raised.value),
    )
