"""What a first deployment into an account would stumble over, found in the rendered templates."""

import json
import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

import pytest
from template_evaluation import Evaluated, TemplateError, evaluate, parsed

from airline_platform.settings import Settings
from command.deploy.template import TEMPLATE, render, render_warehouse
from laptop.glue.schema import excluded
from resources.catalog import catalog_tables

WAREHOUSE = {
    "WarehouseJdbcUrl": "jdbc:redshift://warehouse.example:5439/dev",
    "WarehouseDatabase": "dev",
    "WarehouseSubnetId": "subnet-0123456789abcdef0",
    "WarehouseAvailabilityZone": "eu-central-1a",
    "WarehouseSecurityGroupId": "sg-0123456789abcdef0",
}
DEPLOYMENTS: dict[str, Mapping[str, str]] = {
    "with defaults": {"Stage": "aws"},
    "with a warehouse": {"Stage": "aws", **WAREHOUSE, "WarehouseLoginArn": "arn:aws:redshift-serverless:x"},
    "with a key": {"Stage": "aws", "EncryptionKey": "own"},
    "with every option": {
        "Stage": "aws",
        "EncryptionKey": "own",
        "AlertEmail": "data@example.com",
        "DagsterRoleName": "dagster",
        **WAREHOUSE,
    },
}
"""An account's deployments: the template's parameters."""

WAREHOUSES: dict[str, Mapping[str, str]] = {
    "its warehouse": {},
    "its warehouse with every option": {"CrawlerEndpoints": "all", "EncryptionKey": "own"},
}
"""The same, of the warehouse's template."""

WITHOUT_RESOURCE = {
    # EC2 knows no narrower resource for a network interface that Glue makes, and CloudWatch none for metrics:
    # the namespace is its condition. A key's policy is about the key it belongs to.
    "CrawlerRole": {"WarehouseNetwork"},
    "JobRole": {"Metrics"},
    "Key": {"PoliciesOfThisAccount", "TheTrail", "TheJobsLogs", "AlarmsToTheAlerts"},
}


@pytest.fixture(scope="module")
def platform() -> dict[str, Any]:
    return parsed(render())


@pytest.fixture(scope="module")
def warehouse() -> dict[str, Any]:
    return parsed(render_warehouse())


@pytest.fixture(params=[*DEPLOYMENTS, *WAREHOUSES])
def made(platform: dict[str, Any], warehouse: dict[str, Any], request: pytest.FixtureRequest) -> Evaluated:
    """What a deployment makes: every template with every kind of parameters."""
    if request.param in WAREHOUSES:
        return evaluate(warehouse, WAREHOUSES[request.param])
    return evaluate(platform, DEPLOYMENTS[request.param])


def nodes(node: Any) -> Iterator[Any]:
    """A tree's every part."""
    yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from nodes(child)


def test_the_default_deployment_comes_up_in_an_account(platform: dict[str, Any]) -> None:
    made = evaluate(platform, {"Stage": "aws"})

    assert {"LandingBucket", "Trail", "CrawlerFlights", "JobFlights"} <= set(made.resources)
    assert "WarehouseConnection" not in made.resources


def test_what_is_cut_out_of_an_empty_parameter_is_refused_where_its_condition_is_false_too() -> None:
    """The evaluation does what the account does; else the test above would prove nothing."""
    cut = "!Sub [\"${X}\", {X: !Select [3, !Split ['/', !Ref WarehouseJdbcUrl]]}]"
    text = render(text=TEMPLATE.read_text().replace('!Sub "${WarehouseDatabase}/airlines/%"', cut))

    with pytest.raises(TemplateError, match="cannot select nonexistent value at index 3"):
        evaluate(parsed(text), {"Stage": "aws"})
    assert evaluate(parsed(text), {"Stage": "aws", **WAREHOUSE}).resources


def test_nothing_is_selected_from_what_is_split(platform: dict[str, Any]) -> None:
    assert "AWS::LanguageExtensions" in platform["Transform"]
    assert [it for it in nodes(platform["Resources"]) if isinstance(it, dict) and "Fn::Select" in it] == []


