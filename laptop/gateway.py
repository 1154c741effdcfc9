"""AWS on a laptop: MiniStack on one loopback port, with Glue jobs and crawlers that really run.

python -m laptop.gateway --port 4566 --state .airline/aws
"""

import argparse
import asyncio
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import boto3
import uvicorn
from botocore.config import Config
from botocore.exceptions import ClientError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from airline_platform.errors import StackUnavailable
from airline_platform.settings import Settings
from laptop import files
from laptop.aws.athena_partitions import honour_registered_partitions
from laptop.aws.athena_scan import GET_QUERY_EXECUTION, AthenaScans
from laptop.aws.audit_log import AuditLog, Watch
from laptop.aws.iam_request import GATEWAY_CREDENTIAL, JOB_CREDENTIAL
from laptop.glue.api import GlueApi
from laptop.glue.crawler import CrawlerEngine
from laptop.glue.engine import GlueEngine
from laptop.ports import HEALTH_PATH, HOST
from laptop.spark.pool import SparkPool

logger = logging.getLogger(__name__)

BLOCKED_PATHS = ("/_ministack/reset", "/_ministack/config")
"""They wipe the state or change it, without any authentication."""

GLUE_TARGET = "AWSGlue."
WORKERS_VARIABLE = "AIRLINE_SPARK_WORKERS"
"""How many Spark workers are kept warm; 1 where it is not set."""

TRAIL_VARIABLE = "AIRLINE_TRAIL"
"""`everything`: besides the calls of runs, the trail has the first of each kind that no run makes."""

JVM_VARIABLE = "AIRLINE_SPARK_JVM"
"""Folder of the JVM's launcher and class archive; else beside the pyspark and the Java they are made for,
where all stacks share them, or in the state where others own the environment."""

STOP_SECONDS = 3
"""How long open requests may take to end when the gateway stops."""


def ministack_environment(port: int, state: Path, region: str) -> dict[str, str]:
    """What MiniStack reads from the environment, once, when it is imported."""
    return {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "MINISTACK_REGION": region,
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "PERSIST_STATE": "0",
        "STATE_DIR": str(state / "ministack"),
        "ATHENA_ENGINE": "duckdb",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        # It would otherwise run Glue jobs in containers, and remove containers it takes for its own.
        "DOCKER_HOST": f"unix://{state}/no-docker.sock",
    }


def job_environment(port: int, region: str) -> dict[str, str]:
    """What boto3 in a Glue job finds, so that it talks to this gateway and to nothing else."""
    return {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{port}",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": JOB_CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": JOB_CREDENTIAL,
    }


