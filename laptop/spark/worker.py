"""A warm JVM with Spark in it, and for each Glue job a fresh Python process that uses it.

Started as a file by path, never imported: nothing of this platform may be loaded when the job's own
`--extra-py-files` come to be imported. It talks to its engine in JSON lines, on a pipe of its own, because
standard output and standard error belong to the job.

What makes a job slow is the JVM: its start, its classes, its code before it is compiled. What one job could
leave to the next is Python: its modules, its environment, its working directory. So the JVM stays, and each
job is a fork of this process, which has imported what jobs import and has never talked to the JVM itself.
"""

import gc
import importlib.util
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil
from pyspark import SparkConf, SparkContext, SparkFiles
from pyspark.java_gateway import launch_gateway
from pyspark.sql import Observation, SparkSession, functions

RAW_LOCAL = "org.apache.hadoop.fs.RawLocalFileSystem"
"""Hadoop's local file system without the `.crc` file beside every file."""

MOUNTED = "org.apache.hadoop.fs.viewfs.ViewFileSystemOverloadScheme"
"""Hadoop's own mount table under a foreign scheme: `s3://bucket/key` is read and written in a folder."""

USUAL_IMPORTS = ("boto3", "dagster_pipes", "pyarrow")
"""Modules of the machine, not of the platform, that nearly every job imports."""

ERROR_LENGTH = 2000
"""Most characters of a job run's ErrorMessage; a Spark stack trace belongs into the log."""

Result = dict[str, Any]


def main() -> NoReturn:
    """Start the JVM, say so; run one job after the other, and say how each ended.

    Arguments: descriptor of the pipe to the engine, Spark's options in JSON, file for what the JVM writes,
    folder to warm up in or nothing.
    """
    engine = os.fdopen(int(sys.argv[1]), "w", buffering=1)
    options, spark_log, folder = json.loads(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    for module in USUAL_IMPORTS:
        if importlib.util.find_spec(module):
            importlib.import_module(module)
    jvm = start_jvm(spark_log)
    mine = [engine, jvm.stdin]
    if run_fork(partial(make_ready, options, folder), mine) is None:
        end_process_group()
    engine.write(json.dumps({"event": "ready"}) + "\n")
    for line in sys.stdin:
        job = json.loads(line)
        result = run_fork(partial(run_job, job), mine)
        if result is None:
            break
        end_python_workers(jvm.pid)
        engine.write(json.dumps({"event": "done", **result}) + "\n")
    end_process_group()


def start_jvm(log: Path) -> Any:
    """Spark's JVM as a process; processes forked from now on find it by their environment.

    What it writes goes to `log`: Glue, too, keeps it apart from what a script writes.
    """
    with log.open("ab") as file:
        gateway: Any = launch_gateway(popen_kwargs={"stdout": file, "stderr": file})  # type: ignore[no-untyped-call]
    os.environ["PYSPARK_GATEWAY_PORT"] = str(gateway.java_parameters.port)
    os.environ["PYSPARK_GATEWAY_SECRET"] = gateway.java_parameters.auth_token
    gateway.close()  # a connection that a fork inherits would be used by two
    return gateway.proc


def end_python_workers(jvm: int) -> None:
    """End what Spark started for a job's Python functions: it has the job's modules and environment."""
    for process in psutil.Process(jvm).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it has ended by itself meanwhile
            process.kill()


def run_fork(work: Callable[[], Result | None], mine: list[IO[Any]]) -> Result | None:
    """Run a function in a fork of this process, which closes the files that are `mine`: they have readers.

    Returns:
        What the function returned, `{}` for nothing; None where its process died without a word.
    """
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _be_fork(work, mine, theirs)
    theirs.close()
    with ours, ours.makefile() as answer, selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        selector.register(ours, selectors.EVENT_READ)
        if any(key.fileobj is sys.stdin for key, _ in selector.select()):
            end_process_group()  # the engine is gone: it sends nothing while a job runs
        line = answer.readline()
    os.waitpid(pid, 0)
    return json.loads(line) if line else None


def _be_fork(work: Callable[[], Result | None], mine: list[IO[Any]], parent: socket.socket) -> NoReturn:
    try:
        for file in mine:
            file.close()
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
        result = work() or {}
        sys.stdout.flush()
        sys.stderr.flush()
        parent.sendall(json.dumps(result).encode() + b"\n")
    except BaseException:  # noqa: BLE001 - a fork must never go on as if it were its parent
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _end_with(parent: socket.socket) -> NoReturn:
    """End this process when its parent does, which then closes its end."""
    parent.recv(1)
    os._exit(1)


def end_process_group() -> NoReturn:
    """End this process, its JVM and its Python workers at once; there is nothing left to save."""
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)


