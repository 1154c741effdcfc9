"""One Spark for all of its tests, and empty lakes for it."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from airline_platform.contract.feed import Feed
from laptop.spark.jvm import SparkJvm, session_options
from laptop.spark.pool import SHIM_FOLDER
from laptop.spark.worker import mount_buckets, start_session

# Glue has its own library; a laptop's worker puts the stand-in on the path just like this.
sys.path.extend([str(SHIM_FOLDER), str(Path(__file__).parent)])
from spark_lake import Lake


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """The session a laptop's worker gives a job: with its JVM, its options and its way to S3."""
    folder = tmp_path_factory.mktemp("spark")
    # With the class archive that `make jvm` builds.
    jvm = SparkJvm(Path(sys.prefix) / "var" / "spark-jvm")
    with pytest.MonkeyPatch.context() as environment:
        for name, value in jvm.environment().items():
            environment.setenv(name, value)
        session = start_session(session_options(folder))
        gateway: Any = session.sparkContext._gateway
        yield session
        session.stop()
        gateway.shutdown()
        gateway.proc.stdin.close()
        gateway.proc.wait(60)


@pytest.fixture(scope="session")
def new_lake(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Feed], Lake]:
    """Makes an empty lake; the buckets are mounted once, as Hadoop keeps what it has mounted."""
    root = tmp_path_factory.mktemp("buckets")
    mount_buckets(spark, {"landing": str(root / "current/landing"), "lake": str(root / "current/lake")})

    def make(feed: Feed) -> Lake:
        if (root / "current").exists():
            (root / "current").rename(root / f"old-{len(list(root.iterdir()))}")
        return Lake(spark, root / "current", feed)

    return make
