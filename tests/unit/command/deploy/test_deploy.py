"""A deployment's own steps: a laptop's warehouse is found by its URL, and crawled anew."""

from collections.abc import Callable
from typing import Any

from botocore.stub import Stubber

from airline_platform.settings import Settings
from command.deploy import deploy
from command.deploy.deploy import crawled, start_warehouse_crawler

Stubbed = Callable[[Any, str], Stubber]


def test_a_crawler_finds_a_laptops_warehouse_without_its_login() -> None:
    login = {"host": "127.0.0.1", "port": 5433, "dbname": "airline", "username": "u", "password": "p"}

    assert crawled(login) == {
        "WarehouseJdbcUrl": "jdbc:postgresql://127.0.0.1:5433/airline",
        "WarehouseDatabase": "airline",
    }


def test_the_warehouses_crawler_is_started_by_its_name(stubbed: Stubbed, no_stack: Settings) -> None:
    glue = stubbed(deploy, "glue")
    glue.add_response("start_crawler", {}, {"Name": no_stack.crawler_name("warehouse")})

    start_warehouse_crawler(no_stack)


def test_a_crawler_that_runs_already_is_no_failure(stubbed: Stubbed, no_stack: Settings) -> None:
    stubbed(deploy, "glue").add_client_error("start_crawler", "CrawlerRunningException")

    start_warehouse_crawler(no_stack)
