"""Names that a first deployment takes: whose they are already."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from airline_platform.feeds import FEEDS
from airline_platform.settings import Settings
from command.deploy.buckets import BUCKETS, OURS, whose_bucket
from command.deploy.preflight.account import Caller
from command.deploy.preflight.finding import Finding, asked, one_line
from command.deploy.template import crawlers_of
from command.deploy.warehouse import own_stack
from resources.aws.client import make_client

ABSENT = (
    "EntityNotFoundException",
    "ResourceNotFoundException",
    "NotFoundException",
    "NotFound",
    "TrailNotFoundException",
    "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue",
)
"""Error codes by which services say that there is nothing of a name."""

NO_WORKGROUP = "not found"
"""Athena says so of a workgroup, under the code of any wrong request."""


@dataclass(frozen=True)
class Named:
    """A name that CloudFormation is to take, and the question whether it is taken.

    Args:
        kind: CloudFormation's type.
        name: The name.
        service: boto3's name of the service that is asked.
        operation: The client's method.
        arguments: Its arguments.
        has: Whether an answer has something of that name.
    """

    kind: str
    name: str
    service: Any
    operation: str
    arguments: Mapping[str, Any]
    has: Callable[[Any], bool] = field(default=bool)

    def is_taken(self, settings: Settings) -> bool:
        """Ask the service.

        Raises:
            ClientError: It does not say.
        """
        client = make_client(settings, self.service)
        try:
            return self.has(getattr(client, self.operation)(**self.arguments))
        except ClientError as error:
            said = error.response["Error"]
            if said.get("Code") in ABSENT or NO_WORKGROUP in said.get("Message", ""):
                return False
            raise


def buckets(settings: Settings, caller: Caller, *, deployed: bool) -> Iterator[Finding]:
    """Ask of each bucket whether it is ours, or nobody's: bucket names are global."""
    for setting in BUCKETS.values():
        name = str(getattr(settings, setting))
        ask = partial(_bucket, settings, name, caller, deployed=deployed)
        yield asked(f"bucket {name}", ask, "s3:ListBucket")


def _bucket(settings: Settings, name: str, caller: Caller, *, deployed: bool) -> Finding:
    what = f"bucket {name}"
    whose = whose_bucket(settings, name, caller.account)
    if whose is None:
        return Finding(what, "ok", "free")
    if whose != OURS:
        remedy = (
            "Choose another AIRLINE_NAME, or the bucket's AWS_REGION; where it is yours, allow s3:ListBucket."
        )
        return Finding(what, "fails", f"it is {whose}", remedy)
    return Finding(what, "ok", "the stack's" if deployed else "ours: the stack adopts it")


def others(settings: Settings, caller: Caller, *, platform: bool, warehouse: bool) -> Finding:
    """Ask for every other fixed name of the stacks that are not there whether something else has it."""
    taken: list[str] = []
    unknown: list[str] = []
    names = names_of_platform(settings, caller) if platform else []
    names += names_of_warehouse(settings) if warehouse else []
    for named in names:
        what = f"{named.kind} {named.name}"
        try:
            taken += [what] if named.is_taken(settings) else []
        except (ClientError, BotoCoreError) as error:
            unknown.append(f"{what} ({one_line(error)})")
    if taken:
        remedy = "Delete what has the names, import it into the stack, or choose another AIRLINE_NAME."
        return Finding("other names", "fails", f"taken: {', '.join(taken)}", remedy)
    if unknown:
        remedy = "Let who deploys read these services, or look for yourself."
        return Finding("other names", "unknown", f"not told: {'; '.join(unknown)}", remedy)
    return Finding("other names", "ok", f"{len(names)} free")


