"""A job over landed files: the culprit is refused, its neighbours are made, whatever the day looks like."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from airline_platform.contract.feed import Feed
from airline_platform.errors import GlueJobFailed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from airline_platform.settings import Settings
from assets.ingest import landed_job
from assets.ingest.handover import RowCount
from assets.ingest.landed_job import JudgedFile, LandedJob, run_job
from assets.ingest.refusals import Refusal
from assets.ingest.step import Step
from resources.acceptance.landed import LandedObject
from resources.glue import PARTITIONS, WORK

LAKE, LANDING = "airline-lake", "airline-landing"


@dataclass
class MemoryLake:
    """A lake that keeps objects in memory."""

    bucket: str = LAKE
    objects: dict[str, bytes] = field(default_factory=dict)

    def uri(self, path: str) -> str:
        return f"s3://{self.bucket}/{path}"

    def path(self, uri: str) -> str:
        return uri.removeprefix(self.uri(""))

    def list_files(self, prefixes: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        return {
            prefix: [{"url": uri} for uri in self.objects if uri.startswith(self.uri(prefix))]
            for prefix in prefixes
        }

    def put_run_manifest(self, run_id: str, name: str, files: Sequence[Mapping[str, Any]]) -> str:
        uri = self.uri(f"_tmp/{run_id}/{name}.manifest")
        self.objects[uri] = json.dumps({"entries": files}).encode()
        return uri


@dataclass
class FailingGlue:
    """Runs the job by rule: it fails over poison, and notes what it was given.

    Args:
        lake: Holds the manifests.
        poison: Parts of the URLs over which it fails.
        together: Whether it fails over any day of more than one file.
        broken: Whether it fails over nothing, too.
    """

    lake: MemoryLake
    poison: tuple[str, ...] = ()
    together: bool = False
    broken: bool = False
    runs: list[tuple[str, list[str]]] = field(default_factory=list)
    given: list[Mapping[str, str]] = field(default_factory=list)

    def run_job(
        self, _: Any, __: str, arguments: Mapping[str, str], before_start: Callable[[], None]
    ) -> tuple[dict[str, str], list[Any]]:
        before_start()
        urls = [entry["url"] for entry in json.loads(self.lake.objects[arguments["manifest"]])["entries"]]
        self.runs.append((arguments["output"], urls))
        self.given.append(arguments)
        ill = [url for url in urls if any(part in url for part in self.poison)]
        if ill or self.broken or (self.together and len(urls) > 1):
            raise GlueJobFailed("no", remedy="", state="FAILED", words=f"ValueError: poison in {ill}")
        told = [{"url": url, "read": 2, "loaded": 1, "rejected": 1, "repeated": 0} for url in urls]
        return {"Id": f"jr_{len(self.runs)}"}, [{"files": told}]


def landed(day: int, name: str = "a") -> LandedObject:
    key = FLIGHTS.key(f"{name}.csv", datetime(2013, 1, day, tzinfo=UTC).date())
    return LandedObject(LANDING, key, f"2013-01-{day:02}", f"etag {key}", 9, datetime(2013, 2, 1, tzinfo=UTC))


def step(glue: FailingGlue, feed: Feed = FLIGHTS) -> Step:
    has = SimpleNamespace(lake=glue.lake, glue=glue)
    return Step(cast("Any", SimpleNamespace(run=SimpleNamespace(run_id="run"), resources=has)), feed)


def job(glue: FailingGlue, feed: Feed = FLIGHTS) -> LandedJob:
    return LandedJob(step(glue, feed), cast("Any", glue.lake), "enriched/", {})


def names(found: Sequence[JudgedFile | Refusal]) -> list[str]:
    return sorted(it.file.key.partition("date=")[2] for it in found)


@pytest.fixture(autouse=True)
def settings(no_stack: Settings) -> Settings:
    return no_stack


def test_a_days_only_file_is_refused_with_the_jobs_words_and_the_other_days_are_made() -> None:
    glue = FailingGlue(MemoryLake(), ("2013-01-03",))

    made, refused = job(glue).make([landed(day) for day in range(1, 9)])

    assert names(made) == [f"2013-01-0{day}/a.csv" for day in (1, 2, 4, 5, 6, 7, 8)]
    assert names(refused) == ["2013-01-03/a.csv"]
    assert "airline-flights fails over it: ValueError: poison" in str(refused[0])
    assert all(it.rows == RowCount(2, 1, 1) for it in made)
    assert len(glue.runs) <= 1 + 2 * 3


def test_a_days_good_files_are_tried_apart_in_scratch_and_then_made_together() -> None:
    glue = FailingGlue(MemoryLake(), ("ill",))
    day = [landed(2, "a"), landed(2, "ill"), landed(2, "z")]

    made, refused = job(glue).make([landed(1), *day])

    assert names(made) == ["2013-01-01/a.csv", "2013-01-02/a.csv", "2013-01-02/z.csv"]
    assert names(refused) == ["2013-01-02/ill.csv"]
    into = {output.removeprefix(f"s3://{LAKE}/") for output, _ in glue.runs}
    probes = {output for output in into if output.startswith("_tmp/run/probe/")}
    assert into - probes == {"enriched/"}
    assert glue.runs[-1] == (f"s3://{LAKE}/enriched/", [day[0].url, day[2].url])


def test_where_a_day_is_refused_as_a_whole_its_good_files_are_not_made() -> None:
    feed = replace(FLIGHTS, on_refused="refuse_day")
    glue = FailingGlue(MemoryLake(), ("ill",))

    made, refused = job(glue, feed).make([landed(1), landed(2, "good"), landed(2, "ill")])

    assert (names(refused), names(made)) == (
        ["2013-01-02/ill.csv"],
        ["2013-01-01/a.csv", "2013-01-02/good.csv"],
    )
    (unmade,) = [it for it in made if it.file.day == "2013-01-02"]
    assert (unmade.rows, unmade.glue_job_run_id) == (RowCount(0, 0, 0), "")
    assert (f"s3://{LAKE}/enriched/", [landed(2, "good").url]) not in glue.runs


def test_files_that_only_fail_together_are_refused_together() -> None:
    glue = FailingGlue(MemoryLake(), together=True)

    made, refused = job(glue).make([landed(1), landed(2, "a"), landed(2, "b")])

    assert names(made) == ["2013-01-01/a.csv"]
    assert names(refused) == ["2013-01-02/a.csv", "2013-01-02/b.csv"]


def test_a_file_that_comes_alone_is_refused_only_when_the_job_runs_over_nothing() -> None:
    glue = FailingGlue(MemoryLake(), ("ill",))

    made, refused = job(glue).make([landed(1, "ill")])

    assert (made, names(refused)) == ([], ["2013-01-01/ill.csv"])
    assert [urls for _, urls in glue.runs] == [[landed(1, "ill").url], []]
    assert glue.runs[1][0].startswith(f"s3://{LAKE}/_tmp/run/probe/")


def test_where_the_job_fails_over_nothing_no_file_is_refused() -> None:
    glue = FailingGlue(MemoryLake(), broken=True)

    with pytest.raises(GlueJobFailed):
        job(glue).make([landed(day) for day in range(1, 32)])
    assert len(glue.runs) <= 7


def test_what_is_typed_and_names_people_is_tried_below_its_own_prefix() -> None:
    glue = FailingGlue(MemoryLake(), ("ill",))
    typed = replace(job(glue), into=cast("Any", MemoryLake(LANDING)), output="shipments/shipments_parquet/")

    typed.make([landed(1, "a"), landed(1, "ill")])

    assert {output.startswith(f"s3://{LANDING}/shipments/shipments_parquet/") for output, _ in glue.runs} == {
        True
    }


def test_a_job_is_told_what_it_writes_and_where_besides_what_its_feed_asks_for() -> None:
    glue = FailingGlue(MemoryLake())
    more = replace(job(glue), arguments={"airports": "none"}, evolved=("gate", "tail_number"))

    more.make([landed(2), landed(1)])

    (given,) = glue.given
    assert {name: value for name, value in given.items() if name not in ("manifest", WORK)} == {
        "output": f"s3://{LAKE}/enriched/",
        "rejects": f"s3://{LAKE}/rejects/flights/",
        "max_rejected_share": "0.05",
        "evolved": "gate,tail_number",
        "airports": "none",
        PARTITIONS: "date=2013-01-01,date=2013-01-02",
    }


def test_a_probe_writes_its_rejects_where_nobody_reads() -> None:
    glue = FailingGlue(MemoryLake(), ("ill",))

    job(glue).make([landed(1, "a"), landed(1, "ill")])

    rejects = {given["rejects"] for given in glue.given if "/probe/" in given["output"]}
    assert rejects == {f"s3://{LAKE}/_tmp/run/rejects/"}


def test_files_without_a_day_are_one_day_called_all() -> None:
    glue = FailingGlue(MemoryLake(), ("ill",))
    files = [
        LandedObject(LANDING, f"airport_codes/{name}.csv", None, name, 9, datetime(2013, 2, 1, tzinfo=UTC))
        for name in ("a", "ill")
    ]

    made, refused = job(glue, AIRPORTS).make(files)

    assert [it.file.key for it in made] == ["airport_codes/a.csv"]
    assert [it.file.key for it in refused] == ["airport_codes/ill.csv"]
    written = {given[PARTITIONS] for given in glue.given if given["output"].endswith("enriched/")}
    assert written == {"date=all"}
    manifest = json.loads(glue.lake.objects[glue.given[-1]["manifest"]])
    assert [entry["partition"] for entry in manifest["entries"]] == ["all"]


class SilentGlue(FailingGlue):
    """Runs jobs that report nothing."""

    def run_job(self, *_: Any) -> tuple[dict[str, str], list[Any]]:
        return {"Id": "jr_1"}, []


def test_a_job_that_leaves_a_file_out_of_its_report_has_failed() -> None:
    with pytest.raises(GlueJobFailed, match=r"reported nothing of .*'s3://x'"):
        run_job(step(SilentGlue(MemoryLake())), "flights", {"output": "s3://y/"}, [], ["s3://x"])


# --- which work a run does


def digest_of(files: Sequence[LandedObject], run_id: str = "run", **more: Any) -> str:
    glue = FailingGlue(MemoryLake())
    its = replace(job(glue), **more)
    its.step.context.run.run_id = run_id
    its.make(files)
    return glue.given[0][WORK]


def test_a_retry_has_the_digest_of_the_run_before_it_whatever_their_own_folders_are_called() -> None:
    files = [landed(1), landed(2)]

    assert digest_of(files) == digest_of(files[::-1])
    assert digest_of(files, "first", output="runs/first/") == digest_of(
        files, "second", output="runs/second/"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"files": [landed(1), landed(2, "b")]},
        {"files": [landed(1)]},
        {"files": [landed(1), replace(landed(2), rows=3)]},
        {"files": [landed(1), replace(landed(2), landed_at=datetime(2013, 2, 2, tzinfo=UTC))]},
        {"arguments": {"airports": "none"}},
        {"evolved": ("gate",)},
        {"output": "elsewhere/"},
    ],
)
def test_other_files_or_other_arguments_are_other_work(change: dict[str, Any]) -> None:
    files = [landed(1), landed(2)]

    assert digest_of(**{"files": files, **change}) != digest_of(files)


def test_another_program_or_declaration_is_other_work(monkeypatch: pytest.MonkeyPatch) -> None:
    before = digest_of([landed(1)])
    monkeypatch.setattr(landed_job, "job_version", lambda _feed: "another")

    assert digest_of([landed(1)]) != before


def test_a_job_over_nothing_has_no_digest_because_it_asks_whether_the_job_works_now() -> None:
    glue = FailingGlue(MemoryLake(), ("ill",))

    job(glue).make([landed(1, "ill")])

    over_file, over_nothing = glue.given
    assert WORK in over_file
    assert WORK not in over_nothing
    assert over_nothing[PARTITIONS] == "none"


class AdoptingGlue(FailingGlue):
    """Has a run that an earlier Dagster run had started, and that wrote into that one's folder."""

    def run_job(
        self, _: Any, name: str, arguments: Mapping[str, str], before_start: Callable[[], None]
    ) -> tuple[dict[str, Any], list[Any]]:
        run, messages = super().run_job(_, name, arguments, before_start)
        return {**run, "Arguments": {"--output": "s3://airline-landing/typed/runs/dead/"}}, messages


