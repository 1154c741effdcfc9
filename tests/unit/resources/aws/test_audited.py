"""Resources carry where AWS is through Dagster's configuration, and need no settings of the process."""

import pytest
from dagster import DagsterInstance, asset, materialize

from airline_platform.definitions import resources
from airline_platform.settings import Settings
from resources.aws.audited import AuditedResource, AwsConfig
from resources.lake import Lake

ELSEWHERE = {"endpoint_url": "http://127.0.0.1:9", "region": "eu-central-1", "name": "another"}


def test_every_resource_of_the_platform_has_the_access_of_the_settings_it_was_made_of(
    no_stack: Settings,
) -> None:
    settings = no_stack.model_copy(update=ELSEWHERE)

    for found in resources(settings).values():
        assert isinstance(found, AuditedResource)
        assert found.aws == AwsConfig.of(settings)


@pytest.mark.filterwarnings("default")
def test_a_run_gets_the_access_that_was_composed_and_not_that_of_its_process(no_stack: Settings) -> None:
    composed = Lake.of(no_stack.model_copy(update=ELSEWHERE))
    given: list[AuditedResource] = []

    @asset
    def asks(lake: Lake) -> None:
        given.append(lake)

    with DagsterInstance.ephemeral() as instance:
        materialize([asks], resources={"lake": composed}, instance=instance)

    (lake,) = given
    assert lake is not composed
    assert lake == composed
    assert lake.aws.endpoint_url == "http://127.0.0.1:9"


@pytest.mark.parametrize("stage", ["local", "aws"])
def test_the_credentials_are_those_of_the_settings(no_stack: Settings, stage: str) -> None:
    settings = no_stack.model_copy(update={"stage": stage})

    assert AwsConfig.of(settings).credentials() == settings.credentials()
