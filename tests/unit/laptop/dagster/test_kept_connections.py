"""Which processes keep their connections to Dagster's storage."""

import pytest
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool, QueuePool

from laptop.processes import COMPONENT_VARIABLE

URL = "postgresql+psycopg2://dagster@127.0.0.1/dagster?plugin=kept_connections"


@pytest.mark.parametrize(
    ("component", "pool"),
    [("daemon", QueuePool), ("run-server", QueuePool), ("code-server", NullPool), ("webserver", NullPool)],
)
def test_only_a_process_with_one_instance_keeps_them(
    monkeypatch: pytest.MonkeyPatch, component: str, pool: type
) -> None:
    monkeypatch.setenv(COMPONENT_VARIABLE, component)
    assert type(create_engine(URL, poolclass=NullPool).pool) is pool


def test_a_pool_that_is_asked_for_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(COMPONENT_VARIABLE, "daemon")
    pool = create_engine(URL, pool_size=7).pool
    assert isinstance(pool, QueuePool)
    assert pool.size() == 7
