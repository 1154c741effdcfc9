"""The platform's buckets: the resources that outlive a stack, and that a new stack adopts."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.progress import Progress, silent
from resources.aws.client import make_client

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import ObjectIdentifierTypeDef

BUCKETS = {"LandingBucket": "landing_bucket", "LakeBucket": "lake_bucket", "AuditBucket": "audit_bucket"}
"""Logical id in the template → the setting that names the bucket."""

OURS, SOMEBODY_ELSES = "ours", "somebody else's"
"""Whose a bucket is; S3 also answers like that of somebody else where the caller may not list ours."""


def existing_buckets(settings: Settings) -> dict[str, str]:
    """Find the platform's buckets that are there already: logical id → name.

    Raises:
        AirlineError: A name belongs to somebody else, or to another region.
    """
    names = {logical_id: str(getattr(settings, setting)) for logical_id, setting in BUCKETS.items()}
    owner = _account(settings)
    return {logical_id: name for logical_id, name in names.items() if _is_ours(settings, name, owner)}


def whose_bucket(settings: Settings, name: str, owner: str) -> str | None:
    """Ask S3 whose a bucket name is: None for nobody's, else `OURS`, or in words why it can't be used.

    botocore follows S3's redirect to another region by itself (`S3RegionRedirectorv2`), so such a bucket
    answers, too: the answer's region tells. A laptop has one region, whatever it is called.

    Args:
        settings: Where it should be.
        name: The bucket's.
        owner: The account's number.

    Raises:
        ClientError: S3 does not say.
    """
    try:
        answer = make_client(settings, "s3").head_bucket(Bucket=name, ExpectedBucketOwner=owner)
    except ClientError as error:
        code = error.response["ResponseMetadata"]["HTTPStatusCode"]
        if code == HTTPStatus.NOT_FOUND:
            return None
        if code == HTTPStatus.FORBIDDEN:
            return SOMEBODY_ELSES
        raise
    region = answer.get("BucketRegion", settings.region)
    return OURS if settings.endpoint_url or region == settings.region else f"in {region}"


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


def delete_bucket(settings: Settings, name: str, *, on_progress: Progress = silent) -> int:
    """Delete every version and delete marker of a bucket, a thousand in a call, then the bucket.

    Args:
        settings: Where it is.
        name: Which one.
        on_progress: Told how many are deleted, every hundred calls.

    Returns:
        How many versions and markers there were.

    Raises:
        AirlineError: S3 keeps one of them, or something writes to the bucket.
    """
    client = make_client(settings, "s3")
    # A bucket that somebody else lets us write to answers as well.
    owner = _account(settings)
    pages = client.get_paginator("list_object_versions").paginate(Bucket=name, ExpectedBucketOwner=owner)
    deleted = 0
    for number, page in enumerate(pages, 1):
        versions: list[ObjectIdentifierTypeDef] = [
            {"Key": it["Key"], "VersionId": it["VersionId"]}
            for it in (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        ]
        deleted += _delete_versions(client, name, versions)
        if number % 100 == 0:
            on_progress(f"bucket {name}: {deleted:,} versions deleted")
    try:
        client.delete_bucket(Bucket=name)
    except ClientError as error:
        # CloudTrail writes up to 15 minutes after the last call.
        raise AirlineError(
            f"bucket {name} was expected to be empty, and S3 does not delete it: {error}",
            remedy="Stop what writes to it, CloudTrail's last files come for 15 minutes; then destroy again.",
        ) from error
    on_progress(f"bucket {name} deleted, with {deleted:,} versions")
    return deleted


def _account(settings: Settings) -> str:
    return str(make_client(settings, "sts").get_caller_identity()["Account"])


def _delete_versions(client: "S3Client", bucket: str, versions: "list[ObjectIdentifierTypeDef]") -> int:
    if versions:
        answer = client.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
        if kept := answer.get("Errors"):
            raise AirlineError(
                f"bucket {bucket} was expected to be emptied; S3 keeps {len(kept)} versions, "
                f"{kept[0].get('Key')} because of {kept[0].get('Code')} {kept[0].get('Message')}",
                remedy="Let who destroys call s3:DeleteObjectVersion on it, then destroy again.",
            )
    return len(versions)


def _is_ours(settings: Settings, name: str, owner: str) -> bool:
    whose = whose_bucket(settings, name, owner)
    if whose not in (None, OURS):
        raise AirlineError(
            f"Bucket {name} was expected to be ours or nobody's in {settings.region}; S3 says: it is {whose}",
            remedy="Choose another AIRLINE_NAME (bucket names are global), or the bucket's AWS_REGION.",
        )
    return whose == OURS
