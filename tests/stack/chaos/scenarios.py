"""Faults and the stages they strike at, as data; every pair that makes sense is a scenario."""

import json
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from itertools import pairwise

import psutil
from chaos.faults import Answer, Call, Drop, Hold, Refuse, Rewrite, Rule, skewed
from chaos.laptop import ChaosLaptop, freeze, thaw, until

from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings
from command import follow
from command.dagster_client import DagsterClient
from laptop import processes, stack
from resources.accounts import queue_depth
from resources.inbox import read_alerts
from resources.warehouse.connections import CONNECT_SECONDS

Reach = Callable[[], None]
Attack = Callable[[ChaosLaptop, date], None]

TOLD = "after the commit, before the alert"
ATTEMPTS = 4
"""How often boto3 asks, as `resources.aws` has it."""

STEP_TRIES = 3
"""How often a step is tried, as `assets.failures` has it."""

DISK_BYTES = 2048
"""Less than a day's Parquet."""


# --- calls -------------------------------------------------------------------------------------------------


def calls(service: str, *operations: str) -> Callable[[Call], bool]:
    """Matches calls of a service, of some operations where any are named."""
    return lambda call: call.service == service and (not operations or call.operation in operations)


def asks_for_landings(call: Call) -> bool:
    return call.operation == "ReceiveMessage" and 'landing-events"' in call.text


def is_of(day: date) -> Callable[[Call, Answer], bool]:
    """Answers with a message about the day's file."""
    return lambda _call, answer: f"date={day}" in answer.body.decode()


def job_reads_its_context(call: Call) -> bool:
    """The first thing a job's script does: the work begins after it."""
    return call.operation == "GetObject" and call.key.endswith("/context.json")


def job_succeeded(_call: Call, answer: Answer) -> bool:
    return answer.json.get("JobRun", {}).get("JobRunState") == "SUCCEEDED"


def copies(day: date) -> Callable[[Call], bool]:
    """The load reads the day's Parquet."""
    return lambda call: (
        call.operation == "GetObject"
        and call.key.endswith(".parquet")
        and f"flights_enriched/date={day}/" in call.key
    )


# --- stages ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stage:
    """A point of a day's way at which everything is held until the fault has struck.

    Args:
        name: As the table shows it.
        hold: Holds it there; what it gives waits until a day has come so far.
        lands_after: Whether it is reached without a file.
        has_run: Whether a Dagster run's process lives there.
    """

    name: str
    hold: Callable[[ChaosLaptop, date], AbstractContextManager[Reach]]
    lands_after: bool = False
    has_run: bool = True

    @contextmanager
    def reached(self, laptop: ChaosLaptop, day: date) -> Iterator[None]:
        """Land the day and hold it here for the length of the block."""
        with self.hold(laptop, day) as reach:
            if self.lands_after:
                reach()
                laptop.land(day)
            else:
                laptop.land(day)
                reach()
            yield


@contextmanager
def _held(laptop: ChaosLaptop, rule: Rule) -> Iterator[Reach]:
    with laptop.faults.rule(rule):
        yield rule.reached


@contextmanager
def _locked(laptop: ChaosLaptop, table: str) -> Iterator[Reach]:
    """Let the load wait at a table."""

    def somebody_waits() -> bool:
        sql = "SELECT FROM pg_locks WHERE NOT granted AND relation = %(table)s::regclass"
        return bool(laptop.query(sql, table=table))

    with laptop.session() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield lambda: until(somebody_waits, f"a load that waits at {table}")


@contextmanager
def _committed(laptop: ChaosLaptop, day: date) -> Iterator[Reach]:
    with laptop.faults.rule(Hold(matches=calls("sns", "Publish"))) as publish:

        def reach() -> None:
            publish.reached()
            assert laptop.loaded(day)

        yield reach


