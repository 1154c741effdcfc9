"""Dagster Pipes over S3, read when it is polled: Pipes' own reader sleeps a second between looks."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dagster import PipesMessageHandler
from dagster_aws.pipes import PipesS3MessageReader
from dagster_pipes import DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT, PipesParams, decode_param

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class PolledS3MessageReader(PipesS3MessageReader):
    """Reads the chunks a job has written, in their order, whenever `read_new` is called.

    Args:
        bucket: Where the job writes its messages.
        client: A boto3 S3 client.
        key_prefix: Under which key; nothing else may stand there.
    """

    def __init__(self, bucket: str, client: "S3Client", key_prefix: str) -> None:
        super().__init__(bucket=bucket, client=client)
        self._key_prefix = key_prefix
        self._handler: PipesMessageHandler | None = None

    @contextmanager
    def read_messages(self, handler: PipesMessageHandler) -> Iterator[PipesParams]:
        """Hand the messages to the handler; the last ones when the block ends."""
        self._handler = handler
        yield {"bucket": self.bucket, "key_prefix": self._key_prefix}
        self.read_new()

    def read_from(self, key_prefix: str) -> None:
        """Read what stands below another prefix instead, from its beginning: messages of an adopted job."""
        self._key_prefix = key_prefix
        self.counter = 1

    def read_new(self) -> None:
        """Handle what has been written since the last time."""
        params = {"key_prefix": self._key_prefix}
        while self._handler and (chunk := self.download_messages_chunk(self.counter, params)):
            self.counter += 1
            for line in chunk.splitlines():
                self._handler.handle_message(json.loads(line))


def messages_of(arguments: Mapping[str, str]) -> str:
    """Return the key prefix below which a Glue job writes its messages, by the arguments it was started with.

    It is named after the Dagster run that has started the job, and may outlive that one.
    """
    params = decode_param(arguments[DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT])
    return str(params["key_prefix"])
