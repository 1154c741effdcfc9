"""Sends what a Glue job or crawler has written to CloudWatch Logs."""

import contextlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient

EVENT_CHARACTERS = 60_000
"""Longest event; CloudWatch takes 256 KB, and a character is 4 bytes at most."""

BATCH_EVENTS = 500
BATCH_CHARACTERS = 200_000
"""Largest PutLogEvents; CloudWatch takes 1 MB."""


class LogStream:
    """One stream of a log group; it is made before its first line."""

    def __init__(self, client: "CloudWatchLogsClient", group: str, name: str) -> None:
        self._client = client
        self._named = {"logGroupName": group, "logStreamName": name}
        self._made = False

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
        self._client.put_log_events(**self._named, logEvents=events)  # type: ignore[arg-type]  # a list of InputLogEvent

    def _make(self) -> None:
        exists = self._client.exceptions.ResourceAlreadyExistsException
        with contextlib.suppress(exists):
            self._client.create_log_group(logGroupName=self._named["logGroupName"])
        with contextlib.suppress(exists):
            self._client.create_log_stream(**self._named)
        self._made = True


@contextlib.contextmanager
def sending(files: dict[Path, LogStream]) -> Iterator[None]:
    """Send what is written to files in the block, at its end; they may be a worker's, and hold more."""
    begins = {path: path.stat().st_size for path in files}
    try:
        yield
    finally:
        for path, stream in files.items():
            with path.open("rb") as file:
                file.seek(begins[path])
                stream.send(line.decode(errors="replace").removesuffix("\n") for line in file)


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
