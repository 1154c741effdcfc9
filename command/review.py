"""Asks the person at the terminal before AWS is changed, and shows each resource while it is."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime

import typer

from airline_platform.errors import WrongCall
from command.console import out, progress, show_table
from command.deploy.change_set import Change
from command.deploy.progress import ResourceEvent


class Terminal:
    """A review at the terminal.

    Args:
        yes: Whether nobody is asked: the changes are shown, and made.
    """

    def __init__(self, *, yes: bool) -> None:
        self._yes = yes

    def approves(self, stack: str, changes: Sequence[Change]) -> bool:
        """Show the changes as a table, and ask.

        Raises:
            WrongCall: There is nobody to answer.
        """
        if changes:
            show_table([asdict(change) for change in changes], f"Changes of stack {stack}")
        else:
            out.print(f"Stack {stack}: no resource changes, but outputs or parameters do.")
        return self._yes or confirm(f"Make these changes of stack {stack}?")

    @contextmanager
    def following(self, stack: str, resources: int) -> Iterator[Callable[[ResourceEvent], None]]:
        """Show a bar of the resources that are done, and above it a line for each, with its seconds."""
        started: dict[str, datetime] = {}
        done: set[str] = set()
        with progress() as bars:
            task = bars.add_task(stack, total=resources or None)

            def see(event: ResourceEvent) -> None:
                if event.type == "AWS::CloudFormation::Stack":
                    return
                if event.is_under_way:
                    started.setdefault(event.resource, event.at)
                    return
                seconds = (event.at - started.get(event.resource, event.at)).total_seconds()
                line = f"{event.resource}  {event.type}  {event.status}  {seconds:.0f} s"
                bars.console.print(line, markup=False, soft_wrap=True)
                done.add(event.resource)
                bars.update(task, completed=len(done))

            yield see


def confirm(question: str) -> bool:
    """Ask yes or no; no where nothing is typed.

    Raises:
        WrongCall: The input is at its end: a machine asks.
    """
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        raise WrongCall(
            "expected an answer, found the end of the input", remedy="Say --yes where nobody can answer."
        ) from None


def require_typed(name: str) -> None:
    """Have the stack's name typed before it is destroyed; machines write it to the standard input.

    Raises:
        WrongCall: Something else was typed, or nothing.
    """
    try:
        typed = typer.prompt(f"Type the stack's name, {name}, to destroy it", err=True)
    except typer.Abort:
        if sys.stdin.isatty():
            raise
        typed = ""
    if typed.strip() != name:
        raise WrongCall(
            f"expected the stack's name {name}, got {typed!r}; nothing was destroyed",
            remedy=f"Type {name}; or set AIRLINE_NAME where another stack is meant.",
        )
