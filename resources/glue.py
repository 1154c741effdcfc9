"""AWS Glue: tables and days registered, crawlers waited for, job runs carried through Dagster Pipes."""

import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast
from uuid import uuid4

from botocore.exceptions import ClientError
from dagster import AssetExecutionContext, DagsterInstance, DagsterRun, open_pipes_session
from pydantic import PrivateAttr
from tenacity import (
    RetryCallState,
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_delay,
    wait_exponential,
)

from airline_platform.errors import AirlineError, CrawlerFailed, GlueJobFailed
from airline_platform.settings import Settings
from resources.aws import caller
from resources.aws.audited import AuditedResource, AwsConfig
from resources.aws.client import AwsAccess, make_client, reaching
from resources.catalog import CatalogTable, ensure_table, mark_confirmed, partitions_of
from resources.cost import cost_metadata, crawl_dpu_seconds, job_dpu_seconds

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import CrawlerTypeDef, JobRunTypeDef, LastCrawlInfoTypeDef
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import OutputLogEventTypeDef

POLL = wait_exponential(multiplier=0.1, exp_base=1.1, max=5)
"""A tenth of the time waited so far: an end is seen soon, be it a laptop's after 2 s or an account's after
minutes. 5 s at most."""

TURN = wait_exponential(multiplier=0.1, exp_base=1.1, max=1)
"""Between two looks whether a job is free again: sooner than `POLL`, because a whole run waits."""

TURN_SECONDS = 2 * 60 * 60
"""How long a job may be another one's. Its own limit is half of that, as the template says."""

CRAWL_SECONDS = 30 * 60
ENDED = ("SUCCEEDED", "FAILED", "TIMEOUT", "STOPPED", "ERROR", "EXPIRED")
LOG_LINES = 50
LATEST_RUNS = 20
"""Runs of a job that are looked at, the newest first: how many a chain of retries can find its own among."""

RETRY_NUMBER_TAG = "dagster/retry_number"
"""Tag of a run that Dagster has started as a retry."""

AT_WORK = ("STARTING", "RUNNING", "WAITING")
"""States of a run that can still succeed by itself; one that is STOPPING can not."""

PARTITIONS = "airline-partitions"
"""Argument of a job: folders below its outputs, such as `date=2013-01-01,date=2013-01-02`; it writes to these
alone. A laptop's Glue brings it nothing else of its outputs; AWS ignores it."""

WORK = "airline-work"
"""Argument of a job: a digest of what it is to do, by which a retry finds its run. No script reads it."""

CHAIN = "airline-chain"
"""Argument of a job: the Dagster run it works for, and of a retry the first run of its chain of retries."""

OUTPUTS = ("--output", "--rejects")
"""Arguments of a job that say where it writes."""


@dataclass(frozen=True)
class Crawl:
    """A crawl that has ended, well or not.

    Args:
        crawler: The crawler's whole name.
        last: Glue's `LastCrawl`. A crawl that failed leaves the crawler READY, so its status decides.
        aws: Where its log is.
        seconds: From its start to its end, as far as that was seen from here.
    """

    crawler: str
    last: Mapping[str, Any]
    aws: AwsAccess
    seconds: float = 0.0

    def cost(self, partitions: int) -> dict[str, float]:
        """Return as metadata what it has cost each of so many partitions."""
        return cost_metadata(crawl_dpu_seconds(self.seconds), partitions)

    def require_success(self) -> None:
        """Raise where the crawl has failed.

        Raises:
            CrawlerFailed: It ended with anything but SUCCEEDED, with Glue's reason.
        """
        if self.last.get("Status") != "SUCCEEDED":
            group, stream = self.last.get("LogGroup"), self.last.get("LogStream")
            raise CrawlerFailed(
                f"crawler {self.crawler} ended with {self.last.get('Status')}: "
                f"{self.last.get('ErrorMessage') or 'no reason given'}",
                remedy=(
                    f"Read the crawl's log (group {group}, stream {stream}), mend what it names, then re-run "
                    "from this step."
                ),
            )

    def warnings(self) -> list[str]:
        """Return what its log warns of: files that differ from the catalog's table, or can't be read.

        Raises:
            ClientError: CloudWatch refuses to show the log.
        """
        logs = make_client(self.aws, "logs")
        # In an account all crawls of a crawler write into one stream; each line begins with its crawl's id.
        with reaching(self.aws):
            events = logs.get_log_events(
                logGroupName=self.last["LogGroup"],
                logStreamName=self.last["LogStream"],
                startTime=int(self.last["StartTime"].timestamp() * 1000) - 1000,
                startFromHead=True,
            )["events"]
        begin = re.compile(rf"\[{re.escape(self.last['MessagePrefix'])}] WARN\w* *: *")
        return [begin.sub("", e["message"], count=1) for e in events if begin.match(e["message"])]


