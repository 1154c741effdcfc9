"""Messages of a Glue job reach Dagster whenever they are looked for, in their order, each once."""

import json
from typing import Any

from airline_platform.settings import get_settings
from resources.aws.client import make_client
from resources.lake import Lake
from resources.pipes import PolledS3MessageReader
from resources.warehouse.resource import Warehouse


class Handler:
    """Keeps what it is handed."""

    def __init__(self) -> None:
        self.handled: list[int] = []

    def handle_message(self, message: dict[str, int]) -> None:
        self.handled.append(message["n"])


def test_chunks_are_handed_on_in_their_order_when_they_are_looked_for(server: Warehouse) -> None:
    del server
    lake, handler = Lake.of(get_settings()), Handler()
    of_any_type: Any = handler
    reader = PolledS3MessageReader(lake.bucket, make_client(get_settings(), "s3"), "_tmp/pipes/run/messages")

    def write(chunk: int, *numbers: int) -> None:
        body = "\n".join(json.dumps({"n": n}) for n in numbers).encode()
        lake.put_bytes(f"_tmp/pipes/run/messages/{chunk}.json", body)

    with reader.read_messages(of_any_type) as params:
        assert params == {"bucket": lake.bucket, "key_prefix": "_tmp/pipes/run/messages"}
        reader.read_new()
        assert handler.handled == []
        write(1, 1, 2)
        reader.read_new()
        reader.read_new()
        assert handler.handled == [1, 2]
        write(2, 3)
        write(3, 4)

    assert handler.handled == [1, 2, 3, 4]
