"""What CloudFormation answers becomes a result, or an error that says why and what to do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from botocore.stub import ANY, Stubber

from airline_platform.errors import AirlineError, StackUnavailable
from airline_platform.settings import Settings
from command.deploy import stack
from command.deploy.change_set import Change
from command.deploy.progress import ResourceEvent
from command.deploy.stack import deploy_stack, deploy_warehouse_stack

Stubbed = Callable[[Any, str], Stubber]
AT = datetime(2013, 1, 1, tzinfo=UTC)
MISSING = ("describe_stacks", "ValidationError", "Stack with id airline does not exist")


def described(status: str, **more: Any) -> dict[str, Any]:
    return {
        "Stacks": [
            {"StackName": "airline", "StackId": "stack/1", "CreationTime": AT, "StackStatus": status, **more}
        ]
    }


def events(*found: tuple[str, str, str | None]) -> dict[str, Any]:
    """Events, newest first: resource, status, reason."""
    return {
        "StackEvents": [
            {
                "StackId": "stack/1",
                "EventId": f"{len(found) - number}",
                "StackName": "airline",
                "Timestamp": AT,
                "LogicalResourceId": resource,
                "ResourceType": "AWS::S3::Bucket",
                "ResourceStatus": status,
                **({"ResourceStatusReason": reason} if reason else {}),
            }
            for number, (resource, status, reason) in enumerate(found)
        ]
    }


@pytest.fixture
def formation(stubbed: Stubbed, monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """CloudFormation, in an account without the platform's buckets."""
    monkeypatch.setattr(stack, "existing_buckets", lambda _settings: {})
    return stubbed(stack, "cloudformation")


