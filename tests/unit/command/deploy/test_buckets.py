"""Which buckets are there already, and the bare template that an import of them takes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.stub import Stubber

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy import buckets
from command.deploy.buckets import BUCKETS, bare_template, existing_buckets

Stubbed = Callable[[Any, str], Stubber]


def test_buckets_that_are_there_are_found_by_their_logical_ids(stubbed: Stubbed, no_stack: Settings) -> None:
    s3 = stubbed(buckets, "s3")
    s3.add_response("head_bucket", {}, {"Bucket": no_stack.landing_bucket})
    s3.add_client_error("head_bucket", "404", http_status_code=404)
    s3.add_response("head_bucket", {}, {"Bucket": no_stack.audit_bucket})

    assert existing_buckets(no_stack) == {
        "LandingBucket": no_stack.landing_bucket,
        "AuditBucket": no_stack.audit_bucket,
    }


@pytest.mark.parametrize("status", [301, 403])
def test_a_bucket_of_somebody_else_or_another_region_is_refused_by_name(
    stubbed: Stubbed, no_stack: Settings, status: int
) -> None:
    stubbed(buckets, "s3").add_client_error("head_bucket", str(status), http_status_code=status)

    with pytest.raises(
        AirlineError, match=f"Bucket {no_stack.landing_bucket} .* S3 answers {status}"
    ) as wrong:
        existing_buckets(no_stack)
    assert "AIRLINE_NAME" in wrong.value.remedy


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
