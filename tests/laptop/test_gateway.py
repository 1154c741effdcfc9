"""The real gateway process, spoken to with boto3 over HTTP."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import dagster as dg
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests

from airline_platform.errors import GlueJobFailed
from airline_platform.settings import get_settings
from resources import glue
from resources.aws.audited import AwsConfig

DATABASE = "airline"
COPY_BY_DATE = """
import sys
from awsglue.context import GlueContext
from awsglue.job import Job
from awsglue.utils import getResolvedOptions
from pyspark.context import SparkContext

args = getResolvedOptions(sys.argv, ["JOB_NAME", "input", "output"])
context = GlueContext(SparkContext())
job = Job(context)
job.init(args["JOB_NAME"], args)
spark = context.spark_session
rows = spark.read.csv(args["input"], header=True)
rows.write.partitionBy("date").mode("overwrite").parquet(args["output"])
print("rows:", rows.count(), "run:", args["JOB_RUN_ID"])
print("written to stderr", file=sys.stderr)
job.commit()
"""
READ_MANIFEST = """
import json, sys
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession
from landing_paths import paths

args = getResolvedOptions(sys.argv, ["manifest", "output"])
spark = SparkSession.builder.getOrCreate()
text = "".join(row.value for row in spark.read.text(args["manifest"]).collect())
spark.read.csv(paths(json.loads(text)), header=True).write.parquet(args["output"])
"""


class Stack:
    """One gateway process and its clients."""

    def __init__(self, state: Path, jvm: Path) -> None:
        self.state = state
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [
            sys.executable,
            "-m",
            "laptop.gateway",
            "--port",
            str(self.port),
            "--state",
            state,
        ]
        with (state.parent / f"gateway-{self.port}.log").open("wb") as log:
            environment = os.environ | {"AIRLINE_SPARK_JVM": str(jvm)}
            self.process = subprocess.Popen(command, stderr=log, stdout=log, env=environment)
        self._wait_healthy()
        session = boto3.session.Session(
            aws_access_key_id="airline", aws_secret_access_key="airline", region_name="us-east-1"
        )
        self.s3, self.glue, self.logs, self.cloudformation = (
            session.client(name, endpoint_url=self.endpoint)
            for name in ("s3", "glue", "logs", "cloudformation")
        )

    def _wait_healthy(self) -> None:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                self.health()
            except OSError:
                assert self.process.poll() is None, "the gateway ended while starting"
                time.sleep(0.05)
            else:
                return
        pytest.fail("the gateway was not ready within 60 s")

    def health(self) -> dict[str, Any]:
        answer = requests.get(f"{self.endpoint}/_airline/health", timeout=5)
        assert answer.status_code == 200
        return answer.json()

    def processes(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def wait_for_worker(self) -> None:
        until(lambda: self.health()["spark_workers_ready"] >= 1, seconds=90)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def put(self, key: str, body: str | bytes, bucket: str = "lake") -> str:
        self.s3.put_object(Bucket=bucket, Key=key, Body=body)
        return f"s3://{bucket}/{key}"

    def keys(self, prefix: str, bucket: str = "lake") -> list[str]:
        return [
            row["Key"] for row in self.s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        ]

    def table(self, prefix: str) -> dict[str, list[Any]]:
        bodies = [self.s3.get_object(Bucket="lake", Key=key)["Body"].read() for key in self.keys(prefix)]
        return pa.concat_tables([pq.read_table(io.BytesIO(body)) for body in bodies]).to_pydict()

    def create_job(self, name: str, script: str, **settings: Any) -> None:
        location = self.put(f"scripts/{name}.py", script)
        self.glue.create_job(
            Name=name, Role="arn:aws:iam::000000000000:role/glue", GlueVersion="5.1", **settings,
            Command={"Name": "glueetl", "ScriptLocation": location, "PythonVersion": "3"},
        )  # fmt: skip

    def run(self, name: str, **arguments: str) -> dict[str, Any]:
        named = {f"--{key.replace('_', '-')}": value for key, value in arguments.items()}
        return self.wait(name, self.glue.start_job_run(JobName=name, Arguments=named)["JobRunId"])

    def job_run(self, name: str, run_id: str) -> dict[str, Any]:
        return self.glue.get_job_run(JobName=name, RunId=run_id)["JobRun"]

    def wait(self, name: str, run_id: str) -> dict[str, Any]:
        final = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED")
        until(lambda: self.job_run(name, run_id)["JobRunState"] in final, seconds=120)
        return self.job_run(name, run_id)

    def log(self, group: str, run_id: str) -> str:
        streams = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=run_id)["logStreams"]
        (name,) = (stream["logStreamName"] for stream in streams)
        events = self.logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)
        return "\n".join(event["message"] for event in events["events"])

    def crawl_log(self, last: dict[str, Any]) -> str:
        """What one crawl has written: all crawls of a crawler have one stream, called like it."""
        stream = {"logGroupName": last["LogGroup"], "logStreamName": last["LogStream"]}
        events = self.logs.get_log_events(**stream, startFromHead=True)["events"]
        begin = f"[{last['MessagePrefix']}] "
        return "\n".join(each["message"] for each in events if each["message"].startswith(begin))

    def crawl(self, name: str) -> dict[str, Any]:
        self.glue.start_crawler(Name=name)
        until(lambda: self.glue.get_crawler(Name=name)["Crawler"]["State"] == "READY", seconds=60)
        return self.glue.get_crawler(Name=name)["Crawler"]["LastCrawl"]

    def create_crawler(self, name: str, path: str, **settings: Any) -> None:
        self.glue.create_crawler(
            Name=name, Role="arn:aws:iam::000000000000:role/glue", Targets={"S3Targets": [{"Path": path}]},
            **{"DatabaseName": DATABASE, **settings},
        )  # fmt: skip


def until(condition: Any, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.05)


def lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(scope="module")
def jvm():
    """Spark's class archive, built once per checkout; with it a worker starts three times as fast."""
    folder = Path(sys.prefix) / "var" / "spark-jvm"  # as `make jvm` does; nothing to do where it is built
    subprocess.run([sys.executable, "-m", "laptop.spark.jvm", folder], check=True, timeout=280)
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory, jvm):
    stack = Stack(tmp_path_factory.mktemp("gateway") / "state", jvm)
    stack.s3.create_bucket(Bucket="lake")
    stack.s3.create_bucket(Bucket="landing")
    stack.glue.create_database(DatabaseInput={"Name": DATABASE})
    stack.create_job("by-date", COPY_BY_DATE)
    yield stack
    stack.end()


