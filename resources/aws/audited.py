"""Resources that call AWS in the name of the run that uses them, so that its calls can be found."""

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
        """Return what these settings say of AWS."""
        return cls(
            stage=settings.stage,
            region=settings.region,
            home=str(settings.home),
            endpoint_url=settings.endpoint_url,
            run_role_arn=settings.run_role_arn,
        )

    def credentials(self) -> dict[str, str]:
        """Return credentials for boto3, as `Settings.credentials` does."""
        return credentials(self.stage)


class AuditedResource(ConfigurableResource[Any]):
    """A resource that calls AWS: in the name of the run that has set it up, or in nobody's, for a sensor."""

    aws: AwsConfig

    def setup_for_execution(self, context: InitResourceContext) -> None:
        """The run begins to use it."""
        if context.run:
            caller.begin(context.run.run_id)

    def teardown_after_execution(self, context: InitResourceContext) -> None:
        """The run has used it."""
        if context.run:
            caller.end(context.run.run_id)
