"""Every error this platform raises on purpose, and nothing else.

AirlineError
├── PermanentError        trying again cannot help
│   ├── UnusableInput     no landed file of the run can be what its feed promises
│   ├── GlueJobFailed     the job's script failed, timed out or was stopped
│   ├── CrawlerFailed     the crawler ended with anything but success
│   ├── QueryFailed       Athena refused the query, or it failed, was cancelled or took too long
│   ├── LoadRefused       what would be committed is not what was promised
│   ├── BrokenDocument    what one step wrote down for the next can't be read
│   └── TableDiffers      a table can't be made what it is declared to be
├── StackUnavailable      the AWS endpoint or the warehouse does not answer
│   └── StackNotStarted   no laptop stack runs here (permanent, too)
├── InputReplaced         another run has replaced what a step has read
└── WrongCall             the command line was used wrongly

A message says what was expected, what came and where; `remedy` says what to do about it.
"""


class AirlineError(Exception):
    """An expected failure, with the way out of it.

    Args:
        message: What was expected, what came instead, and where.
        remedy: What the reader can do now, as an imperative sentence.
        alerted: Whether people know it already, because an alert was written with the verdicts on the files.
    """

    def __init__(self, message: str, *, remedy: str, alerted: bool = False) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.alerted = alerted

    def __str__(self) -> str:
        """The message, then the remedy on a line of its own."""
        return f"{self.args[0]}\nWhat to do: {self.remedy}"


class PermanentError(AirlineError):
    """Trying again with the same input gives the same failure; never retried."""


class UnusableInput(PermanentError):  # noqa: N818 - it names the input, not the exception
    """No landed file of the run can be what its feed promises."""


class GlueJobFailed(PermanentError):  # noqa: N818 - Glue's own word for it
    """A Glue job run ended in FAILED, TIMEOUT, ERROR, EXPIRED or STOPPED, or its report lacks files.

    Args:
        message: As of any error.
        remedy: As of any error.
        state: The state it ended in; empty where it did not fail by itself.
        words: What Glue says of it, which begins with the class of the script's exception.
    """

    def __init__(self, message: str, *, remedy: str, state: str = "", words: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.state = state
        self.words = words


class CrawlerFailed(PermanentError):  # noqa: N818 - Glue's own word for it
    """A crawl ended with a `LastCrawl.Status` other than SUCCEEDED."""


class QueryFailed(PermanentError):  # noqa: N818 - it names what happened
    """Athena refused a query, or it ended in FAILED or CANCELLED, or not in time."""


class LoadRefused(PermanentError):  # noqa: N818 - it names what happened
    """A blocking check failed, days may not be replaced, or their Parquet is gone; the old rows stand."""


class BrokenDocument(PermanentError):  # noqa: N818 - it names what there is
    """A document in the lake by which one step tells the next what it made is not JSON."""


class TableDiffers(PermanentError):  # noqa: N818 - it names what happened
    """A table has a column that can't be made what it is declared to be without touching its rows."""


class StackUnavailable(AirlineError):  # noqa: N818 - it names what happened
    """The AWS endpoint or the warehouse does not answer."""


class StackNotStarted(StackUnavailable, PermanentError):  # noqa: N818 - it names what happened
    """No laptop stack runs in this home; waiting does not start one."""


class InputReplaced(AirlineError):  # noqa: N818 - it names what happened
    """Another run has replaced what a step has read; tried again, the step reads what is there now."""


class WrongCall(AirlineError):  # noqa: N818 - it names what happened
    """The command line was used in a way that cannot mean anything."""
