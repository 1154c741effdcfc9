"""Faults and the stages they strike at, as data; every pair that makes sense is a scenario."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import date
from functools import partial

import psutil
from chaos.faults import Answer, Call, Hold, Rule
from chaos.laptop import ChaosLaptop, until

from airline_platform.local import processes, stack
from airline_platform.settings import Settings

Reach = Callable[[], None]
Attack = Callable[[ChaosLaptop, date], None]


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
    Stage("after the commit, before the alert", _committed),
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


VICTIMS: dict[str, Callable[[ChaosLaptop], None]] = {
    "run": kill_run,
    "worker": kill_worker,
    "gateway": partial(kill_component, "gateway"),
    "PostgreSQL": kill_postgres,
    "daemon": partial(kill_component, "daemon"),
    "code server": partial(kill_component, "code-server"),
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


def _kills(victim: str, stage: Stage, laptop: ChaosLaptop, day: date) -> None:
    with stage.reached(laptop, day):
        VICTIMS[victim](laptop)
    if victim == "everything":
        laptop.up()


def kills() -> list[Scenario]:
    """Stage by stage, so that the same component does not die too often in a short time."""
    return [
        Scenario(f"{victim} killed", stage.name, partial(_kills, victim, stage))
        for stage in STAGES
        for victim in VICTIMS
        if stage.has_run or victim != "run"
    ]


SCENARIOS = [*kills()]

SHORT = {
    ("run killed", "before the commit"),
    ("run killed", "after the commit, before the alert"),
    ("daemon killed", "after the message is received"),
    ("worker killed", "in Glue"),
    ("gateway killed", "during COPY"),
    ("PostgreSQL killed", "before the commit"),
    ("everything killed", "after the commit, before the alert"),
}


def chosen(form: str) -> list[Scenario]:
    """The scenarios of the short or the full form."""
    full = form == "full"
    return [each for each in SCENARIOS if full or (each.fault, each.stage) in SHORT]
