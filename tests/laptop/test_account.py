"""Preflight, change set and destruction of a deployment as in an account, against the laptop's endpoint."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from airline_platform.errors import AirlineError
from airline_platform.settings import Settings
from command.deploy.change_set import Change
from command.deploy.destroy import destroy, plan_destruction
from command.deploy.preflight import trial
from command.deploy.preflight.finding import Finding, tried
from command.deploy.preflight.run import preflight
from command.deploy.preflight.trial import copy_one_row, select_one
from command.deploy.programs import upload_programs
from command.deploy.progress import Unasked
from command.deploy.secrets import ensure_customer_key, store_warehouse_secret
from command.deploy.stack import deploy_stack
from resources.aws.client import make_client

NAME = "an-own-account"


class Onlooker(Unasked):
    """Approves, and remembers what was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: dict[str, Sequence[Change]] = {}

    def approves(self, stack: str, changes: Sequence[Change]) -> bool:
        self.shown[stack] = changes
        return True


@pytest.fixture(scope="module")
def account(parts: Any) -> Iterator[Settings]:
    """An account's settings, whose endpoint is the laptop's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        yield Settings(name=NAME, stage="aws", AWS_ENDPOINT_URL=parts.endpoint, AWS_REGION="us-east-1")


@pytest.fixture(scope="module")
def before(account: Settings) -> dict[str, Finding]:
    """What a preflight finds before the first deployment."""
    return {it.name: it for it in preflight(account)}


@pytest.fixture(scope="module")
def deployed(
    account: Settings, before: dict[str, Finding], without_the_trail: str, parts: Any
) -> tuple[Settings, Onlooker]:
    onlooker = Onlooker()
    assert before
    deploy_stack(account, template=without_the_trail, review=onlooker)
    store_warehouse_secret(account, parts.credentials)
    ensure_customer_key(account)
    return account, onlooker


def test_before_the_first_deployment_nothing_stands_in_its_way(before: dict[str, Finding]) -> None:
    assert {name: it.found for name, it in before.items() if it.outcome == "fails"} == {}
    assert before["identity"].outcome == "ok"
    assert before[f"bucket {NAME}-lake"] == Finding(f"bucket {NAME}-lake", "ok", "free")
    assert before["other names"].found == "22 free"
    assert before["COPY, Athena, a Glue job"].outcome == "later"


def test_a_preflight_makes_nothing(account: Settings, before: dict[str, Finding]) -> None:
    assert before
    stacks = make_client(account, "cloudformation").describe_stacks()["Stacks"]

    assert NAME not in {stack["StackName"] for stack in stacks}


def test_a_name_that_something_else_has_is_found_before_the_deployment(account: Settings) -> None:
    settings = account.model_copy(update={"name": "taken"})
    glue = make_client(settings, "glue")
    glue.create_job(Name="taken-flights", Role="r", Command={"Name": "glueetl"})

    found = {it.name: it for it in preflight(settings)}

    glue.delete_job(JobName="taken-flights")
    assert found["other names"].outcome == "fails"
    assert found["other names"].found == "taken: AWS::Glue::Job taken-flights"


def test_every_resource_is_shown_before_it_is_made(deployed: tuple[Settings, Onlooker]) -> None:
    _, onlooker = deployed

    shown = {change.resource: change for change in onlooker.shown[NAME]}

    assert shown["LakeBucket"] == Change("Add", "LakeBucket", "AWS::S3::Bucket", "")
    assert {"JobFlights", "CrawlerFlights", "RunRole"} <= set(shown)


def test_one_row_is_copied_and_leaves_nothing_behind(deployed: tuple[Settings, Onlooker]) -> None:
    settings, _ = deployed

    assert copy_one_row(settings) == "one row copied and read"
    assert "Contents" not in make_client(settings, "s3").list_objects_v2(Bucket=settings.lake_bucket)


def test_a_copy_that_fails_leaves_nothing_behind_either(
    deployed: tuple[Settings, Onlooker], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, _ = deployed
    monkeypatch.setattr(trial, "_one_row", lambda: b"no Parquet")

    found = tried("COPY", lambda: trial.copy_one_row(settings), "Look.")

    assert (found.outcome, found.remedy) == ("fails", "Look.")
    assert "Contents" not in make_client(settings, "s3").list_objects_v2(Bucket=settings.lake_bucket)


def test_athena_answers_in_the_workgroup(deployed: tuple[Settings, Onlooker]) -> None:
    assert select_one(deployed[0]).startswith("answered in ")


def test_a_job_runs_over_nothing_and_leaves_nothing(deployed: tuple[Settings, Onlooker]) -> None:
    settings, _ = deployed
    programs = set(upload_programs(settings))

    assert "succeeded after" in trial.run_over_nothing(settings)

    left = make_client(settings, "s3").list_objects_v2(Bucket=settings.lake_bucket)["Contents"]
    # A query's result goes when all results go.
    assert {it["Key"] for it in left if not it["Key"].startswith("athena-results/")} == programs


def test_a_destruction_keeps_buckets_and_secrets_and_says_so(deployed: tuple[Settings, Onlooker]) -> None:
    settings, _ = deployed
    s3 = make_client(settings, "s3")
    for body in (b"first", b"second"):
        s3.put_object(Bucket=settings.landing_bucket, Key="airport_codes/a.csv", Body=body)

    planned = plan_destruction(settings, with_data=False, with_warehouse=False)
    destroy(settings, planned)

    assert {it.name for it in planned.kept} == {
        *(f"{NAME}-{what}" for what in ("landing", "lake", "audit")),
        f"{NAME}/warehouse",
        f"{NAME}/customer-key",
    }
    with pytest.raises(AirlineError, match=f"expected a stack {NAME} in us-east-1, found none"):
        plan_destruction(settings, with_data=False, with_warehouse=False)
    assert len(s3.list_object_versions(Bucket=settings.landing_bucket)["Versions"]) == 2
    assert make_client(settings, "glue").get_jobs()["Jobs"] == []


def test_with_data_the_buckets_go_with_every_version(deployed: tuple[Settings, Onlooker]) -> None:
    settings, _ = deployed
    make_client(settings, "s3").delete_object(Bucket=settings.landing_bucket, Key="airport_codes/a.csv")

    planned = plan_destruction(settings, with_data=True, with_warehouse=False)
    destroy(settings, planned)

    assert planned.stacks == ()
    there = {it["Name"] for it in make_client(settings, "s3").list_buckets()["Buckets"]}
    assert not there & {f"{NAME}-landing", f"{NAME}-lake", f"{NAME}-audit"}
