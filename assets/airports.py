"""Airport codes: from the landed file to the dimension `airlines.dim_airport_codes`."""

import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetCheckResult, AssetExecutionContext, MaterializeResult, MetadataValue, asset

from airline_platform.errors import LoadRefused, UnusableInput
from airline_platform.feeds import AIRPORTS, FEEDS
from airline_platform.marts import MARTS
from airline_platform.settings import get_settings
from airline_platform.tables import SOURCE_FILE
from assets import checks, ledger, lineage, measures
from assets.alerts import check_failed_alerts, loaded_alert
from assets.cataloging import landing_table, register
from assets.description import OWNERS, column_schema, columns_metadata, describe, s3_link, table_metadata
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.hooks import tell_failed
from assets.landed import accept, send_alerts
from assets.loading import FIRST_REJECTS, RowCount, fill_airports, overwritten
from resources import outbox
from resources.catalog import rejects_prefix
from resources.glue import Glue, copy_manifest
from resources.lake import Lake
from resources.landing import LandedObject, Landing
from resources.notifier import Notifier
from resources.warehouse import Warehouse

SNAPSHOT = f"{AIRPORTS.table.name}/{AIRPORTS.table.name}.parquet"
"""The dimension as Parquet in the lake: what COPY loads, and what Glue jobs join."""

REJECTS = f"{rejects_prefix(AIRPORTS)}rejects.json"
"""The rows of the last load that could not be used."""

DELETE_ALL = f"DELETE FROM {AIRPORTS.table.qualified_name}"  # noqa: S608 - our own table's name
_COLUMNS = ", ".join(AIRPORTS.table.column_names)
INSERT_STAGED = f"INSERT INTO {AIRPORTS.table.qualified_name} ({_COLUMNS}) SELECT {_COLUMNS} FROM {{staging}}"  # noqa: S608

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
    description=describe(
        "One row per line of the airport code files, as they landed.",
        source="the objects under `airport_codes/` in the landing bucket.",
        mind=(
            "Nothing of a row is checked yet. Where several files have an airport, the one that landed last "
            "counts."
        ),
    ),
)
def raw_airport_codes(
    context: AssetExecutionContext, landing: Landing, lake: Lake, warehouse: Warehouse, notifier: Notifier
) -> None:
    """List what has landed, refuse what can't be airport codes, keep the manifest."""
    with permanent_errors_end_the_step():
        accepted = accept(context, AIRPORTS, (), landing=landing, warehouse=warehouse, notifier=notifier)
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
    metadata=columns_metadata(
        AIRPORTS.columns, lineage.copied(AIRPORTS.columns, "raw_airport_codes", AIRPORTS.columns)
    ),
    description=describe(
        "One row per landed line of airport codes, as the Data Catalog's table shows the files.",
        source="the landed files. The crawler runs when the table is new or its columns moved.",
        mind="Values are as they landed, and an airport is there as often as files have it.",
    ),
)
def airport_codes_catalog(context: AssetExecutionContext, glue: Glue) -> None:
    """Make the catalog true."""
    with permanent_errors_end_the_step():
        name = landing_table(AIRPORTS)
        crawled = register(glue, name, AIRPORTS.columns, {}, crawler=AIRPORTS.name)
        lineage.tell_lineage(context)
        context.add_output_metadata({"table": f"{glue.database}.{name}", "crawled": crawled})


