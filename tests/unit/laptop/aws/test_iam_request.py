"""A call on a laptop is asked about as it would be in an account."""

from typing import Any

import pytest

from command.deploy.permissions.ours import our_calls
from laptop.aws.iam_request import iam_request, not_in_the_table

TABLE = tuple(our_calls())


def record(service: str, event: str, caller: str = "airline", **given: Any) -> dict[str, Any]:
    return {
        "userIdentity": {"accessKeyId": caller},
        "eventSource": f"{service}.amazonaws.com",
        "eventName": event,
        "requestParameters": given,
    }


@pytest.mark.parametrize(
    ("call", "asked"),
    [
        (record("s3", "HeadObject", bucketName="b", key="k/l"), ("GetObject", ("b/k/l",))),
        (
            record("s3", "GetObject", bucketName="b", key="k", versionId="1"),
            ("GetObjectVersion", ("b/k",)),
        ),
        (record("s3", "ListObjects", bucketName="b", prefix="p/"), ("ListBucket", ("b",))),
        (record("s3", "DeleteObjects", bucketName="b", delete=""), ("DeleteObject", ("b/*",))),
        (
            record("glue", "GetTable", databaseName="d", name="t"),
            ("GetTable", ("catalog", "database/d", "table/d/t")),
        ),
        (
            record("glue", "UpdateTable", databaseName="d", tableInput={"name": "t"}),
            ("UpdateTable", ("catalog", "database/d", "table/d/t")),
        ),
        (record("glue", "StartCrawler", name="c"), ("StartCrawler", ("crawler/c",))),
        (record("glue", "GetJobRun", jobName="j", runId="r"), ("GetJobRun", ("job/j",))),
        (
            record("logs", "GetLogEvents", logGroupName="/g", logStreamName="s"),
            ("GetLogEvents", ("log-group:/g:log-stream:s",)),
        ),
        (
            record("sqs", "DeleteMessageBatch", queueUrl="http://127.0.0.1:1/000000000000/q"),
            ("DeleteMessage", ("q",)),
        ),
        (record("sns", "Publish", topicArn="arn:aws:sns:r:a:t"), ("Publish", ("t",))),
        (
            record("athena", "GetQueryExecution", queryExecutionId="q"),
            ("GetQueryExecution", ("workgroup/*",)),
        ),
        (
            record("secretsmanager", "GetSecretValue", secretId="n/s"),
            ("GetSecretValue", ("secret:n/s-??????",)),
        ),
        (record("cloudformation", "DescribeStacks", stackName="s"), ("DescribeStacks", ("*",))),
    ],
)
def test_a_call_asks_for_an_action_on_what_it_names(
    call: dict[str, Any], asked: tuple[str, tuple[str, ...]]
) -> None:
    request = iam_request(call)

    assert request
    assert (request.action, request.resources) == asked


def test_calls_of_tests_and_of_the_gateway_itself_are_nobodys() -> None:
    for caller in ("tests", "airline-gateway", ""):
        assert iam_request(record("s3", "GetObject", caller, bucketName="airline-lake", key="k")) is None


@pytest.mark.parametrize(
    "call",
    [
        record("s3", "GetObject", bucketName="airline-landing", key="daily_flights/2013-01-01.csv"),
        record("s3", "DeleteObjects", bucketName="airline-landing"),
        record("s3", "PutObject", bucketName="airline-lake", key="glue_jobs/airline_glue.zip"),
        record("glue", "StartJobRun", jobName="airline-flights"),
        record("athena", "GetQueryResults", queryExecutionId="q"),
        record("secretsmanager", "GetSecretValue", "airline-job", secretId="airline/customer-key"),
        record("sqs", "ReceiveMessage", queueUrl="http://h/0/airline-landing-events"),
    ],
)
def test_what_the_platform_calls_is_in_the_table(call: dict[str, Any]) -> None:
    assert not_in_the_table([call], TABLE) == []


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (
            record("glue", "StopCrawler", name="airline-flights"),
            "DagsterPolicy or deployer: glue:StopCrawler on crawler/airline-flights",
        ),
        (
            record("s3", "PutObject", bucketName="airline-audit", key="AWSLogs/a.json"),
            "DagsterPolicy or deployer: s3:PutObject on airline-audit/AWSLogs/a.json",
        ),
        (
            record("s3", "PutObject", "airline-job", bucketName="airline-landing", key="bookings/a"),
            "JobRole: s3:PutObject on airline-landing/bookings/a",
        ),
        (
            record("secretsmanager", "GetSecretValue", "airline-job", secretId="airline/warehouse"),
            "JobRole: secretsmanager:GetSecretValue on secret:airline/warehouse-??????",
        ),
        (
            record("sqs", "ReceiveMessage", queueUrl="http://h/0/airline-landing-events-dead"),
            "DagsterPolicy or deployer: sqs:ReceiveMessage on airline-landing-events-dead",
        ),
    ],
)
def test_what_is_not_in_the_table_is_told_as_a_row_would_say_it(call: dict[str, Any], told: str) -> None:
    assert not_in_the_table([call, call], TABLE) == [told]
