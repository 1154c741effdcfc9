"""What was refused or rejected is shown, and run again after the rules have changed."""

from typing import TYPE_CHECKING

import pytest

from airline_platform.feeds.flights import FLIGHTS
from resources.warehouse.resource import Warehouse

if TYPE_CHECKING:
    from conftest import Laptop

DAY = "2015-03-03"
GOOD, BAD, PARTLY = (f"daily_flights/date={DAY}/{name}.csv" for name in ("good", "bad", "partly"))
AIRPORTS = "airport_codes/one_bad_line.csv"
ROW = "B6,12478,12892,4,5"

pytestmark = pytest.mark.usefixtures("airports")


def text_of(rows: int, *others: str) -> str:
    return "\n".join([FLIGHTS.header, *[ROW] * rows, *others, ""])


def forget_verdict(stack: "Laptop", key: str, why: str) -> None:
    """Have a file refused, as by the rules of an older version, and its rows not loaded."""
    with Warehouse.of(stack.settings).transaction() as session:
        session.execute(
            "UPDATE airlines.ingested_files SET state = 'rejected', reason = %(why)s, rows_read = NULL, "
            "rows_loaded = NULL, rows_rejected = NULL WHERE key = %(key)s",
            {"key": key, "why": why},
        )
        session.execute(
            "DELETE FROM airlines.daily_flights_processed WHERE flight_date = %(day)s", {"day": DAY}
        )


def test_rejects_are_shown_and_a_replay_loads_what_older_rules_have_refused(stack: "Laptop") -> None:
    stack.put(GOOD, text_of(40))
    stack.wait()
    with stack.nobody_listening():
        stack.put(PARTLY, text_of(60, "B6,12478,nowhere,4,5"))
        stack.put(BAD, "Carrier;Origin\n1;2\n")
    stack.wait()

    shown = stack.json("rejects", "flights", "--date", DAY)
    assert [(row["file"], row["line"], row["text"]) for row in shown] == [
        (BAD, None, None),
        (PARTLY, 62, "B6,12478,nowhere,4,5"),
    ]

    forget_verdict(stack, GOOD, "an older rule")
    replayed = stack.json("replay", "flights", "--date", DAY, "--wait")

    states = {
        file["file"]: [(file[when]["state"], file[when]["rows_loaded"]) for when in ("before", "after")]
        for file in replayed["files"]
    }
    assert states == {
        BAD: [("rejected", None), ("rejected", None)],
        GOOD: [("rejected", None), ("loaded", 40)],
        PARTLY: [("loaded", 60), ("loaded", 60)],
    }
    (row,) = stack.query(
        f"SELECT COUNT(*) AS flights FROM airlines.daily_flights_processed WHERE flight_date = '{DAY}'"
    )
    assert row["flights"] == 100
    assert stack.json("rejects", "flights", "--date", DAY) == shown


def test_a_day_of_which_every_file_is_refused_again_is_told_and_fails(stack: "Laptop") -> None:
    day = "2015-03-04"
    stack.put(f"daily_flights/date={day}/bad.csv", "Carrier;Origin\n1;2\n")
    stack.wait()

    done = stack.run("replay", "flights", "--date", day, "--wait", check=False)

    assert done.returncode == 1
    assert "rejected" in done.stdout
    assert f"flights {day}: run " in done.stderr
    assert "ended with FAILURE" in done.stderr


def test_airports_are_replayed_without_a_day(stack: "Laptop") -> None:
    lines = [f"{990_000 + n},Nowhere,XX,Nowhere {n}" for n in range(30)]
    stack.put(AIRPORTS, "\n".join(["airport_id,city,state,name", *lines, "x,Nowhere,XX,Nowhere", ""]))
    stack.wait()

    (shown,) = [row for row in stack.json("rejects", "airports") if row["file"] == AIRPORTS]
    assert (shown["file"], shown["line"], shown["day"]) == (AIRPORTS, 32, None)
    replayed = stack.json("replay", "airports", "--wait")["files"]
    (file,) = [file for file in replayed if file["file"] == AIRPORTS]
    assert file["before"] == file["after"] | {"reason": None}
    assert (file["after"]["state"], file["after"]["rows_rejected"]) == ("loaded", 1)
