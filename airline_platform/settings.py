"""The environment, parsed once and typed. An unknown stage is an error, not a default."""

import json
import os
import re
from datetime import date
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LOCAL_REGION = "us-east-1"
"""Of a laptop where no variable names one; nothing there depends on it."""

LOCAL_CREDENTIAL = "airline"
"""Key and secret of the laptop's gateway, which checks neither; real credentials never reach it."""


def credentials(stage: str) -> dict[str, str]:
    """Credentials for boto3: the laptop's own there, none elsewhere (boto3's chain decides)."""
    if stage == "aws":
        return {}
    return {"aws_access_key_id": LOCAL_CREDENTIAL, "aws_secret_access_key": LOCAL_CREDENTIAL}


def _region_of_profile() -> str:
    """Return the region of the AWS profile in use, which `AWS_PROFILE` or the name `default` chooses.

    Raises:
        ValueError: There is no such profile, or it names no region. Another one is never guessed: what is
            there already would be made again, elsewhere.
    """
    import botocore.session  # noqa: PLC0415 - costs 0.2 s, and a laptop does not need it
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415

    try:
        region = botocore.session.Session().get_config_variable("region")
    except BotoCoreError as error:
        raise ValueError(f"expected the region of an AWS profile: {error}") from error
    if not region:
        raise ValueError(
            "expected a region for the stage aws, found none; set AWS_REGION, or `region` in the AWS profile"
        )
    return str(region)


_WEEKDAYS, _MONTHS = "sun|mon|tue|wed|thu|fri|sat", "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_CRON_VALUES = (
    "[0-5]?[0-9]",
    "[01]?[0-9]|2[0-3]",
    "0?[1-9]|[12][0-9]|3[01]",
    f"0?[1-9]|1[0-2]|{_MONTHS}",
    f"[0-7]|{_WEEKDAYS}",
)
_CRON_PARTS = [rf"(\*|({value})(-({value}))?)(/[1-9][0-9]?)?" for value in _CRON_VALUES]
CRON = re.compile(" ".join(f"{part}(,{part})*" for part in _CRON_PARTS), re.IGNORECASE)
"""Minute, hour, day of the month, month, day of the week."""


