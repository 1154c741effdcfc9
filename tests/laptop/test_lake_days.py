"""Days of the lake's tables: replaced at once whoever asks meanwhile, found again, tidied up in the end."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from airline_platform.contract.table import Column
from airline_platform.errors import AirlineError, LoadRefused
from airline_platform.feeds.shipments import SHIPMENTS
from airline_platform.settings import get_settings
from assets.ingest.catalog import place, sweep
from assets.ingest.handover import MadeDay
from assets.ingest.step import Step
from resources import lake_days
from resources.athena import Athena
from resources.aws.client import make_client
from resources.catalog import CatalogTable, ensure_catalog_tables, parquet_table
from resources.glue import Glue
from resources.lake import Lake
from resources.lake_days import LakeDays, restore_days, run_folder
from resources.warehouse.resource import Warehouse

MONDAY, TUESDAY = "2013-01-07", "2013-01-08"
PARTS, ROWS = 3, 40
REPLACEMENTS = 50
NOW = timedelta(0)
"""A grace time that is over at once."""

NAME = "parcels"
PREFIX = f"{NAME}/"


@pytest.fixture(scope="module", autouse=True)
def athena(server: Warehouse) -> Athena:
    """Athena, with a database and a workgroup to ask in."""
    del server
    settings = get_settings()
    results = {"OutputLocation": f"s3://{settings.lake_bucket}/athena-results/"}
    make_client(settings, "glue").create_database(DatabaseInput={"Name": settings.glue_database})
    make_client(settings, "athena").create_work_group(
        Name=settings.workgroup, Configuration={"ResultConfiguration": results}
    )
    return Athena.of(settings)


@pytest.fixture
def lake() -> Iterator[Lake]:
    found = Lake.of(get_settings())
    yield found
    found.remove("")


@pytest.fixture
def table() -> CatalogTable:
    return CatalogTable(
        name=NAME,
        description="Parcels.",
        location=f"s3://{get_settings().lake_bucket}/{PREFIX}",
        format="parquet",
        columns=(Column("parcel_id", "bigint", "Names it."), Column("version", "bigint", "Who wrote it.")),
        daily=True,
        by_run=True,
    )


@pytest.fixture
def days(lake: Lake, table: CatalogTable) -> Iterator[LakeDays]:
    """The table, without a day."""
    glue = Glue.of(get_settings())
    glue.declare(table)
    yield LakeDays.of(glue, lake, table)
    glue.client().delete_table(DatabaseName=glue.database, Name=NAME)


def parquet(version: int, part: int) -> bytes:
    ids = range(part * ROWS, (part + 1) * ROWS)
    body = io.BytesIO()
    rows = {"parcel_id": pa.array(ids, pa.int64()), "version": pa.array([version] * ROWS, pa.int64())}
    pq.write_table(pa.table(rows), body)
    return body.getvalue()


def write(lake: Lake, folder: str, version: int) -> None:
    """Write a day's Parquet, as a job does: part by part, under names of its own."""
    job = uuid4().hex
    for part in range(PARTS):
        lake.put_bytes(f"{lake.path(folder)}part-{part}-{job}.parquet", parquet(version, part))


def made(lake: Lake, day: str, version: int) -> str:
    """A day that a run has made; its location."""
    folder = lake.uri(f"{run_folder(PREFIX, f'run-{version}')}date={day}/")
    write(lake, folder, version)
    return folder


def put(days: LakeDays, day: str, version: int) -> str:
    """A day that a run has made and placed; its location."""
    folder = made(days.lake, day, version)
    days.note({day: folder})
    days.place({day: folder})
    return folder


def objects(lake: Lake, folder: str) -> int:
    (entries,) = lake.list_files([lake.path(folder)]).values()
    return len(entries)


def shown(athena: Athena) -> dict[str, tuple[int, int]]:
    """Rows and version of each day, as Athena shows them; a day of several versions has none."""
    figures = "COUNT(*) AS n, MIN(version) AS a, MAX(version) AS b"
    rows = athena.query(f'SELECT "date" AS day, {figures} FROM {NAME} GROUP BY "date"').rows
    return {
        str(row["day"]): (int(row["n"] or 0), int(row["a"] or 0) if row["a"] == row["b"] else -1)
        for row in rows
    }


