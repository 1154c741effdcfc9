"""Settled: files get their verdict, in one protocol for every feed: refuse, write, verify, record, tell.

The sink only writes and measures. What it writes stands either inside the transaction that records it or
before it (`Sink.writes`); verdicts and alerts are always written inside, and alerts sent behind it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airline_platform.contract.sink import Dimension, FactTable, LakeTable
from airline_platform.errors import LoadRefused
from assets.alerts.messages import check_failed_alerts, loaded_alert
from assets.checks.of_feeds import checks_of
from assets.checks.outcomes import Outcome, judge, merged, outcomes_of, require
from assets.ingest.handover import LeftOut, MadeDay
from assets.ingest.refusals import (
    Refusal,
    days_with_rejects,
    first_rejects,
    overwritten,
    record_refusals,
)
from assets.ingest.sinks.dimension import DimensionSink
from assets.ingest.sinks.fact_table import FactTableSink
from assets.ingest.sinks.lake_table import LakeTableSink
from assets.ingest.sinks.written import Sink, Written
from assets.ingest.step import Step
from assets.isolation.causes import cause_of_load_failure, load_words
from assets.isolation.halving import isolate
from resources.acceptance.landed import Version
from resources.warehouse import ledger, outbox


@dataclass(frozen=True)
class Settled:
    """What became of days.

    Args:
        rows: Counts of the days that are settled, by day.
        left_out: Why others are not.
        outcomes: Of the feed's checks.
        metadata: What else their materializations show, by day.
    """

    rows: Mapping[str, Mapping[str, int]]
    left_out: LeftOut
    outcomes: Sequence[Outcome] = ()
    metadata: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def sink_of(step: Step) -> Sink:
    """The sink of a step's feed."""
    match step.feed.becomes:
        case FactTable():
            return FactTableSink(step)
        case Dimension():
            return DimensionSink(step, step.feed.becomes)
        case LakeTable():
            return LakeTableSink(step, step.feed.becomes)


def settle(step: Step, made: Mapping[str, MadeDay]) -> Settled:
    """Settle days: all of them in one transaction; where that fails over one of them, the others by halves.

    A day keeps its rows when its file was overwritten since it was read: the run of the newer version makes
    it anew. It keeps them, and its files are rejected, when the warehouse or a blocking check refuses it. A
    sink that writes before the transaction has the new rows all the same.

    Args:
        step: The step that settles.
        made: What the lake holds, by day.

    Raises:
        ChecksFailed: What was written before the transaction is not what was made; nothing is recorded.
        InputReplaced: What is to be written is not what the job reported; no file gets a verdict for it.
    """
    sink, feed = sink_of(step), step.feed
    sink.prepare(made)
    tried = isolate(
        sorted(made),
        lambda days: _settle(step, sink, {day: made[day] for day in days}),
        cause_of=cause_of_load_failure,
        control=step.warehouse.require_turn,
    )
    done = [settled for _, settled in tried.done]
    if any(settled.rows for settled in done):
        sink.after_commit()
    refused = {it.unit: load_words(it.error, personal=feed.personal) for it in tried.culprits}
    if refused:
        refusals = [refusal for day, why in refused.items() for refusal in refusals_of(made[day], why)]
        record_refusals(step, step.calendar(sorted(refused)), refusals)
    step.send_alerts()
    failed = outcomes_of(it.error for it in tried.culprits)
    return Settled(
        rows={day: rows for it in done for day, rows in it.rows.items()},
        left_out=LeftOut({day: why for it in done for day, why in it.left_out.overwritten.items()}, refused),
        outcomes=merged([*(it.outcomes for it in done), *failed]),
        metadata={day: more for it in done for day, more in it.metadata.items()},
    )