@pytest.mark.parametrize("missing", [name for name in WAREHOUSE if name != "WarehouseJdbcUrl"])
def test_a_warehouses_url_without_what_belongs_to_it_is_refused(
    platform: dict[str, Any], missing: str
) -> None:
    given = {name: value for name, value in WAREHOUSE.items() if name != missing}

    with pytest.raises(TemplateError, match=missing):
        evaluate(platform, {"Stage": "aws", **given})


def test_large_numbers_are_quoted(platform: dict[str, Any], warehouse: dict[str, Any]) -> None:
    """An unquoted one may arrive as 1.07374182E11 (troposphere#994)."""
    numbers = [it for it in nodes([platform, warehouse]) if type(it) in (int, float)]

    assert numbers
    assert [it for it in numbers if it >= 2**31] == []
    (workgroup,) = evaluate(platform, {"Stage": "aws"}).of_type("AWS::Athena::WorkGroup").values()
    assert workgroup["WorkGroupConfiguration"]["BytesScannedCutoffPerQuery"] == str(100 * 2**30)


def test_a_connection_says_its_zone(platform: dict[str, Any]) -> None:
    """Without it a connection is made, and does not work (aws-cdk#32959, cfn-lint#3886)."""
    made = evaluate(platform, {"Stage": "aws", **WAREHOUSE})
    (connection,) = made.of_type("AWS::Glue::Connection").values()
    (target,) = made.resources["WarehouseCrawler"]["Properties"]["Targets"]["JdbcTargets"]

    assert connection["ConnectionInput"]["PhysicalConnectionRequirements"] == {
        "SubnetId": WAREHOUSE["WarehouseSubnetId"],
        "AvailabilityZone": WAREHOUSE["WarehouseAvailabilityZone"],
        "SecurityGroupIdList": [WAREHOUSE["WarehouseSecurityGroupId"]],
    }
    assert target["Path"] == "dev/airlines/%"


# --- crawlers


