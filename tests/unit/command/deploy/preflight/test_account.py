"""Who calls, the region and the quotas, as the account answers."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.preflight import account
from command.deploy.preflight.account import Caller, quotas, region, template_fits, who_calls
from command.deploy.template import render, render_warehouse

ME = Caller("0" * 12, f"arn:aws:iam::{'0' * 12}:user/me")
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


def test_a_template_that_no_request_takes_is_a_finding_and_ends_no_preflight() -> None:
    def too_long() -> str:
        raise AirlineError("51,201 bytes", remedy="Declare less.")

    failed = template_fits("t", too_long)

    assert (failed.outcome, failed.found, failed.remedy) == ("fails", "51,201 bytes", "Declare less.")
    assert {template_fits("t", it).outcome for it in (render, render_warehouse)} == {"ok"}


ASKED_IN: dict[str, list[str]] = {}
"""Regions in which each service was asked."""


def stub_all(monkeypatch: pytest.MonkeyPatch, *services: str) -> dict[str, Stubber]:
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x", "region_name": "us-east-1"}
    clients: dict[str, Any] = {name: boto3.client(name, **keys) for name in services}
    asked_in = ASKED_IN.setdefault("service-quotas", [])
    asked_in.clear()

    def make_client(settings: Settings, service: str) -> Any:
        ASKED_IN.setdefault(service, []).append(settings.region)
        return clients[service]

    monkeypatch.setattr(account, "make_client", make_client)
    stubs = {name: Stubber(client) for name, client in clients.items()}
    for stub in stubs.values():
        stub.activate()
    return stubs


def test_a_quota_that_is_used_up_fails_and_one_that_is_not_told_is_unknown(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = no_stack.model_copy(update={"region": "eu-central-1"})
    stubs = stub_all(monkeypatch, "s3", "iam", "cloudtrail", "ec2", "service-quotas")
    stubs["s3"].add_response("list_buckets", {"Buckets": [{"Name": "x"}]})
    stubs["service-quotas"].add_client_error("get_service_quota", "NoSuchResourceException")
    stubs["service-quotas"].add_response("get_aws_default_service_quota", {"Quota": {"Value": 4.0}})
    summary = {"SummaryMap": {"Roles": 998, "RolesQuota": 1000, "Policies": 1, "PoliciesQuota": 1500}}
    stubs["iam"].add_response("get_account_summary", summary)
    stubs["iam"].add_response("get_account_summary", summary)
    trails = [{"Name": str(number), "HomeRegion": f"eu-west-{number}"} for number in range(5)]
    stubs["cloudtrail"].add_response("describe_trails", {"trailList": trails}, {})
    stubs["ec2"].add_client_error("describe_vpcs", "UnauthorizedOperation")

    found = {it.name: it for it in quotas(settings, ME, platform=True, warehouse=True)}

    assert {name: it.outcome for name, it in found.items()} == {
        "quota: buckets": "ok",
        "quota: IAM roles": "fails",
        "quota: IAM policies": "ok",
        "quota: trails": "fails",
        "quota: VPCs": "unknown",
    }
    assert ASKED_IN["service-quotas"] == ["us-east-1"]
    assert found["quota: buckets"].found == "1 of 4 used, 3 more needed"