STAGES = [
    Stage(
        "before the message is received",
        lambda laptop, _day: _held(laptop, Hold(matches=asks_for_landings)),
        lands_after=True,
        has_run=False,
    ),
    Stage(
        "after the message is received",
        lambda laptop, day: _held(laptop, Hold(matches=asks_for_landings, answers=is_of(day))),
        has_run=False,
    ),
    Stage("before Glue", lambda laptop, _: _held(laptop, Hold(matches=calls("glue", "StartJobRun")))),
    Stage("in Glue", lambda laptop, _: _held(laptop, Hold(matches=job_reads_its_context))),
    Stage(
        "after Glue",
        lambda laptop, _: _held(laptop, Hold(matches=calls("glue", "GetJobRun"), answers=job_succeeded)),
    ),
    Stage("before the load", lambda laptop, _day: _locked(laptop, "airlines.load_lock")),
    Stage("during COPY", lambda laptop, day: _held(laptop, Hold(matches=copies(day)))),
    Stage("before the commit", lambda laptop, _day: _locked(laptop, "airlines.ingested_files")),
    Stage(TOLD, _committed),
]
STAGE = {stage.name: stage for stage in STAGES}


# --- victims -----------------------------------------------------------------------------------------------


def _kill(victims: list[psutil.Process]) -> None:
    assert victims
    processes.kill(victims)


def kill_run(laptop: ChaosLaptop) -> None:
    _kill(laptop.runs())


def kill_worker(laptop: ChaosLaptop) -> None:
    _kill(until(laptop.spark, "a Spark worker"))


def kill_postgres(laptop: ChaosLaptop) -> None:
    _kill(laptop.postgres())


def kill_component(name: str, laptop: ChaosLaptop) -> None:
    _kill([laptop.component(name)])


def kill_everything(laptop: ChaosLaptop) -> None:
    """Supervisor first, as a power cut would; the runs and the workers live on as orphans."""
    for component in stack.components(Settings(home=laptop.home)):
        _kill([psutil.Process(component.pid)])


def stop_everything(laptop: ChaosLaptop) -> None:
    """`airline down` in the middle."""
    laptop.down()


VICTIMS: dict[str, Callable[[ChaosLaptop], None]] = {
    "run": kill_run,
    "worker": kill_worker,
    "gateway": partial(kill_component, "gateway"),
    "PostgreSQL": kill_postgres,
    "daemon": partial(kill_component, "daemon"),
    "code server": partial(kill_component, "code-server"),
    "run server": partial(kill_component, "run-server"),
    "everything": kill_everything,
}


# --- scenarios ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scenario:
    """One fault at one stage."""

    fault: str
    stage: str
    attack: Attack

    def __str__(self) -> str:
        return f"{self.fault} {self.stage}".replace(",", "").replace(" ", "-")


def _strikes(strike: Callable[[ChaosLaptop], None], stage: Stage, laptop: ChaosLaptop, day: date) -> None:
    with stage.reached(laptop, day):
        strike(laptop)
    laptop.up_again()


def kills() -> list[Scenario]:
    """Stage by stage, so that the same component does not die too often in a short time."""
    return [
        Scenario(f"{victim} killed", stage.name, partial(_strikes, kill, stage))
        for stage in STAGES
        for victim, kill in VICTIMS.items()
        if stage.has_run or victim != "run"
    ]


# --- what else goes wrong ----------------------------------------------------------------------------------


def killed_in_glue_pays_once(laptop: ChaosLaptop, day: date) -> None:
    """The run is killed while its job works; the retry waits for that job run, or takes what it has made."""
    job, folder = laptop.settings.job_name(FLIGHTS.jobs[0].name), f"date={day}"

    def job_runs() -> list[str]:
        runs = laptop.client("glue").get_job_runs(JobName=job)["JobRuns"]
        days = {run["Id"]: run["Arguments"]["--airline-partitions"].split(",") for run in runs}
        return [run for run, folders in days.items() if folder in folders]

    with STAGE["in Glue"].reached(laptop, day):
        (at_work,) = job_runs()
        kill_run(laptop)
    until(partial(laptop.loaded, day), "a load by the retry")
    assert job_runs() == [at_work]


def dies_at_every_retry(laptop: ChaosLaptop, day: date) -> None:
    """Dagster gives a run two retries; after the third death nobody but the reconciliation asks again."""
    with laptop.faults.rule(Hold(matches=calls("glue", "StartJobRun"))) as hold:
        laptop.land(day)
        for _ in range(3):
            hold.reached()
            hold.hit.clear()
            kill_run(laptop)


def sns_is_down(laptop: ChaosLaptop, day: date) -> None:
    """Long enough that who comes later to send the alert fails as well."""
    with laptop.faults.rule(Refuse(matches=calls("sns"), status=500, code="InternalError")) as down:
        laptop.land(day)
        until(partial(laptop.loaded, day), "a load in spite of SNS")
        until(lambda: down.hits > 2 * ATTEMPTS, "a second one who tries to send the alert")


