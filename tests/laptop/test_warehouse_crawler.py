"""The warehouse's crawler for real: deployed, started over HTTP, and pointed at a PostgreSQL."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from dagster import DagsterInstance, ExecuteInProcessResult, materialize
from tenacity import Retrying, retry_if_exception_type, retry_if_not_result, stop_after_delay, wait_fixed

from airline_platform.feeds import FEEDS
from airline_platform.settings import Settings, get_settings
from assets.warehouse_catalog import AUTOMATION_TAG, TABLES, warehouse_catalog
from command.deploy.deploy import deploy
from command.deploy.stack import deploy_stack
from laptop.postgres import PostgresServer
from laptop.stack import PortClaims
from resources.aws.client import make_client
from resources.glue import Glue
from resources.topic import Notifier
from resources.warehouse.resource import Warehouse

SECONDS = 60


def until(look: Any, done: Any = bool) -> Any:
    return Retrying(
        retry=retry_if_not_result(done) | retry_if_exception_type(requests.ConnectionError),
        wait=wait_fixed(0.05),
        stop=stop_after_delay(SECONDS),
    )(look)


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """A gateway process without Spark; its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "laptop.gateway", "--port", str(port)]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--state", folder / "state"],
            stdout=log,
            stderr=log,
            env=os.environ | {"AIRLINE_SPARK_WORKERS": "0"},
        )
    try:
        until(lambda: requests.get(f"http://127.0.0.1:{port}/_airline/health", timeout=5).ok)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(SECONDS)


@contextmanager
def postgres(folder: Path) -> Iterator[PostgresServer]:
    with PortClaims(folder / "claims") as claims:
        server = PostgresServer(folder / "home", claims.first())
        server.prepare()
        child = server.start(log=server.home / "logs" / "postgres.log", environment=os.environ)
        try:
            until(server.ready)
            yield server
        finally:
            server.stop(child)


@dataclass(frozen=True)
class Laptop:
    """What a laptop's deployment leaves behind, and its crawlers."""

    settings: Settings
    credentials: dict[str, Any]

    @property
    def glue(self) -> Any:
        return make_client(self.settings, "glue")

    def crawl(self, name: str) -> dict[str, Any]:
        self.glue.start_crawler(Name=name)
        return self.wait(name)

    def wait(self, name: str) -> dict[str, Any]:
        crawler = until(
            lambda: self.glue.get_crawler(Name=name)["Crawler"], lambda found: found["State"] == "READY"
        )
        return crawler["LastCrawl"]

    def counted(self, last: dict[str, Any]) -> tuple[int, int]:
        """How many tables a crawl has made, and how many it has changed, by its log."""
        stream = {"logGroupName": last["LogGroup"], "logStreamName": last["LogStream"]}
        logs = make_client(self.settings, "logs")
        events = logs.get_log_events(**stream, startFromHead=True)["events"]
        log = str([each for each in events if each["message"].startswith(f"[{last['MessagePrefix']}]")])
        return log.count("Created table"), log.count("Updated table")

    def crawler(self, name: str, path: str = "warehouse/airlines/%", **more: Any) -> str:
        """A crawler of our own, over a connection of that name or the warehouse's."""
        target = {"ConnectionName": more.pop("connection", "acme-air-warehouse"), "Path": path}
        self.glue.create_crawler(
            Name=name, Role="glue", TablePrefix=f"{name}_", Targets={"JdbcTargets": [target]},
            **{"DatabaseName": self.settings.glue_database, **more},
        )  # fmt: skip
        return name

    def connection(self, name: str, secret: str, port: int | None = None) -> str:
        url = f"jdbc:postgresql://127.0.0.1:{port or self.credentials['port']}/warehouse"
        properties = {"JDBC_CONNECTION_URL": url, "SECRET_ID": secret}
        self.glue.create_connection(
            ConnectionInput={"Name": name, "ConnectionType": "JDBC", "ConnectionProperties": properties}
        )
        return name

    def tables(self, prefix: str) -> dict[str, dict[str, Any]]:
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.settings.glue_database)
        return {
            table["Name"]: table
            for page in pages
            for table in page["TableList"]
            if table["Name"].startswith(prefix)
        }

    def columns(self, table: str) -> dict[str, str]:
        found = self.glue.get_table(DatabaseName=self.settings.glue_database, Name=table)["Table"]
        return {column["Name"]: column["Type"] for column in found["StorageDescriptor"]["Columns"]}

    def execute(self, statement: str) -> None:
        with Warehouse.of(self.settings).transaction() as session:
            session.execute(statement)


