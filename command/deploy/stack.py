"""CloudFormation stacks, the platform's and its warehouse's: made, or brought up to date.

The platform's is adopted around buckets that are there.
"""

import uuid
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from botocore.exceptions import ClientError

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.buckets import bare_template, existing_buckets
from command.deploy.change_set import Change, changes_of
from command.deploy.progress import Progress, Review, Unasked, silent
from command.deploy.stack_events import BEYOND_UPDATE, COMPLETE, GONE, StackEvents, status_of
from command.deploy.template import TEMPLATE, WAREHOUSE_TEMPLATE, render, render_warehouse
from resources.aws.client import make_client

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.literals import ChangeSetTypeType
    from mypy_boto3_cloudformation.type_defs import (
        CreateChangeSetInputTypeDef,
        ParameterTypeDef,
        ResourceToImportTypeDef,
        StackEventTypeDef,
    )

_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")
_NEVER_BEGUN = ("REVIEW_IN_PROGRESS", GONE)
_STUCK = ("UPDATE_ROLLBACK_FAILED",)


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
    review: Review | None = None,
) -> StackResult:
    """Create the stack, or bring it up to date.

    A change that is under way is waited for, a stack that failed to be created is removed and created again,
    and a rollback that got stuck is continued. Buckets that exist while the stack does
    not are imported with all they hold, and then configured like new ones.

    Args:
        settings: Where to deploy, and under which name.
        parameters: Of the template, by name; what is left out keeps its value.
        template: Its text; `template.render` writes it where left out.
        on_progress: Called with a line about what is being done.
        review: Who is asked before each change set is executed; nobody where left out.

    Raises:
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        AirlineError: A bucket's name is taken, the answer was no, or CloudFormation refused or rolled back,
            with its reasons.
    """
    declared = _Declared(settings.name, TEMPLATE, template or render(), _platform_parameters(settings))
    stack = _Stack(settings, declared, on_progress, review)
    existed = stack.is_there()
    adopted = () if existed else stack.adopt(existing_buckets(settings))
    return stack.bring_up(parameters or {}, existed=existed, adopted=adopted)


