"""The program around a job's transform: arguments, session, report.

A landed feed's job has the arguments `--manifest` (landed files, see `landing.read_manifest`), `--output` and
`--rejects` (prefixes ending in `/`) and Dagster Pipes' two; where the feed has lookups, `--airports` (Parquet
of the airport dimension, or `none`); where it hashes what identifies people, `--customer_key`: the key's name
in Secrets Manager. `--caller` stands in the user agent of the job's own calls, as in that of the run which
started it. Reports to Dagster one message: for every file the rows read, loaded and rejected.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import boto3
from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from botocore.config import Config
from pyspark.context import SparkContext
from pyspark.sql import DataFrame, SparkSession

from airline_platform.contract.feed import Feed
from airline_platform.feeds.airports import AIRPORTS
from glue_jobs.reporting import reporting
from glue_jobs.runner import FeedRun

OPTIONS = ["manifest", "output", "rejects", "max_rejected_share", "evolved"]
AIRPORTS_OPTION = "airports"
KEY_OPTION = "customer_key"


@dataclass(frozen=True)
class JobRun:
    """One run of a job.

    Args:
        spark: The session.
        arguments: By name, without the dashes.
        config: Of the boto3 clients it makes.
        report: Sends Dagster what became of each file.
    """

    spark: SparkSession
    arguments: Mapping[str, str]
    config: Config
    report: Callable[[list[dict[str, object]]], None]


@contextmanager
def job_run(options: Sequence[str]) -> Iterator[JobRun]:
    """Begin the run that Glue has started this script for, and commit it at the end.

    Args:
        options: Arguments there have to be.
    """
    arguments = getResolvedOptions(sys.argv, ["JOB_NAME", "caller", *options])
    glue = GlueContext(SparkContext.getOrCreate())
    job = Job(glue)
    job.init(arguments["JOB_NAME"], arguments)
    config = Config(user_agent_extra=arguments["caller"])
    with reporting(config) as pipes:
        yield JobRun(
            glue.spark_session,
            arguments,
            config,
            lambda counts: pipes.report_custom_message({"files": counts}),
        )
    job.commit()


def run_feed_job(feed: Feed, transform: Callable[..., DataFrame]) -> None:
    """Run a landed feed's job with the arguments Glue passes.

    Args:
        feed: What the files are.
        transform: Takes the parsed rows; the airports, where the feed has lookups; the key, where it hashes.
    """
    options = [*OPTIONS, *([AIRPORTS_OPTION] if feed.lookups else []), *([KEY_OPTION] if feed.hashed else [])]
    with job_run(options) as job:
        run = FeedRun(job.spark, feed, job.arguments)
        passed: list[DataFrame | str] = []
        if feed.lookups:
            passed.append(run.dimension(AIRPORTS, job.arguments[AIRPORTS_OPTION]))
        if feed.hashed:
            secrets = boto3.client("secretsmanager", config=job.config)
            passed.append(secrets.get_secret_value(SecretId=job.arguments[KEY_OPTION])["SecretString"])
        job.report(run.execute(lambda landed: transform(landed, *passed)))
