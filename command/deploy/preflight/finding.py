"""What a question to the account comes to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from airline_platform.errors import AirlineError

Outcome = Literal["ok", "fails", "unknown", "later"]
"""ok: nothing stands in the way; fails: a deployment would, or its runs; unknown: the account does not say;
later: it can be tried after the first deployment."""


@dataclass(frozen=True)
class Finding:
    """The answer to one question.

    Args:
        name: What was asked.
        outcome: What would come of it.
        found: What the account says.
        remedy: What to do about it; empty where nothing is to be done.
    """

    name: str
    outcome: Outcome
    found: str
    remedy: str = ""


def asked(name: str, ask: Callable[[], Finding], permission: str) -> Finding:
    """Ask; an account that does not answer leaves it unknown.

    Args:
        name: What is asked.
        ask: The question.
        permission: The IAM action that it takes.
    """
    try:
        return ask()
    except (ClientError, BotoCoreError) as error:
        remedy = f"Let who deploys call {permission}, or look for yourself."
        return Finding(name, "unknown", one_line(error), remedy)


class Untried(Exception):  # noqa: N818 - it names what happened, and is no failure
    """Something could not be tried now, which says nothing of whether it works."""


def tried(name: str, attempt: Callable[[], Any], remedy: str) -> Finding:
    """Try; whatever it raises is what a run would fail over.

    Args:
        name: What is tried.
        attempt: Returns what people see of the success.
        remedy: What to do, where the error does not say it.
    """
    try:
        return Finding(name, "ok", str(attempt()))
    except Untried as reason:
        return Finding(name, "unknown", str(reason), "Ask again later.")
    except AirlineError as error:
        return Finding(name, "fails", str(error.args[0]), error.remedy)
    except Exception as error:  # noqa: BLE001 - a driver's, a service's: the next trial has to be made all the same
        return Finding(name, "fails", one_line(error), remedy)


def one_line(error: Exception) -> str:
    """Return an error's text without line breaks."""
    return " ".join(str(error).split())
