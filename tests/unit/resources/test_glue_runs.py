"""Glue job runs: what a retry adopts of the run before it, and what it does not take for its own."""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import pytest
from botocore.response import StreamingBody
from botocore.stub import ANY, Stubber
from dagster import (
    AssetExecutionContext,
    DagsterInstance,
    DagsterRun,
    MaterializeResult,
    asset,
    materialize,
)
from dagster_pipes import encode_param
from tenacity import wait_none

from airline_platform.errors import GlueJobFailed, InputReplaced
from airline_platform.settings import Settings
from resources import glue
from resources.glue import Glue, chain_of, left_behind

# Of Dagster itself: its Pipes uses what it deprecates, and what it calls a preview.
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*AssetExecutionContext.*:DeprecationWarning", "ignore:Function .Pipes.* in preview"
)

JOB = "airline-flights"
DIGEST, CHAIN = "d1ge5t", "first-run"
ASKED = {
    "--airline-work": DIGEST,
    "--airline-chain": CHAIN,
    "--airline-partitions": "date=2013-01-01,date=2013-01-02",
    "--output": "s3://lake/flights_enriched/",
    "--rejects": "s3://lake/rejects/flights/",
}
ANOTHER_DAY = {**ASKED, "--airline-work": "another", "--airline-partitions": "date=2013-01-09"}
SAME_DAY = {**ASKED, "--airline-work": "another", "--airline-partitions": "date=2013-01-02"}
ELSEWHERE = {**SAME_DAY, "--output": "s3://lake/_tmp/x/", "--rejects": "s3://lake/_tmp/x/rejects/"}


OF_NO_USE = ("FAILED", "TIMEOUT", "STOPPED", "STOPPING", "ERROR", "EXPIRED")


def run(name: str, state: str, arguments: Mapping[str, str] = ASKED) -> Any:
    return {"Id": name, "JobRunState": state, "Arguments": dict(arguments)}


@pytest.mark.parametrize(
    ("runs", "found"),
    [
        ([], None),
        ([run("a", "RUNNING")], "a"),
        ([run("a", "STARTING")], "a"),
        ([run("a", "WAITING")], "a"),
        ([run("a", "SUCCEEDED")], "a"),
        *(([run("a", state)], None) for state in OF_NO_USE),
        ([run("a", "SUCCEEDED", ASKED | {"--airline-work": "another"})], None),
        ([run("a", "RUNNING", ASKED | {"--airline-chain": "another"})], None),
        ([run("a", "SUCCEEDED", {})], None),
        # What came after it decides whether its result is still there.
        ([run("b", "SUCCEEDED", ANOTHER_DAY), run("a", "SUCCEEDED")], "a"),
        ([run("b", "SUCCEEDED", ELSEWHERE), run("a", "SUCCEEDED")], "a"),
        ([run("b", "SUCCEEDED", SAME_DAY), run("a", "SUCCEEDED")], None),
        ([run("b", "FAILED", SAME_DAY), run("a", "SUCCEEDED")], None),
        ([run("b", "FAILED"), run("a", "SUCCEEDED")], None),
        # An ended one never hides one that is at work.
        ([run("b", "SUCCEEDED"), run("a", "RUNNING")], "a"),
        ([run("b", "SUCCEEDED"), run("a", "SUCCEEDED")], "b"),
    ],
)  # fmt: skip
def test_a_run_is_left_behind_that_does_this_or_did_it_and_whose_result_still_stands(
    runs: list[Any], found: str | None
) -> None:
    adopted = left_behind(runs, ASKED)

    assert (adopted and adopted["Id"]) == found


def test_a_run_without_a_digest_adopts_nothing_and_one_that_was_passed_over_is_not_taken_again() -> None:
    without = {name: value for name, value in ASKED.items() if name != "--airline-work"}

    assert left_behind([run("a", "RUNNING", without)], without) is None
    assert left_behind([run("a", "SUCCEEDED")], ASKED, {"a"}) is None


def test_a_chain_is_named_after_its_first_run_and_a_person_who_re_executes_begins_another() -> None:
    def again(run_id: str, parent: str, *, retry: bool = True) -> DagsterRun:
        tags = {"dagster/retry_number": "1"} if retry else {}
        return DagsterRun("flights_job", run_id=run_id, root_run_id="first", parent_run_id=parent, tags=tags)

    runs = [
        DagsterRun("flights_job", run_id="first"),
        again("retry", "first"),
        again("its retry", "retry"),
        again("by hand", "first", retry=False),
        again("retry of by hand", "by hand"),
        again("retry of a run that was deleted", "deleted"),
    ]
    with DagsterInstance.ephemeral() as instance:
        for each in runs:
            instance.add_run(each)
        chains = [chain_of(each, instance) for each in runs]

    assert chains == ["first", "first", "first", "by hand", "by hand", "retry of a run that was deleted"]


