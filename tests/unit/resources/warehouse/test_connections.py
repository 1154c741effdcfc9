"""Redshift is spoken to over TLS alone, and only where a certificate of Amazon's proves it is the host."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import certifi
import psycopg2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from resources.warehouse import connections
from resources.warehouse.connections import AMAZON_TRUST
from resources.warehouse.login import Login

LOCALHOST = "127.0.0.1"
SSL_REQUEST = bytes.fromhex("0000000804d2162f")
REFUSED = b"E\0\0\0\x17SFATAL\0C28P01\0Mno\0\0"
"""How PostgreSQL's protocol says that a login is refused; so a test knows that it was tried."""

CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


class Server:
    """A server that speaks as much of PostgreSQL's protocol as is spoken before somebody is logged in."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        self._listening = socket.create_server((LOCALHOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self.heard = b""
        """What came after the question whether there is TLS."""
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._listening.accept()
        with connection:
            assert connection.recv(8) == SSL_REQUEST
            connection.sendall(b"S" if self._tls else b"N")
            with suppress(OSError):
                if self._tls is None:
                    self.heard = connection.recv(4096)
                    return
                with self._tls.wrap_socket(connection, server_side=True) as spoken:
                    self.heard = spoken.recv(4096)
                    spoken.sendall(REFUSED)

    def close(self) -> None:
        self._thread.join(10)
        self._listening.close()


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate that signs itself, for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "warehouse.example")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOCALHOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file = tmp_path / "certificate.pem"
    file.write_bytes(
        made.public_bytes(pem) + key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    )
    return file


@pytest.fixture
def with_tls(certificate: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = Server(context)
    yield server
    server.close()


def connect(server: Server, host: str = LOCALHOST) -> None:
    connections._connect(Login("redshift", host, server.port, "dev", "somebody", "a password"))


def test_a_server_without_tls_hears_nothing_not_even_who_would_log_in() -> None:
    server = Server(None)

    with pytest.raises(psycopg2.OperationalError, match="does not support SSL, but SSL was required"):
        connect(server)

    server.close()
    assert server.heard == b""


def test_a_certificate_that_is_not_amazons_is_not_believed(with_tls: Server) -> None:
    with pytest.raises(psycopg2.OperationalError, match="certificate verify failed"):
        connect(with_tls)

    assert with_tls.heard == b""


def test_a_certificate_of_another_host_is_not_believed(
    with_tls: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "AMAZON_TRUST", certificate)

    with pytest.raises(psycopg2.OperationalError, match="does not match host name"):
        connect(with_tls, "localhost")

    assert with_tls.heard == b""


def test_who_proves_to_be_the_host_hears_who_logs_in(
    with_tls: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "AMAZON_TRUST", certificate)

    with pytest.raises(psycopg2.OperationalError, match=r"FATAL: .*no"):
        connect(with_tls)

    assert b"somebody" in with_tls.heard


def test_the_roots_are_amazons_as_mozilla_has_them_and_good_for_years() -> None:
    ours = CERTIFICATE.findall(AMAZON_TRUST.read_text())
    read = ssl.create_default_context(cafile=AMAZON_TRUST).get_ca_certs()
    names = sorted(dict(part[0] for part in it["subject"])["commonName"] for it in read)

    assert names == [
        *(f"Amazon Root CA {number}" for number in (1, 2, 3, 4)),
        "Starfield Services Root Certificate Authority - G2",
    ]
    assert set(ours) <= set(CERTIFICATE.findall(Path(certifi.where()).read_text()))
    ends = [datetime.fromtimestamp(ssl.cert_time_to_seconds(it["notAfter"]), UTC) for it in read]
    assert min(ends) > datetime.now(UTC) + timedelta(days=365)
