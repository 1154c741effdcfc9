"""A login is the secret's own, or one that Redshift gives for an hour and that is renewed before it ends."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings
from resources.warehouse import connections, login
from resources.warehouse.connections import Connection, Connections
from resources.warehouse.login import Login, read_login

WHERE = {"engine": "redshift", "host": "wg.example", "port": 5439, "dbname": "dev"}
NOW = datetime.now(UTC)


class Aws:
    """What AWS answers, service by service."""

    def __init__(self) -> None:
        services = "secretsmanager", "redshift", "redshift-serverless"
        self.clients: dict[str, Any] = {
            name: boto3.client(
                name, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
            )
            for name in services
        }
        self.stubs = {name: Stubber(client) for name, client in self.clients.items()}
        for stub in self.stubs.values():
            stub.activate()

    def says(self, text: str) -> None:
        self.stubs["secretsmanager"].add_response(
            "get_secret_value", {"SecretString": text}, {"SecretId": "s"}
        )

    def secret(self, **more: Any) -> None:
        self.says(json.dumps(WHERE | more))

    def gives_for_workgroup(self, password: str, expires: datetime) -> None:
        answer = {"dbUser": "IAMR:run", "dbPassword": password, "expiration": expires}
        asked = {"workgroupName": "airline", "dbName": "dev", "durationSeconds": 3600}
        self.stubs["redshift-serverless"].add_response("get_credentials", answer, asked)


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    made = Aws()
    monkeypatch.setattr(login, "make_client", lambda _access, service: made.clients[service])
    yield made
    for stub in made.stubs.values():
        stub.assert_no_pending_responses()


def test_a_secret_with_a_password_is_the_login_also_where_it_names_a_workgroup(
    aws: Aws, no_stack: Settings
) -> None:
    aws.secret(username="u", password="p", workgroup="airline", masterarn="x")

    found = read_login(no_stack, "s")

    assert found == Login("redshift", "wg.example", 5439, "dev", "u", "p")
    assert not found.expired


def test_for_a_workgroup_a_password_is_asked_for(aws: Aws, no_stack: Settings) -> None:
    aws.secret(workgroup="airline")
    aws.gives_for_workgroup("for an hour", NOW + timedelta(hours=1))

    found = read_login(no_stack, "s")

    assert (found.host, found.username, found.password) == ("wg.example", "IAMR:run", "for an hour")
    assert found.expires == NOW + timedelta(hours=1)


def test_for_a_cluster_a_password_is_asked_for(aws: Aws, no_stack: Settings) -> None:
    aws.secret(cluster="c", port="5439")
    answer = {"DbUser": "IAMR:run", "DbPassword": "p", "Expiration": NOW}
    asked = {"ClusterIdentifier": "c", "DbName": "dev", "DurationSeconds": 3600}
    aws.stubs["redshift"].add_response("get_cluster_credentials_with_iam", answer, asked)

    found = read_login(no_stack, "s")

    assert (found.port, found.username, found.password) == (5439, "IAMR:run", "p")
    assert found.expired


@pytest.mark.parametrize("text", ["{}", "[]", "null", "a password", json.dumps(WHERE)])
def test_a_secret_that_says_too_little_is_an_error_that_says_what_it_has_to_have(
    text: str, aws: Aws, no_stack: Settings
) -> None:
    aws.says(text)

    with pytest.raises(
        StackUnavailable, match=r"(?s)the secret s does not say .*username and password, or work"
    ):
        read_login(no_stack, "s")


def test_a_password_is_renewed_before_it_expires_and_not_sooner(
    aws: Aws, no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[str] = []

    class Connected:
        """As psycopg2 makes it."""

        closed = 0

        def close(self) -> None:
            """Nothing is open."""

    def connect(its: Login) -> Connection:
        used.append(its.password)
        return Connection(Connected(), its.engine, 0, 0.0)  # type: ignore[arg-type]

    monkeypatch.setattr(connections, "_connect", connect)
    for password, left in (("first", timedelta(seconds=59)), ("second", timedelta(hours=1))):
        aws.secret(workgroup="airline")
        aws.gives_for_workgroup(password, datetime.now(UTC) + left)
    warehouse = Connections(no_stack, "s")

    for _ in range(3):
        with warehouse.opened():
            pass

    assert used == ["first", "second", "second"]
