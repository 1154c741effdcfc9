"""Connections to Dagster's storage that are kept, where a process opens it once and uses it until its end.

By itself Dagster's PostgreSQL storage connects for every statement, which was three quarters of what an idle
daemon did: docs/adr/0022-kept-connections.md.
"""

import os
from typing import Any

from sqlalchemy.engine import URL, CreateEnginePlugin
from sqlalchemy.pool import NullPool, QueuePool

from laptop.processes import COMPONENT_VARIABLE

COMPONENTS = frozenset({"daemon", "run-server"})
"""Whose processes have one Dagster instance, until they end. The code server opens one for each tick, and the
webserver keeps connections by itself."""

KEPT = 2
"""Connections kept by each of the three storages (runs, events, schedules); more are closed after use."""


class KeptConnections(CreateEnginePlugin):
    """SQLAlchemy's plugin for `?plugin=kept_connections` in a URL: a pool where Dagster wants none."""

    def __init__(self, url: URL, kwargs: dict[str, Any]) -> None:
        """Change the arguments of `create_engine`."""
        super().__init__(url, kwargs)
        if os.environ.get(COMPONENT_VARIABLE) in COMPONENTS and kwargs.get("poolclass") is NullPool:
            # Pinged, because the server may have been started anew meanwhile.
            kwargs |= {"poolclass": QueuePool, "pool_size": KEPT, "max_overflow": -1, "pool_pre_ping": True}

    def update_url(self, url: URL) -> URL:
        """The URL, which has nothing in it for this plugin but its name."""
        return url
