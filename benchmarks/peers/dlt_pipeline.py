"""dlt takes the CSV files from its filesystem source to its PostgreSQL destination. Reads its `Task`.

As fast as its documentation knows how with psycopg2: Arrow tables, written as CSV, taken by COPY.
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dlt
import pyarrow as pa
from dlt.sources.filesystem import filesystem
from pyarrow import csv

from benchmarks.peers.task import Task, downloaded

NAMES = ["carrier", "origin_airport_id", "dest_airport_id", "dep_delay", "arr_delay"]
TYPES = {name: pa.string() if name == "carrier" else pa.int64() for name in NAMES}


def both_ends(airports: pa.Table) -> dict[str, pa.Table]:
    """The airports as they are joined to a flight's departure and arrival."""
    return {
        key: airports.select(["airport_id", "name", "city", "state"]).rename_columns(
            [key, f"{prefix}_airport", f"{prefix}_city", f"{prefix}_state"]
        )
        for key, prefix in (("origin_airport_id", "dep"), ("dest_airport_id", "arr"))
    }


def read_day(file: Any, ends: dict[str, pa.Table]) -> pa.Table:
    """The flights of a file, with its day and both airports."""
    read = csv.ReadOptions(column_names=NAMES, skip_rows=1)
    with file.open() as lines:
        flights = csv.read_csv(lines, read, convert_options=csv.ConvertOptions(column_types=TYPES))
    for key, named in ends.items():
        flights = flights.join(named, key, join_type="left outer")
    day = file["relative_path"].split("/")[-2].removeprefix("date=")
    return flights.append_column("flight_date", pa.array([day] * len(flights)).cast(pa.date32()))


def main(task: Task) -> None:
    """Create the table and fill it."""
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with downloaded(task) as folder, TemporaryDirectory() as state:
        ends = both_ends(csv.read_csv(Path(folder) / task.airports))

        def joined(files: Iterable[Any]) -> Iterator[pa.Table]:
            for file in files:
                yield read_day(file, ends)

        pipeline = dlt.pipeline(
            "flights",
            pipelines_dir=state,
            dataset_name=task.schema,
            destination=dlt.destinations.postgres(f"postgresql:{task.dsn}"),
        )
        days = filesystem(folder, file_glob="daily_flights/*/*.csv")
        table = days | dlt.transformer(joined, name=task.table)
        pipeline.run(table, loader_file_format="csv").raise_on_failed_jobs()


if __name__ == "__main__":
    main(Task.read())
