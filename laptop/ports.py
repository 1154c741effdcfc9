"""Where the parts of a laptop stack listen, all on 127.0.0.1; no two stacks choose the same port."""

import json
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from airline_platform.settings import Settings
from laptop import files

HOST = "127.0.0.1"
HEALTH_PATH = "/_airline/health"
"""Where the gateway says that it can be used."""

_LAST_PORT = 65535


@dataclass(frozen=True)
class Ports:
    """The ports of one stack."""

    gateway: int
    warehouse: int
    code_server: int
    ui: int

    def by_component(self) -> dict[str, int]:
        """Port of each component that listens, as the state file names them."""
        return {
            "gateway": self.gateway,
            "postgres": self.warehouse,
            "code-server": self.code_server,
            "webserver": self.ui,
        }


class PortClaims(ExitStack):
    """Ports this process means to use, so that no other stack chooses them before they are listened on.

    A claim is a locked file in a folder that all stacks of this user share; it ends with the block, or with
    the process.
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__()
        self._folder = folder or Path(tempfile.gettempdir()) / f"airline-ports-{os.getuid()}"
        self._mine: set[int] = set()

    def take(self, port: int) -> bool:
        """Claim a port; False where somebody claims it or listens on it."""
        if port in self._mine or not _is_free(port):
            return False
        claim = files.lock(self._folder / f"{port}.lock")
        if claim is None:
            return False
        self.enter_context(claim)
        self._mine.add(port)
        return True

    def first(self, *preferred: int) -> int:
        """The first of the preferred ports that can be had, else any free one; 0 is no preference."""
        for port in preferred:
            if port and self.take(port):
                return port
        while not self.take(port := _some_free_port()):
            pass
        return port


def _is_free(port: int) -> bool:
    """Whether nobody listens on a port; one that merely lingers after its use is free."""
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True


def _some_free_port() -> int:
    with socket.create_server((HOST, 0)) as probe:
        return int(probe.getsockname()[1])


def choose_ports(settings: Settings, claims: PortClaims, tell: Callable[[str], None]) -> Ports:
    """Ports as the settings wish, else as last time, else free ones; remembered in `home/ports.json`."""
    file = settings.home / "ports.json"
    try:
        last = json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        last = {}
    ui = settings.ui_port or last.get("webserver", 0)
    ports = Ports(
        gateway=claims.first(settings.gateway_port, last.get("gateway", 0)),
        warehouse=claims.first(settings.warehouse_port, last.get("postgres", 0)),
        code_server=claims.first(last.get("code-server", 0)),
        ui=claims.first(*range(ui, _LAST_PORT + 1) if ui else ()),
    )
    for name, wished, given in (
        ("the Dagster UI", settings.ui_port, ports.ui),
        ("the gateway", settings.gateway_port, ports.gateway),
        ("the warehouse", settings.warehouse_port, ports.warehouse),
    ):
        if wished not in (0, given):
            tell(f"port {wished} is taken: {name} is on {given}")
    files.write_whole(file, json.dumps(ports.by_component()))
    return ports
