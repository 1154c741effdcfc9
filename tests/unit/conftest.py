"""What the unit tests share: a calm hypothesis, and an environment in which no stack runs."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from airline_platform.settings import Settings, get_settings

# Cores are shared with Spark and PostgreSQL: a slow example says nothing about the code.
hypothesis_settings.register_profile("airline", deadline=None, derandomize=True, database=None)
hypothesis_settings.load_profile("airline")


@pytest.fixture
def no_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of a laptop on which nothing was started and nothing is configured."""
    for name in list(os.environ):
        if name.startswith(("AIRLINE_", "AWS_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AIRLINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()


RECURSION_LIMIT = sys.getrecursionlimit()


@pytest.fixture(autouse=True)
def recursion_limit() -> None:
    """Python's own: jsonata, which comes with MiniStack's Step Functions, raises it when it is imported."""
    sys.setrecursionlimit(RECURSION_LIMIT)
