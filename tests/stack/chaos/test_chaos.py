"""Whatever is killed, refused, held or lost, and wherever: what landed is loaded once and told once."""

from datetime import date, timedelta

import pytest
from chaos.laptop import ChaosLaptop
from chaos.oracle import Oracle
from chaos.scenarios import SCENARIOS, Scenario

from command.demo.new_york import FIRST_DAY


def day_of(scenario: Scenario) -> date:
    """A day of its own for each scenario, with none beside it that could become one range with it."""
    return FIRST_DAY + timedelta(days=2 * SCENARIOS.index(scenario))


@pytest.mark.timeout(600)
def test_what_landed_is_loaded_and_told_once_in_spite_of(
    scenario: Scenario, laptop: ChaosLaptop, oracle: Oracle, results
):
    day = day_of(scenario)
    with results.row(scenario) as ending:
        try:
            scenario.attack(laptop, day)
            ending.seconds = oracle.converge()
            ending.told = oracle.times_told(day)
            assert ending.told, "nothing of this day has landed"
        except BaseException:
            oracle.forgive()
            raise
