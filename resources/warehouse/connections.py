"""How the warehouse is reached: its login, kept until it is refused, and connections, kept for reads.

To ask Secrets Manager and to log in takes many times longer than a small query. So a process asks for a
login once, and a thread keeps the connection of its last read for the next one. Whoever finds that either is
good no more, because the server was restarted or the password changed, gets a new one and notices nothing.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg2

from airline_platform.errors import StackUnavailable
from resources.aws.client import START_THE_STACK, AwsAccess
from resources.warehouse.login import Login, read_login

if TYPE_CHECKING:
    from psycopg2.extensions import connection as PsycopgConnection  # noqa: N812 - it is a class

CONNECT_SECONDS = 10

AMAZON_TRUST = Path(__file__).with_name("amazon_trust.pem")
"""The roots by which Redshift's certificates are signed. psycopg2's wheel brings no roots of its own."""

KEPT_SECONDS = 60.0
"""How long a connection may rest and still be used; what stands between may cut off one that rests longer."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class Connection:
    """A connection that knows its engine, and the process that has made it.

    Args:
        psycopg: psycopg2's own.
        engine: `redshift` or `postgres`.
        process: Its id. A forked one has to leave the connection alone: both would write to one socket.
        used: When it was used last, by the monotonic clock.
    """

    psycopg: "PsycopgConnection"
    engine: str
    process: int
    used: float

    @property
    def usable(self) -> bool:
        """Whether this process has made it and used it lately, and nothing is known to be wrong with it."""
        rested = time.monotonic() - self.used
        return self.process == os.getpid() and rested < KEPT_SECONDS and not self.psycopg.closed


class Connections:
    """Connections of this process to one warehouse; its threads may share it."""

    def __init__(self, aws: AwsAccess, secret_id: str) -> None:
        self._aws = aws
        self._secret_id = secret_id
        self._login: Login | None = None
        self._kept = threading.local()

    @contextmanager
    def opened(self) -> Iterator[Connection]:
        """Open a connection for the caller alone, and close it behind the block.

        Raises:
            StackUnavailable: There is no login, or the warehouse does not answer.
        """
        connection = self._open()
        try:
            yield connection
        finally:
            connection.psycopg.close()

    def read(self, ask: Callable[[Connection], _T]) -> _T:
        """Ask over the connection that this thread has kept; over a new one where there is none, or it broke.

        Args:
            ask: Reads, and changes nothing: it is called again when the kept connection was lost meanwhile.

        Raises:
            StackUnavailable: There is no login, or the warehouse does not answer.
        """
        kept = self._take()
        connection = kept or self._open()
        try:
            answer = ask(connection)
        except BaseException:
            lost = connection.psycopg.closed
            connection.psycopg.close()
            if kept and lost:
                return self.read(ask)
            raise
        self._kept.connection = replace(connection, used=time.monotonic())
        return answer

    def _take(self) -> Connection | None:
        """Return the connection this thread has kept, if it is usable; it is kept no more."""
        kept: Connection | None = self._kept.__dict__.pop("connection", None)
        if kept is None or kept.usable:
            return kept
        if kept.process == os.getpid():
            kept.psycopg.close()
        return None

    def _open(self) -> Connection:
        """Connect with the login that is known; with the secret's present one where that fails or expires."""
        known, failure = self._login, None
        if known and not known.expired:
            try:
                return _connect(known)
            except psycopg2.OperationalError as error:
                failure = error
        login = read_login(self._aws, self._secret_id)
        if failure and login == known:
            raise _unavailable(login, failure) from failure
        try:
            connection = _connect(login)
        except psycopg2.OperationalError as error:
            raise _unavailable(login, error) from error
        self._login = login
        return connection


def connections_to(aws: AwsAccess, secret_id: str) -> Connections:
    """Return this process's connections to the warehouse that a secret describes."""
    key = (aws.stage, aws.region, aws.endpoint_url, secret_id)
    with _lock:
        return _connections.setdefault(key, Connections(aws, secret_id))


_lock = threading.Lock()
_connections: dict[tuple[str | None, ...], Connections] = {}


def _connect(login: Login) -> Connection:
    """Connect, to Redshift over TLS alone, and only where its certificate proves that it is the host.

    libpq's default, `prefer`, goes on in plain text where a server says that it has no TLS, and believes any
    certificate (https://www.postgresql.org/docs/current/libpq-ssl.html). A laptop's PostgreSQL has no TLS.
    """
    proved: Any = {"sslmode": "verify-full", "sslrootcert": str(AMAZON_TRUST)}
    made = psycopg2.connect(
        host=login.host,
        port=login.port,
        dbname=login.dbname,
        user=login.username,
        password=login.password,
        connect_timeout=CONNECT_SECONDS,
        application_name="airline",
        **(proved if login.engine == "redshift" else {}),
    )
    return Connection(made, login.engine, os.getpid(), time.monotonic())


def _unavailable(login: Login, error: psycopg2.OperationalError) -> StackUnavailable:
    return StackUnavailable(
        f"the warehouse at {login.host}:{login.port} does not answer: {str(error).strip()}",
        remedy=START_THE_STACK if login.engine == "postgres" else "Check the Redshift endpoint.",
    )
