"""The gateway's program, whose Glue jobs talk to the proxy too: as in AWS, a job is a client like others."""

import os

from chaos.composition import ENDPOINT_VARIABLE

from laptop import gateway

_own = gateway.job_environment


def job_environment(port: int, region: str) -> dict[str, str]:
    """What boto3 in a Glue job finds."""
    return _own(port, region) | {"AWS_ENDPOINT_URL": os.environ[ENDPOINT_VARIABLE]}


if __name__ == "__main__":
    gateway.job_environment = job_environment
    gateway.main()
