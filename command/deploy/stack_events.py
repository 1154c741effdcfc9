"""Follows what CloudFormation does to a stack, resource by resource, to its end."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_exponential

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.progress import ResourceEvent, Review
from resources.aws.client import reaching

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef

GONE = "DELETE_COMPLETE"
"""The status of a stack that is not there."""

COMPLETE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
"""States of a stack after an operation that succeeded, and of its resources."""

BEYOND_UPDATE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
"""States of a stack that can only be deleted."""

_Seen = TypeVar("_Seen")


class StackEvents:
    """A stack as CloudFormation describes it, and what happens to it.

    Args:
        client: CloudFormation's.
        settings: Where the stack is.
        name: Its name.
        review: Who follows it.
    """

    def __init__(self, client: "CloudFormationClient", settings: Settings, name: str, review: Review) -> None:
        self._client = client
        self._settings = settings
        self._name = name
        self._review = review

    def describe(self, stack: str | None = None) -> "StackTypeDef | None":
        """Return the stack, by name, or by id, under which a deleted one is found; None where there is none.

        Raises:
            StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        """
        try:
            with reaching(self._settings):
                return self._client.describe_stacks(StackName=stack or self._name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise

    def last(self, stack_id: str) -> "StackEventTypeDef | None":
        """Return the newest event, after which those of the next operation come."""
        return next(self._events(stack_id), None)

    def settle(
        self,
        stack_id: str,
        *,
        after: "StackEventTypeDef | None" = None,
        resources: int = 0,
        started: bool = False,
    ) -> str:
        """Report each resource, until nothing is in progress; return the stack's status.

        Args:
            stack_id: The stack's.
            after: The last event of what went before.
            resources: How many the operation is about.
            started: Whether it was started just now: the status is still that of what went before until
                something has happened.

        Raises:
            AirlineError: It took longer than an hour, on a laptop a minute.
        """
        reported: set[str] = set()
        with self._review.following(self._name, resources) as tell:

            def look() -> "StackTypeDef | None":
                stack = self.describe(stack_id)
                for event in reversed(list(self._events(stack_id, after))):
                    if event["EventId"] not in reported:
                        reported.add(event["EventId"])
                        tell(_read(event))
                return stack

            def over(stack: "StackTypeDef | None") -> bool:
                status = status_of(stack)
                begun = bool(reported) or not started or status == GONE
                return begun and not status.endswith("_IN_PROGRESS")

            return status_of(self.until(look, over))

    def failures(self, stack_id: str, after: "StackEventTypeDef | None") -> str:
        """Return why resources failed in one operation: a line each, the first failure first.

        What was cancelled because of another failure is left out.
        """
        return "\n".join(
            f"  {event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
            for event in reversed(list(self._events(stack_id, after)))
            if event["ResourceStatus"].endswith("_FAILED")
            and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
        )

    def until(self, look: Callable[[], _Seen], done: Callable[[_Seen], bool]) -> _Seen:
        """Look until it is done: many times a second on a laptop, every few seconds in an account."""
        laptop = self._settings.stage == "local"
        retrying = Retrying(
            retry=retry_if_not_result(done),
            wait=wait_exponential(multiplier=0.02, max=0.5) if laptop else wait_exponential(min=1, max=8),
            stop=stop_after_delay(60 if laptop else 3600),
        )
        try:
            return retrying(look)
        except RetryError as error:
            raise AirlineError(
                f"Stack {self._name} was expected to settle; last seen: {error.last_attempt.result()}",
                remedy="Look at the stack's events, then ask again: it continues where this stopped.",
            ) from error

    def _events(
        self, stack_id: str, after: "StackEventTypeDef | None" = None
    ) -> "Iterator[StackEventTypeDef]":
        """Yield the stack's events, newest first, down to but without `after`."""
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if after is not None and event["EventId"] == after["EventId"]:
                    return
                yield event


def status_of(stack: "StackTypeDef | None") -> str:
    """Return a stack's status; `GONE` where there is none."""
    return stack["StackStatus"] if stack else GONE


def _read(event: "StackEventTypeDef") -> ResourceEvent:
    return ResourceEvent(
        event["LogicalResourceId"], event["ResourceType"], event["ResourceStatus"], event["Timestamp"]
    )
