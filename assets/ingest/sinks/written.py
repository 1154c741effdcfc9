"""What a sink says of what it has written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from assets.checks.outcomes import Measures, Outcome
from assets.ingest.handover import MadeDay
from resources.warehouse.session import Session


@dataclass(frozen=True)
class Written:
    """Days that are written, and what is measured of them.

    Args:
        rows: Counts by day, at least `rows_loaded` and `rows_rejected`.
        measures: What the feed's checks judge.
        judged: What came of checks that were judged before the transaction.
        figures: Lines of the alert with what the rows add up to.
        metadata: What else each day's materialization shows, by day.
    """

    rows: Mapping[str, Mapping[str, int]]
    measures: Measures
    judged: Sequence[Outcome] = ()
    figures: Sequence[str] = ()
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


class Sink(Protocol):
    """Where a feed's rows go; it writes and measures, and `settle` does everything else.

    Attributes:
        writes: Where the write stands. `inside` the transaction that records it: a warehouse table. `before`
            it: Parquet, which no transaction holds; so a file that is overwritten meanwhile is settled as it
            was, and its newer version's run makes the day anew.
    """

    writes: Literal["inside", "before"]

    def prepare(self, made: Mapping[str, MadeDay]) -> None:
        """Do what has to be done before the transaction.

        Raises:
            ChecksFailed: What was written is not what was made; nothing is recorded.
        """

    def write(self, session: Session, made: Mapping[str, MadeDay]) -> Written:
        """Write days, and measure them.

        Args:
            session: The transaction, in which no other load is under way.
            made: What the lake holds, by day.

        Raises:
            InputReplaced: What is there to be written is not what the job reported: no file is to blame.
        """

    def after_commit(self) -> None:
        """Write what follows from rows that are committed, where no transaction holds it."""
