"""What the Dagster UI shows of an asset besides its code: schemas, links, counts."""

from collections.abc import Iterable, Sequence
from typing import Any

from dagster import MetadataValue, TableColumn, TableColumnConstraints, TableSchema

from airline_platform.contract.table import Column, Table
from airline_platform.settings import get_settings
from assets.lineage import LINEAGE, Sources, column_lineage
from resources.warehouse.ledger import Verdict

OWNERS = ["team:data-platform"]


def describe(row: str, *, source: str, mind: str, fresh: str = "") -> str:
    """Return an asset's description, in Markdown: the answers to what people ask before they use it.

    Args:
        row: What one row of it is; a sentence.
        source: What it is made of, and how.
        mind: What can be wrong with it, and what a reader might take it for.
        fresh: How old it may be; of a feed's own assets where nothing is given.
    """
    fresh = fresh or (
        "a minute or two after its file has landed; where the event was lost, after the next reconciliation. "
        "People are told when a run fails, and what was there stays."
    )
    answers = {"From": source, "Fresh": fresh, "Mind": mind, "Owner": f"{', '.join(OWNERS)}."}
    return "\n\n".join([row, *(f"**{question}:** {answer}" for question, answer in answers.items())])


def column_schema(columns: Iterable[Column], sources: Sources | None = None) -> TableSchema:
    """Derive Dagster's column schema from the declaration; a column's tags say what it is made of."""
    return TableSchema(
        columns=[
            TableColumn(
                name=column.name,
                type=column.glue_type,
                description=column.description,
                constraints=TableColumnConstraints(nullable=not column.required),
                tags={f"from {asset}.{theirs}": "" for asset, theirs in (sources or {}).get(column.name, ())},
            )
            for column in columns
        ]
    )


def columns_metadata(columns: Iterable[Column], sources: Sources) -> dict[str, Any]:
    """Return the definition metadata of columns: what they are, and what they are made of."""
    return {
        "dagster/column_schema": column_schema(columns, sources),
        LINEAGE: column_lineage(sources),
    }


def table_metadata(table: Table, sources: Sources) -> dict[str, Any]:
    """Return the definition metadata of a warehouse table."""
    return {
        **columns_metadata(table.columns, sources),
        "dagster/relation_identifier": table.qualified_name,
    }


def verdicts_table(verdicts: Sequence[Verdict]) -> str:
    """The first 50 verdicts on files as a Markdown table."""
    columns = ("key", "state", "rows_read", "rows_loaded", "rows_rejected", "reason")
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for verdict in verdicts[:50]:
        values = (getattr(verdict, name) for name in columns)
        cells = ("" if value is None else str(value)[:200].replace("|", "\\|") for value in values)
        lines.append("| " + " | ".join(" ".join(cell.split()) for cell in cells) + " |")
    return "\n".join(lines)


def _console(page: str, rest: str, laptop: MetadataValue[Any]) -> MetadataValue[Any]:
    """Link to a page of AWS's console in an account; on a laptop, which has none, return what is given."""
    if get_settings().stage == "local":
        return laptop
    region = get_settings().region
    return MetadataValue.url(f"https://{region}.console.aws.amazon.com/{page}?region={region}{rest}")


def s3_link(bucket: str, path: str) -> MetadataValue[Any]:
    """Link to S3: the console's page in an account, the `s3://` URI on a laptop."""
    return _console(f"s3/buckets/{bucket}", f"&prefix={path}", MetadataValue.path(f"s3://{bucket}/{path}"))


def job_run_link(job: str, run_id: str) -> MetadataValue[Any]:
    """Link to a Glue job run: the console's page in an account, its id on a laptop."""
    return _console("gluestudio/home", f"#/job/{job}/run/{run_id}", MetadataValue.text(run_id))


def query_link(query_id: str) -> MetadataValue[Any]:
    """Link to an Athena query: the console's page in an account, its id on a laptop."""
    return _console("athena/home", f"#/query-editor/history/{query_id}", MetadataValue.text(query_id))


def catalog_link(database: str) -> MetadataValue[Any]:
    """Link to the catalog's database: the console's page in an account, its name on a laptop."""
    return _console("glue/home", f"#/v2/data-catalog/databases/view/{database}", MetadataValue.text(database))
