"""Tables of the Data Catalog over landed files and the lake, declared by the feeds and never by a crawl."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from airline_platform.contract.feed import WHOLE, Feed
from airline_platform.contract.table import SOURCE_FILE, Column, Table
from airline_platform.feeds import FEEDS
from airline_platform.settings import Settings
from resources.aws.client import make_client, reaching

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_glue.type_defs import PartitionTypeDef

CONFIRMED = "airline.confirmed"
"""Parameter of a table: the fingerprint of the declaration that a crawl has confirmed."""

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
    # Not OpenCSVSerde: it reads quotes, but a query of it ends at the first empty number. This one leaves
    # quotes in the values, and shows an empty or wrong number as NULL.
    "csv": (
        "org.apache.hadoop.mapred.TextInputFormat",
        "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe",
    ),
}
"""Input format, output format and SerDe of each format."""


_DAY_KEYS = [{"Name": "date", "Type": "string", "Comment": "The day, YYYY-MM-DD."}]


@dataclass(frozen=True)
class CatalogTable:
    """A table of the Data Catalog as it is declared.

    Args:
        name: Without the database.
        description: What one row is, and what to mind.
        location: `s3://` folder of its files, ending in `/`.
        format: Of its files.
        columns: In the order in which CSV is read; the day is a partition key and none of them.
        daily: Whether its files lie in folders `date=YYYY-MM-DD`, each a partition.
        crawler: Which one confirms it, by its name without the platform's; empty for none.
        projected_from: First day, where days are projected and so never registered.
        by_run: Whether each run writes folders of its own, to which the days' partitions move.
        delimiter: Between the fields of CSV.
        header_lines: Lines before the first row of CSV.
    """

    name: str
    description: str
    location: str
    format: Literal["csv", "json", "parquet"]
    columns: tuple[Column, ...]
    daily: bool
    crawler: str = ""
    projected_from: str = ""
    by_run: bool = False
    delimiter: str = ","
    header_lines: int = 1

    @property
    def table_input(self) -> Any:
        """The table as CreateTable and UpdateTable take it."""
        read, write, serde = _FORMATS[self.format]
        is_csv = self.format == "csv"
        parting = {"field.delim": self.delimiter, "serialization.format": self.delimiter}
        return {
            "Name": self.name,
            "Description": self.description,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {
                "EXTERNAL": "TRUE",
                "classification": self.format,
                **({"skip.header.line.count": str(self.header_lines)} if is_csv else {}),
                **self._projection(),
            },
            "PartitionKeys": _DAY_KEYS if self.daily else [],
            "StorageDescriptor": {
                "Columns": [
                    {"Name": c.name.lower(), "Type": c.glue_type, "Comment": c.description[:255]}
                    for c in self.columns
                ],
                "Location": self.location,
                "InputFormat": read,
                "OutputFormat": write,
                "SerdeInfo": {
                    "SerializationLibrary": serde,
                    "Parameters": parting if is_csv else {"serialization.format": "1"},
                },
            },
        }

    @property
    def fingerprint(self) -> str:
        """A hash of all that a file can contradict: columns, format and place, and no description."""
        columns = [(column.name.lower(), column.glue_type) for column in self.columns]
        reading = [self.delimiter, self.header_lines]
        declared = json.dumps([columns, self.format, self.location, self.daily, reading])
        return hashlib.sha256(declared.encode()).hexdigest()[:16]

    def is_confirmed(self, table: Mapping[str, Any]) -> bool:
        """Say whether a crawl has confirmed the catalog's table since it was declared like this."""
        return bool(table["Parameters"].get(CONFIRMED) == self.fingerprint)

    def folder(self, day: str) -> str:
        """Return the `s3://` location of a day whose folder is the table's own, and no run's."""
        return f"{self.location}date={day}/"

    def _projection(self) -> dict[str, str]:
        """Parameters by which Athena knows every day's folder without asking the catalog."""
        if not self.projected_from:
            return {}
        return {
            "projection.enabled": "true",
            "projection.date.type": "date",
            "projection.date.format": "yyyy-MM-dd",
            "projection.date.range": f"{self.projected_from},NOW+1DAY",
            "storage.location.template": f"{self.location}date=${{date}}/",
        }


def enriched_prefix(feed: Feed) -> str:
    """Return the prefix in the lake below which a feed's clean Parquet stands by day."""
    return f"{feed.name}_enriched/"


def rejects_prefix(feed: Feed) -> str:
    """Return the prefix in the lake below which a feed's rejected rows stand by day."""
    return f"rejects/{feed.name}/"


def landing_table(settings: Settings, feed: Feed) -> CatalogTable:
    """Declare the table over a CSV feed's landed files, named after their folder."""
    return CatalogTable(
        name="landing_" + feed.prefix.rstrip("/").rpartition("/")[2],
        description=(
            f"Landed files of {feed.noun}, a row per line, as they came; what is no value of its column's "
            "type is NULL. Fields are read by position, in the declared order: a file with its columns in "
            "another order is read right by the job, which goes by their names, but not through this table. "
            "Quotes stay in the values, and a comma inside them parts a field."
        ),
        location=f"s3://{settings.landing_bucket}/{feed.prefix}",
        format="csv",
        columns=feed.columns,
        daily=feed.daily,
        crawler=feed.name,
        delimiter=feed.reading.delimiter,
        header_lines=feed.reading.skip_lines + 1,
    )


