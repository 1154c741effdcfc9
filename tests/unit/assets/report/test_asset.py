"""The plots of a day are shown where people look anyway."""

import pytest

from assets.report.asset import FACT, observations
from assets.report.delays import Day
from assets.report.page import pictures_of

pytestmark = pytest.mark.usefixtures("no_stack")

DAY = "2013-01-07"
BUSY = Day(DAY, departures={-60: 1, 0: 5000}, arrivals={0: 4987})


def test_the_plots_are_shown_on_the_fact_and_the_month_once_on_the_carriers() -> None:
    plots = pictures_of(BUSY)
    older, newest = (list(observations(BUSY, plots, newest=newest)) for newest in (False, True))

    assert [(it.asset_key.path[-1], it.partition, sorted(it.metadata)) for it in newest] == [
        (FACT, DAY, ["delays", "rejects", "report"]),
        ("carrier_daily_delays", DAY, ["last_30_days"]),
    ]
    assert older == newest[:1]
    assert newest[0].metadata["delays"].value.startswith("![How late 5,001 flights departed and 4,987 arr")