def worker_environment(port: int, region: str) -> dict[str, str]:
    """This process's environment for a worker, without anybody's real AWS identity or Spark settings."""
    foreign = ("AWS_", "SPARK_", "PYSPARK_", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return inherited | job_environment(port, region) | {"PYTHONDONTWRITEBYTECODE": "1"}


def client_factory(port: int, region: str) -> Callable[..., Any]:
    """Makes boto3 clients of this very gateway, one per service and user agent; threads may share them.

    With a user agent of their own they call for a Glue job, as Spark does in an account.
    """
    session = boto3.session.Session(region_name=region)
    lock = threading.Lock()

    @lru_cache(maxsize=64)
    def client(service: str, agent: str = GATEWAY_CREDENTIAL) -> Any:
        key = GATEWAY_CREDENTIAL if agent == GATEWAY_CREDENTIAL else JOB_CREDENTIAL
        config = Config(max_pool_connections=50, user_agent_extra=agent, retries={"total_max_attempts": 3})
        make: Any = session.client
        with lock:
            return make(
                service,
                endpoint_url=f"http://{HOST}:{port}",
                config=config,
                aws_access_key_id=key,
                aws_secret_access_key=key,
            )

    return client


@dataclass(frozen=True)
class Gateway:
    """The ASGI application around MiniStack's: refuses what is dangerous, answers what MiniStack can't."""

    ministack: ASGIApp
    api: GlueApi
    scans: AthenaScans
    pool: SparkPool
    audit: AuditLog
    close_engines: Callable[[], None]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, websocket or lifespan."""
        if scope["type"] == "lifespan":
            await self.ministack(scope, self._around_lifespan(receive), send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        refusal = refused(scope["path"], headers)
        if refusal:
            denied = {"__type": "AccessDeniedException", "message": refusal}
            await answer(denied, 403)(scope, receive, send)
        elif scope["path"] == HEALTH_PATH:
            health = {"status": "ready", "spark_workers_ready": self.pool.ready_count()}
            await answer(health)(scope, receive, send)
        elif self.audit.concerns(headers):
            watch = Watch(self.audit, scope, headers, receive, send)
            try:
                await self._answer(scope, headers, watch.receive, watch.send)
            except Exception:
                watch.failed()
                raise
        else:
            await self._answer(scope, headers, receive, send)

    async def _answer(
        self, scope: Scope, headers: MutableMapping[bytes, str], receive: Receive, send: Send
    ) -> None:
        action = glue_action(headers)
        if action in self.api.methods:
            await self._answer_glue(scope, receive, send, action)
        elif headers.get(b"x-amz-target") == GET_QUERY_EXECUTION:
            await self._answer_query_execution(scope, receive, send)
        else:
            await self.ministack(scope, receive, send)

    def _around_lifespan(self, receive: Receive) -> Receive:
        """Stop the engines before MiniStack; the workers start with the server."""

        async def around() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self.pool.start()
                self.audit.start()
            elif message["type"] == "lifespan.shutdown":
                await asyncio.to_thread(self.close_engines)
            return message

        return around

    async def _answer_glue(self, scope: Scope, receive: Receive, send: Send, action: str) -> None:
        body = await Request(scope, receive).body()
        ministack = await self._ask_ministack(scope, body)
        try:
            request = json.loads(body or b"{}")
            document = await asyncio.to_thread(self.api.answer, action, request, ministack)
        except ClientError as refusal:
            error = refusal.response["Error"]
            document = {"__type": error["Code"], "message": error["Message"]}
        except (ValueError, KeyError) as reason:
            document = {"__type": "InvalidInputException", "message": f"{action}: {reason!r}"}
        await answer(document)(scope, receive, send)

    async def _answer_query_execution(self, scope: Scope, receive: Receive, send: Send) -> None:
        execution = await self._ask_ministack(scope, await Request(scope, receive).body())
        await asyncio.to_thread(self.scans.correct, execution)
        await answer(execution)(scope, receive, send)

    async def _ask_ministack(self, scope: Scope, body: bytes) -> dict[str, Any]:
        """MiniStack's own answer to a request whose body was read already."""
        parts: list[bytes] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def collect(message: Message) -> None:
            parts.append(message.get("body", b""))

        await self.ministack(scope, receive, collect)
        document: dict[str, Any] = json.loads(b"".join(parts) or b"{}")
        return document


def refused(path: str, headers: MutableMapping[bytes, str]) -> str | None:
    """Why a request is not served, or None.

    Nothing here authenticates: a web page that a browser on this machine shows must not reach it.
    """
    if b"origin" in headers:
        return f"Requests from web pages are not served (Origin: {headers[b'origin']})."
    if path.rstrip("/") in BLOCKED_PATHS:
        return f"{path} is blocked: it would wipe or change the laptop stack's state."
    return None


def glue_action(headers: MutableMapping[bytes, str]) -> str:
    """The Glue action a request calls, or an empty text."""
    target = headers.get(b"x-amz-target", "")
    return target.removeprefix(GLUE_TARGET) if target.startswith(GLUE_TARGET) else ""


def answer(document: dict[str, Any], status: int = 200) -> JSONResponse:
    """An AWS answer; one with a `__type` is an error, in the shape boto3 makes exceptions of."""
    headers = {"x-amzn-requestid": str(uuid4())}
    if "__type" in document:
        headers["x-amzn-errortype"] = document["__type"]
        status = max(status, 400)
    return JSONResponse(document, status, headers, "application/x-amz-json-1.1")


def build(port: int, state: Path) -> ASGIApp:
    """The application that serves `state` on `port`; imports MiniStack, which reads the environment now."""
    region = os.environ.get("AWS_REGION") or "us-east-1"
    environment = worker_environment(port, region)
    os.environ.update(ministack_environment(port, state, region))
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    from ministack.app import app  # noqa: PLC0415 - it reads the environment set above

    honour_registered_partitions()
    client = client_factory(port, region)
    # What a killed gateway has left is of no use to anybody; landed data passes through.
    shutil.rmtree(state / "glue", ignore_errors=True)
    (state / "glue").mkdir(mode=0o700, parents=True)
    size = int(os.environ.get(WORKERS_VARIABLE, "1"))
    environment_folder = Path(sys.prefix) / "var" / "spark-jvm"
    default = environment_folder if os.access(sys.prefix, os.W_OK) else state / "jvm"
    jvm_folder = Path(os.environ.get(JVM_VARIABLE) or default).resolve()
    pool = SparkPool(state / "glue" / "workers", size=size, environment=environment, jvm_folder=jvm_folder)
    engine = GlueEngine(state / "glue", pool, client, job_environment(port, region))
    crawlers = CrawlerEngine(client)

    everything = os.environ.get(TRAIL_VARIABLE) == "everything"
    audit = AuditLog(state / "audit", Settings.load().audit_bucket, region, client, everything=everything)

    def close() -> None:
        audit.close()
        engine.close()
        crawlers.close()

    return Gateway(app, GlueApi(engine, crawlers, client), AthenaScans(client), pool, audit, close)


def serve(port: int, state: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        StackUnavailable: Another gateway has the state folder.
    """
    lock = files.lock(state / "gateway.lock")
    if lock is None:
        raise StackUnavailable(
            f"Another gateway serves {state}.",
            remedy="stop it (`airline down`) or choose another state folder",
        )
    with lock:
        uvicorn.run(
            build(port, state), host=HOST, port=port, log_level="warning", access_log=False, lifespan="on",
            timeout_keep_alive=75, timeout_graceful_shutdown=STOP_SECONDS,
        )  # fmt: skip


def main(arguments: list[str] | None = None) -> NoReturn:
    """The command line."""
    parser = argparse.ArgumentParser(prog="laptop.gateway", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1")
    parser.add_argument("--state", type=Path, required=True, help="folder of everything that is kept")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn stops cleanly on these, then raises them once more for whoever was there before it.
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        serve(options.port, options.state.resolve())
    except StackUnavailable as reason:
        sys.exit(str(reason))
    sys.exit(0)


if __name__ == "__main__":
    main()
