"""A proxy in front of the gateway that holds, refuses, drops or rewrites chosen AWS calls."""

import json
import re
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

HOP_BY_HOP = {"connection", "keep-alive", "expect", "transfer-encoding", "content-length"}
REACH_SECONDS = 300.0
"""How long a run may take to come to the call a rule waits for; two busy cores need some of it."""

RELEASE_SECONDS = 240.0
"""A call is never held longer, so that a test that forgot it still ends."""


@dataclass(frozen=True)
class Call:
    """One AWS request: which service and operation, on what, with which body."""

    service: str
    operation: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        """`bucket/key` of an S3 call."""
        return unquote(urlsplit(self.path).path).lstrip("/")

    @property
    def text(self) -> str:
        return self.body.decode(errors="replace")


@dataclass(frozen=True)
class Answer:
    """What a service answered, or a rule in its place."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body or b"{}")

    def with_body(self, body: bytes) -> "Answer":
        """The same answer about other bytes; a checksum of the old ones goes."""
        kept = tuple(
            (name, value) for name, value in self.headers if not name.lower().startswith("x-amz-crc")
        )
        return replace(self, body=body, headers=kept)


Matches = Callable[[Call], bool]
R = TypeVar("R", bound="Rule")


class Dropped(Exception):  # noqa: N818 - what happens to a connection, not an error of ours
    """The connection ends without an answer."""


def call_of(method: str, path: str, headers: dict[str, str], body: bytes) -> Call:
    """Tell which operation a request is; the service stands in the scope of its signature."""
    scope = re.search(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/", headers.get("authorization", ""))
    service = scope[1] if scope else ""
    target = headers.get("x-amz-target", "").rpartition(".")[2]
    if target:
        operation = target
    elif service == "s3":
        operation = _s3_operation(method, path)
    else:
        operation = parse_qs(body.decode(errors="replace")).get("Action", [""])[0]
    return Call(service, operation, method, path, headers, body)


def _s3_operation(method: str, path: str) -> str:
    parts = urlsplit(path)
    _bucket, _, key = parts.path.lstrip("/").partition("/")
    if method == "GET" and not key:
        return "ListObjects"
    return f"{method.title()}Object"


# --- rules -------------------------------------------------------------------------------------------------


@dataclass(kw_only=True)
class Rule:
    """What happens to the calls it matches, `times` of them at most."""

    matches: Matches
    times: int | None = None
    hit: threading.Event = field(default_factory=threading.Event, init=False)
    hits: int = field(default=0, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def before(self, call: Call) -> Answer | None:
        """An answer in place of the service's, or None to go on."""
        del call

    def after(self, call: Call, answer: Answer) -> Answer:
        """The answer to pass on."""
        del call
        return answer

    def reached(self, seconds: float = REACH_SECONDS) -> None:
        """Wait until a call came that it is for."""
        assert self.hit.wait(seconds), f"no call came in {seconds:.0f} s that this waits for: {self}"

    def end(self) -> None:
        """Let go of what it holds."""

    def _take(self) -> bool:
        """Count a call; False where it had its number of them."""
        with self._lock:
            if self.times is not None and self.hits >= self.times:
                return False
            self.hits += 1
        return True


@dataclass(kw_only=True)
class Hold(Rule):
    """Holds a call until it is released: the request, or the answer where `answers` says which."""

    answers: Callable[[Call, Answer], bool] | None = None
    _released: threading.Event = field(default_factory=threading.Event, init=False)

    def before(self, call: Call) -> Answer | None:
        if self.answers is None and self.matches(call):
            self._wait()
        return None

    def after(self, call: Call, answer: Answer) -> Answer:
        if self.answers is not None and self.matches(call) and self.answers(call, answer):
            self._wait()
        return answer

    def _wait(self) -> None:
        if not self._released.is_set() and self._take():
            self.hit.set()
            self._released.wait(RELEASE_SECONDS)

    def end(self) -> None:
        self._released.set()


@dataclass(kw_only=True)
class Refuse(Rule):
    """Answers with an error in the service's place; every `every`-th call it matches."""

    status: int
    code: str
    every: int = 1
    _seen: int = field(default=0, init=False)

    def before(self, call: Call) -> Answer | None:
        if not self.matches(call) or not self._due() or not self._take():
            return None
        self.hit.set()
        return error_answer(call, self.status, self.code)

    def _due(self) -> bool:
        with self._lock:
            self._seen += 1
            return self._seen % self.every == 0


@dataclass(kw_only=True)
class Drop(Rule):
    """Loses the answer: the service did what was asked, and the connection ends."""

    answers: Callable[[Call, Answer], bool] = lambda _call, _answer: True

    def after(self, call: Call, answer: Answer) -> Answer:
        if self.matches(call) and self.answers(call, answer) and self._take():
            self.hit.set()
            raise Dropped
        return answer


