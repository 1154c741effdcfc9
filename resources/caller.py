"""In whose name this process calls AWS: the Dagster run that is under way in it, if one is.

Not a ContextVar: resources read and write with threads of their own, which would not know it. A process has
one run (docs/adr/0006); where tests nest two, the inner one counts.
"""

import re
from typing import Any

MARK = "airline-run/"
"""Stands before the run's id in the user agent."""

_UNFIT = re.compile(r"[^\w+=,.@-]", re.ASCII)
_LONGEST = 64
"""STS takes these characters and this length as the name of a role's session; a Dagster run id is a UUID."""

_under_way: list[str] = []


def begin(run_id: str) -> None:
    """From now on this process calls for a run; each call is answered by one of `end`."""
    _under_way.append(_name(run_id))


def end(run_id: str) -> None:
    """Take one `begin` back."""
    _under_way.remove(_name(run_id))


def current_run() -> str | None:
    """The run this process calls for, as it is written into user agents and session names."""
    return next(iter(_under_way[-1:]), None)


def sign(request: Any, **_: Any) -> None:
    """Write the current run into a request's user agent; a handler of botocore's `before-send`."""
    run = current_run()
    if run:
        agent = request.headers.get("User-Agent", "")
        agent = agent.decode("latin-1") if isinstance(agent, bytes) else agent
        request.headers["User-Agent"] = f"{agent} {MARK}{run}"


def _name(run_id: str) -> str:
    return _UNFIT.sub("-", run_id)[:_LONGEST]
