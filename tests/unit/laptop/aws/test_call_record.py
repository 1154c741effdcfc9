"""CloudTrail's record of a call, by its request and its answer."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from laptop.aws.call_record import HIDDEN, Exchange, record
from resources.aws import cloudtrail_log

RUN = "7d1c3a52-4d2f-4c39-9f5e-0d3a7c0f1b11"
NOON = datetime(2013, 2, 1, 12, tzinfo=UTC)
XML_ERROR = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>It is gone</Message></Error>"
SNS_ERROR = b"<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code></Error></ErrorResponse>"


def headers(service: str, **more: str) -> dict[bytes, str]:
    return {
        b"user-agent": f"Boto3/1.43.106 airline-run/{RUN}",
        b"authorization": (
            f"AWS4-HMAC-SHA256 Credential=airline/20130201/eu-central-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0"
        ),
    } | {name.replace("_", "-").encode(): value for name, value in more.items()}


def s3(method: str, path: str, query: str = "", status: int = 200, answer: bytes = b"", **more: str) -> Any:
    """The record of a call of S3."""
    exchange = Exchange(method, path, query, headers("s3", **more), status=status, answer=bytearray(answer))
    return record(exchange, NOON)


def glue(action: str, asked: Any, answered: Any = None, status: int = 200, **more: str) -> Any:
    """The record of a call of Glue."""
    exchange = Exchange(
        "POST", "/", "", headers("glue", x_amz_target=f"AWSGlue.{action}"),
        body=bytearray(asked if isinstance(asked, bytes) else json.dumps(asked).encode()),
        status=status, answer=bytearray(json.dumps(answered).encode() if answered else b""),
        answer_headers={name.replace("_", "-").encode(): value for name, value in more.items()},
    )  # fmt: skip
    return record(exchange, NOON)


@pytest.mark.parametrize(
    ("method", "target", "action", "read"),
    [
        ("GET", "/", "ListBuckets", True),
        ("HEAD", "/b", "HeadBucket", True),
        ("GET", "/b?list-type=2&prefix=a%2F", "ListObjects", True),
        ("GET", "/b/?list-type=2", "ListObjects", True),
        ("GET", "/b?versions&prefix=a", "ListObjectVersions", True),
        ("GET", "/b?location", "GetBucketLocation", True),
        ("POST", "/b?delete", "DeleteObjects", False),
        ("PUT", "/b/k", "PutObject", False),
        ("GET", "/b/k/l?versionId=1", "GetObject", True),
        ("HEAD", "/b/k", "HeadObject", True),
        ("DELETE", "/b/k", "DeleteObject", False),
        ("POST", "/b/k?uploads", "CreateMultipartUpload", False),
        ("PUT", "/b/k?partNumber=1&uploadId=u", "UploadPart", False),
        ("POST", "/b/k?uploadId=u", "CompleteMultipartUpload", False),
        ("DELETE", "/b/k?uploadId=u", "AbortMultipartUpload", False),
        ("GET", "/b/k?tagging", "GetObjectTagging", True),
    ],
)
def test_s3s_calls_have_cloudtrails_names(method: str, target: str, action: str, read: bool) -> None:
    path, _, query = target.partition("?")
    call = s3(method, path, query)

    assert (call["eventName"], call["readOnly"]) == (action, read)


def test_a_copy_is_a_copy() -> None:
    assert s3("PUT", "/b/k", x_amz_copy_source="/b/j")["eventName"] == "CopyObject"


def test_a_record_has_cloudtrails_shape_and_the_reader_understands_it() -> None:
    written = s3("PUT", "/airline-lake/manifests/ü 1.json")

    assert written["eventTime"] == "2013-02-01T12:00:00Z"
    assert written["awsRegion"] == "eu-central-1"
    assert written["userIdentity"]["accessKeyId"] == "airline"
    assert written["requestParameters"] == {"bucketName": "airline-lake", "key": "manifests/ü 1.json"}
    assert "errorCode" not in written
    (call,) = cloudtrail_log.calls_of(RUN, [written])
    assert (call.time, call.service, call.action, call.resource, call.outcome) == (
        "2013-02-01T12:00:00Z", "s3", "PutObject", "s3://airline-lake/manifests/ü 1.json", "ok",
    )  # fmt: skip


def test_a_started_job_run_has_the_id_it_was_given() -> None:
    started = glue("StartJobRun", {"JobName": "airline-flights"}, {"JobRunId": "jr_1"})

    assert started["requestParameters"] == {"jobName": "airline-flights"}
    assert started["responseElements"] == {"jobRunId": "jr_1"}
    assert cloudtrail_log.calls_of(RUN, [started])[0].resource == "airline-flights/jr_1"


def test_what_is_read_is_not_kept_nor_are_secrets_and_messages() -> None:
    read = glue("GetTable", {"DatabaseName": "d", "Name": "t"}, {"Table": {"Name": "t"}})
    put = glue("PutSecretValue", {"SecretId": "s", "Deep": {"SecretString": "x"}, "SecretString": "x"})
    told = Exchange(
        "POST", "/", "", headers("sns"), status=200,
        body=bytearray(b"Action=Publish&Version=1&TopicArn=arn%3Aaws%3Asns%3A%3A%3Aalerts&Message=x&Subject=y"),
    )  # fmt: skip

    assert read["responseElements"] is None
    assert put["requestParameters"] == {
        "secretId": "s", "deep": {"secretString": HIDDEN}, "secretString": HIDDEN,
    }  # fmt: skip
    published = record(told, NOON)
    assert published["eventName"] == "Publish"
    assert published["requestParameters"] == {
        "topicArn": "arn:aws:sns:::alerts", "message": HIDDEN, "subject": HIDDEN,
    }  # fmt: skip


def test_of_a_long_request_only_what_names_it_is_kept() -> None:
    partitions = [{"Values": [str(n)], "StorageDescriptor": {"Location": "x" * 100}} for n in range(100)]

    found = glue(
        "BatchCreatePartition", {"DatabaseName": "d", "TableName": "t", "PartitionInputList": partitions}
    )

    assert found["requestParameters"] == {"databaseName": "d", "tableName": "t"}


@pytest.mark.parametrize(
    ("found", "code", "message"),
    [
        (s3("GET", "/b/k", status=404, answer=XML_ERROR), "NoSuchKey", "It is gone"),
        (s3("HEAD", "/b/k", status=404), "NoSuchKey", None),
        (s3("HEAD", "/b", status=404), "NoSuchBucket", None),
        (s3("GET", "/b/k", status=416), "InvalidRange", None),
        (s3("GET", "/b/k", status=304), "NotModified", None),
        (s3("PUT", "/b/k", status=599), "599", None),
        (
            glue(
                "StartJobRun", {"JobName": "j"},
                {"__type": "ConcurrentRunsExceededException", "message": "4 run"}, 400,
                x_amzn_errortype="ConcurrentRunsExceededException",
            ),
            "ConcurrentRunsExceededException", "4 run",
        ),
        (
            glue("GetTable", {}, {"__type": "com.aws#EntityNotFoundException", "Message": "no"}, 400),
            "EntityNotFoundException", "no",
        ),
        (
            glue("GetTable", {}, {"message": "no"}, 400, x_amzn_errortype="ThrottlingException:http://x"),
            "ThrottlingException", "no",
        ),
        (record(Exchange("POST", "/", "", headers("sns"), status=404, answer=bytearray(SNS_ERROR)), NOON),
         "NotFound", None),
        (glue("GetTable", b"\xff no json", None, 500), "500", None),
    ],
)  # fmt: skip
def test_a_refused_call_has_its_errors_code_whatever_the_protocol(
    found: Any, code: str, message: str | None
) -> None:
    assert (found["errorCode"], found.get("errorMessage")) == (code, message)
    assert found["responseElements"] is None
