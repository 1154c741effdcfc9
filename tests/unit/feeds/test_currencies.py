"""The currencies a fare may be in: today's, and those that were money when an old file was written."""

import re

import pytest

from airline_platform.feeds.currencies import CURRENCIES, WITHDRAWN

OF_2013 = ("HRK", "LTL", "LVL", "BGN", "VEF", "ANG", "ZWL", "MRO", "STD", "BYR", "CUC", "SLL")
WITHDRAWN_BEFORE = (
    "EEK",
    "SKK",
    "VEB",
    "ZWD",
    "BYB",
    "TRL",
    "ROL",
    "AZM",
    "GHC",
    "MZM",
    "SDD",
    "TMM",
    "ZMK",
    "DEM",
)


def test_no_code_is_there_twice_and_all_have_three_letters() -> None:
    every = (*CURRENCIES, *WITHDRAWN)

    assert len(set(every)) == len(every)
    assert [code for code in every if not re.fullmatch("[A-Z]{3}", code)] == []


@pytest.mark.parametrize("code", [*OF_2013, *WITHDRAWN_BEFORE])
def test_what_was_money_since_1990_is_known_and_not_among_todays(code: str) -> None:
    assert code in WITHDRAWN
    assert code not in CURRENCIES


@pytest.mark.parametrize("code", ["USD", "EUR", "TRY", "VED", "VES", "XCG", "ZWG"])
def test_what_is_money_today_is_not_among_the_withdrawn(code: str) -> None:
    assert code in CURRENCIES
    assert code not in WITHDRAWN


@pytest.mark.parametrize(
    "code", ["XAU", "X" * 3, "XTS", "CLF", "CHE", "ZAL", "BEC", "XFO", "BRC", "GWE", "DM"]
)
def test_metals_funds_tests_and_what_went_before_1990_are_no_currency_of_a_fare(code: str) -> None:
    assert code not in {*CURRENCIES, *WITHDRAWN}
