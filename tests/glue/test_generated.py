"""Jobs under real Spark take generated files, and reject as many dirty rows as were announced."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from spark_lake import Lake

from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from command.generators.files import Order, generate_files, recipe_of, summary

# PySpark leaves the socket of every collect to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

CLEAN, DIRTY = (date(2013, 1, 5), date(2013, 1, 6)), (date(2013, 1, 7), date(2013, 1, 8))
ROWS = 2_000
FEEDS = {
    BOOKINGS.name: (BOOKINGS, "a secret"),
    FLIGHTS.name: (FLIGHTS, ""),
}

Counts = dict[str, tuple[int, int, int]]


@pytest.fixture(scope="module")
def counted(new_lake: Callable[..., Lake], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Counts]:
    """What each feed's job counts of two clean and two dirty days, in one run."""
    found = {}
    for feed, secret in FEEDS.values():
        out = tmp_path_factory.mktemp(feed.name)
        for days, dirty in ((CLEAN, False), (DIRTY, True)):
            generate_files(Order(feed.name, *days, out, rows=ROWS, dirty=dirty), lambda _: None)
        lake = new_lake(feed)
        files = sorted(out.rglob("*.csv"))
        entries = [lake.land(file.relative_to(out).as_posix(), file.read_bytes()) for file in files]
        found[feed.name] = lake.run(*entries, secret=secret)
    return found


@pytest.mark.parametrize("name", FEEDS)
def test_the_job_loads_every_row_of_a_clean_file(counted: dict[str, Counts], name: str) -> None:
    feed, _ = FEEDS[name]

    assert [counted[name][feed.key(f"{name}.csv", day)] for day in CLEAN] == [(ROWS, ROWS, 0)] * 2


@pytest.mark.parametrize("name", FEEDS)
def test_the_job_rejects_the_dirty_rows_that_were_announced_and_loads_all_others(
    counted: dict[str, Counts], name: str, tmp_path: Path
) -> None:
    feed, _ = FEEDS[name]
    announced = {
        feed.key(f"{name}.csv", day): summary(order, generate_files(order, lambda _: None).values())
        for day in DIRTY
        for order in [Order(name, day, day, tmp_path, rows=ROWS, dirty=True)]
    }

    assert {key: counted[name][key] for key in announced} == {
        key: (ROWS, ROWS - told["rejected"], told["rejected"]) for key, told in announced.items()
    }
    assert {dirt["kind"] for told in announced.values() for dirt in told["dirty"] if dirt["rows"]} == {
        dirt.kind for dirt in recipe_of(feed).dirt
    }
