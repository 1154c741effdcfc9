"""Everything is killed at once, in the middle of the way; the next start finishes what was under way."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psutil
import pytest

from airline_platform.demo_data import write_airports
from airline_platform.local import stack as laptop

DAY = date(2013, 3, 1)


@pytest.fixture
def own_stack(new_laptop: Callable[[Path], Any], tmp_path: Path) -> Iterator[Any]:
    mine = new_laptop(tmp_path / "home")
    try:
        yield mine
    finally:
        mine.run("down")


def test_what_had_landed_is_loaded_once_after_a_kill_of_everything(own_stack, flights, tmp_path: Path):
    write_airports(tmp_path / "airports")
    folder, count = flights(DAY)
    own_stack.land(tmp_path / "airports", folder)
    for component in laptop.components(own_stack.settings):
        psutil.Process(component.pid).kill()

    own_stack.run("up", "--detach", "--port", "0")
    accounts = own_stack.wait()

    assert [each["state"] for each in accounts] == ["loaded", "loaded"]
    assert own_stack.query("SELECT COUNT(*) AS rows FROM airlines.daily_flights_processed") == [
        {"rows": count}
    ]
    assert own_stack.query("SELECT COUNT(*) AS rows FROM airlines.dim_airport_codes") == [{"rows": 107}]
