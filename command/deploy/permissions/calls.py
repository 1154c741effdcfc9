"""One call to AWS, and which permission it asks for."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

_ACTIONS = {
    "s3": {
        "HeadObject": "GetObject",
        "GetObject VersionId": "GetObjectVersion",
        "HeadBucket": "ListBucket",
        "ListObjects": "ListBucket",
        "ListObjectsV2": "ListBucket",
        "ListObjectVersions": "ListBucketVersions",
        "DeleteObjects": "DeleteObject",
        "DeleteObjects VersionId": "DeleteObjectVersion",
        "CreateMultipartUpload": "PutObject",
        "UploadPart": "PutObject",
        "CompleteMultipartUpload": "PutObject",
        "ListParts": "ListMultipartUploadParts",
        "ListMultipartUploads": "ListBucketMultipartUploads",
    },
    "sqs": {
        "DeleteMessageBatch": "DeleteMessage",
        "SendMessageBatch": "SendMessage",
        "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
    },
}
"""Operations that ask for an action with another name (Service Authorization Reference, "API operations
defined by Amazon S3"; SQS Developer Guide, "Amazon SQS API permissions"); all others ask for their own."""

NAME = "airline"
"""The platform's name in the table: its default."""


@dataclass(frozen=True)
class Place:
    """Where a call is made: the parts of an ARN that no declaration says."""

    region: str
    account: str

    def fill(self, text: str) -> str:
        """Put region and account into a text where it says `{region}` and `{account}`."""
        return text.replace("{region}", self.region).replace("{account}", self.account)


@dataclass(frozen=True)
class Call:
    """A call that somebody makes, and what it is made on.

    Args:
        actor: Who calls: the logical id of a role or policy in a template, or the name of a service of AWS.
        service: As in the action: `s3`, `glue`.
        operation: botocore's name of it, such as `ListObjectsV2`; empty where AWS calls by itself.
            `VersionId` behind it says that this is given, for which S3 asks for another permission.
        action: IAM's, without the service, such as `ListBucket`.
        resources: All that are asked about, as what follows in their ARNs on the account; `*` in it is any
            text. `*` alone: the action knows no resource.
        called_by: File of this repository, or what in AWS it is that calls.
        document: Page of AWS, or of Hadoop, that says so; empty for our own calls.
        context: Values of condition keys that come with the call.
    """

    actor: str
    service: str
    operation: str
    action: str
    resources: tuple[str, ...]
    called_by: str
    document: str = ""
    context: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def iam_action(self) -> str:
        """The action as a policy names it."""
        return f"{self.service}:{self.action}"

    def arns(self, place: Place) -> tuple[str, ...]:
        """The ARNs, or patterns of ARNs, that it is made on."""
        return tuple(arn(self.service, resource, place) for resource in self.resources)

    def at(self, place: Place) -> "Call":
        """The same call in a region of an account, which stand in it as `{region}` and `{account}`."""
        return replace(
            self,
            actor=place.fill(self.actor),
            resources=tuple(map(place.fill, self.resources)),
            context={key: place.fill(value) for key, value in self.context.items()},
        )


def iam_action(service: str, operation: str) -> str:
    """Return the action an operation asks for, without the service."""
    return _ACTIONS.get(service, {}).get(operation, operation.partition(" ")[0])


def arn(service: str, resource: str, place: Place) -> str:
    """Return the ARN of a resource by what follows in it on the account; `*` stays."""
    if resource == "*":
        return resource
    if service == "s3":
        return f"arn:aws:s3:::{resource}"
    if service == "sts":
        return f"arn:aws:iam::{place.account}:{resource}"
    return f"arn:aws:{service}:{place.region}:{place.account}:{resource}"


def calls(
    actor: str,
    called_by: str,
    service: str,
    operations: str,
    *resources: str,
    document: str = "",
    context: Mapping[str, str] | None = None,
) -> Iterator[Call]:
    """Yield a call for each operation, with commas between, on all of the resources together.

    Args:
        actor: As in `Call`, like all that follow.
        called_by: File of this repository, or what in AWS it is that calls.
        service: As in the action.
        operations: Of botocore; or, where there is a document, actions.
        resources: What follows in their ARNs on the account.
        document: Page that says so.
        context: Values of condition keys.
    """
    for each in operations.split(", "):
        operation, action = ("", each) if document else (each, iam_action(service, each))
        yield Call(actor, service, operation, action, resources, called_by, document, context or {})