def test_a_job_reads_odd_keys_and_its_parquet_arrives(stack):
    uri = stack.put("in/äöü + a=b/day 1+2.csv", "date,carrier\n2024-01-01,AA\n2024-01-02,BB\n", "landing")
    run = stack.run("by-date", input=uri.rsplit("/", 1)[0] + "/", output="s3://lake/odd key +ü/")
    assert run["JobRunState"] == "SUCCEEDED", run
    assert stack.table("odd key +ü/date=2024-01-02/") == {"carrier": ["BB"]}
    assert not [key for key in stack.keys("odd key +ü/") if key.endswith(("_SUCCESS", ".crc"))]


def test_a_finished_run_tells_its_times_arguments_and_log_group(stack):
    uri = stack.put("in/times.csv", "date,carrier\n2024-01-01,AA\n", "landing")
    run = stack.run("by-date", input=uri, output="s3://lake/times/")
    assert run["StartedOn"] <= run["CompletedOn"]
    assert run["ExecutionTime"] >= 0
    assert run["Arguments"] == {"--input": uri, "--output": "s3://lake/times/"}
    assert (run["JobName"], run["LogGroupName"], run["Attempt"]) == ("by-date", "/aws-glue/jobs", 0)
    assert stack.glue.get_job_runs(JobName="by-date")["JobRuns"][0]["Id"] == run["Id"]
    assert not (stack.state / "glue" / run["Id"]).exists()


