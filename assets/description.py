"""What the Dagster UI shows of an asset besides its code: schemas, links, counts."""

from collections.abc import Iterable
from typing import Any

from dagster import MetadataValue, TableColumn, TableColumnConstraints, TableSchema

from airline_platform.settings import get_settings
from airline_platform.tables import Column, Table

OWNERS = ["team:data-platform"]


def column_schema(columns: Iterable[Column]) -> TableSchema:
    """Dagster's column schema, derived from the declaration."""
    return TableSchema(
        columns=[
            TableColumn(
                name=column.name,
                type=column.glue_type,
                description=column.description,
                constraints=TableColumnConstraints(nullable=not column.required),
            )
            for column in columns
        ]
    )


def table_metadata(table: Table) -> dict[str, Any]:
    """Definition metadata of a warehouse table."""
    return {
        "dagster/column_schema": column_schema(table.columns),
        "dagster/relation_identifier": table.qualified_name,
    }


def s3_link(bucket: str, path: str) -> MetadataValue[Any]:
    """A link to S3: the console's page in an account, the `s3://` URI on a laptop, which has no console."""
    if get_settings().stage == "local":
        return MetadataValue.path(f"s3://{bucket}/{path}")
    region = get_settings().region
    return MetadataValue.url(
        f"https://{region}.console.aws.amazon.com/s3/buckets/{bucket}?region={region}&prefix={path}"
    )


def job_run_link(job: str, run_id: str) -> MetadataValue[Any]:
    """A link to a Glue job run: the console's page in an account, its id on a laptop."""
    if get_settings().stage == "local":
        return MetadataValue.text(run_id)
    region = get_settings().region
    return MetadataValue.url(
        f"https://{region}.console.aws.amazon.com/gluestudio/home?region={region}#/job/{job}/run/{run_id}"
    )


def query_link(query_id: str) -> MetadataValue[Any]:
    """A link to an Athena query: the console's page in an account, its id on a laptop."""
    if get_settings().stage == "local":
        return MetadataValue.text(query_id)
    region = get_settings().region
    return MetadataValue.url(
        f"https://{region}.console.aws.amazon.com/athena/home?region={region}#/query-editor/history/{query_id}"
    )
