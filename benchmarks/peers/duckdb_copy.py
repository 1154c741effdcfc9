"""DuckDB reads and joins the CSV files; PostgreSQL takes the result by COPY. Reads its `Task` from stdin."""

from contextlib import closing
from pathlib import Path

import duckdb
import psycopg2

from benchmarks.peers.task import Task, downloaded

TABLE = """
CREATE TABLE {table} (
    flight_date DATE NOT NULL, carrier VARCHAR(10) NOT NULL,
    origin_airport_id BIGINT NOT NULL, dest_airport_id BIGINT NOT NULL,
    dep_airport VARCHAR(200), arr_airport VARCHAR(200), dep_city VARCHAR(100), arr_city VARCHAR(100),
    dep_state VARCHAR(100), arr_state VARCHAR(100), dep_delay BIGINT, arr_delay BIGINT)
"""

JOIN = """
COPY (
    SELECT
        flight.date, flight.Carrier, flight.OriginAirportID, flight.DestAirportID,
        origin.name, dest.name, origin.city, dest.city, origin.state, dest.state,
        flight.DepDelay, flight.ArrDelay
    FROM read_csv(
        '{folder}/daily_flights/*/*.csv', hive_partitioning = true, header = true, columns = {{
            'Carrier': 'VARCHAR', 'OriginAirportID': 'BIGINT', 'DestAirportID': 'BIGINT',
            'DepDelay': 'BIGINT', 'ArrDelay': 'BIGINT'}}) AS flight
    LEFT JOIN read_csv('{airports}') AS origin ON flight.OriginAirportID = origin.airport_id
    LEFT JOIN read_csv('{airports}') AS dest ON flight.DestAirportID = dest.airport_id
) TO '{out}' (FORMAT csv, HEADER false)
"""


def main(task: Task) -> None:
    """Create the table and fill it."""
    table = f"{task.schema}.{task.table}"
    with downloaded(task) as folder, closing(psycopg2.connect(f"postgresql:{task.dsn}")) as warehouse:
        out = Path(folder) / "out.csv"
        duckdb.execute(JOIN.format(folder=folder, airports=f"{folder}/{task.airports}", out=out))
        with warehouse, warehouse.cursor() as cursor, out.open() as rows:
            cursor.execute(TABLE.format(table=table))
            cursor.copy_expert(f"COPY {table} FROM STDIN (FORMAT csv)", rows)


if __name__ == "__main__":
    main(Task.read())
