"""Alerts that outlive a crash: each is written in the transaction it reports, and published after its commit.

At least once: whoever is killed between publishing and saying so leaves a row that is published again, with
the same `alert_id`. An alert that SNS refuses for good is set aside and told of, and holds up no later one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

from airline_platform.errors import StackUnavailable
from resources.topic import Alert, Notifier
from resources.warehouse.own_tables import ALERT_OUTBOX
from resources.warehouse.resource import Warehouse
from resources.warehouse.session import Session

_TABLE = ALERT_OUTBOX.qualified_name

WRITTEN = f"SELECT alert_id FROM {_TABLE} WHERE alert_id IN %(ids)s"  # noqa: S608 - our own table's name
UNSENT = f"""
SELECT * FROM {_TABLE} WHERE sent_at IS NULL AND refusal IS NULL AND created_at <= %(before)s
ORDER BY created_at
"""  # noqa: S608
UNSENT_OF_RUN = f"""
SELECT * FROM {_TABLE} WHERE sent_at IS NULL AND refusal IS NULL AND run_id = %(run_id)s ORDER BY created_at
"""  # noqa: S608
SENT_SINCE = f"SELECT alert_id FROM {_TABLE} WHERE sent_at > %(since)s"  # noqa: S608
FORGET = f"UPDATE {_TABLE} SET sent_at = NULL WHERE alert_id IN %(ids)s"  # noqa: S608
SENT = f"UPDATE {_TABLE} SET sent_at = %(now)s WHERE alert_id = %(alert_id)s"  # noqa: S608
SET_ASIDE = f"UPDATE {_TABLE} SET refusal = %(refusal)s WHERE alert_id = %(alert_id)s"  # noqa: S608

REFUSED_FOR_GOOD = frozenset({"InvalidParameter", "ParameterValueInvalid", "ValidationException"})
"""SNS's codes of what is wrong with a message itself, by botocore's model of Publish. Its others (no
permission, a key that is disabled, too many requests) speak of the topic, and pass."""


def put(session: Session, alerts: Sequence[Alert]) -> None:
    """Write the alerts that the outbox lacks; they happened if the caller's transaction commits."""
    wanted = {alert.alert_id: alert for alert in alerts}
    if not wanted:
        return
    there = {row["alert_id"] for row in session.execute(WRITTEN, {"ids": tuple(wanted)})}
    rows = [_row(alert) for alert_id, alert in wanted.items() if alert_id not in there]
    if rows:
        session.insert(ALERT_OUTBOX, rows)


def send(
    warehouse: Warehouse,
    notifier: Notifier,
    run_id: str | None = None,
    *,
    at_least_old: timedelta = timedelta(),
) -> int:
    """Publish the alerts that are written and not sent; return how many there were.

    Args:
        warehouse: Holds the outbox.
        notifier: Publishes.
        run_id: Only what this run has written; all where left out.
        at_least_old: Without a run: only what its writer has had so long to send.

    Raises:
        StackUnavailable: The warehouse or SNS does not answer; what was not sent stays written.
        botocore.exceptions.ClientError: SNS refused for a reason that may pass, or takes no alert.
    """
    before = datetime.now(UTC) - at_least_old
    rows = warehouse.query(UNSENT_OF_RUN if run_id else UNSENT, {"run_id": run_id, "before": before})
    for row in rows:
        attributes = {name: row[name] or "" for name in ("alert_id", "event", "feed", "run_id")}
        try:
            notifier.send(row["subject"], row["message"], attributes)
        except (ClientError, ParamValidationError) as error:
            if not _is_for_good(error):
                raise
            _set_aside(row, str(error), warehouse, notifier)
            continue
        with warehouse.transaction() as session:
            session.execute(SENT, {"alert_id": row["alert_id"], "now": datetime.now(UTC)})
    return len(rows)


def _is_for_good(error: ClientError | ParamValidationError) -> bool:
    return isinstance(error, ParamValidationError) or error.response["Error"]["Code"] in REFUSED_FOR_GOOD


def _set_aside(row: Mapping[str, Any], why: str, warehouse: Warehouse, notifier: Notifier) -> None:
    """Tell of an alert that SNS never takes, and pass over it from now on.

    Nothing of the alert's own words is in what is told. Where SNS refuses that, too, the topic is what is
    wrong: the error is raised, and all alerts wait.
    """
    alert_id = row["alert_id"]
    read = f"SELECT * FROM {_TABLE} WHERE alert_id = '{alert_id}'"  # noqa: S608 - a digest of ours
    notifier.publish(
        Alert(
            "failed",
            f"FAILED to send an alert: {row['event']} {row['feed'] or ''}".rstrip(),
            [
                f"Reason:     {why}",
                f'What to do: read it with `airline query "{read}"`.',
            ],
            feed=row["feed"] or "",
            run_id=row["run_id"] or "",
            about=["not sent", alert_id],
        )
    )
    with warehouse.transaction() as session:
        session.execute(SET_ASIDE, {"alert_id": alert_id, "refusal": why[:256]})


def try_to_send(
    warehouse: Warehouse,
    notifier: Notifier,
    run_id: str | None = None,
    *,
    at_least_old: timedelta = timedelta(),
) -> str | None:
    """Send what waits, as `send`; return the reason instead of raising where the warehouse or SNS refuses."""
    try:
        send(warehouse, notifier, run_id, at_least_old=at_least_old)
    except (StackUnavailable, BotoCoreError, ClientError, psycopg2.Error) as error:
        return f"{type(error).__name__}: {error}"
    return None


def write_and_send(alert: Alert, warehouse: Warehouse, notifier: Notifier) -> None:
    """Write one alert and send it; send it all the same where the warehouse is what fails.

    Raises:
        StackUnavailable: SNS does not answer.
        botocore.exceptions.ClientError: SNS refused.
    """
    try:
        with warehouse.transaction() as session:
            put(session, [alert])
    except (StackUnavailable, psycopg2.Error):
        notifier.publish(alert)
        return
    send(warehouse, notifier, alert.run_id or None)


def forget_sent(session: Session, arrived: Collection[str]) -> None:
    """Mark alerts of the last 30 days as not sent, except for those that arrived."""
    since = {"since": datetime.now(UTC) - timedelta(days=30)}
    lost = [row["alert_id"] for row in session.execute(SENT_SINCE, since) if row["alert_id"] not in arrived]
    if lost:
        session.execute(FORGET, {"ids": tuple(lost)})


def _row(alert: Alert) -> Mapping[str, Any]:
    return {
        "alert_id": alert.alert_id,
        "event": alert.event,
        "feed": alert.feed,
        "run_id": alert.run_id,
        "subject": alert.subject[:256],
        "message": alert.message,
        "created_at": datetime.now(UTC),
        "sent_at": None,
        "refusal": None,
    }
