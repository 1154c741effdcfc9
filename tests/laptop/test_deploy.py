"""Deploys the template to the laptop's gateway, as it is, and looks at what came of it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import requests

from airline_platform.errors import AirlineError, StackUnavailable
from airline_platform.feeds import FEEDS
from airline_platform.settings import Settings
from command.deploy.programs import glue_programs, upload_programs
from command.deploy.secrets import store_warehouse_secret
from command.deploy.stack import deploy_stack
from resources.aws.client import make_client

START_SECONDS = 30


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@dataclass
class Gateway:
    """One life after another of a gateway process over the same state folder."""

    state: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.state.parent / "gateway.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "laptop.gateway",
                    "--port",
                    str(self.port),
                    "--state",
                    str(self.state),
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "AIRLINE_SPARK_WORKERS": "0"},
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.state.parent / "gateway.log").read_text()
            assert time.monotonic() < deadline, "the gateway did not answer"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/_airline/health", timeout=1).ok
        except requests.ConnectionError:
            return False

    def end(self, how: signal.Signals) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=START_SECONDS)
            self.process = None

    def settings(self, name: str) -> Settings:
        return Settings(name=name, stage="local", AWS_ENDPOINT_URL=self.url, AWS_REGION="us-east-1")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    running = Gateway(tmp_path_factory.mktemp("gateway") / "state")
    try:
        running.start()
        yield running
    finally:
        running.end(signal.SIGTERM)


@pytest.fixture(scope="module")
def deployed(gateway: Gateway) -> Settings:
    settings = gateway.settings("acme-air")
    assert deploy_stack(settings).change == "created"
    return settings


def receive(settings: Settings, queue: str, seconds: float) -> list[dict]:
    """The bodies that arrive in a queue, until one has or the time is up."""
    sqs = make_client(settings, "sqs")
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        if messages:
            return [json.loads(message["Body"]) for message in messages]
        time.sleep(0.02)
    return []


def test_a_second_deployment_changes_nothing_and_is_quick(deployed: Settings) -> None:
    before = time.monotonic()
    result = deploy_stack(deployed)

    assert result.change == "unchanged"
    assert time.monotonic() - before < 2
    assert result.outputs["DatabaseName"] == deployed.glue_database
    assert result.outputs["LandingBucketName"] == deployed.landing_bucket


@pytest.mark.parametrize("key", ["daily_flights/date=2013-01-01/flights.csv", "a feed/nobody knows.txt"])
def test_whatever_lands_is_a_message_within_a_second(deployed: Settings, key: str) -> None:
    put = make_client(deployed, "s3").put_object(Bucket=deployed.landing_bucket, Key=key, Body=b"x")

    (event,) = receive(deployed, deployed.landing_queue, seconds=1)

    assert event["detail-type"] == "Object Created"
    assert event["detail"]["bucket"]["name"] == deployed.landing_bucket
    assert event["detail"]["object"]["key"] == key
    assert event["detail"]["object"]["etag"] == put["ETag"].strip('"')


def test_what_is_written_to_the_lake_is_no_landing_event(deployed: Settings) -> None:
    s3 = make_client(deployed, "s3")
    s3.put_object(Bucket=deployed.lake_bucket, Key="daily_flights/x.csv", Body=b"x")
    s3.put_object(Bucket=deployed.landing_bucket, Key="daily_flights/then.csv", Body=b"x")

    (event,) = receive(deployed, deployed.landing_queue, seconds=1)
    assert event["detail"]["object"]["key"] == "daily_flights/then.csv"
    assert receive(deployed, deployed.landing_queue, seconds=0.2) == []


def test_an_alert_reaches_the_inbox_with_subject_id_and_time(deployed: Settings) -> None:
    sns = make_client(deployed, "sns")
    topic = deploy_stack(deployed).outputs["AlertsTopicArn"]
    sent = sns.publish(TopicArn=topic, Subject="flights failed", Message="2013-01-01")

    (alert,) = receive(deployed, deployed.alerts_inbox, seconds=1)

    assert topic.endswith(f":{deployed.alerts_topic}")
    assert alert["MessageId"] == sent["MessageId"]
    assert (alert["Subject"], alert["Message"]) == ("flights failed", "2013-01-01")
    assert alert["Timestamp"]


def test_a_message_nobody_can_use_ends_in_the_dead_letter_queue(deployed: Settings) -> None:
    sqs = make_client(deployed, "sqs")
    url = sqs.get_queue_url(QueueName=deployed.landing_queue)["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]

    redrive = json.loads(attributes["RedrivePolicy"])

    assert redrive["deadLetterTargetArn"].endswith(f":{deployed.landing_dead_letter_queue}")
    assert int(redrive["maxReceiveCount"]) == 20
    assert attributes["VisibilityTimeout"] == "120"
    assert attributes["MessageRetentionPeriod"] == str(14 * 24 * 3600)


def test_crawlers_and_jobs_are_defined_under_the_names_the_settings_give(deployed: Settings) -> None:
    glue = make_client(deployed, "glue")

    airports = glue.get_crawler(Name=deployed.crawler_name("airports"))["Crawler"]
    typed = glue.get_crawler(Name=deployed.crawler_name("shipments"))["Crawler"]
    normalized = glue.get_crawler(Name=deployed.crawler_name("shipments_normalized"))["Crawler"]
    flights = glue.get_crawler(Name=deployed.crawler_name("flights"))["Crawler"]
    job = glue.get_job(JobName=deployed.job_name("flights"))["Job"]

    (target,) = flights["Targets"]["S3Targets"]
    assert target["Path"] == f"s3://{deployed.landing_bucket}/daily_flights/"
    assert "*.[cC][sS][vV]" in target["Exclusions"]
    assert airports["Targets"]["S3Targets"][0]["Path"] == f"s3://{deployed.landing_bucket}/airport_codes/"
    assert [each["Targets"]["S3Targets"][0]["Path"] for each in (typed, normalized)] == [
        f"s3://{deployed.landing_bucket}/shipments/shipments_parquet/",
        f"s3://{deployed.lake_bucket}/shipments_normalized/",
    ]
    assert [each.get("TablePrefix", "") for each in (flights, typed, normalized)] == ["landing_", "", ""]
    assert {flights["DatabaseName"], airports["DatabaseName"]} == {"acme_air"}
    assert glue.get_database(Name=deployed.glue_database)["Database"]["Name"] == "acme_air"
    assert job["Command"]["ScriptLocation"] == f"s3://{deployed.lake_bucket}/glue_jobs/feed_job.py"
    assert job["GlueVersion"] == "5.1"


def test_the_glue_programs_are_uploaded_once_and_again_when_they_differ(deployed: Settings) -> None:
    s3 = make_client(deployed, "s3")

    assert set(upload_programs(deployed)) == set(glue_programs())
    assert upload_programs(deployed) == ()
    s3.put_object(Bucket=deployed.lake_bucket, Key="glue_jobs/feed_job.py", Body=b"an older one")
    assert upload_programs(deployed) == ("glue_jobs/feed_job.py",)


def test_the_warehouse_secret_is_stored_and_left_alone_when_it_is_right(deployed: Settings) -> None:
    secrets = make_client(deployed, "secretsmanager")

    assert store_warehouse_secret(deployed, {"host": "127.0.0.1", "port": 1})
    assert not store_warehouse_secret(deployed, {"port": 1, "host": "127.0.0.1"})
    assert store_warehouse_secret(deployed, {"host": "127.0.0.1", "port": 2})
    stored = secrets.get_secret_value(SecretId=deployed.warehouse_secret)["SecretString"]
    assert json.loads(stored)["port"] == 2


def test_a_parameter_given_once_stays_when_it_is_not_given_again(gateway: Gateway) -> None:
    settings = gateway.settings("with-mail")
    deploy_stack(settings, parameters={"AlertEmail": "ops@example.com"})

    assert deploy_stack(settings).change == "unchanged"
    assert deploy_stack(settings, parameters={"AlertEmail": ""}).change == "updated"


def test_the_stack_is_told_how_long_files_that_name_people_are_kept(gateway: Gateway) -> None:
    settings = gateway.settings("with-people")
    deploy_stack(settings.model_copy(update={"people_days": 7}))
    cloudformation = make_client(settings, "cloudformation")

    (stack,) = cloudformation.describe_stacks(StackName=settings.name)["Stacks"]

    assert {"ParameterKey": "PeopleDays", "ParameterValue": "7"} in stack["Parameters"]
    assert deploy_stack(settings).change == "updated"


def test_a_failed_creation_says_why_and_the_next_one_recovers(gateway: Gateway) -> None:
    settings = gateway.settings("in-the-way")
    glue = make_client(settings, "glue")
    glue.create_job(Name=settings.job_name("flights"), Role="r", Command={"Name": "glueetl"})

    with pytest.raises(AirlineError, match=r"JobFlights \(AWS::Glue::Job\).*already exists"):
        deploy_stack(settings)
    glue.delete_job(JobName=settings.job_name("flights"))
    again = deploy_stack(settings)

    assert again.change == "created"


def test_a_value_a_parameter_cannot_have_is_refused_and_changes_nothing(gateway: Gateway) -> None:
    settings = gateway.settings("refused")

    with pytest.raises(AirlineError, match="LogRetentionDays"):
        deploy_stack(settings, parameters={"LogRetentionDays": "1"})

    assert deploy_stack(settings).change == "created"


def test_what_only_an_account_has_is_deployed_there(gateway: Gateway, without_the_trail: str) -> None:
    settings = gateway.settings("an-account")
    account_only = {
        "Stage": "aws",
        "WarehouseJdbcUrl": "jdbc:redshift://warehouse.example:5439/dev",
        "WarehouseDatabase": "dev",
        "WarehouseAvailabilityZone": "us-east-1a",
        "WarehouseSubnetId": "subnet-0123456789abcdef0",
        "WarehouseSecurityGroupId": "sg-0123456789abcdef0",
    }
    outputs = deploy_stack(settings, parameters=account_only, template=without_the_trail).outputs
    glue = make_client(settings, "glue")

    (target,) = glue.get_crawler(Name=settings.crawler_name("warehouse"))["Crawler"]["Targets"]["JdbcTargets"]
    assert target == {"ConnectionName": "an-account-warehouse", "Path": "dev/airlines/%"}
    connection = glue.get_connection(Name="an-account-warehouse")["Connection"]
    assert connection["ConnectionProperties"]["SECRET_ID"] == settings.warehouse_secret
    assert connection["PhysicalConnectionRequirements"]["AvailabilityZone"] == "us-east-1a"
    role = outputs["RunRoleArn"].rpartition("/")[2]
    held = make_client(settings, "iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    assert [policy["PolicyArn"] for policy in held] == [outputs["DagsterPolicyArn"]]
    assert outputs["AuditBucketName"] == settings.audit_bucket


def test_each_job_is_given_its_feeds_name(deployed: Settings) -> None:
    glue = make_client(deployed, "glue")

    given = {
        job.name: glue.get_job(JobName=deployed.job_name(job.name))["Job"]["DefaultArguments"]["--feed"]
        for feed in FEEDS.values()
        for job in feed.jobs
    }

    assert given == {job.name: feed.name for feed in FEEDS.values() for job in feed.jobs}


def test_a_stack_lost_to_a_kill_comes_back_around_the_buckets_with_every_version(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "state")
    key = "daily_flights/date=2013-01-01/flights.csv"
    try:
        gateway.start()
        settings = gateway.settings("airline")
        deploy_stack(settings)
        bodies = [b"first", b"second", b"third"]
        s3 = make_client(settings, "s3")
        written = [
            s3.put_object(Bucket=settings.landing_bucket, Key=key, Body=body)["VersionId"] for body in bodies
        ]
        gateway.end(signal.SIGKILL)

        gateway.start()
        result = deploy_stack(settings)

        # The lake was empty, and an empty bucket leaves nothing on disk.
        assert result.change == "created"
        assert result.adopted == (settings.landing_bucket,)
        kept = s3.list_object_versions(Bucket=settings.landing_bucket)["Versions"]
        assert [version["VersionId"] for version in kept] == written[::-1]
        assert [
            s3.get_object(Bucket=settings.landing_bucket, Key=key, VersionId=version)["Body"].read()
            for version in written
        ] == bodies
        assert s3.get_bucket_versioning(Bucket=settings.landing_bucket)["Status"] == "Enabled"
        again = s3.put_object(Bucket=settings.landing_bucket, Key=key, Body=b"fourth")
        (event,) = receive(settings, settings.landing_queue, seconds=1)
        assert event["detail"]["object"]["etag"] == again["ETag"].strip('"')
        assert deploy_stack(settings).change == "unchanged"
    finally:
        gateway.end(signal.SIGKILL)


def test_a_failed_deployment_around_existing_buckets_costs_no_object(tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "state")
    try:
        gateway.start()
        settings = gateway.settings("airline")
        deploy_stack(settings)
        s3, glue = make_client(settings, "s3"), make_client(settings, "glue")
        s3.put_object(Bucket=settings.landing_bucket, Key="airport_codes/a.csv", Body=b"kept")
        gateway.end(signal.SIGKILL)
        gateway.start()
        glue.create_job(Name=settings.job_name("flights"), Role="r", Command={"Name": "glueetl"})

        with pytest.raises(AirlineError, match="already exists"):
            deploy_stack(settings)
        glue.delete_job(JobName=settings.job_name("flights"))
        result = deploy_stack(settings)

        assert result.outputs["LakeBucketName"] == settings.lake_bucket
        kept = s3.get_object(Bucket=settings.landing_bucket, Key="airport_codes/a.csv")["Body"].read()
        assert kept == b"kept"
        assert s3.get_bucket_versioning(Bucket=settings.landing_bucket)["Status"] == "Enabled"
    finally:
        gateway.end(signal.SIGKILL)


def test_an_endpoint_that_does_not_answer_is_told_with_a_way_out() -> None:
    settings = Settings(stage="local", AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}")

    with pytest.raises(StackUnavailable, match="airline up"):
        deploy_stack(settings)
