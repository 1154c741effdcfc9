"""Errors as Dagster understands them: a permanent one ends the step at once, any other may be retried."""

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import Backoff, Failure, Jitter, RetryPolicy

from airline_platform.errors import PermanentError

RETRIES = RetryPolicy(max_retries=2, delay=2, backoff=Backoff.EXPONENTIAL, jitter=Jitter.PLUS_MINUS)
"""For throttling, a warehouse that restarts, a network that blinks; every step may be repeated."""


@contextmanager
def permanent_errors_end_the_step() -> Iterator[None]:
    """Keep Dagster from retrying what can't get better.

    Raises:
        Failure: In place of a PermanentError, with its text.
    """
    try:
        yield
    except PermanentError as error:
        raise Failure(description=str(error), allow_retries=False) from error