def locations(table: str = NAME) -> dict[str, str]:
    """Where the catalog says that a table's days are."""
    glue = Glue.of(get_settings())
    named = {"DatabaseName": glue.database, "TableName": table}
    pages = glue.client().get_paginator("get_partitions").paginate(**named)
    partitions = [partition for page in pages for partition in page["Partitions"]]
    return {each["Values"][0]: each["StorageDescriptor"]["Location"] for each in partitions}


# --- replaced


@contextmanager
def asking(athena: Athena) -> Iterator[list[tuple[int, int]]]:
    """Ask for Monday's rows again and again, twice at a time; the answers."""
    answers: list[tuple[int, int]] = []
    enough = threading.Event()

    def ask() -> None:
        while not enough.is_set():
            answers.append(shown(athena).get(MONDAY, (0, -1)))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        enough.set()
        for thread in threads:
            thread.join()


def replaced(athena: Athena, replace: Callable[[int], None], *, until: Callable[[Any], bool]) -> list[Any]:
    """Answers while Monday is replaced so often; a query ends between any two of the replacements."""
    with asking(athena) as answers:
        for version in range(1, REPLACEMENTS + 1):
            before = len(answers)
            replace(version)
            waited = Retrying(
                retry=retry_if_result(lambda ended: not ended),
                wait=wait_fixed(0.01),
                stop=stop_after_delay(30),
            )
            waited(lambda before=before: len(answers) > before)
            if until(answers):
                break
    return answers