def names_of_platform(settings: Settings, caller: Caller) -> list[Named]:
    """Return the fixed names of infra/airline.yaml, without the buckets."""
    place = f"{settings.region}:{caller.account}"
    topic = f"arn:{caller.partition}:sns:{place}:{settings.alerts_topic}"
    crawlers = [crawler.name for feed in FEEDS.values() for crawler in crawlers_of(feed)]
    jobs = [job.name for feed in FEEDS.values() for job in feed.jobs]
    queues = (settings.landing_queue, settings.landing_dead_letter_queue, settings.alerts_inbox)
    logs = [f"{settings.glue_log_prefix}/{stream}" for stream in ("output", "error")]
    trail, rule = f"{settings.name}-trail", f"{settings.name}-landing"
    alarms = [f"{settings.landing_queue}-{what}" for what in ("dead", "unread")]
    return [
        Named(
            "AWS::Glue::Database",
            settings.glue_database,
            "glue",
            "get_database",
            {"Name": settings.glue_database},
        ),
        *(_glue("Crawler", settings.crawler_name(it), "get_crawler", "Name") for it in crawlers),
        *(_glue("Job", settings.job_name(it), "get_job", "JobName") for it in jobs),
        *(Named("AWS::SQS::Queue", it, "sqs", "get_queue_url", {"QueueName": it}) for it in queues),
        Named("AWS::SNS::Topic", settings.alerts_topic, "sns", "get_topic_attributes", {"TopicArn": topic}),
        Named("AWS::Events::Rule", rule, "events", "describe_rule", {"Name": rule}),
        Named("AWS::CloudTrail::Trail", trail, "cloudtrail", "get_trail", {"Name": trail}),
        Named(
            "AWS::Athena::WorkGroup",
            settings.workgroup,
            "athena",
            "get_work_group",
            {"WorkGroup": settings.workgroup},
        ),
        *(_log_group(it) for it in logs),
        *(_alarm(it) for it in alarms),
    ]


def names_of_warehouse(settings: Settings) -> list[Named]:
    """Return the fixed names of infra/warehouse.yaml; an earlier stack keeps its namespace."""
    name = own_stack(settings)
    return [
        Named(
            "AWS::RedshiftServerless::Namespace",
            name,
            "redshift-serverless",
            "get_namespace",
            {"namespaceName": name},
        ),
        Named(
            "AWS::RedshiftServerless::Workgroup",
            name,
            "redshift-serverless",
            "get_workgroup",
            {"workgroupName": name},
        ),
        _alarm(f"{name}-usage"),
    ]


def secrets(settings: Settings) -> Iterator[Finding]:
    """Ask whether a secret's name is held by one that waits for its deletion: none can be made then."""
    for name in (settings.warehouse_secret, settings.customer_key_secret):
        yield asked(f"secret {name}", partial(_secret, settings, name), "secretsmanager:DescribeSecret")


def _secret(settings: Settings, name: str) -> Finding:
    client = make_client(settings, "secretsmanager")
    try:
        answer = client.describe_secret(SecretId=name)
    except client.exceptions.ResourceNotFoundException:
        return Finding(f"secret {name}", "ok", "free")
    if deleted := answer.get("DeletedDate"):
        remedy = f"Bring it back: `aws secretsmanager restore-secret --secret-id {name}`."
        return Finding(f"secret {name}", "fails", f"deleted {deleted:%Y-%m-%d}, and not gone yet", remedy)
    return Finding(f"secret {name}", "ok", "there: it is kept")


def _glue(kind: str, name: str, operation: str, argument: str) -> Named:
    return Named(f"AWS::Glue::{kind}", name, "glue", operation, {argument: name})


def _log_group(name: str) -> Named:
    def has(answer: Any) -> bool:
        return any(it["logGroupName"] == name for it in answer["logGroups"])

    return Named(
        "AWS::Logs::LogGroup", name, "logs", "describe_log_groups", {"logGroupNamePrefix": name}, has
    )


def _alarm(name: str) -> Named:
    def has(answer: Any) -> bool:
        return bool(answer.get("MetricAlarms"))

    return Named("AWS::CloudWatch::Alarm", name, "cloudwatch", "describe_alarms", {"AlarmNames": [name]}, has)
