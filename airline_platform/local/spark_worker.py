"""A warm Spark process that waits for one Glue job on its standard input, runs it and reports how it ended.

Started as a file by path, never imported: nothing of this platform may be loaded when the job's own
`--extra-py-files` come to be imported. It talks to its engine in JSON lines, on a pipe of its own, because
standard output and standard error belong to the job.
"""

import importlib.util
import json
import os
import queue
import runpy
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, NoReturn

from pyspark import SparkConf, SparkContext
from pyspark.sql import Observation, SparkSession, functions

RAW_LOCAL = "org.apache.hadoop.fs.RawLocalFileSystem"
"""Hadoop's local file system without the `.crc` file beside every file."""

MOUNTED = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
"""Hadoop's own mount table under a foreign scheme: `s3://bucket/key` is read and written in a folder."""

ERROR_LENGTH = 2000
"""Most characters of a job run's ErrorMessage; a Spark stack trace belongs into the log."""


def main() -> NoReturn:
    """Warm up, say so, run one job, say how it ended, and go."""
    engine = os.fdopen(int(sys.argv[1]), "w", buffering=1)
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=_watch_engine, args=(jobs,), daemon=True).start()
    spark = start_session(json.loads(sys.argv[2]))
    warm_up(spark, Path(sys.argv[3]))
    engine.write(json.dumps({"event": "ready"}) + "\n")
    job = jobs.get()
    error = run_job(spark, job)
    sys.stdout.flush()
    sys.stderr.flush()
    engine.write(json.dumps({"event": "done", "error": error}) + "\n")
    end_process_group()


def _watch_engine(jobs: "queue.Queue[dict[str, Any]]") -> None:
    """Hand the job line over; when the engine is gone its end of the pipe closes, and so do we."""
    for line in sys.stdin:
        jobs.put(json.loads(line))
    end_process_group()


def end_process_group() -> NoReturn:
    """End this process, its JVM and its Python workers at once; there is nothing left to save."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def start_session(options: dict[str, str]) -> SparkSession:
    """A local Spark session; `options` are Spark's own names."""
    conf = SparkConf().setMaster("local[*]").setAppName("glue")
    for name, value in options.items():
        conf.set(name, value)
    spark = SparkSession.builder.config(conf=conf).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def warm_up(spark: SparkSession, folder: Path) -> None:
    """Load the classes jobs need: text, CSV and JSON in, joins, dynamic overwrite of Parquet, and in again.

    So do the modules nearly every job imports; they are of the machine, not of the platform.
    """
    for module in ("boto3", "dagster_pipes"):
        if importlib.util.find_spec(module):
            importlib.import_module(module)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "in.csv").write_text("id,name\n1,a\n2,b\n")
    (folder / "in.json").write_text('{"entries": [{"id": 1, "v": "x"}]}')
    table = spark.read.csv(f"file://{folder}/in.csv", header=True, schema="id INT, name STRING")
    nested = spark.read.json(
        f"file://{folder}/in.json", multiLine=True, schema="entries ARRAY<STRUCT<id INT, v STRING>>"
    )
    other = nested.selectExpr("inline(entries)").cache()
    other.collect()
    lines = spark.read.text(f"file://{folder}/in.csv").where("trim(value) <> ''")
    listed = spark.range(1).select(
        functions.inline(functions.from_json(functions.lit('[{"v": "2"}]'), "array<struct<v string>>"))
    )
    keyed = lines.selectExpr("value", "left(value, 1) AS v", "url_decode(_metadata.file_path) AS file")
    parsed = keyed.join(functions.broadcast(listed), "v").select(
        functions.from_csv("value", "id STRING, name STRING", {"mode": "PERMISSIVE"}).alias("row")
    )
    rows = parsed.selectExpr(
        "try_cast(nullif(trim(row.id), '') AS BIGINT) AS id",
        "CASE WHEN row.name RLIKE '^[a-z]$' THEN row.name ELSE concat('no ', row.name) END AS name",
    ).join(functions.broadcast(other.dropDuplicates(["id"])), "id", "left")
    lines.groupBy("value").count().collect()
    joined = rows.join(table.select("id"), "id", "left").observe(
        Observation(), functions.count("*").alias("n")
    )
    joined.write.option("partitionOverwriteMode", "dynamic").partitionBy("name").mode("overwrite").parquet(
        f"file://{folder}/out"
    )
    spark.read.parquet(f"file://{folder}/out").groupBy("v").count().collect()
    other.unpersist()


