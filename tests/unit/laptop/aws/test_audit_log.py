"""The laptop's trail: each call of a run is written down before its answer is given, and then delivered."""

import asyncio
import gzip
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from laptop.aws.audit_log import AuditLog, Watch, read_records
from laptop.aws.call_record import Exchange
from resources.aws import cloudtrail_log

RUN = "7d1c3a52-4d2f-4c39-9f5e-0d3a7c0f1b11"
NOON = datetime(2013, 2, 1, 12, tzinfo=UTC)


def headers(service: str, **more: str) -> dict[bytes, str]:
    return {
        b"user-agent": f"Boto3/1.43.106 airline-run/{RUN}",
        b"authorization": (
            f"AWS4-HMAC-SHA256 Credential=airline/20130201/eu-central-1/{service}/aws4_request, "
            "SignedHeaders=host, Signature=0"
        ),
    } | {name.replace("_", "-").encode(): value for name, value in more.items()}


class Bucket:
    """An audit bucket that can be missing."""

    def __init__(self) -> None:
        self.there = True
        self.objects: dict[str, bytes] = {}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803
        if not self.there:
            raise ClientError({"Error": {"Code": "NoSuchBucket", "Message": Bucket}}, "PutObject")
        self.objects[Key] = Body

    def calls(self) -> list[cloudtrail_log.Call]:
        records = [r for _, body in sorted(self.objects.items()) for r in cloudtrail_log.unpack(body, RUN)]
        return cloudtrail_log.calls_of(RUN, records)


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def new_log(tmp_path: Path, bucket: Bucket) -> Callable[[], AuditLog]:
    """Another life of a gateway on the same state."""
    return lambda: AuditLog(tmp_path / "audit", "airline-audit", "us-east-1", lambda _service: bucket)