def test_what_a_job_leaves_in_its_temporary_folder_goes_with_it(stack):
    stack.create_job("tempted", "import tempfile; print(tempfile.mkdtemp())")
    run = stack.run("tempted")
    left = Path(stack.log("/aws-glue/jobs/output", run["Id"]))
    assert left.is_relative_to(stack.state / "glue" / run["Id"])
    assert not left.exists()


IN_JVM = """
import os
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
jvm = spark.sparkContext._jvm
hadoop = spark.sparkContext._jsc.hadoopConfiguration()
pid = jvm.java.lang.ProcessHandle.current().pid()
"""
LEAVING = (
    IN_JVM
    + """
import boto3
os.environ["LEFT"] = boto3.left = "behind"
hadoop.set("fs.left", "behind")
spark.conf.set("spark.sql.shuffle.partitions", "7")
spark.range(3).cache().createOrReplaceTempView("left_view")
spark.table("left_view").count()
print(pid)
"""
)
LOOKING = (
    IN_JVM
    + """
import boto3
print(pid, os.environ.get("LEFT"), hasattr(boto3, "left"), hadoop.get("fs.left"),
      spark.conf.get("spark.sql.shuffle.partitions"), spark.catalog.tableExists("left_view"),
      jvm.org.apache.spark.SparkContext.getOrCreate().getPersistentRDDs().size())
"""
)


def jvm_of(stack, run: dict[str, Any]) -> str:
    """The line with which a job has said its JVM's pid, perhaps beside a traceback."""
    (pid,) = filter(str.isdigit, stack.log("/aws-glue/jobs/output", run["Id"]).splitlines())
    return pid


def test_the_next_job_has_the_same_jvm_and_nothing_of_the_job_before(stack):
    stack.create_job("leaving", LEAVING)
    stack.create_job("looking", LOOKING)
    pid = stack.log("/aws-glue/jobs/output", stack.run("leaving")["Id"])
    assert (
        stack.log("/aws-glue/jobs/output", stack.run("looking")["Id"]) == f"{pid} None False None 2 False 0"
    )


WRITING = "\nspark.range(9).write.parquet('s3://lake/full/')"


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("stops", "spark.stop()"),
        ("raises", "raise ValueError('no')"),
        ("fills-disk", f"resource.prlimit(pid, resource.RLIMIT_FSIZE, (9, 9)){WRITING}"),
        ("kills-jvm", "os.kill(pid, 9)\nspark.range(1).collect()"),
    ],
)
def test_after_a_job_that_leaves_what_can_not_be_taken_back_the_next_has_another_jvm(stack, name, last):
    stack.create_job(name, f"{IN_JVM}\nimport resource\nprint(pid, flush=True)\n{last}")
    stack.create_job(f"after-{name}", f"{IN_JVM}\nprint(pid)")
    pid = jvm_of(stack, stack.run(name))
    after = stack.run(f"after-{name}")
    assert after["JobRunState"] == "SUCCEEDED", after
    assert jvm_of(stack, after) != pid


def test_python_workers_are_a_job_s_own_and_end_with_it(stack):
    script = f"""{IN_JVM}
here = lambda _: (os.getpid(), os.environ["TMPDIR"])
((worker, folder),) = spark.sparkContext.parallelize([1], 1).map(here).collect()
print(pid, worker, folder == os.environ["TMPDIR"])
"""
    stack.create_job("forks", script)
    first, second = (stack.log("/aws-glue/jobs/output", stack.run("forks")["Id"]).split() for _ in "12")
    assert first[0] == second[0]
    assert first[1] != second[1]
    assert (first[2], second[2]) == ("True", "True")
    assert not psutil.pid_exists(int(first[1])) or psutil.Process(int(first[1])).status() == "zombie"


