"""The demonstration counts what landed by itself, and fails over any day that the warehouse has otherwise."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from airline_platform.errors import AirlineError
from command.demo.new_york import write_flights
from command.demo.run import Day, count_landed, require_what_landed

FIRST, SECOND = date(2013, 1, 1), date(2013, 1, 2)
LANDED = {FIRST: Day(842, 9_678, 838), SECOND: Day(943, 13_000, 935)}


@pytest.mark.parametrize("layout", ["partitioned", "flat"])
def test_a_day_is_counted_from_its_file_in_either_layout(tmp_path: Path, layout: str) -> None:
    write_flights(tmp_path, [FIRST, SECOND], layout=layout)

    counted = count_landed(tmp_path, FIRST)

    assert counted == Day(rows=842, delay=9_678, departed=838)
    assert counted.average_delay == pytest.approx(11.549, abs=0.001)


def test_a_day_without_a_departure_has_no_average_delay() -> None:
    assert Day(3, 0, 0).average_delay is None


def test_what_landed_and_is_loaded_passes(capsys: pytest.CaptureFixture[str]) -> None:
    require_what_landed(dict(LANDED), LANDED)

    assert "2 days, 1,785 rows" in capsys.readouterr().out


@pytest.mark.parametrize(
    "loaded",
    [{FIRST: LANDED[FIRST]}, {**LANDED, SECOND: replace(LANDED[SECOND], delay=13_001)}],
    ids=["missing", "a minute more"],
)
def test_a_day_that_is_missing_or_differs_by_a_minute_is_named(loaded: dict[date, Day]) -> None:
    with pytest.raises(AirlineError, match="does not hold what landed:\n2013-01-02: ") as failed:
        require_what_landed(loaded, LANDED)

    assert "2013-01-01" not in failed.value.args[0]
