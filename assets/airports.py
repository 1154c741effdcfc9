"""Airport codes: from the landed file to the dimension `airlines.dim_airport_codes`."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from dagster import AssetExecutionContext, MetadataValue, asset

from airline_platform.errors import LoadRefused, UnusableInput
from airline_platform.feeds import AIRPORTS
from airline_platform.settings import get_settings
from airline_platform.tables import SOURCE_FILE
from assets import ledger
from assets.description import OWNERS, column_schema, s3_link, table_metadata
from assets.fact_feed import landing_table, record_refused, register, tell_refused
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.hooks import tell_failed, tell_loaded
from assets.loading import RowCount
from resources.glue import Glue, copy_manifest
from resources.lake import Lake
from resources.landing import LandedObject, Landing
from resources.notifier import Notifier
from resources.warehouse import Warehouse

SNAPSHOT = f"{AIRPORTS.table.name}/{AIRPORTS.table.name}.parquet"
"""The dimension as Parquet in the lake: what COPY loads, and what Glue jobs join."""

DELETE_ALL = f"DELETE FROM {AIRPORTS.table.qualified_name}"  # noqa: S608 - our own table's name
INSERT_STAGED = (
    f"INSERT INTO {AIRPORTS.table.qualified_name} SELECT {', '.join(AIRPORTS.table.column_names)} "  # noqa: S608
    "FROM {staging}"
)

_SHARED: dict[str, Any] = {
    "group_name": AIRPORTS.name,
    "owners": OWNERS,
    "pool": AIRPORTS.name,
    "retry_policy": RETRIES,
}


@asset(
    **_SHARED,
    hooks={tell_failed},
    kinds={"s3", "csv"},
    metadata={"dagster/column_schema": column_schema(AIRPORTS.columns)},
    description=(
        "Airport code files as they landed under `airport_codes/`, one row per airport. Where several have "
        "landed, a later one's rows replace an earlier one's."
    ),
)
def raw_airport_codes(
    context: AssetExecutionContext, landing: Landing, lake: Lake, warehouse: Warehouse, notifier: Notifier
) -> None:
    """List what has landed, refuse what can't be airport codes, keep the manifest."""
    with permanent_errors_end_the_step():
        landed = landing.manifest(AIRPORTS)
        refused = [found for found in landed if found.refused]
        record_refused(AIRPORTS, refused, context.run.run_id, warehouse)
        accepted = [found for found in landed if not found.refused]
        if not accepted:
            reasons = "\n".join(f"{found.key}, {found.refused}" for found in refused) or "nothing has landed"
            raise UnusableInput(
                f"airports: expected a file under {AIRPORTS.prefix}, found none that can be used: {reasons}",
                remedy="Land it with `airline land airport_codes.csv`.",
            )
        tell_refused(AIRPORTS, refused, context.run.run_id, notifier)
        lake.put_manifests("raw_airport_codes", {"all": [found.as_json() for found in accepted]})
        context.add_output_metadata(
            {
                "files": len(accepted),
                "bytes": sum(found.size for found in accepted),
                "keys": MetadataValue.md("\n".join(f"- `{found.key}`" for found in accepted)),
                "landing": s3_link(landing.bucket, AIRPORTS.prefix),
            }
        )


@asset(
    **_SHARED,
    deps=[raw_airport_codes],
    hooks={tell_failed},
    kinds={"glue", "table"},
    metadata={"dagster/column_schema": column_schema(AIRPORTS.columns)},
    description=(
        "The Data Catalog's table over the landed airport codes. The crawler runs when the table is new or "
        "its columns moved."
    ),
)
def airport_codes_catalog(context: AssetExecutionContext, glue: Glue) -> None:
    """Make the catalog true."""
    with permanent_errors_end_the_step():
        name = landing_table(AIRPORTS)
        crawled = register(glue, AIRPORTS, name, {})
        context.add_output_metadata({"table": f"{glue.database}.{name}", "crawled": crawled})


