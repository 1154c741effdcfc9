"""The platform's buckets: the resources that outlive a stack, and that a new stack adopts."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from botocore.exceptions import ClientError

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from resources.aws.client import make_client

BUCKETS = {"LandingBucket": "landing_bucket", "LakeBucket": "lake_bucket", "AuditBucket": "audit_bucket"}
"""Logical id in the template → the setting that names the bucket."""


def existing_buckets(settings: Settings) -> dict[str, str]:
    """Find the platform's buckets that are there already: logical id → name.

    Raises:
        AirlineError: A name belongs to somebody else, or to another region.
    """
    names = {logical_id: str(getattr(settings, setting)) for logical_id, setting in BUCKETS.items()}
    return {logical_id: name for logical_id, name in names.items() if _is_ours(settings, name)}


def bare_template(buckets: Mapping[str, str]) -> str:
    """Write the template that an import takes: the buckets by name and nothing else.

    Args:
        buckets: Logical id → name.
    """
    return json.dumps(
        {
            "Resources": {
                logical_id: {
                    "Type": "AWS::S3::Bucket",
                    "DeletionPolicy": "Retain",
                    "UpdateReplacePolicy": "Retain",
                    "Properties": {"BucketName": name},
                }
                for logical_id, name in buckets.items()
            }
        }
    )


def _is_ours(settings: Settings, name: str) -> bool:
    try:
        make_client(settings, "s3").head_bucket(Bucket=name)
    except ClientError as error:
        code = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == HTTPStatus.NOT_FOUND:
            return False
        raise AirlineError(
            f"Bucket {name} was expected to be ours or nobody's in {settings.region}; S3 answers {code}",
            remedy="Choose another AIRLINE_NAME (bucket names are global), or the bucket's AWS_REGION.",
        ) from error
    return True
