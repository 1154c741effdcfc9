"""What there is to tell about the delays of days: asked of the warehouse and the rejects, by day."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from assets.marts.thresholds import DELAYED_MINUTES
from assets.report.location import REPORTED
from assets.report.pictures import BIN_MINUTES, FIRST_BIN, LAST_BIN, days_up_to
from resources.catalog import rejects_prefix
from resources.lake import Lake
from resources.warehouse import ledger
from resources.warehouse.session import Session

Row = dict[str, Any]

FIGURES = """
SELECT
    flight_date AS day,
    COUNT(*) AS flights,
    COUNT(CASE WHEN dep_delay IS NULL AND arr_delay IS NULL THEN 1 END) AS cancelled,
    COUNT(CASE WHEN dep_delay IS NOT NULL AND arr_delay IS NULL THEN 1 END) AS diverted,
    COUNT(CASE WHEN arr_delay >= %(delayed)s THEN 1 END) AS delayed_flights,
    ROUND(AVG(CAST(dep_delay AS DECIMAL(18, 6))), 3) AS mean_dep_delay,
    ROUND(AVG(CAST(arr_delay AS DECIMAL(18, 6))), 3) AS mean_arr_delay
FROM airlines.daily_flights_processed
WHERE flight_date IN %(days)s
GROUP BY flight_date
"""
BINNED = """
SELECT day, side, bin, COUNT(*) AS flights
FROM (
    SELECT
        flight_date AS day,
        'departures' AS side,
        (LEAST(GREATEST(dep_delay, %(earliest)s), %(latest)s) - %(earliest)s) / %(width)s AS bin
    FROM airlines.daily_flights_processed
    WHERE flight_date IN %(days)s AND dep_delay IS NOT NULL
    UNION ALL
    SELECT
        flight_date AS day,
        'arrivals' AS side,
        (LEAST(GREATEST(arr_delay, %(earliest)s), %(latest)s) - %(earliest)s) / %(width)s AS bin
    FROM airlines.daily_flights_processed
    WHERE flight_date IN %(days)s AND arr_delay IS NOT NULL
) AS binned
GROUP BY day, side, bin
"""
HISTORY = """
SELECT
    flight_date AS day,
    SUM(flights) AS flights,
    CAST(SUM(total_dep_delay) AS DECIMAL(18, 6)) / NULLIF(SUM(flights - cancelled), 0) AS mean_dep_delay
FROM airlines.carrier_daily_delays
WHERE flight_date BETWEEN %(first)s AND %(last)s
GROUP BY flight_date
"""
CARRIERS = """
SELECT
    flight_date AS day, carrier, flights, cancelled, diverted, delayed_flights, avg_dep_delay, avg_arr_delay
