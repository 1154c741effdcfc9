"""Deploys the platform: its stacks, its Glue programs, the warehouse's secret and schema, the lake's tables.

Every step can be repeated at any time and does only what is missing. On a laptop the endpoint forgets the
stack at every stop while its buckets and objects stay, so a deployment adopts buckets that are already there.
"""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airline_platform.settings import Settings
from command.deploy.programs import upload_programs
from command.deploy.progress import Progress, Review, silent
from command.deploy.secrets import ensure_customer_key, store_warehouse_secret
from command.deploy.stack import StackResult, deploy_stack
from command.deploy.warehouse import WarehouseStack, login_of, platform_parameters
from resources.aws.client import make_client


@dataclass(frozen=True)
class DeployResult:
    """What a deployment changed.

    Args:
        stack: The CloudFormation stack.
        uploaded: Keys of the Glue programs that were new or different.
    """

    stack: StackResult
    uploaded: tuple[str, ...]


def deploy(
    settings: Settings,
    *,
    warehouse: Mapping[str, Any] | WarehouseStack | None = None,
    customer_key: str | None = None,
    parameters: Mapping[str, str] | None = None,
    on_progress: Progress = silent,
    review: Review | None = None,
) -> DeployResult:
    """Bring everything the platform needs up to date, in the order in which the parts need each other.

    Args:
        settings: Where to deploy, and under which name.
        warehouse: engine, host, port, dbname, username and password, to be stored as the warehouse's
            secret; or the stack that describes the warehouse, from whose outputs the secret and the
            parameters are composed; None leaves the stored secret as it is.
        customer_key: Key customers are hashed with, for a laptop, whose secrets are forgotten; None leaves
            the stored one, or makes one. Another key would make every customer another one.
        parameters: Template parameters by name, `AlertEmail` for one. What is left out keeps the value the
            stack has, or the template's default; `Name`, `Stage`, `PeopleDays` and `Trigger` are the
            settings', and on a laptop `WarehouseJdbcUrl` and `WarehouseDatabase` are the warehouse's.
        on_progress: Called with a line about what is being done.
        review: Who is asked before a stack is changed; nobody where left out.

    Raises:
        StackUnavailable: The endpoint or the warehouse does not answer.
        AirlineError: The answer was no, or CloudFormation refused or rolled back, with its reasons.
    """
    from assets.schema import TABLES  # noqa: PLC0415
    from resources.catalog import ensure_catalog_tables  # noqa: PLC0415 - not to deploy the stack alone
    from resources.lake_days import restore_days  # noqa: PLC0415
    from resources.warehouse.migration import apply_schema  # noqa: PLC0415

    login, own = _described(settings, warehouse, on_progress, review)
    given = {**own, **(parameters or {})}
    stack = deploy_stack(settings, parameters=given, on_progress=on_progress, review=review)
    uploaded = upload_programs(settings, on_progress=on_progress)
    if login is not None:
        store_warehouse_secret(settings, login)
    ensure_customer_key(settings, customer_key)
    on_progress("tables of the Data Catalog")
    ensure_catalog_tables(settings)
    restore_days(settings)
    on_progress("warehouse schema")
    apply_schema(settings, TABLES, on_progress=on_progress)
    if own and settings.stage == "local":
        on_progress("warehouse tables in the Data Catalog")
        start_warehouse_crawler(settings)
    return DeployResult(stack, uploaded)


def _described(
    settings: Settings,
    warehouse: Mapping[str, Any] | WarehouseStack | None,
    on_progress: Progress,
    review: Review | None = None,
) -> tuple[Mapping[str, Any] | None, dict[str, str]]:
    """What is to be stored as the warehouse's secret, and the template's parameters that follow from it."""
    if isinstance(warehouse, WarehouseStack):
        outputs = warehouse.bring_up(settings, on_progress, review)
        return login_of(settings, outputs), platform_parameters(outputs)
    return warehouse, crawled(warehouse) if warehouse and settings.stage == "local" else {}


def crawled(warehouse: Mapping[str, Any]) -> dict[str, str]:
    """Write the template's parameters by which a crawler finds a laptop's warehouse; no login is in them.

    Args:
        warehouse: host, port and dbname, as the warehouse's secret has them.
    """
    database = str(warehouse["dbname"])
    url = f"jdbc:postgresql://{warehouse['host']}:{warehouse['port']}/{database}"
    return {"WarehouseJdbcUrl": url, "WarehouseDatabase": database}


def start_warehouse_crawler(settings: Settings) -> None:
    """Have a laptop's Data Catalog filled anew: a stop forgets what `warehouse_catalog` had crawled."""
    client = make_client(settings, "glue")
    with contextlib.suppress(client.exceptions.CrawlerRunningException):
        client.start_crawler(Name=settings.crawler_name("warehouse"))
