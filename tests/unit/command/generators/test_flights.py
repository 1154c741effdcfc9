"""Generated flights are as late as New York's were."""

from typing import Any

from airline_platform.feeds.flights import FLIGHTS


def test_flights_are_seldom_cancelled_or_diverted_and_mostly_early(clean: dict[str, Any]) -> None:
    rows = [row for day in clean["flights"].days for row in clean["flights"].read(FLIGHTS, day)]
    cancelled = [row for row in rows if row["DepDelay"] == ""]
    diverted = [row for row in rows if row["DepDelay"] and row["ArrDelay"] == ""]
    delays = sorted(int(row["DepDelay"]) for row in rows if row["DepDelay"])

    assert {row["ArrDelay"] for row in cancelled} == {""}
    assert 0.01 < len(cancelled) / len(rows) < 0.05
    assert 0.002 < len(diverted) / len(rows) < 0.006
    assert -4 <= delays[len(delays) // 2] <= 0
    assert 40 < delays[len(delays) * 9 // 10] < 60
