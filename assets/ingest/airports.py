"""Airport codes: from the landed file to the dimension `airlines.dim_airport_codes`."""

import csv
import gzip
import io
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import AssetCheckResult, AssetExecutionContext, MaterializeResult, MetadataValue, asset

from airline_platform.contract.feed import UNKNOWN_MARK
from airline_platform.contract.reading import Reading
from airline_platform.contract.table import LARGEST_NUMBER, SOURCE_FILE
from airline_platform.errors import LoadRefused, UnusableInput
from airline_platform.feeds import FEEDS
from airline_platform.feeds.airports import AIRPORTS
from airline_platform.files import csv_records
from airline_platform.files.characters import first_hidden, trimmed
from airline_platform.files.names import is_gzip
from airline_platform.settings import get_settings
from assets import lineage
from assets.alerts.hooks import tell_failed
from assets.alerts.messages import check_failed_alerts, loaded_alert
from assets.checks import measures, rules
from assets.description import OWNERS, column_schema, columns_metadata, describe, s3_link, table_metadata
from assets.failures import RETRIES, permanent_errors_end_the_step
from assets.ingest.catalog import register_and_confirm
from assets.ingest.landed import accept, nothing_usable, read_listed, send_alerts
from assets.ingest.loading import FIRST_REJECTS, RowCount, fill_airports
from assets.ingest.refusals import Refusal, overwritten, record_refusals
from assets.marts.declarations import MARTS
from resources.catalog import landing_table, rejects_prefix
from resources.glue import Glue
from resources.lake import Lake
from resources.landing import LandedObject, Landing
from resources.topic import Notifier
from resources.warehouse import ledger, outbox
from resources.warehouse.session import Warehouse

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
        source=(
            "the landed files. Columns are as declared, whatever has landed; the crawler only confirms them, "
            "once for each declaration, and reports what differs."
        ),
        mind=(
            "Values are as they landed, in the declared order of columns, also of refused files. An "
            "airport is there as often as files have it."
        ),
    ),
)
def airport_codes_catalog(context: AssetExecutionContext, glue: Glue) -> None:
    """Keep the catalog's table as declared."""
    with permanent_errors_end_the_step():
        told = register_and_confirm(glue, landing_table(get_settings(), AIRPORTS), {})
        lineage.tell_lineage(context)
        context.add_output_metadata(told)