# --- with Glue's and S3's answers


def client(service: str) -> Any:
    return boto3.client(service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Stubber]]:
    """The answers of Glue, S3 and CloudWatch, each in its order; nobody waits between them."""
    clients = {name: client(name) for name in ("glue", "s3", "logs")}
    monkeypatch.setattr(Glue, "client", lambda _: clients["glue"])
    monkeypatch.setattr(glue, "make_client", lambda _, name: clients[name])
    for pause in ("POLL", "TURN"):
        monkeypatch.setattr(glue, pause, wait_none())
    stubs = {name: Stubber(each) for name, each in clients.items()}
    for stub in stubs.values():
        stub.activate()
    yield stubs
    for stub in stubs.values():
        stub.assert_no_pending_responses()


def left(name: str, state: str, prefix: str, **arguments: str) -> Any:
    """A run as GetJobRuns gives it, which reports below a prefix."""
    given = {f"--{key.replace('_', '-')}": value for key, value in arguments.items()}
    messages = encode_param({"bucket": "lake", "key_prefix": prefix})
    return run(name, state, ASKED | given | {"--dagster-pipes-messages": messages})


def runs_are(aws: dict[str, Stubber], *runs: Any) -> None:
    aws["glue"].add_response(
        "get_job_runs", {"JobRuns": list(runs)}, {"JobName": JOB, "MaxResults": glue.LATEST_RUNS}
    )


def ends(aws: dict[str, Stubber], name: str, state: str) -> None:
    aws["glue"].add_response("get_job_run", {"JobRun": run(name, state)}, {"JobName": JOB, "RunId": name})


def started(aws: dict[str, Stubber], name: str) -> None:
    aws["glue"].add_response("start_job_run", {"JobRunId": name}, {"JobName": JOB, "Arguments": ANY})


def session_opens(aws: dict[str, Stubber]) -> None:
    aws["s3"].add_response("put_object", {}, {"Bucket": ANY, "Key": ANY, "Body": ANY})


def reports(aws: dict[str, Stubber], key: Any, *files: str, looks: int = 2) -> None:
    """What stands below a prefix at the first look; the later ones find nothing new."""
    custom = {"files": [{"url": url} for url in files]}
    message = {
        "__dagster_pipes_version": "0.1",
        "method": "report_custom_message",
        "params": {"payload": custom},
    }
    body = json.dumps(message).encode()
    chunks = [body] if files else []
    for number, chunk in enumerate(chunks, 1):
        aws["s3"].add_response(
            "get_object",
            {"Body": StreamingBody(io.BytesIO(chunk), len(chunk))},
            {"Bucket": ANY, "Key": f"{key}/{number}.json" if key is not ANY else ANY},
        )
    for _ in range(looks):
        aws["s3"].add_client_error("get_object", "NoSuchKey")


def session_closes(aws: dict[str, Stubber]) -> None:
    aws["s3"].add_response("delete_object", {}, {"Bucket": ANY, "Key": ANY})


def done(no_stack: Settings, before_start: Any = lambda: None) -> tuple[Any, list[Any]]:
    """What a retry of the chain gets of the job."""
    found: list[Any] = []

    @asset
    def made(context: AssetExecutionContext) -> MaterializeResult[None]:
        arguments = {name.removeprefix("--"): value for name, value in ASKED.items() if "chain" not in name}
        found.append(Glue.of(no_stack).run_job(context, JOB, arguments, before_start))
        return MaterializeResult()

    with DagsterInstance.ephemeral() as instance:
        materialize([made], instance=instance)
    ((job_run, messages),) = found
    return job_run, messages


