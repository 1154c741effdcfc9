"""`airline demo`: real flights from file to fact on this machine, checked against what landed."""

import csv
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from airline_platform.errors import AirlineError
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings
from assets.marts.declared.carrier_on_time import CARRIER_ON_TIME
from command import follow
from command.console import out, progress, show_table, tell
from command.dagster_client import DagsterClient
from command.demo.new_york import write_airports, write_flights
from command.land import expand, plan_upload
from laptop import stack
from resources.inbox import read_alerts
from resources.warehouse import ledger
from resources.warehouse.resource import Warehouse

FIRST_DAY = date(2013, 1, 1)
EVENT_DAYS = 14
BACKFILL_DAYS = 17
SECONDS = 600
MARTS_SECONDS = 180.0
SENSOR = follow.LISTENER

LOADED = f"""
SELECT flight_date, COUNT(*) AS loaded, SUM(dep_delay) AS delay, COUNT(dep_delay) AS departed
FROM {FLIGHTS.table.qualified_name}
WHERE flight_date BETWEEN %(first)s AND %(last)s GROUP BY flight_date
"""  # noqa: S608 - our own table's name

LONGEST = f"""
SELECT carrier, MAX(dep_delay) AS longest_minutes, AVG(dep_delay) AS average_minutes, COUNT(*) AS flights,
       SUM(CASE WHEN dep_delay >= 60 THEN 1 ELSE 0 END) AS an_hour_or_more
FROM {FLIGHTS.table.qualified_name}
WHERE flight_date BETWEEN %(first)s AND %(last)s GROUP BY carrier ORDER BY longest_minutes DESC
"""  # noqa: S608

PUNCTUAL = f"""
SELECT place, carrier, flights, on_time_percent, cancelled, avg_arr_delay AS average_arrival_delay
FROM {CARRIER_ON_TIME.table.qualified_name} ORDER BY place, carrier
"""  # noqa: S608

IN_MARTS = f"""
SELECT (SELECT SUM(flights) FROM {CARRIER_ON_TIME.table.qualified_name}) AS ranked,
       (SELECT COUNT(*) FROM {FLIGHTS.table.qualified_name}) AS loaded
"""  # noqa: S608


@dataclass(frozen=True)
class Day:
    """What one landed file holds, counted from the file itself: rows, minutes of delay, flights departed."""

    rows: int
    delay: int
    departed: int

    @property
    def average_delay(self) -> float | None:
        """Minutes of delay for each flight that departed; None where none did."""
        return self.delay / self.departed if self.departed else None


def run_demo(settings: Settings, *, keep: bool) -> None:
    """Run the demonstration and leave its data.

    Args:
        settings: Where its stack runs.
        keep: Whether to leave the stack running; one that ran before is left running anyway.

    Raises:
        AirlineError: What the warehouse holds is not what landed.
    """
    ran_before = stack.is_up(settings)
    out.rule("1  The stack: an AWS endpoint, a warehouse and Dagster, on this machine", align="left")
    info = stack.up(settings, detach=True, on_progress=tell)
    settings = settings.model_copy(update={"endpoint_url": info.endpoint_url})
    client = DagsterClient.of(settings)
    try:
        with _listening(client):
            _show(settings, client)
    finally:
        if not keep and not ran_before:
            stack.down(settings)
    if keep or ran_before:
        out.print(f"\nThe stack is up: {info.ui_url}  (`airline down` stops it)")
    else:
        out.print("\nEverything is stopped, the data stays: `make dev` (or `airline up`) opens the UI on it.")


@contextmanager
def _listening(client: DagsterClient) -> Iterator[None]:
    """Let events start runs, also where the schedule alone does so otherwise."""
    if client.sensors()[SENSOR] == "RUNNING":
        yield
        return
    client.set_sensor(SENSOR, running=True)
    try:
        yield
    finally:
        client.reset_sensor(SENSOR)


def _show(settings: Settings, client: DagsterClient) -> None:
    folder = settings.home / "demo"
    days = [FIRST_DAY + timedelta(days=n) for n in range(EVENT_DAYS + BACKFILL_DAYS)]
    arriving, later = days[:EVENT_DAYS], days[EVENT_DAYS:]

    out.rule(f"2  The airports and {EVENT_DAYS} days of flights land; events start the runs", align="left")
    write_airports(folder / "arriving")
    write_flights(folder / "arriving", arriving[::2])
    write_flights(folder / "arriving", arriving[1::2], layout="flat")
    _land(settings, folder / "arriving")
    follow.wait(settings, client, SECONDS)

    out.rule(f"3  {BACKFILL_DAYS} days more land unnoticed, and a backfill takes them", align="left")
    write_flights(folder / "later", later)
    client.set_sensor(SENSOR, running=False)
    try:
        _land(settings, folder / "later")
        name = follow.backfill(settings, client, FLIGHTS, [day.isoformat() for day in later])
        follow.follow(client, name, len(later), SECONDS)
    finally:
        client.set_sensor(SENSOR, running=True)

    out.rule("4  The marts follow by themselves", align="left")
    _wait_for_marts(settings)

    landed = {day: count_landed(folder, day) for day in days}
    _print_results(settings, landed)
    require_what_landed(_warehouse_days(settings, days), landed)
    _print_how_to_look()


