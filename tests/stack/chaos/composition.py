"""The laptop stack as it is, but for its endpoint: all its clients talk to the proxy that injects faults."""

import os
import sys

from laptop.stack import Plan

ENDPOINT_VARIABLE = "CHAOS_ENDPOINT"
"""Where the test's proxy listens; the gateway's own port stands in `ports.json` of the stack's home."""


class BehindFaults(Plan):
    """Everything real; the gateway, and the Glue jobs in it, are reached through the proxy."""

    @property
    def endpoint_url(self) -> str:
        return os.environ[ENDPOINT_VARIABLE]

    def gateway_command(self) -> list[str]:
        command = super().gateway_command()
        module = command.index("-m") + 1
        return [sys.executable, "-m", "chaos.gateway_process", *command[module + 1 :]]
