"""pandas reads and joins the CSV files, and writes the table with `to_sql`. Reads its `Task` from stdin."""

from pathlib import Path

import pandas as pd
from sqlalchemy import Date, create_engine

from benchmarks.peers.task import Task, downloaded

TYPES = {"DepDelay": "Int64", "ArrDelay": "Int64"}
"""With a missing value pandas would take them for decimal numbers."""

CHUNK = 10_000
COLUMNS = [
    *("flight_date", "carrier", "origin_airport_id", "dest_airport_id"),
    *("dep_airport", "arr_airport", "dep_city", "arr_city", "dep_state", "arr_state"),
    *("dep_delay", "arr_delay"),
]


def read_day(path: Path) -> pd.DataFrame:
    """The flights of a file, and its day."""
    day = pd.Timestamp(path.parent.name.removeprefix("date="))
    return pd.read_csv(path, dtype=TYPES).assign(flight_date=day)


def join_airports(flights: pd.DataFrame, airports: pd.DataFrame) -> pd.DataFrame:
    """The fact's columns."""
    for key, prefix in (("origin_airport_id", "dep"), ("dest_airport_id", "arr")):
        named = airports.rename(
            columns={
                "airport_id": key,
                "name": f"{prefix}_airport",
                "city": f"{prefix}_city",
                "state": f"{prefix}_state",
            }
        )
        flights = flights.merge(named, on=key, how="left")
    return flights[COLUMNS]


def main(task: Task) -> None:
    """Create the table and fill it."""
    with downloaded(task) as folder:
        days = [read_day(path) for path in sorted(Path(folder).glob("daily_flights/*/*.csv"))]
        airports = pd.read_csv(Path(folder) / task.airports)
    flights = pd.concat(days).rename(
        columns={
            "Carrier": "carrier",
            "OriginAirportID": "origin_airport_id",
            "DestAirportID": "dest_airport_id",
            "DepDelay": "dep_delay",
            "ArrDelay": "arr_delay",
        }
    )
    engine = create_engine(f"postgresql+psycopg2:{task.dsn}")
    join_airports(flights, airports).to_sql(
        task.table, engine, schema=task.schema, index=False, chunksize=CHUNK, dtype={"flight_date": Date()}
    )
    engine.dispose()


if __name__ == "__main__":
    main(Task.read())