@asset(
    **_SHARED,
    name=AIRPORTS.table.name,
    deps=[airport_codes_catalog],
    hooks={tell_failed},
    check_specs=rules.specs_of(AIRPORTS.table.name),
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
        landed = sorted(read_listed(manifest, "raw_airport_codes"), key=lambda found: found.landed_at)
        allowed = get_settings().rejected_share_allowed(AIRPORTS.name, AIRPORTS.max_rejected_share)
        read = read_airports(landing, landed, allowed)
        lake.put_bytes(REJECTS, json_lines(read.rejects))
        refusals = [
            Refusal.because(found, read.refused[found.url], read.counts[found.url].read)
            for found in landed
            if found.url in read.refused
        ]
        if refusals:
            record_refusals(context.run, AIRPORTS, (), refusals, landing=landing, warehouse=warehouse)
            send_alerts(context, warehouse, notifier)
        landed = [found for found in landed if found.url not in read.refused]
        if not landed:
            raise nothing_usable(AIRPORTS, (), [*map(str, refusals)])
        try:
            counts, airports, outcomes = _load(
                context, read, landed, landing=landing, lake=lake, warehouse=warehouse
            )
        except rules.ChecksFailed as failed:
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
        airports: The good rows of the files that are not refused, by airport_id; a later file's instead of an
            earlier one's.
        rejects: The bad ones, in the shape of the rejects' table.
        counts: Row counts by the file's URL.
        refused: Why files are refused, by their URL.
    """

    airports: dict[int, dict[str, Any]]
    rejects: list[dict[str, Any]]
    counts: dict[str, RowCount]
    refused: dict[str, str]

    @property
    def sentences(self) -> list[str]:
        """What is wrong with each rejected row, and where it is."""
        return [f"{r['source_file']}, line {r['line_number']}: {r['reject_reason']}" for r in self.rejects]


def read_airports(landing: Landing, landed: Sequence[LandedObject], allowed: float) -> AirportFiles:
    """Read landed files, the earliest first; whatever one of them raises is its own verdict.

    Args:
        landing: Where they are.
        landed: The files.
        allowed: Largest share of a file's rows that may be rejected, 0 to 1.

    Raises:
        StackUnavailable: S3 does not answer.
    """
    airports: dict[int, dict[str, Any]] = {}
    rejects: list[dict[str, Any]] = []
    counts: dict[str, RowCount] = {}
    refused: dict[str, str] = {}
    for found in landed:
        body = landing.read(found)
        try:
            good, bad = parse_airports(found, body)
        except Exception as error:  # noqa: BLE001 - whatever a file raises
            counts[found.url] = RowCount(found.rows, 0, found.rows)
            refused[found.url] = f"it can't be read: {type(error).__name__}: {error}"[:500]
            continue
        rejects += [{SOURCE_FILE.name: found.url, **row} for row in bad]
        counts[found.url] = RowCount(len(good) + len(bad), len(good), len(bad))
        if why := why_refused(counts[found.url], found.rows, allowed):
            first = [f"line {row['line_number']}: {row['reject_reason']}" for row in bad[:FIRST_REJECTS]]
            refused[found.url] = "; ".join([why, *first, "mend them and land the file again"])
        else:
            airports |= {row["airport_id"]: row | {SOURCE_FILE.name: found.url} for row in good}
    return AirportFiles(airports, rejects, counts, refused)


def why_refused(count: RowCount, rows: int, allowed: float) -> str:
    """Why a file of airport codes is not loaded; empty where it is.

    Args:
        count: What became of its rows.
        rows: How many it has, by the count of its lines.
        allowed: Largest share that may be rejected, 0 to 1.
    """
    if count.read != rows:
        return f"expected {rows:,} rows, by the count of its lines, found {count.read:,}"
    share = count.rejected / count.read if count.read else 0.0
    if share > allowed:
        return (
            f"expected at most {allowed:.1%} of the rows to be rejected, found {share:.1%} of {count.read:,}"
        )
    return "" if count.loaded else "expected a row that can be used, found none"


def _load(
    context: AssetExecutionContext,
    read: AirportFiles,
    landed: Sequence[LandedObject],
    *,
    landing: Landing,
    lake: Lake,
    warehouse: Warehouse,
) -> tuple[dict[str, int], int, list[rules.Outcome]]:
    """Replace the dimension, fill facts that lacked an airport; return counts, how many airports, and checks.

    Raises:
        LoadRefused: A file was overwritten meanwhile, or a blocking check failed; nothing was committed.
    """
    run, table = context.run, AIRPORTS.table.name
    with warehouse.exclusive_transaction() as session:
        versions = landing.versions(AIRPORTS)
        if changed := overwritten(landed, versions):
            raise LoadRefused(
                f"{', '.join(changed)} was overwritten while its run worked; the old airports stand",
                remedy="Nothing: the newer version's run loads it.",
            )
        standing = ledger.loaded_files(session, AIRPORTS.name)
        gone = {file.key for file in standing} - {found.key for found in landed}
        airports = {row["airport_id"]: row for row in _of_files(lake, gone)} | read.airports
        uri = lake.put_bytes(SNAPSHOT, _parquet(airports.values()))
        snapshot = {"url": uri, "mandatory": True, "meta": {"content_length": lake.size(SNAPSHOT)}}
        staging = session.stage(AIRPORTS.table, lake.put_run_manifest(run.run_id, table, [snapshot]))
        before = session.change(DELETE_ALL)
        session.execute(INSERT_STAGED.format(staging=staging))
        outcomes = rules.judge(table, measures.of_airports(session, before))
        rules.require(table, outcomes)
        healed = sum(
            fill_airports(session, feed.lookups, fact) for feed in FEEDS.values() for fact in feed.tables
        )
        for mart in MARTS.values():
            fill_airports(session, mart.lookups, mart.table)
        counts = {
            "rows_loaded": sum(count.loaded for url, count in read.counts.items() if url not in read.refused),
            "rows_rejected": len(read.rejects),
            "rows_healed": healed,
        }
        ledger.record(session, _entries(landed, read.counts, run.run_id), versions)
        told = read.sentences[:FIRST_REJECTS]
        alert = loaded_alert(AIRPORTS, counts, told, run=run, instance=context.instance)
        outbox.put(session, [alert, *check_failed_alerts(table, AIRPORTS.name, outcomes, run)])
    lake.put_manifests(table, {"all": {"snapshot": uri}})
    return counts, len(airports), outcomes


def _entries(
    landed: Sequence[LandedObject], counts: Mapping[str, RowCount], run_id: str
) -> list[ledger.Entry]:
    return [
        ledger.Entry.of(
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


def parse_airports(found: LandedObject, body: bytes) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read a file of airport codes.

    Args:
        found: How it is written.
        body: All of its bytes.

    Returns:
        The good rows, typed; for each bad one its `line_number`, `reject_reason` and `raw_text`.
    """
    reading = Reading.from_json(found.reading)
    layout = csv_records.Layout(
        found.first, found.header or "", len(found.columns), reading.delimiter, reading.quote
    )
    text = gzip.decompress(body) if is_gzip(found.key) else body
    text = text if reading.is_utf_8 else text.decode(reading.encoding).encode()
    good: list[dict[str, Any]] = []
    bad: list[dict[str, Any]] = []
    for record in csv_records.records([text], layout):
        line = record.text.decode("utf-8", "replace")
        row = _fields(line, found.columns, reading)
        problem = row if isinstance(row, str) else _problem(row)
        if problem or isinstance(row, str):
            bad.append({"line_number": record.line, "reject_reason": problem, "raw_text": line[:20_000]})
        else:
            good.append({**row, "airport_id": _whole(row["airport_id"] or "")})
    return good, bad


def _fields(line: str, columns: Sequence[str], reading: Reading) -> dict[str, str | None] | str:
    """The text of each of the feed's columns in a record, or why it is none."""
    if "\ufffd" in line or "\0" in line:
        return f"expected {reading.encoding.upper()} text without NUL, found other bytes"
    if reading.quote and line.count(reading.quote) % 2:
        return "expected quotes in pairs, found an odd number of them"
    how: Any = {"quotechar": reading.quote} if reading.quote else {"quoting": csv.QUOTE_NONE}
    fields = f"{len(columns)} ({','.join(name.removeprefix(UNKNOWN_MARK) for name in columns)})"
    try:
        (values,) = csv.reader(
            io.StringIO(line, newline=""), delimiter=reading.delimiter, skipinitialspace=True, **how
        )
    except (csv.Error, ValueError) as error:
        return f"{error}; expected {fields} fields"
    if len(values) != len(columns):
        return f"{len(values)} fields; expected {fields}"
    given = {name: trimmed(value) or None for name, value in zip(columns, values, strict=True)}
    return {
        column.name: None if (value := given.get(column.name)) in reading.nulls else value
        for column in AIRPORTS.columns
    }


def _problem(row: Mapping[str, str | None]) -> str | None:
    """Why a record is no airport; the same sentences as a Glue job's."""
    number = row["airport_id"]
    if number is None:
        return "airport_id is empty; a value is required"
    if _whole(number) is None:
        return f"airport_id is '{number[:100]}'; expected a whole number, at most {LARGEST_NUMBER:,}"
    for column in AIRPORTS.columns:
        value = row[column.name]
        if column.type != "string" or not value:
            continue
        if hidden := first_hidden(value, several_lines=column.several_lines):
            return f"{column.name} has {hidden}; expected no control and no invisible characters"
        if len(value.encode()) > column.length:
            return f"{column.name} is '{value[:100]}…'; expected {column.length} bytes at most"
    return None


def _whole(text: str) -> int | None:
    """A whole number in ASCII digits, else None. Python reads none of more than 4,300 digits."""
    digits = text.lstrip("0") or text[-1:]
    if not (text.isascii() and text.isdigit()) or len(digits) > len(str(LARGEST_NUMBER)):
        return None
    number = int(digits)
    return number if number <= LARGEST_NUMBER else None


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