def _land(settings: Settings, folder: Path) -> None:
    follow.land(settings, [plan_upload(path, settings=settings) for path in expand([folder])])


def _wait_for_marts(settings: Settings) -> None:
    """Wait until the ranking, the last mart to be made, counts every flight that is loaded.

    Raises:
        AirlineError: It does not in time.
    """
    warehouse = Warehouse.of(settings)
    deadline = time.monotonic() + MARTS_SECONDS
    with progress() as bars:
        task = bars.add_task("flights in the marts", total=None)
        while True:
            (flights,) = warehouse.query(IN_MARTS)
            ranked, loaded = int(flights["ranked"] or 0), flights["loaded"]
            bars.update(task, completed=ranked, total=loaded)
            if ranked == loaded:
                return
            if time.monotonic() > deadline:
                raise AirlineError(
                    f"the marts count {ranked:,} of {loaded:,} flights after {MARTS_SECONDS:.0f} s",
                    remedy="See `airline alerts` and the runs in the Dagster UI (`airline up`).",
                )
            time.sleep(1)


def count_landed(folder: Path, day: date) -> Day:
    """Count a day from its landed file, apart from everything the platform does."""
    (path,) = (path for path in expand([folder]) if str(day) in str(path))
    with path.open(newline="") as file:
        delays = [row["DepDelay"] for row in csv.DictReader(file)]
    flown = [int(delay) for delay in delays if delay]
    return Day(len(delays), sum(flown), len(flown))


def _warehouse_days(settings: Settings, days: Sequence[date]) -> dict[date, Day]:
    rows = Warehouse.of(settings).query(LOADED, {"first": days[0], "last": days[-1]})
    return {row["flight_date"]: Day(row["loaded"], int(row["delay"]), row["departed"]) for row in rows}


def require_what_landed(loaded: dict[date, Day], landed: dict[date, Day]) -> None:
    """Return when every day is in the warehouse as it landed, and say so.

    Raises:
        AirlineError: It is not; with the days that differ.
    """
    differing = [day for day, expected in landed.items() if loaded.get(day) != expected]
    if differing:
        lines = [f"{day}: landed {landed[day]}, loaded {loaded.get(day)}" for day in differing]
        raise AirlineError(
            "the warehouse does not hold what landed:\n" + "\n".join(lines),
            remedy="See `airline alerts` and the runs in the Dagster UI (`airline up`).",
        )
    rows = sum(day.rows for day in landed.values())
    out.print(
        f"Checked: {len(landed)} days, {rows:,} rows and every minute of delay are those of the files.",
        style="green",
    )


def _print_results(settings: Settings, landed: dict[date, Day]) -> None:
    bounds = {"first": min(landed), "last": max(landed)}
    warehouse = Warehouse.of(settings)
    loaded = dict.fromkeys(landed, Day(0, 0, 0)) | _warehouse_days(settings, sorted(landed))
    counted = ledger.rows_of_loaded_days(warehouse, FLIGHTS.name, **bounds)
    rows: list[dict[str, Any]] = [
        {
            "day": day,
            "landed": landed[day].rows,
            "loaded": loaded[day].rows,
            "rejected": counted[day].rows_rejected if day in counted else None,
            "average departure delay": loaded[day].average_delay,
        }
        for day in landed
    ]
    out.rule("5  What the warehouse says", align="left")
    show_table(rows, "Flights by day (delay in minutes)")
    show_table(warehouse.query(LONGEST, bounds), "Longest departure delays by carrier")
    show_table(warehouse.query(PUNCTUAL), "The most punctual carriers (mart carrier_on_time)")
    balance = [{**asdict(it), "unaccounted": it.unaccounted} for it in ledger.balance(warehouse)]
    show_table(balance, "The ledger: rows read = loaded + rejected")
    alerts = read_alerts(settings)
    shown = [{"at": each["at"][:19], "event": each["event"], "subject": each["subject"]} for each in alerts]
    show_table(shown[:10], f"Alerts received ({len(alerts)})")


def _print_how_to_look() -> None:
    out.rule("6  Look around", align="left")
    out.print(
        "  make dev                                  the Dagster UI: lineage, partitions, runs, sensors\n"
        "  airline land FILE.csv                     land a file of your own (with `make dev` running)\n"
        "  airline query 'SELECT … FROM airlines.daily_flights_processed'\n"
        "  airline status    airline alerts          what is loaded, which alerts were sent",
        markup=False,
    )
