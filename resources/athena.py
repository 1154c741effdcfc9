"""Amazon Athena: a query is started, waited for and read; one that nobody waits for any more is stopped."""

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError
from tenacity import RetryError, Retrying, retry_if_result, stop_after_delay, wait_exponential

from airline_platform.errors import AirlineError, QueryFailed
from airline_platform.settings import Settings
from resources.aws.audited import AuditedResource, AwsConfig
from resources.aws.client import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import QueryExecutionTypeDef

POLL = wait_exponential(multiplier=0.1, exp_base=1.3, max=2)
"""0.1 s at first, because a laptop's query takes less than one; 2 s in the end, which spares the quota."""

QUERY_SECONDS = 30 * 60
"""How long a query is waited for; also the longest that Athena lets a DML query run by default."""

UNDER_WAY = ("QUEUED", "RUNNING")
SQL_SHOWN = 300
"""Characters of a query that an error shows."""

USD_PER_TB = 5.00
"""Athena's price list (https://aws.amazon.com/athena/pricing/), us-east-1; other regions differ."""

TB = 2**40
"""Bytes of what the price list calls a terabyte."""

LEAST_BILLED = 10 * 2**20
"""Bytes that every query is billed at least: 10 MB, by the same price list."""


@dataclass(frozen=True)
class QueryResult:
    """The answer of a query, and what it took.

    Args:
        query_id: Athena's id of the execution.
        rows: In the query's order, by column name; text as Athena writes it, None for NULL.
        bytes_scanned: What Athena read from S3.
        seconds: From the start to the end, the wait in the queue included.
        output: `s3://` URI of the result that Athena keeps.
    """

    query_id: str
    rows: list[dict[str, str | None]]
    bytes_scanned: int
    seconds: float
    output: str

    @property
    def cost_usd(self) -> float:
        """US dollars that a SELECT like this costs on demand; an estimate, because regions differ."""
        return max(self.bytes_scanned, LEAST_BILLED) / TB * USD_PER_TB


class Athena(AuditedResource):
    """Queries on one database of the Data Catalog, in one workgroup."""

    database: str
    workgroup: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return Athena of these settings."""
        return cls(database=settings.glue_database, workgroup=settings.workgroup, aws=AwsConfig.of(settings))

    def client(self) -> "AthenaClient":
        """Return a boto3 Athena client of this access."""
        return make_client(self.aws, "athena")

    def query(self, sql: str) -> QueryResult:
        """Run a query to its end and read its whole result.

        When the Dagster run is cancelled, the query is stopped with it.

        Args:
            sql: One statement of Athena's dialect; columns of one name need aliases.

        Raises:
            QueryFailed: Athena refused the query, or it failed, was cancelled or took over 30 minutes.
            AirlineError: It failed, and Athena says that another attempt might succeed.
            StackUnavailable: Athena does not answer.
        """
        client = self.client()
        with reaching(self.aws):
            done = _wait(client, self._start(client, sql), sql)
            if done["Status"]["State"] != "SUCCEEDED":
                raise _failure(done, sql)
            rows = _rows(client, done)
        statistics = done.get("Statistics", {})
        return QueryResult(
            query_id=done["QueryExecutionId"],
            rows=rows,
            bytes_scanned=statistics.get("DataScannedInBytes", 0),
            seconds=statistics.get("TotalExecutionTimeInMillis", 0) / 1000,
            output=done.get("ResultConfiguration", {}).get("OutputLocation", ""),
        )

    def _start(self, client: "AthenaClient", sql: str) -> str:
        try:
            return client.start_query_execution(
                QueryString=sql,
                # A request that botocore repeats starts no second query.
                ClientRequestToken=str(uuid4()),
                QueryExecutionContext={"Database": self.database},
                WorkGroup=self.workgroup,
            )["QueryExecutionId"]
        except client.exceptions.InvalidRequestException as error:
            # So Athena answers a query that it can't parse; one that names no table fails later.
            reason = error.response["Error"].get("Message") or "no reason given"
            raise QueryFailed(
                f"Athena refused a query of workgroup {self.workgroup}: {reason}\n{_shown(sql)}",
                remedy="Mend the query or the workgroup as the reason says, then re-run from this step.",
            ) from error


def _wait(client: "AthenaClient", query_id: str, sql: str) -> "QueryExecutionTypeDef":
    """Wait for the execution, and return it, ended in whatever way.

    Raises:
        QueryFailed: It took too long, and was stopped.
    """
    poll = Retrying(
        retry=retry_if_result(lambda execution: execution["Status"]["State"] in UNDER_WAY),
        wait=POLL,
        stop=stop_after_delay(QUERY_SECONDS),
    )
    try:
        execution: QueryExecutionTypeDef = poll(
            lambda: client.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]
        )
    except RetryError as error:
        client.stop_query_execution(QueryExecutionId=query_id)
        state = error.last_attempt.result()["Status"]["State"]
        raise QueryFailed(
            f"Athena query {query_id} was still {state} after {QUERY_SECONDS / 60:.0f} min and was stopped"
            f"\n{_shown(sql)}",
            remedy="Make it read less (fewer partitions, fewer columns), then re-run from this step.",
        ) from None
    except BaseException:
        # Cancelled, or the endpoint is gone: nobody waits for this query any more. What comes out is why.
        with suppress(BotoCoreError, ClientError):
            client.stop_query_execution(QueryExecutionId=query_id)
        raise
    return execution


def _failure(execution: "QueryExecutionTypeDef", sql: str) -> AirlineError:
    """Return the error of a query that did not succeed; permanent where Athena does not call it retryable."""
    status = execution["Status"]
    error = status.get("AthenaError", {})
    reason = status.get("StateChangeReason") or error.get("ErrorMessage") or "no reason given"
    message = (
        f"Athena query {execution['QueryExecutionId']} ended with {status['State']}: {reason}\n{_shown(sql)}"
    )
    if status["State"] == "CANCELLED":
        remedy = (
            "Somebody stopped it, or it read more than the workgroup allows: "
            "see the reason, then re-run from this step."
        )
        return QueryFailed(message, remedy=remedy)
    if error.get("Retryable"):
        return AirlineError(
            message, remedy="Athena says that it may succeed next time: re-run from this step."
        )
    return QueryFailed(
        message, remedy="Mend the query, or the table or permission it lacks, then re-run from this step."
    )


def _rows(client: "AthenaClient", execution: "QueryExecutionTypeDef") -> list[dict[str, str | None]]:
    names: list[str] = []
    rows: list[list[str | None]] = []
    pages = client.get_paginator("get_query_results").paginate(QueryExecutionId=execution["QueryExecutionId"])
    for page in pages:
        result = page["ResultSet"]
        names = [column["Name"] for column in result["ResultSetMetadata"]["ColumnInfo"]]
        rows += [[cell.get("VarCharValue") for cell in row["Data"]] for row in result["Rows"]]
    if execution.get("StatementType") == "DML":
        # The first row of its first page is the header; SHOW and DESCRIBE have none.
        del rows[:1]
    # Not strict: DESCRIBE has more columns than cells.
    return [dict(zip(names, row, strict=False)) for row in rows]


def _shown(sql: str) -> str:
    text = " ".join(sql.split())
    return f"The query: {text if len(text) <= SQL_SHOWN else text[:SQL_SHOWN] + '…'}"
