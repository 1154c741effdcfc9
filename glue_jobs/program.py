"""The program of a landed feed's job around its transform: arguments, session, report.

Arguments: `--manifest` (landed files, see `landing.read_manifest`), `--airports` (Parquet of the airport
dimension, or `none`), `--output` and `--rejects` (prefixes ending in `/`), Dagster Pipes' two and, where the
feed identifies people, `--customer_key`: the name in Secrets Manager of the key they are hashed with.
`--caller` stands in the user agent of the job's own calls, as in that of the run which started it.
Reports to Dagster one message: for every file the rows read, loaded and rejected.
"""

import sys
from collections.abc import Callable

import boto3
from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from botocore.config import Config
from pyspark.context import SparkContext
from pyspark.sql import DataFrame

from airline_platform.feeds import AIRPORTS, Feed
from glue_jobs.reporting import reporting
from glue_jobs.runner import FeedRun

OPTIONS = ["JOB_NAME", "caller", "manifest", "airports", "output", "rejects"]
KEY_OPTION = "customer_key"


def run_feed_job(feed: Feed, transform: Callable[..., DataFrame]) -> None:
    """Run a feed's job with the arguments Glue passes.

    Args:
        feed: What the files are.
        transform: Takes the parsed rows, the airports and, where the feed identifies people, their key.
    """
    arguments = getResolvedOptions(sys.argv, [*OPTIONS, KEY_OPTION] if feed.personal else OPTIONS)
    glue = GlueContext(SparkContext.getOrCreate())
    job = Job(glue)
    job.init(arguments["JOB_NAME"], arguments)
    config = Config(user_agent_extra=arguments["caller"])
    with reporting(config) as pipes:
        run = FeedRun(glue.spark_session, feed, arguments)
        passed: list[DataFrame | str] = [run.dimension(AIRPORTS, arguments["airports"])]
        if feed.personal:
            secrets = boto3.client("secretsmanager", config=config)
            passed.append(secrets.get_secret_value(SecretId=arguments[KEY_OPTION])["SecretString"])
        counts = run.execute(lambda landed: transform(landed, *passed))
        pipes.report_custom_message({"files": counts})
    job.commit()