def test_what_a_job_prints_is_in_cloudwatch_when_it_ends(stack):
    uri = stack.put("in/logs.csv", "date,carrier\n2024-01-01,AA\n", "landing")
    run = stack.run("by-date", input=uri, output="s3://lake/logs/")
    assert f"rows: 1 run: {run['Id']}" in stack.log("/aws-glue/jobs/output", run["Id"])
    assert "written to stderr" in stack.log("/aws-glue/jobs/output", run["Id"])


def test_what_spark_writes_is_kept_apart_from_what_a_script_writes(stack):
    stack.create_job(
        "of-spark",
        "from pyspark.context import SparkContext\n"
        "java = SparkContext.getOrCreate()._jvm\n"
        "java.org.slf4j.LoggerFactory.getLogger('a.test').warn('written by Java')\n"
        "print('written by Python')\n",
    )
    run = stack.run("of-spark")
    assert run["JobRunState"] == "SUCCEEDED", run
    assert stack.log("/aws-glue/jobs/output", run["Id"]) == "written by Python"
    assert "WARN test: written by Java" in stack.log("/aws-glue/jobs/error", run["Id"])


def test_what_a_stopped_job_has_printed_is_in_cloudwatch(stack):
    stack.create_job("talker", "import time\nprint('first words', flush=True)\ntime.sleep(60)")
    run_id = stack.glue.start_job_run(JobName="talker")["JobRunId"]
    until(lambda: stack.job_run("talker", run_id)["JobRunState"] == "RUNNING", seconds=60)
    time.sleep(2)  # the worker begins the script
    stack.glue.batch_stop_job_run(JobName="talker", JobRunIds=[run_id])
    assert stack.wait("talker", run_id)["JobRunState"] == "STOPPED"
    assert stack.log("/aws-glue/jobs/output", run_id) == "first words"


def test_dynamic_partition_overwrite_replaces_only_the_partitions_written(stack):
    stack.create_job(
        "dynamic", COPY_BY_DATE,
        DefaultArguments={"--conf": "spark.sql.sources.partitionOverwriteMode=dynamic"},
    )  # fmt: skip
    first = stack.put("in/dyn/1.csv", "date,carrier\n2024-01-01,AA\n2024-01-02,BB\n", "landing")
    assert stack.run("dynamic", input=first, output="s3://lake/dynamic/")["JobRunState"] == "SUCCEEDED"
    untouched = stack.s3.head_object(Bucket="lake", Key=stack.keys("dynamic/date=2024-01-01/")[0])
    second = stack.put("in/dyn/2.csv", "date,carrier\n2024-01-02,CC\n2024-01-03,DD\n", "landing")
    assert stack.run("dynamic", input=second, output="s3://lake/dynamic/")["JobRunState"] == "SUCCEEDED"
    days = [stack.table(f"dynamic/date=2024-01-0{day}/")["carrier"] for day in (1, 2, 3)]
    assert days == [["AA"], ["CC"], ["DD"]]
    same = stack.s3.head_object(Bucket="lake", Key=stack.keys("dynamic/date=2024-01-01/")[0])
    assert same["LastModified"] == untouched["LastModified"]


def test_overwrite_deletes_what_the_job_removed(stack):
    first = stack.put("in/over/1.csv", "date,carrier\n2024-01-01,AA\n", "landing")
    second = stack.put("in/over/2.csv", "date,carrier\n2024-01-02,BB\n", "landing")
    for uri in (first, second):
        assert stack.run("by-date", input=uri, output="s3://lake/over/")["JobRunState"] == "SUCCEEDED"
    assert [key.split("/")[1] for key in stack.keys("over/")] == ["date=2024-01-02"]


