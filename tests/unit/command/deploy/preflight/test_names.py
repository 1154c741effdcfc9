"""Every fixed name of both templates is asked for, and what is not told is not called free."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.stub import Stubber
from template_evaluation import evaluate, parsed

from airline_platform.settings import Settings
from command.deploy import buckets as asked_buckets
from command.deploy.preflight import names
from command.deploy.preflight.account import Caller
from command.deploy.preflight.names import Named, buckets, others, secrets
from command.deploy.template import render, render_warehouse

Stubbed = Callable[[Any, str], Stubber]
ACCOUNT = "0" * 12
ME = Caller(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/me")
OWN_NAME = ("Name", "QueueName", "TopicName", "AlarmName", "LogGroupName", "TrailName", "NamespaceName")
OWN_NAME += ("WorkgroupName",)


def test_every_fixed_name_of_both_templates_is_asked_for(no_stack: Settings) -> None:
    fixed = {
        (it["Type"], it["Properties"][key])
        for text, given in ((render(), {"Stage": "aws"}), (render_warehouse(), {}))
        for it in evaluate(parsed(text), given).resources.values()
        for key in OWN_NAME
        if not str(it.get("Properties", {}).get(key, "<")).startswith("<")
    }
    asked_for = [*names.names_of_platform(no_stack, ME), *names.names_of_warehouse(no_stack)]

    assert len(fixed) > 20
    assert fixed - {(it.kind, it.name) for it in asked_for} == set()
    assert ("AWS::Glue::Database", no_stack.glue_database) in {(it.kind, it.name) for it in asked_for}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (404, "ok"),
        (403, "fails"),
        (400, "unknown"),
        (503, "unknown"),
        ({}, "ok"),
        ({"BucketRegion": "us-east-1"}, "ok"),
        ({"BucketRegion": "eu-central-1"}, "fails"),
    ],
)
def test_a_bucket_is_ours_or_nobodys_or_in_the_way(
    stubbed: Stubbed, no_stack: Settings, answer: int | dict[str, str], outcome: str
) -> None:
    s3 = stubbed(asked_buckets, "s3")
    for what in ("landing", "lake", "audit"):
        expected = {"Bucket": f"airline-{what}", "ExpectedBucketOwner": ACCOUNT}
        if isinstance(answer, dict):
            s3.add_response("head_bucket", answer, expected)
        else:
            s3.add_client_error("head_bucket", str(answer), http_status_code=answer, expected_params=expected)

    assert {it.outcome for it in buckets(no_stack, ME, deployed=False)} == {outcome}


@pytest.fixture
def two_names(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Named("AWS::Glue::Job", it, "glue", "get_job", {"JobName": it}) for it in ("a", "b")]
    monkeypatch.setattr(names, "names_of_platform", lambda *_: found)


@pytest.mark.usefixtures("two_names")
def test_a_name_that_is_taken_outweighs_one_that_is_not_told(stubbed: Stubbed, no_stack: Settings) -> None:
    glue = stubbed(names, "glue")
    glue.add_client_error("get_job", "AccessDeniedException", "no")
    glue.add_response("get_job", {"Job": {"Name": "b"}})

    finding = others(no_stack, ME, platform=True, warehouse=False)

    assert (finding.outcome, finding.found) == ("fails", "taken: AWS::Glue::Job b")


@pytest.mark.usefixtures("two_names")
def test_a_name_that_is_not_told_is_unknown_and_one_that_is_absent_free(
    stubbed: Stubbed, no_stack: Settings
) -> None:
    glue = stubbed(names, "glue")
    glue.add_client_error("get_job", "EntityNotFoundException")
    glue.add_client_error("get_job", "AccessDeniedException", "no")

    finding = others(no_stack, ME, platform=True, warehouse=False)

    assert finding.outcome == "unknown"
    assert "AWS::Glue::Job b" in finding.found
    assert "AWS::Glue::Job a" not in finding.found


def test_a_secret_that_waits_for_its_deletion_is_in_the_way(stubbed: Stubbed, no_stack: Settings) -> None:
    client = stubbed(names, "secretsmanager")
    client.add_response("describe_secret", {"DeletedDate": datetime(2013, 1, 1, tzinfo=UTC)})
    client.add_client_error("describe_secret", "ResourceNotFoundException")

    deleted, absent = secrets(no_stack)

    assert (deleted.outcome, absent.outcome) == ("fails", "ok")
    assert "restore-secret --secret-id airline/warehouse" in deleted.remedy
