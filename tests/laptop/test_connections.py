"""A process asks for the warehouse's login once, and a thread keeps a connection, while both are good."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg2
import pytest

from airline_platform.errors import StackUnavailable
from airline_platform.settings import get_settings
from resources.aws.audited import AwsConfig
from resources.aws.client import make_client
from resources.warehouse import connections
from resources.warehouse.resource import Warehouse

SECRET = "a-test/warehouse"
BACKEND = "SELECT pg_backend_pid() AS pid"


class Server:
    """The warehouse's server by a connection that nothing touches, and a secret that is only this test's."""

    def __init__(self, secret_id: str) -> None:
        self._secrets = make_client(get_settings(), "secretsmanager")
        self._login = json.loads(self._secrets.get_secret_value(SecretId=secret_id)["SecretString"])
        names = {name: self._login[name] for name in ("host", "port", "dbname", "password")}
        self._connection = psycopg2.connect(**names, user=self._login["username"])
        self._connection.autocommit = True
        self._secrets.create_secret(Name=SECRET, SecretString=json.dumps(self._login))
        self.asked = 0
        """How often anybody has read a secret."""
        self._secrets.meta.events.register("before-call.secrets-manager.GetSecretValue", self._count)

    def _count(self, **_: object) -> None:
        self.asked += 1

    def run(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, values)
            return cursor.fetchall() if cursor.description else []

    def cut_off(self, pid: int) -> None:
        self.run("SELECT pg_terminate_backend(%s, 5000)", pid)

    def set_password(self, password: str) -> None:
        self.run(f"ALTER USER {self._login['username']} PASSWORD %s", password)

    def tell_password(self, password: str) -> None:
        document = json.dumps(self._login | {"password": password})
        self._secrets.put_secret_value(SecretId=SECRET, SecretString=document)

    def restore(self) -> None:
        self.set_password(self._login["password"])
        self._connection.close()
        self._secrets.meta.events.unregister("before-call.secrets-manager.GetSecretValue", self._count)
        self._secrets.delete_secret(SecretId=SECRET, ForceDeleteWithoutRecovery=True)


@pytest.fixture
def its_server(server: Warehouse) -> Iterator[Server]:
    found = Server(server.secret_id)
    yield found
    found.restore()


@pytest.fixture
def warehouse(its_server: Server, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """As a process finds it that has not asked for anything yet."""
    assert its_server.asked == 0
    monkeypatch.setattr(connections, "_connections", {})
    return Warehouse(secret_id=SECRET, aws=AwsConfig.of(get_settings()))


def backend(warehouse: Warehouse) -> int:
    """Which process of the server answers."""
    (row,) = warehouse.query(BACKEND)
    return int(row["pid"])


def test_reads_of_a_thread_share_a_connection_and_the_secret_is_read_once(
    warehouse: Warehouse, its_server: Server
) -> None:
    assert len({backend(warehouse) for _ in range(3)}) == 1
    with warehouse.transaction() as session:
        session.execute("SELECT 1 AS one")

    assert its_server.asked == 1


def test_two_objects_for_one_warehouse_share_what_the_process_knows(
    warehouse: Warehouse, its_server: Server
) -> None:
    again = Warehouse(secret_id=SECRET, aws=AwsConfig.of(get_settings()))

    assert backend(warehouse) == backend(again)
    assert its_server.asked == 1


def test_a_transaction_has_a_connection_of_its_own(warehouse: Warehouse) -> None:
    with warehouse.transaction() as session:
        (row,) = session.query(BACKEND)
        assert row["pid"] != backend(warehouse)


def test_a_read_after_the_connection_was_cut_off_goes_on_with_a_new_one(
    warehouse: Warehouse, its_server: Server
) -> None:
    before = backend(warehouse)
    its_server.cut_off(before)

    assert backend(warehouse) != before
    assert its_server.asked == 1


def test_a_password_that_has_changed_is_read_anew(warehouse: Warehouse, its_server: Server) -> None:
    its_server.cut_off(backend(warehouse))
    its_server.set_password("second")
    its_server.tell_password("second")

    backend(warehouse)
    with warehouse.transaction(read_only=True) as session:
        session.execute("SELECT 1 AS one")
    assert its_server.asked == 2


def test_a_login_that_is_refused_and_still_the_secrets_is_an_error_that_says_so(
    warehouse: Warehouse, its_server: Server
) -> None:
    its_server.cut_off(backend(warehouse))
    its_server.set_password("second")

    with pytest.raises(StackUnavailable, match="password authentication failed"):
        warehouse.query(BACKEND)

    its_server.tell_password("second")
    assert backend(warehouse)


def test_a_statement_that_fails_is_not_tried_again_and_harms_no_other(warehouse: Warehouse) -> None:
    backend(warehouse)
    with pytest.raises(psycopg2.errors.UndefinedTable):
        warehouse.query("SELECT 1 FROM nothing_of_the_kind")

    assert backend(warehouse)


def test_a_read_changes_nothing_on_a_kept_connection_either(warehouse: Warehouse) -> None:
    backend(warehouse)
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        warehouse.query("CREATE TABLE never (n BIGINT)")


def test_a_connection_that_has_rested_too_long_is_closed_and_replaced(
    warehouse: Warehouse, its_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = backend(warehouse)
    monkeypatch.setattr(connections, "KEPT_SECONDS", 0.0)

    assert backend(warehouse) != before
    assert its_server.run("SELECT 1 FROM pg_stat_activity WHERE pid = %s", before) == []


def test_threads_have_connections_of_their_own(warehouse: Warehouse) -> None:
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(backend, warehouse).result() != backend(warehouse)


def test_a_forked_process_makes_its_own_connection_and_leaves_its_parents_alone(warehouse: Warehouse) -> None:
    mine = backend(warehouse)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(BaseException):
            os.write(writing, str(backend(warehouse)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        its = answer.read()
    os.waitpid(child, 0)

    assert its.isdecimal()
    assert int(its) != mine
    assert backend(warehouse) == mine
