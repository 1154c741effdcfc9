"""Who calls, and where: the account, its region, and what its quotas leave."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.preflight.finding import Finding, asked, one_line
from resources.aws.client import make_client

TRAILS = 5
"""Trails of a region, shadows of those made elsewhere among them (CloudTrail User Guide, "Quotas"); it can't
be raised."""

LEFT_OUT = ("disabled", "not-opted-in")
"""What EC2's DescribeRegions says of a region that the account does not use."""


@dataclass(frozen=True)
class Caller:
    """Who calls, as STS says.

    Args:
        account: The account's number.
        arn: Of the user, or of the role's session.
    """

    account: str
    arn: str

    @property
    def partition(self) -> str:
        """The ARN's partition: aws, aws-cn, aws-us-gov."""
        return self.arn.split(":")[1]


def who_calls(settings: Settings) -> tuple[Finding, Caller | None]:
    """Ask STS who calls; the answer, and whom it names."""
    try:
        answer = make_client(settings, "sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        remedy = "Sign in (`aws sso login`, a role), and see that AWS_PROFILE and AWS_REGION are meant."
        return Finding("identity", "fails", one_line(error), remedy), None
    return Finding("identity", "ok", answer["Arn"]), Caller(answer["Account"], answer["Arn"])


def region(settings: Settings) -> Finding:
    """Ask whether the account uses the region."""

    def ask() -> Finding:
        regions = make_client(settings, "ec2").describe_regions(AllRegions=True)["Regions"]
        status = {it["RegionName"]: it["OptInStatus"] for it in regions}.get(settings.region)
        if status is None:
            remedy = "Correct AWS_REGION."
            return Finding("region", "fails", f"{settings.region} is no region of this partition", remedy)
        if status in LEFT_OUT:
            remedy = "Enable it in the account's settings, or choose another AWS_REGION."
            return Finding("region", "fails", f"{settings.region} is {status}", remedy)
        return Finding("region", "ok", f"{settings.region}, {status}")

    return asked("region", ask, "ec2:DescribeRegions")


def template_fits(name: str, render: Callable[[], str]) -> Finding:
    """Say whether a template can be sent as it is: who writes it refuses one that is too long."""
    try:
        size = len(render().encode())
    except AirlineError as error:
        return Finding(name, "fails", str(error.args[0]), error.remedy)
    return Finding(name, "ok", f"{size:,} bytes")


def quotas(settings: Settings, caller: Caller, *, platform: bool, warehouse: bool) -> Iterator[Finding]:
    """Ask whether the account may have as many more as the stacks that are not there make."""
    s3, iam = make_client(settings, "s3"), make_client(settings, "iam")
    trails = make_client(settings, "cloudtrail")
    kinds: list[tuple[str, int, Callable[[], tuple[int, float]], str]] = []
    if platform:
        kinds += [
            (
                "quota: buckets",
                3,
                lambda: (
                    len(s3.list_buckets()["Buckets"]),
                    _quota(_of_buckets(settings, caller), "s3", "L-DC2B2D3D"),
                ),
                "s3:ListAllMyBuckets and servicequotas:GetServiceQuota",
            ),
            ("quota: IAM roles", 4, lambda: _of_iam(iam, "Roles"), "iam:GetAccountSummary"),
            ("quota: IAM policies", 1, lambda: _of_iam(iam, "Policies"), "iam:GetAccountSummary"),
            (
                "quota: trails",
                1,
                # Those of other regions and of the organization that reach into this one count, too.
                lambda: (len(trails.describe_trails()["trailList"]), TRAILS),
                "cloudtrail:DescribeTrails",
            ),
        ]
    if warehouse:
        ec2 = make_client(settings, "ec2")
        kinds.append(
            (
                "quota: VPCs",
                1,
                lambda: (len(ec2.describe_vpcs()["Vpcs"]), _quota(settings, "vpc", "L-F678F1CE")),
                "ec2:DescribeVpcs and servicequotas:GetServiceQuota",
            )
        )
    for name, needed, count, permission in kinds:
        yield asked(name, partial(_compared, name, needed, count), permission)


def _compared(name: str, needed: int, count: Callable[[], tuple[int, float]]) -> Finding:
    used, limit = count()
    found = f"{used:,} of {limit:,.0f} used, {needed} more needed"
    if used + needed > limit:
        remedy = "Delete what nobody uses, or have the quota raised (Service Quotas); or take another region."
        return Finding(name, "fails", found, remedy)
    return Finding(name, "ok", found)


def _of_buckets(settings: Settings, caller: Caller) -> Settings:
    """Where S3's quota of buckets is kept: in us-east-1 alone in AWS's own partition, as it is the account's.

    By AWS General Reference, "Amazon S3 endpoints and quotas"; no account has confirmed it.
    """
    return settings.model_copy(update={"region": "us-east-1"}) if caller.partition == "aws" else settings


def _quota(settings: Settings, service: str, code: str) -> float:
    """The account's own value, which counts requested raises; where none is applied, AWS's default."""
    client = make_client(settings, "service-quotas")
    try:
        answer = client.get_service_quota(ServiceCode=service, QuotaCode=code)
    except client.exceptions.NoSuchResourceException:
        answer = client.get_aws_default_service_quota(ServiceCode=service, QuotaCode=code)
    return float(answer["Quota"]["Value"])


def _of_iam(iam: Any, kind: str) -> tuple[int, float]:
    summary = iam.get_account_summary()["SummaryMap"]
    return summary[kind], summary[f"{kind}Quota"]
