"""Which of a run's units make its job fail: found by halving, while everything else is done.

A unit is whatever can be done apart from the others: a day of a Glue job or of a load, a file of a day.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

Unit = TypeVar("Unit")
Result = TypeVar("Result")

Cause = Literal["input", "machinery", "death"]
"""What may have made a job fail: what it was given; what it runs on; or its process ended without a word."""

DEATHS = 3
"""How often in a row the process has to die over one unit alone until the unit is what killed it."""


@dataclass(frozen=True)
class Culprit(Generic[Unit]):
    """A unit over which the job fails also when nothing else is given to it, and how it fails."""

    unit: Unit
    error: Exception


@dataclass(frozen=True)
class Isolated(Generic[Unit, Result]):
    """What became of units.

    Args:
        done: What the job has returned, with the units it was for; each unit is in one of them or a culprit.
        culprits: The units that can't be done.
    """

    done: list[tuple[Sequence[Unit], Result]]
    culprits: list[Culprit[Unit]]


def isolate(
    units: Sequence[Unit],
    run: Callable[[Sequence[Unit]], Result],
    *,
    cause_of: Callable[[Exception], Cause],
    control: Callable[[], object] = lambda: None,
    failing: bool = False,
) -> Isolated[Unit, Result]:
    """Do all units that can be done, and find the others.

    The job runs over all units. Where that fails, and the input may be why, it runs over halves, and so on,
    until the culprit stands alone: at most 2·log2(n) more jobs for one culprit among n units. What was done
    is not done again.

    A culprit is believed when some job has succeeded after it failed; else the platform may have failed
    meanwhile, or always have. Where no job has, the control has to.

    Args:
        units: At least one.
        run: Does units, all or none of them, and returns what came of it.
        cause_of: Tells an input's failure from the machinery's.
        control: Does a job that needs no input, and raises where that fails.
        failing: Whether the units are known to fail together.

    Raises:
        Exception: The machinery failed, or the control did: the job's own error. What was done stays done.
    """
    search = _Search(run, cause_of, control)
    search.over(units, failing=failing)
    search.believe()
    return Isolated(search.done, search.culprits)


class _Search(Generic[Unit, Result]):
    def __init__(
        self,
        run: Callable[[Sequence[Unit]], Result],
        cause_of: Callable[[Exception], Cause],
        control: Callable[[], object],
    ) -> None:
        self._run = run
        self._cause_of = cause_of
        self._control = control
        self._unbelieved: list[Culprit[Unit]] = []
        self.done: list[tuple[Sequence[Unit], Result]] = []
        self.culprits: list[Culprit[Unit]] = []

    def over(self, units: Sequence[Unit], *, failing: bool = False) -> None:
        """Do what can be done of the units."""
        if len(units) == 1:
            self._alone(units)
            return
        cause = "input" if failing else self._try(units)
        if cause is None:
            return
        known, middle = len(self.culprits), len(units) // 2
        self.over(units[:middle])
        # What fails together and has no culprit in its first half has one in its second.
        self.over(units[middle:], failing=cause == "input" and len(self.culprits) == known)

    def _alone(self, units: Sequence[Unit]) -> None:
        for _ in range(DEATHS):
            cause = self._try(units)
            if cause != "death":
                break
        if cause is not None:
            self.culprits.append(Culprit(units[0], self._error))
            self._unbelieved.append(self.culprits[-1])
            if not self.done and len(self.culprits) == 1:
                self.believe()  # before all the others fail for the same reason

    def _try(self, units: Sequence[Unit]) -> Cause | None:
        """Run the job; return what may have made it fail, or None where it has succeeded."""
        try:
            self.done.append((units, self._run(units)))
        except Exception as error:
            cause = self._cause_of(error)
            if cause == "machinery":
                raise
            self._error = error
            return cause
        self._unbelieved.clear()
        return None

    def believe(self) -> None:
        """See that the platform works after the culprits have failed.

        Raises:
            Exception: It does not; the error of the first of them.
        """
        if self._unbelieved:
            try:
                self._control()
            except Exception as broken:
                raise self._unbelieved[0].error from broken
            self._unbelieved.clear()
