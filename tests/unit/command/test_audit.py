"""Which of CloudTrail's records are a run's, which log files are read for them, and what the command says."""

import gzip
import io
import json
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command import audit, cli
from command.audit import Window, read_calls, window
from command.dagster_client import RunTimes
from resources.aws import cloudtrail_log

RUN = "7d1c3a52-4d2f-4c39-9f5e-0d3a7c0f1b11"
OTHER = "0f5e9d3a-4d2f-4c39-9f5e-7d1c3a520b22"
ACCOUNT = "0" * 12
NOON = datetime(2013, 2, 1, 12, tzinfo=UTC)
AGENT = "Boto3/1.43.106 md/Botocore#1.43.106 ua/2.1 os/linux#6.1 lang/python#3.11.9 cfg/retry-mode#standard"

# The shapes below are those of the CloudTrail user guide's and S3's examples.
TASK = {
    "type": "AssumedRole",
    "principalId": "AROAEXAMPLE:ecs-task",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/dagster/ecs-task",
    "accountId": ACCOUNT,
    "accessKeyId": "ASIAEXAMPLE",
    "sessionContext": {
        "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLE", "userName": "dagster"},
        "attributes": {"creationDate": "2013-02-01T11:00:00Z", "mfaAuthenticated": "false"},
    },
}
RUN_SESSION = TASK | {
    "principalId": f"AROARUN:{RUN}",
    "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/airline-RunRole-1A2B/{RUN}",
}


def record(action: str = "PutObject", source: str = "s3", second: int = 0, **fields: Any) -> dict[str, Any]:
    """A record of a run's call, as CloudTrail writes it."""
    return {
        "eventVersion": "1.11",
        "userIdentity": TASK,
        "eventTime": f"2013-02-01T12:00:{second:02d}Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": action,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "10.0.0.1",
        "userAgent": f"[{AGENT} airline-run/{RUN}]",
        "requestParameters": None,
        "responseElements": None,
        "requestID": "R1",
        "eventID": f"{action}-{second}",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": source != "s3",
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Data" if source == "s3" else "Management",
    } | fields


def one(**fields: Any) -> cloudtrail_log.Call:
    (call,) = cloudtrail_log.calls_of(RUN, [record(**fields)])
    return call


# --- Records ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "mine"),
    [
        ({}, True),
        ({"userAgent": f"{AGENT} airline-run/{RUN}"}, True),
        ({"userAgent": AGENT, "userIdentity": RUN_SESSION}, True),
        # A service that calls another on behalf of the run, with the run's credentials.
        ({"userAgent": "glue.amazonaws.com", "userIdentity": RUN_SESSION | {"invokedBy": "glue"}}, True),
        ({"userAgent": AGENT}, False),
        ({"userAgent": f"{AGENT} airline-run/{OTHER}"}, False),
        ({"userAgent": f"{AGENT} airline-run/{RUN}-2"}, False),
        ({"userAgent": f"{AGENT} {RUN}"}, False),
        ({"userAgent": None, "userIdentity": None}, False),
        (
            {
                "userAgent": AGENT,
                "userIdentity": {"type": "IAMUser", "arn": f"arn:aws:iam::{ACCOUNT}:user/{RUN}"},
            },
            False,
        ),
        ({"userAgent": AGENT, "requestParameters": {"key": f"_tmp/pipes/{RUN}/x"}}, False),
    ],
)
def test_a_call_is_a_runs_by_its_user_agent_or_by_its_roles_session(
    fields: dict[str, Any], mine: bool
) -> None:
    assert cloudtrail_log.is_of(RUN, record(**fields)) is mine


def test_calls_come_in_the_order_of_their_times_each_once_and_within_a_second_as_they_were_told() -> None:
    told = [
        record("GetObject", second=5),
        record("B", second=1),
        record("A", second=1),
        record("B", second=1),
    ]

    calls = cloudtrail_log.calls_of(RUN, told)

    assert [(call.time[-3:], call.action) for call in calls] == [
        ("01Z", "B"),
        ("01Z", "A"),
        ("05Z", "GetObject"),
    ]


