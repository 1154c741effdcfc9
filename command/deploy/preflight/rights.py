"""What who deploys may do, as IAM's simulation of its policies says."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from airline_platform.settings import Settings
from command.deploy.preflight.account import Caller
from command.deploy.preflight.finding import Finding, asked
from command.deploy.warehouse import own_stack
from resources.aws.client import make_client


@dataclass(frozen=True)
class Need:
    """Actions that a deployment calls, or CloudFormation for it, on one resource.

    Args:
        name: Of what, for people.
        resource: ARN with {partition}, {region}, {account}, {name}, {database}, {warehouse}; or `*` where the
            service knows no narrower one before the resource is there.
        actions: IAM's names. An action stands with the resource that the Service Authorization Reference
            gives it: on another one a simulation denies whatever is allowed.
    """

    name: str
    resource: str
    actions: tuple[str, ...]


_GLUE = "arn:{partition}:glue:{region}:{account}"
_SECRET = "arn:{partition}:secretsmanager:{region}:{account}:secret"  # noqa: S105 - an ARN

_TABLES = (
    "glue:GetTable",
    "glue:CreateTable",
    "glue:UpdateTable",
    "glue:DeleteTable",
    "glue:GetPartitions",
    "glue:BatchCreatePartition",
    "glue:BatchUpdatePartition",
)
"""What a deployment makes sure of in the catalog, after the stack, on catalog, database and table alike (Glue
Developer Guide, "Specifying AWS Glue resource ARNs")."""

PLATFORM = (
    Need(
        "stack",
        "arn:{partition}:cloudformation:{region}:{account}:stack/{name}/x",
        (
            "cloudformation:DescribeStacks",
            "cloudformation:CreateChangeSet",
            "cloudformation:DescribeChangeSet",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DescribeStackEvents",
            "cloudformation:ListStackResources",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:DeleteStack",
        ),
    ),
    # Whose template has a transform needs the right to it (CloudFormation User Guide, "Transform section").
    Need(
        "transform",
        "arn:{partition}:cloudformation:{region}:aws:transform/LanguageExtensions",
        ("cloudformation:CreateChangeSet",),
    ),
    Need("templates", "*", ("cloudformation:GetTemplateSummary",)),
    Need(
        "buckets",
        "arn:{partition}:s3:::{name}-lake",
        (
            "s3:CreateBucket",
            "s3:ListBucket",
            "s3:PutBucketVersioning",
            "s3:PutBucketNotification",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketOwnershipControls",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:PutBucketPolicy",
            "s3:GetBucketPolicy",
        ),
    ),
    Need("landed files", "arn:{partition}:s3:::{name}-landing", ("s3:CreateBucket", "s3:ListBucket")),
    Need("days of tables", "arn:{partition}:s3:::{name}-lake/manifests/x", ("s3:GetObject",)),
    Need("Glue programs", "arn:{partition}:s3:::{name}-lake/glue_jobs/feed_job.py", ("s3:PutObject",)),
    Need(
        "trail",
        "arn:{partition}:cloudtrail:{region}:{account}:trail/{name}-trail",
        ("cloudtrail:CreateTrail", "cloudtrail:StartLogging", "cloudtrail:PutEventSelectors"),
    ),
    Need(
        "queues",
        "arn:{partition}:sqs:{region}:{account}:{name}-landing-events",
        ("sqs:CreateQueue", "sqs:GetQueueAttributes", "sqs:SetQueueAttributes"),
    ),
    Need(
        "rule",
        "arn:{partition}:events:{region}:{account}:rule/{name}-landing",
        ("events:PutRule", "events:DescribeRule", "events:PutTargets"),
    ),
    Need(
        "topic",
        "arn:{partition}:sns:{region}:{account}:{name}-alerts",
        ("sns:CreateTopic", "sns:GetTopicAttributes", "sns:SetTopicAttributes", "sns:Subscribe"),
    ),
    Need(
        "alarms",
        "arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}-landing-events-dead",
        ("cloudwatch:PutMetricAlarm", "cloudwatch:DescribeAlarms"),
    ),
    Need("catalog", f"{_GLUE}:catalog", ("glue:CreateDatabase", *_TABLES)),
    Need(
        "catalog's database",
        f"{_GLUE}:database/{{database}}",
        ("glue:CreateDatabase", "glue:GetDatabase", *_TABLES),
    ),
    # Glue asks for the table, too, whichever it is.
    Need("catalog's tables", f"{_GLUE}:table/{{database}}/x", _TABLES),
    # Making a crawler or a job knows no resource before it is there.
    Need("crawlers and jobs", "*", ("glue:CreateCrawler", "glue:CreateJob")),
    Need(
        "logs",
        "arn:{partition}:logs:{region}:{account}:log-group:/{name}/glue-jobs/output",
        ("logs:CreateLogGroup", "logs:PutRetentionPolicy"),
    ),
    Need(
        "workgroup",
        "arn:{partition}:athena:{region}:{account}:workgroup/{name}",
        ("athena:CreateWorkGroup", "athena:GetWorkGroup"),
    ),
    Need(
        "roles",
        "arn:{partition}:iam::{account}:role/{name}-JobRole-x",
        ("iam:CreateRole", "iam:GetRole", "iam:PutRolePolicy", "iam:AttachRolePolicy"),
    ),
    Need(
        "policy",
        "arn:{partition}:iam::{account}:policy/{name}-DagsterPolicy-x",
        ("iam:CreatePolicy", "iam:GetPolicy"),
    ),
    Need(
        "secrets",
        f"{_SECRET}:{{name}}/warehouse-x",
        ("secretsmanager:CreateSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"),
    ),
)
"""What a deployment of infra/airline.yaml takes. CloudFormation makes resources with its caller's rights:
each type's schema lists them under `handlers.create.permissions`. Options not used here are left out."""

