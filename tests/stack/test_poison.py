"""Files over which a job fails for reasons nobody's rules know: each is found, refused and told once."""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from airline_platform.feeds.flights import FLIGHTS

POISON = """
from pyspark.sql import functions as F

from glue_jobs import program

_without_poison = program.transform_of


def transform_of(feed, dimensions, secret=""):
    transform = _without_poison(feed, dimensions, secret)
    if feed.name != "flights":
        return transform
    poison = F.raise_error(F.lit("the carrier ZZZ is poison"))
    safe = F.when(F.col("Carrier") == "ZZZ", poison).otherwise(F.col("Carrier"))
    return lambda flights: transform(flights.withColumn("Carrier", safe))


program.transform_of = transform_of


"""
"""The deployed script raises for a value that every rule lets through."""

MAIN = 'if __name__ == "__main__":'
FIRST = date(2013, 7, 1)
DAYS = [FIRST + timedelta(number) for number in range(16)]
"""More than a search takes jobs, and not many."""

ILL = DAYS[9]
MOST_JOBS = 2 * 4 + 3
"""All at once, two for each of four halvings, and at the most two to see that the platform itself works."""

SHARED = date(2013, 9, 2)
LONE = date(2013, 10, 7)

pytestmark = [pytest.mark.usefixtures("airports", "poisoned"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def poisoned(stack: Any) -> Iterator[None]:
    """The script of the feeds' job, changed in the lake alone."""
    s3 = stack.client("s3")
    script = {"Bucket": stack.settings.lake_bucket, "Key": "glue_jobs/feed_job.py"}
    good = s3.get_object(**script)["Body"].read()
    s3.put_object(**script, Body=good.decode().replace(MAIN, POISON + MAIN).encode())
    yield
    s3.put_object(**script, Body=good)


@pytest.fixture
def report(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Shows a line, also where the test passes."""

    def show(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return show


def file(carrier: str = "B6", rows: int = 3) -> str:
    return "\n".join([FLIGHTS.header, *[f"{carrier},12478,12892,4,5"] * rows, ""])


def job_runs(stack: Any) -> int:
    """Runs of the flights' job so far; the laptop's Glue remembers the last 200."""
    pages = stack.client("glue").get_paginator("get_job_runs")
    name = stack.settings.job_name(FLIGHTS.name)
    return sum(len(page["JobRuns"]) for page in pages.paginate(JobName=name))


def rows_by_day(stack: Any, days: Sequence[date]) -> dict[str, int]:
    found = stack.query(
        "SELECT flight_date AS day, COUNT(*) AS n FROM airlines.daily_flights_processed "
        f"WHERE flight_date BETWEEN '{days[0]}' AND '{days[-1]}' GROUP BY flight_date"
    )
    return {str(row["day"]): row["n"] for row in found}


def verdicts(stack: Any, day: date) -> dict[str, tuple[str, str | None]]:
    rows = stack.query(
        "SELECT key, state, reason FROM airlines.ingested_files "
        f"WHERE feed = 'flights' AND state <> 'superseded' AND partition_date = '{day}'"
    )
    return {row["key"].rpartition("/")[2]: (row["state"], row["reason"]) for row in rows}


def told(stack: Any, key: str) -> list[str]:
    """The events of the alerts that name a file."""
    every = [alert for event in ("refused", "failed") for alert in stack.alerts(event)]
    return [alert["event"] for alert in every if key in alert["message"]]


def test_fifteen_days_are_loaded_beside_one_that_no_job_survives(
    stack: Any, report: Callable[[str], None]
) -> None:
    before, began = job_runs(stack), time.monotonic()
    with stack.nobody_listening():
        for day in DAYS:
            stack.put(FLIGHTS.key("flights.csv", day), file("ZZZ" if day == ILL else "B6"))
    stack.wait()
    took, jobs = time.monotonic() - began, job_runs(stack) - before
    stack.wait_until_idle()
    report(f"{len(DAYS)} days, one of them poison: {jobs} job runs, {took:.0f} s until all had verdicts")

    assert rows_by_day(stack, DAYS) == {str(day): 3 for day in DAYS if day != ILL}
    state, reason = verdicts(stack, ILL)["flights.csv"]
    assert state == "rejected"
    assert "fails over it: " in (reason or "")
    assert "the carrier ZZZ is poison" in (reason or "")
    assert jobs <= MOST_JOBS < len(DAYS)
    assert told(stack, FLIGHTS.key("flights.csv", ILL)) == ["refused"]


def test_asking_again_for_its_day_and_others_tells_nobody_again(stack: Any) -> None:
    stack.run("status", "--reconcile")
    stack.run("backfill", "flights", "--from", str(DAYS[8]), "--to", str(DAYS[11]), "--wait", check=False)
    stack.wait_until_idle()

    assert rows_by_day(stack, DAYS) == {str(day): 3 for day in DAYS if day != ILL}
    assert told(stack, FLIGHTS.key("flights.csv", ILL)) == ["refused"]


def test_the_good_file_of_a_day_is_loaded_beside_a_poisonous_one(
    stack: Any, report: Callable[[str], None]
) -> None:
    days = [SHARED + timedelta(number) for number in range(2)]
    before = job_runs(stack)
    with stack.nobody_listening():
        for day in days:
            stack.put(FLIGHTS.key("good.csv", day), file())
        stack.put(FLIGHTS.key("ill.csv", days[1]), file("ZZZ"))
    stack.wait()
    jobs = job_runs(stack) - before
    stack.wait_until_idle()
    report(f"2 days, one of two files of one of them poison: {jobs} job runs")

    assert rows_by_day(stack, days) == {str(day): 3 for day in days}
    found = verdicts(stack, days[1])
    assert {name: state for name, (state, _) in found.items()} == {
        "good.csv": "loaded",
        "ill.csv": "rejected",
    }
    assert jobs <= 1 + 2 + 2 + 3
    assert told(stack, FLIGHTS.key("ill.csv", days[1])) == ["refused"]


def test_a_poisonous_version_of_a_loaded_file_leaves_its_rows(stack: Any) -> None:
    stack.put(FLIGHTS.key("good.csv", SHARED), file("ZZZ"))
    stack.wait()
    stack.wait_until_idle()

    assert rows_by_day(stack, [SHARED]) == {str(SHARED): 3}
    assert told(stack, FLIGHTS.key("good.csv", SHARED)) == ["refused"]


def test_a_poisonous_file_that_lands_alone_is_refused_once_the_job_runs_without_it(stack: Any) -> None:
    key = FLIGHTS.key("flights.csv", LONE)
    stack.put(key, file("ZZZ"))
    stack.wait()
    stack.launch(FLIGHTS, str(LONE), str(LONE))
    stack.wait_until_idle()

    assert rows_by_day(stack, [LONE]) == {}
    state, reason = verdicts(stack, LONE)["flights.csv"]
    assert (state, "the carrier ZZZ is poison" in (reason or "")) == ("rejected", True)
    assert told(stack, key) == ["refused"]


def test_a_poisonous_file_that_is_mended_is_loaded(stack: Any) -> None:
    stack.put(FLIGHTS.key("flights.csv", LONE), file())
    stack.wait()

    assert rows_by_day(stack, [LONE]) == {str(LONE): 3}
