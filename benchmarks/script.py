"""The hand-written PySpark script as a Glue job: same engine, JVM and session as the platform's own jobs."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from airline_platform.errors import GlueJobFailed
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.feeds.flights import FLIGHTS
from benchmarks.laptop import ROWS_A_DAY, Bench
from resources.glue import ENDED

SCRIPT = Path(__file__).with_name("peers") / "pyspark_script.py"
SCRIPT_JOB = "bench-pyspark-script"
FOLDER = "bench/script"
"""In the lake: what stands there starts no run."""

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Days:
    """Days that are transformed, as they stand in the lake.

    Args:
        folder: Key prefix, ending in `/`, of what belongs to them.
        files: Keys by day.
    """

    folder: str
    files: Mapping[str, str]

    @property
    def rows(self) -> int:
        """Of all days."""
        return len(self.files) * ROWS_A_DAY


def create_script_job(bench: Bench) -> None:
    """The script as a Glue job, like ours in all but the script."""
    settings, glue = bench.settings, bench.client("glue")
    key = f"{FOLDER}/{SCRIPT.name}"
    bench.client("s3").upload_file(str(SCRIPT), settings.lake_bucket, key)
    ours = glue.get_job(JobName=settings.job_name(FLIGHTS.name))["Job"]
    command = ours["Command"] | {"ScriptLocation": f"s3://{settings.lake_bucket}/{key}"}
    glue.create_job(Name=SCRIPT_JOB, Role=ours["Role"], GlueVersion=ours["GlueVersion"], Command=command)


def put_days(bench: Bench, first: date, number: int) -> Days:
    """Put so many days' files into the lake."""
    last = first + timedelta(days=number - 1)
    source, folder = bench.flights(first, last), f"{FOLDER}/{number}-days/"
    files = {}
    for path in sorted(source.rglob("*.csv")):
        key = f"{folder}{path.relative_to(source)}"
        bench.client("s3").upload_file(str(path), bench.settings.lake_bucket, key)
        files[path.parent.name.removeprefix("date=")] = key
    return Days(folder, files)


def script_job(bench: Bench, days: Days, output: str) -> tuple[str, dict[str, str]]:
    """The script's job and its arguments."""
    lake = bench.settings.lake_bucket
    return SCRIPT_JOB, {"flights": f"s3://{lake}/{days.folder}{FLIGHTS.prefix}"} | places(lake, output)


def places(lake: str, output: str) -> dict[str, str]:
    """Arguments both have."""
    return {
        "airports": f"s3://{lake}/{AIRPORTS.table.name}/",
        "output": f"s3://{lake}/{output}good/",
        "rejects": f"s3://{lake}/{output}rejects/",
    }


def run_job(bench: Bench, job: str, arguments: Mapping[str, str]) -> float:
    """Run a job in a warm worker; the seconds from its start to its end, by Glue's own clock.

    Raises:
        GlueJobFailed: It did not succeed.
    """
    bench.wait_until_quiet()
    glue = bench.client("glue")
    given = {f"--{name}": value for name, value in arguments.items()}
    run_id = glue.start_job_run(JobName=job, Arguments=given)["JobRunId"]
    while (run := glue.get_job_run(JobName=job, RunId=run_id)["JobRun"])["JobRunState"] not in ENDED:
        time.sleep(LOOK_SECONDS)
    if run["JobRunState"] != "SUCCEEDED":
        raise GlueJobFailed(
            f"{job}: {run.get('ErrorMessage')}", remedy="Correct the job, then measure again."
        )
    return float((run["CompletedOn"] - run["StartedOn"]).total_seconds())


def keys_below(bench: Bench, prefix: str) -> list[str]:
    """The keys of the lake below a prefix."""
    pages = bench.client("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=bench.settings.lake_bucket, Prefix=prefix)
    return [item["Key"] for page in found for item in page.get("Contents", ())]