WAREHOUSE = (
    Need(
        "warehouse",
        "*",
        (
            "redshift-serverless:CreateNamespace",
            "redshift-serverless:CreateWorkgroup",
            "redshift-serverless:CreateUsageLimit",
            "redshift-serverless:ListUsageLimits",
            "redshift-serverless:UpdateUsageLimit",
        ),
    ),
    # Their schemas' handlers read what they have made.
    Need(
        "warehouse's namespace",
        "arn:{partition}:redshift-serverless:{region}:{account}:namespace/x",
        ("redshift-serverless:GetNamespace",),
    ),
    Need(
        "warehouse's schema",
        "arn:{partition}:redshift-serverless:{region}:{account}:workgroup/x",
        ("redshift-serverless:GetCredentials",),
    ),
    Need(
        "warehouse's network",
        "*",
        (
            "ec2:CreateVpc",
            "ec2:CreateSubnet",
            "ec2:CreateRouteTable",
            "ec2:AssociateRouteTable",
            "ec2:CreateVpcEndpoint",
            "ec2:CreateSecurityGroup",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:DescribeAvailabilityZones",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeAccountAttributes",
            "ec2:DescribeAddresses",
            "ec2:DescribeInternetGateways",
        ),
    ),
    Need("warehouse's login", "*", ("secretsmanager:GetRandomPassword",)),
    Need(
        "warehouse's role",
        "arn:{partition}:iam::{account}:role/{warehouse}-CopyRole-x",
        ("iam:CreateRole", "iam:PutRolePolicy"),
    ),
)
"""What infra/warehouse.yaml takes besides."""

PASSED = {
    "glue.amazonaws.com": "arn:{partition}:iam::{account}:role/{name}-JobRole-x",
    "redshift.amazonaws.com": "arn:{partition}:iam::{account}:role/{warehouse}-CopyRole-x",
}
"""The roles that are handed to a service, by service: policies that allow iam:PassRole mostly name it."""


