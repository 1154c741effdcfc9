"""Queries on Athena: what a result is made of, and how each bad end is told."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber
from tenacity import wait_none

from airline_platform.errors import AirlineError, PermanentError, QueryFailed
from airline_platform.settings import Settings, get_settings
from assets.description import query_link
from resources import athena
from resources.athena import Athena, QueryResult

ID = "4d8c1a9e-0c55-4f7e-9d3b-2f6a7b1c0e11"
SQL = "SELECT carrier, SUM(cost) AS cost FROM shipments GROUP BY carrier"
OUTPUT = f"s3://airline-lake/athena-results/{ID}.csv"


@pytest.fixture
def aws(no_stack: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Athena's answers, in the order in which they are asked for; nobody waits between them."""
    assert no_stack.stage == "local"
    client = boto3.client("athena", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    monkeypatch.setattr(Athena, "client", lambda _: client)
    monkeypatch.setattr(athena, "POLL", wait_none())
    with Stubber(client) as stub:
        yield stub
        stub.assert_no_pending_responses()


def ask(sql: str = SQL) -> QueryResult:
    return Athena.of(get_settings()).query(sql)


def starts(aws: Stubber, sql: str = SQL) -> None:
    expected = {
        "QueryString": sql,
        "ClientRequestToken": ANY,
        "QueryExecutionContext": {"Database": "airline"},
        "WorkGroup": "airline",
    }
    aws.add_response("start_query_execution", {"QueryExecutionId": ID}, expected)


def is_in(aws: Stubber, state: str, *, kind: str = "DML", **status: Any) -> None:
    execution = {
        "QueryExecutionId": ID,
        "StatementType": kind,
        "Status": {"State": state, **status},
        "Statistics": {"DataScannedInBytes": 2**30, "TotalExecutionTimeInMillis": 1234},
        "ResultConfiguration": {"OutputLocation": OUTPUT},
    }
    aws.add_response("get_query_execution", {"QueryExecution": execution}, {"QueryExecutionId": ID})


def is_stopped(aws: Stubber) -> None:
    aws.add_response("stop_query_execution", {}, {"QueryExecutionId": ID})


def answers(aws: Stubber, names: list[str], *pages: list[list[str | None]]) -> None:
    for number, rows in enumerate(pages, 1):
        token = {"NextToken": f"after {number}"} if number < len(pages) else {}
        asked = {"QueryExecutionId": ID} | ({"NextToken": f"after {number - 1}"} if number > 1 else {})
        cells = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
        columns = [{"Name": name, "Type": "varchar"} for name in names]
        found = {"Rows": cells, "ResultSetMetadata": {"ColumnInfo": columns}}
        aws.add_response("get_query_results", {"ResultSet": found, **token}, asked)


def test_a_query_is_waited_for_and_all_pages_of_its_result_are_read(aws: Stubber) -> None:
    starts(aws)
    for state in ("QUEUED", "RUNNING", "SUCCEEDED"):
        is_in(aws, state)
    answers(aws, ["carrier", "cost"], [["carrier", "cost"], ["AA", "1.50"], ["", None]], [["BB", "cost"]])

    assert ask() == QueryResult(
        query_id=ID,
        rows=[
            {"carrier": "AA", "cost": "1.50"},
            {"carrier": "", "cost": None},
            {"carrier": "BB", "cost": "cost"},
        ],
        bytes_scanned=2**30,
        seconds=1.234,
        output=OUTPUT,
    )


def test_a_result_without_rows_has_none(aws: Stubber) -> None:
    starts(aws)
    is_in(aws, "SUCCEEDED")
    answers(aws, ["carrier"], [["carrier"]])

    assert ask().rows == []


def test_what_is_no_select_has_no_header(aws: Stubber) -> None:
    starts(aws, "SHOW TABLES")
    is_in(aws, "SUCCEEDED", kind="UTILITY")
    answers(aws, ["tab_name"], [["flights"], ["shipments"]])

    assert ask("SHOW TABLES").rows == [{"tab_name": "flights"}, {"tab_name": "shipments"}]


@pytest.mark.parametrize(("scanned", "cost"), [(0, 0.0000476837), (10 * 2**20, 0.0000476837), (2**40, 5.0)])
def test_a_query_costs_by_what_it_scans_and_at_least_ten_megabytes(scanned: int, cost: float) -> None:
    result = QueryResult(query_id=ID, rows=[], bytes_scanned=scanned, seconds=1.0, output=OUTPUT)

    assert result.cost_usd == pytest.approx(cost, rel=1e-5)


@pytest.mark.parametrize("error", [{}, {"AthenaError": {"ErrorCategory": 2, "Retryable": False}}])
def test_a_failed_query_is_permanent_and_tells_athenas_own_reason(
    aws: Stubber, error: dict[str, Any]
) -> None:
    starts(aws)
    is_in(aws, "FAILED", StateChangeReason="TABLE_NOT_FOUND: line 1:36: 'shipments'", **error)

    with pytest.raises(QueryFailed) as failed:
        ask()

    assert str(failed.value) == (
        f"Athena query {ID} ended with FAILED: TABLE_NOT_FOUND: line 1:36: 'shipments'\nThe query: {SQL}\n"
        "What to do: Mend the query, or the table or permission it lacks, then re-run from this step."
    )


def test_a_failure_that_athena_calls_retryable_may_be_retried(aws: Stubber) -> None:
    starts(aws)
    message = "Query exhausted resources at this scale factor"
    is_in(aws, "FAILED", AthenaError={"ErrorCategory": 1, "Retryable": True, "ErrorMessage": message})

    with pytest.raises(AirlineError, match=f"{ID} ended with FAILED: {message}") as failed:
        ask()

    assert not isinstance(failed.value, PermanentError)
    assert "re-run" in failed.value.remedy


@pytest.mark.parametrize("reason", ["Query was cancelled by user", "Bytes scanned limit was exceeded"])
def test_a_cancelled_query_is_permanent_and_tells_why(aws: Stubber, reason: str) -> None:
    starts(aws)
    is_in(aws, "RUNNING")
    is_in(aws, "CANCELLED", StateChangeReason=reason)

    with pytest.raises(QueryFailed, match=f"{ID} ended with CANCELLED: {reason}") as failed:
        ask()

    assert "Somebody stopped it" in failed.value.remedy


def test_a_query_that_athena_refuses_is_permanent(aws: Stubber) -> None:
    reason = "line 1:1: mismatched input 'SELEC'"
    aws.add_client_error("start_query_execution", "InvalidRequestException", reason)

    with pytest.raises(QueryFailed, match=f"refused a query of workgroup airline: {reason}\nThe query: SEL"):
        ask("SELEC 1")


def test_a_query_that_takes_too_long_is_stopped(aws: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(athena, "QUERY_SECONDS", 0)
    starts(aws)
    is_in(aws, "RUNNING")
    is_stopped(aws)

    with pytest.raises(QueryFailed, match=f"{ID} was still RUNNING after 0 min and was stopped"):
        ask()


class Interrupted(BaseException):
    """As a run that is cancelled raises it between two looks."""


def interrupts(*_: Any) -> float:
    raise Interrupted


def test_a_query_of_a_cancelled_run_is_stopped(aws: Stubber, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(athena, "POLL", interrupts)
    starts(aws)
    is_in(aws, "RUNNING")
    is_stopped(aws)

    with pytest.raises(Interrupted):
        ask()


def test_a_cancelled_run_stays_cancelled_where_the_query_can_not_be_stopped(
    aws: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(athena, "POLL", interrupts)
    starts(aws)
    is_in(aws, "RUNNING")
    aws.add_client_error("stop_query_execution", "InternalServerException")

    with pytest.raises(Interrupted):
        ask()


def test_an_error_shows_the_beginning_of_a_long_query(aws: Stubber) -> None:
    long = "SELECT 'x'\n  AS x" + ", 'y' AS y" * 1000
    starts(aws, long)
    is_in(aws, "FAILED", StateChangeReason="no")

    with pytest.raises(QueryFailed) as failed:
        ask(long)

    assert "The query: SELECT 'x' AS x, 'y' AS y," in str(failed.value)
    assert len(str(failed.value)) < 600


def test_a_query_has_a_page_in_an_account_and_its_id_on_a_laptop(
    no_stack: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert no_stack.stage == "local"
    assert query_link(ID).value == ID
    monkeypatch.setenv("AIRLINE_STAGE", "aws")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    get_settings.cache_clear()

    assert query_link(ID).value == (
        "https://eu-central-1.console.aws.amazon.com/athena/home?region=eu-central-1"
        f"#/query-editor/history/{ID}"
    )
