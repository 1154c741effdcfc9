"""Whoever is measured beside the platform must have made the same rows."""

import sys
from decimal import Decimal
from pathlib import Path

import pytest

from airline_platform.errors import AirlineError

# The benchmarks are no part of the distribution: they run where they stand.
sys.path.append(str(Path(__file__).parents[3]))
from benchmarks.agreement import require_agreement

MADE = {"flights": 600_000, "days": 30, "dep_delay": 7_300_123}


def test_the_same_rows_are_the_same_whatever_type_an_engine_sums_in():
    require_agreement({"ours": MADE | {"dep_delay": Decimal(7_300_123)}, "peer": MADE})


@pytest.mark.parametrize("column", MADE)
def test_other_rows_are_an_error_that_names_who_made_them(column):
    with pytest.raises(AirlineError, match="'quick': "):
        require_agreement({"ours": MADE, "quick": MADE | {column: MADE[column] - 1}})


def test_who_has_made_nothing_agrees_with_nobody():
    nothing = {"flights": 0, "days": 0, "dep_delay": None}

    with pytest.raises(AirlineError, match="the same rows"):
        require_agreement({"ours": nothing, "peer": nothing})