@dataclass(kw_only=True)
class Rewrite(Rule):
    """Passes on another answer than the service's; `change` gives None where it leaves one alone."""

    change: Callable[[Call, Answer], Answer | None]

    def after(self, call: Call, answer: Answer) -> Answer:
        changed = self.change(call, answer) if self.matches(call) else None
        if changed is None or not self._take():
            return answer
        self.hit.set()
        return changed


def error_answer(call: Call, status: int, code: str) -> Answer:
    """An error in the shape the call's service gives it."""
    message = f"{code}, from a fault that a test injected"
    if call.service == "s3":
        body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        return Answer(status, (("Content-Type", "application/xml"),), body.encode())
    if "x-amz-target" in call.headers:
        headers = (("Content-Type", "application/x-amz-json-1.1"), ("x-amzn-errortype", code))
        return Answer(status, headers, json.dumps({"__type": code, "message": message}).encode())
    body = f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    return Answer(status, (("Content-Type", "text/xml"),), body.encode())


def skewed(by: timedelta) -> Callable[[Call, Answer], Answer]:
    """Changes S3's clock: the `Date` and `Last-Modified` headers, and `<LastModified>` in listings."""

    def move(found: re.Match[str]) -> str:
        moved = datetime.fromisoformat(found[1]) + by
        return f"<LastModified>{moved.isoformat().replace('+00:00', 'Z')}</LastModified>"

    def change(_call: Call, answer: Answer) -> Answer:
        headers = tuple(
            (name, format_datetime(parsedate_to_datetime(value) + by, usegmt=True))
            if name.lower() in ("date", "last-modified")
            else (name, value)
            for name, value in answer.headers
        )
        answer = replace(answer, headers=headers)
        if b"<LastModified>" not in answer.body:
            return answer
        text = re.sub("<LastModified>([^<]+)</LastModified>", move, answer.body.decode())
        return answer.with_body(text.encode())

    return change


# --- the proxy ---------------------------------------------------------------------------------------------


class Faults:
    """The proxy: forwards every request to the gateway, through the rules in force."""

    def __init__(self, upstream: Callable[[], int]) -> None:
        """Listen on a free port of 127.0.0.1.

        Args:
            upstream: Tells the gateway's port; it need not listen yet, or any more.
        """
        self._upstream = upstream
        self._rules: list[Rule] = []
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, name="faults", daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for rule in self._rules:
            rule.end()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @contextmanager
    def rule(self, rule: R) -> Iterator[R]:
        """Have a rule in force; at the end of the block it lets go of what it holds."""
        self._rules.append(rule)
        try:
            yield rule
        finally:
            self._rules.remove(rule)
            rule.end()

    def serve(self, call: Call, *, hung_up: Callable[[], bool]) -> Answer:
        """What the client gets.

        Raises:
            Dropped: Nothing: the connection ends.
        """
        for rule in list(self._rules):
            refusal = rule.before(call)
            if refusal is not None:
                return refusal
        if hung_up():
            # Who asked was killed meanwhile; the request never arrived.
            raise Dropped
        answer = self._forward(call)
        # Those in force now: a tick that listens has asked before the rule was made.
        for rule in list(self._rules):
            answer = rule.after(call, answer)
        return answer

    def _forward(self, call: Call) -> Answer:
        connection = HTTPConnection("127.0.0.1", self._upstream(), timeout=300)
        headers = {name: value for name, value in call.headers.items() if name not in HOP_BY_HOP}
        try:
            connection.request(call.method, call.path, body=call.body, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            return Answer(answer.status, tuple(answer.getheaders()), body)
        except (OSError, HTTPException) as reason:
            raise Dropped from reason
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._open.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is the point of these tests."""

    def server_close(self) -> None:
        super().server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = call_of(self.command, self.path, headers, self._body())
        try:
            answer = self.server.faults.serve(call, hung_up=self._hung_up)
        except Dropped:
            self.close_connection = True
            return
        self._reply(answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server looks for these

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _hung_up(self) -> bool:
        """Whether the client closed the connection while its call was held."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        if not readable:
            return False
        with suppress(OSError):
            return self.connection.recv(1, socket.MSG_PEEK) == b""
        return True

    def _reply(self, answer: Answer) -> None:
        self.send_response_only(answer.status)
        own_length = self.command != "HEAD" and answer.status not in (HTTPStatus.NO_CONTENT, 304)
        for name, value in answer.headers:
            if name.lower() not in HOP_BY_HOP or (name.lower() == "content-length" and not own_length):
                self.send_header(name, value)
        if own_length:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