def test_what_an_adopted_run_wrote_is_where_that_one_wrote_it() -> None:
    made, _ = job(AdoptingGlue(MemoryLake())).make([landed(1)])

    assert [it.output for it in made] == ["s3://airline-landing/typed/runs/dead/"]


# --- another run has the same days


class WritingGlue(FailingGlue):
    """Writes Parquet into the folders of days, in place of what a run before it wrote there."""

    def run_job(
        self, _: Any, name: str, arguments: Mapping[str, str], before_start: Callable[[], None]
    ) -> tuple[dict[str, str], list[Any]]:
        run, messages = super().run_job(_, name, arguments, before_start)
        for folder in arguments[PARTITIONS].split(","):
            self.write(f"{arguments['output']}{folder}/", run["Id"])
        return run, messages

    def write(self, folder: str, name: str) -> None:
        self.lake.objects = {uri: it for uri, it in self.lake.objects.items() if not uri.startswith(folder)}
        self.lake.objects[f"{folder}{name}.parquet"] = b""


def test_the_parquet_of_a_day_is_what_its_job_run_wrote_whoever_replaces_it_before_the_last_one() -> None:
    first = f"s3://{LAKE}/enriched/date=2013-01-01/"

    class Replacing(WritingGlue):
        def run_job(self, _: Any, name: str, arguments: Mapping[str, str], before_start: Any) -> Any:
            if "date=2013-01-02" in arguments[PARTITIONS] and "date=2013-01-01" not in arguments[PARTITIONS]:
                self.write(first, "of_another_run")
            return super().run_job(_, name, arguments, before_start)

    glue = Replacing(MemoryLake(), ("ill",))

    made, _ = job(glue).make([landed(1), landed(2, "ill")])

    (good,) = made
    assert [file["url"] for file in good.files] == [f"{first}{good.glue_job_run_id}.parquet"]
    assert list(glue.lake.list_files(["enriched/date=2013-01-01/"]).values()) == [
        [{"url": f"{first}of_another_run.parquet"}]
    ]


def test_only_jobs_that_replace_days_ask_whether_their_listing_is_the_newest() -> None:
    asked: list[str] = []
    glue = FailingGlue(MemoryLake(), ("ill",))
    its = replace(job(glue), before_start=lambda: asked.append("x"))

    its.make([landed(2, "a"), landed(2, "ill"), landed(2, "z")])

    assert len(asked) == sum(output == f"s3://{LAKE}/enriched/" and bool(urls) for output, urls in glue.runs)
    assert len(asked) < len(glue.runs)
