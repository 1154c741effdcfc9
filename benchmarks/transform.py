"""The flights transform beside a PySpark script written by hand: same days, engine, JVM and session."""

from collections.abc import Mapping, Sequence
from datetime import date
from statistics import median
from typing import Literal
from uuid import uuid4

import duckdb
from dagster_pipes import encode_param

from airline_platform.feeds.flights import FLIGHTS
from benchmarks.agreement import TOTALS, Totals, require_agreement
from benchmarks.figures import Figure, Section
from benchmarks.laptop import ROWS_A_DAY, Bench
from benchmarks.script import Days, create_script_job, keys_below, places, put_days, run_job, script_job
from resources.acceptance.heads import judge
from resources.acceptance.verdicts import Accepted
from resources.lake import copy_manifest

FIRST_DAY = date(2016, 4, 1)
DAYS = 30
REPEATS = 5
TARGET, TARGET_ONE_DAY = 1.05, 1.2

Who = Literal["ours", "peer"]

NOTES = (
    (
        "Both are Glue jobs of the same engine: a Python process of its own for every run, the same warm JVM "
        "and session options, the same objects brought from S3 and stored there. A time is CompletedOn - "
        f"StartedOn, a figure the median of {REPEATS} runs, taken in turns. Both outputs are compared "
        "after every turn: rows, days, delays, named airports."
    ),
    (
        "The script reads with Spark's CSV source, casts, joins, writes good rows and rejects, counts "
        "both by day; it does not cache, which takes longer here, nor count by observing its write, "
        "which takes a fifth less. Ours also checks UTF-8, quotes and lengths, says of each reject which "
        "file, line and field is wrong and why, writes down each row's file, and counts by file."
    ),
    "The files are clean; with rejects ours reads the files that have some a second time, for line numbers.",
)


def measure(bench: Bench) -> Section:
    """Run both over a month, and over a day."""
    create_script_job(bench)
    month, day = (put_days(bench, FIRST_DAY, number) for number in (DAYS, 1))
    of_month, of_day = (_seconds(bench, days) for days in (month, day))
    return Section("Transform", figures(of_month, of_day, month.rows, day.rows), NOTES)


def figures(
    of_month: Mapping[Who, float], of_day: Mapping[Who, float], month: int, day: int
) -> Sequence[Figure]:
    """What is said of the seconds that each has taken for so many rows."""
    what = f"{DAYS} days of {ROWS_A_DAY:,} flights"
    return (
        Figure(
            "transform_vs_pyspark",
            of_month["ours"] / of_month["peer"],
            "times",
            f"{what}: our job's time / a hand-written script's",
            TARGET,
        ),
        Figure(
            "transform_one_day_vs_pyspark",
            of_day["ours"] / of_day["peer"],
            "times",
            f"one day of {ROWS_A_DAY:,} flights: our job's time / a hand-written script's",
            TARGET_ONE_DAY,
        ),
        Figure("transform_rows_s", month / of_month["ours"], "rows/s", f"{what}: our job"),
        Figure("transform_pyspark_rows_s", month / of_month["peer"], "rows/s", f"{what}: the script"),
        Figure("transform_one_day_rows_s", day / of_day["ours"], "rows/s", "one day: our job"),
        Figure("transform_one_day_pyspark_rows_s", day / of_day["peer"], "rows/s", "one day: the script"),
    )


def _seconds(bench: Bench, days: Days) -> dict[Who, float]:
    """Run both in turns; the median of each."""
    taken: dict[Who, list[float]] = {"ours": [], "peer": []}
    for turn in range(REPEATS):
        made: dict[str, Totals] = {}
        # Each goes first every other time.
        for who, seconds in sorted(taken.items(), reverse=bool(turn % 2)):
            output = f"{days.folder}{who}/{uuid4().hex}/"
            job, arguments = (_ours if who == "ours" else script_job)(bench, days, output)
            seconds.append(run_job(bench, job, arguments))
            made[who] = _totals(bench, f"{output}good/")
        require_agreement(made)
        _remove(bench, [f"{days.folder}{who}/" for who in taken])
    return {who: median(seconds) for who, seconds in taken.items()}


def _ours(bench: Bench, days: Days, output: str) -> tuple[str, dict[str, str]]:
    """The platform's job and its arguments, as the asset `flights_enriched` gives them."""
    lake = bench.settings.lake_bucket
    entries = [_entry(bench, day, key) for day, key in days.files.items()]
    manifest = f"{output}flights.manifest"
    bench.client("s3").put_object(Bucket=lake, Key=manifest, Body=copy_manifest(entries))
    named = {
        "manifest": f"s3://{lake}/{manifest}",
        "max_rejected_share": "1",
        "evolved": "none",
        "caller": "nobody",
    }
    return bench.settings.job_name(FLIGHTS.name), named | places(lake, output) | _pipes(bench, output)


def _entry(bench: Bench, day: str, key: str) -> dict[str, object]:
    """A file in the job's manifest, as the platform accepts it."""
    lake = bench.settings.lake_bucket
    body = bench.client("s3").get_object(Bucket=lake, Key=key)["Body"].read()
    found = judge(FLIGHTS, [body], len(body))
    if not isinstance(found, Accepted):
        raise RuntimeError(f"{key}: {found}")  # noqa: TRY004 - the file is wrong, not its type
    return {
        "url": f"s3://{lake}/{key}",
        "mandatory": True,
        "partition": day,
        "landed_at": f"{day}T06:00:00+00:00",
        "header": found.header,
        "columns": found.columns,
        "shape": found.shape,
        "first": found.first,
        "rows": found.rows,
        "size": len(body),
        "ascii": found.ascii,
        "reading": found.reading.as_json(),
    }


def _pipes(bench: Bench, output: str) -> dict[str, str]:
    """Arguments by which our job reports as it does to Dagster, which belongs to its work."""
    lake, key = bench.settings.lake_bucket, f"{output}pipes/context.json"
    bench.client("s3").put_object(Bucket=lake, Key=key, Body=PIPES_CONTEXT)
    return {
        "dagster-pipes-context": encode_param({"bucket": lake, "key": key}),
        "dagster-pipes-messages": encode_param({"bucket": lake, "key_prefix": f"{output}pipes/messages"}),
    }


PIPES_CONTEXT = (
    b'{"asset_keys": null, "code_version_by_asset_key": null, "provenance_by_asset_key": null, '
    b'"partition_key": null, "partition_key_range": null, "partition_time_window": null, '
    b'"run_id": "bench", "job_name": null, "retry_number": 0, "extras": {}}'
)
"""What Dagster says to a job where there is nothing to say."""


def _totals(bench: Bench, output: str) -> Totals:
    """What is compared of the Parquet below a prefix of the lake."""
    folder = bench.scratch / "transform" / uuid4().hex
    for key in keys_below(bench, output):
        path = folder / key.removeprefix(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        bench.client("s3").download_file(bench.settings.lake_bucket, key, str(path))
    # A path of our own, in which only our own constants and a random name stand.
    found = duckdb.execute(f"SELECT {TOTALS} FROM read_parquet('{folder}/*/*.parquet')")  # noqa: S608
    [totals] = found.fetchall()
    return dict(zip((column[0] for column in found.description or ()), totals, strict=True))


def _remove(bench: Bench, prefixes: Sequence[str]) -> None:
    """Remove what was written, so that later runs find the bucket as it was."""
    s3 = bench.client("s3")
    for key in [key for prefix in prefixes for key in keys_below(bench, prefix)]:
        s3.delete_object(Bucket=bench.settings.lake_bucket, Key=key)
