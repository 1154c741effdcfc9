"""In whose name this process calls AWS: the Dagster run that is under way in it, if one is.

Not a ContextVar: resources read and write with threads of their own, which would not know it. A process has
one run (docs/adr/0006); where tests nest two, the inner one counts.
"""

import re
from typing import Any

MARK = "airline-run/"
"""Stands before the run's id in the user agent."""

SPARK_AGENT = "spark.hadoop.fs.s3a.user.agent.prefix"
"""Spark's option for what stands first in the user agent of its own S3 calls; S3A is Glue 5.1's way to S3."""

_UNFIT = re.compile(r"[^\w+=,.@-]", re.ASCII)
_LONGEST = 64
"""STS takes these characters and this length as the name of a role's session; a Dagster run id is a UUID."""

_SPARK_AGENT = re.compile(rf"{re.escape(SPARK_AGENT)}=({MARK}[\w+=,.@-]{{2,{_LONGEST}}})(?!\S)", re.ASCII)

_under_way: list[str] = []


def begin(run_id: str) -> None:
    """Let this process call in a run's name from now on; each `begin` needs an `end`."""
    _under_way.append(_name(run_id))


def end(run_id: str) -> None:
    """Take one `begin` back."""
    _under_way.remove(_name(run_id))


def current_run() -> str | None:
    """Return the run this process calls for, as it is written into user agents and session names."""
    return next(iter(_under_way[-1:]), None)


def sign(request: Any, **_: Any) -> None:
    """Write the current run into a request's user agent; a handler of botocore's `before-send`."""
    run = current_run()
    if run:
        agent = request.headers.get("User-Agent", "")
        agent = agent.decode("latin-1") if isinstance(agent, bytes) else agent
        request.headers["User-Agent"] = f"{agent} {MARK}{run}"


def job_arguments() -> dict[str, str]:
    """Return arguments with which a Glue job and its Spark call AWS in the name of the current run."""
    run = current_run()
    return {"caller": f"{MARK}{run}", "conf": f"{SPARK_AGENT}={MARK}{run}"} if run else {"caller": "nobody"}


def agent_of(conf: str) -> str:
    """Return the user agent in which a Glue job's `--conf` names a run; empty where it names none."""
    named = _SPARK_AGENT.search(conf)
    return named[1] if named else ""


def _name(run_id: str) -> str:
    return _UNFIT.sub("-", run_id)[:_LONGEST]
