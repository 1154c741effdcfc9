"""What a stack has called, held against the table of calls for which the templates' policies are proved."""

import gzip
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from command.deploy.permissions.ours import our_calls
from laptop.aws.audit_log import read_records
from laptop.aws.iam_request import not_in_the_table
from laptop.gateway import TRAIL_VARIABLE

KEEPING_ALL_CALLS = (TRAIL_VARIABLE, "everything")
"""A variable of a stack's environment, and its value: then its trail also has what no run calls."""


def not_listed(home: Path) -> list[str]:
    """Requests of a stopped stack, of Dagster, commands, runs and jobs, that the table does not have."""
    records = list(_records(home / "gateway"))
    assert records, f"{home} has no trail"
    return not_in_the_table(records, our_calls())


def _records(state: Path) -> Iterator[dict[str, Any]]:
    """The trail, as it lies in the folder of a gateway: in the bucket, and on its way into it."""
    for file in state.glob("s3/*/*-audit/AWSLogs/**/*.json.gz"):
        # A gateway that was killed while it wrote has left a part; the calls in it are made again and again.
        with suppress(OSError, EOFError, ValueError):
            yield from json.loads(gzip.decompress(file.read_bytes()))["Records"]
    for waiting in (state / "audit").glob("*.jsonl"):
        yield from read_records(waiting)
