"""What a peer of the whole path is to do: the landed CSV files of a month, joined, into a table."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import boto3

READERS = 16
"""Objects downloaded at the same time."""


@dataclass(frozen=True)
class Task:
    """Where the files are, and where the rows go; credentials of S3 are in the environment.

    Args:
        bucket: In which the files have landed.
        flights: Key prefix of the month's files, `daily_flights/date=YYYY-MM-`.
        airports: Key of the airports' file.
        warehouse: The secret: host, port, dbname, username, password.
        schema: That exists in the warehouse; for the peers alone.
        table: That does not exist there.
    """

    bucket: str
    flights: str
    airports: str
    warehouse: dict[str, Any]
    schema: str
    table: str

    @classmethod
    def read(cls) -> Self:
        """The task on the standard input: a command line would show the password."""
        return cls(**json.load(sys.stdin))

    def as_json(self) -> str:
        """For another process's `read`."""
        return json.dumps(asdict(self))

    @property
    def dsn(self) -> str:
        """The warehouse as a URL, without a driver's name."""
        to = self.warehouse
        return f"//{to['username']}:{to['password']}@{to['host']}:{to['port']}/{to['dbname']}"

    def download(self, folder: Path) -> None:
        """Copy the month's files and the airports' into a folder, under their keys."""
        s3 = boto3.client("s3")
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.flights)
        keys = [item["Key"] for page in pages for item in page.get("Contents", ())]

        def copy(key: str) -> None:
            (folder / key).parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(self.bucket, key, str(folder / key))

        with ThreadPoolExecutor(READERS) as threads:
            list(threads.map(copy, [*keys, self.airports]))


def downloaded(task: Task) -> TemporaryDirectory[str]:
    """A folder with the task's files, which is gone in the end."""
    folder = TemporaryDirectory()
    task.download(Path(folder.name))
    return folder
