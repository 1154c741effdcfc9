"""What goes to CloudWatch, and in which portions."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from laptop.glue.logs import LogStream, batches, sending


class Logs:
    """CloudWatch Logs of which some calls are refused."""

    class exceptions:  # noqa: N801 - boto3's own name
        class ResourceAlreadyExistsException(Exception):  # noqa: N818 - boto3's own name
            pass

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.messages: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("create_log"):
            raise AttributeError(name)

        def exists(**_: str) -> None:
            raise self.exceptions.ResourceAlreadyExistsException

        return exists

    def put_log_events(self, *, logEvents: list[dict[str, Any]], **_: str) -> None:  # noqa: N803 - boto3's own name
        if "put" in self.refused:
            raise ClientError({"Error": {"Code": "Throttling", "Message": "not now"}}, "PutLogEvents")
        self.messages += [event["message"] for event in logEvents]


def test_log_lines_come_in_batches_cloudwatch_takes() -> None:
    cut = list(batches(["", "a" * 70_000, *["b"] * 600]))
    assert all(len(batch) <= 500 and sum(map(len, batch)) <= 200_000 for batch in cut)
    assert "".join(piece for batch in cut for piece in batch) == "a" * 70_000 + "b" * 600


def test_what_a_block_writes_is_sent_also_when_it_fails_and_nothing_of_before(tmp_path: Path) -> None:
    file, logs = tmp_path / "stdout", Logs()
    file.write_text("of the job before\n")

    def fail() -> None:
        with sending({file: LogStream(logs, "group", "run")}):  # type: ignore[arg-type]
            with file.open("a") as stream:
                stream.write("one\r\n\ntwo without an end")
            raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011 - it is the test's own
        fail()
    assert logs.messages == ["one", "two without an end"]


def test_a_log_that_is_refused_fails_nobody() -> None:
    LogStream(Logs("put"), "group", "run").send(["one"])  # type: ignore[arg-type]