def warehouse_freezes(laptop: ChaosLaptop, day: date) -> None:
    """Every process of PostgreSQL stops for longer than a connection may take, then goes on."""
    with STAGE["after Glue"].reached(laptop, day):
        frozen = laptop.postgres()
        freeze(frozen)
    try:
        time.sleep(CONNECT_SECONDS + 2)  # the fault's length
    finally:
        thaw(frozen)


def warehouse_stays_away(laptop: ChaosLaptop, day: date) -> None:
    """PostgreSQL dies, and can't come back while a stranger has its port."""
    port, before = laptop.ports["postgres"], laptop.restarts("postgres")
    with STAGE["after Glue"].reached(laptop, day):
        kill_postgres(laptop)
        with closing(socket.socket()) as stranger:
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            stranger.bind(("127.0.0.1", port))
            stranger.listen()
            until(lambda: laptop.restarts("postgres") >= before + 3, "two restarts in vain")


def s3_throttles(laptop: ChaosLaptop, day: date) -> None:
    """Every third call is asked to slow down, those of the Glue job too."""
    with laptop.faults.rule(Refuse(matches=calls("s3"), status=503, code="SlowDown", every=3)) as slow:
        laptop.land(day)
        until(partial(laptop.loaded, day), "a load in spite of throttling")
        assert slow.hits > 3


def s3_fails(laptop: ChaosLaptop, day: date) -> None:
    """Until a whole run with the retries of its step has failed of it."""
    times = ATTEMPTS * STEP_TRIES
    rule = Refuse(matches=calls("s3"), status=500, code="InternalError", times=times)
    with laptop.faults.rule(rule):
        laptop.land(day)
        until(lambda: rule.hits == times, "a run that fails of S3")


def glue_throttles(laptop: ChaosLaptop, day: date) -> None:
    """Every second call of Glue is refused."""
    rule = Refuse(matches=calls("glue"), status=400, code="ThrottlingException", every=2)
    with laptop.faults.rule(rule):
        laptop.land(day)
        until(partial(laptop.loaded, day), "a load in spite of throttling")
        assert rule.hits > 1


def crawler_is_busy(laptop: ChaosLaptop, day: date) -> None:
    """A catalog without the feed's table asks for a crawl, and the crawler runs already: nobody waits."""
    glue = laptop.client("glue")
    with suppress(glue.exceptions.EntityNotFoundException):
        glue.delete_table(DatabaseName=laptop.settings.glue_database, Name="landing_daily_flights")
    busy = calls("glue", "StartCrawler")
    with laptop.faults.rule(Refuse(matches=busy, status=400, code="CrawlerRunningException")) as refusals:
        laptop.land(day)
        until(partial(laptop.loaded, day), "a load without a crawl")
        assert refusals.hits == 1


def permission_is_missing(laptop: ChaosLaptop, day: date) -> None:
    """The run may not register its day: people are told which permission it lacks."""
    glue = laptop.client("glue")
    with suppress(glue.exceptions.EntityNotFoundException):
        glue.delete_table(DatabaseName=laptop.settings.glue_database, Name="landing_daily_flights")
    registering = calls("glue", "BatchCreatePartition")
    forbidden = Refuse(matches=registering, status=400, code="AccessDeniedException")

    def told() -> list[str]:
        alerts = [alert["message"] for alert in read_alerts(laptop.settings) if alert["event"] == "failed"]
        return [text for text in alerts if f"Partition: {day}" in text]

    with laptop.faults.rule(forbidden):
        laptop.land(day)
        (text, *_) = until(told, "an alert")
    assert "Stage:     crawler and catalog" in text
    assert "AccessDeniedException) when calling the BatchCreatePartition operation" in text
    assert "What to do: give the role that runs Dagster this permission" in text


def bookings_die(laptop: ChaosLaptop, day: date) -> None:
    """A newer day's bookings are there already, and the run of the older one dies in its transaction."""
    newer = day + timedelta(days=1)
    laptop.land_bookings(newer)
    until(partial(laptop.loaded, newer), "the newer day")
    with STAGE["before the commit"].hold(laptop, day) as reach:
        laptop.land_bookings(day)
        reach()
        kill_run(laptop)