class Glue(AuditedResource):
    """Glue: a database of the Data Catalog, its crawlers, and the jobs.

    Args:
        database: Its name.
        pipes_bucket: Through which jobs and Dagster Pipes exchange messages.
        log_prefix: Of CloudWatch's log groups of the jobs.
    """

    database: str
    pipes_bucket: str
    log_prefix: str
    _spent: dict[str, float] = PrivateAttr(default_factory=dict)

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return Glue of these settings."""
        return cls(
            database=settings.glue_database,
            pipes_bucket=settings.lake_bucket,
            log_prefix=settings.glue_log_prefix,
            aws=AwsConfig.of(settings),
        )

    def client(self) -> "GlueClient":
        """Return a boto3 Glue client of this access."""
        return make_client(self.aws, "glue")

    def find_table(self, name: str) -> Mapping[str, Any] | None:
        """Return a catalog table as GetTable gives it; None where there is none."""
        client = self.client()
        try:
            with reaching(self.aws):
                return client.get_table(DatabaseName=self.database, Name=name)["Table"]
        except client.exceptions.EntityNotFoundException:
            return None

    def declare(self, table: CatalogTable) -> Mapping[str, Any]:
        """Make a catalog table as it is declared, or mend it; return it as the catalog has it now."""
        with reaching(self.aws):
            return ensure_table(self.client(), self.database, table)

    def confirm(self, table: CatalogTable) -> None:
        """Write down that a crawl has confirmed a table's declaration."""
        with reaching(self.aws):
            mark_confirmed(self.client(), self.database, table)

    def crawl(self, crawler: str, *, wait_for_turn: bool = True) -> "Crawl":
        """Run a crawler and wait for its end.

        Args:
            crawler: Its whole name.
            wait_for_turn: Whether a crawl that is under way is waited for, and the crawler run again; else
                it is a failure.

        Raises:
            CrawlerFailed: It was busy, or took too long.
        """
        client = self.client()
        busy = client.exceptions.CrawlerRunningException
        turn = Retrying(
            retry=retry_if_exception_type(busy),
            wait=POLL,
            stop=stop_after_delay(CRAWL_SECONDS if wait_for_turn else 0),
        )
        poll = Retrying(
            retry=retry_if_result(lambda last: last is None), wait=POLL, stop=stop_after_delay(CRAWL_SECONDS)
        )

        def start() -> "CrawlerTypeDef":
            before = client.get_crawler(Name=crawler)["Crawler"]
            client.start_crawler(Name=crawler)
            return before

        with reaching(self.aws):
            try:
                before, started = turn(start).get("LastCrawl", {}), time.monotonic()
                last = poll(lambda: _ended_since(before, client.get_crawler(Name=crawler)["Crawler"]))
            except RetryError:
                raise CrawlerFailed(
                    f"crawler {crawler} was busy, or took longer than {CRAWL_SECONDS // 60} minutes",
                    remedy="Look what the crawler does, stop it if it hangs, then re-run from this step.",
                ) from None
        return Crawl(crawler, last or {}, self.aws, time.monotonic() - started)

    def add_partitions(self, table: Mapping[str, Any], locations: Mapping[str, str]) -> list[str]:
        """Register day partitions the table lacks; it keeps the ones it has.

        Args:
            table: As `find_table` gives it.
            locations: `s3://` location by partition value.

        Returns:
            The values that were new.

        Raises:
            AirlineError: Glue refused one of them.
        """
        client = self.client()
        name, storage = table["Name"], table["StorageDescriptor"]
        with reaching(self.aws):
            new = sorted(set(locations) - self._present(name, locations))
            for some in _chunks(new, 100):
                inputs: Any = [
                    {"Values": [value], "StorageDescriptor": {**storage, "Location": locations[value]}}
                    for value in some
                ]
                answer = client.batch_create_partition(
                    DatabaseName=self.database, TableName=name, PartitionInputList=inputs
                )
                if refused := [error for error in answer.get("Errors", ()) if not _exists_already(error)]:
                    raise AirlineError(
                        f"Glue did not register partitions of {self.database}.{name}: {refused}",
                        remedy="Check the Glue permissions of this role, then re-run from this step.",
                    )
        return new

    def _present(self, table: str, values: Iterable[str]) -> set[str]:
        """Which of the partition values the table has."""
        present = set()
        for some in _chunks(sorted(values), 1000):
            found = partitions_of(self.client(), self.database, table, some)
            present |= {partition["Values"][0] for partition in found}
        return present

    def run_job(
        self,
        context: AssetExecutionContext,
        job: str,
        arguments: Mapping[str, str],
        before_start: Callable[[], None] = lambda: None,
    ) -> tuple["JobRunTypeDef", list[Any]]:
        """Have a job's work done, follow it to its end, and take what it reports through Dagster Pipes.

        Where the arguments have a digest (`WORK`), a run that an earlier run of the same chain of retries has
        left behind is adopted: waited for where it is at work, taken as it is where it has succeeded
        (docs/adr/0031). Where the job works for another run, that one's end is waited for. When the Dagster
        run is cancelled, the job run is stopped with it.

        Args:
            context: Of the asset that runs.
            job: Name of the Glue job.
            arguments: Without the leading dashes.
            before_start: Is called when the job is free, before each try to start it; it may raise.

        Returns:
            The ended job run, with the arguments it was started with, and the messages its script reported.

        Raises:
            GlueJobFailed: It ended in anything but SUCCEEDED; its last output is in the run's log. Or the job
                was never free.
        """
        passed_over: set[str] = set()
        while True:
            run, messages, adopted = self._follow(context, job, arguments, passed_over, before_start)
            if run["JobRunState"] == "SUCCEEDED" and (messages or not adopted):
                return run, messages
            if not adopted:
                raise self._failure(context, job, run)
            # Nobody knows whether it failed over its data or because its Dagster run died: it is no verdict.
            passed_over.add(run["Id"])
            state = run["JobRunState"]
            context.log.info("Glue job %s: run %s, adopted, ended %s, of no use", job, run["Id"], state)

    def _follow(
        self,
        context: AssetExecutionContext,
        job: str,
        arguments: Mapping[str, str],
        passed_over: Collection[str],
        before_start: Callable[[], None],
    ) -> tuple["JobRunTypeDef", list[Any], bool]:
        """Start a job run, or adopt one, and wait for its end.

        Args:
            context: Of the asset that runs.
            job: Name of the Glue job.
            arguments: Without the leading dashes.
            passed_over: Ids of runs that were adopted in vain.
            before_start: As for `run_job`.

        Returns:
            The ended run, its messages, and whether it was adopted.
        """
        from dagster_aws.pipes import PipesS3ContextInjector  # noqa: PLC0415 - costs 0.5 s, only jobs need it

        from resources.pipes import PolledS3MessageReader, messages_of  # noqa: PLC0415

        s3 = make_client(self.aws, "s3")
        scratch = f"_tmp/pipes/{context.run.run_id}/{uuid4()}"
        reader = PolledS3MessageReader(self.pipes_bucket, s3, f"{scratch}/messages")
        injector = PipesS3ContextInjector(bucket=self.pipes_bucket, client=s3, key_prefix=f"{scratch}/")
        with (
            reaching(self.aws),
            open_pipes_session(context=context, context_injector=injector, message_reader=reader) as session,
        ):
            chain = {CHAIN: chain_of(context.run, context.instance)} if WORK in arguments else {}
            passed = {**arguments, **chain, **session.get_bootstrap_cli_arguments(), **caller.job_arguments()}
            given = {f"--{name.removeprefix('--')}": value for name, value in passed.items()}
            run_id, adopted = self._start(context, job, given, passed_over, before_start)
            if adopted:
                reader.read_from(messages_of(adopted["Arguments"]))
            what = f"{adopted['JobRunState']}, is adopted" if adopted else "started"
            context.log.info("Glue job %s: run %s %s", job, run_id, what)
            run = self._wait(job, run_id, reader.read_new)
        self._tell_cost(context, run)
        return run, list(session.get_custom_messages()), bool(adopted)

    def _tell_cost(self, context: AssetExecutionContext, run: "JobRunTypeDef") -> None:
        """Write on each partition of the step its share of what the step's job runs have cost until now."""
        step = f"{context.run.run_id} {context.asset_key.to_user_string()}"
        spent = self._spent[step] = self._spent.get(step, 0.0) + job_dpu_seconds(run)
        in_days = context.has_partition_key or context.has_partition_key_range
        partitions = len(context.partition_keys) if in_days else 1
        context.add_asset_metadata(cost_metadata(spent, partitions))

    def _failure(self, context: AssetExecutionContext, job: str, run: "JobRunTypeDef") -> GlueJobFailed:
        """Return the error of a job run that did not succeed, and show the end of its output."""
        self._forward_log(context, run["Id"])
        words = run.get("ErrorMessage", "")
        return GlueJobFailed(
            f"Glue job {job} run {run['Id']} ended with {run['JobRunState']}: {words or 'no reason given'}",
            remedy="Read the end of its output in this run's log, mend the cause, re-run from this step.",
            state=run["JobRunState"],
            words=words,
        )

    def _start(
        self,
        context: AssetExecutionContext,
        job: str,
        arguments: dict[str, str],
        passed_over: Collection[str],
        before_start: Callable[[], None],
    ) -> tuple[str, "JobRunTypeDef | None"]:
        """Start a job run as soon as no other one of the job works; two might write the same folders.

        Before each try the latest runs are looked through for one that has done, or does, just this: also
        one that was started a moment ago by a request whose answer was lost.

        Returns:
            The run's id; and the run itself where it was adopted and not started.
        """
        client = self.client()

        def start() -> "tuple[str, JobRunTypeDef | None] | None":
            runs = client.get_job_runs(JobName=job, MaxResults=LATEST_RUNS)["JobRuns"]
            if found := left_behind(runs, arguments, passed_over):
                return found["Id"], found
            if all(run["JobRunState"] in ENDED for run in runs):
                before_start()
                # Another one may still be faster, or an ended one still count.
                with suppress(client.exceptions.ConcurrentRunsExceededException):
                    return client.start_job_run(JobName=job, Arguments=arguments)["JobRunId"], None
            return None

        def log_once(state: RetryCallState) -> None:
            if state.attempt_number == 1:
                context.log.info("Glue job %s works for another run: its end is waited for", job)

        turn = Retrying(
            retry=retry_if_result(lambda found: found is None),
            wait=TURN,
            stop=stop_after_delay(TURN_SECONDS),
            before_sleep=log_once,
        )
        try:
            found = turn(start)
        except RetryError:
            raise GlueJobFailed(
                f"Glue job {job} was not free within {TURN_SECONDS // 60} minutes",
                remedy="Look which of its runs hangs, stop that one, then re-run from this step.",
            ) from None
        return cast("tuple[str, JobRunTypeDef | None]", found)

    def _wait(self, job: str, run_id: str, on_poll: Callable[[], None]) -> "JobRunTypeDef":
        client = self.client()

        def look() -> "JobRunTypeDef":
            on_poll()
            return client.get_job_run(JobName=job, RunId=run_id)["JobRun"]

        poll = Retrying(
            retry=retry_if_result(lambda run: run["JobRunState"] not in ENDED), wait=POLL, reraise=True
        )
        try:
            return poll(look)
        except BaseException:
            # Cancelled, or the endpoint is gone: nobody follows this job run any more.
            client.batch_stop_job_run(JobName=job, JobRunIds=[run_id])
            raise

    def _forward_log(self, context: AssetExecutionContext, run_id: str) -> None:
        """Show how the logs of a failed job run end.

        Since Glue 5 what a script writes, a traceback included, is in the group `<prefix>/output`, and what
        Spark writes in `<prefix>/error`. Names of streams begin with the run's id; what follows is a driver's
        or an executor's (https://docs.aws.amazon.com/glue/latest/dg/monitor-continuous-logging.html).
        """
        output, of_spark = (self._last_lines(context, group, run_id) for group in ("output", "error"))
        if of_spark:
            context.log.info("Spark's own log ends with:\n%s", "\n".join(of_spark))
        if output:
            context.log.error("The job's output ends with:\n%s", "\n".join(output))

    def _last_lines(self, context: AssetExecutionContext, group: str, run_id: str) -> list[str]:
        """Return the last lines of a job run in one of its log groups; none where they can't be read."""
        logs, name = make_client(self.aws, "logs"), f"{self.log_prefix}/{group}"
        events: list[OutputLogEventTypeDef] = []
        try:
            for stream in logs.describe_log_streams(logGroupName=name, logStreamNamePrefix=run_id)[
                "logStreams"
            ]:
                events += _last_events(logs, name, stream["logStreamName"])
        except logs.exceptions.ResourceNotFoundException:
            return []
        except ClientError as error:
            # Nobody is to read of the log what was to be read of the job.
            context.log.warning("The log %s of job run %s can't be read: %s", name, run_id, error)
        events.sort(key=lambda event: event["timestamp"])
        return [event["message"] for event in events[-LOG_LINES:]]


