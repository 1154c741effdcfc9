"""A resource that says which run uses it, so that what the run calls can be told from everything else."""

from typing import Any, Literal, Self

from dagster import Config, ConfigurableResource, InitResourceContext

from airline_platform.settings import Settings, credentials
from resources.aws import caller


class AwsConfig(Config):
    """Where AWS is, as Dagster hands it to resources; `Settings` says what each of it means."""

    stage: Literal["local", "aws"]
    region: str
    home: str
    endpoint_url: str | None = None
    run_role_arn: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The access of these settings."""
        return cls(
            stage=settings.stage,
            region=settings.region,
            home=str(settings.home),
            endpoint_url=settings.endpoint_url,
            run_role_arn=settings.run_role_arn,
        )

    def credentials(self) -> dict[str, str]:
        """Credentials for boto3, as `Settings.credentials` has them."""
        return credentials(self.stage)


class AuditedResource(ConfigurableResource[Any]):
    """A part of AWS. While a run has it set up, this process calls in the run's name; sensors have no run."""

    aws: AwsConfig

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """The run begins to use it."""
        if context.run:
            caller.begin(context.run.run_id)

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """The run has used it."""
        if context.run:
            caller.end(context.run.run_id)