@asset(
    **_SHARED,
    name=AIRPORTS.table.name,
    deps=[airport_codes_catalog],
    hooks={tell_failed},
    check_specs=checks.specs_of(AIRPORTS.table.name),
    kinds={"redshift", "table"},
    metadata=table_metadata(
        AIRPORTS.table, lineage.copied(AIRPORTS.table.columns, "airport_codes_catalog", AIRPORTS.columns)
    ),
    description=describe(
        AIRPORTS.table.description,
        source=(
            "all landed files of airport codes; every load replaces the whole table, and its Parquet "
            "snapshot in the lake, which Glue jobs join."
        ),
        mind=(
            "Rows that can't be airports are in the rejects, with line and reason. What was loaded before "
            "its airport gets its name in the same transaction, in facts and marts; a name that was "
            "corrected is not corrected there until the day is loaded again."
        ),
    ),
)
def dim_airport_codes(
    context: AssetExecutionContext, landing: Landing, lake: Lake, warehouse: Warehouse, notifier: Notifier
) -> Iterator[MaterializeResult[None] | AssetCheckResult]:
    """Read the files, replace the table, keep the snapshot."""
    with permanent_errors_end_the_step():
        manifest = lake.get_manifests("raw_airport_codes", ["all"]).get("all")
        if not manifest:
            raise UnusableInput(
                "dim_airport_codes: expected a manifest of landed airport codes, found none",
                remedy="Materialize raw_airport_codes first.",
            )
        landed = sorted((LandedObject.from_json(found) for found in manifest), key=lambda f: f.landed_at)
        read = read_airports(landing, landed)
        settings = get_settings()
        refuse_bad_dimension(
            list(read.counts.values()),
            read.sentences,
            settings.rejected_share_allowed(AIRPORTS.name, AIRPORTS.max_rejected_share),
        )
        lake.put_bytes(REJECTS, json_lines(read.rejects))
        try:
            counts, airports, outcomes = _load(
                context, read, landed, landing=landing, lake=lake, warehouse=warehouse
            )
        except checks.ChecksFailed as failed:
            yield from failed.results
            raise
        send_alerts(context, warehouse, notifier)
        lineage.tell_lineage(context)
        context.add_asset_metadata(
            {
                "dagster/row_count": airports,
                **counts,
                "rejects": MetadataValue.md(
                    "\n".join(f"- {line}" for line in read.sentences[:100]) or "none"
                ),
                "snapshot": s3_link(lake.bucket, SNAPSHOT),
            }
        )
    yield MaterializeResult(asset_key=AIRPORTS.table.name)
    yield from (outcome.result(AIRPORTS.table.name) for outcome in outcomes)


@dataclass(frozen=True)
class AirportFiles:
    """What landed files of airport codes hold.

    Args:
        airports: The good rows by airport_id, a later file's instead of an earlier one's.
        rejects: The bad ones, in the shape of the rejects' table.
        counts: Row counts by the file's URL.
    """

    airports: dict[int, dict[str, Any]]
    rejects: list[dict[str, Any]]
    counts: dict[str, RowCount]

    @property
    def sentences(self) -> list[str]:
        """What is wrong with each rejected row, and where it is."""
        return [f"{r['source_file']}, line {r['line_number']}: {r['reject_reason']}" for r in self.rejects]


def read_airports(landing: Landing, landed: Sequence[LandedObject]) -> AirportFiles:
    """Read landed files, the earliest first.

    Raises:
        UnusableInput: One of them can't be read as text.
    """
    airports: dict[int, dict[str, Any]] = {}
    rejects: list[dict[str, Any]] = []
    counts: dict[str, RowCount] = {}
    for found in landed:
        good, bad = parse_airports(_text(landing, found), found.columns)
        airports |= {row["airport_id"]: row | {SOURCE_FILE.name: found.url} for row in good}
        rejects += [{SOURCE_FILE.name: found.url, **row} for row in bad]
        counts[found.url] = RowCount(len(good) + len(bad), len(good), len(bad))
    return AirportFiles(airports, rejects, counts)