def parquet_table(settings: Settings, feed: Feed, table: Table) -> CatalogTable:
    """Declare a table of a feed that stays in the lake: its typed rows beside what landed, or its table.

    Its crawler is asked for nothing: a crawl can't tell which of a day's folders counts, and looks into no
    run's. Who starts it by hand has the days of earlier versions registered.
    """
    typed = table == feed.typed
    landing, lake = f"s3://{settings.landing_bucket}/", f"s3://{settings.lake_bucket}/"
    return CatalogTable(
        name=table.name,
        description=table.description,
        location=f"{landing}{feed.typed_prefix}" if typed else f"{lake}{table.name}/",
        format="parquet",
        columns=table.columns,
        daily=True,
        crawler=feed.name if typed else table.name,
        by_run=True,
    )


def catalog_tables(settings: Settings) -> dict[str, CatalogTable]:
    """Return every table of the Data Catalog but the warehouse's, by its name."""
    return {table.name: table for feed in FEEDS.values() for table in _tables_of(settings, feed)}


def _tables_of(settings: Settings, feed: Feed) -> Iterator[CatalogTable]:
    first_day = str(settings.start_date) if feed.daily else ""
    lake = f"s3://{settings.lake_bucket}/"
    yield CatalogTable(
        name=f"{feed.name}_rejects",
        description=f"One row per line of {feed.noun} that could not be used.",
        location=lake + rejects_prefix(feed) + ("" if feed.daily else f"date={WHOLE}/"),
        format="json",
        columns=REJECT_COLUMNS,
        daily=feed.daily,
        projected_from=first_day,
    )
    if feed.typed:
        yield parquet_table(settings, feed, feed.typed)
        yield parquet_table(settings, feed, feed.table)
        return
    yield landing_table(settings, feed)
    yield enriched_table(settings, feed)


def enriched_table(settings: Settings, feed: Feed) -> CatalogTable:
    """Declare the table over a feed's clean Parquet."""
    whole = "" if feed.daily else f"date={WHOLE}/"
    return CatalogTable(
        name=f"{feed.name}_enriched",
        description=feed.table.description,
        location=f"s3://{settings.lake_bucket}/{enriched_prefix(feed)}{whole}",
        format="parquet",
        columns=feed.table.staged_columns,
        daily=feed.daily,
        projected_from=str(settings.start_date) if feed.daily else "",
    )


def ensure_catalog_tables(settings: Settings) -> None:
    """Make or mend every declared table of the catalog; a second time it changes nothing."""
    glue = make_client(settings, "glue")
    with reaching(settings):
        for table in catalog_tables(settings).values():
            ensure_table(glue, settings.glue_database, table)


def ensure_table(glue: "GlueClient", database: str, table: CatalogTable) -> Mapping[str, Any]:
    """Make a table that is missing, and mend one that differs from its declaration.

    Partitions stay. Only with a table whose partition keys are others they go, because their values mean
    nothing under ours; the next crawl adds them as they are declared.

    Args:
        glue: The catalog.
        database: Which has the table.
        table: As it is to be.

    Returns:
        The table as the catalog has it now: at least its name, columns, storage, keys and parameters.
    """
    wanted: Mapping[str, Any] = table.table_input
    try:
        existing: Mapping[str, Any] = glue.get_table(DatabaseName=database, Name=table.name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        existing = {}
    if existing and _names(existing.get("PartitionKeys", ())) != _names(wanted["PartitionKeys"]):
        glue.delete_table(DatabaseName=database, Name=table.name)
        existing = {}
    if not existing:
        # Another run may have made it in this moment, from the same declaration.
        with suppress(glue.exceptions.AlreadyExistsException):
            glue.create_table(DatabaseName=database, TableInput=table.table_input)
        return wanted
    if has_all(existing, wanted):
        return existing
    return _write(glue, database, table, existing.get("Parameters", {}).get(CONFIRMED))


def partitions_of(
    glue: "GlueClient", database: str, table: str, values: Iterable[str]
) -> "list[PartitionTypeDef]":
    """Return the partitions a table has of these values, 1,000 at most; those it lacks are left out.

    Glue may leave some unprocessed (`UnprocessedKeys`), which are asked for again as long as each call brings
    some. What it never brings counts as lacking: AWS's reference of BatchGetPartition does not say whether
    it names values there that have no partition.
    """
    found: list[PartitionTypeDef] = []
    asked: Any = [{"Values": [value]} for value in values]
    while asked:
        answer = glue.batch_get_partition(DatabaseName=database, TableName=table, PartitionsToGet=asked)
        found += answer["Partitions"]
        asked = answer.get("UnprocessedKeys", []) if answer["Partitions"] else []
    return found


def mark_confirmed(glue: "GlueClient", database: str, table: CatalogTable) -> None:
    """Write down that a crawl has confirmed a table's declaration."""
    _write(glue, database, table, table.fingerprint)


def _write(
    glue: "GlueClient", database: str, table: CatalogTable, confirmed: str | None
) -> Mapping[str, Any]:
    written = table.table_input
    if confirmed:
        written["Parameters"][CONFIRMED] = confirmed
    glue.update_table(DatabaseName=database, TableInput=written)
    return cast("Mapping[str, Any]", written)


def _names(columns: Any) -> list[str]:
    return [column["Name"].lower() for column in columns]


def has_all(document: Any, wanted: Any) -> bool:
    """Say whether a document has all that is wanted in it; Glue adds fields and parameters of its own."""
    if isinstance(wanted, Mapping):
        return all(has_all((document or {}).get(key), wanted[key]) for key in wanted)
    if isinstance(wanted, list):
        items = document or []
        return len(items) == len(wanted) and all(map(has_all, items, wanted))
    return bool(document == wanted)
