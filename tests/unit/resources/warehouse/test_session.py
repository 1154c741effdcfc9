"""What `airline query` lets through: one query, and nothing that could change a row."""

import pytest
import sqlglot

from airline_platform.errors import WrongCall
from resources.warehouse.session import require_one_query


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1",
        "SELECT 1;",
        "WITH a AS (SELECT 1 AS n) SELECT n FROM a",
        "SELECT 1 UNION ALL SELECT 2",
        "-- a comment\nSELECT 1",
        "SELECT '; DELETE FROM t' AS text",
    ],
)
def test_one_query_is_let_through(sql: str) -> None:
    require_one_query(sql)


@pytest.mark.parametrize(
    "sql",
    [
        "",
        "DELETE FROM t",
        "SELECT 1; DELETE FROM t",
        "SELECT 1; COMMIT; DROP TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "INSERT INTO t SELECT 1",
    ],
)
def test_anything_else_is_not(sql: str) -> None:
    with pytest.raises(WrongCall, match="one read-only query"):
        require_one_query(sql)


def test_what_is_no_sql_is_told_so() -> None:
    with pytest.raises(sqlglot.errors.SqlglotError):
        require_one_query("SELECT FROM WHERE (")