def _ended_since(before: "LastCrawlInfoTypeDef", crawler: "CrawlerTypeDef") -> "LastCrawlInfoTypeDef | None":
    """Return the crawl that has ended since the one before; None as long as there is none.

    Right after StartCrawler, GetCrawler may still say READY, with the crawl before.
    """
    last = crawler.get("LastCrawl", {})
    ended = crawler["State"] == "READY" and last and last.get("StartTime") != before.get("StartTime")
    return last if ended else None


def left_behind(
    runs: Iterable["JobRunTypeDef"], arguments: Mapping[str, str], passed_over: Collection[str] = ()
) -> "JobRunTypeDef | None":
    """Return the run of a job that has done, or does, what a new one would be started for; None for none.

    It has the same digest and was started in the same chain of retries, so nobody else follows it. One at
    work goes before one that has ended. What a newer run wrote to the same days of the same place replaces
    what an older one did, whatever became of the newer: then the older one's result is not there any more.

    Args:
        runs: Of the job, the newest first, as GetJobRuns gives them.
        arguments: Of the new run, with their dashes.
        passed_over: Ids of runs that are not to be taken.
    """
    succeeded, replaced = None, False
    for run in runs:
        its = run.get("Arguments", {})
        if run["Id"] in passed_over or not _same_work(its, arguments):
            replaced = replaced or _same_place(its, arguments)
        elif run["JobRunState"] in AT_WORK:
            return run
        elif run["JobRunState"] == "SUCCEEDED" and not replaced:
            succeeded = succeeded or run
        else:
            replaced = True
    return succeeded


