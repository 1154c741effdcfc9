"""What the deployment's tests share: clients whose answers are given, and checked by the service's model."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from airline_platform.settings import Settings

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def stubbed(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any, str], Stubber]]:
    """Give a module a client of a service, whose answers stand in the order of its calls."""
    stubs: list[Stubber] = []
    assert no_stack.stage == "local"

    def stub(module: Any, service: str) -> Stubber:
        client = boto3.client(
            service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        monkeypatch.setattr(module, "make_client", lambda _settings, _service: client)
        stubs.append(Stubber(client))
        stubs[-1].activate()
        return stubs[-1]

    yield stub
    for each in stubs:
        each.assert_no_pending_responses()
