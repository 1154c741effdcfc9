"""A stack's outputs become the platform's secret and parameters; a usage limit is set once."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from botocore.stub import ANY, Stubber
from template_evaluation import Evaluated, TemplateError, evaluate, parsed

from airline_platform.errors import AirlineError, WrongCall
from airline_platform.settings import Settings
from command.deploy import stack, warehouse
from command.deploy.template import LARGEST_BODY, render, render_warehouse
from command.deploy.warehouse import (
    CRAWLED,
    WarehouseStack,
    chosen_stack,
    limit_usage,
    login_of,
    platform_parameters,
    values_by_name,
)

Stubbed = Callable[[Any, str], Stubber]

PLACE = {"WarehouseHost": "w.example", "WarehousePort": "5439", "WarehouseDatabase": "airline"}
SECRET = "arn:aws:secretsmanager:eu-central-1::secret:AdminLogin"
WORKGROUP = "arn:aws:redshift-serverless:eu-central-1::workgroup/1"
WITHIN = {"resourceArn": WORKGROUP, "usageType": "serverless-compute"}
BY_DAY = {**WITHIN, "period": "daily", "amount": 16, "breachAction": "emit-metric"}
LIMITED = {"WarehouseLoginArn": WORKGROUP, "DailyRpuHours": "16", "OverLimit": "emit-metric"}


# --- what the outputs become


def test_the_secret_is_composed_of_the_stacks_place_and_the_login_it_names(
    stubbed: Stubbed, no_stack: Settings
) -> None:
    stored = json.dumps({"username": "dbadmin", "password": "generated", "more": 1})
    stubbed(warehouse, "secretsmanager").add_response(
        "get_secret_value", {"SecretString": stored}, {"SecretId": SECRET}
    )

    assert login_of(no_stack, PLACE | {"LoginSecretArn": SECRET, "WorkgroupName": "w"}) == {
        "engine": "redshift",
        "host": "w.example",
        "port": 5439,
        "dbname": "airline",
        "username": "dbadmin",
        "password": "generated",
    }


@pytest.mark.parametrize(
    ("output", "key"), [("WorkgroupName", "workgroup"), ("ClusterIdentifier", "cluster")]
)
def test_without_a_password_the_secret_names_what_gives_short_lived_logins(
    no_stack: Settings, output: str, key: str
) -> None:
    composed = login_of(no_stack, PLACE | {output: "acme"})

    assert composed[key] == "acme"
    assert not {"username", "password"} & set(composed)


def test_an_output_that_is_missing_is_named(no_stack: Settings) -> None:
    with pytest.raises(AirlineError, match="output WarehouseHost, found LoginSecretArn"):
        login_of(no_stack, {"LoginSecretArn": SECRET})


@pytest.mark.parametrize("stored", ["hunter2", '{"username": "u"}', "[]"])
def test_a_secret_without_a_login_is_told_without_quoting_it(
    stubbed: Stubbed, no_stack: Settings, stored: str
) -> None:
    stubbed(warehouse, "secretsmanager").add_response("get_secret_value", {"SecretString": stored})

    with pytest.raises(AirlineError, match="username and password, and it is not") as refused:
        login_of(no_stack, PLACE | {"LoginSecretArn": SECRET})
    assert stored not in str(refused.value)


def test_a_warehouse_that_glue_cannot_reach_takes_its_crawler_away() -> None:
    assert platform_parameters(PLACE | {"LoginSecretArn": SECRET}) == {
        **dict.fromkeys(CRAWLED, ""),
        "WarehouseLoginArn": "",
    }


# --- the usage limit


def test_a_usage_limit_that_is_missing_is_made_by_the_day(stubbed: Stubbed, no_stack: Settings) -> None:
    serverless = stubbed(warehouse, "redshift-serverless")
    monthly = {"usageLimitId": "m", "period": "monthly", "amount": 16, "breachAction": "emit-metric"}
    serverless.add_response("list_usage_limits", {"usageLimits": [monthly]}, WITHIN)
    serverless.add_response("create_usage_limit", {}, BY_DAY)

    assert limit_usage(no_stack, LIMITED)


def test_a_usage_limit_that_differs_is_changed_and_one_that_is_right_stays(
    stubbed: Stubbed, no_stack: Settings
) -> None:
    serverless = stubbed(warehouse, "redshift-serverless")
    daily = {"usageLimitId": "d", "period": "daily", "amount": 16, "breachAction": "emit-metric"}
    serverless.add_response("list_usage_limits", {"usageLimits": [daily | {"amount": 8}]})
    changed = {"usageLimitId": "d", "amount": 16, "breachAction": "emit-metric"}
    serverless.add_response("update_usage_limit", {}, changed)
    serverless.add_response("list_usage_limits", {"usageLimits": [daily]})

    assert limit_usage(no_stack, LIMITED)
    assert not limit_usage(no_stack, LIMITED)


# --- which stack


def test_a_warehouse_that_is_there_is_named_by_its_stack(stubbed: Stubbed, no_stack: Settings) -> None:
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in PLACE.items()]
    described = {
        "StackName": "bi",
        "CreationTime": "2013-01-01",
        "StackStatus": "CREATE_COMPLETE",
        "Outputs": outputs,
    }
    stubbed(stack, "cloudformation").add_response(
        "describe_stacks", {"Stacks": [described]}, {"StackName": "bi"}
    )

    assert WarehouseStack("bi").bring_up(no_stack) == PLACE


MADE = {
    "StackId": "stack/1",
    "EventId": "1",
    "StackName": "airline-warehouse",
    "LogicalResourceId": "airline-warehouse",
    "ResourceType": "AWS::CloudFormation::Stack",
    "ResourceStatus": "CREATE_COMPLETE",
    "Timestamp": "2013-01-01",
}


def test_the_platforms_own_warehouse_is_made_as_a_stack_and_limited(
    stubbed: Stubbed, no_stack: Settings
) -> None:
    formation = stubbed(stack, "cloudformation")
    formation.add_client_error("describe_stacks", "ValidationError", "Stack with id x does not exist")
    expected = {
        "StackName": "airline-warehouse",
        "ChangeSetName": ANY,
        "ChangeSetType": "CREATE",
        "TemplateBody": render_warehouse(),
        "Parameters": [
            {"ParameterKey": "Name", "ParameterValue": "airline"},
            {"ParameterKey": "BaseCapacity", "ParameterValue": "8"},
        ],
        "Capabilities": ANY,
    }
    formation.add_response("create_change_set", {"Id": "change/1", "StackId": "stack/1"}, expected)
    formation.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"})
    formation.add_response("describe_stack_events", {"StackEvents": []})
    formation.add_response("execute_change_set", {})
    outputs = [{"OutputKey": key, "OutputValue": value} for key, value in LIMITED.items()]
    made = {"StackName": "w", "CreationTime": "2013-01-01", "StackStatus": "CREATE_COMPLETE"}
    formation.add_response("describe_stacks", {"Stacks": [made]})
    formation.add_response("describe_stack_events", {"StackEvents": [MADE]})
    formation.add_response("describe_stacks", {"Stacks": [made | {"Outputs": outputs}]})
    serverless = stubbed(warehouse, "redshift-serverless")
    serverless.add_response("list_usage_limits", {}, WITHIN)
    serverless.add_response("create_usage_limit", {}, BY_DAY)
    lines: list[str] = []

    assert WarehouseStack(None, {"BaseCapacity": "8"}).bring_up(no_stack, lines.append) == LIMITED
    assert lines == [
        "airline-warehouse CREATE_COMPLETE",
        "stack airline-warehouse created",
        "usage limit of the warehouse: 16 RPU-hours a day, then emit-metric",
    ]


def test_a_stack_that_is_not_there_is_told(stubbed: Stubbed, no_stack: Settings) -> None:
    stubbed(stack, "cloudformation").add_client_error(
        "describe_stacks", "ValidationError", "Stack with id bi does not exist"
    )

    with pytest.raises(AirlineError, match="expected a stack bi with outputs"):
        WarehouseStack("bi").bring_up(no_stack)


def test_the_options_choose_a_stack_or_none(no_stack: Settings) -> None:
    account = no_stack.model_copy(update={"stage": "aws"})
    sized = {"BaseCapacity": "8"}

    assert chosen_stack(account, own=True, named=None, parameters=sized) == WarehouseStack(None, sized)
    assert chosen_stack(account, own=False, named="bi", parameters={}) == WarehouseStack("bi")
    assert chosen_stack(no_stack, own=False, named=None, parameters={}) is None
    for own, named, parameters in ((True, "bi", {}), (False, "bi", sized), (False, None, sized)):
        with pytest.raises(WrongCall):
            chosen_stack(account, own=own, named=named, parameters=parameters)
    with pytest.raises(WrongCall, match="laptop"):
        chosen_stack(no_stack, own=True, named=None, parameters={})


def test_parameters_are_read_by_name_and_may_be_empty() -> None:
    assert values_by_name(["A=1", "Url=a=b", "None="]) == {"A": "1", "Url": "a=b", "None": ""}
    assert values_by_name(None) == {}
    for wrong in ("A", "=1"):
        with pytest.raises(WrongCall, match="NAME=VALUE"):
            values_by_name([wrong])


# --- its template


DEPLOYMENTS: dict[str, Mapping[str, str]] = {
    "with defaults": {},
    "with a crawler": {"CrawlerEndpoints": "required"},
    "with every option": {
        "CrawlerEndpoints": "all",
        "EncryptionKey": "own",
        "ClientCidr": "10.0.0.0/16",
        "Zone1": "x-1a",
        "Zone2": "x-1b",
        "Zone3": "x-1c",
    },
    "with short-lived logins": {"Login": "iam", "CrawlerEndpoints": "all"},
}


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return parsed(render_warehouse())


@pytest.fixture(params=DEPLOYMENTS.values(), ids=DEPLOYMENTS)
def made(template: dict[str, Any], request: pytest.FixtureRequest) -> Evaluated:
    return evaluate(template, request.param)


def test_it_can_be_sent_in_a_request_and_makes_no_way_to_the_internet(made: Evaluated) -> None:
    kinds = {it["Type"] for it in made.resources.values()}
    (workgroup,) = made.of_type("AWS::RedshiftServerless::Workgroup").values()

    assert len(render_warehouse().encode()) <= LARGEST_BODY
    assert not {"AWS::EC2::NatGateway", "AWS::EC2::InternetGateway", "AWS::EC2::EIP"} & kinds
    assert workgroup["PubliclyAccessible"] is False


def test_the_warehouse_lies_in_three_zones_with_a_way_to_s3(made: Evaluated) -> None:
    subnets = made.of_type("AWS::EC2::Subnet")
    (workgroup,) = made.of_type("AWS::RedshiftServerless::Workgroup").values()
    endpoints = made.of_type("AWS::EC2::VPCEndpoint").values()
    gateways = [it for it in endpoints if it["VpcEndpointType"] == "Gateway"]
    routed = {it["SubnetId"] for it in made.of_type("AWS::EC2::SubnetRouteTableAssociation").values()}

    assert len({it["AvailabilityZone"] for it in subnets.values()}) == 3
    assert len({it["CidrBlock"] for it in subnets.values()}) == 3
    assert set(workgroup["SubnetIds"]) == {f"<{key}>" for key in subnets} == routed
    assert [it["ServiceName"] for it in gateways] == ["com.amazonaws.eu-central-1.s3"]
    assert gateways[0]["RouteTableIds"] == ["<Routes>"]


def test_endpoints_that_cost_are_made_where_they_are_asked_for(template: dict[str, Any]) -> None:
    def services(given: Mapping[str, str]) -> set[str]:
        endpoints = evaluate(template, given).of_type("AWS::EC2::VPCEndpoint").values()
        interfaces = [it for it in endpoints if it["VpcEndpointType"] == "Interface"]
        return {it["ServiceName"].rpartition(".")[2] for it in interfaces}

    assert services({}) == set()
    assert services({"CrawlerEndpoints": "required"}) == {"secretsmanager", "logs"}
    assert services({"CrawlerEndpoints": "all"}) == {"secretsmanager", "logs", "glue", "sts"}


def test_its_default_role_is_both_attached_and_the_default(made: Evaluated) -> None:
    """Otherwise `IAM_ROLE default` finds none."""
    (namespace,) = made.of_type("AWS::RedshiftServerless::Namespace").values()

    assert namespace["IamRoles"] == [namespace["DefaultIamRoleArn"]] == ["<CopyRole.Arn>"]


def test_copy_reads_what_is_loaded_and_nothing_else(made: Evaluated) -> None:
    statements = [s for key, s in made.statements() if key == "CopyRole" and "Principal" not in s]
    on_objects = [r for s in statements if "s3:GetObject" in s["Action"] for r in s["Resource"]]

    assert {a for s in statements for a in s["Action"]} == {
        "s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation", "kms:Decrypt",
    }  # fmt: skip
    assert "arn:aws:s3:::airline-lake/flights_enriched/*" in on_objects
    assert "arn:aws:s3:::airline-lake/_tmp/*/*.manifest" in on_objects
    path = re.compile(r"arn:aws:s3:::airline-lake/(_tmp/.*\.manifest|\w+_enriched/\*)")
    assert all(map(path.fullmatch, on_objects))
    (listing,) = [s for s in statements if s["Action"] == ["s3:ListBucket"]]
    assert listing["Condition"]["StringLike"]["s3:prefix"] == [it.partition("-lake/")[2] for it in on_objects]


def test_connections_are_encrypted_and_come_from_dagster_and_glue_alone(template: dict[str, Any]) -> None:
    made = evaluate(template)
    (workgroup,) = made.of_type("AWS::RedshiftServerless::Workgroup").values()
    let_in = made.of_type("AWS::EC2::SecurityGroup")["WarehouseSecurityGroup"]["SecurityGroupIngress"]

    assert {"ParameterKey": "require_ssl", "ParameterValue": "true"} in workgroup["ConfigParameters"]
    assert [rule.get("SourceSecurityGroupId") for rule in let_in] == [
        "<GlueSecurityGroup>", "<ClientSecurityGroup>",
    ]  # fmt: skip
    assert {(rule["FromPort"], rule["ToPort"]) for rule in let_in} == {(5439, 5439)}


def test_a_connection_of_glue_has_a_group_that_lets_itself_in_on_every_port(made: Evaluated) -> None:
    (own,) = made.of_type("AWS::EC2::SecurityGroupIngress").values()

    assert own["GroupId"] == own["SourceSecurityGroupId"] == made.outputs["WarehouseSecurityGroupId"]
    assert (own["IpProtocol"], own["FromPort"], own["ToPort"]) == ("tcp", 0, 65535)


def test_a_days_usage_is_told_by_an_alarm_in_the_unit_of_the_limit(made: Evaluated) -> None:
    (alarm,) = made.of_type("AWS::CloudWatch::Alarm").values()
    (metric,) = [it["MetricStat"] for it in alarm["Metrics"] if "MetricStat" in it]

    assert alarm["Threshold"] == made.outputs["DailyRpuHours"]
    assert [it["Expression"] for it in alarm["Metrics"] if it["ReturnData"]] == ["seconds / 3600"]
    assert (metric["Metric"]["MetricName"], metric["Period"], metric["Stat"]) == (
        "ComputeSeconds",
        86400,
        "Sum",
    )
    (topic,) = alarm["AlarmActions"]
    assert topic.rpartition(":")[2] == Settings(name="airline").alerts_topic


def test_what_is_in_the_warehouse_outlives_its_stack_with_the_login_and_the_key(
    template: dict[str, Any],
) -> None:
    retained = {key for key, it in template["Resources"].items() if "DeletionPolicy" in it}

    assert retained == {"Namespace", "AdminLogin", "Key"}


def test_its_outputs_are_the_platforms_parameters(template: dict[str, Any], stubbed: Stubbed) -> None:
    """What `airline deploy` reads is there, and the platform's template takes it."""
    outputs = {
        key: str(value) for key, value in evaluate(template, DEPLOYMENTS["with a crawler"]).outputs.items()
    }
    given = platform_parameters(outputs)
    platform = evaluate(parsed(render()), {"Stage": "aws", **given})
    (connection,) = platform.of_type("AWS::Glue::Connection").values()

    assert connection["ConnectionInput"]["PhysicalConnectionRequirements"] == {
        "SubnetId": "<Subnet1>",
        "AvailabilityZone": "<Subnet1.AvailabilityZone>",
        "SecurityGroupIdList": ["<GlueSecurityGroup>"],
    }
    url = connection["ConnectionInput"]["ConnectionProperties"]["JDBC_CONNECTION_URL"]
    assert url == "jdbc:redshift://<Workgroup.Workgroup.Endpoint.Address>:5439/airline"
    assert set(LIMITED) <= set(outputs)
    stubbed(warehouse, "secretsmanager").add_response(
        "get_secret_value", {"SecretString": '{"username": "u", "password": "p"}'}
    )
    assert login_of(Settings(), outputs)["dbname"] == "airline"


def test_with_short_lived_logins_no_crawler_is_promised_a_password(template: dict[str, Any]) -> None:
    outputs = evaluate(template, DEPLOYMENTS["with short-lived logins"]).outputs

    assert not {"WarehouseJdbcUrl", "LoginSecretArn"} & set(outputs)
    assert platform_parameters(outputs)["WarehouseLoginArn"] == "<Workgroup.Workgroup.WorkgroupArn>"
    assert login_of(Settings(), {**outputs})["workgroup"] == "<Workgroup>"


def test_one_zone_without_the_others_is_refused(template: dict[str, Any]) -> None:
    with pytest.raises(TemplateError, match="Zone1 needs Zone2 and Zone3"):
        evaluate(template, {"Zone1": "x-1a"})


def test_its_name_is_the_platforms(template: dict[str, Any]) -> None:
    platform = parsed(render())["Parameters"]["Name"]
    own = template["Parameters"]["Name"]

    assert {k: own[k] for k in ("AllowedPattern", "MaxLength", "Default")} == {
        k: platform[k] for k in ("AllowedPattern", "MaxLength", "Default")
    }