@pytest.fixture(scope="module")
def laptop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    folder = tmp_path_factory.mktemp("laptop")
    with gateway(folder) as url, postgres(folder) as server:
        settings = Settings(name="acme-air", stage="local", AWS_ENDPOINT_URL=url, AWS_REGION="us-east-1")
        credentials = server.warehouse_credentials()
        deploy(settings, warehouse=credentials)
        yield Laptop(settings, credentials)


def test_a_deployment_registers_every_table_of_the_warehouse_with_its_columns(laptop: Laptop) -> None:
    name = laptop.settings.crawler_name("warehouse")

    last = laptop.wait(name)

    assert last["Status"] == "SUCCEEDED", last
    assert laptop.counted(last) == (len(TABLES), 0)
    found = laptop.tables("warehouse_")
    assert set(found) == {f"warehouse_warehouse_airlines_{table.name}" for table in TABLES}
    for table in TABLES:
        entry = found[f"warehouse_warehouse_airlines_{table.name}"]
        columns = {column["Name"]: column["Type"] for column in entry["StorageDescriptor"]["Columns"]}
        assert columns == {column.name: column.glue_type for column in table.columns}
        assert entry["StorageDescriptor"]["Location"] == f"warehouse.airlines.{table.name}"
        assert (entry["PartitionKeys"], entry["Parameters"]["connectionName"]) == ([], "acme-air-warehouse")


def test_a_second_deployment_changes_nothing_and_a_second_crawl_counts_nothing(laptop: Laptop) -> None:
    name = laptop.settings.crawler_name("warehouse")

    assert deploy(laptop.settings, warehouse=laptop.credentials).stack.change == "unchanged"

    last = laptop.wait(name)
    assert (last["Status"], laptop.counted(last)) == ("SUCCEEDED", (0, 0))


@pytest.fixture
def surroundings(laptop: Laptop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
    """This process's settings are the laptop's."""
    for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AIRLINE_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(laptop.settings.endpoint_url))
    monkeypatch.setenv("AIRLINE_NAME", laptop.settings.name)
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


def make_catalog(laptop: Laptop, instance: DagsterInstance, **tags: str) -> ExecuteInProcessResult:
    """Materialize the asset against the laptop."""
    resources = {
        "glue": Glue.of(laptop.settings),
        "warehouse": Warehouse.of(laptop.settings),
        "notifier": Notifier.of(laptop.settings),
    }
    return materialize(
        [warehouse_catalog], instance=instance, resources=resources, tags=tags, raise_on_error=False
    )


@pytest.fixture
def instance(caplog: pytest.LogCaptureFixture) -> Iterator[DagsterInstance]:
    caplog.set_level(logging.CRITICAL, "dagster")
    with DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.mark.usefixtures("surroundings")
def test_the_asset_crawls_and_tells_what_is_registered(laptop: Laptop, instance: DagsterInstance) -> None:
    result = make_catalog(laptop, instance)

    assert result.success
    (made,) = result.asset_materializations_for_node("warehouse_catalog")
    rows = {record.data["location"]: record.data for record in made.metadata["registered"].records}
    assert set(rows) == {f"warehouse.airlines.{table.name}" for table in TABLES}
    assert rows["warehouse.airlines.dim_airport_codes"]["columns"] == len(FEEDS["airports"].table.columns)
    assert made.metadata["columns"].value == sum(len(table.columns) for table in TABLES)
    assert made.metadata["dagster/row_count"].value == len(TABLES)


