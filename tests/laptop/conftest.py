"""A gateway without Spark and a warehouse with its tables: enough of a laptop for all that needs no run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from tenacity import Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.deploy import store_warehouse_secret
from airline_platform.local.postgres import PostgresServer
from airline_platform.local.stack import PortClaims
from airline_platform.settings import get_settings
from resources.aws import make_client
from resources.warehouse import Warehouse, apply_schema

SECONDS = 60


@contextmanager
def gateway(folder: Path, port: int) -> Iterator[None]:
    arguments = ["--port", str(port), "--state", str(folder / "state")]
    with (folder / "gateway.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airline_platform.local.gateway", *arguments],
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """A warehouse with its tables, and both buckets without an object; this process's settings know them."""
    folder = tmp_path_factory.mktemp("laptop")
    with PortClaims(folder / "claims") as claims, pytest.MonkeyPatch.context() as patch:
        port = claims.first()
        for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
            patch.delenv(name)
        patch.setenv("AIRLINE_HOME", str(folder / "home"))
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        get_settings.cache_clear()
        with gateway(folder, port), postgres(folder, claims.first()) as running:
            settings = get_settings()
            for bucket in (settings.landing_bucket, settings.lake_bucket):
                make_client(settings, "s3").create_bucket(Bucket=bucket)
            store_warehouse_secret(settings, running.warehouse_credentials())
            apply_schema(settings)
            yield Warehouse.of(settings)
        get_settings.cache_clear()
