"""From CSV files in S3 to rows in the warehouse: ours beside what people write or take for the same."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from statistics import median

from airline_platform.errors import AirlineError
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from benchmarks.agreement import TOTALS, Totals, require_agreement
from benchmarks.figures import Figure, Section
from benchmarks.laptop import ROWS_A_DAY, Bench
from benchmarks.peers.task import Task
from resources.warehouse.resource import Warehouse

MONTHS = (date(2017, 4, 1), date(2017, 6, 1), date(2017, 9, 1))
"""A fresh one each time, for what has landed once does no more work; all of `DAYS` days."""

DAYS = 30
ROWS = DAYS * ROWS_A_DAY
PEERS = {
    "duckdb": ("duckdb_copy", "DuckDB and COPY"),
    "pandas": ("pandas_to_sql", "pandas and to_sql"),
    "dlt": ("dlt_pipeline", "dlt"),
}
"""Module of `benchmarks.peers`, and what the table calls it."""

SCHEMA = "bench"
"""In the warehouse, for the peers' tables; dropped in the end."""

CHECKOUT = Path(__file__).parents[1]

NOTES = (
    (
        f"{DAYS} landed files to the same {ROWS:,} rows with both airports spelled out, in the same "
        f"PostgreSQL server; the median of {len(MONTHS)} months. Ours: from the first upload until every "
        "file is accounted for as loaded, by events and sensors, in a stack that was up. Peers: a process "
        "from its start to its end, for files that are there. The tables are compared: rows, days, "
        "delays, named airports."
    ),
    (
        "Where a peer is faster, it does less: somebody starts it; no header and no row is judged, so "
        "that one bad row ends it or gets in; there is no Parquet, catalog, ledger, lineage or alert; a "
        "second run fails or doubles the rows, where ours replaces days in one transaction. Its table has "
        "no index; ours has one on flight_date."
    ),
    (
        "DuckDB and pandas read a copy that 16 threads have downloaded: DuckDB's own way to S3 is an "
        "extension that pip does not install. DuckDB's result goes through a file into COPY. pandas "
        "inserts as to_sql does by default. dlt reads S3 itself, and takes Arrow tables and COPY, its "
        "fastest way to PostgreSQL."
    ),
)


def measure(bench: Bench) -> Section:
    """Load each month the five ways, one after the other."""
    taken: dict[str, list[float]] = {"ours": [], **{name: [] for name in PEERS}}
    for first in MONTHS:
        days = bench.flights(first, first.replace(day=DAYS))
        bench.wait_until_quiet()
        taken["ours"].append(bench.land(days))
        made = {"ours": _totals(bench, FLIGHTS.table.qualified_name, first)}
        for name in PEERS:
            seconds, made[name] = _load(bench, name, first)
            taken[name].append(seconds)
        require_agreement(made)
    return Section("Whole path", figures({name: median(seconds) for name, seconds in taken.items()}), NOTES)


def figures(seconds: Mapping[str, float]) -> Sequence[Figure]:
    """What is said of the seconds that each has taken for `ROWS` rows.

    Args:
        seconds: Of `ours` and every peer.
    """
    ours = seconds["ours"]
    found = [
        Figure("whole_path_s", ours, "s", f"{ROWS:,} rows, S3 to warehouse: the platform"),
        Figure("whole_path_rows_s", ROWS / ours, "rows/s", "the platform"),
    ]
    for name, (_, what) in PEERS.items():
        found += [
            Figure(f"whole_path_{name}_s", seconds[name], "s", what),
            Figure(f"whole_path_{name}_rows_s", ROWS / seconds[name], "rows/s", what),
            Figure(
                f"whole_path_vs_{name}",
                ours / seconds[name],
                "times",
                f"the platform's time / that of {what}",
            ),
        ]
    return tuple(found)


def _load(bench: Bench, peer: str, first: date) -> tuple[float, Totals]:
    """Have a peer load a month into a table of its own; the seconds it took, and what it made."""
    task = Task(
        bucket=bench.settings.landing_bucket,
        flights=f"{FLIGHTS.prefix}date={first:%Y-%m}-",
        airports=AIRPORTS.key("airport_codes.csv", None),
        warehouse=_secret(bench),
        schema=SCHEMA,
        table=f"flights_{peer}",
    )
    warehouse = Warehouse.of(bench.settings)
    with warehouse.transaction() as session:
        session.execute(f"CREATE SCHEMA {SCHEMA}")
    try:
        bench.wait_until_quiet()
        seconds = _run(bench, PEERS[peer][0], task)
        return seconds, _totals(bench, f"{SCHEMA}.{task.table}", first)
    finally:
        with warehouse.transaction() as session:
            session.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def _run(bench: Bench, module: str, task: Task) -> float:
    """Run a peer as a process of its own; the seconds from its start to its end.

    Raises:
        AirlineError: It failed.
    """
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.peers.{module}"],
        cwd=CHECKOUT,
        env=bench.settings.environment(),
        input=task.as_json(),
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        raise AirlineError(f"{module} failed: {done.stderr[-2000:]}", remedy="Correct it; see its file.")
    return seconds


def _secret(bench: Bench) -> dict[str, str]:
    """Where the warehouse is."""
    answer = bench.client("secretsmanager").get_secret_value(SecretId=bench.settings.warehouse_secret)
    secret: dict[str, str] = json.loads(answer["SecretString"])
    return secret


def _totals(bench: Bench, table: str, first: date) -> Totals:
    """What is compared of a month in a table."""
    [totals] = bench.query(
        f"SELECT {TOTALS} FROM {table} WHERE flight_date BETWEEN %(first)s AND %(last)s",  # noqa: S608 - our names
        first=first,
        last=first.replace(day=DAYS),
    )
    return totals
