"""A destruction says what it keeps, deletes the platform before its warehouse, and says why a stack stays."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from template_evaluation import parsed

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.settings import Settings
from command.deploy import buckets, destroy
from command.deploy.destroy import RETAINED, RETAINED_OF_WAREHOUSE, Destruction, plan_destruction
from command.deploy.template import render, render_warehouse

Stubbed = Callable[[Any, str], Stubber]
AT = datetime(2013, 1, 1, tzinfo=UTC)


def described(name: str, status: str = "UPDATE_COMPLETE") -> dict[str, Any]:
    return {
        "Stacks": [{"StackName": name, "StackId": f"id/{name}", "CreationTime": AT, "StackStatus": status}]
    }


def listed(*resources: tuple[str, str]) -> dict[str, Any]:
    return {
        "StackResourceSummaries": [
            {
                "LogicalResourceId": logical_id,
                "PhysicalResourceId": name,
                "ResourceType": "AWS::S3::Bucket",
                "ResourceStatus": "CREATE_COMPLETE",
                "LastUpdatedTimestamp": AT,
            }
            for logical_id, name in resources
        ]
    }


@pytest.fixture
def account(no_stack: Settings) -> Settings:
    return no_stack.model_copy(update={"stage": "aws"})


@pytest.fixture
def formation(stubbed: Stubbed, monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """CloudFormation of an account that has a lake and no secret."""
    monkeypatch.setattr(destroy, "existing_buckets", lambda _settings: {"LakeBucket": "airline-lake"})
    monkeypatch.setattr(destroy, "_has_secret", lambda _settings, _name: False)
    return stubbed(destroy, "cloudformation")


@pytest.mark.parametrize(
    ("text", "retained"), [(render(), RETAINED), (render_warehouse(), RETAINED_OF_WAREHOUSE)]
)
def test_what_is_said_to_be_kept_is_what_the_templates_retain(text: str, retained: set[str]) -> None:
    resources = parsed(text)["Resources"]

    assert {key for key, it in resources.items() if "DeletionPolicy" in it} == retained


def test_a_laptop_is_not_destroyed_and_the_command_that_does_is_named(no_stack: Settings) -> None:
    with pytest.raises(WrongCall) as wrong:
        plan_destruction(no_stack, with_data=True, with_warehouse=True)
    assert "airline down" in wrong.value.remedy
    assert "make clean" in wrong.value.remedy


def test_the_warehouse_is_kept_unless_it_is_asked_for(formation: Stubber, account: Settings) -> None:
    formation.add_response("describe_stacks", described("airline"))
    formation.add_response("describe_stacks", described("airline-warehouse"))
    formation.add_response("list_stack_resources", listed(("LakeBucket", "airline-lake"), ("Queue", "q")))

    planned = plan_destruction(account, with_data=False, with_warehouse=False)

    assert planned.stacks == ("airline",)
    assert {it.name: it.fate for it in planned.fates} == {
        "airline-lake": "kept",
        "q": "deleted",
        "airline-warehouse": "kept",
    }


def test_the_warehouse_goes_after_the_platform_and_leaves_its_namespace(
    formation: Stubber, account: Settings
) -> None:
    formation.add_response("describe_stacks", described("airline"))
    formation.add_response("describe_stacks", described("airline-warehouse"))
    formation.add_response("list_stack_resources", listed(("Queue", "q")))
    formation.add_response("list_stack_resources", listed(("Namespace", "n"), ("Workgroup", "w")))

    planned = plan_destruction(account, with_data=True, with_warehouse=True)

    assert (planned.stacks, planned.buckets) == (("airline", "airline-warehouse"), ("airline-lake",))
    assert {it.name: it.fate for it in planned.fates} == {
        "q": "deleted",
        "n": "kept",
        "w": "deleted",
        "airline-lake": "deleted with its data",
    }


def test_a_stack_that_stays_says_why_and_no_bucket_is_touched(formation: Stubber, account: Settings) -> None:
    # An account is looked at every second; a laptop's pace is all that this needs.
    settings = account.model_copy(update={"stage": "local"})
    event = {
        "StackId": "id/airline",
        "EventId": "1",
        "StackName": "airline",
        "Timestamp": AT,
        "LogicalResourceId": "DagsterPolicy",
        "ResourceType": "AWS::IAM::ManagedPolicy",
        "ResourceStatus": "DELETE_FAILED",
        "ResourceStatusReason": "attached to somebody",
    }
    formation.add_response("describe_stacks", described("airline"))
    formation.add_response("describe_stack_events", {"StackEvents": []})
    formation.add_response("delete_stack", {}, {"StackName": "airline"})
    formation.add_response("describe_stacks", described("airline", "DELETE_FAILED"))
    for _ in range(2):
        formation.add_response("describe_stack_events", {"StackEvents": [event]})

    with pytest.raises(
        AirlineError, match=r"DagsterPolicy \(AWS::IAM::ManagedPolicy\): attached to somebody"
    ):
        destroy.destroy(settings, Destruction(("airline",), ("airline-lake",), ()))


def test_a_stack_that_is_protected_says_what_to_take_off(formation: Stubber, account: Settings) -> None:
    formation.add_response("describe_stacks", described("airline"))
    formation.add_response("describe_stack_events", {"StackEvents": []})
    formation.add_client_error("delete_stack", "ValidationError", "TerminationProtection is enabled")

    with pytest.raises(AirlineError, match="TerminationProtection is enabled") as protected:
        destroy.destroy(account, Destruction(("airline",), ("airline-lake",), ()))
    assert "termination protection" in protected.value.remedy


@pytest.fixture
def s3(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """S3 of an account, beside an STS that says whose it is."""
    assert no_stack
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    clients = {name: boto3.client(name, **keys) for name in ("s3", "sts")}
    monkeypatch.setattr(buckets, "make_client", lambda _settings, service: clients[service])
    sts, stub = Stubber(clients["sts"]), Stubber(clients["s3"])
    sts.add_response("get_caller_identity", {"Account": "0" * 12})
    with sts, stub:
        yield stub
        stub.assert_no_pending_responses()


MINE = {"Bucket": "airline-lake", "ExpectedBucketOwner": "0" * 12}
VERSIONS = {"Versions": [{"Key": "a", "VersionId": "1"}], "DeleteMarkers": [{"Key": "a", "VersionId": "2"}]}


def test_a_bucket_loses_versions_and_markers_and_then_itself(s3: Stubber, account: Settings) -> None:
    s3.add_response("list_object_versions", VERSIONS, MINE)
    both = [{"Key": "a", "VersionId": "1"}, {"Key": "a", "VersionId": "2"}]
    s3.add_response(
        "delete_objects", {}, {"Bucket": "airline-lake", "Delete": {"Objects": both, "Quiet": True}}
    )
    s3.add_response("delete_bucket", {}, {"Bucket": "airline-lake"})

    assert buckets.delete_bucket(account, "airline-lake") == 2


def test_a_version_that_s3_keeps_ends_the_destruction(s3: Stubber, account: Settings) -> None:
    s3.add_response("list_object_versions", VERSIONS, MINE)
    s3.add_response("delete_objects", {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "no"}]})

    with pytest.raises(AirlineError, match="S3 keeps 1 versions, a because of AccessDenied no"):
        buckets.delete_bucket(account, "airline-lake")


def test_a_bucket_that_something_still_writes_to_is_said_to_fill_again(
    s3: Stubber, account: Settings
) -> None:
    s3.add_response("list_object_versions", {}, MINE)
    s3.add_client_error("delete_bucket", "BucketNotEmpty")

    with pytest.raises(AirlineError) as filled:
        buckets.delete_bucket(account, "airline-lake")
    assert "15 minutes; then destroy again" in filled.value.remedy