def make_ready(options: dict[str, str], folder: str) -> None:
    """Start the session that jobs attach to, and warm it up in a folder, if one is named."""
    spark = start_session(options)
    if folder:
        warm_up(spark, Path(folder))


def start_session(options: dict[str, str]) -> SparkSession:
    """A local Spark session; `options` are Spark's own names."""
    conf = SparkConf().setMaster("local[*]").setAppName("glue")
    for name, value in options.items():
        conf.set(name, value)
    spark = SparkSession.builder.config(conf=conf).getOrCreate()
    spark.sparkContext.setLogLevel("WARN")
    return spark


def attach_session() -> SparkSession:
    """A session of its own in the JVM that runs already, as clean as a new one."""
    gateway: Any = launch_gateway()  # type: ignore[no-untyped-call]
    java = gateway.jvm.JavaSparkContext(gateway.jvm.org.apache.spark.SparkContext.getOrCreate())
    context = SparkContext(gateway=gateway, jsc=java, conf=SparkConf(_jconf=java.sc().conf()))
    session = gateway.jvm.SparkSession.getDefaultSession().get().newSession()
    context.setLogLevel("WARN")
    return SparkSession(context, session)


def warm_up(spark: SparkSession, folder: Path) -> None:
    """Load the classes jobs need: text, CSV, JSON in, joins, dynamic overwrite of Parquet, and in again."""
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


def run_job(job: dict[str, Any]) -> Result:
    """Run the job's script as `__main__`, with a session of its own.

    Args:
        job: `script` (path), `argv` (without the script), `py_files` (paths), `mounts` (bucket → folder),
            `conf` (spark.sql.* options), `folder` (working directory) and `environment`.

    Returns:
        `error`: what went wrong, or None; `spent`: whether the JVM is not to be used for another job.
    """
    spark = attach_session()
    os.environ.update(job["environment"])
    tempfile.tempdir = None  # found anew, in the job's own folder
    os.chdir(job["folder"])
    mount_buckets(spark, job["mounts"])
    share_context(spark)
    # Python workers' too. The temporary folder in it is the job's own: Spark looks for no other job's worker.
    spark.sparkContext.environment.update(job["environment"])
    for name, value in job["conf"].items():
        spark.conf.set(name, value)
    for path in job["py_files"]:
        add_py_file(spark, Path(path))
    sys.path[:0] = [*job["py_files"], job["shim"]]
    sys.argv = [job["script"], *job["argv"]]
    error = run_script(job["script"])
    # A JVM that a job has failed in may be ill, and then good files would be refused for it.
    return {"error": error, "spent": error is not None or not leave_clean(spark)}


def add_py_file(spark: SparkSession, path: Path) -> None:
    """What `addPyFile` does for Spark's Python workers, but for the JVM's note of it, which would stay."""
    shutil.copy(path, SparkFiles.getRootDirectory())
    includes: Any = spark.sparkContext._python_includes  # noqa: SLF001 - `addPyFile` is the public way
    includes.append(path.name)


def leave_clean(spark: SparkSession) -> bool:
    """Take back what a job may leave in the JVM; whether that was all there was."""
    gc.collect()  # Java objects whose Python side is gone are let go
    java = spark._jsparkSession  # noqa: SLF001 - pyspark has no public way to what sessions share
    context = java.sparkContext()
    if context.isStopped():
        return False
    java.sharedState().cacheManager().clearCache()
    catalog = java.sharedState().externalCatalog()
    views = java.sharedState().globalTempViewManager().listViewNames("*")
    return bool(
        context.getPersistentRDDs().isEmpty()
        and catalog.listDatabases().size() == 1
        and catalog.listTables("default").isEmpty()
        and views.isEmpty()
    )


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
    context = spark.sparkContext
    hadoop = context._jsc.hadoopConfiguration()  # noqa: SLF001 - pyspark has no public way to it
    # What the job before has set, and the file systems it has opened, are not this one's.
    hadoop.clear()
    hadoop.reloadConfiguration()
    for name, value in context.getConf().getAll():
        if name.startswith("spark.hadoop."):
            hadoop.set(name.removeprefix("spark.hadoop."), value)
    context._jvm.org.apache.hadoop.fs.FileSystem.closeAll()  # type: ignore[union-attr]  # noqa: SLF001 - as above
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
