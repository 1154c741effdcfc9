"""boto3 clients: the laptop's gateway or an account, decided by the settings alone.

What a run calls carries its id: in the user agent everywhere, and as the name of the role's session where the
settings name a role for runs.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, overload

import boto3
import botocore.session
from botocore.config import Config
from botocore.credentials import CredentialProvider, CredentialResolver, DeferredRefreshableCredentials
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError
from botocore.utils import parse_timestamp

from airline_platform.errors import StackNotStarted, StackUnavailable
from resources.aws import caller

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sts import STSClient

START_THE_STACK = "Start the laptop stack with `airline up`, or set AIRLINE_STAGE=aws to work in an account."

Untyped = Literal[
    "redshift",
    "redshift-serverless",
    "sts",
    "iam",
    "ec2",
    "events",
    "cloudwatch",
    "cloudtrail",
    "service-quotas",
]
"""Services whose clients are asked too little to have their types installed."""

_ISO = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z$")

_making = Lock()
"""botocore's sessions make one client at a time."""


class AwsAccess(Protocol):
    """Where AWS is, and with which credentials it is called: `Settings`, or what a resource has of them."""

    @property
    def stage(self) -> Literal["local", "aws"]:
        """Whether AWS is a laptop's gateway, or an account."""

    @property
    def region(self) -> str:
        """Region of all clients."""

    @property
    def endpoint_url(self) -> str | None:
        """The gateway; None in an account, and where no laptop stack was started."""

    @property
    def run_role_arn(self) -> str | None:
        """The role that a run takes in an account, if any."""

    @property
    def home(self) -> str | Path:
        """Folder of the laptop stack, which errors name."""

    def credentials(self) -> dict[str, str]:
        """Arguments for boto3's clients; none where boto3's own chain decides."""


class RunRole(NamedTuple):
    """The role a run takes, and the run's name in it."""

    arn: str
    session_name: str


@overload
def make_client(access: AwsAccess, service: Literal["s3"]) -> "S3Client": ...
@overload
def make_client(access: AwsAccess, service: Literal["glue"]) -> "GlueClient": ...
@overload
def make_client(access: AwsAccess, service: Literal["athena"]) -> "AthenaClient": ...
@overload
def make_client(access: AwsAccess, service: Literal["sqs"]) -> "SQSClient": ...
@overload
def make_client(access: AwsAccess, service: Literal["sns"]) -> "SNSClient": ...
@overload
def make_client(access: AwsAccess, service: Literal["logs"]) -> "CloudWatchLogsClient": ...
@overload
def make_client(access: AwsAccess, service: Literal["secretsmanager"]) -> "SecretsManagerClient": ...
@overload
def make_client(access: AwsAccess, service: Literal["cloudformation"]) -> "CloudFormationClient": ...
@overload
def make_client(access: AwsAccess, service: "Untyped") -> Any: ...
def make_client(access: AwsAccess, service: Any) -> Any:
    """Return a client for one service, cached: boto3 clients are thread-safe and slow to make.

    Raises:
        StackNotStarted: The stage is a laptop and no stack was started there. A laptop never falls back
            to an account.
    """
    if access.stage == "local" and access.endpoint_url is None:
        raise StackNotStarted(f"no laptop stack runs in {access.home}", remedy=START_THE_STACK)
    credentials = tuple(access.credentials().items())
    return _client(service, access.region, access.endpoint_url, credentials, _run_role(access))


def _run_role(access: AwsAccess) -> RunRole | None:
    run = caller.current_run()
    if access.stage == "local" or not access.run_role_arn or not run:
        return None
    return RunRole(access.run_role_arn, run)


@cache
def _client(
    service: Any,
    region: str,
    endpoint_url: str | None,
    credentials: tuple[tuple[str, str], ...] = (),
    role: RunRole | None = None,
) -> Any:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=32,
        s3={"addressing_style": "path"} if endpoint_url else None,
    )
    with _making:
        # Its 400 overloads take literal names only.
        make: Any = _session(region, endpoint_url, role).client
        client = make(
            service, region_name=region, endpoint_url=endpoint_url, config=config, **dict(credentials)
        )
    # Not earlier: botocore writes the user agent anew while it makes the request, and does not sign it.
    client.meta.events.register("before-send", caller.sign)
    return client


@cache
def _session(region: str, endpoint_url: str | None, role: RunRole | None) -> boto3.Session:
    """A session whose clients work in the run's role, if any, with credentials renewed while it runs."""
    session = botocore.session.Session()
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=parse_moment)
    if role:
        provider = _RunRoleProvider(role, lambda: _client("sts", region, endpoint_url))
        session.register_component("credential_provider", CredentialResolver([provider]))
    return boto3.Session(botocore_session=session)


def parse_moment(value: Any) -> datetime:
    """Read a time as AWS writes it: ISO, seconds since 1970, or as in a mail.

    botocore guesses which for each of them, and in a listing of a thousand objects that is most of the call.
    """
    if isinstance(value, str) and _ISO.match(value):
        with suppress(ValueError):
            return datetime.fromisoformat(value)
    return parse_timestamp(value)


class _RunRoleProvider(CredentialProvider):
    """Gives a run the credentials of its role.

    Args:
        role: The role, and the run's name in it.
        sts: Gives STS's client, with the credentials of whoever takes the role.
    """

    METHOD = "airline-run-role"

    def __init__(self, role: RunRole, sts: "Callable[[], STSClient]") -> None:
        super().__init__()
        self._role = role
        self._sts = sts

    def load(self) -> DeferredRefreshableCredentials:
        """Credentials that are asked for when the first request needs them."""
        return DeferredRefreshableCredentials(self._assume, self.METHOD)

    def _assume(self) -> dict[str, str]:
        given = self._sts().assume_role(RoleArn=self._role.arn, RoleSessionName=self._role.session_name)
        credentials = given["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }


@contextmanager
def reaching(access: AwsAccess) -> Iterator[None]:
    """Turn botocore's connection failures into one that says what to do.

    Raises:
        StackUnavailable: Nothing answers at the endpoint, or there are no credentials for it.
    """
    try:
        yield
    except (EndpointConnectionError, ConnectTimeoutError) as error:
        remedy = START_THE_STACK if access.stage == "local" else "Check the network and the AWS region."
        raise StackUnavailable(f"AWS does not answer: {error}", remedy=remedy) from error
    except NoCredentialsError as error:
        raise StackUnavailable(
            "AWS credentials were expected, and none were found",
            remedy="Sign in (`aws sso login`, a role), or unset AIRLINE_STAGE to work on a laptop.",
        ) from error
