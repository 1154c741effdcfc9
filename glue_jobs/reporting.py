"""Messages to Dagster, sent one by one: Pipes' own writer sends every 10 s and takes 2 s to close."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any

import boto3
from botocore.config import Config
from dagster_pipes import (
    PipesCliArgsParamsLoader,
    PipesContext,
    PipesMessage,
    PipesS3ContextLoader,
    PipesS3MessageWriter,
    PipesS3MessageWriterChannel,
    open_dagster_pipes,
)


class _Channel(PipesS3MessageWriterChannel):
    """Puts each message into a chunk of its own, at once."""

    def write_message(self, message: PipesMessage) -> None:
        self.upload_messages_chunk(StringIO(json.dumps(message)), self._counter)
        self._counter += 1

    @contextmanager
    def buffered_upload_loop(self) -> Iterator[None]:
        yield


class _Writer(PipesS3MessageWriter):
    """Pipes' S3 writer with our channel."""

    def make_channel(self, params: Mapping[str, Any]) -> PipesS3MessageWriterChannel:
        return _Channel(client=self._client, bucket=params["bucket"], key_prefix=params["key_prefix"])


@contextmanager
def reporting(config: Config) -> Iterator[PipesContext]:
    """The Pipes session of this job run; outside Dagster it reports to nobody, with a warning.

    Args:
        config: Of the S3 client.
    """
    s3 = boto3.client("s3", config=config)
    with open_dagster_pipes(
        context_loader=PipesS3ContextLoader(client=s3),
        message_writer=_Writer(client=s3),
        params_loader=PipesCliArgsParamsLoader(),  # type: ignore[no-untyped-call]
    ) as pipes:
        yield pipes
