"""Sends what a Glue job or crawler writes to CloudWatch Logs, while it is written."""

import contextlib
import logging
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

logger = logging.getLogger(__name__)

SEND_SECONDS = 1.0
EVENT_CHARACTERS = 60_000
"""Longest event; CloudWatch takes 256 KB, and a character is 4 bytes at most."""

BATCH_EVENTS = 500
BATCH_CHARACTERS = 200_000
"""Largest PutLogEvents; CloudWatch takes 1 MB."""


class LogStream:
    """One stream of a log group, fed from a growing file or line by line."""

    def __init__(
        self, client: "CloudWatchLogsClient", group: str, name: str, path: Path | None = None
    ) -> None:
        """Send from where the file ends now; nothing is created before there is a line."""
        self._client = client
        self._group = group
        self._name = name
        self._path = path
        self._offset = path.stat().st_size if path and path.exists() else 0
        self._rest = b""
        self._made = False

    def send_new(self, *, last: bool = False) -> None:
        """Send the file's new lines; with `last` also a line without an end."""
        if self._path is None or not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            fresh = file.read()
        self._offset += len(fresh)
        *lines, self._rest = (self._rest + fresh).split(b"\n")
        if last and self._rest:
            lines.append(self._rest)
            self._rest = b""
        self.send(line.decode(errors="replace") for line in lines)

    def send(self, lines: Iterable[str]) -> None:
        """Send lines; a log that can't be sent is no reason for a job to fail."""
        for batch in batches(line.rstrip("\r") for line in lines):
            with contextlib.suppress(ClientError, BotoCoreError):
                self._put(batch)

    def _put(self, batch: list[str]) -> None:
        if not self._made:
            self._make()
        now = int(time.time() * 1000)
        events = [{"timestamp": now, "message": line} for line in batch]
        self._client.put_log_events(logGroupName=self._group, logStreamName=self._name, logEvents=events)  # type: ignore[arg-type]  # a list of InputLogEvent

    def _make(self) -> None:
        exists = self._client.exceptions.ResourceAlreadyExistsException
        with contextlib.suppress(exists):
            self._client.create_log_group(logGroupName=self._group)
        with contextlib.suppress(exists):
            self._client.create_log_stream(logGroupName=self._group, logStreamName=self._name)
        self._made = True


@contextlib.contextmanager
def follow(streams: list[LogStream]) -> Iterator[None]:
    """Send the streams' new lines about every second, and the rest at the end."""
    ended = threading.Event()

    def send_until_ended() -> None:
        while not ended.wait(SEND_SECONDS):
            for stream in streams:
                stream.send_new()

    thread = threading.Thread(target=send_until_ended, daemon=True, name="glue-logs")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        for stream in streams:
            stream.send_new(last=True)


def batches(lines: Iterable[str]) -> Iterator[list[str]]:
    """Lines in portions CloudWatch takes; empty ones, which it refuses, are left out, long ones cut up."""
    batch: list[str] = []
    for line in lines:
        for start in range(0, len(line), EVENT_CHARACTERS):
            piece = line[start : start + EVENT_CHARACTERS]
            if batch and (len(batch) >= BATCH_EVENTS or sum(map(len, batch)) + len(piece) > BATCH_CHARACTERS):
                yield batch
                batch = []
            batch.append(piece)
    if batch:
        yield batch