@asset(
    **_SHARED,
    name=AIRPORTS.table.name,
    deps=[airport_codes_catalog],
    hooks={tell_failed, tell_loaded},
    kinds={"redshift", "table"},
    metadata=table_metadata(AIRPORTS.table),
    description=(
        "One row per airport, replaced as a whole with every load; its Parquet snapshot in the lake is what "
        "Glue jobs join. Rows that can't be airports are rejected, with line and reason in the metadata."
    ),
)
def dim_airport_codes(
    context: AssetExecutionContext, landing: Landing, lake: Lake, warehouse: Warehouse
) -> None:
    """Read the files, replace the table, keep the snapshot."""
    with permanent_errors_end_the_step():
        manifest = lake.get_manifests("raw_airport_codes", ["all"]).get("all")
        if not manifest:
            raise UnusableInput(
                "dim_airport_codes: expected a manifest of landed airport codes, found none",
                remedy="Materialize raw_airport_codes first.",
            )
        landed = sorted((LandedObject.from_json(found) for found in manifest), key=lambda f: f.landed_at)
        airports: dict[int, dict[str, Any]] = {}
        rejects: list[str] = []
        counts: dict[str, RowCount] = {}
        for found in landed:
            good, bad = parse_airports(_text(landing, found), found.columns)
            airports |= {row["airport_id"]: row | {SOURCE_FILE.name: found.url} for row in good}
            rejects += [f"{found.key}, {reason}" for reason in bad]
            counts[found.url] = RowCount(len(good) + len(bad), len(good), len(bad))
        refuse_bad_dimension(list(counts.values()), rejects, get_settings().max_rejected_share)
        uri = lake.put_bytes(SNAPSHOT, _parquet(airports.values()))
        copy = lake.put_bytes(
            f"_tmp/{context.run.run_id}/{AIRPORTS.table.name}.manifest",
            copy_manifest([{"url": uri, "mandatory": True, "meta": {"content_length": lake.size(SNAPSHOT)}}]),
        )
        with warehouse.transaction() as session:
            staging = session.stage(AIRPORTS.table, copy)
            session.execute(DELETE_ALL)
            session.execute(INSERT_STAGED.format(staging=staging))
            ledger.record(
                session,
                [
                    ledger.entry(
                        found,
                        feed=AIRPORTS.name,
                        run_id=context.run.run_id,
                        state="loaded",
                        rows_read=counts[found.url].read,
                        rows_loaded=counts[found.url].loaded,
                        rows_rejected=counts[found.url].rejected,
                    )
                    for found in landed
                ],
            )
        lake.put_manifests(AIRPORTS.table.name, {"all": {"snapshot": uri}})
        context.add_output_metadata(
            {
                "dagster/row_count": len(airports),
                "rows_loaded": len(airports),
                "rows_rejected": len(rejects),
                "rejects": MetadataValue.md("\n".join(f"- {reason}" for reason in rejects[:100]) or "none"),
                "snapshot": s3_link(lake.bucket, SNAPSHOT),
            }
        )


def parse_airports(text: str, columns: Sequence[str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Read a file of airport codes. A record is a line, as in every feed.

    Args:
        text: The file, header included.
        columns: The feed's column names in the file's order.

    Returns:
        The good rows, typed, and a sentence for each bad one that names its line.
    """
    good, bad = [], []
    lines = text.splitlines()
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            (values,) = csv.reader([line])
        except (csv.Error, ValueError) as error:
            bad.append(f"line {number}: {error}; expected {len(columns)} fields ({','.join(columns)})")
            continue
        row = dict(zip(columns, (value.strip() or None for value in values), strict=False))
        if problem := _problem(values, columns, row):
            bad.append(f"line {number}: {problem}")
        else:
            good.append({**row, "airport_id": int(row["airport_id"] or 0)})
    return good, bad


def _problem(values: Sequence[str], columns: Sequence[str], row: dict[str, str | None]) -> str | None:
    if len(values) != len(columns):
        return f"{len(values)} fields; expected {len(columns)} ({','.join(columns)})"
    number = row["airport_id"] or ""
    if not (number.isascii() and number.isdigit() and len(number) <= 18):  # noqa: PLR2004 - BIGINT's digits
        return f"airport_id is '{number[:100]}'; expected a whole number"
    for column in AIRPORTS.columns:
        value = row[column.name]
        if column.type == "string" and value and len(value.encode()) > column.length:
            return f"{column.name} is '{value[:100]}…'; expected {column.length} bytes at most"
    return None


def refuse_bad_dimension(counts: Sequence[RowCount], rejects: Sequence[str], allowed: float) -> None:
    """Refuse a dimension that is empty, or of which too large a share was rejected; the old one stands.

    Raises:
        LoadRefused: With the first reasons.
    """
    share = sum(count.rejected for count in counts) / max(1, sum(count.read for count in counts))
    if share > allowed or not any(count.loaded for count in counts):
        raise LoadRefused(
            f"expected airports, at most {allowed:.1%} of them rejected, found {share:.1%}:\n"
            + "\n".join(rejects[:20]),
            remedy="Mend these lines and land the file again.",
        )


def _text(landing: Landing, found: LandedObject) -> str:
    body = landing.client().get_object(Bucket=found.bucket, Key=found.key)["Body"].read()
    try:
        return (gzip.decompress(body) if found.key.endswith(".gz") else body).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnusableInput(
            f"{found.url}: expected CSV in UTF-8 (compressed, if its name ends in .gz), found {error}",
            remedy="Export the file as CSV in UTF-8 and land it again.",
        ) from error


def _parquet(airports: Iterable[dict[str, Any]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - costs 0.2 s, and only this load needs it
    from pyarrow import parquet  # noqa: PLC0415

    types = {"bigint": pa.int64(), "string": pa.string()}
    columns = (*AIRPORTS.table.columns, SOURCE_FILE)
    schema = pa.schema([(column.name, types[column.type]) for column in columns])
    sink = io.BytesIO()
    rows = sorted(airports, key=lambda row: int(row["airport_id"]))
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), sink)
    return sink.getvalue()