def _load(
    context: AssetExecutionContext,
    read: AirportFiles,
    landed: Sequence[LandedObject],
    *,
    landing: Landing,
    lake: Lake,
    warehouse: Warehouse,
) -> tuple[dict[str, int], int, list[checks.Outcome]]:
    """Replace the dimension, fill facts that lacked an airport; return counts, how many airports, and checks.

    Raises:
        LoadRefused: A file was overwritten meanwhile, or a blocking check failed; nothing was committed.
    """
    run, table = context.run, AIRPORTS.table.name
    with warehouse.transaction() as session:
        session.wait_for_turn()
        versions = landing.versions(AIRPORTS)
        if changed := overwritten(landed, versions):
            raise LoadRefused(
                f"{', '.join(changed)} was overwritten while its run worked; the old airports stand",
                remedy="Nothing: the newer version's run loads it.",
            )
        standing = session.execute(ledger.STANDING, {"feed": AIRPORTS.name})
        gone = {row["key"] for row in standing} - {found.key for found in landed}
        airports = {row["airport_id"]: row for row in _of_files(lake, gone)} | read.airports
        uri = lake.put_bytes(SNAPSHOT, _parquet(airports.values()))
        copy = lake.put_bytes(
            f"_tmp/{run.run_id}/{table}.manifest",
            copy_manifest([{"url": uri, "mandatory": True, "meta": {"content_length": lake.size(SNAPSHOT)}}]),
        )
        staging = session.stage(AIRPORTS.table, copy)
        before = session.change(DELETE_ALL)
        session.execute(INSERT_STAGED.format(staging=staging))
        outcomes = checks.judge(table, measures.of_airports(session, before))
        checks.require(table, outcomes)
        healed = sum(
            fill_airports(session, feed.lookups, fact) for feed in FEEDS.values() for fact in feed.tables
        )
        for mart in MARTS.values():
            fill_airports(session, mart.lookups, mart.table)
        counts = {
            "rows_loaded": sum(count.loaded for count in read.counts.values()),
            "rows_rejected": len(read.rejects),
            "rows_healed": healed,
        }
        ledger.record(session, _entries(landed, read.counts, run.run_id), versions)
        told = read.sentences[:FIRST_REJECTS]
        alert = loaded_alert(AIRPORTS, counts, told, run=run, instance=context.instance)
        outbox.put(session, [alert, *check_failed_alerts(table, AIRPORTS.name, outcomes, run)])
    lake.put_manifests(table, {"all": {"snapshot": uri}})
    return counts, len(airports), outcomes


def _entries(landed: Sequence[LandedObject], counts: dict[str, RowCount], run_id: str) -> list[ledger.Entry]:
    return [
        ledger.entry(
            found,
            feed=AIRPORTS.name,
            run_id=run_id,
            state="loaded",
            rows_read=counts[found.url].read,
            rows_loaded=counts[found.url].loaded,
            rows_rejected=counts[found.url].rejected,
        )
        for found in landed
    ]


def _of_files(lake: Lake, keys: Collection[str]) -> list[dict[str, Any]]:
    """Airports the snapshot has from files that are gone, or whose newer version was refused: they stay."""
    if not keys:
        return []
    from pyarrow import parquet  # noqa: PLC0415 - costs 0.2 s, and only this load needs it

    rows: list[dict[str, Any]] = parquet.read_table(io.BytesIO(lake.get_bytes(SNAPSHOT))).to_pylist()
    return [row for row in rows if row[SOURCE_FILE.name].removeprefix("s3://").partition("/")[2] in keys]


def parse_airports(text: str, columns: Sequence[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read a file of airport codes. A record is a line, as in every feed.

    Args:
        text: The file, header included.
        columns: The feed's column names in the file's order.

    Returns:
        The good rows, typed; for each bad one its `line_number`, `reject_reason` and `raw_text`.
    """
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    lines = re.split(r"\r\n|\r|\n", text)
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            (values,) = csv.reader([line])
        except (csv.Error, ValueError) as error:
            problem = f"{error}; expected {len(columns)} fields ({','.join(columns)})"
            bad.append({"line_number": number, "reject_reason": problem, "raw_text": line})
            continue
        row = dict(zip(columns, (value.strip() or None for value in values), strict=False))
        if reason := _problem(line, values, columns, row):
            bad.append({"line_number": number, "reject_reason": reason, "raw_text": line})
        else:
            good.append({**row, "airport_id": int(row["airport_id"] or 0)})
    return good, bad


def _problem(
    line: str, values: Sequence[str], columns: Sequence[str], row: dict[str, str | None]
) -> str | None:
    if "\0" in line:
        return "expected UTF-8 text without NUL, found other bytes"
    if line.count('"') % 2:
        return "expected a record on one line, found an odd number of quotes"
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
    body = landing.read(found)
    try:
        return (gzip.decompress(body) if found.key.endswith(".gz") else body).decode("utf-8-sig")
    except (UnicodeDecodeError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise UnusableInput(
            f"{found.url}: expected CSV in UTF-8 (compressed, if its name ends in .gz), found {error}",
            remedy="Export the file as CSV in UTF-8 and land it again.",
        ) from error


def json_lines(rows: Sequence[dict[str, Any]]) -> bytes:
    """JSON, a row on each line."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


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
