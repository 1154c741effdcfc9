"""The evaluation of policies says what an account says; else no proof by it would be one."""

from typing import Any

import pytest
from policy_evaluation import is_allowed, like, statements_of
from template_evaluation import Evaluated

from command.deploy.permissions.calls import Call

BUCKET = {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": "b"}}


def role(*statements: dict[str, Any], trust: dict[str, Any] | None = None) -> dict[str, Any]:
    document = {"Statement": list(statements)}
    properties: dict[str, Any] = {"Policies": [{"PolicyName": "p", "PolicyDocument": document}]}
    properties["AssumeRolePolicyDocument"] = {"Statement": [trust] if trust else []}
    return {"Type": "AWS::IAM::Role", "Properties": properties}


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def on_bucket(effect: str, principal: Any, **more: Any) -> dict[str, Any]:
    statement = {
        "Effect": effect,
        "Principal": principal,
        "Action": "s3:*",
        "Resource": ["<B.Arn>", "<B.Arn>/*"],
        **more,
    }
    document = {"Statement": [statement]}
    return {"Type": "AWS::S3::BucketPolicy", "Properties": {"Bucket": "<B>", "PolicyDocument": document}}


def decide(resources: dict[str, Any], action: str, *on: str, actor: str = "R", **context: str) -> bool:
    service, _, name = action.partition(":")
    made = Evaluated({"B": BUCKET, **resources}, {})
    given = {key.replace("_", ":"): value for key, value in context.items()}
    return is_allowed(statements_of(made), Call(actor, service, name, name, on, "somebody", context=given))


def test_nothing_is_allowed_that_no_statement_allows() -> None:
    assert not decide({"R": role()}, "s3:GetObject", "b/k")


@pytest.mark.parametrize(
    ("actions", "action", "allowed"),
    [
        ("s3:GetObject", "s3:GetObject", True),
        ("s3:getobject", "s3:GetObject", True),
        ("s3:Get*", "s3:GetObject", True),
        (["s3:PutObject", "s3:GetObject"], "s3:GetObject", True),
        ("s3:GetObject", "s3:GetObjectVersion", False),
        ("s3:GetObject", "s3:PutObject", False),
    ],
)
def test_actions_are_patterns_without_case(actions: Any, action: str, *, allowed: bool) -> None:
    assert decide({"R": role(allow(actions, "<B.Arn>/*"))}, action, "b/k") is allowed


@pytest.mark.parametrize(
    ("pattern", "on", "allowed"),
    [
        ("<B.Arn>/*", "b/k/l", True),
        ("<B.Arn>/k/*", "b/k/l", True),
        ("<B.Arn>/k/*", "b/kl", False),
        ("<B.Arn>/k/*", "b/*", False),
        ("<B.Arn>", "b/k", False),
        ("<B.Arn>/?", "b/k", True),
        ("<B.Arn>/[k]", "b/k", False),
        ("<B.Arn>/K", "b/k", False),
    ],
)
def test_resources_are_patterns_with_case(pattern: str, on: str, *, allowed: bool) -> None:
    assert decide({"R": role(allow("s3:GetObject", pattern))}, "s3:GetObject", on) is allowed


def test_each_resource_of_a_call_has_to_be_allowed() -> None:
    made = {"R": role(allow("s3:GetObject", ["<B.Arn>/a", "<B.Arn>/b"]))}

    assert decide(made, "s3:GetObject", "b/a", "b/b")
    assert not decide(made, "s3:GetObject", "b/a", "b/c")


def test_a_policy_is_its_owners_alone() -> None:
    assert not decide({"R": role(allow("s3:*", "*"))}, "s3:GetObject", "b/k", actor="other")


def test_a_deny_wins_over_every_allow() -> None:
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    made = {"R": role(allow("s3:GetObject", "*")), "P": on_bucket("Deny", "*", Condition=insecure)}

    assert decide(made, "s3:GetObject", "b/k")
    assert not decide(made, "s3:GetObject", "b/k", aws_SecureTransport="false")


def test_a_resources_policy_allows_whom_it_names() -> None:
    made = {"P": on_bucket("Allow", {"Service": ["x.amazonaws.com"]})}

    assert decide(made, "s3:GetObject", "b/k", actor="x.amazonaws.com")
    assert not decide(made, "s3:GetObject", "b/k", actor="y.amazonaws.com")


@pytest.mark.parametrize(
    ("operator", "wanted", "given", "allowed"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", ["b", "a"], "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "a", None, False),
        ("StringLike", "a*", "ab", True),
        ("StringLike", "a?", "a", False),
        ("ArnLike", "arn:*:b", "arn:a:b", True),
        ("ForAllValues:StringEquals", "a", None, True),
        ("ForAllValues:StringEquals", "a", "b", False),
        ("ForAnyValue:StringEquals", "a", None, False),
        ("ForAnyValue:StringEquals", "a", "a", True),
    ],
)
def test_a_statement_holds_where_its_conditions_do(
    operator: str, wanted: Any, given: str | None, *, allowed: bool
) -> None:
    made = {"R": role(allow("s3:GetObject", "*", Condition={operator: {"a:b": wanted}}))}

    assert decide(made, "s3:GetObject", "b/k", **({"a_b": given} if given else {})) is allowed


def test_what_is_not_known_is_no_permission() -> None:
    for condition in ({"StringNotLike": {"a:b": "c"}}, {"ForSome:StringEquals": {"a:b": "c"}}):
        made = {"R": role(allow("s3:GetObject", "*", Condition=condition))}
        with pytest.raises(ValueError, match="not known here"):
            decide(made, "s3:GetObject", "b/k", a_b="c")


def test_a_role_is_taken_by_whom_its_trust_names() -> None:
    service = {"Effect": "Allow", "Principal": {"Service": "glue.amazonaws.com"}, "Action": "sts:AssumeRole"}
    made = {"R": role(allow("sts:AssumeRole", "*")), "T": role(trust=service)}

    assert decide(made, "sts:AssumeRole", "role/T", actor="glue.amazonaws.com")
    assert not decide(made, "sts:AssumeRole", "role/T")


def test_where_a_trust_names_the_account_a_policy_of_the_caller_has_to_allow_it_too() -> None:
    root = {"AWS": "arn:aws:iam::<account>:root"}
    trust = {"Effect": "Allow", "Principal": root, "Action": "sts:AssumeRole"}
    made = {"R": role(allow("sts:AssumeRole", "<T.Arn>")), "O": role(), "T": role(trust=trust)}

    assert decide(made, "sts:AssumeRole", "role/T")
    assert not decide(made, "sts:AssumeRole", "role/T", actor="O")
    assert not decide({**made, "T": role()}, "sts:AssumeRole", "role/T")


def test_a_star_in_a_pattern_takes_any_text_and_a_dot_none() -> None:
    assert like("a/b.c", "a*c")
    assert not like("abc", "a.c")
