"""The warehouse's login: what its secret says, or a password for an hour that is asked for in its place."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from airline_platform.errors import StackUnavailable
from resources.aws.client import AwsAccess, make_client, reaching

LONGEST_SECONDS = 60 * 60
"""How long a password that is asked for is good: the most that both of Redshift's calls give."""

EARLY = timedelta(minutes=1)
"""How long before its end a password is not used any more; the clocks are not the same."""

REMEDY = (
    "Store JSON in Secrets Manager with engine (redshift), host, port, dbname, and username and password, or "
    "workgroup (Redshift Serverless), or cluster, for which short-lived passwords are asked."
)


@dataclass(frozen=True)
class Login:
    """A login to the warehouse; `engine` is `redshift` or `postgres`.

    Args:
        engine: What it is.
        host: Its endpoint.
        port: Of the endpoint.
        dbname: The database.
        username: Who logs in.
        password: With what.
        expires: Until when the password is good; None where it is good until somebody changes it.
    """

    engine: str
    host: str
    port: int
    dbname: str
    username: str
    password: str
    expires: datetime | None = None

    @property
    def expired(self) -> bool:
        """Whether a new password is to be asked for. What is connected stays so when a password expires."""
        return self.expires is not None and datetime.now(UTC) >= self.expires - EARLY


def read_login(aws: AwsAccess, secret_id: str) -> Login:
    """Read what the secret says now; where it names a workgroup or a cluster, ask for a password.

    Raises:
        StackUnavailable: There is no such secret, it lacks something, or AWS does not answer.
        botocore.exceptions.ClientError: AWS gives no password for the workgroup or the cluster.
    """
    secret = _read_secret(aws, secret_id)
    try:
        where = str(secret["engine"]), str(secret["host"]), int(secret["port"]), str(secret["dbname"])
        return Login(*where, *_user(aws, secret))
    except (KeyError, TypeError, ValueError) as error:
        raise StackUnavailable(
            f"the secret {secret_id} does not say how the warehouse is reached: {error!r}",
            remedy=REMEDY,
        ) from None


def _read_secret(aws: AwsAccess, secret_id: str) -> Any:
    client = make_client(aws, "secretsmanager")
    try:
        with reaching(aws):
            text = client.get_secret_value(SecretId=secret_id)["SecretString"]
    except client.exceptions.ResourceNotFoundException as error:
        raise StackUnavailable(
            f"there is no secret {secret_id}, which says where the warehouse is", remedy=REMEDY
        ) from error
    try:
        return json.loads(text)
    except ValueError:
        return None


def _user(aws: AwsAccess, secret: Mapping[str, Any]) -> tuple[str, str, datetime | None]:
    """Who logs in, with what, and until when: the secret's own password, where it has one, is taken.

    The user of a password that is asked for is named after the role that asks, `IAMR:<role>`, and made by
    Redshift at its first login, with no rights in the database
    (https://docs.aws.amazon.com/redshift/latest/mgmt/generating-user-credentials.html).
    """
    if "password" in secret:
        return str(secret["username"]), str(secret["password"]), None
    with reaching(aws):
        if "workgroup" in secret:
            given = make_client(aws, "redshift-serverless").get_credentials(
                workgroupName=secret["workgroup"], dbName=secret["dbname"], durationSeconds=LONGEST_SECONDS
            )
            return given["dbUser"], given["dbPassword"], given["expiration"]
        given = make_client(aws, "redshift").get_cluster_credentials_with_iam(
            ClusterIdentifier=secret["cluster"], DbName=secret["dbname"], DurationSeconds=LONGEST_SECONDS
        )
    return given["DbUser"], given["DbPassword"], given["Expiration"]