def ended(job: str) -> Callable[[], Rule]:
    """Holds the news that a job has succeeded."""

    def answers(call: Call, answer: Answer) -> bool:
        return job_succeeded(call, answer) and job in call.text

    return lambda: Hold(matches=calls("glue", "GetJobRun"), answers=answers)


SHIPMENTS_STAGES: dict[str, Callable[[], Rule]] = {
    "after the first job": ended("shipments_to_parquet"),
    "after the second job": ended("shipments_normalized"),
    "during the query": lambda: Hold(matches=calls("athena", "GetQueryExecution")),
}
"""Typed, with people; normalized, and nobody knows; counted, and nobody is told."""


def shipments_meet(
    strike: Callable[[ChaosLaptop, date], None], stage: str, laptop: ChaosLaptop, day: date
) -> None:
    """Half of the way is done; nothing of it may count twice, and nothing be missing."""
    with laptop.faults.rule(SHIPMENTS_STAGES[stage]()) as hold:
        laptop.land_shipments(day)
        hold.reached()
        strike(laptop, day)
    laptop.up_again()


def shipments_struck() -> list[Scenario]:
    """A shipments' run and all around it killed at each stage, and its file overwritten."""

    def run(laptop: ChaosLaptop, _day: date) -> None:
        kill_run(laptop)

    def everything(laptop: ChaosLaptop, _day: date) -> None:
        kill_everything(laptop)

    def overwrite(laptop: ChaosLaptop, day: date) -> None:
        laptop.land_shipments(day, rows=30)

    strikes = {"run killed": run, "everything killed": everything, "file overwritten": overwrite}
    return [
        Scenario(f"shipments' {fault}", stage, partial(shipments_meet, strike, stage))
        for fault, strike in strikes.items()
        for stage in SHIPMENTS_STAGES
    ]


def disk_is_full(laptop: ChaosLaptop, day: date) -> None:
    """No file of the worker's JVM may grow any more: what writing to a full disk is, of whatever disk."""
    with STAGE["in Glue"].reached(laptop, day):
        machines = [process for process in laptop.spark() if process.name() == "java"]
        assert machines
        for machine in machines:
            resource.prlimit(machine.pid, resource.RLIMIT_FSIZE, (DISK_BYTES, DISK_BYTES))


def clock_is_skewed(hours: int, laptop: ChaosLaptop, day: date) -> None:
    """S3's clock is hours off; then it is corrected, so that a later version's time may be the earlier."""
    skew = Rewrite(matches=calls("s3"), change=skewed(timedelta(hours=hours)))
    with laptop.faults.rule(skew) as moved:
        laptop.land(day)
        until(partial(laptop.loaded, day), "a load under another clock")
        assert moved.hits
    laptop.land(day, without=10)


def overwritten(stage: str, laptop: ChaosLaptop, day: date) -> None:
    """The newer version has to win, in a run of its own: the one it came too late for leaves it the day."""
    before = laptop.run_ids()
    with STAGE[stage].reached(laptop, day):
        laptop.land(day, without=10)
        until(lambda: len(laptop.run_ids() - before) > 1, "a second run")
    _the_later_run_succeeds(laptop, before)


def backfilled_meanwhile(laptop: ChaosLaptop, day: date) -> None:
    """Somebody starts a backfill of the day that a run works on."""
    before = laptop.run_ids()
    with STAGE["after Glue"].reached(laptop, day):
        follow.backfill(laptop.settings, DagsterClient.of(laptop.settings), FLIGHTS, [str(day)])
        until(lambda: len(laptop.run_ids() - before) > 1, "the backfill's run")
    _the_later_run_succeeds(laptop, before)


def _the_later_run_succeeds(laptop: ChaosLaptop, before: set[str]) -> None:
    """Wait for both runs, which may work at once (ADR 0023), and see that the later one has the last word."""

    def finished() -> bool:
        rows = laptop.work_times(before)
        return len(rows) > 1 and all(row["end_time"] for row in rows)

    until(finished, "the end of both runs")
    rows = laptop.work_times(before)
    assert rows[-1]["status"] == "SUCCESS", rows
    assert all(one["end_time"] <= other["end_time"] for one, other in pairwise(rows)), rows


