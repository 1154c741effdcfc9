"""CloudTrail's record of one call, made of the HTTP request and of the answer its caller got.

MiniStack's own recording has no outcome, calls a listing of versions ListObjects, and ends with its process.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

ACCOUNT = "0" * 12
"""MiniStack's account."""

MAX_ANSWER = 64 * 1024
"""So much of an answer is looked at; errors and what a change gives back are short."""

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
"""CloudTrail's word for what it does not keep."""

_SECRET = ("secretString", "secretBinary", "message", "messageBody", "subject", "password")

_SCOPE = re.compile(r"Credential=([^/,]+)/\d+/([\w-]+)/([\w-]+)/")
_XML = {name: re.compile(rf"<{name}>([^<]*)</{name}>") for name in ("Code", "Message")}
_READ = re.compile("Get|List|Head|Describe|BatchGet|Lookup|Search|Receive")

_S3_OBJECT = {method: f"{method.capitalize()}Object" for method in ("GET", "PUT", "POST", "DELETE", "HEAD")}
_S3_BUCKET = {"GET": "ListObjects", "PUT": "CreateBucket", "DELETE": "DeleteBucket", "HEAD": "HeadBucket"}
_S3_SPECIAL = {
    ("GET", "versions"): "ListObjectVersions",
    ("GET", "location"): "GetBucketLocation",
    ("GET", "uploadId"): "ListParts",
    ("PUT", "partNumber"): "UploadPart",
    ("POST", "delete"): "DeleteObjects",
    ("POST", "uploads"): "CreateMultipartUpload",
    ("POST", "uploadId"): "CompleteMultipartUpload",
    ("DELETE", "uploadId"): "AbortMultipartUpload",
}
"""What S3 calls a request, by its method and the query parameter that says more."""

_NO_BODY: dict[int, str] = {
    HTTPStatus.NOT_MODIFIED: "NotModified",
    HTTPStatus.FORBIDDEN: "AccessDenied",
    HTTPStatus.PRECONDITION_FAILED: "PreconditionFailed",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "InvalidRange",
}


@dataclass
class Exchange:
    """A request and its answer, as far as they were seen; the names of headers are in lower case.

    `path` is decoded and `query` is not. The body of the request is empty where it is an object's content,
    and the answer's ends where no more of it is needed; its status is 0 until there is one.
    """

    method: str
    path: str
    query: str
    headers: Mapping[bytes, str]
    body: bytearray = field(default_factory=bytearray)
    status: int = 0
    answer_headers: Mapping[bytes, str] = field(default_factory=dict)
    answer: bytearray = field(default_factory=bytearray)

    @property
    def failed(self) -> bool:
        """Whether boto3 makes an exception of the answer."""
        return self.status >= HTTPStatus.MULTIPLE_CHOICES


def service_of(headers: Mapping[bytes, str]) -> str:
    """The service a request is signed for; empty for one that is not signed."""
    scope = _SCOPE.search(headers.get(b"authorization", ""))
    return scope[3] if scope else ""


def record(exchange: Exchange, at: datetime) -> dict[str, Any]:
    """The record of a call that was answered at this time."""
    scope = _SCOPE.search(exchange.headers.get(b"authorization", ""))
    key_id, region, service = scope.groups() if scope else ("", "", "")
    action, answered = _action(exchange, service), exchange.answer_headers
    given = _s3_request(exchange) if service == "s3" else _request(exchange)
    return {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "accountId": ACCOUNT, "accessKeyId": key_id, "userName": key_id},
        "eventTime": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": action,
        "awsRegion": region,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": exchange.headers.get(b"user-agent", ""),
        **_error(exchange),
        "requestParameters": given or None,
        "responseElements": _response_elements(exchange, action),
        "requestID": answered.get(b"x-amzn-requestid") or answered.get(b"x-amz-request-id") or "",
        "eventID": str(uuid4()),
        "readOnly": bool(_READ.match(action)),
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
    }


def _action(exchange: Exchange, service: str) -> str:
    target = exchange.headers.get(b"x-amz-target", "")
    if target:
        return target.rpartition(".")[2]
    if service == "s3":
        return _s3_action(exchange)
    form = dict(parse_qsl(exchange.query) + parse_qsl(exchange.body.decode("utf-8", "replace")))
    return form.get("Action") or f"{exchange.method} {exchange.path}"


def _s3_action(exchange: Exchange) -> str:
    bucket, _, key = exchange.path.lstrip("/").partition("/")
    if not bucket:
        return "ListBuckets"
    plain = (_S3_OBJECT if key else _S3_BUCKET).get(exchange.method, exchange.method)
    names = dict(parse_qsl(exchange.query, keep_blank_values=True))
    action = next(
        (a for (method, n), a in _S3_SPECIAL.items() if method == exchange.method and n in names), plain
    )
    if b"x-amz-copy-source" in exchange.headers:
        return {"PutObject": "CopyObject", "UploadPart": "UploadPartCopy"}.get(action, action)
    return action + "".join(name.capitalize() for name in ("tagging", "acl") if key and name in names)


def _s3_request(exchange: Exchange) -> dict[str, Any]:
    """The parameters of an S3 call: bucket, key, and what its query says."""
    bucket, _, key = exchange.path.lstrip("/").partition("/")
    named = {name: value for name, value in (("bucketName", bucket), ("key", key)) if value}
    return named | dict(parse_qsl(exchange.query, keep_blank_values=True)) if named else {}


def _request(exchange: Exchange) -> dict[str, Any]:
    """The parameters of a call in JSON or as a form."""
    body = bytes(exchange.body)
    if body.startswith(b"{"):
        return _shown(_document(body))
    form = dict(parse_qsl(body.decode("utf-8", "replace")))
    return _shown({k: v for k, v in form.items() if "." not in k and k not in ("Action", "Version")})


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as CloudTrail writes them: names begin small, secrets and messages are hidden.

    Lists of documents are left out: a batch of partitions would take milliseconds.
    """
    shown: dict[str, Any] = {}
    for name, value in values.items():
        small = name[:1].lower() + name[1:]
        if small in _SECRET:
            shown[small] = HIDDEN
        elif isinstance(value, dict):
            shown[small] = _shown(value)
        elif not isinstance(value, list) or not any(isinstance(each, dict) for each in value):
            shown[small] = value
    return shown


def _response_elements(exchange: Exchange, action: str) -> dict[str, Any] | None:
    """What a change answered; of what is read, CloudTrail keeps nothing."""
    if exchange.failed or _READ.match(action):
        return None
    return _shown(_document(bytes(exchange.answer))) or None


def _error(exchange: Exchange) -> dict[str, str]:
    """The error's code and message; nothing for a call that succeeded."""
    if not exchange.failed:
        return {}
    document = _document(bytes(exchange.answer))
    text = exchange.answer.decode("utf-8", "replace")
    xml = {name: match[1] for name, pattern in _XML.items() if (match := pattern.search(text))}
    code = (
        exchange.answer_headers.get(b"x-amzn-errortype", "").partition(":")[0]
        or document.get("__type")
        or xml.get("Code")
        or _code_without_a_body(exchange)
    )
    message = document.get("message") or document.get("Message") or xml.get("Message")
    return {"errorCode": str(code).rpartition("#")[2]} | ({"errorMessage": str(message)} if message else {})


def _code_without_a_body(exchange: Exchange) -> str:
    """What HEAD was refused for: the answer to it has no body that says so."""
    if exchange.status == HTTPStatus.NOT_FOUND:
        return "NoSuchKey" if "/" in exchange.path.strip("/") else "NoSuchBucket"
    return _NO_BODY.get(exchange.status, str(exchange.status))
