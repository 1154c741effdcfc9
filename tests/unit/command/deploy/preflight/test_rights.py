"""What IAM's simulation says becomes allowed, denied or unknown, for every resource that is deployed."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from template_evaluation import evaluate, parsed

from airline_platform.settings import Settings
from command.deploy.permissions.calls import NAME
from command.deploy.permissions.ours import DEPLOYER, our_calls
from command.deploy.preflight import rights
from command.deploy.preflight.account import Caller
from command.deploy.preflight.rights import PLATFORM, WAREHOUSE, Need
from command.deploy.template import render, render_warehouse

Stubbed = Callable[[Any, str], Stubber]
ACCOUNT = "0" * 12
SESSION = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/me")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/a/path/deployer"
SAME_SERVICE = {
    "AWS::S3::BucketPolicy": "s3:PutBucketPolicy",
    "AWS::SQS::QueuePolicy": "sqs:SetQueueAttributes",
    "AWS::SNS::TopicPolicy": "sns:SetTopicAttributes",
    "AWS::SNS::Subscription": "sns:Subscribe",
    "AWS::Events::Rule": "events:PutRule",
    "AWS::CloudWatch::Alarm": "cloudwatch:PutMetricAlarm",
    "AWS::IAM::ManagedPolicy": "iam:CreatePolicy",
    "AWS::EC2::SecurityGroupIngress": "ec2:AuthorizeSecurityGroupIngress",
    "AWS::EC2::SubnetRouteTableAssociation": "ec2:AssociateRouteTable",
    "AWS::RedshiftServerless::Namespace": "redshift-serverless:CreateNamespace",
    "AWS::RedshiftServerless::Workgroup": "redshift-serverless:CreateWorkgroup",
}
"""Types whose making is not called Create and the type's name."""


def test_the_making_of_every_deployed_type_is_simulated() -> None:
    made = {
        resource["Type"]
        for text, given in ((render(), {"Stage": "aws"}), (render_warehouse(), {}))
        for resource in evaluate(parsed(text), given).resources.values()
    }
    simulated = {action.lower() for need in (*PLATFORM, *WAREHOUSE) for action in need.actions}

    needed = {kind: SAME_SERVICE.get(kind) or _create(kind) for kind in made}

    assert {kind: it for kind, it in needed.items() if it.lower() not in simulated} == {}


def test_every_call_of_a_deployment_is_simulated_on_its_kind_of_resource() -> None:
    by_destroy = ("command/deploy/destroy.py", "command/deploy/recovery.py")
    only_destroyed = {"s3:ListBucketVersions", "s3:DeleteBucket", "s3:DeleteObjectVersion"}
    of_laptops_and_clusters = {"glue:StartCrawler", "redshift:GetClusterCredentialsWithIAM"}
    everybodys = {"sts:GetCallerIdentity"}
    needed = {
        call.iam_action for call in our_calls() if call.actor == DEPLOYER and call.called_by not in by_destroy
    }

    simulated = {action for need in (*PLATFORM, *WAREHOUSE) for action in need.actions}

    assert needed - simulated == only_destroyed | of_laptops_and_clusters | everybodys


@pytest.mark.parametrize("kind", ["catalog", "database", "table"])
def test_a_tables_actions_are_simulated_on_catalog_database_and_table(kind: str) -> None:
    simulated = {action for need in PLATFORM if f":{kind}" in need.resource for action in need.actions}

    assert simulated >= {
        call.iam_action
        for call in our_calls()
        if call.actor == DEPLOYER and f"table/{NAME}/*" in call.resources
    }


def test_what_the_warehouses_handlers_read_is_simulated() -> None:
    simulated = {action for need in WAREHOUSE for action in need.actions}
    reads = (
        "VpcAttribute",
        "SecurityGroups",
        "Subnets",
        "AccountAttributes",
        "Addresses",
        "InternetGateways",
    )

    assert simulated >= {"redshift-serverless:GetNamespace", *(f"ec2:Describe{it}" for it in reads)}


def _create(kind: str) -> str:
    _, service, name = kind.split("::")
    return f"{service}:Create{name}"


def simulation(decision: str, **more: Any) -> dict[str, Any]:
    return {
        "EvaluationResults": [{"EvalActionName": "iam:PassRole", "EvalDecision": decision, **more}],
        "IsTruncated": False,
    }


@pytest.fixture
def iam(stubbed: Stubbed) -> Stubber:
    iam = stubbed(rights, "iam")
    role = {
        "Path": "/a/path/",
        "RoleName": "deployer",
        "RoleId": "A" * 16,
        "Arn": ROLE,
        "CreateDate": "2013-01-01",
    }
    iam.add_response("get_role", {"Role": role}, {"RoleName": "deployer"})
    return iam


@pytest.fixture(autouse=True)
def one_need(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "iam" in request.fixturenames:
        need = Need("buckets", "arn:{partition}:s3:::{name}-lake", ("s3:CreateBucket",))
        monkeypatch.setattr(rights, "PLATFORM", (need,))
        monkeypatch.setattr(rights, "PASSED", {})


ASKED = {
    "PolicySourceArn": ROLE,
    "ActionNames": ["s3:CreateBucket"],
    "ResourceArns": ["arn:aws:s3:::airline-lake"],
    "ContextEntries": ANY,
}


@pytest.mark.parametrize(
    ("answer", "outcome", "found"),
    [
        (simulation("allowed"), "ok", "1 actions allowed"),
        (simulation("implicitDeny"), "fails", "iam:PassRole (not allowed)"),
        (simulation("explicitDeny"), "fails", "iam:PassRole (denied)"),
        (
            simulation("implicitDeny", OrganizationsDecisionDetail={"AllowedByOrganizations": False}),
            "fails",
            "iam:PassRole (the organization denies it)",
        ),
        (
            simulation("implicitDeny", MissingContextValues=["aws:SourceVpc"]),
            "unknown",
            "iam:PassRole (not allowed)",
        ),
    ],
)
def test_the_role_behind_the_session_is_simulated_on_the_resource_that_is_made(
    iam: Stubber, no_stack: Settings, answer: dict[str, Any], outcome: str, found: str
) -> None:
    iam.add_response("simulate_principal_policy", answer, ASKED)

    (finding,) = rights.rights(no_stack, SESSION, with_warehouse=False)

    assert (finding.name, finding.outcome, finding.found) == ("rights: buckets", outcome, found)


def test_who_may_not_simulate_is_told_that_it_is_unknown(iam: Stubber, no_stack: Settings) -> None:
    iam.add_client_error("simulate_principal_policy", "AccessDenied", "no")

    (finding,) = rights.rights(no_stack, SESSION, with_warehouse=False)

    assert finding.outcome == "unknown"
    assert "iam:SimulatePrincipalPolicy" in finding.remedy


def test_a_federated_user_has_no_policies_to_simulate(stubbed: Stubbed, no_stack: Settings) -> None:
    stubbed(rights, "iam")
    caller = Caller(ACCOUNT, f"arn:aws:sts::{ACCOUNT}:federated-user/me")

    (finding,) = rights.rights(no_stack, caller, with_warehouse=False)

    assert finding.outcome == "unknown"


def test_every_need_names_a_service_that_there_is() -> None:
    session = boto3.Session()
    prefixes = {need.actions[0].partition(":")[0] for need in (*PLATFORM, *WAREHOUSE)}

    assert prefixes <= set(session.get_available_services())
