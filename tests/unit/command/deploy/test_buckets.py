"""Which buckets are there already, and the bare template that an import of them takes."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.stub import Stubber

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy import buckets
from command.deploy.buckets import BUCKETS, bare_template, existing_buckets

KEYS: Any = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
ACCOUNT = "0" * 12


@pytest.fixture
def s3(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """S3, beside an STS that says whose account it is."""
    assert no_stack.region == "us-east-1"
    clients = {name: boto3.client(name, **KEYS) for name in ("s3", "sts")}
    monkeypatch.setattr(buckets, "make_client", lambda _settings, service: clients[service])
    sts, stub = Stubber(clients["sts"]), Stubber(clients["s3"])
    sts.add_response("get_caller_identity", {"Account": ACCOUNT})
    with sts, stub:
        yield stub
        stub.assert_no_pending_responses()


class NoBody:
    """The body of an answer to HEAD."""

    def stream(self) -> Iterator[bytes]:
        return iter(())


def asked(name: str) -> dict[str, str]:
    return {"Bucket": name, "ExpectedBucketOwner": ACCOUNT}


def test_buckets_that_are_there_are_found_by_their_logical_ids(s3: Stubber, no_stack: Settings) -> None:
    s3.add_response("head_bucket", {}, asked(no_stack.landing_bucket))
    s3.add_client_error("head_bucket", "404", http_status_code=404)
    s3.add_response("head_bucket", {"BucketRegion": no_stack.region}, asked(no_stack.audit_bucket))

    assert existing_buckets(no_stack) == {
        "LandingBucket": no_stack.landing_bucket,
        "AuditBucket": no_stack.audit_bucket,
    }


def test_a_bucket_of_somebody_else_is_refused_by_name(s3: Stubber, no_stack: Settings) -> None:
    s3.add_client_error("head_bucket", "403", http_status_code=403)

    with pytest.raises(AirlineError, match=f"Bucket {no_stack.landing_bucket} .* somebody else's") as wrong:
        existing_buckets(no_stack)
    assert "AIRLINE_NAME" in wrong.value.remedy


def test_a_bucket_of_another_region_is_refused_although_botocore_follows_it_there(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong AWS_REGION must not have `destroy --with-data` empty the buckets of a deployment elsewhere."""
    sent: list[str] = []

    def answer(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        sent.append(request.url)
        status = 200 if "eu-central-1" in request.url else 301
        return AWSResponse(
            request.url, status, HeadersDict({"x-amz-bucket-region": "eu-central-1"}), NoBody()
        )

    client = boto3.client("s3", **KEYS)
    client.meta.events.register("before-send.s3", answer)
    monkeypatch.setattr(buckets, "make_client", lambda _settings, _service: client)
    monkeypatch.setattr(buckets, "_account", lambda _settings: ACCOUNT)

    with pytest.raises(AirlineError, match=f"Bucket {no_stack.landing_bucket} .* in eu-central-1") as wrong:
        existing_buckets(no_stack)
    assert len(sent) == 2
    assert "AWS_REGION" in wrong.value.remedy


def test_the_bare_template_keeps_the_buckets_and_says_nothing_else_of_them() -> None:
    template = json.loads(bare_template({"LakeBucket": "acme-lake"}))

    assert set(BUCKETS) == {"LandingBucket", "LakeBucket", "AuditBucket"}
    assert template["Resources"] == {
        "LakeBucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"BucketName": "acme-lake"},
        }
    }