def call(
    log: AuditLog, path: str, *, answer: Callable[[Any, Any], Awaitable[None]] | None = None, **more: Any
) -> list[Any]:
    """Let a call of a run go by; return the answer's messages, and what was on disk at each."""
    seen: list[Any] = []
    folder = log.folder

    async def receive() -> Any:
        return {"type": "http.request", "body": b"content", "more_body": False}

    async def send(message: Any) -> None:
        seen.append((message["type"], sum(len(list(read_records(f))) for f in folder.iterdir())))

    async def plain(_receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    scope = {"method": "PUT", "path": path, "query_string": b""} | more
    watch = Watch(log, scope, headers("s3"), receive, send)
    asyncio.run((answer or plain)(watch.receive, watch.send))  # type: ignore[arg-type]
    return seen


def test_a_call_is_on_disk_before_its_caller_has_the_answer(new_log: Callable[[], AuditLog]) -> None:
    seen = call(new_log(), "/b/k")

    assert seen == [("http.response.start", 0), ("http.response.body", 1)]


def test_an_answer_in_parts_is_on_disk_before_the_part_that_completes_it(
    new_log: Callable[[], AuditLog],
) -> None:
    async def in_parts(_receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Content-Length", b"4")]})
        for part in (b"ab", b"cd", b""):
            await send({"type": "http.response.body", "body": part, "more_body": bool(part)})

    seen = call(new_log(), "/b/k", answer=in_parts)

    assert [count for _, count in seen] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("method", "status", "length"), [("PUT", 200, b"0"), ("HEAD", 200, b"1000"), ("DELETE", 204, None)]
)
def test_an_answer_without_a_body_is_on_disk_before_its_head_is_sent(
    new_log: Callable[[], AuditLog], method: str, status: int, length: bytes | None
) -> None:
    async def head(_receive: Any, send: Any) -> None:
        sent = [(b"content-length", length)] if length else []
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": b""})

    seen = call(new_log(), "/b/k", answer=head, method=method)

    assert [count for _, count in seen] == [1, 1]


def test_what_was_called_is_in_the_bucket_after_a_flush_and_no_longer_in_the_folder(
    new_log: Callable[[], AuditLog], bucket: Bucket, tmp_path: Path
) -> None:
    log = new_log()
    for n in range(3):
        call(log, f"/b/{n}")

    log.flush()
    call(log, "/b/3")
    log.flush()

    assert [found.resource for found in bucket.calls()] == [f"s3://b/{n}" for n in range(4)]
    assert len(bucket.objects) == 2
    assert all(
        cloudtrail_log.written_at(key) and gzip.decompress(body) for key, body in bucket.objects.items()
    )
    assert list((tmp_path / "audit").iterdir()) == []


def test_without_a_bucket_everything_waits_until_there_is_one(
    new_log: Callable[[], AuditLog], bucket: Bucket
) -> None:
    log = new_log()
    bucket.there = False
    for n in range(2):
        call(log, f"/b/{n}")
        with pytest.raises(ClientError):
            log.flush()
    bucket.there = True

    log.flush()

    assert [found.resource for found in bucket.calls()] == ["s3://b/0", "s3://b/1"]


def test_the_next_life_delivers_what_a_killed_one_has_written_down_wherever_it_was_cut_off(
    new_log: Callable[[], AuditLog], bucket: Bucket, tmp_path: Path
) -> None:
    killed = new_log()
    call(killed, "/b/whole")
    (file,) = (tmp_path / "audit").iterdir()
    with file.open("ab") as written:
        written.write(b'\n{"eventTime": "2013-02-0')
    (tmp_path / "audit" / "00000000000000000001.jsonl").write_bytes(b"")
    call(killed, "/b/after")

    new_log().flush()

    assert [found.resource for found in bucket.calls()] == ["s3://b/whole", "s3://b/after"]
    assert list((tmp_path / "audit").iterdir()) == []


def test_a_file_delivered_twice_is_the_same_object(
    new_log: Callable[[], AuditLog], bucket: Bucket, tmp_path: Path
) -> None:
    log = new_log()
    call(log, "/b/k")
    (file,) = (tmp_path / "audit").iterdir()
    body = file.read_bytes()
    log.flush()
    file.write_bytes(body)  # killed between the two

    new_log().flush()

    assert len(bucket.objects) == len(bucket.calls()) == 1


def test_a_record_that_cannot_be_written_fails_no_call(
    new_log: Callable[[], AuditLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> int:
        raise OSError(28, "No space left on device")

    log = new_log()
    monkeypatch.setattr(os, "write", full)

    assert [kind for kind, _ in call(log, "/b/k")] == ["http.response.start", "http.response.body"]


def test_a_call_that_ends_in_an_error_of_the_gateways_own_is_told_as_its_caller_sees_it(
    new_log: Callable[[], AuditLog], bucket: Bucket
) -> None:
    log = new_log()
    watch = Watch(
        log,
        {"method": "PUT", "path": "/b/k", "query_string": b""},
        headers("s3"),
        None,
        None,  # type: ignore[arg-type]
    )
    watch.failed()
    log.flush()

    assert [(found.action, found.outcome) for found in bucket.calls()] == [("PutObject", "500")]


@pytest.mark.parametrize(
    ("agent", "concerned"), [(f"Boto3 airline-run/{RUN}", True), ("Boto3", False), ("airline-gateway", False)]
)
def test_only_calls_of_runs_are_watched(new_log: Callable[[], AuditLog], agent: str, concerned: bool) -> None:
    assert new_log().concerns({b"user-agent": agent}) is concerned
    assert not new_log().concerns({})


def for_no_run(log: AuditLog, path: str, key: str = "airline") -> None:
    """Let a call go by that nobody makes in a run's name."""
    without = {**headers("s3"), b"user-agent": "Boto3"}
    without[b"authorization"] = without[b"authorization"].replace("Credential=airline/", f"Credential={key}/")
    if log.concerns(without):
        log.keep(Exchange("GET", path, "", without, status=200))


def test_where_everything_is_kept_calls_for_no_run_are_too_the_first_of_each_kind(
    tmp_path: Path, bucket: Bucket
) -> None:
    folder = tmp_path / "audit"
    log = AuditLog(folder, "airline-audit", "us-east-1", lambda _service: bucket, everything=True)
    for path in ("/b/alerts/1", "/b/alerts/2", "/b/rejects/1", "/c/alerts/1"):
        for_no_run(log, path)
    for_no_run(log, "/b/alerts/1", key="tests")
    for _ in "12":
        call(log, "/b/alerts/1")

    kept = [
        (r["eventName"], r["requestParameters"]["key"]) for f in folder.iterdir() for r in read_records(f)
    ]
    assert kept == [
        ("GetObject", "alerts/1"), ("GetObject", "rejects/1"), ("GetObject", "alerts/1"),
        ("PutObject", "alerts/1"), ("PutObject", "alerts/1"),
    ]  # fmt: skip


def test_elsewhere_calls_for_no_run_are_nobodys_business(new_log: Callable[[], AuditLog]) -> None:
    log = new_log()
    for_no_run(log, "/b/alerts/1")

    assert list(log.folder.iterdir()) == []
