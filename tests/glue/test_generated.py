"""Jobs under real Spark take generated files, and reject as many dirty rows as were announced."""

import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame

from airline_platform.contract.feed import Feed
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from command.generators.files import Order, generate_files, recipe_of, summary
from laptop.spark.pool import SHIM_FOLDER

# Glue has its own library; a laptop's worker puts the stand-in on the path just like this.
sys.path.extend([str(SHIM_FOLDER), str(Path(__file__).parent)])
from spark_lake import Lake

from glue_jobs import bookings_job, flights_job

# PySpark leaves the socket of every collect to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")

FIRST, LAST = date(2013, 1, 5), date(2013, 1, 6)
ROWS = 2_000
PROGRAMS = [(BOOKINGS, bookings_job.transform, ["a secret"]), (FLIGHTS, flights_job.transform, [])]


def land(lake: Lake, feed: Feed, out: Path, *, dirty: bool) -> list[dict]:
    """Generate and land; give the entries of the manifest."""
    order = Order(feed.name, FIRST, LAST, out, rows=ROWS, dirty=dirty)
    generate_files(order, lambda _: None)
    files = sorted(out.rglob("*.csv"))
    return [lake.land(file.relative_to(out).as_posix(), file.read_bytes()) for file in files]


@pytest.mark.parametrize(("feed", "transform", "passed"), PROGRAMS, ids=["bookings", "flights"])
def test_the_job_loads_every_row_of_a_clean_file(
    new_lake: Callable[..., Lake],
    feed: Feed,
    transform: Callable[..., DataFrame],
    passed: list,
    tmp_path: Path,
) -> None:
    lake = new_lake(feed, transform)

    counts = lake.run(*land(lake, feed, tmp_path, dirty=False), passed=passed)

    assert list(counts.values()) == [(ROWS, ROWS, 0)] * 2


@pytest.mark.parametrize(("feed", "transform", "passed"), PROGRAMS, ids=["bookings", "flights"])
def test_the_job_rejects_the_dirty_rows_that_were_announced_and_loads_all_others(
    new_lake: Callable[..., Lake],
    feed: Feed,
    transform: Callable[..., DataFrame],
    passed: list,
    tmp_path: Path,
) -> None:
    lake = new_lake(feed, transform)
    entries = land(lake, feed, tmp_path / "landed", dirty=True)
    announced = {
        feed.key(f"{feed.name}.csv", day): summary(order, generate_files(order, lambda _: None).values())
        for day in (FIRST, LAST)
        for order in [Order(feed.name, day, day, tmp_path / "again", rows=ROWS, dirty=True)]
    }

    counts = lake.run(*entries, passed=passed)

    assert counts == {
        key: (ROWS, ROWS - told["rejected"], told["rejected"]) for key, told in announced.items()
    }
    assert {dirt["kind"] for told in announced.values() for dirt in told["dirty"] if dirt["rows"]} == {
        dirt.kind for dirt in recipe_of(feed).dirt
    }