def test_a_manifest_brings_the_objects_it_lists_and_py_files_are_imported(stack):
    one, two = (stack.put(f"in/man/{n}.csv", f"a\n{n}\n", "landing") for n in (1, 2))
    stack.put("in/man/3.csv", "a\n3\n", "landing")
    manifest = stack.put(
        "runs/1.manifest", json.dumps({"entries": [{"url": one}, {"url": two, "mandatory": True}]})
    )
    package = stack.put(
        "scripts/landing_paths.py", "def paths(m):\n    return [e['url'] for e in m['entries']]\n"
    )
    stack.create_job("manifested", READ_MANIFEST, DefaultArguments={"--extra-py-files": package})
    run = stack.run("manifested", manifest=manifest, output="s3://lake/manifested/")
    assert run["JobRunState"] == "SUCCEEDED", run
    assert sorted(stack.table("manifested/")["a"]) == ["1", "2"]


def test_a_manifest_that_lists_a_missing_object_fails_the_run(stack):
    manifest = stack.put("runs/2.manifest", json.dumps({"entries": [{"url": "s3://landing/gone.csv"}]}))
    stack.create_job("missing-entry", READ_MANIFEST)
    run = stack.run("missing-entry", manifest=manifest, output="s3://lake/missing-entry/")
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "s3://landing/gone.csv does not exist")


def test_a_script_that_raises_fails_the_run_and_stores_nothing(stack):
    script = COPY_BY_DATE + "\nraise ValueError('7 rows were lost')\n"
    stack.create_job("raising", script)
    uri = stack.put("in/raise.csv", "date,carrier\n2024-01-01,AA\n", "landing")
    run = stack.run("raising", input=uri, output="s3://lake/raising/")
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "ValueError: 7 rows were lost")
    assert stack.keys("raising/") == []
    assert "ValueError: 7 rows were lost" in stack.log("/aws-glue/jobs/output", run["Id"])


def test_exit_zero_is_success_and_any_other_is_failure(stack):
    stack.create_job("exit-0", "import sys; sys.exit(0)")
    stack.create_job("exit-3", "import sys; sys.exit(3)")
    assert stack.run("exit-0")["JobRunState"] == "SUCCEEDED"
    run = stack.run("exit-3")
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "SystemExit: 3")


def test_a_missing_script_fails_the_run_and_says_so(stack):
    stack.create_job("scriptless", "")
    stack.s3.delete_object(Bucket="lake", Key="scripts/scriptless.py")
    run = stack.run("scriptless")
    assert run["JobRunState"] == "FAILED"
    assert run["ErrorMessage"] == "s3://lake/scripts/scriptless.py does not exist"


def test_a_run_over_its_limit_times_out(stack):
    stack.create_job("slow", "import time; time.sleep(60)")
    run = stack.run("slow", airline_timeout_seconds="1")
    assert run["JobRunState"] == "TIMEOUT"
    assert "limit of 1 s" in run["ErrorMessage"]


def test_one_run_at_a_time_is_the_default_and_a_run_can_be_stopped(stack):
    stack.create_job("alone", "import time; time.sleep(60)")
    run_id = stack.glue.start_job_run(JobName="alone")["JobRunId"]
    with pytest.raises(stack.glue.exceptions.ConcurrentRunsExceededException):
        stack.glue.start_job_run(JobName="alone")
    answer = stack.glue.batch_stop_job_run(JobName="alone", JobRunIds=[run_id, "jr_unknown"])
    assert [row["JobRunId"] for row in answer["SuccessfulSubmissions"]] == [run_id]
    assert [row["JobRunId"] for row in answer["Errors"]] == ["jr_unknown"]
    assert stack.wait("alone", run_id)["JobRunState"] == "STOPPED"


