"""Which tables a query reads, which of their objects, and what is answered where that can't be told."""

from typing import Any

import pytest
from sqlglot.errors import ParseError

from laptop.aws.athena_scan import AthenaScans, is_read, tables


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ('SELECT "date" FROM shipments GROUP BY GROUPING SETS (("date"), ())', [("lake", "shipments")]),
        ('SELECT * FROM Db."Ships" WHERE id IN (SELECT id FROM b)', [("db", "ships"), ("lake", "b")]),
        ("SELECT * FROM awsdatacatalog.db.ships", [("db", "ships")]),
        ("SELECT * FROM a x JOIN a y ON x.id = y.parent", [("lake", "a"), ("lake", "a")]),
        ("WITH a AS (SELECT * FROM b) SELECT * FROM A JOIN db.a USING (id)", [("db", "a"), ("lake", "b")]),
        ("SELECT COUNT(*) FROM UNNEST(SEQUENCE(1, 9)) AS t(n)", []),
        ("SELECT 1", []),
    ],
)
def test_a_query_reads_the_tables_it_names_as_often_as_it_names_them(
    sql: str, found: list[tuple[str, str]]
) -> None:
    assert sorted(tables(sql, "lake")) == found


def test_what_is_no_query_names_no_tables() -> None:
    with pytest.raises(ParseError):
        tables("SELECT FROM WHERE", "lake")


@pytest.mark.parametrize(
    ("key", "read"),
    [
        ("date=2013-01-01/part-0.parquet", True),
        ("whatever it is called", True),
        ("date=2013-01-01/_SUCCESS", False),
        ("_temporary/0/part-0.parquet", False),
        (".hidden", False),
        ("date=2013-01-01/", False),
    ],
)
def test_hidden_objects_and_folders_are_not_read(key: str, read: bool) -> None:
    assert is_read(key) is read


def execution(**changes: Any) -> dict[str, Any]:
    return {
        "QueryExecutionId": "q",
        "Query": "SELECT * FROM shipments",
        "StatementType": "DML",
        "QueryExecutionContext": {"Database": "lake"},
        "Status": {"State": "SUCCEEDED"},
        "ResultConfiguration": {"OutputLocation": "s3://lake/results/q.csv"},
        "Statistics": {"DataScannedInBytes": 117, "TotalExecutionTimeInMillis": 5},
        **changes,
    }


class Broken:
    """A factory of clients that counts how often it is asked, and never has one."""

    asked = 0

    def __call__(self, service: str) -> Any:
        self.asked += 1
        raise ConnectionError(service)


def test_a_figure_that_can_not_be_had_is_nought_in_an_answer_that_stays_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    factory = Broken()
    scans = AthenaScans(factory)
    answers = [{"QueryExecution": execution()} for _ in range(3)]
    expected = {
        "QueryExecution": execution(
            ResultConfiguration={"OutputLocation": "s3://lake/results/q.csv/q.csv"},
            Statistics={"DataScannedInBytes": 0, "TotalExecutionTimeInMillis": 5},
        )
    }

    for answer in answers:
        scans.correct(answer)

    assert answers == [expected] * 3
    assert factory.asked == 1
    assert [record.getMessage() for record in caplog.records] == ["nobody knows what Athena query q read"]


@pytest.mark.parametrize(
    "changes",
    [
        {"Status": {"State": "RUNNING"}},
        {"Status": {"State": "FAILED"}},
        {"StatementType": "DDL"},
        {"StatementType": "UTILITY"},
    ],
)
def test_what_has_read_nothing_is_nought_without_a_look(changes: dict[str, Any]) -> None:
    factory = Broken()
    answer = {"QueryExecution": execution(**changes)}

    AthenaScans(factory).correct(answer)

    assert answer["QueryExecution"]["Statistics"]["DataScannedInBytes"] == 0
    assert answer["QueryExecution"]["Statistics"]["DataScannedInBytes"] is not False
    assert factory.asked == 0


def test_an_error_passes_as_it_is() -> None:
    answer = {"__type": "InvalidRequestException", "message": "Query x not found"}

    AthenaScans(Broken()).correct(answer)

    assert answer == {"__type": "InvalidRequestException", "message": "Query x not found"}