class Settings(BaseSettings):
    """Where the platform runs and what its parts are called.

    Every AWS resource's name derives from `name`, in `infra/airline.yaml` and here alike, so nothing has
    to be looked up or passed around. On a laptop the endpoint comes from the running stack's state file.
    """

    model_config = SettingsConfigDict(
        env_prefix="AIRLINE_", extra="ignore", frozen=True, populate_by_name=True
    )

    stage: Literal["local", "aws"] = Field("local", description="`local` is a laptop, `aws` an account.")
    name: str = Field(
        "airline", pattern=r"^[a-z](-?[a-z0-9])+$", max_length=31, description="Prefix of all resource names."
    )
    home: Path = Field(Path(".airline"), description="The laptop stack's state folder.")
    region: str = Field(
        "",
        validate_default=True,
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region; in an account, else the profile's.",
    )
    endpoint_url: str | None = Field(
        None,
        validation_alias="AWS_ENDPOINT_URL",
        description="AWS endpoint; the laptop's gateway on a laptop.",
    )
    run_role_arn: str | None = Field(
        None,
        pattern=r"^arn:[\w-]+:iam::\d{12}:role/\S+$",
        description="Role a run takes in an account, with its run id as session name; none: no other role.",
    )
    start_date: date = Field(date(2013, 1, 1), description="First day of the daily partitions.")
    max_partitions_per_run: int = Field(
        92, gt=0, description="Most days one run takes; a quarter by default, so that one Glue job holds it."
    )
    max_rejected_shares: dict[str, Annotated[float, Field(ge=0, le=1)]] = Field(
        {}, description='Share of rejected rows above which a load is refused, by feed: `{"flights": 0.1}`.'
    )
    long_delay_minutes: int = Field(
        60, ge=1, description="Departure delay in minutes from which on a flight is in `long_delays`."
    )
    people_days: int = Field(
        30,
        ge=1,
        description="Days landed files that name people are kept, for the feeds that declare it; deployed.",
    )
    replaced_hours: int = Field(
        24,
        ge=1,
        description="Hours the Parquet of a replaced day is kept, for queries that still read it.",
    )
    trigger: Literal["events", "schedule", "both"] = Field(
        "events",
        description="What starts the feeds: the event that a file landed, the schedule, or either one.",
    )
    schedule: str = Field("0 6 * * *", description="When the schedule starts the feeds: cron, in UTC.")
    due_hour: int = Field(
        6, ge=0, le=23, description="Hour (UTC) of the next day by which a day's files should have landed."
    )
    wait_for_airports: int = Field(
        120,
        ge=0,
        le=1800,
        description="Seconds for which files that look airports up wait, at most, while airports are loaded.",
    )
    reconcile_seconds: int = Field(
        0,
        ge=0,
        description="Between two looks for landed files without a verdict; 0: 30 on a laptop, else 3600.",
    )
    ui_port: int = Field(3000, ge=0, le=65535, description="Dagster UI; 0 or taken: a free one.")
    gateway_port: int = Field(0, ge=0, le=65535, description="Laptop AWS endpoint; 0: a free one.")
    warehouse_port: int = Field(0, ge=0, le=65535, description="Laptop warehouse; 0: a free one.")

    @field_validator("home")
    @classmethod
    def _absolute(cls, home: Path) -> Path:
        return home.expanduser().resolve()

    @field_validator("region")
    @classmethod
    def _known(cls, region: str, info: ValidationInfo) -> str:
        """Take the profile's region in an account where no variable names one; a laptop's may be any."""
        if region or info.data.get("stage") != "aws":
            return region or LOCAL_REGION
        return _region_of_profile()

    @field_validator("schedule")
    @classmethod
    def _cron(cls, schedule: str) -> str:
        if not CRON.fullmatch(schedule):
            raise ValueError(
                "expected five fields of cron (minute, hour, day, month, day of the week), such as "
                f"'0 6 * * *', got {schedule!r}"
            )
        return schedule

    @classmethod
    def load(cls, **overrides: Any) -> Self:
        """Parse the environment; on a laptop, add the running stack's endpoint where none is set.

        Raises:
            pydantic.ValidationError: A variable has a value it cannot have.
        """
        settings = cls(**overrides)
        if settings.stage == "local" and not settings.endpoint_url:
            return settings.model_copy(update={"endpoint_url": settings.running_stack().get("endpoint_url")})
        return settings

    def running_stack(self) -> dict[str, Any]:
        """What `airline up` recorded about the stack in `home`; empty where none was started."""
        try:
            document = json.loads(self.stack_file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}

    @property
    def stack_file(self) -> Path:
        """State of the running laptop stack: endpoint, ports, processes."""
        return self.home / "stack.json"

    @property
    def landing_bucket(self) -> str:
        """Bucket in which files arrive."""
        return f"{self.name}-landing"

    @property
    def lake_bucket(self) -> str:
        """Bucket of everything derived: Parquet, manifests, Glue scripts, query results."""
        return f"{self.name}-lake"

    @property
    def audit_bucket(self) -> str:
        """Bucket of CloudTrail's log files."""
        return f"{self.name}-audit"

    @property
    def landing_queue(self) -> str:
        """Name of the SQS queue of `Object Created` events."""
        return f"{self.name}-landing-events"

    @property
    def landing_dead_letter_queue(self) -> str:
        """Name of the SQS queue of events that could not be used."""
        return f"{self.name}-landing-events-dead"

    @property
    def alerts_topic(self) -> str:
        """Name of the SNS topic people subscribe to."""
        return f"{self.name}-alerts"

    @property
    def alerts_inbox(self) -> str:
        """Name of the SQS queue subscribed to the topic, which `airline alerts` reads."""
        return f"{self.name}-alerts-inbox"

    @property
    def glue_database(self) -> str:
        """Database of the Glue Data Catalog."""
        return self.name.replace("-", "_")

    @property
    def warehouse_secret(self) -> str:
        """Id of the secret with the warehouse's engine, host, port, dbname, username and password."""
        return f"{self.name}/warehouse"

    @property
    def customer_key_secret(self) -> str:
        """Id of the secret with the key customers are hashed with."""
        return f"{self.name}/customer-key"

    @property
    def workgroup(self) -> str:
        """Athena workgroup."""
        return self.name

    @property
    def glue_log_prefix(self) -> str:
        """Prefix of CloudWatch's log groups of the jobs: `/output` is the scripts', `/error` Spark's own."""
        return f"/{self.name}/glue-jobs"

    def job_name(self, job: str) -> str:
        """Name of a Glue job: `flights` is `airline-flights`."""
        return f"{self.name}-{job}"

    def crawler_name(self, feed: str) -> str:
        """Name of a feed's crawler over the landing bucket."""
        return f"{self.name}-{feed}"

    @property
    def reconcile_every(self) -> int:
        """Seconds between two reconciliations, and how long an event has to arrive before it counts as lost.

        Each asks the warehouse, and one that sleeps when nobody asks wakes up for it: docs/cost.md.
        """
        return self.reconcile_seconds or (3600 if self.stage == "aws" else 30)

    @property
    def events_start_runs(self) -> bool:
        """Whether the event that a file landed starts its run."""
        return self.trigger != "schedule"

    @property
    def schedule_starts_runs(self) -> bool:
        """Whether the hour starts runs for what has landed."""
        return self.trigger != "events"

    def rejected_share_allowed(self, feed: str, default: float) -> float:
        """Share of rejected rows a feed's day may have; its declaration's where none is set."""
        return self.max_rejected_shares.get(feed, default)

    def credentials(self) -> dict[str, str]:
        """Credentials for boto3: the laptop's own there, none elsewhere (boto3's chain decides)."""
        return credentials(self.stage)

    def environment(self) -> dict[str, str]:
        """This process's environment with these settings in it, for a child process."""
        values = {name: getattr(self, name) for name in _OWN_VARIABLES}
        mine = {
            f"AIRLINE_{name.upper()}": json.dumps(value) if isinstance(value, dict) else str(value)
            for name, value in values.items()
            if value is not None
        }
        mine |= {"AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region}
        if self.endpoint_url:
            mine["AWS_ENDPOINT_URL"] = self.endpoint_url
        if self.stage == "local":
            mine |= {"AWS_ACCESS_KEY_ID": LOCAL_CREDENTIAL, "AWS_SECRET_ACCESS_KEY": LOCAL_CREDENTIAL}
        foreign = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
        return (inherited if self.stage == "local" else dict(os.environ)) | mine


def variable_of(name: str) -> str:
    """Return the environment variable of a setting, by the setting's name or the variable's."""
    field = Settings.model_fields.get(name.lower())
    alias = field.validation_alias if field else None
    first = alias.choices[0] if isinstance(alias, AliasChoices) else alias
    if first:
        return str(first)
    return name.upper() if name.startswith("AWS_") else f"AIRLINE_{name.upper()}"


_OWN_VARIABLES = [name for name, field in Settings.model_fields.items() if field.validation_alias is None]


@cache
def get_settings() -> Settings:
    """The settings of this process, parsed at the first call."""
    return Settings.load()
