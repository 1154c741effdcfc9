"""The laptop's trail: what runs call through the gateway, kept as CloudTrail keeps it.

Before a caller gets its answer, the call's record is appended to a file in the state folder, so that a
gateway that is killed has lost none of them. A second later the file goes into the audit bucket as one of
CloudTrail's log files. Where that fails, as it does before the bucket is deployed, it stays and is tried
again, also by the gateway's next life. Nothing of this ever fails a call.
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from starlette.types import Message, Receive, Scope, Send

from airline_platform.settings import LOCAL_CREDENTIAL
from laptop.aws.call_record import ACCOUNT, MAX_ANSWER, Exchange, record, service_of
from resources.aws import cloudtrail_log
from resources.aws.caller import MARK

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 1.0
SUFFIX = ".jsonl"
NAMES = (
    "bucketName", "queueName", "queueUrl", "topicArn", "name", "secretId", "roleArn", "jobName",
    "databaseName", "tableName", "logGroupName", "workGroup",
)  # fmt: skip
"""Parameters in which calls of one kind are alike."""

NO_BODY = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)


class AuditLog:
    """Keeps the calls of runs."""

    def __init__(
        self,
        folder: Path,
        bucket: str,
        region: str,
        client: Callable[[str], Any],
        *,
        everything: bool = False,
    ) -> None:
        """Keep them in a folder until they are in the bucket.

        Args:
            folder: In which they wait.
            bucket: The audit bucket.
            region: Of it.
            client: Makes a client of the gateway.
            everything: Whether a call that the platform makes for no run is kept, too: the first of its kind.
        """
        self.folder = folder
        self._bucket = bucket
        self._region = region
        self._client = client
        self._lock = threading.Lock()
        self._file: int | None = None
        self._stopping = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._waiting = any(folder.iterdir())
        self._everything = everything
        self._kinds: set[tuple[str, ...]] = set()

    def start(self) -> None:
        """Begin to fill the bucket."""
        threading.Thread(target=self._keep_flushing, name="audit-log", daemon=True).start()

    def close(self) -> None:
        """Stop filling it; what is not in it yet is found at the next start."""
        self._stopping.set()

    def concerns(self, headers: Mapping[bytes, str]) -> bool:
        """Whether a run makes the call, or somebody whose calls are kept as well."""
        if MARK in headers.get(b"user-agent", ""):
            return True
        return self._everything and f"Credential={LOCAL_CREDENTIAL}/" in headers.get(b"authorization", "")

    def keep(self, exchange: Exchange) -> None:
        """Write a call down; what goes wrong is logged."""
        try:
            written = record(exchange, datetime.now(UTC))
            if not self._is_wanted(written):
                return
            line = json.dumps(written, separators=(",", ":")).encode()
            with self._lock:
                if self._file is None:
                    path = self.folder / f"{time.time_ns():020d}{SUFFIX}"
                    self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                    self._waiting = True
                # A line of its own even behind one that a full disk cut off.
                os.write(self._file, b"\n" + line)
        except Exception:
            logger.exception("%s %s of a run is not in the audit trail", exchange.method, exchange.path)

    def _is_wanted(self, written: Mapping[str, Any]) -> bool:
        """Whether a run has made the call, or none of its kind was kept in this life."""
        if MARK in written["userAgent"]:
            return True
        given = written["requestParameters"] or {}
        folder = str(given.get("key") or "").split("/")[0]
        named = (str(given.get(name) or "") for name in NAMES)
        kind = (written["eventSource"], written["eventName"], folder, str("versionId" in given), *named)
        is_new = kind not in self._kinds
        self._kinds.add(kind)
        return is_new

    def _keep_flushing(self) -> None:
        while not self._stopping.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except (ClientError, BotoCoreError, OSError) as error:
                logger.debug("the audit bucket has to wait: %s", error)

    def flush(self) -> None:
        """Put what was written down into the bucket.

        Raises:
            botocore.exceptions.ClientError: The bucket does not take it, or is not there; nothing is lost.
        """
        if not self._waiting:
            return
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            self._waiting = False
            full = sorted(self.folder.glob(f"*{SUFFIX}"))
        try:
            for path in full:
                self._deliver(path)
        except BaseException:
            self._waiting = True
            raise

    def _deliver(self, path: Path) -> None:
        """Put one file's records into the bucket; twice, where the gateway dies before the file is gone."""
        records = list(read_records(path))
        if records:
            # The minute of its last call, so that it is found there also when it comes a day later.
            written = datetime.fromisoformat(records[-1]["eventTime"])
            self._client("s3").put_object(
                Bucket=self._bucket,
                Key=cloudtrail_log.file_key(ACCOUNT, self._region, written, path.stem),
                Body=cloudtrail_log.pack(records),
                ContentType="application/json",
                ContentEncoding="gzip",
            )
        path.unlink()


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """Records of a file that a kill or a full disk may have cut off anywhere."""
    for line in path.read_bytes().splitlines():
        with suppress(ValueError):
            kept = json.loads(line)
            if isinstance(kept, dict) and "eventTime" in kept:
                yield kept


class Watch:
    """One call on its way through the gateway: what is asked and answered, before anybody gets it."""

    def __init__(
        self, log: AuditLog, scope: Scope, headers: Mapping[bytes, str], receive: Receive, send: Send
    ) -> None:
        """Have the log keep a request of ASGI with these headers."""
        query = scope["query_string"].decode("latin-1")
        self._exchange = Exchange(scope["method"], scope["path"], query, headers)
        self._log = log
        self._receive = receive
        self._send = send
        self._reads_bodies = service_of(headers) != "s3"
        self._left: float = float("inf")
        self._kept = False

    async def receive(self) -> Message:
        """Pass on a part of the request."""
        message = await self._receive()
        if self._reads_bodies:
            self._exchange.body += message.get("body", b"")
        return message

    async def send(self, message: Message) -> None:
        """Pass on a part of the answer; its last one when the call is written down."""
        if message["type"] == "http.response.start":
            self._exchange.status = message["status"]
            headers = {name.lower(): value.decode("latin-1") for name, value in message.get("headers", ())}
            self._exchange.answer_headers = headers
            has_no_body = self._exchange.method == "HEAD" or message["status"] in NO_BODY
            self._left = 0.0 if has_no_body else float(headers.get(b"content-length", "inf"))
            self._see(b"", last=False)  # the server sends what it has: without a body this is the answer
        elif message["type"] == "http.response.body":
            self._see(message.get("body", b""), last=not message.get("more_body"))
        await self._send(message)

    def failed(self) -> None:
        """The gateway fails to answer: its server says 500."""
        if not self._exchange.status:
            self._exchange.status = HTTPStatus.INTERNAL_SERVER_ERROR
        self._keep()

    def _see(self, part: bytes, *, last: bool) -> None:
        exchange = self._exchange
        if (self._reads_bodies or exchange.failed) and len(exchange.answer) + len(part) <= MAX_ANSWER:
            exchange.answer += part
        self._left -= len(part)
        if last or self._left <= 0:
            self._keep()

    def _keep(self) -> None:
        if not self._kept:
            self._kept = True
            self._log.keep(self._exchange)
