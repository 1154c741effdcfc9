"""The warehouse as Dagster's assets and sensors are given it."""

from typing import Self

from airline_platform.settings import Settings
from resources.aws.audited import AuditedResource, AwsConfig
from resources.warehouse.session import Database


class Warehouse(AuditedResource, Database):
    """The warehouse's database as a resource; its calls of AWS are in the name of the run that uses it."""

    aws: AwsConfig
    secret_id: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the warehouse of these settings, which need not be this process's."""
        return cls(secret_id=settings.warehouse_secret, aws=AwsConfig.of(settings))
