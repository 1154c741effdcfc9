"""boto3 clients: the laptop's gateway or an account, decided by the settings alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, overload

import boto3
from botocore.config import Config
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError

from airline_platform.errors import StackNotStarted, StackUnavailable
from airline_platform.settings import Settings

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

START_THE_STACK = "Start the laptop stack with `airline up`, or set AIRLINE_STAGE=aws to work in an account."


@overload
def make_client(settings: Settings, service: Literal["s3"]) -> "S3Client": ...
@overload
def make_client(settings: Settings, service: Literal["glue"]) -> "GlueClient": ...
@overload
def make_client(settings: Settings, service: Literal["sqs"]) -> "SQSClient": ...
@overload
def make_client(settings: Settings, service: Literal["sns"]) -> "SNSClient": ...
@overload
def make_client(settings: Settings, service: Literal["logs"]) -> "CloudWatchLogsClient": ...
@overload
def make_client(settings: Settings, service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def make_client(settings: Settings, service: Literal["cloudformation"]) -> "CloudFormationClient": ...
def make_client(settings: Settings, service: Any) -> Any:
    """A client for one service, cached: boto3 clients are thread-safe and slow to make.

    Raises:
        StackNotStarted: The stage is a laptop and no stack was started there. A laptop never falls back
            to an account.
    """
    if settings.stage == "local" and settings.endpoint_url is None:
        raise StackNotStarted(f"no laptop stack runs in {settings.home}", remedy=START_THE_STACK)
    return _client(service, settings.region, settings.endpoint_url, tuple(settings.credentials().items()))


@cache
def _client(
    service: Any, region: str, endpoint_url: str | None, credentials: tuple[tuple[str, str], ...]
) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=32,
        s3={"addressing_style": "path"} if endpoint_url else None,
    )
    make: Any = boto3.client  # its 400 overloads take literal names only
    return make(service, region_name=region, endpoint_url=endpoint_url, config=config, **dict(credentials))


@contextmanager
def reaching(settings: Settings) -> Iterator[None]:
    """Turn botocore's connection failures into one that says what to do.

    Raises:
        StackUnavailable: Nothing answers at the endpoint, or there are no credentials for it.
    """
    try:
        yield
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        remedy = START_THE_STACK if settings.stage == "local" else "Check the network and the AWS region."
        raise StackUnavailable(f"AWS does not answer: {error}", remedy=remedy) from error
    except NoCredentialsError as error:
        raise StackUnavailable(
            "AWS credentials were expected, and none were found",
            remedy="Sign in (`aws sso login`, a role), or unset AIRLINE_STAGE to work on a laptop.",
        ) from error
