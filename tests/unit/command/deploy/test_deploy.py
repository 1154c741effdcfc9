"""A deployment's own steps: a laptop's warehouse is found by its URL, and crawled anew."""

from collections.abc import Callable
from typing import Any

from botocore.stub import Stubber

from airline_platform.settings import Settings
from command.deploy import deploy, stack
from command.deploy.deploy import crawled, start_warehouse_crawler
from command.deploy.warehouse import CRAWLED, WarehouseStack

Stubbed = Callable[[Any, str], Stubber]


def test_a_crawler_finds_a_laptops_warehouse_without_its_login() -> None:
    login = {"host": "127.0.0.1", "port": 5433, "dbname": "airline", "username": "u", "password": "p"}

    assert crawled(login) == {
        "WarehouseJdbcUrl": "jdbc:postgresql://127.0.0.1:5433/airline",
        "WarehouseDatabase": "airline",
    }


def test_a_stack_that_describes_a_warehouse_decides_the_secret_and_the_parameters(
    stubbed: Stubbed, no_stack: Settings
) -> None:
    said = {"WarehouseHost": "w", "WarehousePort": "5439", "WarehouseDatabase": "dev", "WorkgroupName": "bi"}
    found = {
        "StackName": "bi",
        "CreationTime": "2013-01-01",
        "StackStatus": "UPDATE_COMPLETE",
        "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in said.items()],
    }
    stubbed(stack, "cloudformation").add_response("describe_stacks", {"Stacks": [found]})

    login, parameters = deploy._described(no_stack, WarehouseStack("bi"), print)

    assert login == {"engine": "redshift", "host": "w", "port": 5439, "dbname": "dev", "workgroup": "bi"}
    assert parameters == dict.fromkeys([*CRAWLED, "WarehouseLoginArn"], "")


def test_a_login_of_an_account_decides_no_parameter(no_stack: Settings) -> None:
    login = {"host": "w", "port": 5439, "dbname": "dev", "username": "u", "password": "p"}

    assert deploy._described(no_stack.model_copy(update={"stage": "aws"}), login, print) == (login, {})
    assert deploy._described(no_stack, None, print) == (None, {})


def test_the_warehouses_crawler_is_started_by_its_name(stubbed: Stubbed, no_stack: Settings) -> None:
    glue = stubbed(deploy, "glue")
    glue.add_response("start_crawler", {}, {"Name": no_stack.crawler_name("warehouse")})

    start_warehouse_crawler(no_stack)


def test_a_crawler_that_runs_already_is_no_failure(stubbed: Stubbed, no_stack: Settings) -> None:
    stubbed(deploy, "glue").add_client_error("start_crawler", "CrawlerRunningException")

    start_warehouse_crawler(no_stack)
