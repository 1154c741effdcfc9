"""Culprits are found, everything else is done once, and nobody is blamed for the platform's failure."""

import math
from collections import Counter
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.isolation.halving import DEATHS, Cause, isolate


class PoisonError(Exception):
    """The job fails over a unit."""


class MachineError(Exception):
    """The job fails whatever it is given."""


class DeathError(Exception):
    """The job's process is gone."""


def cause_of(error: Exception) -> Cause:
    causes: dict[type[Exception], Cause] = {PoisonError: "input", DeathError: "death"}
    return causes.get(type(error), "machinery")


class Job:
    """A job that fails over poison, and counts what it has done.

    Args:
        poison: Units over which it fails.
        strikes: Called with the number of each run, from 1; may raise.
    """

    def __init__(self, poison: set[int], strikes: Callable[[int], None] = lambda _: None) -> None:
        self.poison = poison
        self.strikes = strikes
        self.runs = 0
        self.controls = 0
        self.done: Counter[int] = Counter()

    def run(self, units: Sequence[int]) -> list[int]:
        self.runs += 1
        self.strikes(self.runs)
        if found := self.poison & set(units):
            raise PoisonError(str(sorted(found)))
        self.done.update(units)
        return list(units)

    def control(self) -> None:
        self.controls += 1
        self.strikes(self.runs)


UNITS = st.integers(2, 60).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1))))
"""How many units, and which of them are poison."""


@given(UNITS)
def test_exactly_the_culprits_are_found_and_all_others_are_done_once(units: tuple[int, set[int]]) -> None:
    count, poison = units
    job = Job(poison)

    found = isolate(range(count), job.run, cause_of=cause_of, control=job.control)

    assert [culprit.unit for culprit in found.culprits] == sorted(poison)
    assert job.done == Counter(set(range(count)) - poison)
    assert sorted(unit for units, _ in found.done for unit in units) == sorted(set(range(count)) - poison)
    assert all(list(units) == result for units, result in found.done)
    assert job.runs <= 1 + 2 * len(poison) * math.ceil(math.log2(count))
    assert job.controls <= min(2, len(poison))


@given(
    st.integers(2, 40).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1), min_size=1)))
)
def test_what_is_known_to_fail_together_is_not_tried_together(units: tuple[int, set[int]]) -> None:
    count, poison = units
    job = Job(poison)

    found = isolate(range(count), job.run, cause_of=cause_of, control=job.control, failing=True)

    assert {culprit.unit for culprit in found.culprits} == poison
    assert job.runs <= 2 * len(poison) * math.ceil(math.log2(count))


def test_a_culprit_is_told_with_its_own_error() -> None:
    found = isolate(range(8), Job({2, 5}).run, cause_of=cause_of)

    assert {it.unit: str(it.error) for it in found.culprits} == {2: "[2]", 5: "[5]"}


def test_where_nothing_fails_one_job_is_all() -> None:
    job = Job(set())

    isolate(range(31), job.run, cause_of=cause_of, control=job.control)

    assert (job.runs, job.controls) == (1, 0)


def test_a_unit_that_came_alone_is_blamed_only_when_the_control_succeeds() -> None:
    job = Job({0})

    found = isolate([0], job.run, cause_of=cause_of, control=job.control)

    assert [culprit.unit for culprit in found.culprits] == [0]
    assert (job.runs, job.controls) == (1, 1)


def test_where_the_control_fails_too_the_jobs_own_error_is_raised_before_all_units_have_failed() -> None:
    job = Job(set(range(31)))

    def broken() -> None:
        raise MachineError

    with pytest.raises(PoisonError):
        isolate(range(31), job.run, cause_of=cause_of, control=broken)
    assert job.runs <= 6


def test_a_culprit_after_which_nothing_has_succeeded_needs_the_control() -> None:
    """The platform may have broken in between, with words nobody knows."""
    job = Job({7})

    def broken() -> None:
        raise MachineError

    with pytest.raises(PoisonError, match="7"):
        isolate(range(8), job.run, cause_of=cause_of, control=broken)
    assert job.done == Counter(range(7))


@given(st.integers(1, 30), st.sets(st.integers(0, 29), max_size=3), st.data())
def test_when_the_machinery_fails_midway_everything_ends_at_once(
    count: int, poison: set[int], data: st.DataObject
) -> None:
    whole = Job(poison & set(range(count)))
    isolate(range(count), whole.run, cause_of=cause_of, control=whole.control)
    at = data.draw(st.integers(1, whole.runs))

    def strike(run: int) -> None:
        if run >= at:
            raise MachineError

    job = Job(whole.poison, strike)

    with pytest.raises(MachineError):
        isolate(range(count), job.run, cause_of=cause_of)
    assert job.runs == at


@given(st.integers(1, 40), st.sets(st.integers(0, 39), max_size=2), st.integers(1, 15))
def test_a_process_that_is_killed_once_is_nobodys_fault(count: int, poison: set[int], at: int) -> None:
    def strike(run: int) -> None:
        if run == at:
            raise DeathError

    poison &= set(range(count))
    job = Job(poison, strike)

    found = isolate(range(count), job.run, cause_of=cause_of)

    assert {culprit.unit for culprit in found.culprits} == poison
    assert job.done == Counter(set(range(count)) - poison)


def test_a_unit_over_which_the_process_dies_every_time_is_the_culprit() -> None:
    runs: list[list[int]] = []

    def run(units: Sequence[int]) -> None:
        runs.append(list(units))
        if 3 in units:
            raise DeathError

    found = isolate(range(4), run, cause_of=cause_of)

    assert [culprit.unit for culprit in found.culprits] == [3]
    assert runs.count([3]) == DEATHS
