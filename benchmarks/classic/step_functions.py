"""The gateway, with Step Functions whose Glue tasks call it over HTTP, as any client does.

python -m benchmarks.classic.step_functions --port 4567 --state folder

MiniStack walks Amazon States Language, and no interpreter that can be installed alone comes near: pyaslengine
knows no Glue and wants the attrs of 2023, LocalStack's comes with LocalStack only. But MiniStack's Glue tasks
ask its own Glue, in the process, which pretends to crawl, and it lacks `startJobRun.sync`. So both are put
into its table of service integrations. That table is private to MiniStack, whose version is pinned; the tests
walk the classic state machine through it.
"""

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError
from starlette.types import ASGIApp

from laptop import gateway

SDK_TASK = "arn:aws:states:::aws-sdk:glue:"
JOB_TASK = "arn:aws:states:::glue:startJobRun"
POLL_SECONDS = 1.0
ENDED = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED")

Parameters = dict[str, Any]
Integration = Callable[[str, Parameters], Any]

_build = gateway.build


def integrations(glue: Any, pause: Callable[[float], None] = time.sleep) -> Mapping[str, Integration]:
    """Glue's service integrations, by the beginning of a task's resource.

    Args:
        glue: A boto3 client.
        pause: Called with seconds between two looks at a job run.
    """

    def call(resource: str, parameters: Parameters) -> Any:
        """`aws-sdk:glue:getCrawler` and its like: the API's answer."""
        return _as_json(_ask(glue, resource.removeprefix(SDK_TASK), parameters))

    def run_job(resource: str, parameters: Parameters) -> Any:
        """`glue:startJobRun.sync`: the job run, when it has ended."""
        started = _ask(glue, "startJobRun", parameters)
        if not resource.endswith(".sync"):
            return _as_json(started)
        named = {"JobName": parameters["JobName"], "RunId": started["JobRunId"]}
        while (run := _ask(glue, "getJobRun", named)["JobRun"])["JobRunState"] not in ENDED:
            pause(POLL_SECONDS)
        if run["JobRunState"] != "SUCCEEDED":
            raise _failure("States.TaskFailed", json.dumps(_as_json(run)))
        return _as_json(run)

    return {SDK_TASK: call, JOB_TASK: run_job}


def _ask(glue: Any, action: str, parameters: Parameters) -> Any:
    """Call Glue; its refusals bear the names that Step Functions gives them."""
    try:
        return getattr(glue, xform_name(action))(**parameters)
    except ClientError as refusal:
        error = refusal.response["Error"]
        raise _failure(f"Glue.{error['Code']}", error["Message"]) from refusal


def _as_json(answer: Any) -> Any:
    """An answer as a state's result: times are text."""
    return json.loads(json.dumps(answer, default=str))


def _failure(name: str, cause: str) -> Exception:
    from ministack.services import stepfunctions  # noqa: PLC0415 - it reads the environment `build` sets

    failure: Exception = stepfunctions._ExecutionError(name, cause)  # noqa: SLF001 - see the module's docstring
    return failure


def build(port: int, state: Path) -> ASGIApp:
    """The gateway's application, with these integrations."""
    app = _build(port, state)
    from ministack.services import stepfunctions  # noqa: PLC0415 - see `_failure`

    region = os.environ.get("AWS_REGION") or "us-east-1"
    glue = gateway.client_factory(port, region)("glue")
    stepfunctions._SERVICE_DISPATCH.update(integrations(glue))  # noqa: SLF001 - see the module's docstring
    return app


if __name__ == "__main__":
    gateway.build = build
    gateway.main()
