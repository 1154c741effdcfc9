"""Landing against ledger: what is asked for, what is left alone, and how often."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from dagster import DagsterInstance, ResourceDefinition, SkipReason, build_sensor_context
from hypothesis import given
from hypothesis import strategies as st

from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.files.keys import UNKNOWN, parse_key
from airline_platform.settings import get_settings
from resources.acceptance.landed import Version
from resources.landing import Landing, Page, page_of, spans
from resources.queue import LandingEvents
from resources.topic import Notifier
from resources.warehouse import outbox
from resources.warehouse.ledger import State, Verdict
from resources.warehouse.resource import Warehouse
from sensors.reconciliation import (
    FIRST_ROUND_PAGES,
    Difference,
    attempt,
    between,
    compare,
    reconciliation_sensor,
)
from sensors.under_way import RunUnderWay

NOW = datetime(2013, 6, 1, 12, tzinfo=UTC)
GRACE = timedelta(seconds=30)
KEY = "daily_flights/date=2013-01-01/flights.csv"


def version(key: str = KEY, etag: str = "e1", age: timedelta = timedelta(hours=1)) -> Version:
    return Version(key, "2013-01-01", etag, None, 1, NOW - age, current=True)


def verdict(key: str = KEY, etag: str = "e1", state: State = "loaded", reason: str | None = None) -> Verdict:
    return Verdict(
        feed="flights",
        day="2013-01-01",
        key=key,
        etag=etag,
        state=state,
        reason=reason,
        landed_at=NOW,
        loaded_at=NOW,
    )


def compared(
    objects: Sequence[Version], verdicts: Sequence[Verdict], *, busy: str = "2013-02-02"
) -> Difference:
    page = Page(tuple(objects), "", None, NOW)
    run = RunUnderWay(frozenset({"flights"}), busy, busy, NOW)
    return compare(page, verdicts, grace=GRACE, under_way=[run])


def test_what_has_a_verdict_is_left_alone() -> None:
    refused = verdict("x", "e2", "rejected", "line 1: no")

    assert compared([version(), version("x", "e2")], [verdict(), refused]) == Difference((), ())


def test_a_file_the_ledger_does_not_know_is_missing() -> None:
    assert compared([version()], []).missing == (version(),)


@pytest.mark.parametrize(("key", "asked"), [(KEY, True), ("nobodys/flights.csv", False)])
def test_a_key_that_a_feed_claims_since_it_was_told_of_as_nobodys_is_asked_for(key: str, asked: bool) -> None:
    told = replace(verdict(key, state="rejected", reason="no feed lands here"), feed=UNKNOWN, day=None)

    assert compared([version(key)], [told]).missing == ((version(key),) if asked else ())


def test_another_version_than_the_ledgers_is_missing() -> None:
    found = compared([version(etag="new")], [verdict()])

    assert found == Difference((version(etag="new"),), ())


def test_a_young_file_is_given_time_by_the_clock_of_s3() -> None:
    young = version(age=GRACE - timedelta(seconds=1))

    assert compared([young], []).missing == ()


def test_a_file_on_its_way_is_left_alone() -> None:
    assert compared([version()], [], busy="2013-01-01").missing == ()


def test_a_loaded_file_that_is_not_listed_is_gone() -> None:
    assert compared([], [verdict()]) == Difference((), (KEY,))


@pytest.mark.parametrize("known", [verdict(state="rejected"), verdict(reason="the source is gone")])
def test_a_refused_file_that_is_gone_and_one_told_of_are_no_news(known: Verdict) -> None:
    assert compared([], [known]) == Difference((), ())


def test_a_source_that_is_back_is_asked_for() -> None:
    assert compared([version()], [verdict(reason="the source is gone")]).missing == (version(),)


OWN = "shipments/shipments_parquet/date=2013-01-01/part-{}.parquet"
LANDED = "shipments/date=2013-01-0{}/a.json"

parse = partial(parse_key, first_day=date(2013, 1, 1), last_day=date(2013, 12, 31))


def listing(keys: Sequence[str], *, more: bool) -> dict[str, Any]:
    """What S3 answers to ListObjectsV2."""
    contents = [{"Key": key, "ETag": '"e1"', "Size": 1, "LastModified": NOW} for key in keys]
    headers = {"date": format_datetime(NOW, usegmt=True)}
    answer = {"IsTruncated": more, "ResponseMetadata": {"HTTPHeaders": headers}}
    return answer | {"Contents": contents} if contents else answer


def test_a_listing_is_without_markers_and_what_the_platform_wrote_and_goes_on_behind_it() -> None:
    markers = ["shipments/_SUCCESS", "shipments/date=2013-01-01/", "shipments/date=2013-01-01_$folder$"]
    keys = [*markers, LANDED.format(1), "shipments/_x.json", OWN.format(0), OWN.format(1)]

    page = page_of(listing(keys, more=True), "shipments/", parse)

    assert [version.key for version in page.objects] == [LANDED.format(1), "shipments/_x.json"]
    assert (page.first, page.last, page.now) == ("shipments/", OWN.format(1), NOW)
    assert page_of(listing([], more=False), "z", parse).last is None


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_days_are_listed_to_the_end_and_not_a_page_further(size: int) -> None:
    keys = [*(LANDED.format(day) for day in range(1, 6)), *(OWN.format(n) for n in range(20))]
    asked = []

    def page(prefix: str, after: str) -> Page:
        asked.append(after)
        left = [key for key in keys if key > after and key.startswith(prefix)]
        return page_of(listing(left[:size], more=len(left) > size), after, parse)

    first, last = spans(SHIPMENTS, ["2013-01-02", "2013-01-04"])[1]
    pages = list(between(page, first, last))

    assert [it.key for found in pages for it in found.objects] == [LANDED.format(day) for day in (2, 3, 4)]
    assert (pages[0].first, pages[-1].last) == (first, last)
    assert [found.last for found in pages[:-1]] == [found.first for found in pages[1:]]
    assert len(asked) == 3 // size + 1


@given(st.floats(30, 40 * 86_400), st.floats(0, 40 * 86_400))
def test_a_version_is_asked_for_ever_more_rarely_but_at_least_daily(age: float, later: float) -> None:
    landed = version(age=timedelta(seconds=age))
    then = NOW + timedelta(seconds=later)
    first, second = attempt(landed, NOW, GRACE), attempt(landed, then, GRACE)

    if then.date() > NOW.date() or age + later >= 2 * age + 1:
        assert first != second
    if first != second:
        assert then.date() > NOW.date() or age + later > age


def test_a_failing_file_is_asked_for_a_dozen_times_on_its_first_day() -> None:
    start = datetime(2013, 6, 1, tzinfo=UTC)
    landed = Version(KEY, "2013-01-01", "e", None, 1, start, current=True)
    asked = {attempt(landed, start + timedelta(seconds=30 * tick), GRACE) for tick in range(1, 2880)}

    assert len(asked) == 12


class Pages(Landing):
    """A bucket of so many pages without an object of a feed."""

    def page(self, prefix: str, after: str) -> Page:
        return Page((), after, None if prefix else f"{after}x", NOW)


class Outbox(Warehouse):
    """A warehouse whose ledger is empty, and in whose outbox an alert waits."""

    def query(self, sql: str, parameters: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:  # noqa: ARG002
        alert = {
            "alert_id": "1",
            "event": "gone",
            "feed": "flights",
            "run_id": "",
            "subject": "s",
            "message": "m",
        }
        return [alert] if sql == outbox.UNSENT else []


class Unasked(LandingEvents):
    """A queue into which no event is put."""

    def send(self, events: Sequence[Mapping[str, object]]) -> None:
        assert not events


class Away(Notifier):
    """SNS, as it is for an hour."""

    def send(self, subject: str, message: str, attributes: Mapping[str, str]) -> str:  # noqa: ARG002
        raise ClientError({"Error": {"Code": "InternalError", "Message": "away"}}, "Publish")


@pytest.mark.usefixtures("no_stack")
def test_the_sweep_goes_on_while_sns_is_away() -> None:
    resources = {
        "landing": Pages.of(get_settings()),
        "landing_events": Unasked.of(get_settings()),
        "warehouse": Outbox.of(get_settings()),
        "notifier": Away.of(get_settings()),
    }
    hardcoded = {name: ResourceDefinition.hardcoded_resource(it) for name, it in resources.items()}
    with (
        DagsterInstance.ephemeral() as instance,
        build_sensor_context(instance=instance, resources=hardcoded) as context,
    ):
        assert isinstance(reconciliation_sensor(context), SkipReason)

    assert json.loads(context.cursor or "{}") == {"after": "x" * FIRST_ROUND_PAGES, "rounds": 0}
