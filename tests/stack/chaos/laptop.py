"""The stack under attack: how a day lands in it, how its processes are found and killed, how it is back."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg2
from chaos.composition import BehindFaults
from chaos.faults import Faults
from psycopg2.extras import RealDictCursor
from run_processes import run_processes

from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from command.demo.new_york import write_airports, write_flights
from command.generators.files import Order, generate_files
from laptop import processes, stack
from laptop.postgres import PostgresServer

POLL_SECONDS = 0.2
BOOKINGS_A_DAY = SHIPMENTS_A_DAY = 200
COMPONENTS = {"supervisor", "postgres", "gateway", "code-server", "webserver", "daemon", "run-server"}


def until(condition: Callable[[], Any], what: str, seconds: float = 300.0) -> Any:
    """Poll until a condition holds; what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(POLL_SECONDS)
    return found


@dataclass(frozen=True)
class ChaosLaptop:
    """A running stack behind the proxy; what the test itself asks goes past the proxy."""

    home: Path
    files: Path
    faults: Faults

    # --- its life

    def up(self) -> None:
        settings = Settings(home=self.home, ui_port=0)
        stack.up(settings, detach=True, on_progress=lambda _line: None, plan=BehindFaults)

    def up_again(self) -> None:
        """Up, where a fault has ended all of it."""
        if not stack.is_up(Settings(home=self.home)):
            self.up()

    def down(self) -> None:
        stack.down(Settings(home=self.home))

    @property
    def ports(self) -> dict[str, int]:
        ports: dict[str, int] = Settings.load(home=self.home).running_stack()["ports"]
        return ports

    @property
    def settings(self) -> Settings:
        """Those of the stack, but past the proxy: no fault blinds who judges."""
        found = Settings.load(home=self.home)
        return found.model_copy(update={"endpoint_url": f"http://127.0.0.1:{self.ports['gateway']}"})

    def is_ready(self) -> bool:
        """Whether every component runs, and no job that belongs to its start."""
        if Settings(home=self.home).running_stack().get("state") != "ready":
            return False
        found = stack.components(Settings(home=self.home))
        return {each.name for each in found if each.state == "running"} == COMPONENTS

    # --- what it holds

    def client(self, service: str) -> Any:
        settings = self.settings
        return boto3.client(
            service,
            endpoint_url=settings.endpoint_url,
            region_name=settings.region,
            # As in the other stacks' tests: not the platform's.
            aws_access_key_id="tests",
            aws_secret_access_key="tests",
        )

    @property
    def server(self) -> PostgresServer:
        return PostgresServer(self.home, self.ports["postgres"])

    @contextmanager
    def session(self, *, dagster: bool = False) -> Iterator[Any]:
        """A transaction in the warehouse, or in Dagster's storage; rolled back at its end."""
        server = self.server
        if dagster:
            arguments = server.dagster_connection()
        else:
            secret = server.warehouse_credentials()
            arguments = {
                "host": secret["host"],
                "port": secret["port"],
                "dbname": secret["dbname"],
                "user": secret["username"],
                "password": secret["password"],
            }
        connection = psycopg2.connect(**arguments, connect_timeout=5, cursor_factory=RealDictCursor)
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def query(self, sql: str, *, dagster: bool = False, **values: Any) -> list[dict[str, Any]]:
        with self.session(dagster=dagster) as cursor:
            cursor.execute(sql, values)
            return [dict(row) for row in cursor.fetchall()]

    # --- what lands

    def land_airports(self) -> None:
        write_airports(self.files)
        key = AIRPORTS.key("airport_codes.csv", None)
        self.put(key, (self.files / key).read_bytes())

    def land(self, day: date, *, without: int = 0) -> None:
        """Land a day's real flights; `without` its last lines it is another version of the file."""
        key = FLIGHTS.key("flights.csv", day)
        if not (self.files / key).exists():
            write_flights(self.files, [day])
        lines = (self.files / key).read_bytes().splitlines(keepends=True)
        self.put(key, b"".join(lines[: len(lines) - without]))

    def land_bookings(self, day: date) -> None:
        """Land a day's synthetic bookings; some are earlier days' with another status."""
        generate_files(Order(BOOKINGS.name, day, day, self.files, rows=BOOKINGS_A_DAY), lambda _day: None)
        key = BOOKINGS.key("bookings.csv", day)
        self.put(key, (self.files / key).read_bytes())

    def land_shipments(self, day: date, *, rows: int = SHIPMENTS_A_DAY) -> None:
        """Land a day's synthetic shipments, some of them twice; the same day again overwrites the file."""
        folder = self.files / f"{rows} shipments"
        generate_files(Order(SHIPMENTS.name, day, day, folder, rows=rows), lambda _day: None)
        (path, *_) = folder.rglob(f"date={day}/*.json")
        self.put(SHIPMENTS.key("shipments.json", day), path.read_bytes())

    def put(self, key: str, body: bytes) -> None:
        """Land an object past the proxy."""
        self.client("s3").put_object(Bucket=self.settings.landing_bucket, Key=key, Body=body)

    def loaded(self, day: date) -> bool:
        """Whether the ledger says so."""
        sql = "SELECT FROM airlines.ingested_files WHERE partition_date = %(day)s AND state = 'loaded'"
        return bool(self.query(sql, day=day))

    def run_ids(self) -> set[str]:
        """Every Dagster run there has been."""
        return {row["run_id"] for row in self.query("SELECT run_id FROM runs", dagster=True)}

    def work_times(self, before: set[str]) -> list[dict[str, Any]]:
        """When the runs worked that are not among those before, in their order; runs that had to wait."""
        sql = "SELECT run_id, status, start_time, end_time FROM runs ORDER BY start_time"
        return [row for row in self.query(sql, dagster=True) if row["run_id"] not in before]

    def restarts(self, component: str) -> int:
        """How often the supervisor has started a component again."""
        log = stack.log_file(self.home, "supervisor").read_text()
        return sum(f" {component} " in line and "it is started again" in line for line in log.splitlines())

    # --- its processes

    def component(self, name: str) -> psutil.Process:
        """A component's process of now."""
        pid = Settings(home=self.home).running_stack()["components"][name]["pid"]
        return psutil.Process(pid)

    def runs(self) -> list[psutil.Process]:
        """The processes that execute Dagster runs."""
        return run_processes(self.home)

    def spark(self) -> list[psutil.Process]:
        """Spark workers, each with its JVM."""
        workers = [
            process
            for process in processes.owned_by(self.home, "gateway")
            if any(part.endswith("spark/worker.py") for part in _cmdline(process))
        ]
        return processes.family(workers)

    def postgres(self) -> list[psutil.Process]:
        """Every process of the PostgreSQL server."""
        return self.server.living_processes()


def _cmdline(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def freeze(victims: list[psutil.Process]) -> None:
    """Stop processes without ending them."""
    for victim in victims:
        os.kill(victim.pid, signal.SIGSTOP)


def thaw(victims: list[psutil.Process]) -> None:
    """Let frozen processes go on."""
    for victim in victims:
        os.kill(victim.pid, signal.SIGCONT)