def chain_of(run: DagsterRun, instance: DagsterInstance) -> str:
    """Return what names a run and the retries that Dagster itself makes of it: the id of the first of them.

    A person who re-executes a run wants the work done anew, so that run begins a chain of its own, and the
    retries of that run belong to it. The first run of all (`root_run_id`) is the same for both, so the way
    goes from retry to parent. By the number of the retry Dagster's own daemon tells the two apart
    (`auto_run_reexecution.py`); a re-execution does not take it over (`TAGS_TO_MAYBE_OMIT_ON_RETRY`).
    A parent that was deleted ends the way: then the work is done anew.
    """
    while RETRY_NUMBER_TAG in run.tags and run.parent_run_id:
        parent = instance.get_run_by_id(run.parent_run_id)
        if parent is None:
            break
        run = parent
    return run.run_id


def _same_work(its: Mapping[str, str], arguments: Mapping[str, str]) -> bool:
    names = (f"--{WORK}", f"--{CHAIN}")
    return all(name in arguments and its.get(name) == arguments[name] for name in names)


def _same_place(its: Mapping[str, str], arguments: Mapping[str, str]) -> bool:
    """Whether two runs write to a day of the same place."""
    days, others = (set(each.get(f"--{PARTITIONS}", "").split(",")) - {""} for each in (its, arguments))
    return bool(days & others) and any(name in its and its[name] == arguments.get(name) for name in OUTPUTS)


def _exists_already(error: Mapping[str, Any]) -> bool:
    return bool(error.get("ErrorDetail", {}).get("ErrorCode") == "AlreadyExistsException")


def _last_events(logs: "CloudWatchLogsClient", group: str, stream: str) -> list["OutputLogEventTypeDef"]:
    """Return the last events of a stream, `LOG_LINES` at most.

    A page may be empty although there are events further back; at the end its token is the one that was
    given (https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html).
    """
    further: Any = {}
    while True:
        page = logs.get_log_events(
            logGroupName=group, logStreamName=stream, limit=LOG_LINES, startFromHead=False, **further
        )
        token = page.get("nextBackwardToken", "")
        if page["events"] or token == further.get("nextToken", ""):
            return page["events"]
        further = {"nextToken": token}


def _chunks(values: Sequence[str], size: int) -> list[Sequence[str]]:
    return [values[start : start + size] for start in range(0, len(values), size)]