def test_a_failed_call_has_its_code_and_its_reason() -> None:
    failed = one(
        action="StartJobRun",
        source="glue",
        errorCode="ConcurrentRunsExceededException",
        errorMessage="Concurrent runs exceeded for airline-flights",
        requestParameters={"jobName": "airline-flights"},
    )

    assert (failed.service, failed.resource) == ("glue", "airline-flights")
    assert (failed.outcome, failed.reason) == (
        "ConcurrentRunsExceededException", "Concurrent runs exceeded for airline-flights",
    )  # fmt: skip
    assert (one().outcome, one().reason) == ("ok", "")


@pytest.mark.parametrize(
    ("source", "given", "answered", "resource"),
    [
        (
            "s3",
            {"bucketName": "b", "key": "a/ü b.csv", "Host": "b.s3.amazonaws.com"},
            None,
            "s3://b/a/ü b.csv",
        ),
        ("s3", {"bucketName": "b", "list-type": "2", "prefix": "daily/"}, None, "s3://b/daily/"),
        ("s3", {"bucketName": "b"}, {"x-amz-version-id": "1"}, "s3://b/"),
        ("glue", {"jobName": "j", "arguments": {"--a": "b"}}, {"jobRunId": "jr_1"}, "j/jr_1"),
        ("glue", {"jobName": "j", "runId": "jr_1", "predecessorsIncluded": False}, None, "j/jr_1"),
        ("glue", {"jobName": "j", "jobRunIds": ["jr_1", "jr_2"]}, None, "j/jr_1,jr_2"),
        ("glue", {"databaseName": "airline", "name": "t"}, None, "airline/t"),
        ("glue", {"databaseName": "airline", "tableInput": {"name": "t"}}, None, "airline/t"),
        ("glue", {"name": "airline-flights"}, None, "airline-flights"),
        ("secretsmanager", {"secretId": "airline/warehouse"}, None, "airline/warehouse"),
        ("sns", {"topicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:alerts"}, None, "alerts"),
        ("sqs", {"queueUrl": f"https://sqs.us-east-1.amazonaws.com/{ACCOUNT}/q"}, None, "q"),
        ("logs", {"logGroupName": "/airline/error", "logStreamName": "jr_1"}, None, "/airline/error/jr_1"),
        ("sts", {"roleArn": f"arn:aws:iam::{ACCOUNT}:role/r", "roleSessionName": RUN}, None, "role/r"),
        ("ec2", {"maxResults": 5}, None, ""),
    ],
)
def test_what_a_call_was_about_is_named_as_people_name_it(
    source: str, given: dict[str, Any], answered: dict[str, Any] | None, resource: str
) -> None:
    assert one(source=source, requestParameters=given, responseElements=answered).resource == resource


