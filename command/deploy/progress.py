"""How a deployment says what it is doing, and asks whether it may."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from command.deploy.change_set import Change

Progress = Callable[[str], None]
"""Takes one line about what is being done."""


def silent(_line: str) -> None:
    """Show the line to nobody."""


@dataclass(frozen=True)
class ResourceEvent:
    """What CloudFormation says of a resource, once.

    Args:
        resource: Its logical id; the stack's name where it is about the stack.
        type: CloudFormation's, such as AWS::S3::Bucket.
        status: Such as CREATE_IN_PROGRESS.
        at: When it was said.
    """

    resource: str
    type: str
    status: str
    at: datetime

    @property
    def is_under_way(self) -> bool:
        """Whether another event of the resource follows."""
        return self.status.endswith("_IN_PROGRESS")


class Review(Protocol):
    """Somebody who sees a stack's changes before they are made, and its resources while they are."""

    def approves(self, stack: str, changes: Sequence[Change]) -> bool:
        """Say whether the changes may be made."""
        ...

    @contextmanager
    def following(self, stack: str, resources: int) -> Iterator[Callable[[ResourceEvent], None]]:
        """Follow one operation on so many resources: what it yields takes each event, oldest first."""
        ...


class Unasked:
    """Nobody is asked, as on a laptop; each resource that is done is a line of the progress.

    Args:
        on_progress: Takes the line.
    """

    def __init__(self, on_progress: Progress = silent) -> None:
        self._on_progress = on_progress

    def approves(self, _stack: str, _changes: Sequence[Change]) -> bool:
        """Approve."""
        return True

    @contextmanager
    def following(self, _stack: str, _resources: int) -> Iterator[Callable[[ResourceEvent], None]]:
        """Write a line for each resource that is done."""
        yield self._line

    def _line(self, event: ResourceEvent) -> None:
        if not event.is_under_way:
            self._on_progress(f"{event.resource} {event.status}")