def _settle(step: Step, sink: Sink, made: Mapping[str, MadeDay]) -> Settled:
    """Settle all of the days in one transaction, or none, but for those whose files were overwritten.

    Raises:
        InputReplaced: What is to be written is not what the job reported; nothing was committed.
        ChecksFailed: A blocking check failed; nothing was committed.
    """
    feed = step.feed
    with step.warehouse.exclusive_transaction() as session:
        landed = step.landing.versions(feed, step.calendar(sorted(made)))
        # Refuse. Of these the ledger says nothing yet: the newer version's run will.
        changed = overwritten_days(made, landed) if sink.writes == "inside" else {}
        good = {day: it for day, it in made.items() if day not in changed}
        if not good:
            return Settled({}, LeftOut(changed, {}))
        # Write.
        written = sink.write(session, good)
        # Verify.
        outcomes = [*written.judged, *judge(checks_of(feed), written.measures)]
        require(feed.last_asset, outcomes)
        # Record.
        ledger.record(session, entries_of(step, good), landed)
        # Tell.
        outbox.put(session, _alerts(step, good, written, outcomes))
    return Settled(written.rows, LeftOut(changed, {}), outcomes, written.metadata)


def _alerts(
    step: Step, made: Mapping[str, MadeDay], written: Written, outcomes: Sequence[Outcome]
) -> list[Any]:
    """The alert of what is loaded, and the one of checks that failed and block nothing."""
    of_days = list(written.rows.values())
    loaded = loaded_alert(
        step.feed,
        {name: sum(of_day[name] for of_day in of_days) for name in of_days[0]},
        first_rejects(step.lake, step.feed, days_with_rejects(made)),
        days=step.calendar(sorted(made)),
        figures=written.figures,
        run=step.run,
        instance=step.context.instance,
    )
    return [loaded, *check_failed_alerts(step.feed.last_asset, step.feed.name, outcomes, step.run)]


def entries_of(step: Step, made: Mapping[str, MadeDay]) -> list[ledger.Entry]:
    """Ledger rows of the files that settled days were made of."""
    return [
        ledger.Entry.of(
            file,
            feed=step.feed.name,
            run_id=step.run.run_id,
            state="loaded",
            rows_read=rows.read,
            rows_loaded=rows.loaded,
            rows_rejected=rows.rejected,
            glue_job_run_id=it.glue_job_run_id,
        )
        for it in made.values()
        for file, rows in it.landed
    ]


def refusals_of(made: MadeDay, why: str) -> list[Refusal]:
    """All files of a day that is not settled, for the day's reason."""
    return [Refusal.because(file, why, rows.read, made.glue_job_run_id) for file, rows in made.landed]


def overwritten_days(made: Mapping[str, MadeDay], landed: Sequence[Version]) -> dict[str, str]:
    """Days of which a file is not any more what the run has read, and which; a deleted one still counts.

    Args:
        made: What is to be settled, by day.
        landed: What S3 has now.
    """
    changed = {day: overwritten([file for file, _ in it.landed], landed) for day, it in made.items()}
    return {
        day: f"{', '.join(keys[:20])} was overwritten while its run worked; the newer version's run loads it"
        for day, keys in changed.items()
        if keys
    }


def not_settled(left_out: LeftOut, *, written: Collection[str] = ()) -> LoadRefused:
    """The error for days that have no verdict of having been loaded.

    Args:
        left_out: The days, and why.
        written: Those of them whose new rows stand, because their sink writes before the transaction.
    """
    days = {**left_out.overwritten, **left_out.refused}
    stands = ", the old rows stand" if days.keys() - set(written) else ""
    if written:
        stands += f", but of {', '.join(sorted(written))} the lake has the new rows already"
    return LoadRefused(
        "; ".join(f"{day}: {why}" for day, why in days.items()) + f". Not loaded{stands}",
        remedy=(
            "Where a file was overwritten, nothing. Else mend what the reason names and land the day's files "
            "again; or run the day again when the cause is gone."
        ),
        alerted=not left_out.overwritten,
    )