def rights(settings: Settings, caller: Caller, *, with_warehouse: bool) -> Iterator[Finding]:
    """Ask IAM what the caller may do of all that a deployment does."""
    source = asked("rights", partial(_policy_source, settings, caller), "iam:GetRole")
    if source.outcome != "ok" or source.found.endswith(":root"):
        yield source
        return
    places = {
        "partition": caller.partition,
        "region": settings.region,
        "account": caller.account,
        "name": settings.name,
        "database": settings.glue_database,
        "warehouse": own_stack(settings),
    }
    simulated = partial(_simulated, settings, source.found, places)
    for need in (*PLATFORM, *(WAREHOUSE if with_warehouse else ())):
        yield asked(f"rights: {need.name}", partial(simulated, need), "iam:SimulatePrincipalPolicy")
    services = list(PASSED)[: 2 if with_warehouse else 1]
    for service in services:
        need = Need(f"hand a role to {service}", PASSED[service], ("iam:PassRole",))
        ask = partial(simulated, need, passed_to=service)
        yield asked(f"rights: {need.name}", ask, "iam:SimulatePrincipalPolicy")


def _policy_source(settings: Settings, caller: Caller) -> Finding:
    """Find whose policies are simulated: STS names a role's session, without the role's path."""
    kind, _, rest = caller.arn.split(":", 5)[5].partition("/")
    if kind == "assumed-role":
        role = make_client(settings, "iam").get_role(RoleName=rest.partition("/")[0])["Role"]
        return Finding("rights", "ok", role["Arn"])
    if kind in ("user", "root"):
        return Finding("rights", "ok", caller.arn)
    return Finding("rights", "unknown", f"{caller.arn} has no policies to simulate", "Deploy as a role.")


def _simulated(
    settings: Settings, source: str, places: dict[str, str], need: Need, passed_to: str = ""
) -> Finding:
    """Simulate one need; a denial that hangs on what the simulation does not know is unknown."""
    context = {"aws:RequestedRegion": settings.region} | (
        {"iam:PassedToService": passed_to} if passed_to else {}
    )
    pages = (
        make_client(settings, "iam")
        .get_paginator("simulate_principal_policy")
        .paginate(
            PolicySourceArn=source,
            ActionNames=list(need.actions),
            ResourceArns=[need.resource.format(**places)],
            ContextEntries=[
                {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": "string"}
                for key, value in context.items()
            ],
        )
    )
    results = [it for page in pages for it in page["EvaluationResults"]]
    denied = [it for it in results if it["EvalDecision"] != "allowed"]
    name = f"rights: {need.name}"
    if not denied:
        return Finding(name, "ok", f"{len(results)} actions allowed")
    words = ", ".join(f"{it['EvalActionName']} ({_why(it)})" for it in denied)
    if all(_missing(it) for it in denied):
        keys = sorted({key for it in denied for key in _missing(it)})
        remedy = f"See whether its conditions hold for a deployment: {', '.join(keys)}."
        return Finding(name, "unknown", words, remedy)
    return Finding(name, "fails", words, f"Allow {source} these actions on {need.resource.format(**places)}.")


def _why(result: dict[str, Any]) -> str:
    if result.get("OrganizationsDecisionDetail", {}).get("AllowedByOrganizations") is False:
        return "the organization denies it"
    if result.get("PermissionsBoundaryDecisionDetail", {}).get("AllowedByPermissionsBoundary") is False:
        return "the permissions boundary denies it"
    return "denied" if result["EvalDecision"] == "explicitDeny" else "not allowed"


def _missing(result: dict[str, Any]) -> list[str]:
    """Condition keys that the policies ask for, and nobody knows before the call."""
    own = list(result.get("MissingContextValues", ()))
    for each in result.get("ResourceSpecificResults", ()):
        own += each.get("MissingContextValues", ())
    return own
