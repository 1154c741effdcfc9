"""Answers the Glue calls that MiniStack only pretends to run, on top of the answer MiniStack gave.

MiniStack sees every call first: it knows the definitions, refuses what doesn't exist, and records the call
for CloudTrail. Each method here takes the request and that answer and returns the answer the caller gets.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from laptop.glue.concurrency import JobConcurrency
from laptop.glue.crawler import CrawlerEngine
from laptop.glue.engine import GlueEngine, is_spark_job
from laptop.glue.errors import glue_error

logger = logging.getLogger(__name__)

Document = dict[str, Any]
PAGE_ROWS = 200


class GlueApi:
    """The actions this gateway answers itself."""

    def __init__(self, engine: GlueEngine, crawlers: CrawlerEngine, client: Callable[[str], Any]) -> None:
        """Answer with these engines.

        Args:
            engine: Runs the jobs.
            crawlers: Runs the crawlers.
            client: Makes a boto3 client of the gateway for a service's name.
        """
        self._engine = engine
        self._crawlers = crawlers
        self._client = client
        self._concurrency = JobConcurrency(client)
        self._methods: dict[str, Callable[[Document, Document], Document]] = {
            "StartJobRun": self._start_job_run,
            "GetJobRun": self._get_job_run,
            "GetJobRuns": self._get_job_runs,
            "BatchStopJobRun": self._batch_stop_job_run,
            "CreateJob": self._create_job,
            "UpdateJob": self._update_job,
            "StartCrawler": self._start_crawler,
            "StopCrawler": self._stop_crawler,
            "GetCrawler": self._get_crawler,
            "GetCrawlers": self._get_crawlers,
            "GetCrawlerMetrics": self._get_crawler_metrics,
            "GetPartitions": self._get_partitions,
            "UpdatePartition": self._update_partition,
            "BatchDeletePartition": self._batch_delete_partition,
        }

    def answers(self, action: str) -> bool:
        """Whether the action is answered here."""
        return action in self._methods

    def answer(self, action: str, request: Document, ministack: Document) -> Document:
        """The answer to a call; `ministack` is what MiniStack answered, an error document included.

        Raises:
            ClientError: Glue would refuse the call.
        """
        return self._methods[action](request, ministack)

    def _start_job_run(self, request: Document, ministack: Document) -> Document:
        _raise_not_found("StartJobRun", ministack)
        name = request["JobName"]
        job = self._client("glue").get_job(JobName=name)["Job"]
        if not is_spark_job(job):
            return ministack
        limit = self._concurrency.limit(name)
        return {"JobRunId": self._engine.start(job, request, max_concurrent=limit)}

    def _get_job_run(self, request: Document, ministack: Document) -> Document:
        run = self._engine.find(request.get("JobName", ""), request.get("RunId", ""))
        return {"JobRun": run.describe()} if run else ministack

    def _get_job_runs(self, request: Document, ministack: Document) -> Document:
        runs = self._engine.runs(request.get("JobName", ""))
        if not runs:
            return ministack
        start = int(request.get("NextToken") or 0)
        end = start + int(request.get("MaxResults") or PAGE_ROWS)
        page: Document = {"JobRuns": [run.describe() for run in runs[start:end]]}
        return page | ({"NextToken": str(end)} if end < len(runs) else {})

    def _batch_stop_job_run(self, request: Document, ministack: Document) -> Document:
        name, ids = request.get("JobName", ""), request.get("JobRunIds", [])
        ours = {run.id: run for run in self._engine.runs(name)}
        answer: Document = {
            part: [row for row in ministack.get(part, []) if row["JobRunId"] not in ours]
            for part in ("SuccessfulSubmissions", "Errors")
        }
        for run in (ours[run_id] for run_id in ids if run_id in ours):
            row = {"JobName": name, "JobRunId": run.id}
            if run.final:
                detail = {
                    "ErrorCode": "IllegalStateException",
                    "ErrorMessage": f"Run {run.id} is {run.state}",
                }
                answer["Errors"].append(row | {"ErrorDetail": detail})
            else:
                self._engine.stop(run)
                answer["SuccessfulSubmissions"].append(row)
        return answer

    def _create_job(self, request: Document, ministack: Document) -> Document:
        if "__type" not in ministack:
            self._concurrency.declare(request["Name"], request)
        return ministack

    def _update_job(self, request: Document, ministack: Document) -> Document:
        if "__type" not in ministack:
            self._concurrency.declare(request["JobName"], request.get("JobUpdate", {}))
        return ministack

    def _start_crawler(self, request: Document, ministack: Document) -> Document:
        _raise_not_found("StartCrawler", ministack)
        name = request["Name"]
        self._crawlers.start(self._client("glue").get_crawler(Name=name)["Crawler"])
        return {}

    def _stop_crawler(self, request: Document, ministack: Document) -> Document:
        _raise_not_found("StopCrawler", ministack)
        self._crawlers.stop(request["Name"])
        return {}

    def _get_crawler(self, request: Document, ministack: Document) -> Document:
        del request
        if "Crawler" not in ministack:
            return ministack
        return {"Crawler": self._crawlers.describe(ministack["Crawler"])}

    def _get_crawlers(self, request: Document, ministack: Document) -> Document:
        del request
        return ministack | {"Crawlers": [self._crawlers.describe(c) for c in ministack.get("Crawlers", [])]}

    def _get_crawler_metrics(self, request: Document, ministack: Document) -> Document:
        del request
        rows = ministack.get("CrawlerMetricsList", [])
        return ministack | {
            "CrawlerMetricsList": [row | self._crawlers.metrics(row["CrawlerName"]) for row in rows]
        }

    def _get_partitions(self, request: Document, ministack: Document) -> Document:
        table = self._table(request)
        expression = request.get("Expression")
        if not expression:
            return ministack
        keys = [(key["Name"], key.get("Type", "string")) for key in table.get("PartitionKeys", [])]
        partitions = ministack["Partitions"]
        kept = matching(expression, keys, [partition["Values"] for partition in partitions])
        return ministack | {"Partitions": [partitions[row] for row in kept]}

    def _update_partition(self, request: Document, ministack: Document) -> Document:
        del ministack
        self._table(request)
        entry = {
            "PartitionValueList": request["PartitionValueList"],
            "PartitionInput": request["PartitionInput"],
        }
        answer = self._client("glue").batch_update_partition(**_named(request), Entries=[entry])
        for failure in answer.get("Errors", []):
            detail = failure["ErrorDetail"]
            raise glue_error("UpdatePartition", detail["ErrorCode"], detail["ErrorMessage"])
        return {}

    def _batch_delete_partition(self, request: Document, ministack: Document) -> Document:
        del ministack
        self._table(request)
        glue = self._client("glue")
        wanted = [row["Values"] for row in request["PartitionsToDelete"]]
        found = glue.batch_get_partition(**_named(request), PartitionsToGet=[{"Values": v} for v in wanted])
        there = [partition["Values"] for partition in found["Partitions"]]
        for values in there:
            glue.delete_partition(**_named(request), PartitionValues=values)
        detail = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Partition not found"}
        return {"Errors": [{"PartitionValues": v, "ErrorDetail": detail} for v in wanted if v not in there]}

    def _table(self, request: Document) -> Document:
        """The table a partition call is about.

        Raises:
            ClientError: EntityNotFoundException.
        """
        table: Document = self._client("glue").get_table(
            DatabaseName=request["DatabaseName"], Name=request["TableName"]
        )["Table"]
        return table


def _named(request: Document) -> dict[str, str]:
    return {name: request[name] for name in ("DatabaseName", "TableName")}


def _raise_not_found(action: str, ministack: Document) -> None:
    """Pass on that a job or crawler doesn't exist; other refusals are about MiniStack's own pretending."""
    if ministack.get("__type", "").endswith("EntityNotFoundException"):
        raise glue_error(action, "EntityNotFoundException", ministack.get("message", ""))


ALLOWED = (
    exp.And, exp.Or, exp.Not, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.In, exp.Between,
    exp.Like, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.Null, exp.Neg, exp.Tuple,
)  # fmt: skip
"""What an Expression of GetPartitions may be made of, by its reference page; nothing else reaches DuckDB."""

DUCKDB_TYPES: Mapping[str, str] = {
    "int": "INTEGER", "integer": "INTEGER", "bigint": "BIGINT", "long": "BIGINT", "smallint": "SMALLINT",
    "tinyint": "TINYINT", "date": "DATE", "timestamp": "TIMESTAMP", "decimal": "DECIMAL(38, 10)",
}  # fmt: skip


def matching(expression: str, keys: list[tuple[str, str]], rows: list[list[str]]) -> list[int]:
    """Which rows of partition values an Expression of GetPartitions keeps, by position.

    Args:
        expression: For example `date >= '2024-01-01' AND date < '2024-02-01'`.
        keys: Name and Glue type of each partition key, in order.
        rows: Values of each partition, in the keys' order.

    Raises:
        ClientError: InvalidInputException; it can't be read, or names what is no partition key.
    """
    try:
        condition = _condition(expression, [name for name, _ in keys])
        with duckdb.connect(config={"enable_external_access": "false"}) as connection:
            return _keep(connection, condition, keys, rows)
    except (sqlglot.errors.SqlglotError, duckdb.Error) as reason:
        message = f"Invalid expression {expression!r}: {reason}"
        raise glue_error("GetPartitions", "InvalidInputException", message) from None


def _condition(expression: str, names: list[str]) -> str:
    tree = sqlglot.parse_one(expression, read="duckdb", into=exp.Condition)
    for node in tree.walk():
        if not isinstance(node, ALLOWED):
            raise sqlglot.errors.ParseError(f"{node.sql()} is not supported")
        if isinstance(node, exp.Column) and node.name.lower() not in {name.lower() for name in names}:
            raise sqlglot.errors.ParseError(f"{node.name} is no partition key")
    return tree.sql("duckdb", identify=True)


def _keep(
    connection: duckdb.DuckDBPyConnection, condition: str, keys: list[tuple[str, str]], rows: list[list[str]]
) -> list[int]:
    columns = ", ".join(
        f"{exp.to_identifier(name, quoted=True).sql('duckdb')} {_duckdb_type(kind)}" for name, kind in keys
    )
    connection.execute(f"CREATE TABLE partitions (position INTEGER, {columns})")
    if rows:
        marks = ", ".join("?" for _ in range(len(keys) + 1))
        table = [[position, *values] for position, values in enumerate(rows)]
        connection.executemany(f"INSERT INTO partitions VALUES ({marks})", table)  # noqa: S608 - question marks only
    # The condition was parsed, checked node by node and written anew by `_condition`.
    query = f"SELECT position FROM partitions WHERE {condition} ORDER BY position"  # noqa: S608
    return [position for (position,) in connection.execute(query).fetchall()]


def _duckdb_type(glue_type: str) -> str:
    return DUCKDB_TYPES.get(glue_type.partition("(")[0].lower(), "VARCHAR")