@pytest.fixture(autouse=True)
def of_the_chain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs made by `materialize` are no retries; these are."""
    monkeypatch.setattr(glue, "chain_of", lambda *_: CHAIN)


@pytest.mark.parametrize("state", ["RUNNING", "SUCCEEDED"])
def test_a_retry_takes_the_run_that_was_left_behind_and_its_messages_and_starts_none(
    aws: dict[str, Stubber], no_stack: Settings, state: str
) -> None:
    session_opens(aws)
    runs_are(aws, left("jr_dead", state, "_tmp/pipes/dead/messages"))
    ends(aws, "jr_dead", "SUCCEEDED")
    reports(aws, "_tmp/pipes/dead/messages", "s3://x")
    session_closes(aws)

    job_run, messages = done(no_stack)

    assert job_run["Id"] == "jr_dead"
    assert messages == [{"files": [{"url": "s3://x"}]}]


def test_a_job_that_is_free_is_not_started_where_what_it_was_to_read_is_replaced(
    aws: dict[str, Stubber], no_stack: Settings
) -> None:
    def replaced() -> None:
        raise InputReplaced("another listing", remedy="Nothing.")

    session_opens(aws)
    runs_are(aws, run("jr_other", "RUNNING", SAME_DAY))
    runs_are(aws, run("jr_other", "SUCCEEDED", SAME_DAY))

    with pytest.raises(InputReplaced):
        done(no_stack, replaced)


def test_an_adopted_run_that_fails_is_no_verdict_and_the_job_is_run_anew(
    aws: dict[str, Stubber], no_stack: Settings
) -> None:
    session_opens(aws)
    runs_are(aws, left("jr_dead", "RUNNING", "_tmp/pipes/dead/messages"))
    ends(aws, "jr_dead", "FAILED")
    reports(aws, "_tmp/pipes/dead/messages")
    session_closes(aws)
    session_opens(aws)
    runs_are(aws, left("jr_dead", "FAILED", "_tmp/pipes/dead/messages"))
    started(aws, "jr_own")
    ends(aws, "jr_own", "SUCCEEDED")
    reports(aws, ANY, "s3://x")
    session_closes(aws)

    job_run, messages = done(no_stack)

    assert job_run["Id"] == "jr_own"
    assert messages == [{"files": [{"url": "s3://x"}]}]


def test_a_run_that_succeeded_and_whose_messages_are_gone_is_run_anew(
    aws: dict[str, Stubber], no_stack: Settings
) -> None:
    dead = left("jr_dead", "SUCCEEDED", "_tmp/pipes/dead/messages")
    session_opens(aws)
    runs_are(aws, dead)
    ends(aws, "jr_dead", "SUCCEEDED")
    reports(aws, "_tmp/pipes/dead/messages")
    session_closes(aws)
    session_opens(aws)
    runs_are(aws, dead)
    started(aws, "jr_own")
    ends(aws, "jr_own", "SUCCEEDED")
    reports(aws, ANY, "s3://x")
    session_closes(aws)

    assert done(no_stack)[0]["Id"] == "jr_own"


def test_a_start_whose_answer_was_lost_is_found_and_not_repeated(
    aws: dict[str, Stubber], no_stack: Settings
) -> None:
    session_opens(aws)
    runs_are(aws)
    aws["glue"].add_client_error("start_job_run", "ConcurrentRunsExceededException")
    runs_are(aws, left("jr_own", "RUNNING", "_tmp/pipes/own/messages"))
    ends(aws, "jr_own", "SUCCEEDED")
    reports(aws, "_tmp/pipes/own/messages", "s3://x")
    session_closes(aws)

    assert done(no_stack)[0]["Id"] == "jr_own"


def test_another_runs_work_is_waited_for_and_not_adopted(aws: dict[str, Stubber], no_stack: Settings) -> None:
    other = left("jr_other", "RUNNING", "_tmp/pipes/other/messages", airline_chain="another")
    session_opens(aws)
    runs_are(aws, other)
    runs_are(aws, other | {"JobRunState": "SUCCEEDED"})
    started(aws, "jr_own")
    ends(aws, "jr_own", "SUCCEEDED")
    reports(aws, ANY, "s3://x")
    session_closes(aws)

    assert done(no_stack)[0]["Id"] == "jr_own"


def test_an_own_run_that_fails_is_a_failure(aws: dict[str, Stubber], no_stack: Settings) -> None:
    session_opens(aws)
    runs_are(aws)
    started(aws, "jr_own")
    ends(aws, "jr_own", "FAILED")
    reports(aws, ANY)
    session_closes(aws)
    for _ in ("output", "error"):
        aws["logs"].add_client_error("describe_log_streams", "ResourceNotFoundException")

    with pytest.raises(GlueJobFailed, match="run jr_own ended with FAILED"):
        done(no_stack)
