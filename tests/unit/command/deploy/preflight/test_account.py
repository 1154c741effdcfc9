"""Who calls, the region and the quotas, as the account answers."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airline_platform.settings import Settings
from command.deploy.preflight import account
from command.deploy.preflight.account import LONGEST_TEMPLATE, quotas, region, template_fits, who_calls
from command.deploy.template import render, render_warehouse

Stubbed = Callable[[Any, str], Stubber]


def test_expired_credentials_fail_with_the_way_to_sign_in(stubbed: Stubbed, no_stack: Settings) -> None:
    stubbed(account, "sts").add_client_error("get_caller_identity", "ExpiredToken")

    finding, caller = who_calls(no_stack)

    assert (finding.outcome, caller) == ("fails", None)
    assert "aws sso login" in finding.remedy


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        ("opt-in-not-required", "ok"),
        ("opted-in", "ok"),
        ("not-opted-in", "fails"),
        ("disabled", "fails"),
        (None, "fails"),
    ],
)
def test_a_region_that_the_account_does_not_use_fails(
    stubbed: Stubbed, no_stack: Settings, status: str | None, outcome: str
) -> None:
    regions = [{"RegionName": no_stack.region, "OptInStatus": status}] if status else []
    stubbed(account, "ec2").add_response("describe_regions", {"Regions": regions}, {"AllRegions": True})

    assert region(no_stack).outcome == outcome


def test_a_template_that_no_request_takes_fails() -> None:
    assert template_fits("t", "x" * LONGEST_TEMPLATE).outcome == "ok"
    assert template_fits("t", "x" * (LONGEST_TEMPLATE + 1)).outcome == "fails"
    assert {template_fits("t", text).outcome for text in (render(), render_warehouse())} == {"ok"}


def stub_all(monkeypatch: pytest.MonkeyPatch, *services: str) -> dict[str, Stubber]:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    clients: dict[str, Any] = {name: boto3.client(name, **keys) for name in services}
    monkeypatch.setattr(account, "make_client", lambda _settings, service: clients[service])
    stubs = {name: Stubber(client) for name, client in clients.items()}
    for stub in stubs.values():
        stub.activate()
    return stubs


def test_a_quota_that_is_used_up_fails_and_one_that_is_not_told_is_unknown(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    stubs = stub_all(monkeypatch, "s3", "iam", "cloudtrail", "ec2", "service-quotas")
    stubs["s3"].add_response("list_buckets", {"Buckets": [{"Name": "x"}]})
    stubs["service-quotas"].add_client_error("get_service_quota", "NoSuchResourceException")
    stubs["service-quotas"].add_response("get_aws_default_service_quota", {"Quota": {"Value": 4.0}})
    summary = {"SummaryMap": {"Roles": 998, "RolesQuota": 1000, "Policies": 1, "PoliciesQuota": 1500}}
    stubs["iam"].add_response("get_account_summary", summary)
    stubs["iam"].add_response("get_account_summary", summary)
    trails = [{"Name": str(number), "HomeRegion": no_stack.region} for number in range(5)]
    stubs["cloudtrail"].add_response("describe_trails", {"trailList": trails}, {"includeShadowTrails": False})
    stubs["ec2"].add_client_error("describe_vpcs", "UnauthorizedOperation")

    found = {it.name: it for it in quotas(no_stack, platform=True, warehouse=True)}

    assert {name: it.outcome for name, it in found.items()} == {
        "quota: buckets": "ok",
        "quota: IAM roles": "fails",
        "quota: IAM policies": "ok",
        "quota: trails": "fails",
        "quota: VPCs": "unknown",
    }
    assert found["quota: buckets"].found == "1 of 4 used, 3 more needed"