def deploy_warehouse_stack(
    settings: Settings,
    name: str,
    *,
    parameters: Mapping[str, str] | None = None,
    on_progress: Progress = silent,
    review: Review | None = None,
) -> StackResult:
    """Create the stack of a warehouse of the platform's own, or bring it up to date.

    Args:
        settings: Where to deploy, and the platform's name.
        name: The stack's.
        parameters: Of its template, by name; what is left out keeps its value.
        on_progress: Called with a line about what is being done.
        review: Who is asked before each change set is executed; nobody where left out.

    Raises:
        StackUnavailable: The endpoint does not answer, or there are no credentials for it.
        AirlineError: CloudFormation refused or rolled back, with its reasons.
    """
    declared = _Declared(
        name, WAREHOUSE_TEMPLATE, render_warehouse(), {"Name": settings.name}, keeps_names=True
    )
    stack = _Stack(settings, declared, on_progress, review)
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
        keeps_names: Whether its deletion keeps something under a name that it would take again, and that is
            not adopted.
    """

    name: str
    file: Path
    template: str
    given: Mapping[str, str]
    keeps_names: bool = False


def _platform_parameters(settings: Settings) -> dict[str, str]:
    return {
        "Name": settings.name,
        "Stage": settings.stage,
        "PeopleDays": str(settings.people_days),
        "Trigger": settings.trigger,
    }


class _Stack:
    """A CloudFormation stack. A change set says when nothing changes."""

    def __init__(
        self, settings: Settings, declared: _Declared, on_progress: Progress, review: Review | None = None
    ) -> None:
        self._name = declared.name
        self._file = declared.file
        self._always = declared.given
        self._keeps_names = declared.keeps_names
        self._template = declared.template
        self._on_progress = on_progress
        self._review = review or Unasked(on_progress)
        self._client = make_client(settings, "cloudformation")
        self._events = StackEvents(self._client, settings, declared.name, self._review)

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
        """Return whether the stack can be updated, after what an earlier deployment has left is tidied up.

        A change that is under way is waited for. A stack that was never completely created is deleted. A
        rollback that got stuck is tried once more.

        Raises:
            AirlineError: The stack stays as it is until somebody does something about it.
        """
        stack = self._events.describe()
        status = status_of(stack)
        if stack is None or status in _NEVER_BEGUN:
            return False
        stack_id = stack["StackId"]
        if status.endswith("_IN_PROGRESS"):
            self._on_progress(f"stack {self._name}: waiting, it is {status}")
            status = self._events.settle(stack_id, after=self._events.last(stack_id))
        if status in _STUCK:
            status = self._roll_back_again(stack_id)
        if status == "IMPORT_ROLLBACK_FAILED":
            raise AirlineError(
                f"stack {self._name} was expected to be complete and is {status}",
                remedy=f"Delete it (`aws cloudformation delete-stack --stack-name {self._name}`): the "
                "buckets it was to adopt stay. Then deploy again.",
            )
        if status in BEYOND_UPDATE or (status == "IMPORT_ROLLBACK_COMPLETE" and self._is_empty()):
            self._remove(stack_id, status)
            return False
        return status not in _NEVER_BEGUN

    def _is_empty(self) -> bool:
        """Whether the stack has no resource: so one is left that was to adopt buckets and could not.

        CloudFormation lists resources that are gone, too, for 90 days.
        """
        listed = self._client.list_stack_resources(StackName=self._name)["StackResourceSummaries"]
        return not any(it["ResourceStatus"] in COMPLETE for it in listed)

    def _roll_back_again(self, stack_id: str) -> str:
        """Continue a rollback that failed, which often needs no more than time; return the stack's status."""
        self._on_progress(f"stack {self._name}: continuing the rollback that failed")
        after = self._events.last(stack_id)
        self._client.continue_update_rollback(StackName=self._name)
        status = self._events.settle(stack_id, after=after, started=True)
        if status not in _STUCK:
            return status
        raise AirlineError(
            f"stack {self._name} can't be rolled back; it is {status}:\n"
            f"{self._events.failures(stack_id, after)}",
            remedy="Mend what the reasons name and deploy again; or let CloudFormation pass over it: `aws "
            f"cloudformation continue-update-rollback --stack-name {self._name} --resources-to-skip ID`.",
        )

    def _remove(self, stack_id: str, status: str) -> None:
        """Delete what is left of a stack that never was complete.

        Raises:
            AirlineError: Something stays; or the stack was complete and what its deletion has kept has a name
                that a new stack would take.
        """
        if self._keeps_names and status == "DELETE_FAILED":
            raise AirlineError(
                f"stack {self._name} was expected to be complete and is {status}; a new one can't take the "
                "name of the namespace that its deletion keeps",
                remedy="Mend what its events name, end its deletion (`airline destroy --with-warehouse`), "
                f"and delete the namespace {self._name} with its data, or import it into a new stack.",
            )
        self._on_progress(f"stack {self._name}: removing what failed ({status})")
        after = self._events.last(stack_id)
        self._client.delete_stack(StackName=self._name)
        if (left := self._events.settle(stack_id, after=after, started=True)) == GONE:
            return
        raise AirlineError(
            f"stack {self._name}, which is {status}, was expected to be deleted and is {left}:\n"
            f"{self._events.failures(stack_id, after)}",
            remedy="Mend what the reasons name, then deploy again.",
        )

    def create(self, parameters: Mapping[str, str]) -> bool:
        """Make the stack from nothing."""
        return self._change("CREATE", self._template, self._given(parameters))

    def update(self, parameters: Mapping[str, str]) -> bool:
        """Bring the stack up to date; return False when it was. Parameters not given keep their values."""
        given = self._given(parameters)
        stack = self._events.describe()
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
        stack = self._events.describe()
        return {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])} if stack else {}

    def _given(self, parameters: Mapping[str, str]) -> "list[ParameterTypeDef]":
        given = {**self._always, **parameters}
        return [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()]

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
        changes = self._found(created["Id"])
        if changes is None:
            self._client.delete_change_set(ChangeSetName=created["Id"])
            return False
        self._ask(created["Id"], kind, changes)
        last_event = self._events.last(created["StackId"])
        self._client.execute_change_set(ChangeSetName=created["Id"])
        self._finish(created["StackId"], after=last_event, resources=len(changes))
        return True

    def _found(self, change_set: str) -> tuple[Change, ...] | None:
        """What the change set would do; None for nothing at all.

        Raises:
            AirlineError: CloudFormation can't make the change set.
        """
        made = self._events.until(
            lambda: self._client.describe_change_set(ChangeSetName=change_set),
            lambda seen: seen["Status"] not in ("CREATE_PENDING", "CREATE_IN_PROGRESS"),
        )
        reason = made.get("StatusReason", "")
        if made["Status"] != "CREATE_COMPLETE":
            if any(words in reason for words in _NOTHING_TO_DO):
                return None
            raise self._refusal(reason)
        listed = list(made.get("Changes", ()))
        while token := made.get("NextToken"):
            made = self._client.describe_change_set(ChangeSetName=change_set, NextToken=token)
            listed += made.get("Changes", ())
        return changes_of(listed)

    def _ask(self, change_set: str, kind: "ChangeSetTypeType", changes: tuple[Change, ...]) -> None:
        """Show the changes and ask for them; where they may not be made, leave nothing behind.

        Raises:
            AirlineError: The answer was no.
        """
        approved = False
        try:
            approved = self._review.approves(self._name, changes)
        finally:
            if not approved:
                self._discard(change_set, kind)
        if not approved:
            raise AirlineError(
                f"the change of stack {self._name} was not made, because the answer was no",
                remedy="Deploy again when it may be made: what came before it stays, and is not made twice.",
            )

    def _discard(self, change_set: str, kind: "ChangeSetTypeType") -> None:
        """Delete a change set, and the empty stack that it made where there was none (aws-cdk-cli#1503)."""
        self._client.delete_change_set(ChangeSetName=change_set)
        if kind != "UPDATE":
            # Where it stays, in REVIEW_IN_PROGRESS, it is in nobody's way.
            with suppress(ClientError):
                self._client.delete_stack(StackName=self._name)

    def _refusal(self, reason: object) -> AirlineError:
        return AirlineError(
            f"CloudFormation refused the change of stack {self._name}: {reason}",
            remedy=f"Correct {self._file} or the parameters, then deploy again; nothing was changed.",
        )

    def _finish(self, stack_id: str, *, after: "StackEventTypeDef | None", resources: int) -> None:
        """Wait for the operation's end.

        Raises:
            AirlineError: It failed; with the reason of every resource that did.
        """
        status = self._events.settle(stack_id, after=after, resources=resources, started=True)
        if status in COMPLETE:
            return
        raise AirlineError(
            f"Stack {self._name} was expected to be complete and is {status}:\n"
            f"{self._events.failures(stack_id, after)}",
            remedy=f"Correct what the reasons name in {self._file} or its parameters, then deploy again.",
        )