@pytest.fixture
def its_settings(stack, monkeypatch):
    """This process's settings lead to the gateway."""
    for name in [name for name in os.environ if name.startswith(("AIRLINE_", "AWS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", stack.endpoint)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.mark.filterwarnings("default")  # Dagster's own Pipes session uses what Dagster warns of
@pytest.mark.usefixtures("its_settings")
def test_a_job_that_is_never_free_is_told_of_and_not_started(stack, monkeypatch):
    @dg.asset
    def made_by_glue(context: dg.AssetExecutionContext, jobs: dg.ResourceParam[glue.Glue]) -> None:
        jobs.run_job(context, "busy", {})

    monkeypatch.setattr(glue, "TURN_SECONDS", 1)
    stack.create_job("busy", "import time; time.sleep(60)")
    run_id = stack.glue.start_job_run(JobName="busy")["JobRunId"]
    given = {
        "jobs": glue.Glue(
            database=DATABASE, pipes_bucket="lake", log_prefix="none", aws=AwsConfig.of(get_settings())
        )
    }
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(GlueJobFailed, match="Glue job busy was not free within"),
    ):
        dg.materialize([made_by_glue], resources=given, instance=instance)
    assert [run["Id"] for run in stack.glue.get_job_runs(JobName="busy")["JobRuns"]] == [run_id]
    stack.glue.batch_stop_job_run(JobName="busy", JobRunIds=[run_id])
    stack.wait("busy", run_id)


REPORTING_SCRIPT = """
import boto3, time
from dagster_pipes import (
    PipesCliArgsParamsLoader, PipesS3ContextLoader, PipesS3MessageWriter, open_dagster_pipes
)
s3 = boto3.client("s3")
with open_dagster_pipes(
    context_loader=PipesS3ContextLoader(client=s3),
    message_writer=PipesS3MessageWriter(client=s3, interval=0.2),
    params_loader=PipesCliArgsParamsLoader(),
) as pipes:
    time.sleep(2)
    pipes.report_custom_message({"files": [{"url": "s3://x"}]})
"""


class Killed(BaseException):
    """Ends a Dagster run without a word to its job."""


@pytest.mark.filterwarnings("default")  # as above
@pytest.mark.usefixtures("its_settings")
@pytest.mark.parametrize("meanwhile", ["is at work", "has succeeded"])
def test_the_retry_of_a_killed_run_takes_its_job_run_and_starts_none(stack, monkeypatch, meanwhile):
    name, found = f"left-{meanwhile.replace(' ', '-')}", []

    @dg.asset
    def made_by_glue(context: dg.AssetExecutionContext, jobs: dg.ResourceParam[glue.Glue]) -> Any:
        found.append(jobs.run_job(context, name, {glue.WORK: "digest"}))
        return dg.MaterializeResult()

    def killed(*_: Any) -> None:
        raise Killed

    def runs() -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = stack.glue.get_job_runs(JobName=name)["JobRuns"]
        return answer

    stack.create_job(name, REPORTING_SCRIPT)
    jobs = glue.Glue(
        database=DATABASE, pipes_bucket="lake", log_prefix="none", aws=AwsConfig.of(get_settings())
    )
    monkeypatch.setattr(glue, "chain_of", lambda *_: "chain")
    with dg.DagsterInstance.ephemeral() as instance:
        with monkeypatch.context() as patch:
            patch.setattr(glue.Glue, "_wait", killed)
            with pytest.raises(Killed):
                dg.materialize([made_by_glue], resources={"jobs": jobs}, instance=instance)
        (left,) = runs()
        if meanwhile == "has succeeded":
            assert stack.wait(name, left["Id"])["JobRunState"] == "SUCCEEDED"
        dg.materialize([made_by_glue], resources={"jobs": jobs}, instance=instance)

    ((job_run, messages),) = found
    assert (job_run["Id"], job_run["JobRunState"]) == (left["Id"], "SUCCEEDED")
    assert messages == [{"files": [{"url": "s3://x"}]}]
    assert [run["Id"] for run in runs()] == [left["Id"]]


def test_a_killed_spark_process_fails_the_run(stack):
    stack.create_job("killed", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    run = stack.run("killed")
    assert run["JobRunState"] == "FAILED"
    assert "Spark process died" in run["ErrorMessage"]


def test_a_worker_that_died_while_idle_is_replaced(stack):
    stack.wait_for_worker()
    workers = psutil.Process(stack.process.pid).children()
    for worker in workers:
        worker.kill()
    # On a busy machine a killed process still takes a job before it is gone, and that job would fail.
    until(lambda: not any(map(lives, workers)), seconds=30)
    stack.create_job("after-death", "print('hello')")
    run = stack.run("after-death")
    assert run["JobRunState"] == "SUCCEEDED", run


def test_python_functions_of_a_job_run_in_this_python(stack):
    script = """
from pyspark.sql import SparkSession, functions as F
spark = SparkSession.builder.getOrCreate()
shout = F.udf(lambda number: f"{number}!")
spark.range(3).select(shout("id").alias("said")).coalesce(1).write.parquet("s3a://lake/udf/")
"""
    stack.create_job("udf", script)
    assert stack.run("udf")["JobRunState"] == "SUCCEEDED"
    assert stack.table("udf/") == {"said": ["0!", "1!", "2!"]}


def test_a_failure_inside_spark_shows_its_cause_without_the_stack(stack):
    script = """
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.range(2).selectExpr("assert_true(id < 1, 'too big')").collect()
"""
    stack.create_job("java", script)
    message = stack.run("java")["ErrorMessage"]
    assert message.startswith("Py4JJavaError: An error occurred while calling")
    assert message.endswith("java.lang.RuntimeException: too big")


def test_boto3_in_a_job_talks_to_this_gateway(stack):
    stack.create_job(
        "boto", "import boto3\nboto3.client('s3').put_object(Bucket='lake', Key='from-boto', Body=b'x')"
    )
    assert stack.run("boto")["JobRunState"] == "SUCCEEDED"
    assert stack.keys("from-boto") == ["from-boto"]


def test_an_unknown_job_or_run_is_entity_not_found(stack):
    with pytest.raises(stack.glue.exceptions.EntityNotFoundException):
        stack.glue.start_job_run(JobName="nobody")
    with pytest.raises(stack.glue.exceptions.EntityNotFoundException):
        stack.glue.get_job_run(JobName="by-date", RunId="jr_nothing")


def test_a_crawl_makes_the_table_and_its_partitions_and_a_second_adds_the_new_ones(stack):
    body = "Carrier,OriginAirportID,DepDelay,Day\nAA,10,1.5,2024-01-01\nBB,11,,2024-01-02\n"
    for day in (1, 2):
        stack.put(f"daily_flights/date=2024-01-0{day}/part 1.csv", body, "landing")
    stack.create_crawler("flights", "s3://landing/daily_flights/", TablePrefix="raw_")
    assert stack.crawl("flights")["Status"] == "SUCCEEDED"
    table = stack.glue.get_table(DatabaseName=DATABASE, Name="raw_daily_flights")["Table"]
    columns = {column["Name"]: column["Type"] for column in table["StorageDescriptor"]["Columns"]}
    assert columns == {"carrier": "string", "originairportid": "bigint", "depdelay": "double", "day": "date"}
    assert table["PartitionKeys"] == [{"Name": "date", "Type": "string"}]
    assert table["Parameters"]["classification"] == "csv"
    assert table["Parameters"]["skip.header.line.count"] == "1"

    stack.put("daily_flights/date=2024-02-01/1.csv", body, "landing")
    last = stack.crawl("flights")
    named = {"DatabaseName": DATABASE, "TableName": "raw_daily_flights"}
    partitions = stack.glue.get_partitions(**named)["Partitions"]
    assert [p["Values"] for p in partitions] == [["2024-01-01"], ["2024-01-02"], ["2024-02-01"]]
    place = partitions[2]["StorageDescriptor"]["Location"]
    assert place == "s3://landing/daily_flights/date=2024-02-01/"
    assert last["LogStream"] == "flights"
    assert "Added 1 partitions" in stack.crawl_log(last)
    assert "Created table" not in stack.crawl_log(last)


@pytest.mark.parametrize(
    ("name", "path", "database", "reason"),
    [
        ("no-bucket", "s3://nowhere/x/", DATABASE, "Bucket nowhere does not exist"),
        ("no-path", "s3://landing/nothing-here/", DATABASE, "no data below s3://landing/nothing-here/"),
        ("no-database", "s3://landing/", "absent", "Database 'absent' does not exist"),
    ],
)
def test_a_crawl_that_cannot_succeed_fails_with_the_reason(stack, name, path, database, reason):
    stack.create_crawler(name, path, DatabaseName=database)
    last = stack.crawl(name)
    assert last["Status"] == "FAILED"
    assert reason in last["ErrorMessage"]


def test_a_second_start_of_a_running_crawler_is_refused(stack):
    with ThreadPoolExecutor(20) as threads:
        list(threads.map(lambda n: stack.put(f"many/date={n}/1.csv", "a,b\n1,2\n", "landing"), range(200)))
    stack.create_crawler("many", "s3://landing/many/")
    stack.glue.start_crawler(Name="many")
    with pytest.raises(stack.glue.exceptions.CrawlerRunningException):
        stack.glue.start_crawler(Name="many")
    until(lambda: stack.glue.get_crawler(Name="many")["Crawler"]["State"] == "READY", seconds=60)
    found = stack.glue.get_partitions(DatabaseName=DATABASE, TableName="many")["Partitions"]
    assert len(found) == 200


def test_an_unknown_crawler_is_entity_not_found(stack):
    with pytest.raises(stack.glue.exceptions.EntityNotFoundException):
        stack.glue.start_crawler(Name="nobody")


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/_ministack/reset", {}),
        ("/_ministack/config", {}),
        ("/lake?list-type=2", {"Origin": "https://example.com"}),
    ],
)
def test_what_would_harm_is_refused(stack, path, headers):
    answer = requests.post(f"{stack.endpoint}{path}", data=b"{}", headers=headers, timeout=5)
    assert answer.status_code == 403
    assert "message" in answer.json()
    assert "lake" in [bucket["Name"] for bucket in stack.s3.list_buckets()["Buckets"]]