FROM airlines.carrier_daily_delays
WHERE flight_date IN %(days)s
ORDER BY flight_date, flights DESC, carrier
"""
WORST_ROUTES = """
SELECT * FROM (
    SELECT
        flight_date AS day,
        origin_airport_id,
        dest_airport_id,
        dep_airport,
        arr_airport,
        flights,
        cancelled,
        delayed_flights,
        avg_dep_delay,
        ROW_NUMBER() OVER (
            PARTITION BY flight_date ORDER BY avg_dep_delay DESC, origin_airport_id, dest_airport_id
        ) AS place
    FROM airlines.route_daily_delays
    WHERE flight_date IN %(days)s AND flights - cancelled >= %(least)s AND avg_dep_delay IS NOT NULL
) AS ranked
WHERE place <= %(most)s
ORDER BY day, place
"""
WORST_AIRPORTS = """
SELECT * FROM (
    SELECT
        flight_date AS day,
        airport_id,
        airport,
        city,
        departures,
        cancelled_departures,
        delayed_departures,
        avg_dep_delay,
        ROW_NUMBER() OVER (PARTITION BY flight_date ORDER BY avg_dep_delay DESC, airport_id) AS place
    FROM airlines.airport_daily_delays
    WHERE flight_date IN %(days)s AND departures - cancelled_departures >= %(least)s
        AND avg_dep_delay IS NOT NULL
) AS ranked
WHERE place <= %(most)s
ORDER BY day, place
"""
LONGEST = """
SELECT * FROM (
    SELECT
        flight_date AS day,
        carrier,
        origin_airport_id,
        dest_airport_id,
        dep_airport,
        arr_airport,
        dep_delay,
        arr_delay,
        ROW_NUMBER() OVER (
            PARTITION BY flight_date
            ORDER BY dep_delay DESC, carrier, origin_airport_id, dest_airport_id, arr_delay
        ) AS place
    FROM airlines.long_delays
    WHERE flight_date IN %(days)s
) AS ranked
WHERE place <= %(most)s
ORDER BY day, place
"""

QUERIES = (FIGURES, BINNED, HISTORY, CARRIERS, WORST_ROUTES, WORST_AIRPORTS, LONGEST)
"""All that a report asks the warehouse."""

WORST = 10
"""Rows of a table of the worst."""

LEAST_FLIGHTS = 5
"""Flights that have to have departed, so that a mean is one: routes and airports with fewer are left out."""

REJECTS_READ = 2000
"""Most rejected rows of a day that are read to count their reasons."""

FLIGHT_COUNTS = ("flights", "cancelled", "diverted", "delayed_flights")
MEANS = ("mean_dep_delay", "mean_arr_delay")

_QUOTED = re.compile(r"(\w+) is '.*'; expected (.*)", re.DOTALL)


@dataclass(frozen=True)
class Day:
    """What there is to tell of one day.

    Args:
        day: ISO.
        figures: `FLIGHT_COUNTS` and `MEANS`, in minutes, None where no flight has one; empty: no flight.
        departures: Flights by the minute the bin of their departure delay begins at.
        arrivals: Likewise, of arrival delays.
        history: `flights` and `mean_dep_delay` of the days up to this one, by ISO day.
        carriers: All of the day, those with the most flights first.
        routes: The worst ones by mean departure delay, of those with `LEAST_FLIGHTS` departed flights.
        airports: Likewise.
        longest: The flights that departed latest.
        files: Of the ledger, in the order of their keys.
        reasons: Rejected rows by kind of reason; of a day with many, of the first ones.
    """

    day: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    departures: Mapping[int, int] = field(default_factory=dict)
    arrivals: Mapping[int, int] = field(default_factory=dict)
    history: Mapping[str, Row] = field(default_factory=dict)
    carriers: Sequence[Row] = ()
    routes: Sequence[Row] = ()
    airports: Sequence[Row] = ()
    longest: Sequence[Row] = ()
    files: Sequence[ledger.Verdict] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)

    @property
    def rows_rejected(self) -> int:
        """Rejected rows of the files whose other rows were loaded."""
        return sum(file.rows_rejected or 0 for file in self.files if file.state == "loaded")

    @property
    def delayed_percent(self) -> float | None:
        """Delayed flights in percent of the scheduled ones, 0 to 100; None where there are none."""
        if not self.figures:
            return None
        return round(100 * self.figures["delayed_flights"] / self.figures["flights"], 1)

    @property
    def numbers(self) -> dict[str, int | float]:
        """Figures as Dagster plots them; what the day has none of is left out."""
        counts = {name: int(self.figures.get(name, 0)) for name in FLIGHT_COUNTS}
        means = {name: self.figures.get(name) for name in MEANS} | {"delayed_percent": self.delayed_percent}
        known = {name: float(value) for name, value in means.items() if value is not None}
        return {**counts, **known, "rows_rejected": self.rows_rejected}


def days_of_delays(session: Session, lake: Lake, days: Sequence[str]) -> list[Day]:
    """Ask what there is to tell of days, with one query of a kind for all of them.

    Args:
        session: A transaction; nothing is changed in it.
        lake: Where the rejects are.
        days: ISO days, one at least, ascending.
    """
    asked = _bound(days)
    figures = {str(row["day"]): row for row in session.execute(FIGURES, asked)}
    binned = _by_day(session.execute(BINNED, asked))
    history = {str(row["day"]): row for row in session.execute(HISTORY, asked)}
    carriers, routes, airports, longest = (
        _by_day(session.execute(query, asked)) for query in (CARRIERS, WORST_ROUTES, WORST_AIRPORTS, LONGEST)
    )
    files: dict[str | None, list[ledger.Verdict]] = {}
    for file in ledger.of_days(session, REPORTED.name, days):
        files.setdefault(file.day, []).append(file)
    return [
        Day(
            day,
            figures=figures.get(day, {}),
            departures=_side(binned.get(day, ()), "departures"),
            arrivals=_side(binned.get(day, ()), "arrivals"),
            history={each: history[each] for each in days_up_to(day) if each in history},
            carriers=carriers.get(day, ()),
            routes=routes.get(day, ()),
            airports=airports.get(day, ()),
            longest=longest.get(day, ()),
            files=files.get(day, ()),
            reasons=reasons_of(lake, day) if any(map(_has_rejects, files.get(day, ()))) else {},
        )
        for day in days
    ]


def _bound(days: Sequence[str]) -> dict[str, Any]:
    """Bind what the queries may ask for."""
    return {
        "days": tuple(days),
        "delayed": DELAYED_MINUTES,
        "least": LEAST_FLIGHTS,
        "most": WORST,
        "earliest": FIRST_BIN,
        "latest": LAST_BIN + BIN_MINUTES - 1,
        "width": BIN_MINUTES,
        "first": days_up_to(days[0])[0],
        "last": days[-1],
    }


def reasons_of(lake: Lake, day: str) -> dict[str, int]:
    """Count the rejected rows of a day by kind of reason, of the first `REJECTS_READ` at most."""
    prefix = f"{rejects_prefix(REPORTED)}date={date.fromisoformat(day)}/"
    rows = lake.first_rows([prefix], REJECTS_READ, where=lambda _row: True)
    return dict(Counter(kind_of(row["reject_reason"]) for row in rows))


def kind_of(reason: str) -> str:
    """Return a reason without the value it quotes: which column, and what was expected of it."""
    quoted = _QUOTED.fullmatch(reason)
    return f"{quoted[1]}: expected {quoted[2]}" if quoted else reason


def _has_rejects(file: ledger.Verdict) -> bool:
    return bool(file.rows_rejected) and file.state != "superseded"


def _by_day(rows: Iterable[Row]) -> dict[str, list[Row]]:
    by_day: dict[str, list[Row]] = {}
    for row in rows:
        by_day.setdefault(str(row["day"]), []).append(row)
    return by_day


def _side(rows: Iterable[Row], side: str) -> dict[int, int]:
    """Flights by the minute their bin begins at."""
    return {
        FIRST_BIN + BIN_MINUTES * int(row["bin"]): int(row["flights"]) for row in rows if row["side"] == side
    }
