"""What the ledger answers, and that it finds it by an index: however long it is, few of its rows are read."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from airline_platform.contract.table import Table
from airline_platform.files.keys import UNKNOWN
from resources.acceptance.landed import LandedObject, Version, VersionTag
from resources.warehouse import ledger
from resources.warehouse.own_tables import INGESTED_FILES
from resources.warehouse.resource import Warehouse
from resources.warehouse.session import Session

FILES = 20_000
FILL = """
INSERT INTO airlines.ingested_files
    (feed, partition_date, bucket, key, etag, size_bytes, state, run_id, landed_at, loaded_at)
SELECT
    'flights', date '2013-01-01' + n / 10, 'landing', 'daily_flights/' || lpad(n::text, 6, '0') || '.csv',
    'e', 1, 'loaded', 'r', now(), now()
FROM generate_series(1, %(files)s) AS n
"""

KEYS = ("daily_flights/000007.csv", "daily_flights/019999.csv")
DAYS = ("2013-01-02", "2013-01-03")
MONDAY, TUESDAY = "2013-01-07", "2013-01-08"
AT = datetime(2013, 1, 9, tzinfo=UTC)
A, B = "daily_flights/date=2013-01-07/a.csv", "daily_flights/date=2013-01-08/b.csv"


class UndoneError(Exception):
    """Ends a transaction that is not to be committed."""


@pytest.fixture
def session(server: Warehouse) -> Iterator[Session]:
    """A transaction that is never committed."""
    with suppress(UndoneError), server.transaction() as open_session:
        yield open_session
        raise UndoneError


@pytest.fixture(scope="module")
def long_ledger(server: Warehouse) -> Iterator[Session]:
    """A transaction, never committed, in which the ledger is long."""
    with suppress(UndoneError), server.transaction() as open_session:
        open_session.execute(FILL, {"files": FILES})
        open_session.execute("ANALYZE airlines.ingested_files")
        yield open_session
        raise UndoneError


class Explaining:
    """A session that keeps the plan of every statement it runs."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.plans: list[str] = []

    def execute(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        plan = self.session.execute(f"EXPLAIN {sql}", parameters)
        self.plans.append("\n".join(line["QUERY PLAN"] for line in plan))
        return self.session.execute(sql, parameters)

    query = execute

    def insert(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        assert table == INGESTED_FILES
        self.session.insert(table, rows)


def landed(key: str = A, etag: str = "e1", day: str | None = MONDAY, **others: Any) -> LandedObject:
    return LandedObject("landing", key, day, etag, 7, AT, **others)


def loaded(key: str = A, etag: str = "e1", day: str | None = MONDAY, rows: int = 10) -> ledger.Entry:
    return ledger.Entry.of(
        landed(key, etag, day),
        feed="flights",
        run_id="r",
        state="loaded",
        rows_read=rows,
        rows_loaded=rows - 1,
        rows_rejected=1,
    )


def rejected(key: str = A, etag: str = "e1", day: str | None = MONDAY) -> ledger.Entry:
    refused = landed(key, etag, day, refused="line 1: no header")
    return ledger.Entry.of(refused, feed="flights", run_id="r", state="rejected")


def states(session: Session) -> dict[VersionTag, ledger.State]:
    return {verdict.tag: verdict.state for verdict in ledger.of_days(session, "flights", (MONDAY, TUESDAY))}


ASKED: dict[str, Callable[[Any], object]] = {
    "the landing sensor, of keys that landed": lambda it: ledger.known_versions(it, "flights", KEYS),
    "the reconciliation, of a page of the listing": lambda it: ledger.between(
        it, "daily_flights/000100.csv", "daily_flights/000200.csv"
    ),
    "a load that records a file again": lambda it: ledger.record(
        it, [loaded(KEYS[0], "e", DAYS[0])], [Version(KEYS[0], DAYS[0], "old", None, 1, AT, current=False)]
    ),
    "a run, of refused keys": lambda it: ledger.states_of(it, "flights", KEYS),
    "a run, of its days": lambda it: ledger.of_days(it, "flights", DAYS),
    "a check, of the files whose rows stand": lambda it: ledger.loaded_files(it, "flights", DAYS),
    "the report of deleted sources": lambda it: ledger.loaded_with_source(it, KEYS),
    "who marks deleted sources": lambda it: ledger.mark_source_deleted(it, KEYS, "gone"),
    "who forgets a file": lambda it: (ledger.loaded_file(it, KEYS[0]), ledger.supersede(it, KEYS[0], "x")),
    "the rejects of a day": lambda it: ledger.newest_verdicts(it, "flights", DAYS[0], with_rejects=True),
}


@pytest.mark.parametrize("who", ASKED)
def test_a_question_reads_the_rows_it_is_about_and_no_others(long_ledger: Session, who: str) -> None:
    explaining = Explaining(long_ledger)
    ASKED[who](explaining)

    assert explaining.plans
    for plan in explaining.plans:
        assert "Seq Scan" not in plan
        # By the feed alone, the index on feed and day would find all of its rows.
        assert re.search(r"Index Cond: .*\b(key|partition_date)\b", plan), plan


def test_what_is_written_is_read_back_with_its_types(session: Session) -> None:
    entry = loaded()
    ledger.record(session, [entry])

    assert ledger.of_days(session, "flights", [MONDAY]) == [
        ledger.Verdict(
            feed="flights",
            day=MONDAY,
            key=A,
            etag="e1",
            state="loaded",
            rows_read=10,
            rows_loaded=9,
            rows_rejected=1,
            landed_at=AT,
            loaded_at=entry.loaded_at,
        )
    ]


def test_a_version_that_is_recorded_again_has_one_row_and_its_newest_verdict(session: Session) -> None:
    ledger.record(session, [rejected()])
    ledger.record(session, [loaded()])

    assert states(session) == {(A, "e1"): "loaded"}


@pytest.mark.parametrize("verdict", [loaded, rejected])
def test_that_no_feed_claimed_a_key_is_forgotten_when_its_feed_judges_it(
    session: Session, verdict: Callable[[], ledger.Entry]
) -> None:
    nobodys = landed(A, day=None, refused="no feed lands here"), landed(B, day=None, refused="nor here")
    told = [ledger.Entry.of(it, feed=UNKNOWN, run_id="landing_sensor", state="rejected") for it in nobodys]
    ledger.record(session, told)

    ledger.record(session, [replace(verdict(), version_id="v1")])

    found = {(it.key, it.feed): it.state for it in ledger.judged(session)}
    assert found == {(A, "flights"): verdict().state, (B, UNKNOWN): "rejected"}


def test_a_loaded_version_supersedes_the_older_ones_of_its_key_alone(session: Session) -> None:
    ledger.record(session, [loaded(A, "e1"), loaded(B, "e1", TUESDAY)])
    ledger.record(session, [loaded(A, "e2")])

    assert states(session) == {(A, "e1"): "superseded", (A, "e2"): "loaded", (B, "e1"): "loaded"}


def test_a_rejected_version_leaves_the_loaded_one_whose_rows_stand(session: Session) -> None:
    ledger.record(session, [loaded(A, "e1")])
    ledger.record(session, [rejected(A, "e2")])
    ledger.record(session, [rejected(A, "e3")])

    assert states(session) == {(A, "e1"): "loaded", (A, "e2"): "superseded", (A, "e3"): "rejected"}
    assert ledger.states_of(session, "flights", [A, B]) == {(A, "e1"): "loaded", (A, "e3"): "rejected"}
    assert ledger.loaded_file(session, A) == ledger.loaded_files(session, "flights")[0]


def test_a_version_that_was_replaced_before_it_was_loaded_is_superseded(session: Session) -> None:
    older = Version(A, MONDAY, "e0", None, 3, AT - timedelta(hours=1), current=False)
    newest = Version(A, MONDAY, "e1", None, 7, AT, current=True)
    ledger.record(session, [loaded(A, "e1")], [older, newest])

    first = min(ledger.of_days(session, "flights", [MONDAY]), key=lambda verdict: verdict.landed_at)
    assert (first.etag, first.state, first.rows_read) == ("e0", "superseded", None)
    assert first.reason == "a newer version landed before this one was loaded"


def test_a_version_is_known_until_its_source_is_deleted(session: Session) -> None:
    ledger.record(session, [loaded(A), rejected(B, "e2", TUESDAY)])
    assert ledger.known_versions(session, "flights", [A, B, "c"]) == {(A, "e1"), (B, "e2")}
    assert [file.key for file in ledger.loaded_with_source(session, [A, B])] == [A]

    ledger.mark_source_deleted(session, [A], "gone")
    ledger.mark_source_deleted(session, [A], "gone again")

    assert ledger.known_versions(session, "flights", [A, B]) == {(B, "e2")}
    assert ledger.loaded_with_source(session, [A, B]) == []
    file = ledger.loaded_file(session, A)
    assert file is not None
    assert (file.source_deleted, file.reason) == (True, "gone")


def test_a_file_that_is_superseded_stands_no_more_and_says_why(session: Session) -> None:
    ledger.record(session, [loaded(A), loaded(B, day=TUESDAY)])
    ledger.supersede(session, A, "forgotten")

    assert ledger.loaded_file(session, A) is None
    assert [file.key for file in ledger.loaded_files(session, "flights")] == [B]
    assert ledger.of_days(session, "flights", [MONDAY])[0].reason == "forgotten"


def test_a_page_of_keys_begins_behind_its_first_and_ends_with_its_last(session: Session) -> None:
    ledger.record(session, [loaded(A), loaded(B, day=TUESDAY), rejected("x", day=None)])

    assert [verdict.key for verdict in ledger.between(session, A, B)] == [B]
    assert {verdict.key for verdict in ledger.between(session, "", "\U0010ffff")} == {A, B, "x"}
    assert len(ledger.judged(session)) == 3


def test_days_are_judged_whatever_the_verdict_and_superseded_ones_are_not(session: Session) -> None:
    ledger.record(session, [loaded(A), rejected(B, day=TUESDAY)])
    days = date(2013, 1, 7), date(2013, 1, 8)
    assert ledger.judged_days(session, *days) == {"flights": set(days)}

    ledger.supersede(session, A, "forgotten")
    assert ledger.judged_days(session, *days) == {"flights": {days[1]}}


def test_the_newest_verdict_on_a_file_is_the_one_on_what_landed_last(session: Session) -> None:
    later = replace(rejected(A, "e2"), landed_at=AT + timedelta(minutes=1))
    clean = replace(loaded(B, day=TUESDAY), rows_loaded=10, rows_rejected=0)
    ledger.record(session, [loaded(A), clean])
    ledger.record(session, [later])

    newest = ledger.newest_verdicts(session, "flights")
    assert [(verdict.day, verdict.etag, verdict.state) for verdict in newest] == [
        (TUESDAY, "e1", "loaded"),
        (MONDAY, "e2", "rejected"),
    ]
    assert ledger.newest_verdicts(session, "flights", MONDAY) == newest[1:]
    assert ledger.newest_verdicts(session, "flights", with_rejects=True) == newest[1:]
    assert ledger.newest_verdicts(session, "flights", TUESDAY, with_rejects=True) == []


def test_rows_are_added_up_by_day_and_by_state(session: Session) -> None:
    ledger.record(session, [loaded(A), loaded("a2", rows=5), rejected(B, day=TUESDAY)])

    assert ledger.rows_of_loaded_days(session, "flights", date(2013, 1, 1), date(2013, 1, 31)) == {
        date(2013, 1, 7): ledger.RowTotals(15, 13, 2)
    }
    of_loaded, of_rejected = ledger.balance(session)
    assert of_loaded == ledger.Balance("flights", "loaded", 2, 15, 13, 2)
    assert (of_loaded.unaccounted, of_rejected.files, of_rejected.rows_read) == (0, 1, 0)


def test_of_no_keys_and_no_days_nothing_is_asked(session: Session) -> None:
    explaining: Any = Explaining(session)
    answers = (
        ledger.known_versions(explaining, "flights", []),
        ledger.states_of(explaining, "flights", []),
        ledger.of_days(explaining, "flights", []),
        ledger.loaded_files(explaining, "flights", []),
        ledger.loaded_with_source(explaining, []),
        ledger.mark_source_deleted(explaining, [], "gone"),
        ledger.record(explaining, []),
    )

    assert not any(answers)
    assert explaining.plans == []