def test_a_second_gateway_on_the_same_state_refuses_to_start(stack):
    command = [sys.executable, "-m", "laptop.gateway", "--port", "0", "--state", stack.state]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 1
    assert "Another gateway serves" in answer.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_gateway_and_objects_do(tmp_path, jvm, number):
    first = Stack(tmp_path / "state", jvm)
    first.s3.create_bucket(Bucket="lake")
    first.s3.put_bucket_versioning(Bucket="lake", VersioningConfiguration={"Status": "Enabled"})
    versions = [
        first.s3.put_object(Bucket="lake", Key="a b", Body=body)["VersionId"] for body in (b"1", b"2")
    ]
    first.create_job("forever", "import time; time.sleep(600)")
    run_id = first.glue.start_job_run(JobName="forever")["JobRunId"]
    until(lambda: first.job_run("forever", run_id)["JobRunState"] == "RUNNING", seconds=90)
    children = first.processes()
    assert any("java" in child.name() for child in children)
    assert first.end(number) == (0 if number == signal.SIGTERM else -number)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert (len(gone), alive) == (len(children), [])

    second = Stack(tmp_path / "state", jvm)
    try:
        assert second.s3.get_object(Bucket="lake", Key="a b")["Body"].read() == b"2"
        old = second.s3.get_object(Bucket="lake", Key="a b", VersionId=versions[0])
        assert old["Body"].read() == b"1"
        assert {path.name for path in (tmp_path / "state" / "glue").iterdir()} <= {"workers"}
    finally:
        second.end()
