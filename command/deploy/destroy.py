"""Takes a deployment down: its stacks, and on request the buckets with all they hold."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.settings import Settings
from command.deploy.buckets import BUCKETS, delete_bucket, existing_buckets
from command.deploy.progress import Progress, Review, Unasked, silent
from command.deploy.stack_events import GONE, StackEvents, status_of
from command.deploy.warehouse import own_stack
from resources.aws.client import make_client

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

RETAINED = {*BUCKETS, "Key"}
"""Logical ids of the platform's stack that outlive it: DeletionPolicy is RetainExceptOnCreate."""

RETAINED_OF_WAREHOUSE = {"Namespace", "AdminLogin", "Key"}
"""The same, of the warehouse's stack."""


@dataclass(frozen=True)
class Fate:
    """What becomes of one thing.

    Args:
        stack: The stack it belongs to; empty for what belongs to none.
        resource: Its logical id, or what it is.
        name: Its own name.
        fate: deleted, kept, or deleted with its data.
    """

    stack: str
    resource: str
    name: str
    fate: str


@dataclass(frozen=True)
class Destruction:
    """What a destruction would do.

    Args:
        stacks: To be deleted, in this order: the platform's reaches into the warehouse's network.
        buckets: To be emptied and deleted afterwards.
        fates: Of everything, for people.
    """

    stacks: tuple[str, ...]
    buckets: tuple[str, ...]
    fates: tuple[Fate, ...]

    @property
    def kept(self) -> tuple[Fate, ...]:
        """What stays."""
        return tuple(it for it in self.fates if it.fate == "kept")


def plan_destruction(settings: Settings, *, with_data: bool, with_warehouse: bool) -> Destruction:
    """Find what is there, and say what would become of it; nothing is changed.

    Args:
        settings: The deployment.
        with_data: Whether the buckets go, too.
        with_warehouse: Whether the stack of the platform's own warehouse goes, too.

    Raises:
        WrongCall: The stage is a laptop.
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        AirlineError: There is nothing to destroy, or a bucket is somebody else's.
    """
    if settings.stage == "local":
        raise WrongCall(
            "a deployment in an account was expected, and the stage is a laptop",
            remedy="`airline down` stops a laptop's stack, `make clean` deletes it with its data; for an "
            "account say --stage aws.",
        )
    client = make_client(settings, "cloudformation")
    names = {settings.name: RETAINED, own_stack(settings): RETAINED_OF_WAREHOUSE}
    there = {name for name in names if _events(client, settings, name).describe()}
    doomed = tuple(name for name in names if name in there and (name == settings.name or with_warehouse))
    buckets = tuple(existing_buckets(settings).values())
    fates = [it for name in doomed for it in _of_stack(client, name, names[name])]
    fates = [it for it in fates if it.name not in buckets]
    fates += [Fate("", "bucket", name, "deleted with its data" if with_data else "kept") for name in buckets]
    fates += [Fate(name, "stack", name, "kept") for name in names if name in there and name not in doomed]
    secrets = (settings.warehouse_secret, settings.customer_key_secret)
    fates += [Fate("", "secret", name, "kept") for name in secrets if _has_secret(settings, name)]
    if not doomed and not (with_data and buckets):
        raise AirlineError(
            f"expected a stack {settings.name} in {settings.region}, found none",
            remedy="Set AIRLINE_NAME and AWS_REGION to the deployment's; add --with-data where its buckets "
            "alone are left.",
        )
    return Destruction(doomed, buckets if with_data else (), tuple(fates))


def destroy(
    settings: Settings, planned: Destruction, *, on_progress: Progress = silent, review: Review | None = None
) -> None:
    """Delete what was planned; can be repeated where it stopped.

    Args:
        settings: The deployment.
        planned: What `plan_destruction` has found.
        on_progress: Called with a line about what is being done.
        review: Who follows the resources; nobody is asked here.

    Raises:
        StackUnavailable: The endpoint does not answer.
        AirlineError: A stack or a bucket stays, with the reasons.
    """
    client = make_client(settings, "cloudformation")
    for name in planned.stacks:
        events = StackEvents(client, settings, name, review or Unasked(on_progress))
        resources = sum(it.stack == name and it.fate == "deleted" for it in planned.fates)
        _delete_stack(client, events, name, resources, on_progress)
    for name in planned.buckets:
        on_progress(f"bucket {name}: deleting every version of every object, then the bucket")
        delete_bucket(settings, name, on_progress=on_progress)


def _delete_stack(
    client: "CloudFormationClient", events: StackEvents, name: str, resources: int, on_progress: Progress
) -> None:
    stack = events.describe()
    if stack is None:
        return
    stack_id, status = stack["StackId"], status_of(stack)
    if status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS":
        on_progress(f"stack {name}: waiting, it is {status}")
        if events.settle(stack_id, after=events.last(stack_id)) == GONE:
            return
    after = events.last(stack_id)
    on_progress(f"stack {name}: deleting")
    try:
        client.delete_stack(StackName=name)
    except ClientError as error:
        raise AirlineError(
            f"CloudFormation refuses to delete stack {name}: {error}",
            remedy="Take termination protection off, or allow cloudformation:DeleteStack. Then ask again.",
        ) from error
    left = events.settle(stack_id, after=after, resources=resources, started=True)
    if left != GONE:
        raise AirlineError(
            f"stack {name} was expected to be deleted and is {left}:\n{events.failures(stack_id, after)}",
            remedy="Mend what the reasons name (detach a policy that somebody else attached, say), then "
            "destroy again: it continues where this stopped.",
        )


def _events(client: "CloudFormationClient", settings: Settings, name: str) -> StackEvents:
    return StackEvents(client, settings, name, Unasked())


def _of_stack(client: "CloudFormationClient", stack: str, retained: set[str]) -> Iterator[Fate]:
    """The resources of a stack that are there, each with what becomes of it."""
    for page in client.get_paginator("list_stack_resources").paginate(StackName=stack):
        for resource in page["StackResourceSummaries"]:
            if resource["ResourceStatus"] != GONE:
                logical_id = resource["LogicalResourceId"]
                fate = "kept" if logical_id in retained else "deleted"
                yield Fate(stack, logical_id, resource.get("PhysicalResourceId", ""), fate)


def _has_secret(settings: Settings, name: str) -> bool:
    client = make_client(settings, "secretsmanager")
    try:
        client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return False
    return True
