"""The laptop stack that is measured: one of its own in a scratch folder, up before the clock starts."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import requests

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings
from command import follow
from command.dagster_client import DagsterClient
from command.demo.new_york import write_airports
from command.generators.files import Order, generate_files
from command.land import expand, plan_upload
from laptop.ports import HEALTH_PATH
from resources.aws.client import make_client
from resources.warehouse.resource import Warehouse

ROWS_A_DAY = 20_000
AIRLINE = Path(sys.executable).with_name("airline")
WAIT_SECONDS = 900.0
QUIET_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Bench:
    """A running stack, and the files that land in it.

    Args:
        home: The stack's state folder.
        scratch: For files; whoever writes there takes a folder of his own.
    """

    home: Path
    scratch: Path

    @property
    def settings(self) -> Settings:
        """As the stack's state file says now."""
        return Settings.load(home=self.home)

    @property
    def dagster(self) -> DagsterClient:
        """Its webserver."""
        return DagsterClient.of(self.settings)

    def run(self, *arguments: str | Path) -> str:
        """What the `airline` command prints, as a person would call it.

        Raises:
            AirlineError: It failed.
        """
        done = subprocess.run(
            [AIRLINE, *map(str, arguments)],
            env=os.environ | {"AIRLINE_HOME": str(self.home), "COLUMNS": "200"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AirlineError(f"airline {arguments} failed: {done.stderr}", remedy="See the stack's logs.")
        return done.stdout

    def client(self, service: Any) -> Any:
        """A boto3 client of the gateway."""
        return make_client(self.settings, service)

    def query(self, sql: str, **values: Any) -> list[dict[str, Any]]:
        """Rows of a query on the warehouse."""
        return Warehouse.of(self.settings).query(sql, values)

    def flights(self, first: date, last: date, rows: int = ROWS_A_DAY) -> Path:
        """A folder with synthetic flights, a file a day, laid out as they land; made once."""
        folder = self.scratch / f"flights {first} {last} {rows}"
        if not folder.exists():
            draft = folder.with_name(f"{folder.name}.new")
            generate_files(Order(FLIGHTS.name, first, last, draft, rows=rows), lambda _day: None)
            draft.rename(folder)
        return folder

    def put(self, folder: Path) -> None:
        """Land every file of a folder, in this process."""
        follow.land(self.settings, [plan_upload(path, settings=self.settings) for path in expand([folder])])

    def land(self, folder: Path) -> float:
        """Land files and wait until all are loaded; the seconds it took.

        Raises:
            AirlineError: One of them was not.
        """
        began = time.monotonic()
        self.put(folder)
        accounts = follow.wait(self.settings, self.dagster, WAIT_SECONDS)
        if left := [each.key for each in accounts if each.state != "loaded"]:
            raise AirlineError(f"not loaded: {left[:20]}", remedy="See `airline alerts`.")
        return time.monotonic() - began

    def wait_until_quiet(self) -> None:
        """Wait until no run is under way and a Spark worker is warm: nobody pays for what was before.

        Raises:
            AirlineError: That takes too long.
        """
        deadline = time.monotonic() + WAIT_SECONDS
        health = f"{self.settings.endpoint_url}{HEALTH_PATH}"
        while (
            self.dagster.unfinished_runs()
            or not requests.get(health, timeout=10).json()["spark_workers_ready"]
        ):
            if time.monotonic() > deadline:
                raise AirlineError("the stack never came to rest", remedy="See the stack's logs.")
            time.sleep(QUIET_LOOK_SECONDS)

    def sensors(self, *names: str, running: bool) -> None:
        """Start sensors, or stop them and wait for their ticks."""
        for name in names:
            self.dagster.set_sensor(name, running=running)

    @contextmanager
    def nobody_listening(self) -> Iterator[None]:
        """What lands meanwhile waits for whoever takes it."""
        self.sensors("landing_sensor", "reconciliation_sensor", running=False)
        try:
            yield
        finally:
            self.sensors("landing_sensor", "reconciliation_sensor", running=True)


@contextmanager
def bench(folder: Path, environment: Sequence[tuple[str, str]] = ()) -> Iterator[Bench]:
    """A stack in a folder, with the airports loaded and its marts' automation stopped; down at the end."""
    home, scratch = folder / "home", folder / "files"
    scratch.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment)
    made = Bench(home, scratch)
    made.run("up", "--detach", "--port", "0")
    try:
        # Marts follow the load; where they are measured, that is said.
        made.sensors("automation_sensor", running=False)
        airports = scratch / "airports"
        write_airports(airports)
        made.land(airports)
        yield made
    finally:
        made.run("down")
