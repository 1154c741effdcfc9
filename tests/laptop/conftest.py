"""A gateway without Spark and a warehouse with its tables: enough of a laptop for all that needs no run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.contract.table import Table
from airline_platform.settings import get_settings
from assets.schema import TABLES
from command.deploy.secrets import store_warehouse_secret
from command.deploy.template import render
from laptop.postgres import PostgresServer
from laptop.stack import PortClaims
from resources.aws.client import make_client
from resources.warehouse.migration import apply_schema
from resources.warehouse.resource import Warehouse

SECONDS = 60


@contextmanager
def gateway(folder: Path, port: int) -> Iterator[None]:
    arguments = ["--port", str(port), "--state", str(folder / "state")]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "laptop.gateway", *arguments],
            env=os.environ | {"AIRLINE_SPARK_WORKERS": "0"},
            stdout=log,
            stderr=log,
        )
    try:
        Retrying(
            retry=retry_if_exception_type(OSError), wait=wait_fixed(0.05), stop=stop_after_delay(SECONDS)
        )(requests.get, f"http://127.0.0.1:{port}/_airline/health", timeout=5)
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(SECONDS)


@contextmanager
def postgres(folder: Path, port: int) -> Iterator[PostgresServer]:
    server = PostgresServer(folder / "home", port)
    server.prepare()
    child = server.start(log=server.home / "logs" / "postgres.log", environment=os.environ)
    try:
        Retrying(
            retry=retry_if_result(lambda ready: not ready),
            wait=wait_fixed(0.05),
            stop=stop_after_delay(SECONDS),
        )(server.ready)
        yield server
    finally:
        server.stop(child)


@dataclass(frozen=True)
class Parts:
    """Where the two of them are, and the warehouse's login."""

    home: Path
    endpoint: str
    credentials: dict[str, Any]


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder = tmp_path_factory.mktemp("laptop")
    with PortClaims(folder / "claims") as claims:
        port = claims.first()
        with gateway(folder, port), postgres(folder, claims.first()) as running:
            yield Parts(folder / "home", f"http://127.0.0.1:{port}", running.warehouse_credentials())


@pytest.fixture(scope="module")
def server(parts: Parts) -> Iterator[Warehouse]:
    """A warehouse with empty tables, and both buckets empty; this process's settings know them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
            patch.delenv(name)
        patch.setenv("AIRLINE_HOME", str(parts.home))
        patch.setenv("AWS_ENDPOINT_URL", parts.endpoint)
        get_settings.cache_clear()
        settings = get_settings()
        for bucket in (settings.landing_bucket, settings.lake_bucket):
            empty(make_client(settings, "s3"), bucket)
        store_warehouse_secret(settings, parts.credentials)
        found = Warehouse.of(settings)
        with found.transaction() as session:
            session.execute(f"DROP SCHEMA IF EXISTS {Table.SCHEMA} CASCADE")
        apply_schema(settings, TABLES)
        yield found
        get_settings.cache_clear()


def empty(s3: Any, bucket: str) -> None:
    """Have a bucket without an object."""
    s3.create_bucket(Bucket=bucket)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    for item in (item for page in pages for item in page.get("Contents", ())):
        s3.delete_object(Bucket=bucket, Key=item["Key"])


@pytest.fixture(scope="session")
def without_the_trail() -> str:
    """The template as MiniStack takes it for an account: it knows no AWS::CloudTrail::Trail."""
    text = render()
    begin = text.index("  Trail:\n    Type: AWS::CloudTrail::Trail")
    return text[:begin] + text[text.index("\n  # --- ", begin) :]
