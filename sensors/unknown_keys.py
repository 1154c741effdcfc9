"""Landed keys that no feed claims: the ledger keeps the verdict, and people are alerted once."""

from collections.abc import Sequence
from datetime import UTC, datetime

from airline_platform.files.keys import UNKNOWN, UnknownKey
from resources.acceptance.landed import LandedObject
from resources.queue import LandingEvent
from resources.topic import Alert
from resources.warehouse import ledger, outbox
from resources.warehouse.resource import Warehouse

LONGEST_KEY, LONGEST_ETAG = 1024, 128
"""Bytes; longer ones do not come from S3."""

KEYS_LISTED = 100
"""Most keys that an alert lists."""

UnknownLanding = tuple[LandingEvent, UnknownKey]
"""An event, and why no feed claims its key."""


def record_unknown(unknown: Sequence[UnknownLanding], bucket: str, warehouse: Warehouse, *, by: str) -> None:
    """Write the verdict on keys no feed claims, and the alert about them, in one transaction.

    Args:
        unknown: What landed.
        bucket: Where, unless the event names another one.
        warehouse: Whose ledger and outbox are written.
        by: Who found them; stands in a run's place in the ledger.
    """
    entries = {
        (verdict.key, event.etag): ledger.Entry.of(
            LandedObject(
                bucket=event.bucket or bucket,
                key=verdict.key,
                day=None,
                etag=event.etag,
                size=event.size,
                landed_at=event.at or datetime.now(UTC),
                refused=verdict.reason,
            ),
            feed=UNKNOWN,
            run_id=by,
            state="rejected",
        )
        for event, verdict in unknown
        if is_storable(event, verdict)
    }
    with warehouse.exclusive_transaction() as session:
        ledger.record(session, list(entries.values()))
        outbox.put(session, [unknown_alert(unknown)])


def is_storable(event: LandingEvent, verdict: UnknownKey) -> bool:
    """Whether an event's key and entity tag can be S3's; others are in alerts, and in no ledger."""
    try:
        sizes = len(verdict.key.encode()), len(event.etag.encode())
    except UnicodeEncodeError:
        return False
    fits = sizes[0] <= LONGEST_KEY and sizes[1] <= LONGEST_ETAG
    return bool(event.key) and fits and "\0" not in f"{verdict.key}{event.etag}"


def unknown_alert(unknown: Sequence[UnknownLanding]) -> Alert:
    """Say which keys no feed claims, why, and what to do."""
    lines = [f"{_printable(verdict.key)}: {verdict.reason}" for _, verdict in unknown[:KEYS_LISTED]]
    lines += [
        "",
        "What to do: move the file to where its feed lands, or delete it; nothing was loaded from it.",
    ]
    about = sorted(f"{verdict.key} {event.etag} {event.version}" for event, verdict in unknown)
    return Alert("unknown_key", f"{len(unknown)} landed key(s) belong to no feed", lines, about=about)


def _printable(key: str) -> str:
    return key if key.isprintable() else ascii(key)