def wrong(answers: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Answers that are no version of the day."""
    return [answer for answer in answers if answer[0] != PARTS * ROWS or answer[1] < 0]


def test_no_query_ever_sees_half_of_a_day_that_is_replaced_fifty_times(
    athena: Athena, days: LakeDays
) -> None:
    put(days, MONDAY, 0)

    answers = replaced(athena, lambda version: put(days, MONDAY, version) and None, until=lambda _: False)

    assert len(answers) > REPLACEMENTS
    assert wrong(answers) == []
    assert len({version for _, version in answers}) > REPLACEMENTS // 5
    assert shown(athena) == {MONDAY: (PARTS * ROWS, REPLACEMENTS)}


def test_such_a_query_does_see_half_of_a_day_that_is_replaced_inside_its_folder(
    athena: Athena, days: LakeDays, table: CatalogTable
) -> None:
    lake, folder = days.lake, table.folder(MONDAY)
    write(lake, folder, 0)
    days.place({MONDAY: folder})

    def replace_inside(version: int) -> None:
        (old,) = lake.list_files([lake.path(folder)]).values()
        write(lake, folder, version)
        for entry in old:
            lake.client().delete_object(Bucket=lake.bucket, Key=lake.path(entry["url"]))

    assert wrong(replaced(athena, replace_inside, until=lambda answers: bool(wrong(answers)))) != []


def test_only_the_days_that_were_elsewhere_are_told_as_moved(days: LakeDays) -> None:
    first = made(days.lake, MONDAY, 1)

    assert days.place({MONDAY: first}) == []
    assert days.place({MONDAY: first}) == []
    assert days.place({MONDAY: made(days.lake, MONDAY, 2), TUESDAY: made(days.lake, TUESDAY, 2)}) == [MONDAY]


def test_more_days_than_one_call_takes_are_placed_and_moved(days: LakeDays) -> None:
    names = [f"2014-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 21)]
    for version in (1, 2):
        folder = days.lake.uri(run_folder(PREFIX, f"run-{version}"))
        moved = days.place({day: f"{folder}date={day}/" for day in names})

    assert moved == names
    assert locations() == {day: f"{folder}date={day}/" for day in names}


# --- found again


def test_a_catalog_that_was_lost_has_each_day_again_where_it_stood(
    athena: Athena, days: LakeDays, table: CatalogTable
) -> None:
    write(days.lake, table.folder(TUESDAY), 1)  # by an earlier version of the platform
    put(days, MONDAY, 1)
    put(days, MONDAY, 2)
    glue = Glue.of(get_settings())
    glue.client().delete_table(DatabaseName=glue.database, Name=NAME)
    glue.declare(table)
    assert shown(athena) == {}

    assert days.restore() == [MONDAY, TUESDAY]

    assert shown(athena) == {MONDAY: (PARTS * ROWS, 2), TUESDAY: (PARTS * ROWS, 1)}
    assert days.restore() == []


def test_a_day_of_an_earlier_version_stays_readable_and_is_replaced_like_any_other(
    athena: Athena, days: LakeDays, table: CatalogTable
) -> None:
    write(days.lake, table.folder(MONDAY), 1)
    glue = Glue.of(get_settings())
    glue.add_partitions(glue.declare(table), {MONDAY: table.folder(MONDAY)})
    assert days.restore() == []
    assert shown(athena) == {MONDAY: (PARTS * ROWS, 1)}

    put(days, MONDAY, 2)

    assert shown(athena) == {MONDAY: (PARTS * ROWS, 2)}
    assert objects(days.lake, table.folder(MONDAY)) == PARTS
    assert days.sweep(NOW, lambda _: {}) == PARTS
    assert shown(athena) == {MONDAY: (PARTS * ROWS, 2)}


def test_days_read_like_their_table_when_that_got_a_column_and_stay_where_they_are(
    days: LakeDays, table: CatalogTable
) -> None:
    folder = put(days, MONDAY, 1)
    more = CatalogTable(
        **{**table.__dict__, "columns": (*table.columns, Column("weight", "bigint", "In grams."))}
    )
    glue = Glue.of(get_settings())
    glue.declare(more)

    LakeDays.of(glue, days.lake, more).restore()

    found = glue.client().get_partition(DatabaseName=glue.database, TableName=NAME, PartitionValues=[MONDAY])
    storage = found["Partition"]["StorageDescriptor"]
    assert [column["Name"] for column in storage["Columns"]] == ["parcel_id", "version", "weight"]
    assert storage["Location"] == folder


@contextmanager
def once_before(client: Any, operation: str, act: Callable[[], Any]) -> Iterator[None]:
    """Have something happen right before the first call of an operation."""
    acts = [act]

    def happen(**_: Any) -> None:
        if acts:
            acts.pop()()

    client.meta.events.register(f"before-call.glue.{operation}", happen)
    try:
        yield
    finally:
        client.meta.events.unregister(f"before-call.glue.{operation}", happen)


@pytest.mark.parametrize("moment", ["BatchUpdatePartition", "GetPartitions"])
def test_a_day_that_a_run_places_while_others_are_rewritten_stays_where_the_run_has_placed_it(
    days: LakeDays, table: CatalogTable, moment: str
) -> None:
    put(days, MONDAY, 1)
    newer = made(days.lake, MONDAY, 2)
    more = CatalogTable(
        **{**table.__dict__, "columns": (*table.columns, Column("weight", "bigint", "In grams."))}
    )
    restoring = LakeDays.of(Glue.of(get_settings()), days.lake, more)

    with once_before(days.glue, moment, lambda: days.place({MONDAY: newer})):
        restoring.restore()

    assert locations() == {MONDAY: newer}


def test_a_day_that_another_run_registers_first_is_moved_and_no_failure(days: LakeDays) -> None:
    first, second = made(days.lake, MONDAY, 1), made(days.lake, MONDAY, 2)

    with once_before(days.glue, "BatchCreatePartition", lambda: days.place({MONDAY: first})):
        days.place({MONDAY: second})

    assert locations() == {MONDAY: second}


def test_a_changed_description_alone_rewrites_no_partition(days: LakeDays, table: CatalogTable) -> None:
    put(days, MONDAY, 1)
    (first, *others) = table.columns
    told = CatalogTable(
        **{**table.__dict__, "columns": (Column(first.name, first.type, "Otherwise."), *others)}
    )
    written: list[str] = []

    with once_before(days.glue, "BatchUpdatePartition", lambda: written.append("written")):
        LakeDays.of(Glue.of(get_settings()), days.lake, told).restore()

    assert written == []


# --- tidied up


def test_what_was_replaced_stays_for_the_grace_time_and_goes_then(athena: Athena, days: LakeDays) -> None:
    old, new = put(days, MONDAY, 1), put(days, MONDAY, 2)

    assert days.sweep(timedelta(hours=1), lambda _: {}) == 0
    assert objects(days.lake, old) == PARTS

    assert days.sweep(NOW, lambda _: {}) == PARTS
    assert (objects(days.lake, old), objects(days.lake, new)) == (0, PARTS)
    assert shown(athena) == {MONDAY: (PARTS * ROWS, 2)}


def test_the_folder_in_which_a_day_stands_never_goes_and_goes_when_it_was_replaced(days: LakeDays) -> None:
    standing = put(days, MONDAY, 1)
    assert days.sweep(NOW, lambda _: {}) == 0
    assert objects(days.lake, standing) == PARTS

    put(days, MONDAY, 2)

    assert days.sweep(NOW, lambda _: {}) == PARTS
    assert objects(days.lake, standing) == 0


def test_a_folder_stands_that_only_the_catalog_or_only_the_document_names(
    days: LakeDays, table: CatalogTable
) -> None:
    by_catalog = put(days, MONDAY, 1)
    by_document = made(days.lake, MONDAY, 2)
    days.note({MONDAY: by_catalog})
    days.note({MONDAY: by_document})
    # A run that dies between the two writes of a move leaves them like this.
    days.lake.put_manifests(f"{table.name}_days", {MONDAY: {"location": by_document}})

    assert days.sweep(NOW, lambda _: {}) == 0
    assert objects(days.lake, by_catalog) == objects(days.lake, by_document) == PARTS


def test_what_is_made_and_not_placed_yet_stays_and_what_a_dead_run_wrote_goes(days: LakeDays) -> None:
    waiting, dead = made(days.lake, MONDAY, 1), made(days.lake, TUESDAY, 1)
    days.note({MONDAY: waiting, TUESDAY: dead})

    assert days.sweep(NOW, lambda asked: {MONDAY: waiting} if MONDAY in asked else {}) == PARTS
    assert (objects(days.lake, waiting), objects(days.lake, dead)) == (PARTS, 0)


@pytest.mark.parametrize(
    "place_of", ["", "x/date=2013-01-07/", "parcels/", "parcels/runs/a/date=2013-01-08/"]
)
def test_nothing_is_deleted_that_is_no_folder_of_the_tables_day(days: LakeDays, place_of: str) -> None:
    other = made(days.lake, TUESDAY, 1)
    days.note({MONDAY: days.lake.uri(place_of)})

    with pytest.raises(AirlineError, match="expected a folder of 2013-01-07 below"):
        days.sweep(NOW, lambda _: {})

    assert objects(days.lake, other) == PARTS


def test_an_emptied_day_has_no_row_left_wherever_it_stood(
    athena: Athena, days: LakeDays, table: CatalogTable
) -> None:
    write(days.lake, table.folder(MONDAY), 0)
    put(days, MONDAY, 1)
    put(days, MONDAY, 2)
    put(days, TUESDAY, 2)

    assert days.empty(MONDAY) == 3 * PARTS
    assert shown(athena) == {TUESDAY: (PARTS * ROWS, 2)}


# --- as the assets do it


def step(lake: Lake) -> Step:
    has = SimpleNamespace(glue=Glue.of(get_settings()), lake=lake)
    return Step(cast("Any", SimpleNamespace(resources=has)), SHIPMENTS)


def shipments(lake: Lake, folder: str, documented: str) -> MadeDay:
    """A day of which Parquet is written to a folder, and which the document of who made it says is there."""
    write(lake, folder, 1)
    (files,) = lake.list_files([lake.path(folder)]).values()
    return MadeDay("jr_1", tuple(files), (), folder=documented)


@pytest.fixture
def shipments_days(lake: Lake) -> Iterator[LakeDays]:
    glue, declared = Glue.of(get_settings()), parquet_table(get_settings(), SHIPMENTS, SHIPMENTS.table)
    glue.declare(declared)
    yield LakeDays.of(glue, lake, declared)
    glue.client().delete_table(DatabaseName=glue.database, Name=declared.name)


def test_a_day_whose_document_an_earlier_version_wrote_stands_where_that_one_wrote_its_parquet(
    lake: Lake, shipments_days: LakeDays
) -> None:
    table = shipments_days.table
    folder = f"{table.location}runs/r/date={MONDAY}/"
    before = {MONDAY: shipments(lake, table.folder(MONDAY), "")}

    assert place(step(lake), SHIPMENTS.table, before) == []
    assert shipments_days.locations([MONDAY]) == {MONDAY: table.folder(MONDAY)}
    assert place(step(lake), SHIPMENTS.table, {MONDAY: shipments(lake, folder, folder)}) == [MONDAY]
    assert shipments_days.locations([MONDAY]) == {MONDAY: folder}


def test_a_table_the_catalog_did_not_have_gets_its_other_days_with_the_first_that_is_placed(
    lake: Lake, shipments_days: LakeDays
) -> None:
    table, glue = shipments_days.table, Glue.of(get_settings())
    lake.put_manifests(
        f"{table.name}_days", {TUESDAY: {"location": f"{table.location}runs/q/date={TUESDAY}/"}}
    )
    folder = f"{table.location}runs/r/date={MONDAY}/"

    place(step(lake), SHIPMENTS.table, {MONDAY: shipments(lake, folder, folder)})

    assert locations(table.name).keys() == {MONDAY, TUESDAY}
    assert table.is_confirmed(cast("Any", glue.find_table(table.name)))


def test_a_day_whose_parquet_is_gone_stays_where_it_is(lake: Lake, shipments_days: LakeDays) -> None:
    location = shipments_days.table.location
    standing, gone = (f"{location}runs/{run}/date={MONDAY}/" for run in ("first", "second"))
    place(step(lake), SHIPMENTS.table, {MONDAY: shipments(lake, standing, standing)})
    late = {MONDAY: shipments(lake, gone, gone)}
    lake.remove(lake.path(gone))

    with pytest.raises(LoadRefused, match=f"expected the Parquet of {MONDAY} that was made, found it gone"):
        place(step(lake), SHIPMENTS.table, late)

    assert shipments_days.locations([MONDAY]) == {MONDAY: standing}


def test_what_was_replaced_goes_with_a_later_run_and_a_refusal_to_delete_stops_no_day(
    lake: Lake, shipments_days: LakeDays, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = shipments_days.table.location
    for run in ("first", "second"):
        folder = f"{location}runs/{run}/date={MONDAY}/"
        place(step(lake), SHIPMENTS.table, {MONDAY: shipments(lake, folder, folder)})
    assert sweep(step(lake), SHIPMENTS.table) == {"replaced_objects_removed": 0}  # the grace time

    later = datetime.now(UTC) + timedelta(hours=get_settings().replaced_hours)
    monkeypatch.setattr(lake_days, "datetime", SimpleNamespace(now=lambda _: later, fromisoformat=FROM_ISO))
    with monkeypatch.context() as patch:
        patch.setattr(Lake, "remove", refuse)
        assert sweep(step(lake), SHIPMENTS.table) == {"replaced_objects_removed": "failed: kept"}
    assert sweep(step(lake), SHIPMENTS.table) == {"replaced_objects_removed": PARTS}


FROM_ISO = datetime.fromisoformat


def refuse(*_: Any) -> int:
    raise AirlineError("kept", remedy="")


def test_a_deployment_registers_the_days_that_landed_and_those_that_runs_wrote(
    lake: Lake, shipments_days: LakeDays
) -> None:
    settings = get_settings()
    landing = lake.with_bucket(settings.landing_bucket)
    landing.put_bytes(f"daily_flights/date={MONDAY}/a.csv", b"x")
    landing.put_bytes("daily_flights/date=yesterday/a.csv", b"x")
    folder = f"{shipments_days.table.location}runs/r/date={TUESDAY}/"
    lake.put_manifests("shipments_normalized_days", {TUESDAY: {"location": folder}})
    ensure_catalog_tables(settings)

    restore_days(settings)

    for table, expected in (
        ("landing_daily_flights", {MONDAY: f"s3://{landing.bucket}/daily_flights/date={MONDAY}/"}),
        ("shipments_normalized", {TUESDAY: folder}),
    ):
        assert locations(table) == expected
    landing.remove("")


# --- beside a crawler


def test_a_crawl_leaves_days_where_they_are_registered_and_looks_into_no_runs_folder(
    athena: Athena, days: LakeDays, table: CatalogTable
) -> None:
    write(days.lake, table.folder(MONDAY), 1)
    write(days.lake, table.folder(TUESDAY), 1)
    moved = put(days, MONDAY, 2)
    glue = Glue.of(get_settings())
    glue.client().create_crawler(
        Name="parcels",
        Role="x",
        DatabaseName=glue.database,
        Targets={"S3Targets": [{"Path": table.location, "Exclusions": ["runs/**"]}]},
        SchemaChangePolicy={"UpdateBehavior": "LOG", "DeleteBehavior": "LOG"},
        Configuration=(
            '{"Version": 1.0, "CrawlerOutput": {"Partitions": {"AddOrUpdateBehavior": "InheritFromTable"}}}'
        ),
    )

    glue.crawl("parcels").require_success()

    assert locations() == {MONDAY: moved, TUESDAY: table.folder(TUESDAY)}
    assert shown(athena) == {MONDAY: (PARTS * ROWS, 2), TUESDAY: (PARTS * ROWS, 1)}
