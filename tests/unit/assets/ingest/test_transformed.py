"""Of what a job has made, files are refused for what is in them, and their days where the feed says so."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.bookings import BOOKINGS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import Settings
from assets.ingest import drift
from assets.ingest.handover import RowCount
from assets.ingest.landed_job import JudgedFile, LandedJob
from assets.ingest.refusals import Refusal
from assets.ingest.step import Step
from assets.ingest.transformed import job_of, make_newest, refused_by_job, with_their_days
from resources.acceptance.landed import LandedObject

WHOLE_DAYS = replace(FLIGHTS, on_refused="refuse_day")


def landed(day: int, name: str) -> LandedObject:
    key = f"daily_flights/date=2013-01-0{day}/{name}.csv"
    return LandedObject("landing", key, f"2013-01-0{day}", "e", 9, datetime(2013, 2, 1, tzinfo=UTC))


def judged(day: int, name: str, refused: str = "") -> JudgedFile:
    return JudgedFile(landed(day, name), RowCount(3, 2, 1), "jr_1", refused)


def told(refusals: Sequence[Refusal]) -> list[tuple[str, str | None, int | None, str | None]]:
    return [
        (it.file.key.partition("date=")[2], it.file.refused, it.rows, it.glue_job_run_id) for it in refusals
    ]


def test_the_other_files_of_a_day_are_refused_with_the_one_where_the_feed_says_so() -> None:
    files = [judged(1, "good"), judged(1, "ill"), judged(2, "good")]
    ill = Refusal.because(landed(1, "ill"), "no", 3, "jr_1")

    assert with_their_days(FLIGHTS, files, [ill]) == [ill]
    because = (
        "the day is refused as a whole because of daily_flights/date=2013-01-01/ill.csv. Mend that file, and "
        "land it again"
    )
    assert told(with_their_days(WHOLE_DAYS, files, [ill])) == [
        ("2013-01-01/ill.csv", "no", 3, "jr_1"),
        ("2013-01-01/good.csv", because, 3, "jr_1"),
    ]
    assert with_their_days(WHOLE_DAYS, files, []) == []


def test_of_several_refused_files_the_first_is_the_one_to_mend_and_an_unmade_one_names_no_run() -> None:
    unmade = JudgedFile(landed(1, "good"), RowCount(0, 0, 0), "", "")
    ill = [Refusal.because(landed(1, name), "no") for name in ("ill", "worse")]

    (*_, last) = told(with_their_days(WHOLE_DAYS, [unmade], ill))

    assert "because of daily_flights/date=2013-01-01/ill.csv" in (last[1] or "")
    assert last[2:] == (0, None)


class Rejects:
    """A lake whose rejects are these, and that knows which dimensions there are."""

    bucket = "lake"

    def __init__(self, *rows: dict[str, Any], known: Sequence[str] = ()) -> None:
        self.rows, self.known = rows, known

    def uri(self, path: str) -> str:
        return f"s3://lake/{path}"

    def first_rows(self, _: list[str], most: int, *, where: Any) -> list[dict[str, Any]]:
        return [row for row in self.rows if where(row)][:most]

    def get_manifests(self, asset: str, days: Sequence[str]) -> dict[str, Any]:
        return {day: {"snapshot": "x"} for day in days if asset in self.known}

    def with_bucket(self, bucket: str) -> Any:
        return SimpleNamespace(bucket=bucket)


def step(lake: Rejects, feed: Feed = FLIGHTS) -> Step:
    has = SimpleNamespace(lake=lake, landing=SimpleNamespace(bucket="landing"), warehouse=None)
    return Step(cast("Any", SimpleNamespace(resources=has, run=SimpleNamespace(run_id="run"))), feed)


def test_a_file_the_job_refuses_is_told_with_its_first_rows_that_are_to_be_mended() -> None:
    ill = judged(1, "ill", refused="expected fewer rejects")
    reject = {"source_file": ill.file.url, "line_number": 2, "reject_reason": "no"}

    with_rows = refused_by_job(step(Rejects(reject)), [judged(1, "good"), ill])
    without = refused_by_job(step(Rejects()), [judged(1, "good"), ill])

    assert told(with_rows) == [
        (
            "2013-01-01/ill.csv",
            f"expected fewer rejects; {ill.file.url}, line 2: no; mend them and land the file again",
            3,
            "jr_1",
        )
    ]
    assert told(without) == [("2013-01-01/ill.csv", "expected fewer rejects", 3, "jr_1")]


@pytest.mark.parametrize(
    ("feed", "known", "arguments"),
    [
        (FLIGHTS, [], {"airports": "none"}),
        (FLIGHTS, ["dim_airport_codes"], {"airports": "s3://lake/dim_airport_codes/"}),
        (BOOKINGS, [], {"airports": "none", "customer_key": "airline/customer-key"}),
        (AIRPORTS, [], {}),
    ],
)
def test_a_job_is_given_what_its_feed_looks_up_and_hashes(
    no_stack: Settings, feed: Feed, known: list[str], arguments: dict[str, str]
) -> None:
    job = job_of(step(Rejects(known=known), feed))

    expected = arguments | (
        {"customer_key": no_stack.customer_key_secret} if "customer_key" in arguments else {}
    )
    assert job.arguments == expected
    assert (job.into.bucket, job.output) == ("lake", f"{feed.name}_enriched/")


def test_a_job_of_people_writes_below_their_own_prefix_in_the_landing_bucket() -> None:
    job = job_of(step(Rejects(), SHIPMENTS))

    assert (job.into.bucket, job.output, job.arguments) == (
        "landing",
        "shipments/shipments_parquet/runs/run/",
        {},
    )


def test_a_job_of_a_feed_that_evolves_writes_the_columns_that_came_and_the_catalog_knows_them(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert no_stack.stage == "local"
    declared: list[list[str]] = []
    glue = SimpleNamespace(declare=lambda table: declared.append([column.name for column in table.columns]))
    monkeypatch.setattr(drift, "evolved", lambda *_: ("gate",))
    made = step(Rejects(), replace(FLIGHTS, drift="evolve"))
    made.context.resources.glue = glue

    assert job_of(made).evolved == ("gate",)
    assert [names[-1] for names in declared] == ["gate"]


def test_files_without_a_day_have_their_rejects_under_all() -> None:
    asked: list[list[str]] = []

    class Asking(Rejects):
        def first_rows(self, prefixes: list[str], most: int, *, where: Any) -> list[dict[str, Any]]:
            asked.append(prefixes)
            return super().first_rows(prefixes, most, where=where)

    ill = JudgedFile(replace(landed(1, "x"), day=None), RowCount(1, 0, 1), "jr_1", "no")

    refused_by_job(step(Asking(), AIRPORTS), [ill])

    assert asked == [[f"rejects/airports/date={WHOLE}/"]]


class Listings(Rejects):
    """A lake with what the runs have listed, each time it is asked; the last one stays."""

    def __init__(self, *listings: list[LandedObject]) -> None:
        super().__init__()
        self.listings = list(listings)

    def get_manifests(self, asset: str, days: Sequence[str]) -> dict[str, Any]:
        if asset != FLIGHTS.raw_asset:
            return {}
        files = self.listings.pop(0) if len(self.listings) > 1 else self.listings[0]
        return {day: [file.as_json() for file in files if file.day == day] for day in days}


def test_a_job_that_waited_while_another_run_listed_its_day_takes_that_ones_listing(
    monkeypatch: pytest.MonkeyPatch,
    no_stack: Settings,  # noqa: ARG001
) -> None:
    one, two = landed(1, "f1"), landed(1, "f2")
    started: list[list[LandedObject]] = []

    def make(job: LandedJob, files: list[LandedObject]) -> tuple[list[JudgedFile], list[Refusal]]:
        job.before_start()
        started.append(files)
        return [JudgedFile(file, RowCount(1, 1, 0), "jr_1", "") for file in files], []

    monkeypatch.setattr(LandedJob, "make", make)
    monkeypatch.setattr(drift, "evolved", lambda *_: ("gate",))
    waiting = step(Listings([one], [one, two]))
    waiting.context.resources.glue = SimpleNamespace(declare=lambda _: None)
    waiting.context.partition_keys = ["2013-01-01"]  # type: ignore[misc]

    its, judged, refusals, _ = make_newest(waiting, LandedJob(waiting, waiting.lake, "enriched/", {}))

    assert started == [[one, two]]
    assert its.evolved == ("gate",)  # which the newer listing has brought
    assert ([it.file for it in judged], refusals) == ([one, two], [])
