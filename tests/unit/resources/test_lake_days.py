"""What Glue leaves unprocessed is asked again: a day left out would look like one that is not there."""

from typing import Any, cast

import boto3
import pytest
from botocore.stub import Stubber

from airline_platform.contract.table import Column
from resources.catalog import CatalogTable
from resources.lake import Lake
from resources.lake_days import LakeDays

MONDAY, TUESDAY = "2013-01-07", "2013-01-08"
TABLE = CatalogTable(
    "parcels", "Parcels.", "s3://lake/parcels/", "parquet", (Column("a", "bigint", "A."),), True
)


@pytest.fixture
def glue() -> Any:
    return boto3.client("glue", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")


def keys(*days: str) -> list[dict[str, list[str]]]:
    return [{"Values": [day]} for day in days]


def found(day: str) -> dict[str, Any]:
    return {"Values": [day], "StorageDescriptor": {"Location": TABLE.folder(day)}}


def asking(*days: str) -> dict[str, Any]:
    return {"DatabaseName": "d", "TableName": "parcels", "PartitionsToGet": keys(*days)}


def registered(glue: Any, *days: str) -> dict[str, str]:
    return LakeDays(glue, "d", cast("Lake", None), TABLE)._registered(days)


def test_days_that_glue_left_unprocessed_are_asked_for_again(glue: Any) -> None:
    with Stubber(glue) as stub:
        first = {"Partitions": [found(MONDAY)], "UnprocessedKeys": keys(TUESDAY)}
        stub.add_response("batch_get_partition", first, asking(MONDAY, TUESDAY))
        stub.add_response("batch_get_partition", {"Partitions": [found(TUESDAY)]}, asking(TUESDAY))

        assert registered(glue, MONDAY, TUESDAY) == {day: TABLE.folder(day) for day in (MONDAY, TUESDAY)}
        stub.assert_no_pending_responses()


def test_days_that_glue_never_returns_are_not_there_unless_a_listing_has_them(glue: Any) -> None:
    with Stubber(glue) as stub:
        stub.add_response("batch_get_partition", {"Partitions": [], "UnprocessedKeys": keys(MONDAY, TUESDAY)})
        stub.add_response("get_partitions", {"Partitions": [found(TUESDAY)]})

        days = LakeDays(glue, "d", cast("Lake", None), TABLE)
        assert days._surely_registered([MONDAY, TUESDAY]) == {TUESDAY: TABLE.folder(TUESDAY)}
        stub.assert_no_pending_responses()