@pytest.fixture(scope="module")
def crawlers(platform: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The crawlers over files by name."""
    every = evaluate(platform, {"Stage": "aws"}).of_type("AWS::Glue::Crawler").values()
    return {it["Name"]: it for it in every}


def test_no_crawler_makes_partition_indexes_for_which_it_would_need_a_permission(
    platform: dict[str, Any], crawlers: dict[str, dict[str, Any]]
) -> None:
    configured = [json.loads(crawler["Configuration"]) for crawler in crawlers.values()]
    allowed = [a for _, s in evaluate(platform, {"Stage": "aws"}).statements() for a in s["Action"]]

    assert configured
    assert {it["CreatePartitionIndex"] for it in configured} == {False}
    assert "glue:CreatePartitionIndex" not in allowed


def test_a_crawler_is_told_at_which_level_its_table_begins(crawlers: dict[str, dict[str, Any]]) -> None:
    """The bucket's level is 1: `s3://bucket/folder/` is at level 2, whatever `date=` folders it has."""
    locations = {
        Settings().crawler_name(table.crawler): table.location
        for table in catalog_tables(Settings()).values()
        if table.crawler
    }

    for name, crawler in crawlers.items():
        folders = locations[name].removeprefix("s3://").rstrip("/").split("/")
        grouping = json.loads(crawler["Configuration"])["Grouping"]
        assert grouping["TableLevelConfiguration"] == len(folders)
    assert set(crawlers) == set(locations)


@pytest.mark.parametrize(
    "left_over",
    [
        "_SUCCESS",
        "_temporary/0/task_1/part-0.parquet",
        "__magic/job-1/part-0.parquet",
        "__magic_job-1/tasks/part-0.parquet.pending",
    ],
)
def test_crawlers_pass_over_what_a_job_left_behind(
    crawlers: dict[str, dict[str, Any]], left_over: str
) -> None:
    for crawler in crawlers.values():
        (target,) = crawler["Targets"]["S3Targets"]
        assert excluded(left_over, tuple(target["Exclusions"]))
        assert not excluded("date=2013-01-01/part-0.parquet", tuple(target["Exclusions"]))


# --- rights


def allows(made: Evaluated, actor: str, action: str, resource: str) -> bool:
    """Whether a policy of an actor allows an action on a resource, conditions aside."""
    return any(
        key == actor
        and statement["Effect"] == "Allow"
        and any(fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatchcase(resource, str(pattern)) for pattern in statement["Resource"])
        for key, statement in made.statements()
    )


@pytest.mark.parametrize("bucket", ["<LakeBucket.Arn>", "<LandingBucket.Arn>"])
def test_a_job_may_look_for_uploads_that_were_left_over(platform: dict[str, Any], bucket: str) -> None:
    """Hadoop's S3A committers ask: assumed_roles.md of hadoop-aws."""
    made = evaluate(platform, {"Stage": "aws"})
    typed = f"{bucket}/shipments/shipments_parquet/date=2013-01-01/part-0.parquet"

    assert allows(made, "JobRole", "s3:ListBucketMultipartUploads", bucket)
    assert allows(made, "JobRole", "s3:ListMultipartUploadParts", typed)


def test_athena_may_ask_for_the_default_database_and_change_nothing_in_it(platform: dict[str, Any]) -> None:
    """Athena User Guide, "Configure access to databases and tables in the AWS Glue Data Catalog"."""
    default = "arn:aws:glue:eu-central-1:<account>:database/default"
    made = evaluate(platform, {"Stage": "aws"})
    on_default = [s for key, s in made.statements() if key == "DagsterPolicy" and default in s["Resource"]]

    assert [s["Action"] for s in on_default] == [["glue:GetDatabase"]]


def test_short_lived_logins_are_allowed_for_the_one_warehouse_that_is_named(platform: dict[str, Any]) -> None:
    arn = "arn:aws:redshift-serverless:eu-central-1:<account>:workgroup/1"
    named = evaluate(platform, {"Stage": "aws", "WarehouseLoginArn": arn})

    assert allows(named, "DagsterPolicy", "redshift-serverless:GetCredentials", arn)
    assert not allows(named, "DagsterPolicy", "redshift-serverless:GetCredentials", f"{arn}2")
    assert not allows(
        evaluate(platform, {"Stage": "aws"}), "DagsterPolicy", "redshift-serverless:GetCredentials", arn
    )


def test_no_policy_allows_everything(made: Evaluated) -> None:
    for key, statement in made.statements():
        if statement["Effect"] == "Deny":
            continue
        assert not [a for a in statement["Action"] if a == "*" or (a.endswith(":*") and a != "kms:*")]
        if "*" in statement["Resource"]:
            assert statement["Sid"] in WITHOUT_RESOURCE.get(key, set())
        elif "Principal" not in statement:
            assert statement["Resource"]


def test_what_has_no_narrower_resource_makes_network_interfaces_or_asks(platform: dict[str, Any]) -> None:
    made = evaluate(platform, {"Stage": "aws", **WAREHOUSE})
    of_the_crawlers = [s for key, s in made.statements() if key == "CrawlerRole"]
    anywhere = {action for s in of_the_crawlers if "*" in s["Resource"] for action in s["Action"]}
    (tags,) = [s for _, s in made.statements() if "ec2:CreateTags" in s["Action"]]

    asked = {action for action in anywhere if action.startswith("ec2:Describe")}
    assert asked
    assert anywhere - asked == {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"}
    assert tags["Condition"] == {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}}


def test_the_policy_goes_with_the_stack_because_the_stack_attaches_it(platform: dict[str, Any]) -> None:
    """IAM deletes no policy that is attached: what is attached from outside blocks the stack's deletion."""
    given = {"Stage": "aws", "DagsterRoleName": "dagster-task"}
    policy = evaluate(platform, given).of_type("AWS::IAM::ManagedPolicy")["DagsterPolicy"]

    assert policy["Roles"] == ["<RunRole>", "dagster-task"]


# --- encryption


def test_every_bucket_is_encrypted_and_taken_over_tls_alone(made: Evaluated) -> None:
    policies = made.of_type("AWS::S3::BucketPolicy")
    buckets = made.of_type("AWS::S3::Bucket")
    own = "Key" in made.resources

    assert {policy["Bucket"] for policy in policies.values()} == {f"<{bucket}>" for bucket in buckets}
    for policy in policies.values():
        denied = policy["PolicyDocument"]["Statement"][0]
        arn = policy["Bucket"].replace(">", ".Arn>")
        assert (denied["Effect"], denied["Principal"], denied["Action"]) == ("Deny", "*", "s3:*")
        assert denied["Resource"] == [arn, f"{arn}/*"]
        assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    for bucket in buckets.values():
        (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert rule["ServerSideEncryptionByDefault"] == (
            {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "<Key.Arn>"} if own else {"SSEAlgorithm": "AES256"}
        )
        assert all(bucket["PublicAccessBlockConfiguration"].values())
    for queue in made.of_type("AWS::SQS::Queue").values():
        assert queue["SqsManagedSseEnabled"] is True


def test_a_key_of_the_stack_encrypts_all_that_is_stored_and_whoever_reads_may_use_it(
    platform: dict[str, Any],
) -> None:
    made = evaluate(platform, DEPLOYMENTS["with a key"])
    (trail,) = made.of_type("AWS::CloudTrail::Trail").values()
    (topic,) = made.of_type("AWS::SNS::Topic").values()
    (workgroup,) = made.of_type("AWS::Athena::WorkGroup").values()
    groups = made.of_type("AWS::Logs::LogGroup").values()
    results = workgroup["WorkGroupConfiguration"]["ResultConfiguration"]["EncryptionConfiguration"]

    assert (trail["KMSKeyId"], topic["KmsMasterKeyId"]) == ("<Key.Arn>", "<Key>")
    assert {group["KmsKeyId"] for group in groups} == {"<Key.Arn>"}
    assert results == {"EncryptionOption": "SSE_KMS", "KmsKey": "<Key.Arn>"}
    for actor in ("CrawlerRole", "JobRole", "DagsterPolicy"):
        assert allows(made, actor, "kms:Decrypt", "<Key.Arn>")
    for actor in ("JobRole", "DagsterPolicy"):
        assert allows(made, actor, "kms:GenerateDataKey", "<Key.Arn>")
    without = evaluate(platform, {"Stage": "aws"}).resources
    assert not {"Key", "KeyAlias"} & set(without)


# --- names


@pytest.mark.parametrize("name", ["ab", "acme-airline", "a" * 31])
def test_a_name_the_settings_take_gives_a_trail_a_name_it_may_have(
    platform: dict[str, Any], name: str
) -> None:
    """CloudTrail User Guide, "Naming requirements": 3 to 128 characters, no two hyphens together."""
    assert Settings(name=name).name == name
    made = evaluate(platform, {"Stage": "aws", "Name": name})
    (trail,) = made.of_type("AWS::CloudTrail::Trail").values()
    of_the_trail = [s for _, s in made.statements() if s.get("Sid", "").startswith("TheTrail")]
    sources = [s["Condition"]["StringEquals"]["aws:SourceArn"] for s in of_the_trail]

    assert re.fullmatch(r"[A-Za-z0-9]([._-]?[A-Za-z0-9])*", trail["TrailName"])
    assert 3 <= len(trail["TrailName"]) <= 128
    assert [arn.rpartition("/")[2] for arn in sources] == [trail["TrailName"]] * 2


@pytest.mark.parametrize("name", ["acme--airline", "acme-", "a" * 32, "Acme", "1acme"])
def test_a_name_that_some_service_refuses_is_refused_before_anything_is_made(
    platform: dict[str, Any], name: str
) -> None:
    with pytest.raises(ValueError, match="name"):
        Settings(name=name)
    with pytest.raises(TemplateError, match="Name"):
        evaluate(platform, {"Name": name})
