"""Every call is allowed by the templates' policies, and nothing is allowed that nobody calls."""

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import cfnlint.data.AdditionalSpecs
import pytest
from policy_evaluation import PLACE, Statement, is_allowed, like, statements_of
from template_evaluation import evaluate, parsed

from command.deploy.permissions.calls import Call
from command.deploy.permissions.ours import DEPLOYER, our_calls
from command.deploy.permissions.theirs import their_calls
from command.deploy.template import render, render_warehouse

WAREHOUSE = {
    "WarehouseJdbcUrl": "jdbc:redshift://warehouse.example:5439/dev",
    "WarehouseDatabase": "dev",
    "WarehouseSubnetId": "subnet-0123456789abcdef0",
    "WarehouseAvailabilityZone": "eu-central-1a",
    "WarehouseSecurityGroupId": "sg-0123456789abcdef0",
}
LOGINS = tuple(
    f"arn:aws:{kind}:{PLACE.region}:{PLACE.account}:{resource}"
    for kind, resource in (("redshift-serverless", "workgroup/*"), ("redshift", "dbname:*"))
)
OPTIONAL = {"kms", "redshift", "redshift-serverless", "ec2"}
"""Services that only a deployment with its options calls."""


def policies(platform: list[dict[str, str]]) -> list[Statement]:
    """The statements of deployments of the platform, as if they were one, and of the warehouse's."""
    made = [evaluate(parsed(render()), {"Stage": "aws"} | given) for given in platform]
    made.append(evaluate(parsed(render_warehouse()), {}))
    found: dict[tuple[str, str, tuple[str, ...]], Statement] = {}
    for it in (it for each in made for it in statements_of(each)):
        key = (it.owner, it.sid, it.actions)
        there = found.get(key, it)
        found[key] = replace(it, resources=tuple(dict.fromkeys((*there.resources, *it.resources))))
    return list(found.values())


EVERY = policies(
    [
        {**WAREHOUSE, "EncryptionKey": "own", "DagsterRoleName": "dagster", "WarehouseLoginArn": it}
        for it in LOGINS
    ]
)
"""With every option."""

OURS = [call for call in our_calls() if call.actor != DEPLOYER]
CALLS = [*OURS, *their_calls()]
REFERENCE: dict[str, Any] = json.loads(
    (resources.files(cfnlint.data.AdditionalSpecs) / "Policies.json").read_text()
)
"""The Service Authorization Reference, as cfn-lint has it."""


def words(call: Call) -> str:
    how = f" {call.operation}" if call.operation else ""
    on = " ".join((*call.resources, *call.context.values()))
    return f"{call.actor} {call.iam_action}{how} {on} by {call.called_by}"


def test_the_table_has_no_call_twice_and_every_actor_of_the_templates() -> None:
    owners = {it.owner for it in EVERY if it.principals is None}

    assert len(set(map(words, CALLS))) == len(CALLS)
    assert owners == {"DagsterPolicy", "JobRole", "CrawlerRole", "CopyRole"}
    assert owners <= {call.actor for call in CALLS}


def test_every_call_is_allowed() -> None:
    assert [words(call) for call in CALLS if not is_allowed(EVERY, call)] == []


def test_a_deployment_with_defaults_allows_all_calls_but_those_of_options() -> None:
    plain = policies([{}])
    denied = [call for call in CALLS if not is_allowed(plain, call)]

    of_options = {"the crawler": ("GetConnection", "GetSecretValue", "DescribeSecret")}
    assert [
        words(call)
        for call in denied
        if call.service not in OPTIONAL and call.action not in of_options.get(call.called_by, ())
    ] == []


def test_calls_of_others_and_on_what_is_not_ours_are_denied() -> None:
    def changed(call: Call, **more: Any) -> Call:
        return replace(call, **more)

    (publish,) = (c for c in OURS if c.operation == "Publish")
    (secret,) = (c for c in OURS if c.called_by == "glue_jobs/program.py")
    (assumed,) = (c for c in OURS if c.action == "AssumeRole")
    (rule,) = (c for c in CALLS if c.called_by == "the rule" and not c.resources[0].endswith("dead"))

    assert is_allowed(EVERY, publish)
    for call in (
        changed(publish, resources=("somebody-elses",)),
        changed(publish, actor="JobRole"),
        changed(secret, resources=("secret:airline/warehouse-*",)),
        changed(assumed, context={"sts:RoleSessionName": "me-at-my-desk"}),
        changed(assumed, actor="JobRole"),
        changed(rule, context={}),
    ):
        assert not is_allowed(EVERY, call), words(call)
    for call in (each for each in CALLS if each.service == "s3"):
        assert not is_allowed(EVERY, changed(call, context={**call.context, "aws:SecureTransport": "false"}))


def but(statement: Statement, **left: tuple[str, ...]) -> list[Statement]:
    """All the statements, this one with what is left of it."""
    return [replace(it, **left) if it is statement else it for it in EVERY]  # type: ignore[arg-type]


ALLOWED = [(it, action) for it in EVERY if it.effect == "Allow" for action in it.actions]


@pytest.mark.parametrize(
    ("statement", "action"), ALLOWED, ids=[f"{it.owner}.{it.sid}-{action}" for it, action in ALLOWED]
)
def test_each_action_is_needed_by_a_call_that_is_denied_without_it(statement: Statement, action: str) -> None:
    """Least privilege: what no call of the table needs, ours or AWS's by some page, does not stand there."""
    left = but(statement, actions=tuple(it for it in statement.actions if it != action))
    asked = [call for call in CALLS if like(call.iam_action, action, ignore_case=True)]

    assert [words(call) for call in asked if not is_allowed(left, call)] != []


ON = [(it, arn) for it in EVERY if it.effect == "Allow" for arn in it.resources if len(it.resources) > 1]


@pytest.mark.parametrize(("statement", "arn"), ON, ids=[f"{it.owner}.{it.sid}-{arn}" for it, arn in ON])
def test_each_resource_is_needed_by_a_call_that_is_denied_without_it(statement: Statement, arn: str) -> None:
    left = but(statement, resources=tuple(it for it in statement.resources if it != arn))

    assert any(not is_allowed(left, call) for call in CALLS)


def shapes(call: Call) -> Iterator[str]:
    """Patterns of the ARNs that the action of a call can be asked about."""
    service = REFERENCE[call.service]
    for kind in service["Actions"][call.action.lower()].get("Resources", ()):
        # Some services write a kind small in one table and not in the other.
        kinds = {name.lower(): it for name, it in service["Resources"].items()}
        owner = REFERENCE["iam"]["Resources"] if kind == "role" and call.service == "sts" else kinds
        for shape in owner[kind.lower()]["ARNFormats"]:
            placed = shape.replace("${Partition}", "aws").replace("${", "{").lower()
            yield PLACE.fill(placed).replace(".*", "*")


@pytest.mark.parametrize("call", [*CALLS, *our_calls()], ids=words)
def test_every_action_exists_and_knows_the_resources_it_is_asked_about(call: Call) -> None:
    if call.action == "*":
        return
    assert call.action.lower() in REFERENCE[call.service]["Actions"]
    arns = call.at(PLACE).arns(PLACE)
    if arns != ("*",):
        assert [arn for arn in arns if not any(like(arn, it, ignore_case=True) for it in shapes(call))] == []


def test_every_action_of_a_policy_exists() -> None:
    for _, action in ALLOWED:
        service, _, name = action.partition(":")
        assert any(like(known, name.lower()) for known in REFERENCE[service]["Actions"]), action
