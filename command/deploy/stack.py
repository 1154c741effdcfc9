"""CloudFormation stacks, the platform's and its warehouse's: made, or brought up to date.

The platform's is adopted around buckets that are there.
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from botocore.exceptions import ClientError
from tenacity import RetryError, Retrying, retry_if_not_result, stop_after_delay, wait_exponential

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.buckets import bare_template, existing_buckets
from command.deploy.progress import Progress, silent
from command.deploy.template import TEMPLATE, WAREHOUSE_TEMPLATE, render, render_warehouse
from resources.aws.client import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        ParameterTypeDef,
        ResourceToImportTypeDef,
        StackEventTypeDef,
        StackTypeDef,
    )

_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
_NEVER_BEGUN = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
_BEYOND_UPDATE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")

_Seen = TypeVar("_Seen")


@dataclass(frozen=True)
class StackResult:
    """What happened to the CloudFormation stack.

    Args:
        change: Whether there was anything to do.
        adopted: Buckets that were there before the stack and now belong to it.
        outputs: The template's outputs, by name.
    """

    change: Literal["created", "updated", "unchanged"]
    adopted: tuple[str, ...]
    outputs: Mapping[str, str]


def deploy_stack(
    settings: Settings,
    *,
    parameters: Mapping[str, str] | None = None,
    template: str | None = None,
    on_progress: Progress = silent,
) -> StackResult:
    """Create the stack, or bring it up to date.

    A stack that failed to be created is removed and created again. Buckets that exist while the stack does
    not are imported with all they hold, and then configured like new ones.

    Args:
        settings: Where to deploy, and under which name.
        parameters: Of the template, by name; what is left out keeps its value.
        template: Its text; `template.render` writes it where left out.
        on_progress: Called with a line about what is being done.

    Raises:
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        AirlineError: A bucket's name is taken, or CloudFormation refused or rolled back, with its reasons.
    """
    declared = _Declared(settings.name, TEMPLATE, template or render(), _platform_parameters(settings))
    stack = _Stack(settings, declared, on_progress)
    existed = stack.is_there()
    adopted = () if existed else stack.adopt(existing_buckets(settings))
    return stack.bring_up(parameters or {}, existed=existed, adopted=adopted)


def deploy_warehouse_stack(
    settings: Settings,
    name: str,
    *,
    parameters: Mapping[str, str] | None = None,
    on_progress: Progress = silent,
) -> StackResult:
    """Create the stack of a warehouse of the platform's own, or bring it up to date.

    Args:
        settings: Where to deploy, and the platform's name.
        name: The stack's.
        parameters: Of its template, by name; what is left out keeps its value.
        on_progress: Called with a line about what is being done.

    Raises:
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        AirlineError: CloudFormation refused or rolled back, with its reasons.
    """
    declared = _Declared(name, WAREHOUSE_TEMPLATE, render_warehouse(), {"Name": settings.name})
    stack = _Stack(settings, declared, on_progress)
    return stack.bring_up(parameters or {}, existed=stack.is_there())


def stack_outputs(settings: Settings, name: str) -> Mapping[str, str]:
    """Return the outputs of any stack of the account by name; none where there is no such stack.

    Raises:
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
    """
    return _Stack(settings, _Declared(name, TEMPLATE, "", {}), silent).outputs()


@dataclass(frozen=True)
class _Declared:
    """A stack as it is to be.

    Args:
        name: Its name.
        file: Where its template comes from, for people.
        template: The template's text.
        given: Parameters that are always given, because something else decides them.
    """

    name: str
    file: Path
    template: str
    given: Mapping[str, str]


def _platform_parameters(settings: Settings) -> dict[str, str]:
    return {
        "Name": settings.name,
        "Stage": settings.stage,
        "PeopleDays": str(settings.people_days),
        "Trigger": settings.trigger,
    }


class _Stack:
    """A CloudFormation stack. A change set says when nothing changes."""

    def __init__(self, settings: Settings, declared: _Declared, on_progress: Progress) -> None:
        self._settings = settings
        self._name = declared.name
        self._file = declared.file
        self._always = declared.given
        self._template = declared.template
        self._on_progress = on_progress
        self._client = make_client(settings, "cloudformation")

    def bring_up(
        self, parameters: Mapping[str, str], *, existed: bool, adopted: tuple[str, ...] = ()
    ) -> StackResult:
        """Create the stack, or update it where it existed or adopted buckets; return what came of it."""
        changed = self.update(parameters) if existed or adopted else self.create(parameters)
        change: Literal["created", "updated", "unchanged"] = "created"
        if existed:
            change = "updated" if changed else "unchanged"
        self._on_progress(f"stack {self._name} {change}")
        return StackResult(change, adopted, self.outputs())

    def is_there(self) -> bool:
        """Return whether the stack can be updated.

        Waits for a change that is under way, and deletes a stack that was never completely created.
        """
        stack = self._describe()
        status = _status(stack)
        if stack is None or status in _NEVER_BEGUN:
            return False
        if status.endswith("_IN_PROGRESS"):
            self._on_progress(f"stack {self._name}: waiting, it is {status}")
            status = self._settle(stack["StackId"], after=next(self._events(stack["StackId"]), None))
        if status in _BEYOND_UPDATE:
            self._on_progress(f"stack {self._name}: removing what failed ({status})")
            self._client.delete_stack(StackName=self._name)
            self._settle(stack["StackId"])
            return False
        return status not in _NEVER_BEGUN

    def create(self, parameters: Mapping[str, str]) -> bool:
        """Make the stack from nothing."""
        return self._change("CREATE", self._template, self._given(parameters))

    def update(self, parameters: Mapping[str, str]) -> bool:
        """Bring the stack up to date; return False when it was. Parameters not given keep their values."""
        given = self._given(parameters)
        stack = self._describe()
        has = {p["ParameterKey"] for p in stack.get("Parameters", [])} if stack else set()
        declared = self._client.get_template_summary(TemplateBody=self._template)["Parameters"]
        kept = has & {p["ParameterKey"] for p in declared} - {p["ParameterKey"] for p in given}
        previous: list[ParameterTypeDef] = [
            {"ParameterKey": key, "UsePreviousValue": True} for key in sorted(kept)
        ]
        return self._change("UPDATE", self._template, given + previous)

    def adopt(self, buckets: Mapping[str, str]) -> tuple[str, ...]:
        """Make a stack of existing buckets (logical id → name), leaving them and their objects untouched.

        CloudFormation adopts a resource only as it is: `update` then turns versioning and events on.
        """
        if not buckets:
            return ()
        self._on_progress(f"stack {self._name}: adopting {', '.join(buckets.values())}")
        resources: list[ResourceToImportTypeDef] = [
            {
                "ResourceType": "AWS::S3::Bucket",
                "LogicalResourceId": logical_id,
                "ResourceIdentifier": {"BucketName": name},
            }
            for logical_id, name in buckets.items()
        ]
        self._change("IMPORT", bare_template(buckets), [], resources)
        return tuple(buckets.values())

    def outputs(self) -> dict[str, str]:
        """Return the stack's outputs by name."""
        stack = self._describe()
        return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])} if stack else {}

    def _given(self, parameters: Mapping[str, str]) -> "list[ParameterTypeDef]":
        given = {**self._always, **parameters}
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]

    def _describe(self, stack: str | None = None) -> "StackTypeDef | None":
        try:
            with reaching(self._settings):
                return self._client.describe_stacks(StackName=stack or self._name)["Stacks"][0]
        except ClientError as error:
            if "does not exist" in error.response["Error"]["Message"]:
                return None
            raise

    def _change(
        self,
        kind: "ChangeSetTypeType",
        template: str,
        parameters: "list[ParameterTypeDef]",
        imports: "Iterable[ResourceToImportTypeDef]" = (),
    ) -> bool:
        """Put one change set through and wait for its end; return False when there was nothing to change."""
        request: CreateChangeSetInputTypeDef = {
            "StackName": self._name,
            "ChangeSetName": f"airline-{uuid.uuid4().hex}",
            "ChangeSetType": kind,
            "TemplateBody": template,
            "Parameters": parameters,
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        if kind == "IMPORT":
            request["ResourcesToImport"] = list(imports)
        try:
            created = self._client.create_change_set(**request)
        except ClientError as error:
            raise self._refusal(error) from error
        if not self._is_worth_executing(created["Id"]):
            self._client.delete_change_set(ChangeSetName=created["Id"])
            return False
        last_event = next(self._events(created["StackId"]), None)
        self._client.execute_change_set(ChangeSetName=created["Id"])
        self._finish(created["StackId"], after=last_event)
        return True

    def _is_worth_executing(self, change_set: str) -> bool:
        made = _until(
            lambda: self._client.describe_change_set(ChangeSetName=change_set),
            lambda seen: seen["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"),
            self._settings,
        )
        reason = made.get("StatusReason", "")
        if made["Status"] == "CREATE_COMPLETE":
            return True
        if any(words in reason for words in _NOTHING_TO_DO):
            return False
        raise self._refusal(reason)

    def _refusal(self, reason: object) -> AirlineError:
        return AirlineError(
            f"CloudFormation refused the change of stack {self._name}: {reason}",
            remedy=f"Correct {self._file} or the parameters, then deploy again; nothing was changed.",
        )

    def _finish(self, stack_id: str, *, after: "StackEventTypeDef | None") -> None:
        """Wait for the operation's end.

        Raises:
            AirlineError: It failed; with the reason of every resource that did.
        """
        status = self._settle(stack_id, after=after)
        if status in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"):
            return
        reasons = "\n".join(f"  {line}" for line in self._failures(stack_id, after))
        raise AirlineError(
            f"Stack {self._name} was expected to be complete and is {status}:\n{reasons}",
            remedy=f"Correct what the reasons name in {self._file} or its parameters, then deploy again.",
        )

    def _settle(self, stack_id: str, *, after: "StackEventTypeDef | None" = None) -> str:
        """Report each resource that is done, until nothing is in progress; return the stack's status."""
        reported: set[str] = set()

        def look() -> "StackTypeDef | None":
            stack = self._describe(stack_id)
            for event in reversed(list(self._events(stack_id, after))):
                if event["EventId"] not in reported and not event["ResourceStatus"].endswith("_IN_PROGRESS"):
                    reported.add(event["EventId"])
                    self._on_progress(f"{event['LogicalResourceId']} {event['ResourceStatus']}")
            return stack

        return _status(
            _until(look, lambda stack: not _status(stack).endswith("_IN_PROGRESS"), self._settings)
        )

    def _failures(self, stack_id: str, after: "StackEventTypeDef | None") -> list[str]:
        """Return why resources failed in one operation, the first failure first, without cancelled ones."""
        return [
            f"{event['LogicalResourceId']} ({event['ResourceType']}): {event['ResourceStatusReason']}"
            for event in reversed(list(self._events(stack_id, after)))
            if event["ResourceStatus"].endswith("_FAILED")
            and "cancelled" not in event.get("ResourceStatusReason", "cancelled")
        ]

    def _events(
        self, stack_id: str, after: "StackEventTypeDef | None" = None
    ) -> "Iterator[StackEventTypeDef]":
        """Yield the stack's events, newest first, down to but without `after`."""
        for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if after is not None and event["EventId"] == after["EventId"]:
                    return
                yield event


def _status(stack: "StackTypeDef | None") -> str:
    return stack["StackStatus"] if stack else "DELETE_COMPLETE"


def _until(look: Callable[[], _Seen], done: Callable[[_Seen], bool], settings: Settings) -> _Seen:
    """Look until it is done: many times a second on a laptop, every few seconds in an account."""
    laptop = settings.stage == "local"
    retrying = Retrying(
        retry=retry_if_not_result(done),
        wait=wait_exponential(multiplier=0.02, max=0.5) if laptop else wait_exponential(min=1, max=8),
        stop=stop_after_delay(60 if laptop else 3600),
    )
    try:
        return retrying(look)
    except RetryError as error:
        raise AirlineError(
            f"Stack {settings.name} was expected to settle; last seen: {error.last_attempt.result()}",
            remedy="Look at the stack's events, then deploy again: it continues where this stopped.",
        ) from error
