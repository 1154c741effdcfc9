"""One day of flights lands: the seconds until a query shows it, here and by the classic pipeline."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any, TypeVar

import psycopg2

from airline_platform.errors import AirlineError
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from benchmarks.classic.pipeline import BUCKET, TABLE, ClassicPipeline, classic_pipeline, connect
from benchmarks.figures import Figure, Section
from benchmarks.laptop import ROWS_A_DAY, Bench
from benchmarks.stages import STAGES, RecordedRun, recorded_run, stages_of
from command.demo.new_york import write_airports
from command.land import Upload, expand, plan_upload
from laptop.postgres import PostgresServer

FIRST_DAY = date(2017, 5, 1)
DAYS, CLASSIC_DAYS, MARTS_DAYS = 7, 3, 5
TARGET_SECONDS, TARGET_SHARE, TARGET_MARTS_SECONDS = 3, 0.2, 10
MARTS = f"from a day's rows to its marts and its report; the median of {MARTS_DAYS}"
SHARE = "from the PUT to the rows: ours / the classic pipeline's"

OUR_TABLE = FLIGHTS.table.qualified_name
LOOK_SECONDS = 0.05
"""How often the warehouse is asked for the day."""

LOST_SECONDS = 300.0
CALM_SECONDS = 2.0
SENSOR_SECONDS = 5.0
"""From one tick of the landing sensor to the next; the days land at different moments between two."""

COUNT_OF_DAY = "SELECT count(*) FROM {table} WHERE flight_date = %(day)s"
SUMMARY_OF_DAYS = """
SELECT flight_date, count(*), sum(dep_delay), sum(arr_delay), count(dep_airport), count(arr_airport),
    count(DISTINCT dep_airport), count(DISTINCT arr_city)
