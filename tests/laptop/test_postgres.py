"""The warehouse server for real: created, stopped, killed and found again."""

import os
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from airline_platform.errors import StackUnavailable
from laptop import processes
from laptop.postgres import PostgresServer, launch_mode
from laptop.processes import COMPONENT_VARIABLE, Child
from laptop.stack import PortClaims


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with PortClaims(tmp_path / "claims") as claims:
        yield claims.first()


@pytest.fixture
def server(tmp_path: Path, port: int) -> Iterator[PostgresServer]:
    found = PostgresServer(tmp_path / "home", port)
    yield found
    found.end_survivors()


def begin(server: PostgresServer) -> Child:
    server.prepare()
    log = server.home / "logs" / "postgres.log"
    child = server.start(log=log, environment=os.environ)
    deadline = time.monotonic() + 30
    while not server.ready():
        assert child.popen.poll() is None, "\n".join(processes.last_lines(log))
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


@contextmanager
def running(server: PostgresServer) -> Iterator[Child]:
    child = begin(server)
    try:
        yield child
    finally:
        server.stop(child)


def connect(server: PostgresServer):
    found = server.warehouse_credentials()
    return psycopg2.connect(
        host=found["host"],
        port=found["port"],
        dbname=found["dbname"],
        user=found["username"],
        password=found["password"],
        connect_timeout=5,
    )


def run(server: PostgresServer, statement: str) -> list[tuple]:
    with closing(connect(server)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_what_was_committed_survives_a_stop_and_a_start(server: PostgresServer) -> None:
    with running(server):
        run(server, "CREATE TABLE flights AS SELECT generate_series(1, 1000) AS id")
    with running(server):
        assert run(server, "SELECT count(*) FROM flights") == [(1000,)]


def test_a_kept_connection_is_used_again_and_another_takes_its_place_after_a_restart(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(COMPONENT_VARIABLE, "daemon")
    found = server.dagster_connection()
    url = (
        f"postgresql+psycopg2://{found['user']}:{found['password']}@127.0.0.1:{server.port}/{found['dbname']}"
    )
    engine = create_engine(f"{url}?plugin=kept_connections", isolation_level="AUTOCOMMIT", poolclass=NullPool)

    def backend() -> int:
        with engine.connect() as connection:
            return connection.execute(text("SELECT pg_backend_pid()")).scalar_one()

    with running(server):
        first = backend()
        assert backend() == first
    with running(server):
        assert backend() != first
        engine.dispose()


def test_a_stop_ends_open_sessions_and_is_clean(server: PostgresServer) -> None:
    child = begin(server)
    with closing(connect(server)):
        begun = time.monotonic()
        server.stop(child)
        assert time.monotonic() - begun < 5
    assert child.popen.poll() == 0
    assert not (server.data / "postmaster.pid").exists()


def test_it_starts_again_after_a_kill_that_left_a_busy_backend(server: PostgresServer) -> None:
    child = begin(server)
    run(server, "CREATE TABLE flights AS SELECT generate_series(1, 1000) AS id")
    busy = connect(server)
    backend = psutil.Process(busy.info.backend_pid)
    backend.suspend()  # a backend that does not notice its server's death
    child.popen.kill()
    child.popen.wait()
    assert processes.lives(backend)
    with running(server):
        assert not processes.lives(backend)
        assert run(server, "SELECT count(*) FROM flights") == [(1000,)]
    busy.close()


def test_a_lock_file_with_the_pid_of_a_stranger_does_not_hinder_a_start(server: PostgresServer) -> None:
    with running(server):
        lock = (server.data / "postmaster.pid").read_text().splitlines()
    stranger = str(os.getppid())
    (server.data / "postmaster.pid").write_text("\n".join([stranger, *lock[1:]]) + "\n")
    with running(server):
        assert run(server, "SELECT 1") == [(1,)]
    assert psutil.pid_exists(int(stranger))


def test_a_creation_that_was_cut_off_is_begun_anew(server: PostgresServer) -> None:
    half = server.folder / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    with running(server):
        assert run(server, "SELECT 1") == [(1,)]


def test_two_homes_run_side_by_side(tmp_path: Path) -> None:
    with PortClaims(tmp_path / "claims") as claims:
        one = PostgresServer(tmp_path / "one", claims.first())
        other = PostgresServer(tmp_path / "other", claims.first())
        with running(one), running(other):
            run(one, "CREATE TABLE mine (id int)")
            assert run(other, "SELECT to_regclass('mine') IS NULL") == [(True,)]
            one.end_survivors()
            assert run(other, "SELECT 1") == [(1,)]


def test_only_the_password_opens_it_and_only_its_owner_reads_it(server: PostgresServer) -> None:
    with running(server):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(
                host="127.0.0.1", port=server.port, dbname="warehouse", user="warehouse", password="wrong"
            )
        assert run(server, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == [(False,)]
    files = [server.folder / "password", server.folder / "dagster.password"]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    passwords = {file.read_text() for file in files}
    assert len(passwords) == 2
    assert not any(word in " ".join(server.command()) for word in passwords)


def test_a_password_that_was_lost_is_told_with_a_way_out(server: PostgresServer) -> None:
    with running(server) as child:
        file = server.folder / "airline_admin.password"
        kept = file.read_text()
        file.unlink()
        with pytest.raises(StackUnavailable, match="does not take the password"):
            server.ready()
        file.write_text(kept)
        assert server.ready()
        assert child.popen.poll() is None


def test_it_is_utf8_sorts_bytewise_and_keeps_what_it_commits(server: PostgresServer) -> None:
    with running(server):
        assert run(server, "SHOW server_encoding") == [("UTF8",)]
        assert run(server, "SELECT 'Z' < 'a'") == [(True,)]
        assert run(server, "SELECT lower('ÅRHUS')") == [("århus",)]
        assert [run(server, f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == [[("on",)]] * 2
        assert run(server, "SHOW listen_addresses") == [("127.0.0.1",)]


WAYS = ["direct"] if launch_mode() == "direct" else sorted({launch_mode(), "nobody"})


@pytest.fixture
def open_home(tmp_path: Path) -> Path:
    """A home that any user may enter: pytest's own folders are closed to others."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and folder.name.startswith(("pytest-", tmp_path.name)):
            folder.chmod(0o755)
    return tmp_path / "home"


def test_programs_that_the_servers_user_may_not_run_are_told_with_the_remedy(
    tmp_path: Path, monkeypatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)  # `nobody` may not enter it, and its owner may not run what is in it
    (closed / "postgres").touch(mode=0o600)
    way = "nobody" if os.geteuid() == 0 else "direct"
    monkeypatch.setattr("laptop.postgres.binaries", lambda: closed)

    with pytest.raises(StackUnavailable, match=r"the server's user may not run .*closed/postgres") as refused:
        PostgresServer(tmp_path / "home", 0, way).run("postgres", "--version", remedy="none")
    assert "where nobody may enter" in refused.value.remedy


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_an_unprivileged_server_works(open_home: Path, port: int, way: str) -> None:
    server = PostgresServer(open_home, port, way)
    with running(server) as child:
        assert run(server, "SELECT 1") == [(1,)]
        pid = (server.data / "postmaster.pid").read_text().splitlines()[0]
        assert int(pid) == child.identity.pid
        child.popen.kill()
        child.popen.wait()
    with running(server):
        assert run(server, "SELECT 1") == [(1,)]