@pytest.mark.usefixtures("surroundings")
def test_the_asset_fails_and_names_the_table_that_is_not_as_declared(
    laptop: Laptop, instance: DagsterInstance
) -> None:
    laptop.execute("ALTER TABLE airlines.dim_airport_codes RENAME COLUMN state TO region")
    laptop.execute("ALTER TABLE airlines.load_lock RENAME TO no_lock")
    try:
        result = make_catalog(laptop, instance)
    finally:
        laptop.execute("ALTER TABLE airlines.no_lock RENAME TO load_lock")
        laptop.execute("ALTER TABLE airlines.dim_airport_codes RENAME COLUMN region TO state")

    failure = result.failure_data_for_node("warehouse_catalog")
    assert failure is not None
    said = failure.user_failure_data.description
    assert "airlines.dim_airport_codes lacks state string" in said
    # It was registered before, and a crawler only reports what is gone.
    assert "load_lock" not in said
    assert make_catalog(laptop, instance).success


@pytest.mark.usefixtures("surroundings")
def test_without_a_crawler_who_asks_is_told_and_the_automation_goes_on(
    laptop: Laptop, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRLINE_NAME", "no-warehouse")
    get_settings.cache_clear()

    asked = make_catalog(laptop, instance)
    automatic = make_catalog(laptop, instance, **{AUTOMATION_TAG: "true"})

    failure = asked.failure_data_for_node("warehouse_catalog")
    assert failure is not None
    assert "expected a crawler no-warehouse-warehouse" in failure.user_failure_data.description
    assert automatic.success
    assert automatic.asset_materializations_for_node("warehouse_catalog") == []


def test_the_login_stands_in_the_secret_alone(laptop: Laptop) -> None:
    cloudformation = make_client(laptop.settings, "cloudformation")
    stack = cloudformation.describe_stacks(StackName=laptop.settings.name)["Stacks"][0]
    connection = laptop.glue.get_connection(Name="acme-air-warehouse")["Connection"]

    assert connection["ConnectionProperties"] == {
        "JDBC_CONNECTION_URL": f"jdbc:postgresql://127.0.0.1:{laptop.credentials['port']}/warehouse",
        "JDBC_ENFORCE_SSL": "false",
        "SECRET_ID": laptop.settings.warehouse_secret,
    }
    assert "PhysicalConnectionRequirements" not in connection
    for told in (stack, connection, laptop.tables("")):
        assert laptop.credentials["password"] not in str(told)


def test_without_a_warehouse_there_is_no_crawler_over_it(laptop: Laptop) -> None:
    other = laptop.settings.model_copy(update={"name": "no-warehouse"})
    deploy_stack(other)

    with pytest.raises(laptop.glue.exceptions.EntityNotFoundException):
        laptop.glue.get_crawler(Name=other.crawler_name("warehouse"))


def test_a_table_that_is_altered_between_two_crawls_is_updated(laptop: Laptop) -> None:
    laptop.execute("CREATE TABLE IF NOT EXISTS airlines.altered (id BIGINT, fare DECIMAL(14, 3))")
    name = laptop.crawler("altering", "warehouse/airlines/altered")
    assert laptop.counted(laptop.crawl(name)) == (1, 0)
    assert laptop.columns("altering_warehouse_airlines_altered") == {"id": "bigint", "fare": "decimal(14,3)"}

    laptop.execute("ALTER TABLE airlines.altered ADD COLUMN flown DATE")
    assert laptop.counted(laptop.crawl(name)) == (0, 1)
    assert laptop.columns("altering_warehouse_airlines_altered")["flown"] == "date"


def test_a_crawler_that_only_logs_leaves_the_table_as_it_is(laptop: Laptop) -> None:
    laptop.execute("CREATE TABLE IF NOT EXISTS airlines.logged (id BIGINT)")
    policy = {"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"}
    name = laptop.crawler("logging", "warehouse/airlines/logged", SchemaChangePolicy=policy)
    laptop.crawl(name)

    laptop.execute("ALTER TABLE airlines.logged ADD COLUMN flown DATE")

    assert laptop.crawl(name)["Status"] == "SUCCEEDED"
    assert laptop.columns("logging_warehouse_airlines_logged") == {"id": "bigint"}


def test_a_table_that_is_dropped_stays_in_the_catalog(laptop: Laptop) -> None:
    laptop.execute("CREATE SCHEMA dropping")
    for table in ("one", "two"):
        laptop.execute(f"CREATE TABLE dropping.{table} (id BIGINT)")
    name = laptop.crawler("dropping", "warehouse/dropping/%")
    laptop.crawl(name)
    laptop.execute("DROP TABLE dropping.one")

    assert laptop.crawl(name)["Status"] == "SUCCEEDED"

    kept = {f"dropping_warehouse_dropping_{table}" for table in ("one", "two")}
    assert set(laptop.tables("dropping_")) == kept


@pytest.mark.parametrize(
    ("name", "path", "reason"),
    [
        ("no-table", "warehouse/airlines/nothing", "has no table warehouse/airlines/nothing"),
        ("no-schema", "warehouse/Airlines/%", "has no table warehouse/Airlines/%"),
        ("no-such-database", "other/airlines/%", "has no table other/airlines/%"),
        ("no-path", "airlines", "expected <database>/<schema>/<table>"),
    ],
)
def test_a_path_that_leads_nowhere_fails_with_the_reason(
    laptop: Laptop, name: str, path: str, reason: str
) -> None:
    last = laptop.crawl(laptop.crawler(name, path))

    assert (last["Status"], reason in last["ErrorMessage"]) == ("FAILED", True), last


def test_a_connection_that_does_not_exist_fails_with_the_reason(laptop: Laptop) -> None:
    last = laptop.crawl(laptop.crawler("no-connection", connection="nobody"))

    assert (last["Status"], last["ErrorMessage"]) == ("FAILED", "Connection 'nobody' does not exist")


def test_a_secret_that_does_not_exist_fails_with_the_reason(laptop: Laptop) -> None:
    connection = laptop.connection("secretless", "nobody/knows")

    last = laptop.crawl(laptop.crawler("no-secret", connection=connection))

    assert last["Status"] == "FAILED"
    assert last["ErrorMessage"] == "Connection 'secretless': secret 'nobody/knows' does not exist"


def test_a_wrong_password_fails_with_the_servers_reason_and_is_not_quoted(laptop: Laptop) -> None:
    make_client(laptop.settings, "secretsmanager").create_secret(
        Name="wrong", SecretString='{"username": "warehouse", "password": "hunter2"}'
    )
    connection = laptop.connection("locked", "wrong")

    last = laptop.crawl(laptop.crawler("wrong-password", connection=connection))

    assert last["Status"] == "FAILED"
    assert 'password authentication failed for user "warehouse"' in last["ErrorMessage"]
    assert "hunter2" not in last["ErrorMessage"]
    assert "\n" not in last["ErrorMessage"]


def test_a_server_that_does_not_answer_fails_with_its_place(laptop: Laptop) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        connection = laptop.connection("unheard", laptop.settings.warehouse_secret, port)

        last = laptop.crawl(laptop.crawler("no-server", connection=connection))

    assert last["Status"] == "FAILED"
    assert f"Connection 'unheard': 127.0.0.1:{port}/warehouse can't be reached" in last["ErrorMessage"]


def test_a_crawler_without_a_database_fails_with_the_reason(laptop: Laptop) -> None:
    last = laptop.crawl(laptop.crawler("homeless", DatabaseName="absent"))

    assert (last["Status"], last["ErrorMessage"]) == ("FAILED", "Database 'absent' does not exist")