def run_job(spark: SparkSession, job: dict[str, Any]) -> str | None:
    """Run the job's script as `__main__`; what went wrong, or None.

    `job` has: `script` (path), `argv` (without the script), `py_files` (paths), `mounts` (bucket → folder),
    `conf` (spark.sql.* options), `folder` (working directory) and `environment`.
    """
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    mount_buckets(spark, job["mounts"])
    share_context(spark)
    for name, value in job["conf"].items():
        spark.conf.set(name, value)
    for path in job["py_files"]:
        spark.sparkContext.addPyFile(path)
    sys.path[:0] = [*job["py_files"], job["shim"]]
    sys.argv = [job["script"], *job["argv"]]
    return run_script(job["script"])


def run_script(script: str) -> str | None:
    """Run a file as `__main__`; its failure as Glue words it, or None."""
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as exit_:
        return None if exit_.code in (None, 0) else f"SystemExit: {exit_.code}"
    except BaseException as failure:  # noqa: BLE001 - whatever a script raises is its failure, not ours
        _print_script_traceback(failure, script)
        return error_message(failure)
    return None


def mount_buckets(spark: SparkSession, mounts: dict[str, str]) -> None:
    """Make `s3://bucket/…` and `s3a://bucket/…` mean a local folder, without any S3 jar."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()  # noqa: SLF001 - pyspark has no public way to it
    hadoop.set("fs.file.impl", RAW_LOCAL)
    for scheme in ("s3", "s3a"):
        hadoop.set(f"fs.{scheme}.impl", MOUNTED)
        hadoop.set(f"fs.viewfs.overload.scheme.target.{scheme}.impl", RAW_LOCAL)
    for bucket, folder in mounts.items():
        hadoop.set(f"fs.viewfs.mounttable.{bucket}.linkFallback", Path(folder).as_uri())


def share_context(spark: SparkSession) -> None:
    """Let a script's own `SparkContext()` be the warm one; a second context in one JVM is an error."""
    warm = spark.sparkContext

    def adopt(self: SparkContext, *args: Any, conf: SparkConf | None = None, **options: Any) -> None:
        del args, options  # master, name and the rest are the engine's to choose, as they are Glue's
        self.__dict__.update(warm.__dict__)
        for name, value in conf.getAll() if conf else []:
            if name.startswith("spark.sql."):
                spark.conf.set(name, value)

    SparkContext.__init__ = adopt  # type: ignore[method-assign]  # replaced on purpose


def error_message(failure: BaseException) -> str:
    """`ExceptionClass: message`, as Glue shows it; of a Java failure the root cause, without its stack."""
    text = str(failure)
    java = getattr(failure, "java_exception", None)
    if java is not None:
        cause = java
        while cause.getCause() is not None:
            cause = cause.getCause()
        text = f"{text.splitlines()[0]} {cause.toString()}"
    name = type(failure).__name__
    return (f"{name}: {text}" if text else name)[:ERROR_LENGTH]


def _print_script_traceback(failure: BaseException, script: str) -> None:
    """The traceback from the script on; what is above it is this file and runpy."""
    frames = failure.__traceback__
    while frames and frames.tb_frame.f_code.co_filename != script:
        frames = frames.tb_next
    traceback.print_exception(type(failure), failure, frames or failure.__traceback__)


if __name__ == "__main__":
    main()