def test_without_telling_parameters_the_records_resources_say_what_it_was_about() -> None:
    arns = [{"type": "AWS::KMS::Key", "ARN": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/k"}, {"ARNPrefix": "x"}]

    assert one(source="kms", resources=arns).resource == "key/k"


def test_a_log_file_is_read_only_where_the_runs_id_is_in_it() -> None:
    packed = cloudtrail_log.pack([record()])

    assert cloudtrail_log.unpack(packed, RUN) == [record()]
    assert cloudtrail_log.unpack(packed, OTHER) == []
    assert cloudtrail_log.unpack(gzip.decompress(packed), RUN) == [record()]


@pytest.mark.parametrize(
    "body",
    [
        cloudtrail_log.pack([record()])[:-20],
        b"\x1f\x8bno gzip",
        f"{RUN} no json".encode(),
        json.dumps([RUN]).encode(),
        json.dumps({"Records": RUN}).encode(),
    ],
)
def test_what_is_no_log_file_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        cloudtrail_log.unpack(body, RUN)


def test_keys_are_cloudtrails() -> None:
    key = cloudtrail_log.file_key(ACCOUNT, "us-east-1", NOON, "u6RkjTBCLfY1Fmox")

    assert key == (
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2013/02/01/"
        f"{ACCOUNT}_CloudTrail_us-east-1_20130201T1200Z_u6RkjTBCLfY1Fmox.json.gz"
    )
    assert cloudtrail_log.written_at(key) == NOON
    assert cloudtrail_log.written_at(f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2013/02/01/") is None


# --- Reading ------------------------------------------------------------------------------------------------


class Bucket:
    """As much of S3 as the reader uses, over a dictionary; it notes what was asked."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects
        self.listed: list[str] = []
        self.read: list[str] = []

    def get_paginator(self, _name: str) -> "Bucket":
        return self

    def paginate(self, *, Bucket: str, Prefix: str, Delimiter: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803
        assert Bucket == "airline-audit"
        self.listed.append(Prefix)
        under = sorted(key for key in self.objects if key.startswith(Prefix))
        if not Delimiter:
            yield from ({"Contents": [{"Key": key}]} for key in under)
        else:
            roots = {Prefix + key.removeprefix(Prefix).split(Delimiter)[0] + Delimiter for key in under}
            yield {"CommonPrefixes": [{"Prefix": root} for root in sorted(roots)]} if roots else {}

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        assert Bucket == "airline-audit"
        self.read.append(Key)
        return {"Body": io.BytesIO(self.objects[Key])}


def log_file(minutes: int, *records: dict[str, Any]) -> tuple[str, bytes]:
    written = NOON + timedelta(minutes=minutes)
    return cloudtrail_log.file_key(ACCOUNT, "us-east-1", written, f"u{minutes}"), cloudtrail_log.pack(
        list(records)
    )


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Bucket:
    holds = Bucket({})
    monkeypatch.setattr(audit, "make_client", lambda _settings, service: {"s3": holds}[service])
    return holds


def test_only_log_files_written_in_the_runs_life_and_some_hours_after_are_read(
    no_stack: Settings, bucket: Bucket
) -> None:
    minutes = (-24 * 60, -10, -3, 0, 20, 3 * 60, 24 * 60)
    bucket.objects = dict(log_file(m, record(second=n)) for n, m in enumerate(minutes))
    bucket.objects |= {f"AWSLogs/{ACCOUNT}/CloudTrail-Digest/x.json.gz": b"no log file"}

    span = Window.of_run(RunTimes(NOON, NOON + timedelta(minutes=5)), NOON)
    found = read_calls(no_stack, RUN, span)

    assert sorted(bucket.read) == [log_file(m)[0] for m in (-3, 0, 20, 3 * 60)]
    assert [call.time[-3:] for call in found.calls] == ["02Z", "03Z", "04Z", "05Z"]
    assert bucket.listed == ["AWSLogs/", f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2013/02/01/"]


def test_a_run_over_midnight_is_read_on_both_days(no_stack: Settings, bucket: Bucket) -> None:
    bucket.objects = dict([log_file(11 * 60 + 59, record(second=1)), log_file(12 * 60 + 1, record(second=2))])
    run = RunTimes(NOON + timedelta(hours=11, minutes=59), NOON + timedelta(hours=12))

    assert len(read_calls(no_stack, RUN, Window.of_run(run, NOON)).calls) == 2


def test_other_runs_calls_in_the_same_log_file_are_left_out(no_stack: Settings, bucket: Bucket) -> None:
    others = record("GetObject", userAgent=f"airline-run/{OTHER}")
    bucket.objects = dict([log_file(1, others, record(), others), log_file(2, others)])

    found = read_calls(no_stack, RUN, Window.of_day(NOON.date()))

    assert [call.action for call in found.calls] == ["PutObject"]


def test_a_damaged_log_file_is_named_and_the_others_are_read(no_stack: Settings, bucket: Bucket) -> None:
    damaged, body = log_file(1, record())
    bucket.objects = dict([(damaged, body[:-9]), log_file(2, record())])

    found = read_calls(no_stack, RUN, Window.of_day(NOON.date()))

    assert (len(found.calls), found.unreadable) == (1, [damaged])


def test_how_many_files_were_read_is_told(no_stack: Settings, bucket: Bucket) -> None:
    bucket.objects = dict(log_file(m, record()) for m in range(3))
    told: list[tuple[int, int]] = []

    read_calls(no_stack, RUN, Window.of_day(NOON.date()), lambda done, of: told.append((done, of)))

    assert told == [(1, 3), (2, 3), (3, 3)]


def test_a_run_without_calls_is_a_failure_that_says_how_late_cloudtrail_is(
    no_stack: Settings, bucket: Bucket
) -> None:
    bucket.objects = dict([log_file(1, record(userAgent=AGENT))])

    with pytest.raises(AirlineError) as refused:
        read_calls(no_stack, RUN, Window.of_day(NOON.date()))

    assert f"expected calls of run {RUN} in the trail, found none in 1 log files" in str(refused.value)
    assert "5 to 15 minutes" in refused.value.remedy


@pytest.mark.parametrize(
    ("code", "told"), [("NoSuchBucket", "airline deploy"), ("AccessDenied", "DagsterPolicyArn")]
)
def test_a_bucket_that_is_not_there_or_not_ours_to_read_is_said_with_what_to_do(
    no_stack: Settings, bucket: Bucket, monkeypatch: pytest.MonkeyPatch, code: str, told: str
) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code, "Message": "no"}}, "ListObjectsV2")

    monkeypatch.setattr(bucket, "paginate", refuse)

    with pytest.raises(AirlineError) as refused:
        read_calls(no_stack, RUN, Window.of_day(NOON.date()))

    assert "airline-audit" in str(refused.value)
    assert told in refused.value.remedy


def test_the_day_that_is_named_counts_then_the_runs_life_then_the_last_week() -> None:
    run = RunTimes(NOON - timedelta(days=30), None)

    assert window(run, date(2013, 1, 5), NOON).first == datetime(2013, 1, 5, tzinfo=UTC)
    assert window(run, None, NOON).first == run.began - timedelta(minutes=5)
    assert window(run, None, NOON).last > NOON
    assert window(None, None, NOON).first == NOON - timedelta(days=7)


# --- The command --------------------------------------------------------------------------------------------


@pytest.fixture
def airline(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], no_stack: Settings):
    """Call the command; give its exit status, stdout and stderr."""
    assert no_stack.endpoint_url is None

    def call(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["airline", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return int(ended.value.code or 0), out, err

    return call


@pytest.mark.parametrize("run_id", ["7d1c3a52", "latest", f"{RUN}x", RUN.upper(), ""])
def test_what_is_no_runs_id_is_a_wrong_call(airline, run_id: str) -> None:
    status, out, err = airline("audit", run_id)

    assert (status, out) == (2, "")
    assert err.startswith("expected a run's id, such as ")
    assert "What to do: " in err


def test_without_a_stack_the_first_line_says_so(airline) -> None:
    status, out, err = airline("audit", RUN)

    assert (status, out) == (1, "")
    assert err.startswith("no laptop stack runs in")


def test_with_json_each_call_is_an_object_and_nothing_else_goes_to_stdout(airline, bucket: Bucket) -> None:
    bucket.objects = dict([log_file(1, record(requestParameters={"bucketName": "b", "key": "k"}))])

    status, out, err = airline("audit", RUN, "--date", "2013-02-01", "--json")

    assert status == 0
    assert json.loads(out) == [
        {
            "time": "2013-02-01T12:00:00Z",
            "service": "s3",
            "action": "PutObject",
            "resource": "s3://b/k",
            "outcome": "ok",
            "reason": "",
            "request_id": "R1",
            "event_id": "PutObject-0",
        }
    ]
    assert "could not be read" not in err


def test_in_a_narrow_terminal_nothing_is_cut_off(
    airline, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    key = "manifests/" + "0123456789" * 12
    bucket.objects = dict([log_file(1, record(requestParameters={"bucketName": "b", "key": key}))])

    _, out, _ = airline("audit", RUN, "--date", "2013-02-01")

    cells = [line.split("│")[4].strip() for line in out.splitlines() if line.startswith("│")]
    assert "".join(cells) == f"s3://b/{key}"


def test_people_see_a_table_and_what_could_not_be_read(
    airline, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    damaged, body = log_file(2, record())
    denied = record(second=7, errorCode="AccessDenied", requestParameters={"bucketName": "b", "key": "k"})
    bucket.objects = dict([log_file(1, denied), (damaged, body[:-9])])

    status, out, err = airline("audit", RUN, "--date", "2013-02-01")

    assert status == 0
    (line,) = [line for line in out.splitlines() if "PutObject" in line]
    assert line.split("│")[1:-1] == [
        f" {cell} " for cell in ("2013-02-01T12:00:07Z", "s3     ", "PutObject", "s3://b/k", "AccessDenied")
    ]
    assert f"may hold calls of the run: s3://airline-audit/{damaged}" in err
