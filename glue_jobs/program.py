"""The program around a job's work: arguments, session, report.

`--feed` names the feed. The job of landed files has the arguments `--manifest` (landed files, see
`landing.read_manifest`), `--output` and `--rejects` (prefixes ending in `/`) and Dagster Pipes' two; for each
dimension that the feed looks up, one with the name of the dimension's feed (its Parquet, or `none`); where it
hashes what identifies people, `--customer_key`: the key's name in Secrets Manager. `--caller` stands in the
user agent of the job's own calls, as in that of the run which started it. Reports to Dagster one message: for
every file the rows read, loaded and rejected.
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
from pyspark.sql import SparkSession

from airline_platform.contract.feed import Feed
from airline_platform.contract.sink import Dimension
from airline_platform.feeds import FEEDS
from glue_jobs.reporting import reporting
from glue_jobs.rows import transform_of
from glue_jobs.runner import FeedRun

OPTIONS = ["manifest", "output", "rejects", "max_rejected_share", "evolved"]
KEY_OPTION = "customer_key"


@dataclass(frozen=True)
class JobRun:
    """One run of a job.

    Args:
        spark: The session.
        feed: The one that `--feed` names.
        arguments: By name, without the dashes.
        config: Of the boto3 clients it makes.
        report: Sends Dagster what became of each file.
    """

    spark: SparkSession
    feed: Feed
    arguments: Mapping[str, str]
    config: Config
    report: Callable[[list[dict[str, object]]], None]


@contextmanager
def job_run(options: Sequence[str]) -> Iterator[JobRun]:
    """Begin the run that Glue has started this script for, and commit it at the end.

    Args:
        options: Arguments there have to be.
    """
    arguments = getResolvedOptions(sys.argv, ["JOB_NAME", "caller", "feed", *options])
    glue = GlueContext(SparkContext.getOrCreate())
    job = Job(glue)
    job.init(arguments["JOB_NAME"], arguments)
    config = Config(user_agent_extra=arguments["caller"])
    with reporting(config) as pipes:
        yield JobRun(
            glue.spark_session,
            FEEDS[arguments["feed"]],
            arguments,
            config,
            lambda counts: pipes.report_custom_message({"files": counts}),
        )
    job.commit()


def run_feed_job() -> None:
    """Run a landed feed's job with the arguments Glue passes."""
    with job_run(OPTIONS) as job:
        looked_up = {name: _dimension(name) for name in job.feed.dimensions}
        more = getResolvedOptions(sys.argv, [*looked_up, *([KEY_OPTION] if job.feed.hashed else [])])
        run = FeedRun(job.spark, job.feed, job.arguments)
        dimensions = {name: run.dimension(its, more[name]) for name, its in looked_up.items()}
        secret = _secret(job.config, more[KEY_OPTION]) if job.feed.hashed else ""
        job.report(run.execute(transform_of(job.feed, dimensions, secret)))


def _dimension(feed: str) -> Dimension:
    becomes = FEEDS[feed].becomes
    if not isinstance(becomes, Dimension):
        raise TypeError(f"{feed} becomes no dimension")
    return becomes


def _secret(config: Config, name: str) -> str:
    secrets = boto3.client("secretsmanager", config=config)
    secret: str = secrets.get_secret_value(SecretId=name)["SecretString"]
    return secret
