"""CloudTrail's log files: under which keys they lie, what they hold, and which of it is a run's.

Keys and records are those of the CloudTrail user guide ("CloudTrail log file examples", "record contents"):
`AWSLogs/<account>/CloudTrail/<region>/YYYY/MM/DD/<account>_CloudTrail_<region>_YYYYMMDDTHHmmZ_<unique>.json.gz`
with `{"Records": [...]}` in it. A file holds what was called before it was written, in no order; a record may
come twice, with one `eventID`.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from resources.aws.caller import MARK

PREFIX = "AWSLogs/"
OK = "ok"
"""Outcome of a call that was answered without an error."""

Record = Mapping[str, Any]

_WRITTEN = re.compile(r"_(\d{8}T\d{4}Z)_[^/]*$")
_MINUTE = "%Y%m%dT%H%MZ"
_GZIP = b"\x1f\x8b"

_NAMED_BY = (
    ("jobName", "runId"),
    ("jobName", "jobRunId"),
    ("jobName", "jobRunIds"),
    ("databaseName", "tableName"),
    ("databaseName", "tableInput.name"),
    ("databaseName", "name"),
    ("logGroupName", "logStreamName"),
    ("queueUrl",),
    ("queueName",),
    ("topicArn",),
    ("secretId",),
    ("roleArn",),
    ("queryExecutionId",),
    ("workGroup",),
    ("jobName",),
    ("databaseName",),
    ("logGroupName",),
    ("stackName",),
    ("name",),
)
"""Request parameters that say what a call was about; the first row of which all are there."""


@dataclass(frozen=True)
class Call:
    """A call to AWS, as CloudTrail has recorded it.

    Args:
        time: When it was answered, UTC, to the second: `2013-02-01T06:00:00Z`.
        service: Such as `s3`.
        action: Such as `PutObject`.
        resource: What it was about; empty where the record does not say.
        outcome: `ok`, or the error's code.
        reason: The error's message; empty without one.
        request_id: AWS's id of the request.
        event_id: CloudTrail's id of the record.
    """

    time: str
    service: str
    action: str
    resource: str
    outcome: str
    reason: str
    request_id: str
    event_id: str


def file_key(account: str, region: str, written: datetime, unique: str) -> str:
    """Return the key of a log file."""
    name = f"{account}_CloudTrail_{region}_{written:{_MINUTE}}_{unique}.json.gz"
    return f"{day_prefix(account, region, written)}{name}"


def day_prefix(account: str, region: str, day: datetime) -> str:
    """Return what the keys of a day's log files begin with."""
    return f"{PREFIX}{account}/CloudTrail/{region}/{day:%Y/%m/%d}/"


def written_at(key: str) -> datetime | None:
    """Return when a log file was written, to the minute; None for a key that is no log file's."""
    name = _WRITTEN.search(key)
    return datetime.strptime(name[1], _MINUTE).replace(tzinfo=UTC) if name else None


def days(first: datetime, last: datetime) -> Iterator[datetime]:
    """Yield the midnights that begin the days from `first` to `last`."""
    day = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= last:
        yield day
        day += timedelta(days=1)


def pack(records: Sequence[Record]) -> bytes:
    """Return the bytes of a log file with these records."""
    return gzip.compress(json.dumps({"Records": records}, separators=(",", ":")).encode(), mtime=0)


def unpack(body: bytes, run_id: str) -> list[Record]:
    """Return the records of a log file; none where nothing in it has the run's id, which is cheap to see.

    Raises:
        ValueError: It is not a log file's content.
    """
    try:
        text = gzip.decompress(body) if body.startswith(_GZIP) else body
    except (OSError, EOFError) as error:
        raise ValueError(str(error)) from error
    if run_id.encode() not in text:
        return []
    match json.loads(text):
        case {"Records": [*records]}:
            return records
    raise ValueError("expected an object with Records")


def is_of(run_id: str, record: Record) -> bool:
    """Say whether a run made the call: its id is in the user agent, or names the role's session."""
    if re.search(rf"{re.escape(MARK + run_id)}(?![\w-])", str(record.get("userAgent") or "")):
        return True
    identity = record.get("userIdentity") or {}
    # principalId is <id of the role>:<name of the session>, arn ends with <role>/<name of the session>.
    names = (str(identity.get("principalId")).partition(":")[2], str(identity.get("arn")).rpartition("/")[2])
    return identity.get("type") == "AssumedRole" and run_id in names


def calls_of(run_id: str, records: Iterable[Record]) -> list[Call]:
    """Return the run's calls by time, each once; within a second they keep the order in which they come."""
    mine = {str(r.get("eventID") or id(r)): r for r in records if is_of(run_id, r)}
    return sorted(map(_call, mine.values()), key=lambda call: call.time)


def _call(record: Record) -> Call:
    return Call(
        time=str(record.get("eventTime", "")),
        service=str(record.get("eventSource", "")).partition(".")[0],
        action=str(record.get("eventName", "")),
        resource=_resource(record),
        outcome=str(record.get("errorCode") or OK),
        reason=str(record.get("errorMessage") or ""),
        request_id=str(record.get("requestID") or ""),
        event_id=str(record.get("eventID") or ""),
    )


def _resource(record: Record) -> str:
    """What a call was about, in as few words as name it."""
    answered = record.get("responseElements") or {}
    given = {"jobRunId": answered.get("jobRunId")} | (record.get("requestParameters") or {})
    if given.get("bucketName"):
        return f"s3://{given['bucketName']}/{given.get('key') or given.get('prefix') or ''}"
    for names in _NAMED_BY:
        words = [_word(_at(given, name)) for name in names]
        if all(words):
            return "/".join(words)
    return ", ".join(_word(each["ARN"]) for each in record.get("resources") or () if each.get("ARN"))


def _at(given: Mapping[str, Any], path: str) -> Any:
    """A parameter, or one within another: `tableInput.name`."""
    value: Any = given
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _word(value: Any) -> str:
    """A name as people say it: an ARN's and a queue's address's last part."""
    if isinstance(value, list):
        return ",".join(map(_word, value))
    text = "" if value is None else str(value)
    if text.startswith("arn:"):
        return text.split(":", 5)[-1]
    return text.rpartition("/")[2] if "://" in text else text