FROM {table} WHERE flight_date IN %(days)s GROUP BY 1 ORDER BY 1
"""
REPORT = '["delay_report"]'
REPORT_MADE = """
SELECT extract(epoch FROM max(timestamp))::float8 FROM event_logs
WHERE dagster_event_type = 'ASSET_MATERIALIZATION' AND partition = %(day)s AND asset_key = %(report)s
"""
ALERT_SENT = """
SELECT extract(epoch FROM max(sent_at))::float8 FROM airlines.alert_outbox WHERE run_id = %(run_id)s
"""


@dataclass(frozen=True)
class Landed:
    """A day that landed; times are seconds since the epoch.

    Args:
        day: Which one.
        put: When the PUT had returned.
        seen: When a query showed its rows.
    """

    day: date
    put: float
    seen: float

    @property
    def seconds(self) -> float:
        """From the one to the other."""
        return self.seen - self.put


@dataclass(frozen=True)
class LandedTheClassicWay(Landed):
    """As it says.

    Args:
        states: Seconds in each state of the state machine.
        job_seconds: Of these, how long the Glue job ran.
    """

    states: Mapping[str, float]
    job_seconds: float


L = TypeVar("L", bound=Landed)


def measure(bench: Bench) -> Section:
    """Land seven days here, then three of them the classic way.

    Raises:
        AirlineError: A day did not get through, or the two ways made different rows of it.
    """
    days = [FIRST_DAY + timedelta(days=n) for n in range(DAYS)]
    marts_days = [days[-1] + timedelta(days=n + 1) for n in range(MARTS_DAYS)]
    with closing(connect(_server(bench).warehouse_credentials())) as session:
        ours = [_land(bench, session, day, n * SENSOR_SECONDS / DAYS) for n, day in enumerate(days)]
        with _classic(bench) as classic:
            theirs = [_land_classic(bench, classic, session, day) for day in days[:CLASSIC_DAYS]]
            _require_same_rows(session, days[:CLASSIC_DAYS])
        our_figures, our_note = _about_ours(bench, session, ours)
        marts = [_marts(bench, session, day) for day in marts_days]
    peer = _median(theirs)
    share = _median(ours).seconds / peer.seconds
    figures = [
        *our_figures,
        Figure("marts_after_load_s", median(marts), "s", MARTS, TARGET_MARTS_SECONDS),
        Figure("step_functions_s", peer.seconds, "s", "the classic pipeline, from the PUT to the rows"),
        Figure("land_vs_step_functions", share, "times", SHARE, TARGET_SHARE),
    ]
    title = f"One landed day of {ROWS_A_DAY:,} flights"
    return Section(title, figures, [our_note, *_about_classic(peer)])


def _seconds(landed: Landed) -> float:
    return landed.seconds


def _median(landed: Sequence[L]) -> L:
    return sorted(landed, key=_seconds)[len(landed) // 2]


def _server(bench: Bench) -> PostgresServer:
    return PostgresServer(bench.home, bench.settings.running_stack()["ports"]["postgres"])


def _value(session: Any, sql: str, **values: Any) -> Any:
    with session.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


# --- ours --------------------------------------------------------------------------------------------------


def _land(bench: Bench, session: Any, day: date, pause: float) -> Landed:
    """Let a day land on a calm stack, `pause` seconds later than it could."""
    upload = _upload(bench, day)
    bench.wait_until_quiet()
    time.sleep(CALM_SECONDS + pause)
    put = _put(bench.client("s3"), bench.settings.landing_bucket, upload)
    return Landed(day, put, _see(session, OUR_TABLE, day))


def _upload(bench: Bench, day: date) -> Upload:
    (path,) = expand([bench.flights(day, day)])
    return plan_upload(path, settings=bench.settings)


def _put(s3: Any, bucket: str, upload: Upload) -> float:
    """Put a file; when the PUT had returned."""
    s3.put_object(Bucket=bucket, Key=upload.key, Body=upload.path.read_bytes())
    return time.time()


def _see(session: Any, table: str, day: date) -> float:
    """Ask the warehouse until it shows a day; when it did.

    Raises:
        AirlineError: The day does not come, or not all of it.
    """
    deadline = time.time() + LOST_SECONDS
    while not (rows := _value(session, COUNT_OF_DAY.format(table=table), day=day)):
        if time.time() > deadline:
            break
        time.sleep(LOOK_SECONDS)
    seen = time.time()
    if rows != ROWS_A_DAY:
        raise AirlineError(
            f"{table}, {day}: expected {ROWS_A_DAY} rows, found {rows}", remedy="See `airline alerts`."
        )
    return seen


def _about_ours(bench: Bench, session: Any, ours: Sequence[Landed]) -> tuple[list[Figure], str]:
    """What there is to say of the median day, and why the worst was slower."""
    middle, worst = _median(ours), max(ours, key=_seconds)
    storage = _server(bench).dagster_connection()
    run, slow = recorded_run(storage, middle.day), recorded_run(storage, worst.day)
    stages = stages_of(middle.put, middle.seen, run)
    told = _value(session, ALERT_SENT, run_id=run.run_id)
    figures = [
        Figure("land_to_queryable_s", middle.seconds, "s", "from the PUT to the rows", TARGET_SECONDS),
        Figure("land_worst_s", worst.seconds, "s", f"the slowest of {DAYS} days"),
        *(Figure(f"land_stage_{name}_s", stages[name], "s", f"- {what}") for name, what in STAGES.items()),
        Figure("land_to_alert_s", told - middle.put, "s", "from the PUT to the notification"),
    ]
    more = {name: took - stages[name] for name, took in stages_of(worst.put, worst.seen, slow).items()}
    longest = max(more, key=lambda name: more[name])
    each_day = ", ".join(f"{landed.seconds:.1f}" for landed in ours)
    return figures, (
        f"Ours in the order of landing: {each_day} s; the first has a crawl in it, as the table is new. The "
        "stages are those of the median day, by Dagster's records; its Glue job ran "
        f"{_our_job_seconds(bench, run):.1f} s, in a Spark worker that was warm. The slowest day took "
        f"{more[longest]:.1f} s longer for: {STAGES[longest]}."
    )


def _our_job_seconds(bench: Bench, run: RecordedRun) -> float:
    runs = bench.client("glue").get_job_runs(JobName=bench.settings.job_name(FLIGHTS.name))["JobRuns"]
    (job,) = (each for each in runs if run.run_id in each["Arguments"]["--manifest"])
    return _job_seconds(job)


def _job_seconds(job: Mapping[str, Any]) -> float:
    seconds: float = (job["CompletedOn"] - job["StartedOn"]).total_seconds()
    return seconds


# --- theirs ------------------------------------------------------------------------------------------------


def _marts(bench: Bench, session: Any, day: date) -> float:
    """Let a day land while the marts follow; seconds from its rows to its report, the last thing made of it.

    Raises:
        AirlineError: The report does not come.
    """
    bench.sensors("automation_sensor", running=True)
    try:
        landed = _land(bench, session, day, 0)
        with closing(psycopg2.connect(**_server(bench).dagster_connection())) as storage:
            storage.autocommit = True
            while not (made := _value(storage, REPORT_MADE, day=str(day), report=REPORT)):
                if time.time() > landed.seen + LOST_SECONDS:
                    raise AirlineError(f"{day}: no report came", remedy="See the runs in the Dagster UI.")
                time.sleep(LOOK_SECONDS)
    finally:
        bench.sensors("automation_sensor", running=False)
    return float(made) - landed.seen


@contextmanager
def _classic(bench: Bench) -> Iterator[ClassicPipeline]:
    """The classic pipeline beside a stack that does nothing meanwhile."""
    folder = bench.scratch / "classic"
    write_airports(folder)
    warehouse = _server(bench).warehouse_credentials()
    airports = folder / AIRPORTS.key("airport_codes.csv", None)
    bench.wait_until_quiet()
    with (
        bench.nobody_listening(),
        classic_pipeline(bench.settings, folder, warehouse, airports) as pipeline,
    ):
        yield pipeline


def _land_classic(bench: Bench, classic: ClassicPipeline, session: Any, day: date) -> LandedTheClassicWay:
    """Let a day land there; nobody has to hear of it, the execution starts at once."""
    upload = _upload(bench, day)
    time.sleep(CALM_SECONDS)
    put = _put(classic.client("s3"), BUCKET, upload)
    arn = classic.start(upload.key)
    seen = _see(session, TABLE, day)
    done = classic.finish(arn)
    return LandedTheClassicWay(day, put, seen, done.seconds, _job_seconds(done.job_run))


def _require_same_rows(session: Any, days: Sequence[date]) -> None:
    """Both ways load the same.

    Raises:
        AirlineError: They do not.
    """
    found = {}
    for table in (OUR_TABLE, TABLE):
        with session.cursor() as cursor:
            cursor.execute(SUMMARY_OF_DAYS.format(table=table), {"days": tuple(days)})
            found[table] = cursor.fetchall()
    if found[OUR_TABLE] != found[TABLE]:
        raise AirlineError(f"expected the same rows, found {found}", remedy="Compare the two Glue scripts.")


def _about_classic(peer: LandedTheClassicWay) -> list[str]:
    states = ", ".join(f"{name.lower()} {seconds:.1f}" for name, seconds in peer.states.items())
    how = (
        "The classic pipeline is a state machine with a crawler and a hand-written Glue script "
        "(benchmarks/classic), walked by MiniStack's Step Functions on a gateway of its own, into the same "
        f"warehouse, with the same rows in the end. Its median day by state, in seconds: {states}; the Glue "
        f"job ran {peer.job_seconds:.1f} of them, from a cold start."
    )
    given = (
        "It is given what it would not have on AWS: no event to wait for, a crawl below a second instead of "
        "about a minute, a Spark that starts in seconds. Ours is given what AWS does not have either: a "
        "Spark worker that is warm."
    )
    return [how, given]