def event_is_lost(laptop: ChaosLaptop, day: date) -> None:
    """The queue is purged before anybody saw the event."""
    settings = laptop.settings
    with laptop.faults.rule(Hold(matches=asks_for_landings)) as hold:
        hold.reached()
        before = queue_depth(settings, settings.landing_queue)
        laptop.land(day)
        until(lambda: queue_depth(settings, settings.landing_queue) > before, "the event in the queue")
        sqs = laptop.client("sqs")
        sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=settings.landing_queue)["QueueUrl"])
        assert queue_depth(settings, settings.landing_queue) == 0


def event_is_doubled(laptop: ChaosLaptop, day: date) -> None:
    """The same message twice in one answer, and once more when it was used."""
    seen: list[str] = []

    def double(call: Call, answer: Answer) -> Answer | None:
        if not is_of(day)(call, answer):
            return None
        messages = answer.json["Messages"]
        seen.extend(message["Body"] for message in messages)
        return answer.with_body(json.dumps({"Messages": messages * 2}).encode())

    with laptop.faults.rule(Rewrite(matches=asks_for_landings, change=double)) as doubled:
        laptop.land(day)
        doubled.reached()
    sqs, queue = laptop.client("sqs"), laptop.settings.landing_queue
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=seen[0])
    until(partial(laptop.loaded, day), "the load")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"], MessageBody=seen[0])


def answer_is_lost(
    matches: Callable[[Call], bool],
    answers: Callable[[date], Callable[[Call, Answer], bool]],
    laptop: ChaosLaptop,
    day: date,
) -> None:
    """The service did it, and who asked never learns: it asks again."""
    with laptop.faults.rule(Drop(matches=matches, answers=answers(day), times=1)) as lost:
        laptop.land(day)
        lost.reached()


def _any(_day: date) -> Callable[[Call, Answer], bool]:
    return lambda _call, _answer: True


def others() -> list[Scenario]:
    """Everything but kills."""
    stops = [
        Scenario("everything stopped", name, partial(_strikes, stop_everything, STAGE[name]))
        for name in ("after the message is received", "in Glue", "before the commit", TOLD)
    ]
    return [
        *stops,
        Scenario("run killed at every retry", "before Glue", dies_at_every_retry),
        Scenario("SNS is down", TOLD, sns_is_down),
        Scenario("S3 throttles", "the whole way", s3_throttles),
        Scenario("S3 fails", "until a run failed of it", s3_fails),
        Scenario("Glue throttles", "the whole way", glue_throttles),
        Scenario("crawler already runs", "before Glue", crawler_is_busy),
        Scenario("permission missing", "BatchCreatePartition", permission_is_missing),
        Scenario("bookings' run killed", "before the commit", bookings_die),
        Scenario("disk full", "in Glue", disk_is_full),
        Scenario("run killed: one Glue run", "in Glue", killed_in_glue_pays_once),
        Scenario("PostgreSQL freezes", "after Glue", warehouse_freezes),
        Scenario("file overwritten", "after Glue", partial(overwritten, "after Glue")),
        Scenario("file overwritten", "before the commit", partial(overwritten, "before the commit")),
        Scenario("backfill of the same day", "after Glue", backfilled_meanwhile),
        Scenario("S3's clock 6 h ahead", "the whole way", partial(clock_is_skewed, 6)),
        Scenario("S3's clock 6 h behind", "the whole way", partial(clock_is_skewed, -6)),
        Scenario("event lost", "before the message is received", event_is_lost),
        Scenario("event doubled", "when the message is received", event_is_doubled),
        Scenario("answer lost", "ReceiveMessage", partial(answer_is_lost, asks_for_landings, is_of)),
        Scenario("answer lost", "StartJobRun", partial(answer_is_lost, calls("glue", "StartJobRun"), _any)),
        Scenario("answer lost", "Publish", partial(answer_is_lost, calls("sns", "Publish"), _any)),
        Scenario("PostgreSQL kept away", "after Glue", warehouse_stays_away),
    ]


SCENARIOS = [*kills(), *others(), *shipments_struck()]

SHORT = [
    ("daemon killed", "after the message is received"),
    ("run killed", "before the commit"),
    ("everything killed", TOLD),
    ("file overwritten", "after Glue"),
]
"""Where a fault is most dangerous. The others, with each component alone, are in the full form."""


def chosen(form: str) -> list[Scenario]:
    """The scenarios of the short or the full form."""
    if form == "full":
        return SCENARIOS
    by_name = {(each.fault, each.stage): each for each in SCENARIOS}
    return [by_name[name] for name in SHORT]
