"""What a crawler makes of the tables of a database."""

import json

import pytest

from laptop.glue.crawler import differs
from laptop.glue.errors import CrawlError
from laptop.glue.jdbc import (
    DatabaseTable,
    JdbcTarget,
    glue_type,
    jdbc_table,
    jdbc_target,
    read_connection,
    tables_of,
)

CRAWLER = {"Name": "acme-air-warehouse", "TablePrefix": "warehouse_"}
TARGET = JdbcTarget("acme-air-warehouse", "dev", "airlines", "%")
TABLE = DatabaseTable("Dim", (("airport_id", "bigint"), ("city", "string")))
URL = "jdbc:postgresql://127.0.0.1:5439/dev"


class MissingError(Exception):
    """What boto3's clients raise of what is not there."""


class Client:
    """Glue's and Secrets Manager's client of an account with one connection and one secret."""

    class exceptions:  # noqa: N801 - boto3's own name
        EntityNotFoundException = ResourceNotFoundException = MissingError

    def __init__(self, secret="", **properties):
        self._secret = secret
        self._properties = properties

    def get_connection(self, Name):  # noqa: N803 - boto3's own name
        if Name != "w":
            raise MissingError
        return {"Connection": {"ConnectionProperties": self._properties}}

    def get_secret_value(self, SecretId):  # noqa: N803 - boto3's own name
        if SecretId != "acme/warehouse":
            raise MissingError
        return {"SecretString": self._secret}


@pytest.mark.parametrize("table", ["%", "Dim"])
def test_a_path_names_database_schema_and_table(table):
    found = jdbc_target({"ConnectionName": "w", "Path": f"dev/airlines/{table}"})

    assert found == JdbcTarget("w", "dev", "airlines", table)


@pytest.mark.parametrize(
    "path", ["", "dev", "dev/%", "dev/airlines", "%/airlines/%", "dev/%/%", "dev//%", "dev/a/b/c", "/a/b"]
)
def test_what_is_no_path_says_what_one_is(path):
    with pytest.raises(CrawlError, match="expected <database>/<schema>/<table>"):
        jdbc_target({"ConnectionName": "w", "Path": path})


def test_exclusions_are_refused_rather_than_overlooked():
    with pytest.raises(CrawlError, match="exclusions of tables are obeyed on AWS only"):
        jdbc_target({"ConnectionName": "w", "Path": "dev/airlines/%", "Exclusions": ["load_*"]})


def test_the_rows_of_a_table_are_its_columns_in_order_and_lower_case():
    rows = [
        ("dim", "Airport_ID", "bigint", 64, 0),
        ("dim", "fare", "numeric", 14, 3),
        ("fact", "airport_id", "character varying", None, None),
    ]

    assert tables_of(rows) == [
        DatabaseTable("dim", (("airport_id", "bigint"), ("fare", "decimal(14,3)"))),
        DatabaseTable("fact", (("airport_id", "string"),)),
    ]


@pytest.mark.parametrize(
    ("of_postgresql", "of_glue"),
    [
        (("smallint", 16, 0), "smallint"),
        (("integer", 32, 0), "int"),
        (("bigint", 64, 0), "bigint"),
        (("real", 24, None), "float"),
        (("double precision", 53, None), "double"),
        (("numeric", 24, 3), "decimal(24,3)"),
        (("numeric", None, None), "decimal(38,18)"),
        (("boolean",), "boolean"),
        (("date",), "date"),
        (("timestamp without time zone",), "timestamp"),
        (("timestamp with time zone",), "timestamp"),
        (("bytea",), "binary"),
        (("character varying",), "string"),
        (("jsonb",), "string"),
    ],
)
def test_postgresql_types_have_glue_names(of_postgresql, of_glue):
    assert glue_type(*of_postgresql) == of_glue


def test_a_table_is_named_after_prefix_database_schema_and_table():
    target = JdbcTarget("w", "my-db", "a b", "%")

    assert jdbc_table(CRAWLER, target, DatabaseTable("C", ()))["Name"] == "warehouse_my_db_a_b_c"


def test_a_table_says_where_it_is_and_over_which_connection():
    table = jdbc_table(CRAWLER, TARGET, TABLE)

    assert table["Name"] == "warehouse_dev_airlines_dim"
    assert table["PartitionKeys"] == []
    assert table["StorageDescriptor"]["Location"] == "dev.airlines.Dim"
    assert table["StorageDescriptor"]["Columns"] == [
        {"Name": "airport_id", "Type": "bigint"},
        {"Name": "city", "Type": "string"},
    ]
    said = {name: table["Parameters"][name] for name in ("classification", "connectionName", "typeOfData")}
    assert said == {
        "classification": "postgresql",
        "connectionName": "acme-air-warehouse",
        "typeOfData": "table",
    }


def test_another_type_or_connection_makes_a_table_differ():
    known = jdbc_table(CRAWLER, TARGET, TABLE)
    retyped = DatabaseTable("Dim", (("airport_id", "int"), ("city", "string")))

    assert not differs(known, jdbc_table(CRAWLER, TARGET, TABLE))
    assert differs(known, jdbc_table(CRAWLER, TARGET, retyped))
    assert differs(known, jdbc_table(CRAWLER, JdbcTarget("other", "dev", "airlines", "%"), TABLE))


LOGIN = json.dumps({"username": "u", "password": "p", "port": 1})


def connection_of(secret=LOGIN, name="w", **properties):
    told = {"JDBC_CONNECTION_URL": URL, "SECRET_ID": "acme/warehouse", **properties}
    client = Client(secret, **told)
    return read_connection(client, client, name)


@pytest.mark.parametrize(
    ("enforced", "sslmode"), [("true", "require"), ("TRUE", "require"), ("false", "prefer")]
)
def test_a_connection_leads_to_its_url_with_the_login_of_its_secret(enforced, sslmode):
    found = connection_of(JDBC_ENFORCE_SSL=enforced)

    assert found == {
        "host": "127.0.0.1", "port": 5439, "dbname": "dev", "sslmode": sslmode, "user": "u", "password": "p",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"name": "gone"}, "Connection 'gone' does not exist"),
        ({"SECRET_ID": ""}, "expected a SECRET_ID"),
        ({"SECRET_ID": "gone"}, "secret 'gone' does not exist"),
        ({"JDBC_CONNECTION_URL": "jdbc:redshift://h:5439/dev"}, "expected jdbc:postgresql://"),
        ({"JDBC_CONNECTION_URL": f"{URL}?user=u&password=p"}, "expected jdbc:postgresql://"),
        ({"secret": "hunter2"}, "has no username and password"),
        ({"secret": '{"password": "hunter2"}'}, "has no username and password"),
        ({"secret": '"hunter2"'}, "has no username and password"),
    ],
)
def test_a_connection_that_leads_nowhere_says_why_and_quotes_no_secret(given, reason):
    with pytest.raises(CrawlError) as refused:
        connection_of(**given)

    assert reason in str(refused.value)
    assert "hunter2" not in str(refused.value)
