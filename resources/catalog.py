"""Data Catalog tables of the lake, derived from the feeds: days are projected, so nothing registers them."""

from typing import Any

from airline_platform.feeds import FEEDS, Feed
from airline_platform.settings import Settings
from airline_platform.tables import SOURCE_FILE, Column
from resources.aws import make_client, reaching

REJECT_COLUMNS = (
    SOURCE_FILE,
    Column("line_number", "bigint", "Line in that file, counted from 1."),
    Column("reject_reason", "string", "The column, what came, and what was expected."),
    Column("raw_text", "string", "The line as it landed, or its beginning; *** for what may be a person."),
)

_FORMATS = {
    "parquet": (
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
        "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
    ),
    "json": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "org.openx.data.jsonserde.JsonSerDe",
    ),
}


def enriched_prefix(feed: Feed) -> str:
    """Where a feed's clean Parquet stands in the lake, by day."""
    return f"{feed.name}_enriched/"


def rejects_prefix(feed: Feed) -> str:
    """Where a feed's rejected rows stand in the lake, by day."""
    return f"rejects/{feed.name}/"


def ensure_lake_tables(settings: Settings) -> None:
    """Create or update the catalog's tables over the lake; idempotent."""
    glue = make_client(settings, "glue")
    with reaching(settings):
        for feed in FEEDS.values():
            content: dict[str, tuple[str, str, tuple[Column, ...]]] = {
                f"{feed.name}_rejects": (rejects_prefix(feed), "json", REJECT_COLUMNS)
            }
            if feed.daily and not feed.typed:
                content[f"{feed.name}_enriched"] = (
                    enriched_prefix(feed),
                    "parquet",
                    feed.table.staged_columns,
                )
            for name, (prefix, file_format, columns) in content.items():
                location = f"s3://{settings.lake_bucket}/{prefix}"
                table = _table(name, location, file_format, columns)
                if feed.daily:
                    table |= {"PartitionKeys": _DAY_KEYS}
                    table["Parameters"] |= _projection(settings, location)
                try:
                    glue.create_table(DatabaseName=settings.glue_database, TableInput=table)
                except glue.exceptions.AlreadyExistsException:
                    glue.update_table(DatabaseName=settings.glue_database, TableInput=table)


_DAY_KEYS = [{"Name": "date", "Type": "string", "Comment": "The day, YYYY-MM-DD."}]


def _projection(settings: Settings, location: str) -> dict[str, str]:
    """Table parameters by which Athena knows every day's folder without asking the catalog."""
    return {
        "projection.enabled": "true",
        "projection.date.type": "date",
        "projection.date.format": "yyyy-MM-dd",
        "projection.date.range": f"{settings.start_date},NOW+1DAY",
        "storage.location.template": f"{location}date=${{date}}/",
    }


def _table(name: str, location: str, file_format: str, columns: tuple[Column, ...]) -> Any:
    read, write, serde = _FORMATS[file_format]
    return {
        "Name": name,
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"EXTERNAL": "TRUE", "classification": file_format},
        "StorageDescriptor": {
            "Columns": [
                {"Name": c.name, "Type": c.glue_type, "Comment": c.description[:255]} for c in columns
            ],
            "Location": location,
            "InputFormat": read,
            "OutputFormat": write,
            "SerdeInfo": {"SerializationLibrary": serde},
        },
    }