def change_set(
    formation: Stubber,
    kind: str,
    status: str,
    reason: str = "",
    parameters: Mapping[str, str] | None = None,
    **more: Any,
) -> None:
    expected = {
        "StackName": "airline",
        "ChangeSetName": ANY,
        "ChangeSetType": kind,
        "TemplateBody": "the template",
        "Parameters": ANY
        if parameters is None
        else [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    }
    formation.add_response("create_change_set", {"Id": "change/1", "StackId": "stack/1"}, expected)
    formation.add_response("describe_change_set", {"Status": status, "StatusReason": reason, **more})


def test_a_stack_that_is_not_there_is_created_with_what_the_settings_say(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_client_error(*MISSING)
    given = {
        "Name": "airline",
        "Stage": "local",
        "PeopleDays": "30",
        "Trigger": "events",
        "AlertEmail": "a@b.c",
    }
    change_set(formation, "CREATE", "CREATE_COMPLETE", parameters=given)
    formation.add_response("describe_stack_events", events())
    formation.add_response("execute_change_set", {}, {"ChangeSetName": "change/1"})
    formation.add_response("describe_stacks", described("CREATE_COMPLETE"))
    formation.add_response("describe_stack_events", events(("LakeBucket", "CREATE_COMPLETE", None)))
    outputs = [{"OutputKey": "LakeBucketName", "OutputValue": "airline-lake"}]
    formation.add_response("describe_stacks", described("CREATE_COMPLETE", Outputs=outputs))
    lines: list[str] = []

    result = deploy_stack(
        no_stack, parameters={"AlertEmail": "a@b.c"}, template="the template", on_progress=lines.append
    )

    assert (result.change, result.adopted) == ("created", ())
    assert result.outputs == {"LakeBucketName": "airline-lake"}
    assert lines == ["LakeBucket CREATE_COMPLETE", "stack airline created"]


def test_an_update_that_changes_nothing_leaves_no_change_set_and_keeps_the_parameters(
    formation: Stubber, no_stack: Settings
) -> None:
    has = [{"ParameterKey": "AlertEmail", "ParameterValue": "a@b.c"}, {"ParameterKey": "Dropped"}]
    formation.add_response("describe_stacks", described("CREATE_COMPLETE"))
    formation.add_response("describe_stacks", described("CREATE_COMPLETE", Parameters=has))
    formation.add_response("get_template_summary", {"Parameters": [{"ParameterKey": "AlertEmail"}]})
    change_set(formation, "UPDATE", "FAILED", "The submitted information didn't contain changes.")
    formation.add_response("delete_change_set", {}, {"ChangeSetName": "change/1"})
    formation.add_response("describe_stacks", described("CREATE_COMPLETE"))

    assert deploy_stack(no_stack, template="the template").change == "unchanged"


def test_a_change_that_is_refused_says_why_and_that_nothing_was_changed(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_client_error(*MISSING)
    change_set(formation, "CREATE", "FAILED", "Template error: no such thing")

    with pytest.raises(AirlineError, match="refused the change of stack airline: Template error") as refused:
        deploy_stack(no_stack, template="the template")
    assert "nothing was changed" in refused.value.remedy


def test_a_stack_that_rolled_back_names_what_failed_and_not_what_was_cancelled(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_client_error(*MISSING)
    change_set(formation, "CREATE", "CREATE_COMPLETE")
    formation.add_response("describe_stack_events", events())
    formation.add_response("execute_change_set", {})
    formation.add_response("describe_stacks", described("ROLLBACK_COMPLETE"))
    found = events(
        ("AuditBucket", "CREATE_FAILED", "Resource creation cancelled"),
        ("LakeBucket", "CREATE_FAILED", "it is taken"),
    )
    formation.add_response("describe_stack_events", found)
    formation.add_response("describe_stack_events", found)

    with pytest.raises(AirlineError) as failed:
        deploy_stack(no_stack, template="the template")
    assert failed.value.args[0].splitlines() == [
        "Stack airline was expected to be complete and is ROLLBACK_COMPLETE:",
        "  LakeBucket (AWS::S3::Bucket): it is taken",
    ]


def test_a_stack_that_was_never_completely_created_is_removed_and_created_anew(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_response("describe_stacks", described("ROLLBACK_COMPLETE"))
    formation.add_response("describe_stack_events", events())
    formation.add_response("delete_stack", {}, {"StackName": "airline"})
    formation.add_response("describe_stacks", described("DELETE_COMPLETE"))
    formation.add_response("describe_stack_events", events())
    change_set(formation, "CREATE", "FAILED", "enough of it")

    with pytest.raises(AirlineError, match="enough of it"):
        deploy_stack(no_stack, template="the template")


def change(action: str, resource: str, **more: Any) -> dict[str, Any]:
    said = {"Action": action, "LogicalResourceId": resource, "ResourceType": "AWS::S3::Bucket", **more}
    return {"Type": "Resource", "ResourceChange": said}


class Person:
    """Gives one answer; remembers what was asked, and which resources were followed."""

    def __init__(self, answer: bool | BaseException) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Sequence[Change]]] = []
        self.followed: list[str] = []

    def approves(self, stack: str, changes: Sequence[Change]) -> bool:
        self.asked.append((stack, changes))
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    @contextmanager
    def following(self, stack: str, resources: int) -> Iterator[Callable[[ResourceEvent], None]]:
        self.followed.append(f"{stack}: {resources}")
        yield lambda event: self.followed.append(f"{event.resource} {event.status}")


def test_the_whole_change_set_is_shown_before_it_is_executed_and_followed_by_resource(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_client_error(*MISSING)
    change_set(
        formation, "CREATE", "CREATE_COMPLETE", Changes=[change("Add", "LakeBucket")], NextToken="second"
    )
    formation.add_response(
        "describe_change_set",
        {"Status": "CREATE_COMPLETE", "Changes": [change("Modify", "Trail", Replacement="Conditional")]},
        {"ChangeSetName": "change/1", "NextToken": "second"},
    )
    formation.add_response("describe_stack_events", events())
    formation.add_response("execute_change_set", {})
    formation.add_response("describe_stacks", described("CREATE_COMPLETE"))
    under_way = ("LakeBucket", "CREATE_IN_PROGRESS", None)
    formation.add_response(
        "describe_stack_events", events(("LakeBucket", "CREATE_COMPLETE", None), under_way)
    )
    formation.add_response("describe_stacks", described("CREATE_COMPLETE"))
    person = Person(answer=True)

    deploy_stack(no_stack, template="the template", review=person)

    shown = (
        Change("Modify", "Trail", "AWS::S3::Bucket", "perhaps"),
        Change("Add", "LakeBucket", "AWS::S3::Bucket", ""),
    )
    assert person.asked == [("airline", shown)]
    assert person.followed == ["airline: 2", "LakeBucket CREATE_IN_PROGRESS", "LakeBucket CREATE_COMPLETE"]


@pytest.mark.parametrize("answer", [False, KeyboardInterrupt()], ids=["no", "Ctrl-C"])
def test_a_new_stack_that_is_declined_leaves_neither_change_set_nor_empty_stack(
    formation: Stubber, no_stack: Settings, answer: bool | BaseException
) -> None:
    formation.add_client_error(*MISSING)
    change_set(formation, "CREATE", "CREATE_COMPLETE", Changes=[change("Add", "LakeBucket")])
    formation.add_response("delete_change_set", {}, {"ChangeSetName": "change/1"})
    formation.add_response("delete_stack", {}, {"StackName": "airline"})

    with pytest.raises((AirlineError, KeyboardInterrupt)):
        deploy_stack(no_stack, template="the template", review=Person(answer))


def test_an_update_that_is_declined_leaves_the_stack(formation: Stubber, no_stack: Settings) -> None:
    formation.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    formation.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    formation.add_response("get_template_summary", {"Parameters": []})
    change_set(formation, "UPDATE", "CREATE_COMPLETE", Changes=[change("Remove", "LakeBucket")])
    formation.add_response("delete_change_set", {}, {"ChangeSetName": "change/1"})

    with pytest.raises(AirlineError, match="was not made, because the answer was no"):
        deploy_stack(no_stack, template="the template", review=Person(answer=False))


def test_a_change_that_was_asked_about_and_never_answered_is_begun_anew(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_response("describe_stacks", described("REVIEW_IN_PROGRESS"))
    change_set(formation, "CREATE", "FAILED", "enough of it")

    with pytest.raises(AirlineError, match="enough of it"):
        deploy_stack(no_stack, template="the template")


def test_an_update_that_is_under_way_is_waited_for(formation: Stubber, no_stack: Settings) -> None:
    formation.add_response("describe_stacks", described("UPDATE_IN_PROGRESS"))
    formation.add_response("describe_stack_events", events())
    for status in ("UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"):
        formation.add_response("describe_stacks", described(status))
        formation.add_response("describe_stack_events", events())
    formation.add_response("describe_stacks", described("UPDATE_COMPLETE"))
    formation.add_response("get_template_summary", {"Parameters": []})
    change_set(formation, "UPDATE", "FAILED", "enough of it")

    with pytest.raises(AirlineError, match="enough of it"):
        deploy_stack(no_stack, template="the template")


def stuck(formation: Stubber, then: str) -> None:
    formation.add_response("describe_stacks", described("UPDATE_ROLLBACK_FAILED"))
    formation.add_response("describe_stack_events", events())
    formation.add_response("continue_update_rollback", {}, {"StackName": "airline"})
    formation.add_response("describe_stacks", described(then))


def test_a_rollback_that_got_stuck_is_continued_and_the_update_made(
    formation: Stubber, no_stack: Settings
) -> None:
    stuck(formation, "UPDATE_ROLLBACK_FAILED")
    formation.add_response("describe_stack_events", events())  # the rollback has not begun yet
    formation.add_response("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"))
    formation.add_response("describe_stack_events", events(("airline", "UPDATE_ROLLBACK_COMPLETE", None)))
    formation.add_response("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"))
    formation.add_response("get_template_summary", {"Parameters": []})
    change_set(formation, "UPDATE", "FAILED", "enough of it")

    with pytest.raises(AirlineError, match="enough of it"):
        deploy_stack(no_stack, template="the template")


def test_a_rollback_that_stays_stuck_says_why_and_how_to_pass_over_it(
    formation: Stubber, no_stack: Settings
) -> None:
    stuck(formation, "UPDATE_ROLLBACK_FAILED")
    for _ in range(2):
        formation.add_response("describe_stack_events", events(("LakeBucket", "UPDATE_FAILED", "is gone")))

    with pytest.raises(AirlineError, match=r"LakeBucket \(AWS::S3::Bucket\): is gone") as stays:
        deploy_stack(no_stack, template="the template")
    assert "--stack-name airline --resources-to-skip" in stays.value.remedy


def test_what_failed_and_cannot_be_removed_says_why(formation: Stubber, no_stack: Settings) -> None:
    formation.add_response("describe_stacks", described("DELETE_FAILED"))
    formation.add_response("describe_stack_events", events())
    formation.add_response("delete_stack", {})
    formation.add_response("describe_stacks", described("DELETE_FAILED"))
    for _ in range(2):
        formation.add_response("describe_stack_events", events(("JobRole", "DELETE_FAILED", "it has more")))

    with pytest.raises(AirlineError, match=r"expected to be deleted and is DELETE_FAILED:\n  JobRole"):
        deploy_stack(no_stack, template="the template")


def test_a_warehouse_whose_deletion_failed_is_not_touched_and_what_to_delete_is_said(
    formation: Stubber, no_stack: Settings
) -> None:
    formation.add_response("describe_stacks", described("DELETE_FAILED"))

    with pytest.raises(AirlineError, match="can't take the name of the namespace") as failed:
        deploy_warehouse_stack(no_stack, "airline-warehouse")
    assert "delete the namespace airline-warehouse with its data, or import it" in failed.value.remedy


@pytest.mark.parametrize("left", [[], ["DELETE_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"]])
def test_an_import_that_rolled_back_to_nothing_is_removed_and_begun_anew(
    formation: Stubber, no_stack: Settings, left: list[str]
) -> None:
    formation.add_response("describe_stacks", described("IMPORT_ROLLBACK_COMPLETE"))
    resource = {"LogicalResourceId": "LakeBucket", "ResourceType": "AWS::S3::Bucket"}
    gone = [{**resource, "LastUpdatedTimestamp": AT, "ResourceStatus": it} for it in left]
    formation.add_response("list_stack_resources", {"StackResourceSummaries": gone})
    formation.add_response("describe_stack_events", events())
    formation.add_response("delete_stack", {})
    formation.add_response("describe_stacks", described("DELETE_COMPLETE"))
    formation.add_response("describe_stack_events", events())
    change_set(formation, "CREATE", "FAILED", "enough of it")

    with pytest.raises(AirlineError, match="enough of it"):
        deploy_stack(no_stack, template="the template")


def test_an_import_whose_rollback_failed_names_the_way_out(formation: Stubber, no_stack: Settings) -> None:
    formation.add_response("describe_stacks", described("IMPORT_ROLLBACK_FAILED"))

    with pytest.raises(AirlineError) as failed:
        deploy_stack(no_stack, template="the template")
    assert "delete-stack --stack-name airline" in failed.value.remedy


def test_without_credentials_nothing_answers_and_the_way_to_log_in_is_said(
    formation: Stubber, no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_credentials(**_: Any) -> None:
        raise NoCredentialsError

    monkeypatch.setattr(formation.client, "describe_stacks", no_credentials)

    with pytest.raises(StackUnavailable, match="credentials were expected") as missing:
        deploy_stack(no_stack, template="the template")
    assert "Sign in" in missing.value.remedy
