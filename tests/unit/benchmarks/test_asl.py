"""The classic state machine is Amazon States Language, and is walked to either end with a played Glue."""

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cfnlint.jsonschema import StandardValidator
from ministack.services import sns, stepfunctions

# The benchmarks are no part of the distribution: they run where they stand.
sys.path.append(str(Path(__file__).parents[3]))
from benchmarks.classic.pipeline import seconds_by_state, state_machine
from benchmarks.classic.step_functions import POLL_SECONDS, integrations

WAIT_SECONDS = 10
START, LOOK, WAIT, JOB = (
    "Start the crawler",
    "Look at the crawler",
    "Wait for the crawler",
    "Run the job",
)
EVENT = {"detail": {"bucket": {"name": "airlines"}, "object": {"key": "daily_flights/date=2033-01-01/f.csv"}}}


class PlayedGlue:
    """Answers with each state of the crawler and of the job run in turn, and with the last one for ever."""

    def __init__(self) -> None:
        self.crawler, self.job_run = ["READY"], ["SUCCEEDED"]
        self.refusals: list[str] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def start_crawler(self, **asked: Any) -> dict[str, Any]:
        self.calls.append(("start_crawler", asked))
        if self.refusals:
            error = {"Error": {"Code": self.refusals.pop(0), "Message": "No."}}
            raise ClientError(error, "StartCrawler")  # type: ignore[arg-type]
        return {}

    def get_crawler(self, **asked: Any) -> dict[str, Any]:
        self.calls.append(("get_crawler", asked))
        return {"Crawler": {"State": self._next(self.crawler), "CreationTime": datetime.now(UTC)}}

    def start_job_run(self, **asked: Any) -> dict[str, Any]:
        self.calls.append(("start_job_run", asked))
        return {"JobRunId": "jr_1"}

    def get_job_run(self, **asked: Any) -> dict[str, Any]:
        self.calls.append(("get_job_run", asked))
        run = {"Id": "jr_1", "JobRunState": self._next(self.job_run), "StartedOn": datetime.now(UTC)}
        return {"JobRun": run | {"ErrorMessage": "ValueError: bad"}}

    def _next(self, states: list[str]) -> str:
        return states.pop(0) if len(states) > 1 else states[0]

    def count(self, name: str) -> int:
        return [called for called, _ in self.calls].count(name)


class Clock:
    """Counts what would have been waited."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def glue() -> PlayedGlue:
    return PlayedGlue()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def told() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def walk(
    glue: PlayedGlue, clock: Clock, told: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], dict[str, Any]]]:
    def publish(parameters: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        told.append(parameters)
        return 200, {}, "<MessageId>1</MessageId>"

    for beginning, integration in integrations(glue, clock.sleep).items():
        monkeypatch.setitem(stepfunctions._SERVICE_DISPATCH, beginning, integration)
    monkeypatch.setattr(sns, "_publish", publish)
    monkeypatch.setattr(stepfunctions.time, "sleep", clock.sleep)
    definition = state_machine(crawler="c", job="j", topic="arn:aws:sns:us-east-1:000000000000:t")

    def ask(action: Callable[[dict[str, Any]], tuple[int, Any, bytes]], **request: Any) -> dict[str, Any]:
        status, _, body = action(request)
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        return answer

    machine = ask(
        stepfunctions._create_state_machine, name="m", definition=definition, roleArn="arn:aws:iam::0:role/r"
    )["stateMachineArn"]

    def run() -> dict[str, Any]:
        done = ask(stepfunctions._start_sync_execution, stateMachineArn=machine, input=json.dumps(EVENT))
        history = ask(stepfunctions._get_execution_history, executionArn=done["executionArn"])["events"]
        entered = [
            event["stateEnteredEventDetails"] for event in history if "stateEnteredEventDetails" in event
        ]
        return done | {"states": [each["name"] for each in entered]}

    yield run
    stepfunctions.reset()


def test_the_state_machine_is_amazon_states_language_with_no_field_that_has_no_meaning():
    schema = resources.files("cfnlint.data.schemas.other.step_functions") / "statemachine.json"
    definition = json.loads(state_machine(crawler="c", job="j", topic="t"))

    validator = StandardValidator(json.loads(schema.read_text()))
    assert [error.message for error in validator.iter_errors(definition)] == []
    assert "${" not in json.dumps(definition)


def test_a_file_is_crawled_its_job_run_and_people_told(walk, glue, told):
    done = walk()

    assert done["status"] == "SUCCEEDED"
    assert glue.calls[0] == ("start_crawler", {"Name": "c"})
    assert (
        "start_job_run",
        {"JobName": "j", "Arguments": {"--input": "s3://airlines/daily_flights/date=2033-01-01/f.csv"}},
    ) in glue.calls
    assert [(each["Subject"], each["Message"]) for each in told] == [
        ("Flights loaded", "daily_flights/date=2033-01-01/f.csv was loaded.")
    ]


def test_it_waits_ten_seconds_between_two_looks_while_the_crawler_runs_or_stops(walk, glue, clock):
    glue.crawler = ["RUNNING", "STOPPING", "READY"]

    done = walk()

    assert clock.waited.count(WAIT_SECONDS) == 2
    assert [state for state in done["states"] if state in (LOOK, WAIT)] == [LOOK, WAIT, LOOK, WAIT, LOOK]


def test_a_crawler_that_runs_already_is_asked_again_later(walk, glue, clock):
    glue.refusals = ["CrawlerRunningException", "CrawlerRunningException"]

    assert walk()["status"] == "SUCCEEDED"
    assert glue.count("start_crawler") == 3
    assert clock.waited.count(WAIT_SECONDS) == 2


def test_a_crawler_that_cannot_be_started_ends_it_and_people_are_told_why(walk, glue, told):
    glue.refusals = ["EntityNotFoundException"]

    done = walk()

    assert (done["status"], done["error"]) == ("FAILED", "NotLoaded")
    assert JOB not in done["states"]
    assert told[0]["Message"].endswith("f.csv was not loaded. Glue.EntityNotFoundException: No.")


def test_the_job_is_followed_to_its_end(walk, glue, clock):
    glue.job_run = ["STARTING", "RUNNING", "SUCCEEDED"]

    assert walk()["status"] == "SUCCEEDED"
    assert clock.waited.count(POLL_SECONDS) == 2
    assert glue.calls[-1] == ("get_job_run", {"JobName": "j", "RunId": "jr_1"})


@pytest.mark.parametrize("state", ["FAILED", "TIMEOUT", "STOPPED"])
def test_a_job_that_does_not_succeed_ends_it_and_people_are_told_why(walk, glue, told, state):
    glue.job_run = ["RUNNING", state]

    done = walk()

    assert (done["status"], done["error"]) == ("FAILED", "NotLoaded")
    assert [each["Subject"] for each in told] == ["Flights not loaded"]
    assert "States.TaskFailed" in told[0]["Message"]
    assert "ValueError: bad" in told[0]["Message"]


def test_a_states_seconds_are_those_of_all_its_visits():
    def event(kind: str, name: str, second: int) -> dict[str, Any]:
        details = {f"state{kind}EventDetails": {"name": name}}
        return {"timestamp": datetime(2033, 1, 1, 6, 0, second, tzinfo=UTC), **details}

    visits = [(LOOK, 0, 1), (WAIT, 1, 11), (LOOK, 11, 13), (WAIT, 13, 23)]
    history = [event(*each) for name, a, b in visits for each in (("Entered", name, a), ("Exited", name, b))]

    assert seconds_by_state(history) == {LOOK: 3.0, WAIT: 20.0}
